/*
 * Endpoints for chat as the world has them: requests in, answers, streams and errors out. A row for
 * each way to speak; what is said is the same in all of them. Knows nothing of sockets and faults.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/bytes.h"

struct http_request;
struct json_object;
struct chat_dialect;

enum chat_format { CHAT_TEXT, CHAT_JSON_OBJECT, CHAT_JSON_SCHEMA };

struct chat_tool {
	const char *name;
	struct json_object *schema; /* NULL: none */
};

struct chat_request {
	const struct chat_dialect *dialect;
	struct json_object *json; /* owns what the pointers below point to */
	const char *model;
	const char **contents; /* the texts of all messages, in order */
	size_t n_contents;
	struct chat_tool *tools;
	size_t n_tools;
	bool after_tools; /* the last message has what they said */
	int64_t n_rounds; /* how often they did, as far as the dialect counts */
	bool stream, include_usage;
	bool has_max_tokens;
	enum chat_format format;
	struct json_object *schema; /* NULL when none was sent */
	const char *form_tool; /* whose arguments the answer is to be, or NULL */
	bool wants_vectors; /* of the contents, instead of an answer */
	int64_t n_dimensions; /* 0: as many as it makes */
	char *recorded; /* what a model once said to it, or NULL */
};

enum chat_finish {
	CHAT_STOP,
	CHAT_LENGTH,
	CHAT_FILTER,
	CHAT_REFUSAL,
	CHAT_TOOLS, /* as what is called says by itself */
};

struct chat_answer {
	uint64_t number;
	const char *model;
	struct span text;
	enum chat_finish finish;
	const char *tool; /* what is called, with arguments in JSON, or NULL */
	struct span arguments;
	const char *form_tool; /* whose arguments the text is, or NULL */
	int64_t tool_times; /* at once, as far as the dialect knows; 0: once */
	bool usage;
	int64_t input_tokens, output_tokens, cached_tokens;
};

/* The vectors of texts. */
struct chat_vectors {
	const char *model;
	const char *const *texts;
	size_t n_texts;
	int64_t n_dimensions, seed;
	bool usage;
	int64_t input_tokens;
};

struct chat_vectors_form {
	/* As those of a dialect: the whole path where that has no end, or the end behind its path. */
	const char *path, *end;
	bool (*read)(struct chat_request *request, struct bytes *error);
	void (*write)(struct bytes *out, const struct chat_vectors *vectors);
};

extern const struct chat_vectors_form chat_vectors_bedrock, chat_vectors_cohere, chat_vectors_gemini,
	chat_vectors_mistral, chat_vectors_openai, chat_vectors_vertex; /* chat_vectors.c */

struct chat_problem {
	int status;
	const char *message, *type, *code; /* as OpenAI has them; code may be NULL */
	double wait_seconds; /* 0: none */
};

struct chat_dialect {
	/* Which requests are its own: all with that path, or those that end as well in one of the two,
	 * the other of which asks for a stream. The model's name stands before it. */
	const char *path;
	const char *end, *stream_end;
	const char *key_header; /* NULL: a Bearer's */
	bool bearer_too; /* either will do */
	bool by_account; /* the key may be a token that a service account was exchanged for */
	const char *wanted_header, *wanted_parameter; /* NULL: none */
	const char *no_schema; /* how it says that it has no such form of answers; NULL: as OpenAI */
	bool waits_in_body; /* no header says how long */

	const char *stream_type; /* of content; NULL: server-sent events */

	/* Whether the request has the key, or a message; NULL: its header has it. */
	bool (*authorised)(const struct http_request *request, const char *key, struct bytes *error);
	/* Reads the members of request->json; false with a message when it is no such request. */
	bool (*read)(struct chat_request *request, struct bytes *error);
	void (*write)(struct bytes *out, const struct chat_answer *answer);
	/* Events, each in a chunk of its own, and the last one. NULL: it has no streams. */
	void (*write_stream)(struct bytes *out, const struct chat_answer *answer, bool include_usage);
	/* As chat_write_event(); NULL: by that. */
	void (*write_event)(struct bytes *out, const char *name, struct bytes *event);
	/* Returns the status that it has there. */
	int (*write_problem)(struct bytes *out, const struct chat_problem *problem);
	void (*write_problem_header)(struct bytes *out, int status); /* or NULL */
	const struct chat_vectors_form *vectors; /* NULL: it makes none */
};

extern const struct chat_dialect chat_openai, chat_azure, chat_mistral; /* chat_openai.c */
extern const struct chat_dialect chat_anthropic, chat_bedrock, chat_cohere, chat_custom, chat_gemini,
	chat_vertex;

/* What a request's path says. */
struct chat_wanted {
	const struct chat_dialect *dialect;
	struct span model; /* data is NULL: the body says */
	bool stream, vectors;
};

/* False: nobody's requests come to that path. */
bool chat_find(struct span path, struct chat_wanted *ret_wanted);

/* False with a message when the body is no such request. */
bool chat_request_parse(struct span body, const struct chat_wanted *wanted,
			struct chat_request *ret_request, struct bytes *error);
void chat_request_done(struct chat_request *request);

/* ---- For dialects, of requests ---- */

struct json_object *chat_member(struct json_object *object, const char *name); /* or NULL */
const char *chat_text_member(struct json_object *object, const char *name); /* or NULL */
void chat_add_content(struct chat_request *request, const char *text);
/* A text, or parts of which some are texts; false: neither. */
bool chat_add_text(struct chat_request *request, struct json_object *content);
void chat_add_tool(struct chat_request *request, const char *name, struct json_object *schema);

/* ---- For dialects, of answers ---- */

/* The next piece of a text, of which it takes it off; pieces end behind a blank, so that no character
 * is cut. */
struct span chat_take_piece(struct span *text);
/* What is in `event` as an event, and none is there any more. The name may be NULL. */
void chat_write_event(struct bytes *out, const char *name, struct bytes *event);
void chat_write_stream_end(struct bytes *out, bool done); /* done: `[DONE]` says so */

/* ---- What is said ---- */

/* A document that fits the schema, or has any form if that is NULL, with the text in its strings. */
void chat_structured_text(struct json_object *schema, const char *text, struct bytes *out);
