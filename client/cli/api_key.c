#include "client/cli/api_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/provider.h"

static const char *text_of(json_object *config, const char *name)
{
	return json_object_get_string(json_object_object_get(config, name));
}

static int set_key(json_object *config, const char *value)
{
	json_object *key = json_object_new_string(value);

	return key && json_object_object_add(config, "api_key", key) == 0 ? 0 : -ENOMEM;
}

int api_key_resolve(json_object *config, struct complaint *complaint)
{
	const char *text = text_of(config, "api_key"), *value;

	if (!text || *text != '$')
		return 0;
	value = getenv(text + 1);
	if (!value)
		return complain(complaint, "the environment has no variable %s", text + 1);
	if (!*value)
		return complain(complaint, "the environment's variable %s is empty", text + 1);
	return set_key(config, value);
}

/* Whether the URL, or none, leads to the provider's own endpoint. */
static bool is_own(const struct provider *provider, const char *url)
{
	const char *base = provider->default_base;
	size_t size = base ? strcspn(strstr(base, "://") + 3, "/") + 3 + strcspn(base, ":") : 0;

	return base && (!url || (strncmp(url, base, size) == 0 && strchr("/", url[size])));
}

int api_key_usual(json_object *config, const char **ret_variable)
{
	const char *name = text_of(config, "provider");
	const struct provider *provider = name ? provider_find(name) : NULL;
	const char *variable = provider && is_own(provider, text_of(config, "llm_base_url")) ?
				       provider->key_variable : NULL;
	const char *value = variable ? getenv(variable) : NULL;

	if (!value || !*value || json_object_object_get(config, "api_key") ||
	    json_object_object_get(config, "api_key_ref"))
		return 0;
	*ret_variable = variable;
	return set_key(config, value) < 0 ? -ENOMEM : 1;
}
