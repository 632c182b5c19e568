/* The dialect's experiments, and how far their tasks are. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/front/sdk/steps.h"
#include "daemon/front/sdk/whole.h"
#include "elluminate-types.h"
#include "proto/text/time_text.h"
#include "proto/wire/method.h"

#define LIST_ITEMS 100 // of a page: each is shown with all its parts
#define RESPONSES_SHOWN_MAX 1000 // whose numbers stand beside an experiment's results

/* ---- Showing ---- */

static json_object *shape_response(struct json_maker *maker, json_object *response, const void *parts)
{
	return sdk_response(maker, parts, response);
}

/* With its responses, as many as there are. */
static void answer_with_responses(struct asking *asking, const char *project, const struct sdk_parts *parts,
				  json_object *page)
{
	struct sdk_parts *kept = arena_alloc(&asking->exchange->arena, sizeof(*kept));
	struct whole whole = { .member = "rated_responses", .method = "org.elluminate.ListResponses",
			       .shape = shape_response, .of = kept };

	if (kept)
		*kept = *parts;
	else
		asking->maker.failed = true;
	whole.object = sdk_experiment(&asking->maker, parts, NULL);
	if (whole.object)
		json_object_object_del(whole.object, "rated_responses");
	whole.parameters = step_of(asking, project, "experiment", member_int(parts->experiment, "id", 0));
	if (page)
		ask_forget(asking, page);
	step_answer_whole(asking, &whole);
}

/* All of its responses, in our form, if that has results and they are few enough to be listed at once; their
 * numbers stand beside its results. The page that they are in, or NULL. False: the step returns. */
static bool find_responses(struct asking *asking, const char *project, struct sdk_parts *parts,
			   json_object **ret_page)
{
	json_object *parameters = step_of(asking, project, "experiment", member_int(parts->experiment, "id", 0)), *page;

	*ret_page = NULL;
	if (member_int(member(parts->experiment, "results"), "responses", RESPONSES_SHOWN_MAX + 1) >
	    RESPONSES_SHOWN_MAX) {
		json_object_put(parameters);
		return true;
	}
	put_int(&asking->maker, parameters, "limit", RESPONSES_SHOWN_MAX);
	page = ask_again(asking, "ListResponses", parameters);
	parts->responses = member(page, "next_cursor") ? NULL : member(page, "items");
	*ret_page = page;
	return page != NULL;
}

static void answer_experiment(struct asking *asking, const char *project, json_object *experiment)
{
	const char *include = step_query(asking, "include_responses");
	struct sdk_parts parts;
	json_object *page;

	if (!step_parts(asking, project, experiment, &parts) || !find_responses(asking, project, &parts, &page))
		return;
	if (include && strcasecmp(include, "true") == 0)
		answer_with_responses(asking, project, &parts, page);
	else
		ask_answer(asking, 200, sdk_experiment(&asking->maker, &parts, NULL));
}

/* ---- Lists ---- */

/* What names no offset is UTC, and a day its first moment. */
static bool read_time(const char *text, int64_t *ret_usec)
{
	static const char *const ends[] = { "", "Z", "T00:00:00Z" };
	char whole[2 * TIME_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(whole, sizeof(whole), "%.*s%s", TIME_TEXT_SIZE, text, ends[i]);
		if (time_parse(whole, ret_usec) == 0)
			return true;
	}
	return false;
}

/* `otherwise` where it says none; false: what is none has been answered. */
static bool query_time(struct asking *asking, const char *name, int64_t otherwise, int64_t *ret_usec)
{
	const char *text = step_query(asking, name);
	struct fault fault = { 0 };

	*ret_usec = otherwise;
	if (text && !read_time(text, ret_usec))
		(void)fault_invalid(&fault, name, "a time, such as 2026-01-31T12:00:00Z");
	return !step_fails(asking, &fault);
}

static bool is_of_the_time(struct asking *asking, const char *at)
{
	int64_t usec, from, to;

	return time_parse(at, &usec) == 0 && query_time(asking, "date_from", INT64_MIN, &from) &&
	       query_time(asking, "date_to", INT64_MAX, &to) && usec >= from && usec <= to;
}

static bool fits_query(struct asking *asking, json_object *experiment)
{
	const char *name = step_query(asking, "experiment_name");
	const char *template = step_query(asking, "prompt_template_name");
	const char *given = member_text(experiment, "name");
	const char *its_template = member_text(member(experiment, "prompt_template"), "name");

	return (!name || strcmp(given, name) == 0) && step_searches(asking, "experiment_name_search", given) &&
	       (!template || (its_template && strcmp(its_template, template) == 0)) &&
	       is_of_the_time(asking, member_text(experiment, "created_at")) &&
	       step_is_of(asking, experiment, "prompt_template_id", "GetPromptTemplate", "prompt_template") &&
	       step_is_of(asking, experiment, "collection_id", "GetCollection", "collection") &&
	       step_is_of(asking, experiment, "llm_config_id", "GetLLMConfig", "llm_config");
}

static bool is_filtered(const struct asking *asking)
{
	static const char *const filters[] = { "experiment_name", "experiment_name_search", "date_from",
					       "date_to", "prompt_template_id", "prompt_template_name",
					       "collection_id", "llm_config_id" };

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (step_query(asking, filters[i]))
			return true;
	return false;
}

void step_list_experiments(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *items, *list;
	struct sdk_parts parts;
	int64_t count, usec;

	if (!project || !query_time(asking, "date_from", 0, &usec) || !query_time(asking, "date_to", 0, &usec) ||
	    step_query_id(asking, "prompt_template_id") < 0 || step_query_id(asking, "collection_id") < 0 ||
	    step_query_id(asking, "llm_config_id") < 0)
		return;
	items = step_list(asking, "ListExperiments", step_parameters(asking, project), LIST_ITEMS,
			  is_filtered(asking) ? fits_query : NULL, &count);
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		if (step_parts(asking, project, json_object_array_get_idx(items, i), &parts))
			append(&asking->maker, list, sdk_experiment(&asking->maker, &parts, NULL));
	json_object_put(items);
	if (ask_waits(asking))
		json_object_put(list);
	else
		step_answer_list(asking, list, count);
}

void step_get_experiment(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *experiment = project ? step_get(asking, project, "GetExperiment", "experiment") : NULL;

	if (experiment)
		answer_experiment(asking, project, experiment);
}

void step_delete_experiment(struct asking *asking)
{
	step_delete(asking, "DeleteExperiment", "experiment");
}

/* ---- Making ---- */

/* What the body may ask for that there is not; agents run elsewhere. */
static bool is_unknown(struct asking *asking)
{
	static const char *const unknown[] = { "agent_config", "evaluation_agent_config", "persona_group_id",
					       "scenario_set_id" };
	json_object *body = asking->exchange->json;
	const char *mode = member_text(body, "evaluation_mode");
	bool runs_here = member_bool(body, "generate");
	const char *field = !mode || strcmp(mode, "STANDARD") == 0 ? NULL :
			    strcmp(mode, "AGENTIC") == 0 && !runs_here ? NULL : "evaluation_mode";

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]) && !field; i++)
		if (member(body, unknown[i]))
			field = unknown[i];
	if (field)
		step_refuse(asking, field, "experiments are of prompts and rows here, and of what agents did elsewhere");
	return field != NULL;
}

/* {"ref": {"id": ID}} of what the body names by its id. */
static void put_in(struct asking *asking, json_object *parameters, const char *name, const char *field,
		   bool wrapped)
{
	struct json_maker *maker = &asking->maker;
	int64_t id = member_int(asking->exchange->json, field, 0);
	json_object *in;

	if (!id)
		return;
	if (!wrapped) {
		put(maker, parameters, name, ref_id(maker, id));
		return;
	}
	in = make_object(maker);
	put(maker, in, "ref", ref_id(maker, id));
	put(maker, parameters, name, in);
}

/* The name of the column that has the responses. False: the step returns. */
static bool put_response_column(struct asking *asking, const char *project, json_object *parameters)
{
	json_object *body = asking->exchange->json, *of, *columns;
	int64_t id = member_int(body, "response_column_id", 0);
	struct fault fault = { 0 };

	if (!id)
		return true;
	of = step_of(asking, project, "collection", member_int(body, "collection_id", 0));
	columns = member(member(ask(asking, "GetCollection", of), "collection"), "columns");
	if (!columns)
		return false;
	if (id > (int64_t)array_length(columns)) {
		fault_invalid(&fault, "response_column_id", "the id of a column of the collection");
		ask_fail(asking, &fault);
		return false;
	}
	put_copy(&asking->maker, parameters, "response_column",
		 json_object_array_get_idx(columns, (size_t)id - 1), "name");
	return true;
}

/* NULL: the step returns. */
static json_object *new_experiment(struct asking *asking, const char *project)
{
	struct json_maker *maker = &asking->maker;
	json_object *body = asking->exchange->json, *parameters = step_parameters(asking, project);
	const char *description = member_text(body, "description");
	const char *version = member_text(body, "rating_version");

	put_copy(maker, parameters, "name", body, "name");
	if (description && *description)
		put_text(maker, parameters, "description", description);
	put_in(asking, parameters, "prompt_template", "prompt_template_id", true);
	put_in(asking, parameters, "collection", "collection_id", true);
	put_in(asking, parameters, "criterion_set", "criterion_set_id", false);
	put_in(asking, parameters, "llm_config", "llm_config_id", true);
	put_present(maker, parameters, "rating_mode", body, "rating_mode");
	put_present(maker, parameters, "n_epochs", body, "n_epochs");
	/* One that is not known means the one that there is, and the experiment says which. */
	if (version && strcmp(version, "1") == 0)
		put_text(maker, parameters, "rating_version", version);
	if (member(body, "generation_params"))
		put(maker, parameters, "generation_params",
		    our_generation_params(maker, member(body, "generation_params")));
	if (put_response_column(asking, project, parameters))
		return parameters;
	json_object_put(parameters);
	return NULL;
}

/* What a method that makes a task answered; *ret_id is the experiment's. False: the step returns. */
static bool took_task(struct asking *asking, json_object *answer, int64_t *ret_id)
{
	json_object *task = member(answer, "task"), *error = member(task, "error");
	struct fault fault = { 0 };
	const struct error_info *info;

	if (!answer)
		return false;
	*ret_id = member_int(task, "experiment_id", 0);
	if (*ret_id)
		return true;
	/* Refused before there was one. */
	info = error_find_name(member_text(error, "code") ? member_text(error, "code") : "");
	fault_set(&fault, info ? info->code : ELLU_E_INTERNAL, "%s",
		  member_text(error, "message") ? member_text(error, "message") : "it was rejected");
	ask_fail(asking, &fault);
	return false;
}

void step_create_experiment(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *parameters, *experiment;
	int64_t id;

	if (!project || is_unknown(asking))
		return;
	parameters = new_experiment(asking, project);
	if (!parameters)
		return;
	if (member_bool(asking->exchange->json, "generate")) {
		put_bool(&asking->maker, parameters, "detach", true);
		step_put_key(asking, parameters);
		if (!took_task(asking, ask(asking, "RunExperiment", parameters), &id))
			return;
		experiment = step_experiment(asking, project, id);
	} else {
		experiment = member(ask(asking, "CreateExperiment", parameters), "experiment");
	}
	if (experiment)
		answer_experiment(asking, project, experiment);
}

/* ---- Running ---- */

/* What of the generation parameters is wanted otherwise than the experiment was made with. */
static bool differs(json_object *experiment, json_object *wanted)
{
	json_object *made = member(experiment, "generation_params");
	bool same = true;

	if (!json_object_is_type(wanted, json_type_object))
		return wanted != NULL;
	json_object_object_foreach (wanted, name, value) {
		/* The SDK always says it, and what it says where nobody did is no wish. */
		if (strcmp(name, "max_connections") != 0)
			same = same && json_object_equal(value, member(made, name));
	}
	return !same;
}

/* Who runs it may want it asked and rated otherwise than it was made, as long as it was not. False: the step
 * returns. */
static bool change(struct asking *asking, const char *project, json_object *experiment)
{
	json_object *body = asking->exchange->json, *mode = member(body, "rating_mode");
	json_object *params = our_generation_params(&asking->maker, member(body, "generation_params"));
	json_object *parameters = step_of(asking, project, "experiment", member_int(experiment, "id", 0));
	bool other_params = differs(experiment, params);
	bool other_mode = mode && !json_object_equal(mode, member(experiment, "rating_mode"));

	if (other_mode)
		put_copy(&asking->maker, parameters, "rating_mode", body, "rating_mode");
	if (other_params)
		put(&asking->maker, parameters, "generation_params", json_object_get(params));
	json_object_put(params);
	if (other_mode || other_params)
		return ask(asking, "UpdateExperiment", parameters) != NULL;
	json_object_put(parameters);
	return true;
}

/* What is missing, or more epochs. */
void step_run_experiment(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0, wanted, made;
	json_object *experiment = id ? step_experiment(asking, project, id) : NULL, *parameters;

	if (!experiment || !change(asking, project, experiment))
		return;
	made = member_int(experiment, "n_epochs", 1);
	wanted = member_int(asking->exchange->json, "n_epochs", made);
	parameters = step_of(asking, project, "experiment", id);
	put_bool(&asking->maker, parameters, "detach", true);
	step_put_key(asking, parameters);
	if (wanted > made)
		put_int(&asking->maker, parameters, "epochs", wanted - made);
	if (!took_task(asking, ask(asking, wanted > made ? "AddEpochs" : "RunExperiment", parameters), &id))
		return;
	experiment = member(ask_again(asking, "GetExperiment", step_of(asking, project, "experiment", id)), "experiment");
	if (experiment)
		answer_experiment(asking, project, experiment);
}

void step_retry_experiment(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;
	json_object *experiment = id ? step_experiment(asking, project, id) : NULL, *parameters, *answer;
	struct sdk_parts parts;

	if (!experiment)
		return;
	if (member_int(member(experiment, "results"), "failed_responses", 0) == 0) {
		/* Nothing to do: as it is, and without a task to wait for. */
		if (!step_parts(asking, project, experiment, &parts))
			return;
		answer = sdk_experiment(&asking->maker, &parts, NULL);
		if (answer)
			json_object_object_add(answer, "generation_task_id", NULL);
		ask_answer(asking, 200, answer);
		return;
	}
	parameters = step_of(asking, project, "experiment", id);
	put_bool(&asking->maker, parameters, "detach", true);
	step_put_key(asking, parameters);
	if (!took_task(asking, ask(asking, "RetryFailed", parameters), &id))
		return;
	experiment = member(ask_again(asking, "GetExperiment", step_of(asking, project, "experiment", id)), "experiment");
	if (experiment)
		answer_experiment(asking, project, experiment);
}

/* ---- Tasks ---- */

void step_get_task(struct asking *asking)
{
	const char *project = step_project(asking);
	unsigned place = asking->exchange->values[2] ? 2 : 1;
	int64_t id = project ? step_id(asking, place) : 0;
	json_object *task = id ? member(ask(asking, "GetTask", ref_id(&asking->maker, id)), "task") : NULL;

	if (task)
		ask_answer(asking, 200, sdk_progress(&asking->maker, task, /* poll= */ true));
}
