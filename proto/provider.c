#include "proto/provider.h"

#include <stddef.h>
#include <string.h>

static const char *const anthropic_lacks[] = { "frequency_penalty", "presence_penalty", "seed",
					       "reasoning_effort", "verbosity", "logprobs", NULL };

static const struct provider providers[] = {
	{ .name = "anthropic", .default_base = "https://api.anthropic.com",
	  .key_variable = "ANTHROPIC_API_KEY", .wants_key = true, .lacks = anthropic_lacks,
	  .lacks_json_object = true },
	{ .name = "azure" },
	{ .name = "groq", .default_base = "https://api.groq.com/openai/v1",
	  .key_variable = "GROQ_API_KEY", .wants_key = true },
	{ .name = "litellm", .default_base = "http://127.0.0.1:4000/v1",
	  .key_variable = "LITELLM_API_KEY" },
	{ .name = "mistral", .default_base = "https://api.mistral.ai/v1",
	  .key_variable = "MISTRAL_API_KEY", .wants_key = true },
	{ .name = "ollama", .default_base = "http://127.0.0.1:11434/v1" },
	{ .name = "openai", .default_base = "https://api.openai.com/v1",
	  .key_variable = "OPENAI_API_KEY", .wants_key = true },
	{ .name = PROVIDER_SIMULATED },
	{ .name = "xai", .default_base = "https://api.x.ai/v1", .key_variable = "XAI_API_KEY",
	  .wants_key = true },
};

const struct provider *provider_find(const char *name)
{
	for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

bool provider_is_simulated(const char *name)
{
	return strcmp(name, PROVIDER_SIMULATED) == 0;
}
