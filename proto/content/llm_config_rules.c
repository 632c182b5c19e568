#include "proto/content/llm_config_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/content/custom_template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/provider.h"
#include "proto/record/record.h"

#define HOST_LETTERS                                                                               \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

#define REGION_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

#define TOKEN_LETTERS                                                                              \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

struct check {
	const struct ellu_llm_config *config;
	const struct provider *provider;
	const char *path;
	bool references_forbidden;
	struct arena *arena;
	struct fault *fault;
};

static int invalid(const struct check *check, const char *field, const char *expected)
{
	char path[256];

	snprintf(path, sizeof(path), "%s.%s", check->path, field);
	return fault_invalid(check->fault, path, "%s", expected);
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* As libcurl has it. */
#define NO_HOST_LETTERS "/:?!@{}[]\\$'\"^`*<>=;,+&()"

/* The port behind a host, if there is one, is passed over. */
static int check_port(const struct check *check, const char *field, const char **at)
{
	size_t size;
	long port;

	if (**at != ':')
		return 0;
	size = strspn(*at + 1, "0123456789");
	port = size > 0 && size < 6 ? strtol(*at + 1, NULL, 10) : 0;
	*at += 1 + size;
	return port < 1 || port > 65535 ? invalid(check, field, "a port from 1 to 65535") : 0;
}

/* Keys in a URL would end up in the database. */
static int check_url(const struct check *check, const char *field, const char *url)
{
	const char *host = strstr(url, "://");
	size_t size;

	if (!is_printable(url))
		return invalid(check, field, "a URL without blanks and control characters");
	if (!host || host == url)
		return invalid(check, field, "a URL with its scheme, as in http://HOST:PORT");
	host += 3;
	size = strcspn(host, "/?#");
	if (memchr(host, '@', size))
		return invalid(check, field, "a URL without user and password");
	if (strchr(host, '#'))
		return invalid(check, field, "a URL without a fragment");
	size = host[0] == '[' ? strcspn(host, "]/?") + 1 : strcspn(host, NO_HOST_LETTERS);
	if (size == 0 || (host[0] == '[' && (size < 4 || host[size - 1] != ']')))
		return invalid(check, field, "a URL with a host");
	host += size;
	host += *host == ':' && strchr("/?", host[1]); // none is the scheme's own, RFC 3986 has it
	if (check_port(check, field, &host) < 0)
		return check->fault->code;
	return *host && !strchr("/?", *host) ? invalid(check, field, "a URL with a host") : 0;
}

static int check_endpoint(const struct check *check)
{
	const struct ellu_llm_config *config = check->config;
	const char *url = config->llm_base_url;
	const struct provider *provider = check->provider;
	bool simulated = provider_is_simulated(provider->name);

	if (!simulated && strcmp(config->llm_model_name, ELLU_PROVIDER_SIMULATED) == 0)
		return invalid(check, "llm_model_name", "the name of a model");
	if (!url && !simulated && !provider->default_base)
		return invalid(check, "llm_base_url", "the URL of the endpoint");
	/* Prompts must not go there because the URL was forgotten. */
	if (!url && provider->wants_key && !config->api_key && !config->api_key_ref &&
	    config->n_extra_headers == 0 && !(config->has_api_key && *config->has_api_key))
		return invalid(check, "llm_base_url",
			       "the URL of the endpoint, or an api_key for the provider's own");
	if (url && strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return invalid(check, "llm_base_url", "a URL that starts with http:// or https://");
	if (url && check_url(check, "llm_base_url", url) < 0)
		return check->fault->code;
	return 0;
}

/* Strict, so that no part of it can mean anything else to libcurl: a path behind a SOCKS proxy
 * `localhost` would be a Unix socket's. */
static int check_proxy(const struct check *check)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };
	const char *host = NULL, *proxy = check->config->proxy;
	size_t size;

	if (!proxy)
		return 0;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncasecmp(proxy, schemes[i], strlen(schemes[i])) == 0)
			host = proxy + strlen(schemes[i]);
	if (!host)
		return invalid(check, "proxy", "an http, https, socks5 or socks5h URL, as in "
			       "http://HOST:PORT");
	if (*host == '[')
		size = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.") + 1;
	else
		size = strspn(host, HOST_LETTERS);
	if (size == 0 || (*host == '[' && (size < 4 || host[size - 1] != ']')))
		return invalid(check, "proxy", "a URL with a host, as in http://HOST:PORT");
	host += size;
	if (check_port(check, "proxy", &host) < 0)
		return check->fault->code;
	if (strcmp(host, "") != 0 && strcmp(host, "/") != 0)
		return invalid(check, "proxy", "nothing but scheme, host and port: no user, no path");
	return 0;
}

static int check_ca_file(const struct check *check)
{
	const char *ca_file = check->config->ca_file;

	if (!ca_file)
		return 0;
	if (*ca_file != '/')
		return invalid(check, "ca_file", "an absolute path");
	if (check->references_forbidden)
		return fault_set(check->fault, ELLU_E_PERMISSION_DENIED,
				 "Only administrators may name files to the system's daemon, as "
				 "%s.ca_file does.", check->path);
	return 0;
}

/* A credential is a file of the folder that the service manager made. */
static bool reference_is_valid(const char *reference)
{
	if (strncmp(reference, "env:", 4) == 0)
		return reference[4] && !strchr(reference, '=');
	if (strncmp(reference, "credential:", 11) == 0)
		return reference[11] && reference[11] != '.' && !strchr(reference, '/');
	return strncmp(reference, "file:/", 6) == 0 && reference[6];
}

static int check_key(const struct check *check)
{
	const struct ellu_llm_config *config = check->config;
	const char *reference = config->api_key_ref;

	if (!reference)
		return 0;
	if (config->api_key)
		return invalid(check, "api_key_ref", "either api_key or api_key_ref");
	if (!reference_is_valid(reference))
		return invalid(check, "api_key_ref", "env:NAME, file:/PATH or credential:NAME");
	if (check->references_forbidden)
		return fault_set(check->fault, ELLU_E_PERMISSION_DENIED,
				 "Only administrators may refer to keys of the system's daemon.");
	return 0;
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool header_is_valid(const struct ellu_entry *header)
{
	static const char *const ours[] = { "Content-Length", "Transfer-Encoding", "Connection",
					    "Idempotency-Key", "Expect", "Host" };

	if (!*header->key || header->key[strspn(header->key, TOKEN_LETTERS)] ||
	    is_among(header->key, ours, sizeof(ours) / sizeof(*ours)))
		return false;
	for (const char *c = header->value; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

static int check_body(const struct check *check)
{
	static const char *const ours[] = { "messages", "contents", "stream", "n" };
	const char *extra_body = check->config->extra_body;
	struct fault problem;
	json_object *json;
	bool ok;

	if (json_parse_strict(extra_body, strlen(extra_body), &json, &problem) < 0)
		return invalid(check, "extra_body", "a JSON object");
	ok = json_object_is_type(json, json_type_object);
	if (ok) {
		json_object_object_foreach(json, name, value)
		{
			(void)value;
			for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
				ok = ok && strcmp(name, ours[i]) != 0;
		}
	}
	json_object_put(json);
	return ok ? 0 : invalid(check, "extra_body",
				"an object without messages, contents, stream and n, which the daemon "
				"sets");
}

/* What the backend sends as it is. */
static int check_request(const struct check *check)
{
	const struct ellu_llm_config *config = check->config;

	for (const char *c = config->api_key; c && *c && !llm_config_has_account(config); c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return invalid(check, "api_key",
				       "a key without blanks and control characters");
	for (size_t i = 0; i < config->n_extra_headers; i++)
		if (!header_is_valid(&config->extra_headers[i]))
			return invalid(check, "extra_headers",
				       "names and values of HTTP headers, none that the daemon sets "
				       "itself");
	return config->extra_body ? check_body(check) : 0;
}

int llm_config_check_request(const struct ellu_llm_config *config, const char *path,
			     struct fault *fault)
{
	return check_request(&(const struct check){ .config = config, .path = path, .fault = fault });
}

/* Of a custom provider that which its body has no place for. */
static bool lacks(const struct ellu_llm_config *config, const struct provider *provider, const char *param)
{
	if (strcmp(provider->name, ELLU_PROVIDER_CUSTOM) == 0)
		return config->custom && !custom_has_place(config->custom, param);
	for (const char *const *name = provider->lacks; name && *name; name++)
		if (strcmp(*name, param) == 0)
			return true;
	return false;
}

size_t llm_config_unsent(const struct ellu_llm_config *config, const struct record_type *type,
			 const void *record, const char *names[LLM_CONFIG_PARAMS_MAX])
{
	const struct record_type *params = &ellu_generation_params_type;
	const struct provider *provider = provider_find(config->provider);
	size_t n = 0;

	for (size_t i = 0; provider && i < params->n_fields && n < LLM_CONFIG_PARAMS_MAX; i++) {
		const char *name = params->fields[i].name;

		/* It is no parameter of a request. */
		if (strcmp(name, "max_connections") != 0 && record_member(type, record, name) &&
		    lacks(config, provider, name))
			names[n++] = name;
	}
	return n;
}

/* What a config says and nobody would hear. */
static int check_unsent(const struct check *check)
{
	const char *form = check->config->structured_output, *names[LLM_CONFIG_PARAMS_MAX];

	if (llm_config_unsent(check->config, &ellu_llm_config_type, check->config, names) > 0)
		return invalid(check, names[0], "nothing that the provider does not have");
	if (check->provider->lacks_json_object && form && strcmp(form, "json_object") == 0)
		return invalid(check, "structured_output", "a form that the provider has");
	return 0;
}

/* The record that `custom` is, by the provider. */
static int decode_custom(const struct ellu_llm_config *config, const struct record_type *type,
			 const char *path, struct arena *arena, void **ret_record,
			 struct fault *fault)
{
	char field[256];
	json_object *json;
	int r = json_parse_strict(config->custom, strlen(config->custom), &json, fault);

	if (r < 0)
		return r;
	snprintf(field, sizeof(field), "%s.custom", path);
	r = record_decode(type, json, FROM_CLIENT, field, arena, ret_record, fault);
	json_object_put(json);
	return r;
}

/* The part of its host behind `bedrock-runtime` or `bedrock-runtime-fips`. */
static const char *region_of_url(const char *url, struct arena *arena)
{
	static const char *const services[] = { "bedrock-runtime.", "bedrock-runtime-fips." };
	const char *part = url ? strstr(url, "://") : NULL;

	for (part = part ? part + 3 : NULL; part && *part; part = *part == '.' ? part + 1 : NULL) {
		for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
			const char *region = part + strlen(services[i]);

			if (strncasecmp(part, services[i], strlen(services[i])) == 0)
				return arena_strndup(arena, region, strspn(region, REGION_LETTERS));
		}
		part += strcspn(part, ".:/?#");
	}
	return NULL;
}

int llm_config_region(const struct ellu_llm_config *config, const char *path, struct arena *arena,
		      const char **ret_region, struct fault *fault)
{
	const struct ellu_bedrock *custom;
	const char *region = NULL;
	char field[256];
	void *record;
	int r = 0;

	if (config->custom) {
		r = decode_custom(config, &ellu_bedrock_type, path, arena, &record, fault);
		if (r < 0)
			return r;
		custom = record;
		region = custom->region;
	}
	if (!region)
		region = region_of_url(config->llm_base_url, arena);
	if (region && (!*region || region[strspn(region, REGION_LETTERS)])) {
		snprintf(field, sizeof(field), "%s.custom.region", path);
		return fault_invalid(fault, field, "a region, such as us-east-1");
	}
	*ret_region = region;
	return 0;
}

bool llm_config_has_account(const struct ellu_llm_config *config)
{
	return config->api_key && *config->api_key == '{' &&
	       strcmp(config->provider, ELLU_PROVIDER_VERTEX) == 0;
}

static const char *take_member(json_object *json, const char *name, struct arena *arena)
{
	json_object *value = json_object_object_get(json, name);

	return json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0 ?
		       arena_strdup(arena, json_object_get_string(value)) : NULL;
}

int llm_config_account(const struct ellu_llm_config *config, const char *path, struct arena *arena,
		       struct service_account *ret_account, struct fault *fault)
{
	const struct check check = { .config = config, .path = path, .fault = fault };
	struct fault problem;
	json_object *json;
	const char *type;

	if (json_parse_strict(config->api_key, strlen(config->api_key), &json, &problem) < 0)
		return invalid(&check, "api_key", "the JSON of a service account's key file");
	type = take_member(json, "type", arena);
	*ret_account = (struct service_account){
		.email = take_member(json, "client_email", arena),
		.key_id = take_member(json, "private_key_id", arena),
		.private_key = take_member(json, "private_key", arena),
		.token_uri = take_member(json, "token_uri", arena),
	};
	json_object_put(json);
	if (!type || strcmp(type, "service_account") != 0)
		return invalid(&check, "api_key", "a key file whose `type` is service_account");
	if (!ret_account->email || !ret_account->private_key || !ret_account->token_uri)
		return invalid(&check, "api_key",
			       "a key file with client_email, private_key and token_uri");
	if ((strncasecmp(ret_account->token_uri, "http://", 7) != 0 &&
	     strncasecmp(ret_account->token_uri, "https://", 8) != 0) ||
	    check_url(&check, "api_key", ret_account->token_uri) < 0)
		return invalid(&check, "api_key", "a token_uri that is an http or https URL, without a user");
	return 0;
}

static int check_vertex(const struct check *check)
{
	struct service_account account;

	if (!llm_config_has_account(check->config))
		return 0;
	return llm_config_account(check->config, check->path, check->arena, &account, check->fault);
}

static int check_bedrock(const struct check *check)
{
	const struct ellu_llm_config *config = check->config;
	const char *region;
	int r = llm_config_region(config, check->path, check->arena, &region, check->fault);

	if (r >= 0 && !region && config->api_key && strchr(config->api_key, ':'))
		return invalid(check, "custom", "a `region` to sign for: the URL names none");
	return r;
}

/* Of a member of the body, which is answered and kept with the rest of the config. */
static bool names_key(const char *name)
{
	static const char *const names[] = { "api_key", "api-key", "apikey", "access_key", "access_token",
					     "auth_token", "authorization", "password", "secret" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasestr(name, names[i]))
			return true;
	return false;
}

/* The places of a body, wherever they are; `name` is that of the innermost member. */
static int check_places(const struct check *check, const char *name, json_object *json)
{
	const char *text = json_object_is_type(json, json_type_string) ? json_object_get_string(json) : "";
	const char *place = custom_place_of(text, check->arena);
	int r = 0;

	if (place && !custom_place_is_known(place))
		return invalid(check, "custom.body",
			       "known places in it: messages, prompt, model, tools, tool_choice, schema, "
			       "key and parameters");
	if (!place && *text && names_key(name))
		return invalid(check, "custom.body", "\"{{key}}\" where a key belongs, which is the api_key");
	if (json_object_is_type(json, json_type_array))
		for (size_t i = 0; r >= 0 && i < json_object_array_length(json); i++)
			r = check_places(check, name, json_object_array_get_idx(json, i));
	if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, member, value) {
			if (r >= 0)
				r = check_places(check, member, value);
		}
	}
	return r;
}

static int check_template(const struct check *check, const struct ellu_custom *custom)
{
	const struct {
		const char *field, *path;
	} paths[] = {
		{ "custom.text", custom->text },
		{ "custom.tool_calls", custom->tool_calls },
		{ "custom.finish_reason", custom->finish_reason },
		{ "custom.input_tokens", custom->input_tokens },
		{ "custom.output_tokens", custom->output_tokens },
		{ "custom.error", custom->error },
	};
	const char *const *steps;
	json_object *body;
	size_t n_steps;
	int r;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i].path && custom_path_take(paths[i].path, check->arena, &steps, &n_steps) < 0)
			return invalid(check, paths[i].field,
				       "a JSON pointer, as /choices/0/text, of at most 32 steps");
	if (!strstr(custom->body, "\"{{messages}}\"") && !strstr(custom->body, "\"{{prompt}}\""))
		return invalid(check, "custom.body", "a place for \"{{messages}}\" or \"{{prompt}}\"");
	r = json_parse_strict(custom->body, strlen(custom->body), &body, check->fault);
	if (r < 0)
		return r;
	r = check_places(check, "", body);
	json_object_put(body);
	return r;
}

static int check_custom(const struct check *check)
{
	const struct ellu_llm_config *config = check->config;
	bool custom = strcmp(config->provider, ELLU_PROVIDER_CUSTOM) == 0;
	void *record;
	int r;

	if (strcmp(config->provider, ELLU_PROVIDER_BEDROCK) == 0)
		return check_bedrock(check);
	if (strcmp(config->provider, ELLU_PROVIDER_VERTEX) == 0 && check_vertex(check) < 0)
		return check->fault->code;
	if (!config->custom)
		return custom ? invalid(check, "custom", "what is asked and answered, for this provider") : 0;
	if (!custom && !provider_is_simulated(config->provider))
		return invalid(check, "custom", "nothing, unless the provider is simulated, bedrock or custom");
	r = decode_custom(config, custom ? &ellu_custom_type : &ellu_simulated_type, check->path,
			  check->arena, &record, check->fault);
	return r >= 0 && custom ? check_template(check, record) : r;
}

int llm_config_check(const struct ellu_llm_config *config, const char *path,
		     bool references_forbidden, struct arena *arena, struct fault *fault)
{
	const struct check check = {
		.config = config,
		.provider = provider_find(config->provider),
		.path = path,
		.references_forbidden = references_forbidden,
		.arena = arena,
		.fault = fault,
	};
	int r;

	if (record_text_bytes(&ellu_llm_config_type, config) > CONFIG_BYTES_MAX)
		return fault_too_large(fault, CONFIG_BYTES_MAX, path);
	if (config->shared && *config->shared && references_forbidden)
		return fault_set(fault, ELLU_E_PERMISSION_DENIED,
				 "Only administrators may share a config's endpoint.");
	r = check_endpoint(&check);
	if (r >= 0)
		r = check_proxy(&check);
	if (r >= 0)
		r = check_ca_file(&check);
	if (r >= 0)
		r = check_key(&check);
	if (r >= 0)
		r = check_request(&check);
	if (r >= 0)
		r = check_custom(&check);
	if (r >= 0)
		r = check_unsent(&check);
	return r;
}
