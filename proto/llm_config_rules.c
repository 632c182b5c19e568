#include "proto/llm_config_rules.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/json_check.h"

#define TOKEN_LETTERS                                                                              \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

static int invalid(struct fault *fault, const char *path, const char *field, const char *expected)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s.%s", path, field);
	return fault_invalid(fault, whole, "%s", expected);
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

static int check_body(const char *extra_body, const char *path, struct fault *fault)
{
	static const char *const ours[] = { "messages", "stream", "n" };
	struct fault problem;
	json_object *json;
	bool ok;

	if (json_parse_strict(extra_body, strlen(extra_body), &json, &problem) < 0)
		return invalid(fault, path, "extra_body", "a JSON object");
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
	return ok ? 0 : invalid(fault, path, "extra_body",
				"an object without messages, stream and n, which the daemon sets");
}

int llm_config_check_request(const struct ellu_llm_config *config, const char *path,
			     struct fault *fault)
{
	if (config->temperature && config->reasoning_effort)
		return invalid(fault, path, "temperature", "either temperature or reasoning_effort");
	for (const char *c = config->api_key; c && *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return invalid(fault, path, "api_key",
				       "a key without blanks and control characters");
	for (size_t i = 0; i < config->n_extra_headers; i++)
		if (!header_is_valid(&config->extra_headers[i]))
			return invalid(fault, path, "extra_headers",
				       "names and values of HTTP headers, none that the daemon sets "
				       "itself");
	return config->extra_body ? check_body(config->extra_body, path, fault) : 0;
}
