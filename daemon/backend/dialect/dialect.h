/*
 * What lies between a neutral call and a provider's own way to say it. A dialect turns a config
 * into a target's constant parts, a call into the body of a request, and what came back into an
 * answer or a refusal; it knows nothing of connections, retries or limits. A provider is one row,
 * and one of what others than the backend know of it (proto/provider.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/backend/call.h"
#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/dialect/request_form.h"

struct answer;
struct batch_form;
struct buffer;
struct json_value;
struct refusal;

/* What carries a call's attempts. */
enum transport_kind {
	TRANSPORT_HTTP,
	TRANSPORT_SIMULATED,
	_TRANSPORT_MAX,
};

/* How vectors of texts are asked for. */
struct embedding_form {
	const char *path, *version_path; // as those of the dialect
	size_t texts_max; // of a request
	void (*request)(const struct llm_call *call, struct buffer *body);
	/* Reads the whole answer, as `whole` of the dialect does. */
	void (*whole)(struct json_value *json, struct answer *answer);
};

struct dialect {
	const char *name; // the `provider` of configs
	enum transport_kind transport;

	/* Makes what the config alone decides: settings, further headers, the constant part of
	 * requests. Everything lies in the target's arena. Once a target; any thread. */
	int (*prepare)(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault);

	/* The rest is for TRANSPORT_HTTP. */
	/* Of requests, behind the base's own; `{model}` is where the model's name goes. What it is
	 * where the base ends in a version, such as /v1, is optional, and so is the query that goes
	 * with the first where the base has none. */
	const char *path;
	const char *version_path;
	const char *query;
	/* The same of requests for a stream, where it is another; its query is put behind any other. */
	const char *stream_path;
	const char *stream_version_path;
	const char *stream_query;
	const char *key_header; // which holds the key, unless the config has its own; or NULL
	const char *key_prefix;
	const char *const *fields; // names by enum request_field, NULL where there is none; extra_body may replace them
	const char *params_object; // member of requests that parameters are in; NULL: they are at the top
	struct request_form form; // of the first request
	const char *type_header; // which names the type of an error; or NULL
	const char *any_tool; // word for a tool_choice of `required`
	int media; // of enum media_forms: what it can be shown; the rest is refused

	/* Writes a request's body behind what the buffer holds; a failure sticks there. A stream is
	 * asked for if the call has one (llm_call::stream). Before the first attempt, and again when
	 * the form has changed; on the backend's loop, as all below. */
	void (*request)(const struct llm_call *call, const struct request_form *form,
			struct buffer *body);
	/* Writes the lines of headers that an attempt's body and time decide, each with a NUL behind
	 * it. Optional. */
	void (*sign)(const struct llm_target *target, const char *url, const struct buffer *body,
		     int64_t wall_usec, struct buffer *lines);
	/* Reads the whole answer of a 2xx, an object, which it borrows. */
	void (*whole)(struct json_value *json, struct answer *answer);
	/* Reads an event of one that comes as a stream, asked for or not, an object, which it borrows.
	 * Where the framing has types of events, answer->event_type is this one's. */
	void (*event)(struct json_value *json, struct answer *answer);
	/* Reads what an error status came with, of any type or NULL; borrows it, and so does what
	 * it finds. Codes and types before prose. */
	void (*refusal)(struct json_value *json, struct refusal *refusal);
	/* Whether a refused request should be made in another form, which *form then is; `used` is
	 * the refused one's. Optional: there is one form only. */
	bool (*change_form)(const struct llm_call *call, enum error_hint hint,
			    const struct request_form *used, struct request_form *form);
	const struct embedding_form *embedding; // NULL: its provider makes no vectors
	const struct batch_form *batch; // NULL: it takes no batches
};

const struct dialect *dialect_find(const char *name); // or NULL

/* A file each: those that share functions; each ends with one that has no name. */
#define DIALECT_FAMILIES(FAMILY) \
	FAMILY(openai)           \
	FAMILY(anthropic)        \
	FAMILY(bedrock)          \
	FAMILY(cohere)           \
	FAMILY(custom)           \
	FAMILY(gemini)           \
	FAMILY(simulated)

#define DIALECT_FAMILY(name) extern const struct dialect name##_dialects[];
DIALECT_FAMILIES(DIALECT_FAMILY)
#undef DIALECT_FAMILY
extern const struct dialect *const dialect_families[]; // all of them, and NULL
