#include "daemon/backend/dialect/target.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/base/ca_file.h"
#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "proto/content/llm_config_rules.h"
#include "proto/limits.h"
#include "proto/provider.h"
#include "proto/text/utf8.h"
#include "proto/usage.h"

static int add_line(struct llm_target *target, char *line)
{
	struct curl_slist *node = arena_alloc(&target->arena, sizeof(*node));
	struct curl_slist **end = &target->headers;

	if (!node || !line)
		return -1;
	while (*end)
		end = &(*end)->next;
	node->data = line;
	*end = node;
	return 0;
}

int target_add_header(struct llm_target *target, const char *name, const char *prefix,
		      const char *value)
{
	/* curl sends an empty value only in the second form; `Name:` alone removes the header. */
	return add_line(target, *prefix || *value ?
					arena_printf(&target->arena, "%s: %s%s", name, prefix, value) :
					arena_printf(&target->arena, "%s;", name));
}

bool target_has_header(const struct ellu_llm_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_extra_headers; i++) {
		if (strcasecmp(config->extra_headers[i].key, name) == 0)
			return true;
	}
	return false;
}

/* A header's value with the key where it says that it goes. NULL: no memory. */
static const char *put_key(struct llm_target *target, const char *value)
{
	/* A key file is no part of a header. */
	const char *place = target->key && *target->key != '{' ? strstr(value, TARGET_KEY_PLACE) : NULL;

	return place ? arena_printf(&target->arena, "%.*s%s%s", (int)(place - value), value, target->key,
				    place + strlen(TARGET_KEY_PLACE)) :
		       value;
}

static int make_headers(struct llm_target *target, const struct ellu_llm_config *config,
			struct fault *fault)
{
	int failed = 0;

	if (!target_has_header(config, "Content-Type"))
		failed |= target_add_header(target, "Content-Type", "", "application/json");
	if (!target_has_header(config, "Accept"))
		failed |= target_add_header(target, "Accept", "", "application/json");
	if (!target_has_header(config, "User-Agent"))
		failed |= target_add_header(target, "User-Agent", "", "elluminated/" ELLU_VERSION);
	for (size_t i = 0; i < config->n_extra_headers; i++) {
		const struct ellu_entry *header = &config->extra_headers[i];

		const char *value = put_key(target, header->value);

		failed |= !value || target_add_header(target, header->key, "", value);
		failed |= target_add_header_secret(target, header->key, arena_strdup(&target->arena, value));
	}
	if (target->key && target->dialect->key_header &&
	    !target_has_header(config, target->dialect->key_header))
		failed |= target_add_header(target, target->dialect->key_header,
					    target->dialect->key_prefix, target->key);
	/* Without this, curl waits a second for a 100 before it sends a large body. */
	failed |= add_line(target, arena_strdup(&target->arena, "Expect:"));
	return failed ? fault_oom(fault) : 0;
}

static int64_t usec_of(double seconds, double fallback)
{
	return llround((seconds > 0 ? seconds : fallback) * USEC_PER_SEC);
}

static void take_params(struct ellu_generation_params *params, const struct ellu_llm_config *config,
			struct arena *arena)
{
	*params = (struct ellu_generation_params){
		.struct_size = sizeof(*params),
		.n_stop = config->n_stop,
	};
#define TAKE_INT(field) \
	params->field = config->field ? arena_int(arena, *config->field) : NULL
#define TAKE_FLOAT(field) \
	params->field = config->field ? arena_float(arena, *config->field) : NULL
	TAKE_INT(max_tokens);
	TAKE_FLOAT(top_p);
	TAKE_FLOAT(temperature);
	TAKE_INT(top_k);
	TAKE_FLOAT(frequency_penalty);
	TAKE_FLOAT(presence_penalty);
	TAKE_INT(seed);
#undef TAKE_INT
#undef TAKE_FLOAT
	params->reasoning_effort = arena_strdup(arena, config->reasoning_effort);
	params->verbosity = arena_strdup(arena, config->verbosity);
	params->logprobs = config->logprobs ? arena_bool(arena, *config->logprobs) : NULL;
	if (config->stop) {
		const char **stop = arena_array(arena, config->n_stop, sizeof(*stop));

		for (size_t i = 0; stop && i < config->n_stop; i++)
			stop[i] = arena_strdup(arena, config->stop[i]);
		params->stop = stop;
	}
}

static int64_t price_or(const int64_t *price, int64_t other)
{
	return price ? *price : other;
}

static int64_t count_or_none(const int64_t *count)
{
	return count ? *count : 0;
}

static void take_limits(struct llm_target *target, const struct ellu_llm_config *config)
{
	static const char *const forms[] = {
		[STRUCTURED_JSON_SCHEMA] = "json_schema",
		[STRUCTURED_JSON_OBJECT] = "json_object",
		[STRUCTURED_NONE] = "none",
	};

	for (size_t i = 0; config->structured_output && i < sizeof(forms) / sizeof(*forms); i++) {
		if (strcmp(config->structured_output, forms[i]) == 0) {
			target->structured_output = (enum structured_output)i;
			target->structured_fixed = true;
		}
	}
	target->shared = config->shared && *config->shared;
	if (config->id && !provider_is_simulated(config->provider))
		target->config_id = *config->id;
	target->max_connections = config->max_connections ? (int)*config->max_connections : 0;
	target->limits = (struct budget_limits){
		.requests_per_minute = count_or_none(config->requests_per_minute),
		.tokens_per_minute = count_or_none(config->tokens_per_minute),
		.requests_per_day = count_or_none(config->requests_per_day),
		.tokens_per_day = count_or_none(config->tokens_per_day),
	};
	target->max_retries = config->max_retries ? (int)*config->max_retries : 5;
	target->timeout_usec = usec_of(config->timeout_seconds, 600);
	target->connect_usec = usec_of(config->connect_seconds, 10);
	target->first_byte_usec = usec_of(config->first_byte_seconds, 300);
	target->stall_usec = usec_of(config->stall_seconds, 60);
	target->price_input = price_or(config->price_input, -1);
	target->price_output = price_or(config->price_output, -1);
	target->price_cached_input = price_or(config->price_cached_input, target->price_input);
	target->price_cache_write = price_or(config->price_cache_write, target->price_input);
	target->price_reasoning = price_or(config->price_reasoning, target->price_output);
}

/* Of a URL, where a key may stand; or NULL. */
static const char *query_of(const struct llm_target *target)
{
	const char *url = target->urls[URL_ANSWER].text;

	return url ? strchr(url, '?') : NULL;
}

/* Ends included, so that texts cannot be shifted against each other. */
static uint64_t add_to_hash(uint64_t hash, const char *text)
{
	return hash_bytes(hash, text ? text : "", text ? strlen(text) + 1 : 0);
}

static void set_identity(struct llm_target *target)
{
	uint64_t hash = add_to_hash(0, target->origin);

	hash = add_to_hash(hash, target->proxy);
	hash = add_to_hash(hash, target->ca_file);
	target->path = hash;
	hash = add_to_hash(hash, target->dialect->name);
	hash = add_to_hash(hash, target->model);
	hash = add_to_hash(hash, query_of(target));
	hash = add_to_hash(hash, target->key);
	/* All headers: a key may stand in one of the config's own. */
	for (struct curl_slist *node = target->headers; node; node = node->next)
		hash = add_to_hash(hash, node->data);
	target->identity = hash;
}

bool target_same_path(const struct llm_target *a, const struct llm_target *b)
{
	return a == b || (a->path == b->path && same_text(a->origin, b->origin) &&
			  same_text(a->proxy, b->proxy) && same_text(a->ca_file, b->ca_file));
}

bool target_same(const struct llm_target *a, const struct llm_target *b)
{
	const struct curl_slist *left = a->headers, *right = b->headers;

	if (a == b)
		return true;
	if (a->identity != b->identity || a->dialect != b->dialect || !target_same_path(a, b) ||
	    !same_text(a->model, b->model) || !same_text(query_of(a), query_of(b)) ||
	    !same_text(a->key, b->key))
		return false;
	while (left && right && strcmp(left->data, right->data) == 0) {
		left = left->next;
		right = right->next;
	}
	return !left && !right;
}

/* Read here and not by curl, on whose loop everybody's calls are. */
static int take_ca_file(struct llm_target *target, struct fault *fault)
{
	size_t size;
	char *text;
	int r = ca_file_read(target->ca_file, "llm_config.ca_file", &target->arena, &text, &size,
			     fault);

	if (r >= 0)
		target->ca = (struct curl_blob){ text, size, CURL_BLOB_NOCOPY };
	return r;
}

static int fill(struct llm_target *target, const struct ellu_llm_config *config,
		struct fault *fault)
{
	const struct dialect *dialect = target->dialect;
	struct arena *arena = &target->arena;
	int r = 0;

	target->model = arena_strdup(arena, config->llm_model_name);
	target->system_message = arena_strdup(arena, config->system_message);
	target->key = arena_strdup(arena, config->api_key);
	target->proxy = arena_strdup(arena, config->proxy);
	target->ca_file = arena_strdup(arena, config->ca_file);
	target->lacks = provider_find(dialect->name)->lacks;
	target->batch_price_percent = provider_find(dialect->name)->batch_price_percent;
	take_params(&target->params, config, arena);
	take_limits(target, config);
	if (!target->model || !target->key != !config->api_key || !target->proxy != !config->proxy ||
	    !target->ca_file != !config->ca_file)
		return fault_oom(fault);
	r = target_add_secrets(target, config, fault);
	if (r < 0)
		return r;
	if (dialect->transport == TRANSPORT_HTTP) {
		r = target_make_urls(target, config->llm_base_url ? config->llm_base_url :
							     provider_find(dialect->name)->default_base,
			      fault);
		if (r >= 0)
			r = make_headers(target, config, fault);
		if (r >= 0 && target->ca_file)
			r = take_ca_file(target, fault);
	}
	if (r >= 0)
		r = dialect->prepare(target, config, fault);
	if (r >= 0)
		set_identity(target);
	return r;
}

int target_new(const struct dialect *dialect, const struct ellu_llm_config *config,
	       struct llm_target **ret_target, struct fault *fault)
{
	struct llm_target *target;
	int r = llm_config_check_request(config, "llm_config", fault);

	if (r < 0)
		return r;
	target = calloc(1, sizeof(*target));
	if (!target)
		return fault_oom(fault);
	atomic_init(&target->refs, 1);
	arena_init(&target->arena);
	target->dialect = dialect;
	r = fill(target, config, fault);
	if (r < 0) {
		llm_target_unref(target);
		return r;
	}
	*ret_target = target;
	return 0;
}

struct llm_target *llm_target_ref(struct llm_target *target)
{
	atomic_fetch_add_explicit(&target->refs, 1, memory_order_relaxed);
	return target;
}

struct llm_target *llm_target_unref(struct llm_target *target)
{
	if (!target || atomic_fetch_sub_explicit(&target->refs, 1, memory_order_acq_rel) > 1)
		return NULL;
	if (target->key)
		explicit_bzero(target->key, strlen(target->key));
	for (struct curl_slist *node = target->headers; node; node = node->next) {
		if (node->data)
			explicit_bzero(node->data, strlen(node->data));
	}
	target_forget_secrets(target);
	for (int i = 0; i < _URL_MAX; i++)
		curl_url_cleanup(target->urls[i].parsed);
	arena_done(&target->arena);
	free(target);
	return NULL;
}

void llm_target_resume(struct llm_target *target, int64_t day, int64_t requests, int64_t tokens)
{
	target->taken_day = day;
	target->taken_requests = requests;
	target->taken_tokens = tokens;
}

int64_t llm_target_config(const struct llm_target *target, const char **ret_model)
{
	*ret_model = target->model;
	return target->config_id;
}

/* Of `whole` a part has a price of its own; more than the whole is none. */
static double add_part(int64_t *whole, int64_t part, int64_t price)
{
	if (part <= 0)
		return 0;
	part = part < *whole ? part : *whole;
	*whole -= part;
	return (double)part * (double)price;
}

size_t target_asked_bytes(const struct llm_call *call)
{
	size_t bytes = call->system_message ? strlen(call->system_message) : 0;

	for (size_t i = 0; call->embedding && i < call->embedding->n_texts; i++)
		bytes += strlen(call->embedding->texts[i]);
	for (size_t i = 0; i < call->n_messages; i++) {
		const struct ellu_message *message = call->messages[i];

		bytes += message->content ? strlen(message->content) : 0;
		for (size_t j = 0; j < message->n_parts; j++)
			bytes += message->parts[j]->text ? strlen(message->parts[j]->text) :
							   USAGE_SHOWN_TOKENS * USAGE_TOKEN_BYTES;
	}
	return bytes;
}

int64_t llm_call_estimate(const struct llm_call *call)
{
	const struct llm_target *target = call->target;
	const int64_t *max_tokens = call->params && call->params->max_tokens ? call->params->max_tokens :
									      target->params.max_tokens;
	struct token_counts tokens = {
		.input = (int64_t)(target_asked_bytes(call) / USAGE_TOKEN_BYTES),
		.output = call->embedding ? 0 : max_tokens ? *max_tokens : USAGE_ANSWER_TOKENS,
	};
	int64_t cost = target_cost(target, call->batched, &tokens);

	return cost < 0 ? 0 : cost;
}

int64_t target_cost(const struct llm_target *target, bool batched, const struct token_counts *tokens)
{
	int64_t input = tokens->input, output = tokens->output;
	double cost;

	if (target->price_input < 0 || target->price_output < 0 || input < 0 || output < 0)
		return -1;
	cost = add_part(&input, tokens->cached, target->price_cached_input) +
	       add_part(&input, tokens->cache_write, target->price_cache_write) +
	       add_part(&output, tokens->reasoning, target->price_reasoning) +
	       (double)input * (double)target->price_input +
	       (double)output * (double)target->price_output;
	cost /= 1e6;
	if (batched)
		cost = cost * target->batch_price_percent / 100;
	return cost < (double)INTEGER_MAX ? llround(cost) : INTEGER_MAX;
}
