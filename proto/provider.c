#include "proto/provider.h"

#include <stddef.h>
#include <string.h>

static const char *const anthropic_lacks[] = { "frequency_penalty", "presence_penalty", "seed",
					       "verbosity", "logprobs", NULL };

static const char *const bedrock_lacks[] = { "top_k", "frequency_penalty", "presence_penalty", "seed",
					     "reasoning_effort", "verbosity", "logprobs", NULL };

static const char *const verbosity_lacks[] = { "verbosity", NULL };

static const struct provider providers[] = {
	{ .name = "anthropic", .default_base = "https://api.anthropic.com",
	  .key_variable = "ANTHROPIC_API_KEY", .wants_key = true, .lacks = anthropic_lacks,
	  .lacks_json_object = true, .batch_price_percent = 50 },
	{ .name = "azure" },
	{ .name = ELLU_PROVIDER_BEDROCK, .key_variable = "AWS_BEARER_TOKEN_BEDROCK", .lacks = bedrock_lacks,
	  .lacks_json_object = true },
	{ .name = "cohere", .default_base = "https://api.cohere.com", .key_variable = "COHERE_API_KEY",
	  .wants_key = true, .lacks = verbosity_lacks },
	{ .name = ELLU_PROVIDER_CUSTOM },
	{ .name = "deepseek", .default_base = "https://api.deepseek.com/v1",
	  .key_variable = "DEEPSEEK_API_KEY", .wants_key = true },
	{ .name = "gemini", .default_base = "https://generativelanguage.googleapis.com",
	  .key_variable = "GEMINI_API_KEY", .wants_key = true, .lacks = verbosity_lacks },
	{ .name = "groq", .default_base = "https://api.groq.com/openai/v1",
	  .key_variable = "GROQ_API_KEY", .wants_key = true },
	{ .name = "litellm", .default_base = "http://127.0.0.1:4000/v1",
	  .key_variable = "LITELLM_API_KEY" },
	{ .name = "mistral", .default_base = "https://api.mistral.ai/v1",
	  .key_variable = "MISTRAL_API_KEY", .wants_key = true },
	{ .name = "ollama", .default_base = "http://127.0.0.1:11434/v1" },
	{ .name = "openai", .default_base = "https://api.openai.com/v1",
	  .key_variable = "OPENAI_API_KEY", .wants_key = true, .batch_price_percent = 50 },
	{ .name = "openrouter", .default_base = "https://openrouter.ai/api/v1",
	  .key_variable = "OPENROUTER_API_KEY", .wants_key = true },
	{ .name = ELLU_PROVIDER_SIMULATED },
	{ .name = "together", .default_base = "https://api.together.xyz/v1",
	  .key_variable = "TOGETHER_API_KEY", .wants_key = true },
	{ .name = ELLU_PROVIDER_VERTEX, .lacks = verbosity_lacks },
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
	return strcmp(name, ELLU_PROVIDER_SIMULATED) == 0;
}
