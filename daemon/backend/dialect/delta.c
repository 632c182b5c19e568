/* What of an answer in the making its reader does not know yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/target.h"

/* A part of a text that grows: where it ends that can be told. Keys in it are overwritten, which
 * what was held back of them is for. */
static size_t tellable(struct answer *answer, struct buffer *text, size_t told, bool all)
{
	const struct llm_target *target = answer->call->target;
	size_t size = text->size - told;

	if (text->failed || size == 0)
		return told;
	target_redact_answer(target, text->data + told, size);
	return text->size -
	       (all ? 0 : target_begins_secret(target, text->data + told, size));
}

static int tell_text(struct answer *answer, bool all, struct arena *arena,
		     struct ellu_call_delta *delta)
{
	size_t end = tellable(answer, &answer->text, answer->text_told, all);

	if (end == answer->text_told)
		return 0;
	delta->text = arena_strndup(arena, answer->text.data + answer->text_told,
				    end - answer->text_told);
	return delta->text ? 1 : -ENOMEM;
}

/* Ids are what pieces are told apart by: one that is missing is made as where the call is whole. */
static const char *id_of(struct answer *answer, struct tool_piece *piece, struct arena *arena)
{
	char id[32];

	if (!piece->id) {
		snprintf(id, sizeof(id), "call_%zu", (size_t)(piece - answer->pieces));
		piece->id = strdup(id);
	}
	if (piece->id)
		target_redact_answer(answer->call->target, piece->id, strlen(piece->id));
	return arena_strdup(arena, piece->id);
}

static struct ellu_tool_call_delta *tell_piece(struct answer *answer, struct tool_piece *piece,
					       size_t end, struct arena *arena)
{
	struct ellu_tool_call_delta *delta = arena_alloc(arena, sizeof(*delta));

	if (!delta)
		return NULL;
	*delta = (struct ellu_tool_call_delta)ELLU_RECORD(struct ellu_tool_call_delta);
	delta->id = id_of(answer, piece, arena);
	if (!piece->begun) {
		target_redact_answer(answer->call->target, piece->name, strlen(piece->name));
		delta->name = arena_strdup(arena, piece->name);
	}
	delta->arguments = arena_strndup(arena, piece->arguments.data ?
							piece->arguments.data + piece->told : "",
					 end - piece->told);
	return delta->id && delta->arguments && (piece->begun || delta->name) ? delta : NULL;
}

/* One without its name is not told of. */
static int tell_pieces(struct answer *answer, bool all, struct arena *arena,
		       struct ellu_call_delta *delta)
{
	const struct ellu_tool_call_delta **list;
	size_t n = 0;

	if (answer->n_pieces == 0)
		return 0;
	list = arena_array(arena, answer->n_pieces, sizeof(*list));
	for (size_t i = 0; list && i < answer->n_pieces; i++) {
		struct tool_piece *piece = &answer->pieces[i];
		size_t end = tellable(answer, &piece->arguments, piece->told, all);

		if (!piece->name || (piece->begun && end == piece->told))
			continue;
		list[n] = tell_piece(answer, piece, end, arena);
		if (!list[n++])
			return -ENOMEM;
	}
	delta->tool_calls = n > 0 ? list : NULL;
	delta->n_tool_calls = n;
	return list ? n > 0 : -ENOMEM;
}

static void note_told(struct answer *answer, bool all)
{
	answer->text_told = tellable(answer, &answer->text, answer->text_told, all);
	for (size_t i = 0; i < answer->n_pieces; i++) {
		struct tool_piece *piece = &answer->pieces[i];

		if (!piece->name)
			continue;
		piece->begun = true;
		piece->told = tellable(answer, &piece->arguments, piece->told, all);
	}
}

int answer_delta(struct answer *answer, bool all, struct arena *arena,
		 struct ellu_call_delta *ret_delta)
{
	int text, pieces;

	*ret_delta = (struct ellu_call_delta)ELLU_RECORD(struct ellu_call_delta);
	if (!answer->framing || answer->unusable)
		return 0;
	text = tell_text(answer, all, arena, ret_delta);
	pieces = tell_pieces(answer, all, arena, ret_delta);
	if (text < 0 || pieces < 0)
		return -ENOMEM;
	note_told(answer, all);
	return text || pieces;
}

size_t answer_untold(const struct answer *answer)
{
	size_t n = answer->text.size - answer->text_told + answer->piece_bytes;

	for (size_t i = 0; i < answer->n_pieces; i++)
		n -= answer->pieces[i].told;
	return n;
}
