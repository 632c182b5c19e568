/* Calls of tools in an answer: whole ones, and those that come in pieces. */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/answer.h"

#define TOOL_CALLS_MAX 1024 // of a stream

/* An id may be missing; arguments are a text of JSON. */
static void put_tool_call(struct answer *answer, const char *id, const char *name,
			  const char *arguments, const char *signature)
{
	struct buffer *out = &answer->tool_calls;

	if (!name) {
		answer_unusable(answer, "the answer calls a tool without a name");
		return;
	}
	buffer_text(out, answer->n_tool_calls == 0 ? "[{\"id\":" : ",{\"id\":");
	if (id) {
		buffer_json(out, id);
	} else {
		/* Some servers leave the id out; results need one to refer to. */
		buffer_text(out, "\"call_");
		buffer_int(out, (int64_t)answer->n_tool_calls);
		buffer_text(out, "\"");
	}
	buffer_text(out, ",\"name\":");
	buffer_json(out, name);
	buffer_text(out, ",\"arguments\":");
	buffer_json(out, arguments);
	if (signature) {
		buffer_member(out, "signature");
		buffer_json(out, signature);
	}
	buffer_text(out, "}");
	answer->n_tool_calls++;
}

/* Of a text, else NULL. */
static const char *words_of(struct json_value *value)
{
	return json_is(value, JSON_TEXT) ? json_words(value) : NULL;
}

/* The tool call of a stream with that number, made when it is new. */
static struct tool_piece *piece_of(struct answer *answer, int64_t number)
{
	struct tool_piece *pieces;

	for (size_t i = answer->n_pieces; i-- > 0;) {
		if (answer->pieces[i].number == number)
			return &answer->pieces[i];
	}
	pieces = answer->n_pieces < TOOL_CALLS_MAX ?
			 reallocarray(answer->pieces, answer->n_pieces + 1, sizeof(*pieces)) :
			 NULL;
	if (!pieces) {
		answer_unusable(answer, "too many tool calls");
		return NULL;
	}
	answer->pieces = pieces;
	pieces[answer->n_pieces] = (struct tool_piece){ .number = number };
	return &pieces[answer->n_pieces++];
}

/* The first text that says it. */
static void keep_words(struct answer *answer, char **kept, struct json_value *value)
{
	if (*kept || !json_is(value, JSON_TEXT))
		return;
	*kept = strdup(json_words(value));
	answer->tool_calls.failed |= !*kept;
}

/* What is behind a NUL is no JSON. */
static void append_arguments(struct answer *answer, struct tool_piece *piece, const char *text)
{
	size_t size = strlen(text);

	if (!answer_has_room(answer, size))
		return;
	buffer_append(&piece->arguments, text, size);
	answer->piece_bytes += size;
}

void answer_tool_piece(struct answer *answer, struct json_value *index, struct json_value *id,
		       struct json_value *name, struct json_value *arguments)
{
	int64_t number = json_is(index, JSON_NUMBER) ? strtoll(index->piece.at, NULL, 10) : -1;
	struct tool_piece *piece = piece_of(answer, number < -1 ? -1 : number);

	if (!piece)
		return;
	keep_words(answer, &piece->id, id);
	keep_words(answer, &piece->name, name);
	if (json_is(arguments, JSON_TEXT))
		append_arguments(answer, piece, json_words(arguments));
}

/* A whole one in a stream, where others may be on their way. */
static void add_piece(struct answer *answer, struct json_value *id, struct json_value *name,
		      const char *arguments, struct json_value *signature)
{
	struct tool_piece *piece = piece_of(answer, -2 - (int64_t)answer->n_pieces);

	if (!piece)
		return;
	keep_words(answer, &piece->id, id);
	keep_words(answer, &piece->name, name);
	keep_words(answer, &piece->signature, signature);
	append_arguments(answer, piece, arguments);
}

void answer_tool_call(struct answer *answer, struct json_value *id, struct json_value *name,
		      struct json_value *arguments, struct json_value *signature)
{
	const char *text = arguments ? words_of(arguments) : "{}";
	char *compact = text ? NULL : json_compact(arguments);

	if (!text)
		text = compact;
	if (!text)
		answer->tool_calls.failed = true;
	else if (answer->framing)
		add_piece(answer, id, name, text, signature);
	else
		put_tool_call(answer, words_of(id), words_of(name), text, words_of(signature));
	free(compact);
}

void tool_calls_join(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		struct tool_piece *piece = &answer->pieces[i];
		struct buffer *arguments = &piece->arguments;

		if (arguments->size == 0)
			buffer_text(arguments, "{}");
		buffer_append(arguments, "", 1);
		if (arguments->failed) {
			answer->tool_calls.failed = true;
			continue;
		}
		arguments->size--; // the NUL is behind it
		put_tool_call(answer, piece->id, piece->name, arguments->data, piece->signature);
	}
}

void tool_calls_done(struct answer *answer)
{
	for (size_t i = 0; i < answer->n_pieces; i++) {
		free(answer->pieces[i].id);
		free(answer->pieces[i].name);
		free(answer->pieces[i].signature);
		buffer_done(&answer->pieces[i].arguments);
	}
	free(answer->pieces);
}

