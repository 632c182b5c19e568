/* The dialect's responses, ratings and comparisons. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"
#include "proto/limits.h"
#include "proto/wire/method.h"

#define LIST_ITEMS 100 // of a page: each is shown with all its parts
#define ADDED_AT_ONCE 1000 // that a method takes

/* What a batch is called that was over when it was answered. */
#define BATCH_DONE "done"

/* ---- Showing ---- */

/* {"response", "experiment"}; NULL: the step returns. */
static json_object *get_response(struct asking *asking, const char *project, int64_t id)
{
	json_object *parameters = step_parameters(asking, project);

	put_int(&asking->maker, parameters, "response_id", id);
	return ask_again(asking, "GetResponse", parameters);
}

/* In its shape; NULL: the same. */
static json_object *show_response(struct asking *asking, const char *project, int64_t experiment_id,
				  json_object *response)
{
	json_object *experiment = step_experiment(asking, project, experiment_id);
	struct sdk_parts parts;

	if (!experiment || !step_parts(asking, project, experiment, &parts))
		return NULL;
	return sdk_response(&asking->maker, &parts, response);
}

/* What get_response() answered. */
static json_object *show_found(struct asking *asking, const char *project, json_object *found)
{
	int64_t experiment_id = member_int(member(found, "experiment"), "id", 0);

	return found ? show_response(asking, project, experiment_id, member(found, "response")) : NULL;
}

static void answer_response(struct asking *asking, const char *project, int64_t id)
{
	json_object *shown = show_found(asking, project, get_response(asking, project, id));

	if (shown)
		ask_answer(asking, 200, shown);
}

/* ---- Lists ---- */

/* Filters of theirs, and ours. */
static const struct {
	const char *theirs;
	const char *ours;
	bool is_float;
} filters[] = {
	{ "epoch", "epoch", false },
	{ "template_variables_id", "template_variables_id", false },
	{ "prompt_id", "template_variables_id", false }, // a prompt is that of a row
	{ "duration_seconds_min", "min_duration_seconds", true },
	{ "duration_seconds_max", "max_duration_seconds", true },
	{ "input_tokens_min", "min_input_tokens", false },
	{ "input_tokens_max", "max_input_tokens", false },
	{ "output_tokens_min", "min_output_tokens", false },
	{ "output_tokens_max", "max_output_tokens", false },
};

void step_put_filters(struct asking *asking, json_object *parameters)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *text = step_query(asking, filters[i].theirs);
		char *end;
		double value = text ? strtod(text, &end) : 0;

		if (!text || member(parameters, filters[i].ours))
			continue;
		/* What is no number is refused as what it is. */
		if (*end || end == text || !(fabs(value) <= (double)INTEGER_MAX) ||
		    (!filters[i].is_float && value != floor(value)))
			put_text(&asking->maker, parameters, filters[i].ours, text);
		else if (filters[i].is_float)
			put(&asking->maker, parameters, filters[i].ours, make_float(&asking->maker, value));
		else
			put_int(&asking->maker, parameters, filters[i].ours, (int64_t)value);
	}
}

/* Whether the experiment is of what else the query says. */
static bool is_of_query(struct asking *asking, json_object *experiment)
{
	const char *model = step_query(asking, "llm_model_name");
	const char *its_model = member_text(member(experiment, "model"), "llm_model_name");

	return (!model || (its_model && strcmp(model, its_model) == 0)) &&
	       step_is_of(asking, experiment, "prompt_template_id", "GetPromptTemplate",
			  "prompt_template") &&
	       step_is_of(asking, experiment, "collection_id", "GetCollection", "collection");
}

static void list_of_experiment(struct asking *asking, const char *project, int64_t id)
{
	json_object *experiment = step_experiment(asking, project, id), *parameters, *items, *list;
	struct sdk_parts parts;
	int64_t count;

	if (!experiment)
		return;
	if (!is_of_query(asking, experiment)) {
		if (ask_waits(asking))
			return;
		step_answer_list(asking, make_array(&asking->maker), 0);
		return;
	}
	parameters = step_of(asking, project, "experiment", id);
	step_put_filters(asking, parameters);
	items = step_list(asking, "ListResponses", parameters, LIST_ITEMS, NULL, &count);
	if (!step_parts(asking, project, experiment, &parts) || !items) {
		json_object_put(items);
		return;
	}
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list,
		       sdk_response(&asking->maker, &parts, json_object_array_get_idx(items, i)));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

/* Those of the ids, in pages. */
static void list_of_ids(struct asking *asking, const char *project, json_object *ids)
{
	json_object *list = make_array(&asking->maker), *shown;
	int64_t page = step_query(asking, "page") ? step_query_id(asking, "page") : 1;
	size_t n = array_length(ids), at = page > 0 ? (size_t)(page - 1) * LIST_ITEMS : n;

	for (size_t i = at; i < n && i < at + LIST_ITEMS; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(ids, i));

		shown = show_found(asking, project,
				   get_response(asking, project, strtoll(text, NULL, 10)));
		if (shown)
			append(&asking->maker, list, shown);
	}
	if (ask_waits(asking))
		json_object_put(list);
	else
		step_answer_list(asking, list, (int64_t)n);
}

void step_list_responses(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *ids = member(asking->query, "response_ids");
	int64_t id = project ? step_query_id(asking, "experiment_id") : -1;

	if (id < 0)
		return;
	if (ids)
		list_of_ids(asking, project, ids);
	else if (id)
		list_of_experiment(asking, project, id);
	else
		step_refuse(asking, "experiment_id", "responses are listed of an experiment, or by their ids");
}

void step_get_response(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;

	if (id)
		answer_response(asking, project, id);
}

void step_annotate_response(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;
	json_object *parameters;

	if (!id)
		return;
	parameters = step_parameters(asking, project);
	put_int(&asking->maker, parameters, "response_id", id);
	put_present(&asking->maker, parameters, "annotation", asking->exchange->json, "annotation");
	if (ask(asking, "AnnotateResponse", parameters))
		answer_response(asking, project, id);
}

/* ---- Adding ---- */

static bool is_made(json_object *given)
{
	return array_length(member(given, "messages")) > 0;
}

/* Answers of one experiment, from `at` on, as many as there are behind each other. *ret_n is how many. */
static json_object *adding(struct asking *asking, const char *project, json_object *list, size_t at,
			   size_t *ret_n, struct fault *fault)
{
	int64_t id = member_int(json_object_array_get_idx(list, at), "experiment_id", 0);
	json_object *parameters = step_of(asking, project, "experiment", id), *made = make_array(&asking->maker);
	size_t n = 0;
	char path[64];

	while (at + n < array_length(list) && n < ADDED_AT_ONCE && !fault->code) {
		json_object *given = json_object_array_get_idx(list, at + n);

		if (member_int(given, "experiment_id", 0) != id || !is_made(given))
			break;
		snprintf(path, sizeof(path), "prompt_response_ins[%zu].messages", at + n);
		append(&asking->maker, made, our_response(&asking->maker, given, path, fault));
		n++;
	}
	put(&asking->maker, parameters, "responses", made);
	*ret_n = n;
	return parameters;
}

/* Adds those that were made, and has the experiments of the others asked for what is missing. *ret_task: of
 * the last of these, or 0. False: the step returns. */
static bool add_all(struct asking *asking, const char *project, json_object *list, int64_t *ret_task)
{
	json_object *parameters, *answer;
	struct fault fault = { 0 };
	size_t n;

	*ret_task = 0;
	for (size_t at = 0; at < array_length(list); at += n) {
		json_object *given = json_object_array_get_idx(list, at);

		n = 1;
		if (is_made(given)) {
			parameters = adding(asking, project, list, at, &n, &fault);
			if (step_fails(asking, &fault)) {
				json_object_put(parameters);
				return false;
			}
			if (!ask(asking, "AddResponses", parameters))
				return false;
			continue;
		}
		parameters = step_of(asking, project, "experiment", member_int(given, "experiment_id", 0));
		put_bool(&asking->maker, parameters, "detach", true);
		answer = ask(asking, "RunExperiment", parameters);
		if (!answer)
			return false;
		*ret_task = member_int(member(answer, "task"), "id", 0);
	}
	return true;
}

/* The one of the row and epoch. */
static void answer_added(struct asking *asking, const char *project, json_object *given)
{
	int64_t id = member_int(given, "experiment_id", 0);
	json_object *parameters = step_of(asking, project, "experiment", id), *items, *shown;

	put_int(&asking->maker, parameters, "template_variables_id",
		member_int(given, "template_variables_id", 0));
	put_int(&asking->maker, parameters, "epoch", member_int(given, "epoch", 1));
	items = member(ask(asking, "ListResponses", parameters), "items");
	if (!items)
		return;
	shown = show_response(asking, project, id, json_object_array_get_idx(items, 0));
	if (shown)
		ask_answer(asking, 200, shown);
}

/* One that was made; or one that a model is to make, with all that the experiment lacks. */
void step_add_response(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *body = asking->exchange->json, *list, *parameters;
	int64_t task_id;

	if (!project)
		return;
	if (!is_made(body)) {
		parameters = step_of(asking, project, "experiment", member_int(body, "experiment_id", 0));
		if (ask(asking, "RunExperiment", parameters))
			answer_added(asking, project, body);
		return;
	}
	list = make_array(&asking->maker);
	append(&asking->maker, list, json_object_get(body));
	if (add_all(asking, project, list, &task_id))
		answer_added(asking, project, body);
	json_object_put(list);
}

/* Before anything is added. */
static bool name_experiments(struct asking *asking, json_object *list)
{
	struct fault fault = { 0 };
	char path[64];

	for (size_t i = 0; i < array_length(list) && !fault.code; i++) {
		if (member_int(json_object_array_get_idx(list, i), "experiment_id", 0) > 0)
			continue;
		snprintf(path, sizeof(path), "prompt_response_ins[%zu].experiment_id", i);
		(void)fault_invalid(&fault, path, "the id of an experiment");
	}
	return !step_fails(asking, &fault);
}

static void answer_task(struct asking *asking, int64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	ask_answer(asking, 200, make_text(&asking->maker, id ? text : BATCH_DONE));
}

void step_add_responses(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *list = member_array(asking->exchange->json, "prompt_response_ins");
	int64_t task_id;

	if (!project)
		return;
	if (array_length(list) == 0)
		http_answer(asking->exchange, 200, "application/json", "null", 4);
	else if (name_experiments(asking, list) && add_all(asking, project, list, &task_id))
		answer_task(asking, task_id);
}

void step_get_batch(struct asking *asking)
{
	json_object *answer;

	if (strcmp(asking->exchange->values[1], BATCH_DONE) != 0) {
		step_get_task(asking);
		return;
	}
	answer = make_object(&asking->maker);
	put_text(&asking->maker, answer, "status", "SUCCESS");
	put(&asking->maker, answer, "error_msg", NULL);
	ask_answer(asking, 200, answer);
}

/* ---- Ratings ---- */

void step_list_ratings(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_query_id(asking, "prompt_response_id") : -1;
	json_object *shown;
	struct fault fault = { 0 };

	if (id < 0)
		return;
	if (!id) {
		fault_invalid(&fault, "prompt_response_id", "the response whose ratings are asked for");
		ask_fail(asking, &fault);
		return;
	}
	shown = show_found(asking, project, get_response(asking, project, id));
	if (shown)
		step_answer_list(asking, json_object_get(member(shown, "ratings")),
				 (int64_t)array_length(member(shown, "ratings")));
	json_object_put(shown);
}

/* By the criteria and the judge of their experiment. NULL: the step returns. */
static json_object *rate(struct asking *asking, const char *project, json_object *ids, bool detach)
{
	json_object *parameters = step_parameters(asking, project);

	put(&asking->maker, parameters, "response_ids", json_object_get(ids));
	put_present(&asking->maker, parameters, "rating_mode", asking->exchange->json, "rating_mode");
	step_put_key(asking, parameters);
	if (detach)
		put_bool(&asking->maker, parameters, "detach", true);
	return member(ask(asking, "RateResponses", parameters), "task");
}

/* Waits for it. */
void step_rate_response(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *ids, *task, *shown, *response;
	int64_t id = member_int(asking->exchange->json, "prompt_response_id", 0);

	if (!project)
		return;
	ids = make_array(&asking->maker);
	append(&asking->maker, ids, make_int(&asking->maker, id));
	task = rate(asking, project, ids, /* detach= */ false);
	json_object_put(ids);
	if (!task)
		return;
	response = step_parameters(asking, project);
	put_int(&asking->maker, response, "response_id", id);
	shown = show_found(asking, project, ask(asking, "GetResponse", response));
	if (shown)
		ask_answer(asking, 200, json_object_get(member(shown, "ratings")));
	json_object_put(shown);
}

void step_rate_responses(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *ids = member_array(asking->exchange->json, "prompt_response_ids"), *task;

	if (!project)
		return;
	if (array_length(ids) == 0) {
		http_answer(asking->exchange, 200, "application/json", "null", 4);
		return;
	}
	task = rate(asking, project, ids, /* detach= */ true);
	if (task)
		answer_task(asking, member_int(task, "id", 0));
}
