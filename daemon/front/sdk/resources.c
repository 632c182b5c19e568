/* The dialect's projects, prompt templates and configs. */
#include <string.h>

#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"

/* Each in its shape; takes the items. */
static void answer_all(struct asking *asking, json_object *items, int64_t count,
		       json_object *(*shape)(struct json_maker *maker, json_object *item))
{
	json_object *list = make_array(&asking->maker);

	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list, shape(&asking->maker, json_object_array_get_idx(items, i)));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

/* ---- Projects ---- */

/* A token of one project sees no other. */
static json_object *list_own(struct asking *asking, int64_t *ret_count)
{
	json_object *own = member(ask(asking, "GetProject", make_object(&asking->maker)), "project"), *list;

	if (!own)
		return NULL;
	list = make_array(&asking->maker);
	append(&asking->maker, list, json_object_get(own));
	*ret_count = 1;
	return list;
}

void step_list_projects(struct asking *asking)
{
	json_object *items, *list;
	int64_t count = 0;

	items = asking->exchange->principal.project_id ?
			list_own(asking, &count) :
			step_list(asking, "ListProjects", make_object(&asking->maker), STEP_ITEMS, NULL, &count);
	if (!items)
		return;
	/* The SDK takes the first one where none is said. */
	list = make_array(&asking->maker);
	for (int others = 0; others < 2; others++)
		for (size_t i = 0; i < array_length(items); i++) {
			json_object *project = json_object_array_get_idx(items, i);

			if ((strcmp(member_text(project, "name"), "default") != 0) == others)
				append(&asking->maker, list, sdk_project(&asking->maker, project));
		}
	json_object_put(items);
	step_answer_list(asking, list, count);
}

void step_get_project(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *answer;

	if (!project)
		return;
	answer = member(ask(asking, "GetProject", step_parameters(asking, project)), "project");
	if (answer)
		ask_answer(asking, 200, sdk_project(&asking->maker, answer));
}

void step_create_project(struct asking *asking)
{
	json_object *parameters = make_object(&asking->maker), *project = make_object(&asking->maker);
	json_object *body = asking->exchange->json, *answer;

	put_present(&asking->maker, project, "name", body, "name");
	put_present(&asking->maker, project, "description", body, "description");
	put(&asking->maker, parameters, "project", project);
	answer = member(ask(asking, "CreateProject", parameters), "project");
	if (answer)
		ask_answer(asking, 200, sdk_project(&asking->maker, answer));
}

/* ---- Prompt templates ---- */

static bool contains(json_object *array, json_object *text)
{
	for (size_t i = 0; i < array_length(array); i++)
		if (json_object_equal(json_object_array_get_idx(array, i), text))
			return true;
	return false;
}

/* Whether the collection has a column for each placeholder. */
static bool is_compatible(json_object *template, json_object *collection)
{
	json_object *placeholders = member(template, "placeholders"), *columns;
	size_t n = 0;

	columns = member(collection, "columns");
	for (size_t i = 0; i < array_length(columns); i++)
		if (contains(placeholders, member(json_object_array_get_idx(columns, i), "name")))
			n++;
	return n == array_length(placeholders);
}

/* What else the query says of templates. */
static bool fits_query(struct asking *asking, json_object *template)
{
	const char *set = step_query(asking, "criterion_set_id");
	const char *name = member_text(template, "name");
	int64_t collection_id = step_query_id(asking, "compatible_collection_id");
	json_object *parameters, *collection;

	if (!step_searches(asking, "search", name))
		return false;
	if (set && member_int(template, "criterion_set_id", 0) != step_query_id(asking, "criterion_set_id"))
		return false;
	if (collection_id <= 0)
		return true;
	parameters = make_object(&asking->maker);
	collection = ref_id(&asking->maker, collection_id);
	put(&asking->maker, parameters, "collection", collection);
	collection = member(ask(asking, "GetCollection", parameters), "collection");
	return collection && is_compatible(template, collection);
}

static bool is_filtered(struct asking *asking)
{
	return step_query(asking, "search") || step_query(asking, "criterion_set_id") ||
	       step_query(asking, "compatible_collection_id") ||
	       step_query(asking, "compatible_prompt_template_id");
}

void step_list_templates(struct asking *asking)
{
	const char *project = step_project(asking), *name = step_query(asking, "name");
	json_object *parameters, *items, *found;
	const struct fault *fault;
	int64_t count = 0;

	if (!project)
		return;
	if (name && step_version(asking)) {
		items = step_list_named(asking, project, "GetPromptTemplate", "prompt_template", name, &count);
	} else {
		parameters = step_parameters(asking, project);
		if (name) {
			put_text(&asking->maker, parameters, "name", name);
			/* A name without a template is an empty list here. */
			found = ask_unless(asking, "ListPromptTemplates", json_object_get(parameters),
					   ELLU_E_NOT_FOUND, &fault);
			if (!found) {
				json_object_put(parameters);
				if (fault)
					step_answer_list(asking, make_array(&asking->maker), 0);
				return;
			}
		}
		items = step_list(asking, "ListPromptTemplates", parameters, STEP_ITEMS,
				  is_filtered(asking) ? fits_query : NULL, &count);
	}
	if (items)
		answer_all(asking, items, count, sdk_prompt_template);
}

void step_create_template(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *body = asking->exchange->json, *template, *parameters, *answer;
	struct fault fault = { 0 };

	if (!project)
		return;
	template = our_prompt_template(&asking->maker, body, &fault);
	if (step_fails(asking, &fault))
		return;
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, "prompt_template", template);
	answer = member(ask(asking, "CreatePromptTemplate", parameters), "prompt_template");
	if (answer)
		ask_answer(asking, 200, sdk_prompt_template(&asking->maker, answer));
}

void step_get_template(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *template = project ? step_get(asking, project, "GetPromptTemplate",
						  "prompt_template") : NULL;

	if (template)
		ask_answer(asking, 200, sdk_prompt_template(&asking->maker, template));
}

void step_delete_template(struct asking *asking)
{
	step_delete(asking, "DeletePromptTemplate", "prompt_template");
}

/* ---- Configs ---- */

void step_list_configs(struct asking *asking)
{
	const char *project = step_project(asking), *name = step_query(asking, "name");
	json_object *items;
	int64_t count = 0;

	if (!project)
		return;
	items = name ? step_list_named(asking, project, "GetLLMConfig", "llm_config", name, &count) :
		       step_list(asking, "ListLLMConfigs", step_parameters(asking, project), STEP_ITEMS,
				 NULL, &count);
	if (items)
		answer_all(asking, items, count, sdk_llm_config);
}

void step_create_config(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *config, *parameters, *answer;
	struct fault fault = { 0 };

	if (!project)
		return;
	config = our_llm_config(&asking->maker, asking->exchange->json, &fault);
	if (step_fails(asking, &fault))
		return;
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, "llm_config", config);
	answer = member(ask(asking, "CreateLLMConfig", parameters), "llm_config");
	if (answer)
		ask_answer(asking, 200, sdk_llm_config(&asking->maker, answer));
}

void step_get_config(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *config = project ? step_get(asking, project, "GetLLMConfig", "llm_config") : NULL;

	if (config)
		ask_answer(asking, 200, sdk_llm_config(&asking->maker, config));
}

void step_delete_config(struct asking *asking)
{
	step_delete(asking, "DeleteLLMConfig", "llm_config");
}
