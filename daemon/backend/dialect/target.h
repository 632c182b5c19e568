/*
 * An LLM config made ready for calls: everything that is the same for each of them is written
 * out once. Nothing in it changes after llm_target_new(), so any thread may read it while it
 * holds a reference; but for access tokens, which are the backend's alone. Keys are wiped when the last
 * one goes.
 */
#pragma once

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/backend/call.h"
#include "daemon/backend/dialect/request_form.h"
#include "daemon/backend/limits/budget.h"

struct aws_credentials;
struct dialect;
struct service_account;

struct simulated_settings {
	int64_t latency_usec;
	double error_rate;
	double rate_limit_rate;
	double bad_verdict_rate;
	int64_t seed;
};

#define TARGET_KEY_PLACE "{{key}}" // in values of headers

struct target_secret {
	char *text;
	size_t size;
	bool is_key; // and not some other header's value
	struct target_secret *next;
};

/* What is asked for at an address of its own, where the dialect has one for it. */
enum target_url_kind {
	URL_ANSWER,
	URL_STREAM,
	URL_EMBEDDING,
	URL_BATCH,
	URL_BATCH_FILE,
	_URL_MAX,
};

struct target_url {
	const char *text; // NULL: there is no other than for an answer
	CURLU *parsed; // the same
};

struct llm_target {
	atomic_uint refs;
	struct arena arena; // holds all texts below
	const struct dialect *dialect;
	const char *origin; // scheme, host and port; "simulated"
	const char *model;
	int64_t config_id; // 0: it costs nothing
	struct target_url urls[_URL_MAX]; // of the simulated one, none
	char *key; // or NULL
	struct curl_slist *headers; // may hold secrets
	struct target_secret *secrets;
	uint64_t path; // hash of what target_same_path() compares
	uint64_t identity; // hash of what target_same() compares
	bool shared; // an administrator lets all users have one endpoint of it
	const char *system_message; // or NULL

	const char *const *lacks; // parameters that its provider has not, ends with NULL; or NULL
	struct ellu_generation_params params;
	/* Written out as `,"NAME":VALUE…` from the config alone, with max_tokens under either name. */
	const char *params_json[2];
	const char *extra_json; // the members of extra_body in the same form
	const char *extra_params; // and those of its member that the dialect has parameters in
	uint64_t extra_fields; // which request fields extra_body replaces: bits of enum request_field
	enum structured_output structured_output;
	bool structured_fixed; // not `auto`: never stepped down

	int max_connections; // 0: none
	struct budget_limits limits;
	int64_t taken_day; // 0: nothing was taken before
	int64_t taken_requests, taken_tokens;
	int max_retries;
	int64_t timeout_usec;
	int64_t connect_usec;
	int64_t first_byte_usec;
	int64_t stall_usec;
	const char *proxy; // or NULL
	const char *ca_file; // or NULL
	struct curl_blob ca; // what it held
	int64_t price_input; // nanodollars for a million tokens, -1: unknown
	int64_t price_output;
	int64_t price_cached_input; // and these as the other of their kind
	int64_t price_cache_write;
	int64_t price_reasoning;
	int batch_price_percent; // of all these, what a batch costs
	struct simulated_settings simulated;
	const struct aws_credentials *aws; // that requests are signed with, or NULL
	const struct custom_settings *custom; // of the dialect of that name
	const struct service_account *account; // that the key is, or NULL
	/* The access tokens that it was exchanged for last, the present one first; of the backend's loop. */
	struct target_secret bearers[2];
	int64_t bearer_number; // of the present one
};

/* Of a config whose provider is the dialect's. */
int target_new(const struct dialect *dialect, const struct ellu_llm_config *config,
	       struct llm_target **ret_target, struct fault *fault);

/* ---- Its parts, for who makes it ---- */

/* All its addresses, the config's base with the dialect's paths behind it, and their origin; target_url.c. */
int target_make_urls(struct llm_target *target, const char *base, struct fault *fault);
/* What it keeps secret: the key, and what stands in the URL's query and in the body; target_secret.c. */
int target_add_secrets(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault);
/* The value of a header of the config's own, and its part behind `Bearer `, `Basic ` and so on. -1: no memory,
 * `value` may be NULL for it. */
int target_add_header_secret(struct llm_target *target, const char *name, char *value);
/* Wipes them. */
void target_forget_secrets(struct llm_target *target);

/* ---- For who uses it ---- */

/* Whether calls go the same way: origin, proxy and CA are the same. */
bool target_same_path(const struct llm_target *a, const struct llm_target *b);
/* And to the same endpoint: so are the dialect, the key, wherever it stands, and the model. */
bool target_same(const struct llm_target *a, const struct llm_target *b);

/* Where something behind one of its addresses is, such as `/ID`; freed by the caller with curl_url_cleanup().
 * NULL: no memory. */
CURLU *target_url_below(const struct llm_target *target, enum target_url_kind kind, const char *path,
			const char *query);
/* Where the call goes. */
const struct target_url *target_url_of(const struct llm_call *call);

/* For dialects. A header of the target, its value in two parts; whether the config has its own. */
int target_add_header(struct llm_target *target, const char *name, const char *prefix,
		      const char *value);
bool target_has_header(const struct ellu_llm_config *config, const char *name);

/* A text of its arena that is, as a key is, kept out of all that is said. -1: no memory. */
int target_keep_secret(struct llm_target *target, char *text);

/* The access token to send from now on, by its number; a copy of it. -1: no memory. */
int target_set_bearer(struct llm_target *target, const char *token, int64_t number);

/* Overwrites, in place, what the target keeps secret wherever a text holds it: before the text is
 * cut, quoted or stored. In an answer only keys are looked for. */
void target_redact(const struct llm_target *target, char *text, size_t size);
void target_redact_answer(const struct llm_target *target, char *text, size_t size);
/* The same of one secret alone. */
void target_redact_text(const char *secret, size_t secret_size, char *text, size_t size);
/* How many bytes at the text's end may be the begin of what the latter looks for. */
size_t target_begins_secret(const struct llm_target *target, const char *text, size_t size);

/* What one answer took; -1: unknown. */
struct token_counts {
	int64_t input;
	int64_t output;
	int64_t reasoning; // of the output
	int64_t cached; // of the input, read in the provider's cache
	int64_t cache_write; // and put there
};

/* How long what the call asks is; what is shown counts as the text that takes as many tokens. */
size_t target_asked_bytes(const struct llm_call *call);

/* What it costs, in a batch or not, at most INTEGER_MAX, or -1. */
int64_t target_cost(const struct llm_target *target, bool batched, const struct token_counts *tokens);
