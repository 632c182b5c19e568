#include "daemon/backend/dialect/target.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/base/ca_file.h"
#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/llm_config_rules.h"
#include "proto/provider.h"
#include "proto/text/utf8.h"
#include "proto/usage.h"

#define SECRET_SIZE_MIN 6 // shorter values would be found everywhere
#define ANSWER_SECRET_SIZE_MIN 12 // shorter keys are words, such as `lm-studio` for a local server

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

/* A text of the target's arena that is kept secret, and wiped at the end. -1 without
 * memory: `text` may be NULL for it. */
static int add_secret(struct llm_target *target, char *text, bool is_key)
{
	struct target_secret *secret;
	size_t size = text ? strlen(text) : 0;

	if (!text)
		return -1;
	if (size < SECRET_SIZE_MIN)
		return 0;
	secret = arena_alloc(&target->arena, sizeof(*secret));
	if (!secret)
		return -1;
	*secret = (struct target_secret){ text, size, is_key, target->secrets };
	target->secrets = secret;
	return 0;
}

int target_keep_secret(struct llm_target *target, char *text)
{
	return add_secret(target, text, /* is_key= */ true);
}

/* Of a header, a member of the body, a parameter of the URL. */
static bool names_key(const char *name)
{
	static const char *const names[] = { "auth", "key", "token", "secret", "cookie", "password" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasestr(name, names[i]))
			return true;
	return false;
}

/* The value of a header of the config's own, and its part behind `Bearer `, `Basic ` and so on. */
static int add_header_secret(struct llm_target *target, const char *name, char *value)
{
	char *last = value ? strrchr(value, ' ') : NULL;
	bool is_key = names_key(name);

	if (!value)
		return -1;
	if (strcasecmp(name, "Content-Type") == 0 || strcasecmp(name, "Accept") == 0)
		return 0;
	if (last && add_secret(target, last + 1, is_key) < 0)
		return -1;
	return add_secret(target, value, is_key);
}

/* Each parameter of the URL as it stands, and decoded. */
static int add_query_secrets(struct llm_target *target, const char *query)
{
	for (size_t size; *query; query += size + (query[size] != '\0')) {
		char *name = arena_strndup(&target->arena, query, size = strcspn(query, "&#"));
		char *value = name ? strchr(name, '=') : NULL, *plain;
		int n = 0;

		if (!name)
			return -1;
		if (!value)
			continue;
		*value++ = '\0';
		plain = curl_easy_unescape(NULL, value, 0, &n);
		if (!plain || add_secret(target, value, names_key(name)) < 0 ||
		    add_secret(target, arena_strndup(&target->arena, plain, (size_t)n),
				      names_key(name)) < 0) {
			curl_free(plain);
			return -1;
		}
		curl_free(plain);
	}
	return 0;
}

/* All texts in it. `name` is that of the innermost member. */
static int add_body_secrets(struct llm_target *target, const char *name, json_object *json)
{
	int r = 0;

	if (json_object_is_type(json, json_type_string))
		return add_secret(target, arena_strdup(&target->arena,
							      json_object_get_string(json)),
					 names_key(name));
	if (json_object_is_type(json, json_type_array))
		for (size_t i = 0; r == 0 && i < json_object_array_length(json); i++)
			r = add_body_secrets(target, name, json_object_array_get_idx(json, i));
	if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, key, value)
		{
			if (r == 0)
				r = add_body_secrets(target, key, value);
		}
	}
	return r;
}

static int add_secrets(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault)
{
	const char *query = config->llm_base_url ? strchr(config->llm_base_url, '?') : NULL;
	json_object *body = NULL;
	int r = 0;

	if (config->extra_body) {
		r = json_parse_strict(config->extra_body, strlen(config->extra_body), &body, fault);
		if (r < 0)
			return r;
	}
	if (target->key)
		r = add_secret(target, target->key, /* is_key= */ true);
	if (r == 0 && query)
		r = add_query_secrets(target, query + 1);
	if (r == 0)
		r = add_body_secrets(target, "", body);
	json_object_put(body);
	return r < 0 ? fault_oom(fault) : 0;
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
		failed |= add_header_secret(target, header->key, arena_strdup(&target->arena, value));
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

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

/* http or https, and nothing secret: a base URL can be read back, and is shown in errors. */
static bool is_acceptable(CURLU *url)
{
	char *scheme = NULL;
	bool ok = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return ok && !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_PASSWORD) &&
	       !has_part(url, CURLUPART_FRAGMENT);
}

static bool append_path(CURLU *url, const char *path, struct arena *arena)
{
	char *base = NULL, *whole;
	size_t size;
	bool ok;

	if (curl_url_get(url, CURLUPART_PATH, &base, 0) != CURLUE_OK)
		return false;
	size = strlen(base);
	while (size > 0 && base[size - 1] == '/')
		size--;
	whole = arena_printf(arena, "%.*s%s", (int)size, base, path);
	ok = whole && curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK;
	curl_free(base);
	return ok;
}

static const char *origin_of(CURLU *url, struct arena *arena)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
			origin = arena_printf(arena, "%s://%s:%s", scheme, host, port);
		else
			origin = arena_printf(arena, "%s://%s", scheme, host);
	}
	for (char *c = origin; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return origin;
}

/* Whether the last part of the base's path is one, such as `v1` or `v1beta`. */
static bool ends_in_version(CURLU *url)
{
	char *path = NULL, *last;
	size_t size;
	bool ends;

	if (curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return false;
	size = strlen(path);
	while (size > 0 && path[size - 1] == '/')
		path[--size] = '\0';
	last = strrchr(path, '/');
	ends = last && last[1] == 'v' && isdigit((unsigned char)last[2]);
	curl_free(path);
	return ends;
}

/* The model's name in place of where the path has room for it. */
static const char *name_model(const char *path, const char *model, struct arena *arena)
{
	static const char place[] = "{model}";
	const char *at = strstr(path, place);
	char *escaped;

	if (!at)
		return path;
	escaped = curl_easy_escape(NULL, model, 0);
	path = escaped ? arena_printf(arena, "%.*s%s%s", (int)(at - path), path, escaped,
				      at + sizeof(place) - 1) :
			 NULL;
	curl_free(escaped);
	return path;
}

static bool add_query(CURLU *url, const char *query)
{
	return curl_url_set(url, CURLUPART_QUERY, query, CURLU_APPENDQUERY) == CURLUE_OK;
}

/* Of the dialect; NULL: it has none of its own for that. */
static const char *path_of(const struct dialect *dialect, enum target_url_kind kind, bool behind_version)
{
	const struct embedding_form *embedding = dialect->embedding;

	switch (kind) {
	case URL_STREAM:
		if (!dialect->stream_path)
			return path_of(dialect, URL_ANSWER, behind_version);
		return behind_version ? dialect->stream_version_path : dialect->stream_path;
	case URL_EMBEDDING:
		return behind_version ? embedding->version_path : embedding->path;
	default:
		return behind_version ? dialect->version_path : dialect->path;
	}
}

/* Puts the dialect's path behind the base's own, and before its query. */
static bool add_path(CURLU *url, const struct dialect *dialect, enum target_url_kind kind,
		     const char *model, struct arena *arena)
{
	bool has_version = path_of(dialect, kind, true) && ends_in_version(url);
	const char *path = name_model(path_of(dialect, kind, has_version), model, arena);

	if (!has_version && dialect->query && !has_part(url, CURLUPART_QUERY) &&
	    !add_query(url, dialect->query))
		return false;
	if (kind == URL_STREAM && dialect->stream_query && !add_query(url, dialect->stream_query))
		return false;
	return path && (!*path || append_path(url, path, arena));
}

/* One of the addresses that calls go to. *ret_url is to be freed, also after a failure. */
/* Escapes as RFC 3986 wants them, and those who sign: curl makes small letters of their digits where
 * it is given a path. */
static bool set_digits(CURLU *url, char *text)
{
	for (char *at = text; at && *at && *at != '?'; at++) {
		if (*at != '%' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			continue;
		at[1] = (char)toupper((unsigned char)at[1]);
		at[2] = (char)toupper((unsigned char)at[2]);
	}
	return text && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
}

static int make_url(struct llm_target *target, const char *base, enum target_url_kind kind,
		    struct fault *fault)
{
	CURLU *url = target->urls[kind].parsed = curl_url();
	char *text = NULL, *copy;

	if (!url)
		return fault_oom(fault);
	if (!base || curl_url_set(url, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    !is_acceptable(url))
		return fault_invalid(fault, "llm_config.llm_base_url",
				     "an http or https URL without user, password and fragment");
	if (add_path(url, target->dialect, kind, target->model, &target->arena) &&
	    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
		copy = arena_strdup(&target->arena, text);
		target->urls[kind].text = set_digits(url, copy) ? copy : NULL;
	}
	curl_free(text);
	return target->urls[kind].text ? 0 : fault_oom(fault);
}

/* The addresses, and their origin. */
static int make_urls(struct llm_target *target, const char *base, struct fault *fault)
{
	const struct dialect *dialect = target->dialect;
	int r = make_url(target, base, URL_ANSWER, fault);

	if (r >= 0 && (dialect->stream_path || dialect->stream_query))
		r = make_url(target, base, URL_STREAM, fault);
	if (r >= 0 && dialect->embedding)
		r = make_url(target, base, URL_EMBEDDING, fault);
	if (r < 0)
		return r;
	target->origin = origin_of(target->urls[URL_ANSWER].parsed, &target->arena);
	return target->origin ? 0 : fault_oom(fault);
}

const struct target_url *target_url_of(const struct llm_call *call)
{
	const struct target_url *urls = call->target->urls;
	enum target_url_kind kind = call->embedding ? URL_EMBEDDING : call->stream ? URL_STREAM : URL_ANSWER;

	return urls[kind].text ? &urls[kind] : &urls[URL_ANSWER];
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
	take_params(&target->params, config, arena);
	take_limits(target, config);
	if (!target->model || !target->key != !config->api_key || !target->proxy != !config->proxy ||
	    !target->ca_file != !config->ca_file)
		return fault_oom(fault);
	r = add_secrets(target, config, fault);
	if (r < 0)
		return r;
	if (dialect->transport == TRANSPORT_HTTP) {
		r = make_urls(target, config->llm_base_url ? config->llm_base_url :
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

int llm_target_new(const struct ellu_llm_config *config, struct llm_target **ret_target,
		   struct fault *fault)
{
	const struct dialect *dialect = dialect_find(config->provider);
	struct llm_target *target;
	int r;

	if (!dialect)
		return fault_invalid(fault, "llm_config.provider", "a provider that is known");
	r = llm_config_check_request(config, "llm_config", fault);
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

static void forget_bearer(struct target_secret *bearer)
{
	if (bearer->text)
		explicit_bzero(bearer->text, bearer->size);
	free(bearer->text);
	bearer->text = NULL;
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
	for (struct target_secret *secret = target->secrets; secret; secret = secret->next)
		explicit_bzero(secret->text, secret->size);
	for (size_t i = 0; i < sizeof(target->bearers) / sizeof(*target->bearers); i++)
		forget_bearer(&target->bearers[i]);
	for (int i = 0; i < _URL_MAX; i++)
		curl_url_cleanup(target->urls[i].parsed);
	arena_done(&target->arena);
	free(target);
	return NULL;
}

/* Those that came since, and those of the config; ends with NULL. */
static const struct target_secret *first_secret(const struct llm_target *target)
{
	return target->bearers[0].text ? &target->bearers[0] : target->secrets;
}

int target_set_bearer(struct llm_target *target, const char *token, int64_t number)
{
	struct target_secret *now = &target->bearers[0], *before = &target->bearers[1];
	char *copy;

	if (target->bearer_number == number)
		return 0;
	copy = strdup(token);
	if (!copy)
		return -1;
	forget_bearer(before);
	*before = *now;
	before->next = target->secrets;
	*now = (struct target_secret){ copy, strlen(copy), true, before->text ? before : target->secrets };
	target->bearer_number = number;
	return 0;
}

static void blot_out(const struct target_secret *secret, char *text, size_t size)
{
	char *end = text + size, *found = text;

	while ((found = memmem(found, (size_t)(end - found), secret->text, secret->size))) {
		memset(found, '*', secret->size);
		found += secret->size;
	}
}

/* The text may have been cut inside the secret before it came here. */
static void blot_out_end(const struct target_secret *secret, char *text, size_t size)
{
	for (size_t n = secret->size - 1; n >= SECRET_SIZE_MIN; n--) {
		if (n <= size && memcmp(text + size - n, secret->text, n) == 0) {
			memset(text + size - n, '*', n);
			return;
		}
	}
}

void target_redact(const struct llm_target *target, char *text, size_t size)
{
	for (const struct target_secret *secret = first_secret(target); secret && size > 0;
	     secret = secret->next) {
		blot_out(secret, text, size);
		blot_out_end(secret, text, size);
	}
}

void target_redact_text(const char *secret, size_t secret_size, char *text, size_t size)
{
	const struct target_secret one = { (char *)(uintptr_t)secret, secret_size, true, NULL };

	blot_out(&one, text, size);
	blot_out_end(&one, text, size);
}

static bool is_looked_for(const struct target_secret *secret)
{
	return secret->is_key && secret->size >= ANSWER_SECRET_SIZE_MIN;
}

void target_redact_answer(const struct llm_target *target, char *text, size_t size)
{
	for (const struct target_secret *secret = first_secret(target); secret && size > 0;
	     secret = secret->next) {
		if (is_looked_for(secret))
			blot_out(secret, text, size);
	}
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

size_t target_begins_secret(const struct llm_target *target, const char *text, size_t size)
{
	size_t longest = 0;

	for (const struct target_secret *secret = first_secret(target); secret; secret = secret->next) {
		size_t n = secret->size - 1 < size ? secret->size - 1 : size;

		for (; is_looked_for(secret) && n > longest; n--) {
			if (memcmp(text + size - n, secret->text, n) == 0)
				longest = n;
		}
	}
	return longest;
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
	int64_t cost = target_cost(target, &tokens);

	return cost < 0 ? 0 : cost;
}

int64_t target_cost(const struct llm_target *target, const struct token_counts *tokens)
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
	return cost < (double)INTEGER_MAX ? llround(cost) : INTEGER_MAX;
}
