/* The dialect's projects, prompt templates, criteria and configs. */
#include <string.h>

#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"

#define LIST_ITEMS 1000 // of a page

/* ---- What many of them do ---- */

/* The one of the path, at that place. NULL: the step returns. */
static json_object *get_one(struct asking *asking, const char *project, const char *method,
			    const char *field, unsigned place)
{
	int64_t id = step_id(asking, place);
	json_object *parameters;

	if (!id)
		return NULL;
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, field, ref_id(&asking->maker, id));
	return member(ask(asking, method, parameters), field);
}

static void delete_one(struct asking *asking, const char *method, const char *field)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;
	json_object *parameters;

	if (!id)
		return;
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, field, ref_id(&asking->maker, id));
	if (ask(asking, method, parameters))
		ask_answer_nothing(asking, 204);
}

/* A version that is asked for, or NULL for the latest: that is what None means, which one of their clients
 * writes as a text. */
static const char *version_of(const struct asking *asking)
{
	const char *version = step_query(asking, "version");
	bool latest = version && (strcmp(version, "latest") == 0 || strcmp(version, "None") == 0);

	return latest ? NULL : version;
}

/* A list of the one of that name, or of none. */
static json_object *list_named(struct asking *asking, const char *project, const char *method,
			       const char *field, const char *name, int64_t *ret_count)
{
	json_object *parameters = step_parameters(asking, project), *ref, *found, *items;
	const struct fault *fault;

	ref = ref_name(&asking->maker, name);
	if (version_of(asking) && step_query_id(asking, "version") > 0)
		put_int(&asking->maker, ref, "version", step_query_id(asking, "version"));
	put(&asking->maker, parameters, field, ref);
	found = member(ask_unless(asking, method, parameters, ELLU_E_NOT_FOUND, &fault), field);
	if (ask_waits(asking))
		return NULL;
	items = make_array(&asking->maker);
	if (found)
		append(&asking->maker, items, json_object_get(found));
	*ret_count = (int64_t)array_length(items);
	return items;
}

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
			step_list(asking, "ListProjects", make_object(&asking->maker), LIST_ITEMS, NULL, &count);
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
	const char *search = step_query(asking, "search"), *set = step_query(asking, "criterion_set_id");
	const char *name = member_text(template, "name");
	int64_t collection_id = step_query_id(asking, "compatible_collection_id");
	json_object *parameters, *collection;

	if (search && (!name || !strstr(name, search)))
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
	if (name && version_of(asking)) {
		items = list_named(asking, project, "GetPromptTemplate", "prompt_template", name, &count);
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
		items = step_list(asking, "ListPromptTemplates", parameters, LIST_ITEMS,
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
	json_object *template = project ? get_one(asking, project, "GetPromptTemplate",
						  "prompt_template", 1) : NULL;

	if (template)
		ask_answer(asking, 200, sdk_prompt_template(&asking->maker, template));
}

void step_delete_template(struct asking *asking)
{
	delete_one(asking, "DeletePromptTemplate", "prompt_template");
}

/* ---- Sets of criteria ---- */

void step_list_sets(struct asking *asking)
{
	const char *project = step_project(asking), *name = step_query(asking, "name");
	json_object *items, *list;
	int64_t count = 0;

	if (!project)
		return;
	items = name ? list_named(asking, project, "GetCriterionSet", "criterion_set", name, &count) :
		       step_list(asking, "ListCriterionSets", step_parameters(asking, project), LIST_ITEMS,
				 NULL, &count);
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list,
		       sdk_criterion_set(&asking->maker, json_object_array_get_idx(items, i), NULL));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

/* With the templates that it is linked to. */
static void answer_set(struct asking *asking, const char *project, json_object *set)
{
	json_object *ids = member(set, "linked_prompt_templates"), *templates, *parameters, *ref, *one;

	templates = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(ids); i++) {
		parameters = step_parameters(asking, project);
		ref = ref_id(&asking->maker, json_object_get_int64(json_object_array_get_idx(ids, i)));
		put(&asking->maker, parameters, "prompt_template", ref);
		one = member(ask(asking, "GetPromptTemplate", parameters), "prompt_template");
		if (one)
			append(&asking->maker, templates, json_object_get(one));
	}
	if (!ask_waits(asking))
		ask_answer(asking, 200, sdk_criterion_set(&asking->maker, set, templates));
	json_object_put(templates);
}

void step_create_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *body = asking->exchange->json, *set, *parameters, *answer;

	if (!project)
		return;
	parameters = step_parameters(asking, project);
	set = make_object(&asking->maker);
	put_present(&asking->maker, set, "name", body, "name");
	put(&asking->maker, set, "criteria", our_criteria(&asking->maker, member(body, "criteria")));
	put(&asking->maker, parameters, "criterion_set", set);
	answer = member(ask(asking, "CreateCriterionSet", parameters), "criterion_set");
	if (answer)
		answer_set(asking, project, answer);
}

void step_get_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set =
		project ? get_one(asking, project, "GetCriterionSet", "criterion_set", 1) : NULL;

	if (set)
		answer_set(asking, project, set);
}

void step_delete_set(struct asking *asking)
{
	delete_one(asking, "DeleteCriterionSet", "criterion_set");
}

static json_object *change_link(struct asking *asking, const char *project, const char *method)
{
	int64_t set_id = step_id(asking, 1), template_id = set_id ? step_id(asking, 2) : 0;
	json_object *parameters;

	if (!template_id)
		return NULL;
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, "criterion_set", ref_id(&asking->maker, set_id));
	put(&asking->maker, parameters, "prompt_template", ref_id(&asking->maker, template_id));
	return member(ask(asking, method, parameters), "criterion_set");
}

void step_link_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = project ? change_link(asking, project, "LinkCriterionSet") : NULL;

	if (set)
		answer_set(asking, project, set);
}

void step_unlink_set(struct asking *asking)
{
	const char *project = step_project(asking);

	if (project && change_link(asking, project, "UnlinkCriterionSet"))
		ask_answer_nothing(asking, 204);
}

/* ---- Criteria ---- */

static json_object *of_template(struct asking *asking, const char *project, int64_t template_id)
{
	json_object *parameters = step_parameters(asking, project);

	put(&asking->maker, parameters, "prompt_template", ref_id(&asking->maker, template_id));
	return parameters;
}

void step_list_criteria(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_query_id(asking, "prompt_template_id") : -1;
	json_object *criteria;
	struct fault fault = { 0 };

	if (id < 0)
		return;
	if (!id) {
		fault_invalid(&fault, "prompt_template_id", "the template whose criteria are asked for");
		ask_fail(asking, &fault);
		return;
	}
	criteria = member(ask(asking, "ListCriteria", of_template(asking, project, id)), "criteria");
	if (criteria)
		step_answer_list(asking, sdk_criteria(&asking->maker, criteria),
				 (int64_t)array_length(criteria));
}

/* Those that a model makes up. */
static void generate_criteria(struct asking *asking, const char *project, int64_t template_id)
{
	bool replace = member_bool(asking->exchange->json, "delete_existing");
	json_object *parameters = of_template(asking, project, template_id), *answer, *task;
	json_object *criteria;
	struct fault fault = { 0 };

	if (replace)
		put_bool(&asking->maker, parameters, "delete_existing", true);
	answer = ask(asking, replace ? "GenerateCriteria" : "GetOrGenerateCriteria", parameters);
	if (!answer)
		return;
	task = member(answer, "task");
	criteria = member(member(member(task, "result"), "generation"), "criteria");
	if (!task) {
		fault_conflict(&fault, "criteria", NULL, 0, "the template has criteria already");
		ask_fail(asking, &fault);
	} else if (criteria) {
		ask_answer(asking, 200, sdk_criteria(&asking->maker, criteria));
	} else {
		fault_set(&fault, ELLU_E_BACKEND_UNAVAILABLE, "no criteria were made up: %s",
			  member_text(member(task, "error"), "message"));
		ask_fail(asking, &fault);
	}
}

/* The set that is linked to the template, or a new one of its name, linked; NULL: wait. */
static json_object *set_of_template(struct asking *asking, const char *project, int64_t template_id)
{
	json_object *template, *parameters, *set;

	template = member(ask(asking, "GetPromptTemplate", of_template(asking, project, template_id)),
			  "prompt_template");
	if (!template)
		return NULL;
	parameters = step_parameters(asking, project);
	if (member(template, "criterion_set_id")) {
		put(&asking->maker, parameters, "criterion_set",
		    ref_id(&asking->maker, member_int(template, "criterion_set_id", 0)));
		return member(ask(asking, "GetCriterionSet", parameters), "criterion_set");
	}
	put(&asking->maker, parameters, "criterion_set",
	    ref_name(&asking->maker, member_text(template, "name")));
	set = member(ask(asking, "GetOrCreateCriterionSet", parameters), "criterion_set");
	if (!set)
		return NULL;
	parameters = of_template(asking, project, template_id);
	put(&asking->maker, parameters, "criterion_set",
	    ref_id(&asking->maker, member_int(set, "id", 0)));
	return member(ask(asking, "LinkCriterionSet", parameters), "criterion_set");
}

static json_object *set_of_id(struct asking *asking, const char *project, int64_t id)
{
	json_object *parameters = step_parameters(asking, project);

	put(&asking->maker, parameters, "criterion_set", ref_id(&asking->maker, id));
	return member(ask(asking, "GetCriterionSet", parameters), "criterion_set");
}

/* In the place of all that are in the set, or behind them. */
static void put_criteria(struct asking *asking, const char *project, json_object *set)
{
	json_object *body = asking->exchange->json, *parameters = step_parameters(asking, project), *content;
	json_object *criteria = our_criteria(&asking->maker, member(body, "criteria")), *answer = NULL;
	bool replace = member_bool(body, "delete_existing"), none = array_length(criteria) == 0;

	put(&asking->maker, parameters, "criterion_set",
	    ref_id(&asking->maker, member_int(set, "id", 0)));
	if (replace) {
		content = ref_name(&asking->maker, member_text(set, "name"));
		put(&asking->maker, content, "criteria", criteria);
		put(&asking->maker, parameters, "content", content);
		answer = member(ask(asking, "UpdateCriterionSet", parameters), "criterion_set");
	} else if (!none) {
		put(&asking->maker, parameters, "criteria", criteria);
		answer = ask(asking, "AddCriteria", parameters);
	} else {
		json_object_put(criteria);
		json_object_put(parameters);
		ask_answer(asking, 200, make_array(&asking->maker));
		return;
	}
	if (answer)
		ask_answer(asking, 200, sdk_criteria(&asking->maker, member(answer, "criteria")));
}

void step_add_criteria(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *body = asking->exchange->json, *set;
	int64_t template_id = member_int(body, "prompt_template_id", 0);
	int64_t set_id = member_int(body, "criterion_set_id", 0);
	struct fault fault = { 0 };

	if (!project)
		return;
	if (!template_id == !set_id) {
		fault_invalid(&fault, "criterion_set_id", "either a criterion_set_id or a prompt_template_id");
		ask_fail(asking, &fault);
	} else if (member(body, "template_variables_id")) {
		step_refuse(asking, "template_variables_id", "criteria are not of single rows here");
	} else if (!member(body, "criteria") && template_id) {
		generate_criteria(asking, project, template_id);
	} else {
		set = set_id ? set_of_id(asking, project, set_id) :
			       set_of_template(asking, project, template_id);
		if (set)
			put_criteria(asking, project, set);
	}
}

static bool has_criterion(struct asking *asking, json_object *set)
{
	json_object *criteria = member(set, "criteria");
	int64_t id = step_id(asking, 1);

	for (size_t i = 0; i < array_length(criteria); i++)
		if (member_int(json_object_array_get_idx(criteria, i), "id", 0) == id)
			return true;
	return false;
}

void step_get_criterion(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0, count;
	json_object *sets, *criteria, *one;
	struct fault fault = { 0 };

	if (!id)
		return;
	sets = step_list(asking, "ListCriterionSets", step_parameters(asking, project), LIST_ITEMS,
			 has_criterion, &count);
	if (!sets)
		return;
	criteria = count > 0 ? member(json_object_array_get_idx(sets, 0), "criteria") : NULL;
	for (size_t i = 0; i < array_length(criteria); i++) {
		one = json_object_array_get_idx(criteria, i);
		if (member_int(one, "id", 0) == id)
			ask_answer(asking, 200, sdk_criterion(&asking->maker, one));
	}
	if (count == 0) {
		fault_not_found(&fault, "criterion", NULL, id);
		ask_fail(asking, &fault);
	}
	json_object_put(sets);
}

void step_delete_criterion(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;

	if (id && ask(asking, "DeleteCriterion", ref_id(&asking->maker, id)))
		ask_answer_nothing(asking, 204);
}

/* ---- Configs ---- */

void step_list_configs(struct asking *asking)
{
	const char *project = step_project(asking), *name = step_query(asking, "name");
	json_object *items;
	int64_t count = 0;

	if (!project)
		return;
	items = name ? list_named(asking, project, "GetLLMConfig", "llm_config", name, &count) :
		       step_list(asking, "ListLLMConfigs", step_parameters(asking, project), LIST_ITEMS,
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
	json_object *config = project ? get_one(asking, project, "GetLLMConfig", "llm_config", 1) : NULL;

	if (config)
		ask_answer(asking, 200, sdk_llm_config(&asking->maker, config));
}

void step_delete_config(struct asking *asking)
{
	delete_one(asking, "DeleteLLMConfig", "llm_config");
}
