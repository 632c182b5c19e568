/* elluminate import: prompts become templates, providers configs. */
#include "client/cli/files/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/files/yaml_text.h"
#include "proto/provider.h"

/* ---- Prompts ---- */

/* A name that no other one of the list has. */
static json_object *name_among(json_object *list, const char *name)
{
	char unique[1024];
	size_t n = 1;

	snprintf(unique, sizeof(unique), "%.*s", (int) text_cut(name, 150), name);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (strcmp(json_object_get_string(member(item_of(list, i), "name")), unique) == 0) {
			snprintf(unique, sizeof(unique), "%.*s #%zu", (int) text_cut(name, 150), name, ++n);
			i = (size_t) -1;
		}
	text_flatten(unique);
	return json_object_new_string(unique);
}

/* Each a role and a text. */
static bool is_conversation(json_object *value)
{
	for (size_t i = 0; i < items_of(value); i++) {
		const char *role = text_in(member(item_of(value, i), "role"));

		if (!role || !text_is_listed("system user assistant developer", role) ||
		    !text_in(member(item_of(value, i), "content")))
			return false;
	}
	return is_array(value) && json_object_array_length(value) > 0;
}

/* `messages` is a text or a conversation, which it takes. */
static void add_template(struct import *in, const struct at *at, const char *label, json_object *messages)
{
	json_object *template = json_object_new_object();
	char name[256];

	for (size_t i = 0; i < items_of(messages); i++) {
		json_object *item = item_of(messages, i);

		import_scan(in, at, text_in(item) ? text_in(item) : text_in(member(item, "content")));
		if (!text_in(item))
			leave_members(in, at, item, "role content");
	}
	snprintf(name, sizeof(name), "%s prompt %zu", text_in(member(in->out, "name")),
		 json_object_array_length(in->templates) + 1);
	put(in, template, "name", name_among(in->templates, label ? label : name));
	put(in, template, "messages", messages);
	append(in, in->templates, template);
}

/* A text; or, as JSON, a conversation. */
static void add_text(struct import *in, const struct at *at, const char *label, const char *text)
{
	json_object *value = NULL;
	const char *reason;
	size_t offset;

	if (text[strspn(text, " \t\r\n")] != '[' ||
	    json_text_parse(text, strlen(text), &value, &offset, &reason) < 0)
		value = json_object_new_string(text);
	else if (!is_conversation(value)) {
		json_object_put(value);
		return import_leave(in, at, "a conversation is of texts by system, user and assistant");
	}
	add_template(in, at, label, value);
}

/* Lines `---` are between several. */
static void add_texts(struct import *in, const struct at *at, const char *label, char *text)
{
	char *next;

	for (; text; text = next) {
		char *end = strstr(text, "\n---\n");

		next = end ? end + 5 : NULL;
		if (end)
			*end = '\0';
		if (text[strspn(text, " \t\r\n")])
			add_text(in, at, label, text);
	}
}

static void add_prompt_file(struct import *in, const struct at *at, const char *label, const char *path)
{
	json_object *text, *value = NULL;
	struct yaml_place where;
	struct complaint why;

	if (!ends_in(path, "txt md json yaml yml j2"))
		return import_leave(in, at, "%s: not a file of text, JSON or YAML", path);
	text = read_beside(in, at, path);
	if (!text)
		return;
	if (!ends_in(path, "yaml yml")) {
		char *copy = strdup(json_object_get_string(text));

		if (copy && ends_in(path, "txt"))
			add_texts(in, at, label ? label : path, copy);
		else if (copy)
			add_text(in, at, label ? label : path, copy);
		else
			import_fail(in, -ENOMEM);
		free(copy);
	} else if (yaml_text_parse(json_object_get_string(text), (size_t) json_object_get_string_len(text), &value,
				   &where, &why) < 0) {
		REFUSE(in, at, "%s:%d:%d: %s", path, where.line, where.column, why.text);
	} else if (is_conversation(value)) {
		add_template(in, at, label ? label : path, json_object_get(value));
	} else {
		import_leave(in, at, "a conversation is of texts by system, user and assistant");
	}
	json_object_put(value);
	json_object_put(text);
}

static void add_prompt(struct import *in, const struct at *at, json_object *prompt)
{
	json_object *raw = member(prompt, "raw") ? member(prompt, "raw") : member(prompt, "id");
	const char *label = text_in(member(prompt, "label")), *text;

	if (json_object_is_type(prompt, json_type_object))
		leave_members(in, at, prompt, "raw label id");
	raw = raw ? raw : prompt;
	text = text_in(raw);
	if (!text)
		import_leave(in, at, "not a text");
	else if (file_in(raw))
		add_prompt_file(in, at, label, file_in(raw));
	else if (!strpbrk(text, " {\n") && ends_in(text, "txt md json yaml yml j2 js cjs mjs ts py csv"))
		add_prompt_file(in, at, label, text);
	else
		add_text(in, at, label, text);
}

/* ---- Providers ---- */

static const struct {
	const char *theirs, *ours;
} parameters[] = {
	{ "apiBaseUrl", "llm_base_url" }, { "apiKey", "api_key" }, { "apiKeyEnvar", "api_key" },
	{ "headers", "extra_headers" }, { "passthrough", "extra_body" }, { "max_completion_tokens", "max_tokens" },
	{ "num_predict", "max_tokens" }, { "maxRetries", "max_retries" }, { "max_tokens", "max_tokens" },
	{ "temperature", "temperature" }, { "top_p", "top_p" }, { "top_k", "top_k" }, { "seed", "seed" },
	{ "frequency_penalty", "frequency_penalty" }, { "presence_penalty", "presence_penalty" },
	{ "stop", "stop" }, { "reasoning_effort", "reasoning_effort" }, { "verbosity", "verbosity" },
};

/* `openai:chat:MODEL`, and for openai, anthropic and ollama the same without what is asked for; the others
 * have but one way. False: another provider, or another way. */
static bool find_model(const char *id, char *provider, size_t size, const char **ret_model)
{
	static const char other[] = "chat messages responses completion embedding embeddings image assistant realtime moderation "
				    "transcription speech tts video agents chatkit codex claude-agent-sdk";
	const size_t length = strcspn(id, ":");
	char way[32];
	bool is_said;

	snprintf(provider, size, "%.*s", (int) length, id);
	if (!id[length] || !text_is_listed("openai anthropic ollama groq mistral xai litellm", provider))
		return false;
	*ret_model = id + length + 1;
	snprintf(way, sizeof(way), "%.*s", (int) strcspn(*ret_model, ":"), *ret_model);
	is_said = text_is_listed("chat messages", way) && (*ret_model)[strlen(way)] == ':';
	if (is_said)
		*ret_model += strlen(way) + 1;
	return **ret_model && (is_said || !text_is_listed(other, way));
}

/* As a config has the value; NULL: it can have none like it. */
static json_object *parameter_of(const char *theirs, const char *provider, json_object *value)
{
	const char *text = text_in(value), *name;
	char changed[2100];
	size_t size;

	if (strcmp(theirs, "apiKeyEnvar") == 0 && text) {
		snprintf(changed, sizeof(changed), "$%s", text);
	} else if (strcmp(theirs, "apiKey") == 0 && text && strncmp(text, "{{", 2) == 0) {
		name = strstr(text, "env.");
		if (!name)
			return NULL;
		name += 4;
		snprintf(changed, sizeof(changed), "$%.*s", (int) strcspn(name, " }"), name);
	} else if (text && strstr(text, "{{")) {
		return NULL;
	} else if (strcmp(theirs, "apiBaseUrl") == 0 && text && strcmp(provider, "ollama") == 0 &&
		   !strstr(text, "/v1")) {
		size = strlen(text);
		while (size > 0 && text[size - 1] == '/')
			size--;
		snprintf(changed, sizeof(changed), "%.*s/v1", (int) size, text);
	} else if (strcmp(theirs, "stop") == 0 && text) {
		json_object *list = json_object_new_array();

		json_object_array_add(list, json_object_get(value));
		return list;
	} else {
		return value ? json_object_get(value) : NULL;
	}
	return json_object_new_string(changed);
}

static void add_parameters(struct import *in, const struct at *at, const char *provider, json_object *from,
			   json_object *config)
{
	const char *const *lacks = provider_find(provider)->lacks;

	json_object_object_foreach(from, name, value)
	{
		struct at below = at_below(at, ".%s", name);
		const char *ours = NULL;
		json_object *taken;

		for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
			if (strcmp(parameters[i].theirs, name) == 0)
				ours = parameters[i].ours;
		for (const char *const *lack = lacks; ours && lack && *lack; lack++)
			if (strcmp(*lack, ours) == 0)
				ours = NULL;
		taken = ours ? parameter_of(name, provider, value) : NULL;
		if (taken)
			put(in, config, ours, taken);
		else
			import_leave(in, &below, "a config has nothing like it");
	}
}

json_object *import_config(struct import *in, const struct at *at, json_object *from)
{
	const char *id = text_in(from) ? text_in(from) : text_in(member(from, "id"));
	const char *label = text_in(member(from, "label")), *model;
	json_object *config, *inner = from;
	char provider[32];

	/* { "openai:gpt-4o": { ... } } */
	if (!id && json_object_is_type(from, json_type_object) && json_object_object_length(from) == 1) {
		json_object_object_foreach(from, name, value)
		{
			id = name;
			inner = value;
		}
	}
	if (!id || !find_model(id, provider, sizeof(provider), &model)) {
		import_leave(in, at, "%s: not a chat with openai, anthropic, ollama, groq, mistral, xai or litellm",
		      id ? id : "a provider without id");
		return NULL;
	}
	config = json_object_new_object();
	put(in, config, "name", name_among(in->configs, label ? label : id));
	put(in, config, "provider", json_object_new_string(provider));
	put(in, config, "llm_model_name", json_object_new_string(model));
	if (json_object_is_type(inner, json_type_object)) {
		struct at below = at_below(at, inner == from ? ".config" : ".%s.config", id);

		leave_members(in, at, inner, "id label config");
		if (json_object_is_type(member(inner, "config"), json_type_object))
			add_parameters(in, &below, provider, member(inner, "config"), config);
		else if (member(inner, "config"))
			import_leave(in, &below, "expected an object");
	}
	return config;
}

/* ---- Lists of them ---- */

void import_prompts(struct import *in, json_object *prompts)
{
	const struct at at = { .path = "prompts" };

	for (size_t i = 0; i < items_of(prompts); i++) {
		struct at below = item_at(&at, prompts, i);

		add_prompt(in, &below, item_of(prompts, i));
	}
	if (!prompts)
		add_template(in, &at, NULL, json_object_new_string("{{prompt}}"));
	if (!in->error && json_object_array_length(in->templates) == 0)
		REFUSE(in, &at, "none of them can be mapped");
}

void import_providers(struct import *in, const char *name, json_object *providers)
{
	const struct at at = at_below(&(struct at){ .path = "" }, "%s", name);

	for (size_t i = 0; i < items_of(providers); i++) {
		struct at below = item_at(&at, providers, i);
		json_object *made = import_config(in, &below, item_of(providers, i));

		if (made)
			append(in, in->configs, made);
	}
}
