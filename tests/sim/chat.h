/*
 * The OpenAI dialect of chat completions, as Azure and Mistral speak it too, and Anthropic's of
 * messages: requests in, answers, streams (of the first) and errors out. Knows nothing of sockets
 * and faults.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/bytes.h"

struct json_object;

enum chat_dialect { CHAT_OPENAI, CHAT_AZURE, CHAT_MISTRAL, CHAT_ANTHROPIC };

enum chat_format { CHAT_TEXT, CHAT_JSON_OBJECT, CHAT_JSON_SCHEMA };

struct chat_request {
	enum chat_dialect dialect;
	struct json_object *json; /* owns what the pointers below point to */
	const char *model;
	const char **contents; /* the texts of all messages, in order */
	size_t n_contents;
	bool stream, include_usage;
	bool has_max_tokens;
	enum chat_format format;
	struct json_object *schema; /* NULL when none was sent */
};

struct chat_answer {
	enum chat_dialect dialect;
	uint64_t number;
	const char *model;
	struct span text;
	const char *finish_reason;
	int64_t input_tokens, output_tokens, cached_tokens;
};

/* Returns false with a message when the body is no such request. */
bool chat_request_parse(struct span body, enum chat_dialect dialect,
			struct chat_request *ret_request, struct bytes *error);
void chat_request_done(struct chat_request *request);

void chat_write_answer(struct bytes *out, const struct chat_answer *answer);
void chat_write_error(struct bytes *out, const char *message, const char *type, const char *code);
/* The same as other dialects have it: of the status, and without a code; in a list. */
void chat_write_anthropic_error(struct bytes *out, const char *message, int status);
void chat_write_mistral_error(struct bytes *out, const char *message, const char *type);

/* Server-sent events, each in a chunk of its own. */
void chat_write_stream(struct bytes *out, const struct chat_answer *answer, bool include_usage);
void chat_write_event(struct bytes *out, struct span data);
void chat_write_stream_end(struct bytes *out);

/* A document that fits the request's JSON format, with the text in its string fields. */
void chat_structured_text(const struct chat_request *request, const char *text, struct bytes *out);
