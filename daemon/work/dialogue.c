#include "daemon/work/dialogue.h"

#include <errno.h>
#include <string.h>

#include "proto/text/utf8.h"

#define KEPT_ANSWER_BYTES (64u << 10)

int dialogue_go_on(const struct ellu_message *const *messages, size_t n_messages, const char *answer,
		   const char *reply, struct arena *arena,
		   const struct ellu_message *const **ret_messages, size_t *ret_n_messages)
{
	const struct ellu_message **list = arena_array(arena, n_messages + 2, sizeof(*list));
	struct ellu_message *made = arena_array(arena, 2, sizeof(*made));

	if (!list || !made)
		return -ENOMEM;
	for (size_t i = 0; i < n_messages; i++)
		list[i] = messages[i];
	for (size_t i = 0; i < 2; i++) {
		made[i] = ELLU_RECORD(struct ellu_message);
		made[i].role = i == 0 ? "assistant" : "user";
		list[n_messages + i] = &made[i];
	}
	made[0].content = arena_strndup(arena, answer, utf8_cut(answer, strlen(answer), KEPT_ANSWER_BYTES));
	made[1].content = reply;
	if (!made[0].content || !made[1].content)
		return -ENOMEM;
	*ret_messages = list;
	*ret_n_messages = n_messages + 2;
	return 0;
}
