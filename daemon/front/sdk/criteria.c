/* The dialect's criteria, and the sets that they are in. */
#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"

/* ---- Sets of criteria ---- */

void step_list_sets(struct asking *asking)
{
	const char *project = step_project(asking), *name = step_query(asking, "name");
	json_object *items, *list;
	int64_t count = 0;

	if (!project)
		return;
	items = name ? step_list_named(asking, project, "GetCriterionSet", "criterion_set", name, &count) :
		       step_list(asking, "ListCriterionSets", step_parameters(asking, project), STEP_ITEMS,
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
	json_object *ids = member(set, "linked_prompt_templates"), *templates, *parameters, *one;

	templates = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(ids); i++) {
		parameters = step_of(asking, project, "prompt_template",
				     json_object_get_int64(json_object_array_get_idx(ids, i)));
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
		project ? step_get(asking, project, "GetCriterionSet", "criterion_set") : NULL;

	if (set)
		answer_set(asking, project, set);
}

void step_delete_set(struct asking *asking)
{
	step_delete(asking, "DeleteCriterionSet", "criterion_set");
}

static json_object *change_link(struct asking *asking, const char *project, const char *method)
{
	int64_t set_id = step_id(asking, 1), template_id = set_id ? step_id(asking, 2) : 0;
	json_object *parameters;

	if (!template_id)
		return NULL;
	parameters = step_of(asking, project, "criterion_set", set_id);
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
	return step_of(asking, project, "prompt_template", template_id);
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

static json_object *set_of_id(struct asking *asking, const char *project, int64_t id)
{
	return member(ask(asking, "GetCriterionSet", step_of(asking, project, "criterion_set", id)),
		      "criterion_set");
}

/* The set that is linked to the template, or a new one of its name, linked; NULL: wait. */
static json_object *set_of_template(struct asking *asking, const char *project, int64_t template_id)
{
	json_object *template, *parameters, *set;

	template = member(ask(asking, "GetPromptTemplate", of_template(asking, project, template_id)),
			  "prompt_template");
	if (!template)
		return NULL;
	if (member(template, "criterion_set_id"))
		return set_of_id(asking, project, member_int(template, "criterion_set_id", 0));
	parameters = step_parameters(asking, project);
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

/* In the place of all that are in the set, or behind them. */
static void put_criteria(struct asking *asking, const char *project, json_object *set)
{
	json_object *body = asking->exchange->json, *parameters, *content;
	json_object *criteria = our_criteria(&asking->maker, member(body, "criteria")), *answer = NULL;
	bool replace = member_bool(body, "delete_existing"), none = array_length(criteria) == 0;

	parameters = step_of(asking, project, "criterion_set", member_int(set, "id", 0));
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
	sets = step_list(asking, "ListCriterionSets", step_parameters(asking, project), STEP_ITEMS,
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
