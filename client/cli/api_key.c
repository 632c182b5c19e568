#include "client/cli/api_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int api_key_usual(json_object *config, const char **ret_variable)
{
	static const struct {
		const char *provider, *url, *variable;
	} usual[] = {
		{ "openai", "https://api.openai.com", "OPENAI_API_KEY" },
		{ "anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY" },
	};
	const char *provider = text_of(config, "provider"), *url = text_of(config, "llm_base_url");
	const char *variable = NULL, *value;

	for (size_t i = 0; provider && url && i < sizeof(usual) / sizeof(*usual); i++)
		if (strcmp(provider, usual[i].provider) == 0 &&
		    strncmp(url, usual[i].url, strlen(usual[i].url)) == 0 &&
		    strchr("/", url[strlen(usual[i].url)]))
			variable = usual[i].variable;
	value = variable ? getenv(variable) : NULL;
	if (!value || !*value || json_object_object_get(config, "api_key") ||
	    json_object_object_get(config, "api_key_ref"))
		return 0;
	*ret_variable = variable;
	return set_key(config, value) < 0 ? -ENOMEM : 1;
}
