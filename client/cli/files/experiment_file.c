#include "client/cli/files/experiment_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/files/file_text.h"
#include "proto/experiment_file.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/text/near_name.h"

/* ---- Keys ---- */

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

static const char *const reserved[] = { EXPERIMENT_FILE_RESERVED };

/* ---- Where something stands ---- */

/* A field of the request as the file has it, where `content` and `ref` are left out. */
static const char *path_in_file(const struct experiment_file *file, const char *field, char *buffer, size_t size)
{
	size_t skip = 0, top = strcspn(field, ".[");
	char item[32] = "";

	if (strncmp(field + top, ".content", 8) == 0 && strchr(".[", field[top + 8]))
		skip = 8;
	else if (strncmp(field + top, ".ref", 4) == 0 && strchr(".[", field[top + 4]))
		skip = 4;
	if (top == 15 && strncmp(field, "prompt_template", top) == 0 && file->at_template >= 0)
		snprintf(item, sizeof(item), "s[%d]", file->at_template);
	else if (top == 10 && strncmp(field, "llm_config", top) == 0 && file->at_config >= 0)
		snprintf(item, sizeof(item), "s[%d]", file->at_config);
	if (top == 8 && strncmp(field, "measures", top) == 0) {
		const char *text = strstr(field, ".criterion_str");

		/* As it is written there: a text, or a `criterion` with more. */
		snprintf(buffer, size, "criteria%.*s", (int) (text ? text - field - (ptrdiff_t) top : 200),
			 field + top);
		return buffer;
	}
	snprintf(buffer, size, "%.*s%s%s", (int) top, field, item, field + top + skip);
	return buffer;
}

#define COMPLAIN_AT(file, path, complaint, format, ...)                                       \
	complain(complaint, "%s: %s: " format,                                                \
		 json_file_place(&(file)->json, path, (char[512]){ 0 }, 512), path, ##__VA_ARGS__)

/* ---- References and contents ---- */

static json_object *wrap(const char *name, json_object *value)
{
	json_object *object = json_object_new_object();

	if (!object || json_object_object_add(object, name, value) < 0) {
		json_object_put(value);
		json_object_put(object);
		return NULL;
	}
	return object;
}

/* An object that only says which one is meant. */
static bool is_reference(json_object *value)
{
	json_object_object_foreach(value, key, member)
	{
		(void) member;
		if (strcmp(key, "id") != 0 && strcmp(key, "name") != 0 &&
		    strcmp(key, "version") != 0)
			return false;
	}
	return true;
}

/* A string is a name, an object makes one. Anything else is left for the record to refuse. */
static json_object *ref_or_content(json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return wrap("ref", wrap("name", json_object_get(value)));
	if (json_object_is_type(value, json_type_object))
		return wrap(is_reference(value) ? "ref" : "content", json_object_get(value));
	return json_object_get(value);
}

/* Requests of the interface have a reference or a content in a member of its own. */
static int check_form(const struct experiment_file *file, const char *field, json_object *value,
		      struct complaint *complaint)
{
	const bool is_object = json_object_is_type(value, json_type_object);
	char path[80];

	if (is_object && json_object_object_get_ex(value, "ref", NULL)) {
		snprintf(path, sizeof(path), "%s.ref", field);
		return COMPLAIN_AT(file, path, complaint, "that is the form of the interface: a file has the name "
							  "alone in the place of the object");
	}
	if (is_object && json_object_object_get_ex(value, "content", NULL)) {
		snprintf(path, sizeof(path), "%s.content", field);
		return COMPLAIN_AT(file, path, complaint, "that is the form of the interface: a file has its "
							  "fields themselves there");
	}
	return 0;
}

/* ---- Configs ---- */

static int note(struct experiment_file *file, const char *variable, const char *field)
{
	char text[256];

	snprintf(text, sizeof(text), "Using the key in $%s for %s.", variable, field);
	return json_object_array_add(file->notes, json_object_new_string(text)) < 0 ? -ENOMEM : 0;
}

static int add_config(struct experiment_file *file, const char *field, json_object *value,
		      json_object **ret_value, struct complaint *complaint)
{
	const char *variable;
	struct complaint missing;
	char path[64];
	int r = check_form(file, field, value, complaint);

	if (r < 0)
		return r;
	if (json_object_is_type(value, json_type_object) && !is_reference(value)) {
		r = api_key_resolve(value, &missing);
		snprintf(path, sizeof(path), "%s.api_key", field);
		if (r == -EINVAL)
			return COMPLAIN_AT(file, path, complaint, "%s", missing.text);
		if (r == 0)
			r = api_key_usual(value, &variable);
	}
	if (r > 0)
		r = note(file, variable, field);
	*ret_value = ref_or_content(value);
	return r < 0 ? r : 0;
}

static int add_template(struct experiment_file *file, const char *field, json_object *value,
			json_object **ret_value, struct complaint *complaint)
{
	int r = check_form(file, field, value, complaint);

	if (r == 0 && json_object_is_type(value, json_type_object))
		r = content_expand(value, file->json.path, complaint);
	if (r == 0)
		*ret_value = ref_or_content(value);
	return r;
}

/* ---- Lists of them ---- */

/* What it is called where there are several. */
static const char *label_of(json_object *in, char *buffer, size_t size)
{
	json_object *ref = json_object_object_get(in, "ref"), *content = json_object_object_get(in, "content");
	const char *name = text_of(ref ? ref : content, "name");

	if (name && json_object_object_get(ref, "version"))
		snprintf(buffer, size, "%s v%s", name, text_of(ref, "version"));
	else if (name || !ref)
		snprintf(buffer, size, "%s", name ? name : "?");
	else
		snprintf(buffer, size, "#%s", text_of(ref, "id"));
	return buffer;
}

/* Their names say which is meant, so no two are alike. */
static int check_labels(struct experiment_file *file, const char *name, json_object *list,
			struct complaint *complaint)
{
	const size_t n = json_object_array_length(list);
	char one[512], other[512], path[64];

	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			label_of(json_object_array_get_idx(list, i), one, sizeof(one));
			if (strcmp(one, label_of(json_object_array_get_idx(list, k), other, sizeof(other))) != 0)
				continue;
			snprintf(path, sizeof(path), "%s[%zu]", name, i);
			return COMPLAIN_AT(file, path, complaint, "the name %s again", one);
		}
	return 0;
}

typedef int add_fn(struct experiment_file *file, const char *field, json_object *value, json_object **ret_value,
		   struct complaint *complaint);

static int add_list(struct experiment_file *file, const char *name, json_object *values, add_fn *add,
		    json_object **ret_list, struct complaint *complaint)
{
	const size_t n = json_object_is_type(values, json_type_array) ? json_object_array_length(values) : 0;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "%.*s", (int) strlen(name) - 1, name);
	if (json_object_object_get_ex(file->request, path, NULL))
		return COMPLAIN_AT(file, name, complaint, "expected either this or %s", path);
	if (n == 0 || n > PAIRS_MAX)
		return COMPLAIN_AT(file, name, complaint, "expected an array of 1 to %d", PAIRS_MAX);
	*ret_list = json_object_new_array();
	for (size_t i = 0; r == 0 && i < n; i++) {
		json_object *value = NULL;

		snprintf(path, sizeof(path), "%s[%zu]", name, i);
		r = add(file, path, json_object_array_get_idx(values, i), &value, complaint);
		if (r < 0)
			json_object_put(value);
		else
			json_object_array_add(*ret_list, value);
	}
	return r == 0 ? check_labels(file, name, *ret_list, complaint) : r;
}

/* The member of the request that is one of a list, which adds to the name. */
static int choose(struct experiment_file *file, const char *field, json_object *list, int at, char *name,
		  size_t size)
{
	json_object *in = at >= 0 ? json_object_array_get_idx(list, (size_t) at) : NULL;
	char label[512];

	if (!in)
		return 0;
	snprintf(name + strlen(name), size - strlen(name), " / %s", label_of(in, label, sizeof(label)));
	return experiment_file_set(file, field, json_object_get(in));
}

int experiment_file_choose(struct experiment_file *file, int at_template, int at_config,
			   struct complaint *complaint)
{
	char name[1024];
	int r;

	if (!file->name)
		return COMPLAIN_AT(file, "name", complaint, "expected a name");
	snprintf(name, sizeof(name), "%.300s", file->name);
	file->at_template = at_template;
	file->at_config = at_config;
	r = choose(file, "prompt_template", file->templates, at_template, name, sizeof(name));
	if (r == 0)
		r = choose(file, "llm_config", file->configs, at_config, name, sizeof(name));
	return r < 0 ? r : experiment_file_set(file, "name", json_object_new_string(name));
}

/* ---- The collection ---- */

static int open_rows(struct experiment_file *file, const char *name, struct complaint *complaint)
{
	char *path = path_beside(file->json.path, name);
	int r = path ? rows_open(path, NULL, /* once= */ false, &file->rows, complaint) : -ENOMEM;

	free(path);
	return r;
}

static int add_collection(struct experiment_file *file, json_object *value,
			  json_object **ret_value, struct complaint *complaint)
{
	json_object *name = json_object_object_get(value, "name");
	json_object *rows = json_object_object_get(value, "variables");
	json_object *rows_file = json_object_object_get(value, "file");
	int r = check_form(file, "collection", value, complaint);

	if (r < 0)
		return r;
	if (!name || is_reference(value)) {
		*ret_value = ref_or_content(value);
		return 0;
	}
	if (rows && rows_file)
		return COMPLAIN_AT(file, "collection.file", complaint,
				   "expected either `file` or `variables`");
	if (rows_file && !json_object_is_type(rows_file, json_type_string))
		return COMPLAIN_AT(file, "collection.file", complaint, "expected a string");
	if (!rows_file && !json_object_is_type(rows, json_type_array))
		return COMPLAIN_AT(file, rows ? "collection.variables" : "collection", complaint,
				   "expected `variables`, an array of objects, or `file`");
	if (rows_file)
		r = open_rows(file, json_object_get_string(rows_file), complaint);
	else
		r = rows_from_array(rows, "collection.variables", &file->rows);
	if (r < 0)
		return r;
	*ret_value = wrap("ref", wrap("name", json_object_get(name)));
	file->collection = json_object_get(value);
	json_object_object_del(value, "variables");
	json_object_object_del(value, "file");
	return 0;
}

/* ---- The whole ---- */

static bool has_objects(json_object *list)
{
	bool is_list = json_object_is_type(list, json_type_array);

	for (size_t i = 0; is_list && i < json_object_array_length(list); i++)
		if (json_object_is_type(json_object_array_get_idx(list, i), json_type_object))
			return true;
	return false;
}

/* What is called `criterion` in a file is a field of its own in the interface. */
static json_object *measure_of(json_object *item)
{
	json_object *measure;

	if (!json_object_is_type(item, json_type_object))
		return wrap("criterion_str", json_object_get(item));
	measure = json_object_new_object();
	json_object_object_foreach(item, name, value)
	{
		bool is_text = strcmp(name, "criterion") == 0;

		json_object_object_add(measure, is_text ? "criterion_str" : name, json_object_get(value));
	}
	return measure;
}

static json_object *measures_of(json_object *criteria)
{
	json_object *measures = json_object_new_array();

	for (size_t i = 0; measures && i < json_object_array_length(criteria); i++)
		json_object_array_add(measures, measure_of(json_object_array_get_idx(criteria, i)));
	return measures;
}

/* A name, or an `evaluator` with its variables. */
static json_object *use_of(json_object *item)
{
	json_object *use, *evaluator;

	if (json_object_is_type(item, json_type_string))
		return wrap("evaluator", wrap("name", json_object_get(item)));
	if (!json_object_object_get_ex(item, "evaluator", &evaluator) ||
	    !json_object_is_type(evaluator, json_type_string))
		return json_object_get(item);
	use = json_object_new_object();
	json_object_object_foreach(item, name, value)
	{
		bool is_name = strcmp(name, "evaluator") == 0;

		json_object_object_add(use, name, is_name ? wrap("name", json_object_get(value)) :
							    json_object_get(value));
	}
	return use;
}

static json_object *uses_of(json_object *evaluators)
{
	json_object *uses = json_object_new_array();

	for (size_t i = 0; uses && i < json_object_array_length(evaluators); i++)
		json_object_array_add(uses, use_of(json_object_array_get_idx(evaluators, i)));
	return uses;
}

static int add_field(struct experiment_file *file, const char *name, json_object *value,
		     struct complaint *complaint)
{
	json_object *field = NULL;
	int r = 0;

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(reserved[i], name) == 0)
			return COMPLAIN_AT(file, name, complaint,
					   "does not belong into an experiment file");
	if (strcmp(name, "prompt_templates") == 0)
		return add_list(file, name, value, add_template, &file->templates, complaint);
	if (strcmp(name, "llm_configs") == 0)
		return add_list(file, name, value, add_config, &file->configs, complaint);
	if (strcmp(name, "prompt_template") == 0) {
		r = file->templates ? COMPLAIN_AT(file, name, complaint, "expected either this or prompt_templates")
				    : add_template(file, name, value, &field, complaint);
	} else if (strcmp(name, "collection") == 0 && json_object_is_type(value, json_type_object)) {
		r = add_collection(file, value, &field, complaint);
	} else if (strcmp(name, "collection") == 0) {
		field = ref_or_content(value);
	} else if (strcmp(name, "criteria") == 0) {
		field = json_object_get(value);
		r = criteria_expand(&field, file->json.path, complaint);
		if (r == 0 && has_objects(field)) {
			json_object *measures = measures_of(field);

			json_object_put(field);
			return measures ? experiment_file_set(file, "measures", measures) : -ENOMEM;
		}
	} else if (strcmp(name, "evaluators") == 0 && json_object_is_type(value, json_type_array)) {
		field = uses_of(value);
	} else if (strcmp(name, "criterion_set") == 0 &&
		   json_object_is_type(value, json_type_string)) {
		field = wrap("name", json_object_get(value));
	} else if (strcmp(name, "llm_config") == 0 && file->configs) {
		r = COMPLAIN_AT(file, name, complaint, "expected either this or llm_configs");
	} else if (strcmp(name, "llm_config") == 0 || strcmp(name, "rating_llm_config") == 0) {
		r = add_config(file, name, value, &field, complaint);
	} else if (strcmp(name, "rating_llm_configs") == 0 || strcmp(name, "fallback_llm_configs") == 0) {
		r = add_list(file, name, value, add_config, &field, complaint);
	} else {
		field = json_object_get(value);
	}
	if (r == 0)
		return experiment_file_set(file, name, field);
	json_object_put(field);
	return r;
}

/* What could not be read, and is called as rows are. */
static bool is_of_rows(const struct json_file *file)
{
	return file->text && rows_format_find(file->path, NULL) >= 0 && !text_ends(file->path, ".json");
}

int experiment_file_load(const char *path, struct experiment_file *ret_file,
			 struct complaint *complaint)
{
	struct experiment_file file = { .request = json_object_new_object(), .notes = json_object_new_array(),
					.at_template = -1, .at_config = -1 };
	json_object *json = NULL;
	int r = json_file_read(path, &file.json, &json, complaint);

	if (r < 0 && is_of_rows(&file.json))
		r = complain(complaint, "%s: expected an experiment file; its cases are named there: "
					"\"collection\": { \"name\": \"...\", \"file\": \"%s\" }", path, path);
	if (r == 0) {
		json_object_object_foreach(json, name, value)
		{
			r = add_field(&file, name, value, complaint);
			if (r < 0)
				break;
		}
		json_object_put(json);
	}
	if (r == 0 && text_of(file.request, "name"))
		file.name = strdup(text_of(file.request, "name"));
	if (r < 0)
		experiment_file_done(&file);
	else
		*ret_file = file;
	return r;
}

void experiment_file_done(struct experiment_file *file)
{
	json_file_done(&file->json);
	json_object_put(file->request);
	json_object_put(file->collection);
	json_object_put(file->templates);
	json_object_put(file->configs);
	json_object_put(file->notes);
	free(file->name);
	rows_free(file->rows);
}

int experiment_file_set(struct experiment_file *file, const char *name, json_object *value)
{
	return json_object_object_add(file->request, name, value) < 0 ? -ENOMEM : 0;
}

void experiment_file_set_version(struct experiment_file *file, int64_t version)
{
	json_object *in = json_object_object_get(file->request, "collection");

	json_object_object_add(json_object_object_get(in, "ref"), "version",
			       json_object_new_int64(version));
}

void experiment_file_complain(const struct experiment_file *file, const char *field,
			      const char *message, struct complaint *complaint)
{
	size_t length = strlen(field);
	char where[512], path[256];

	path_in_file(file, field, path, sizeof(path));
	if (length > 0 && strncmp(message, field, length) == 0)
		complain(complaint, "%s: %s%s", json_file_place(&file->json, path, where, sizeof(where)),
			 path, message + length);
	else
		complain(complaint, "%s: %s",
			 length > 0 ? json_file_place(&file->json, path, where, sizeof(where))
				    : file->json.path,
			 message);
}

static bool is_of_promptfoo(const char *field)
{
	return text_is_listed("prompts providers targets tests defaultTest", field);
}

/* For a field that the request does not have: what a config has that is called so, or whose it is. */
static void suggest_config(struct fault *fault)
{
	const struct record_type *request = &ellu_run_experiment_request_type, *config = &ellu_llm_config_type;
	struct near_name here = NEAR_NAME(fault->field), there = NEAR_NAME(fault->field);
	char name[sizeof(fault->field)];

	if (strpbrk(fault->field, ".[") || record_field_find(request, fault->field))
		return;
	if (is_of_promptfoo(fault->field)) {
		snprintf(name, sizeof(name), "%s", fault->field);
		(void) fault_invalid(fault, name, "no field of this name; what promptfoo is configured with becomes "
						  "an experiment file by `elluminate import FILE -o experiment.json`");
		return;
	}
	for (size_t i = 0; i < request->n_fields; i++)
		near_name_show(&here, request->fields[i].name);
	for (size_t i = 0; i < config->n_fields; i++)
		near_name_show(&there, config->fields[i].name);
	if (there.distance >= here.distance)
		return;
	snprintf(name, sizeof(name), "%s", fault->field);
	(void) fault_invalid(fault, name, "no field of this name; did you mean llm_config.%s?", there.nearest);
}

int experiment_file_request(const struct experiment_file *file, struct arena *arena,
			    const struct ellu_run_experiment_request **ret_request,
			    const struct ellu_collection **ret_collection, struct fault *ret_fault)
{
	void *request, *collection = NULL;
	int r = record_decode(&ellu_run_experiment_request_type, file->request, FROM_CLIENT, "", arena,
			      &request, ret_fault);

	if (r < 0 && ret_fault->field[0])
		suggest_config(ret_fault);
	if (r == 0 && file->collection)
		r = record_decode(&ellu_collection_type, file->collection, FROM_CLIENT, "collection",
				  arena, &collection, ret_fault);
	if (r < 0)
		return r;
	*ret_request = request;
	*ret_collection = collection;
	return 0;
}
