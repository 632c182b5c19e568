#include "daemon/work/conversation/tool_round.h"

#include <errno.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/record/record.h"

static bool has_id(const struct ellu_tool_call *const *tool_calls, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(tool_calls[i]->id, id) == 0)
			return true;
	return false;
}

static bool is_taken(const struct tool_round *round, size_t n_before, size_t n_calls, const char *id)
{
	bool taken = !*id || has_id(round->tool_calls, n_calls, id);

	for (size_t i = 0; !taken && i < n_before; i++)
		taken = has_id(round->messages[i]->tool_calls, round->messages[i]->n_tool_calls, id);
	return taken;
}

static int name_calls(struct tool_round *round, struct ellu_tool_call *calls, size_t n_before, struct arena *arena)
{
	for (size_t i = 0; i < round->n; i++) {
		const char *given = calls[i].id;

		for (size_t k = n_before + i; is_taken(round, n_before, i, calls[i].id); k++) {
			calls[i].id = arena_printf(arena, "%s-%zu", *given ? given : "call", k);
			if (!calls[i].id)
				return -ENOMEM;
		}
	}
	return 0;
}

static void add_results(struct tool_round *round, const struct ellu_message **list)
{
	for (size_t i = 0; i < round->n; i++) {
		round->results[i] = ELLU_RECORD(struct ellu_message);
		round->results[i].role = "tool";
		round->results[i].tool_call_id = round->tool_calls[i]->id;
		list[i] = &round->results[i];
	}
}

int tool_round_begin(const struct ellu_message *const *messages, size_t n_messages, const char *text,
		     const struct ellu_tool_call *const *tool_calls, size_t n, struct arena *arena,
		     struct tool_round *ret_round)
{
	struct tool_round round = { .n_messages = n_messages + 1 + n, .n = n, .n_left = n };
	const struct ellu_message **list = arena_array(arena, round.n_messages, sizeof(*list));
	struct ellu_tool_call *calls = arena_array(arena, n, sizeof(*calls));
	const struct ellu_tool_call **called = arena_array(arena, n, sizeof(*called));
	struct ellu_message *answer = arena_alloc(arena, sizeof(*answer));

	round.results = arena_array(arena, n, sizeof(*round.results));
	if (!list || !calls || !called || !answer || !round.results)
		return -ENOMEM;
	for (size_t i = 0; i < n_messages; i++)
		list[i] = messages[i];
	for (size_t i = 0; i < n; i++) {
		calls[i] = *tool_calls[i];
		called[i] = &calls[i];
	}
	*answer = ELLU_RECORD(struct ellu_message);
	answer->role = "assistant";
	answer->content = arena_strdup(arena, text);
	if (text && !answer->content)
		return -ENOMEM;
	answer->tool_calls = round.tool_calls = called;
	answer->n_tool_calls = n;
	list[n_messages] = answer;
	round.messages = list;
	if (name_calls(&round, calls, n_messages, arena) < 0)
		return -ENOMEM;
	add_results(&round, list + n_messages + 1);
	*ret_round = round;
	return 0;
}

int tool_round_take(struct tool_round *round, const char *id, const char *content, struct arena *arena)
{
	for (size_t i = 0; i < round->n; i++) {
		if (round->results[i].content || strcmp(round->tool_calls[i]->id, id) != 0)
			continue;
		round->results[i].content = arena_strdup(arena, content);
		if (!round->results[i].content)
			return -ENOMEM;
		round->n_left--;
		return 1;
	}
	return 0;
}

int tool_round_check_size(const struct tool_round *round, struct fault *fault)
{
	size_t size = 0;

	for (size_t i = 0; i < round->n_messages && size <= RENDERED_BYTES_MAX; i++)
		size += record_text_bytes(&ellu_message_type, round->messages[i]);
	return size > RENDERED_BYTES_MAX ?
		       fault_too_large(fault, RENDERED_BYTES_MAX, "the conversation with its tools' results") : 0;
}
