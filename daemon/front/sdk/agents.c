/*
 * The dialect's results of agents: what ran elsewhere becomes the answers of an experiment over tasks, whose
 * rows have their names in a column. What an agent said and did between prompt and answer is the answer's transcript,
 * and what the dialect has beside it, the answer's annotation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/openai/form.h"
#include "daemon/front/sdk/steps.h"
#include "daemon/front/sdk/trajectory.h"
#include "elluminate-types.h"
#include "proto/content/template.h"
#include "proto/wire/method.h"

#define TASK_COLUMN "task"
#define ROWS_ITEMS 1000 // of a page
#define TRIALS_MAX 1000 // that a method takes at once
#define TASKS_MAX 10000
#define CRITERIA_SHOWN_MAX 20000 // of all tasks
#define SHOWN_MAX 100 // of tasks, beside an error, and of errors

/* ---- Tasks ---- */

/* What trials are held against. */
struct tasks {
	json_object *experiment; // borrowed
	json_object *criteria; // of that
	json_object *rows; // all of them
	json_object *by_name, *by_id; // rows; null where there is more than one
	json_object *texts; // of the criteria, by their ids
};

static void tasks_done(struct tasks *tasks)
{
	json_object_put(tasks->rows);
	json_object_put(tasks->by_name);
	json_object_put(tasks->by_id);
	json_object_put(tasks->texts);
}

static const char *name_of(json_object *row)
{
	return member_text(member(row, "input_values"), TASK_COLUMN);
}

static bool is_task(struct asking *asking, json_object *row)
{
	(void)asking;
	return name_of(row) != NULL;
}

/* Of whose row nothing is needed but the name. */
static bool is_task_by_name(struct asking *asking, json_object *row)
{
	static const char *const needed[] = { TASK_COLUMN };

	step_keep(member(row, "input_values"), needed, 1);
	return is_task(asking, row);
}

static void index_rows(struct json_maker *maker, struct tasks *tasks)
{
	char id[24];

	tasks->by_name = make_object(maker);
	tasks->by_id = make_object(maker);
	for (size_t i = 0; i < array_length(tasks->rows); i++) {
		json_object *row = json_object_array_get_idx(tasks->rows, i);
		bool again = json_object_object_get_ex(tasks->by_name, name_of(row), NULL);

		snprintf(id, sizeof(id), "%lld", (long long)member_int(row, "id", 0));
		json_object_object_del(tasks->by_name, name_of(row));
		put(maker, tasks->by_name, name_of(row), again ? NULL : json_object_get(row));
		put(maker, tasks->by_id, id, json_object_get(row));
	}
	tasks->texts = make_object(maker);
	for (size_t i = 0; i < array_length(tasks->criteria); i++) {
		json_object *criterion = json_object_array_get_idx(tasks->criteria, i);

		snprintf(id, sizeof(id), "%lld", (long long)member_int(criterion, "id", 0));
		put_copy(maker, tasks->texts, id, criterion, "criterion_str");
	}
}

/* Of the experiment of the path. False: the step returns. */
static bool get_tasks(struct asking *asking, const char *project, step_fits_fn *is_task_of, struct tasks *ret_tasks)
{
	json_object *experiment = project ? step_get(asking, project, "GetExperiment", "experiment") : NULL;
	json_object *parameters;
	struct fault fault = { 0 };
	int64_t count;

	*ret_tasks = (struct tasks){ .experiment = experiment };
	if (!experiment)
		return false;
	ret_tasks->criteria = member(member(experiment, "criterion_set"), "criteria");
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, "collection",
	    ref_name(&asking->maker, member_text(member(experiment, "collection"), "name")));
	ret_tasks->rows = step_list(asking, "ListTemplateVariables", parameters, ROWS_ITEMS, is_task_of, &count);
	if (!ret_tasks->rows)
		return false;
	if (count > 0 && count <= TASKS_MAX) {
		index_rows(&asking->maker, ret_tasks);
		return true;
	}
	tasks_done(ret_tasks);
	if (count > 0) {
		fault_set(&fault, ELLU_E_TOO_LARGE, "the experiment has too many tasks for this");
		fault.number = TASKS_MAX;
	} else {
		fault_invalid(&fault, "collection", "rows that have their tasks' names in a column `" TASK_COLUMN "`");
	}
	ask_fail(asking, &fault);
	return false;
}

static void put_task(struct json_maker *maker, json_object *to, json_object *row)
{
	put_copy(maker, to, "task_id", row, "id");
	put_text(maker, to, "task_name", row ? name_of(row) : NULL);
}

/* A criterion as it is asked of a row; what cannot be filled in stands as it is. Its bytes go into the sum. */
static json_object *show_criterion(struct asking *asking, json_object *criterion, json_object *row, size_t *bytes)
{
	struct json_maker *maker = &asking->maker;
	json_object *to = make_object(maker);
	const char *text = member_text(criterion, "criterion_str"), *label = member_text(criterion, "label");
	struct fault fault = { 0 };
	struct arena arena;
	const char *rendered;

	arena_init(&arena);
	if (template_render(text, member(row, "input_values"), &arena, &rendered, &fault) < 0)
		rendered = text;
	put_copy(maker, to, "criterion_id", criterion, "id");
	put_text(maker, to, "label", label ? label : text);
	put_text(maker, to, "scope", "shared");
	put_text(maker, to, "rendered_criterion_str", rendered);
	*bytes += strlen(rendered) + strlen(label ? label : text);
	arena_done(&arena);
	return to;
}

static json_object *show_task(struct asking *asking, const struct tasks *tasks, json_object *row, size_t *bytes)
{
	struct json_maker *maker = &asking->maker;
	json_object *task = make_object(maker), *criteria = make_array(maker);

	put_task(maker, task, row);
	for (size_t i = 0; i < array_length(tasks->criteria) && *bytes <= MESSAGE_SIZE_MAX; i++)
		append(maker, criteria,
		       show_criterion(asking, json_object_array_get_idx(tasks->criteria, i), row, bytes));
	put(maker, task, "criteria", criteria);
	return task;
}

/* NULL: it is too large, which has been answered. */
static json_object *show_tasks(struct asking *asking, const struct tasks *tasks)
{
	bool is_long = array_length(tasks->rows) * array_length(tasks->criteria) > CRITERIA_SHOWN_MAX;
	json_object *list = is_long ? NULL : make_array(&asking->maker);
	struct fault fault = { 0 };
	size_t bytes = 0;

	for (size_t i = 0; list && i < array_length(tasks->rows) && bytes <= MESSAGE_SIZE_MAX; i++)
		append(&asking->maker, list,
		       show_task(asking, tasks, json_object_array_get_idx(tasks->rows, i), &bytes));
	if (is_long) {
		fault_set(&fault, ELLU_E_TOO_LARGE, "the experiment has too many tasks and criteria for this");
		fault.number = CRITERIA_SHOWN_MAX;
	} else if (bytes > MESSAGE_SIZE_MAX) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "what is asked of all tasks");
	}
	if (!step_fails(asking, &fault))
		return list;
	json_object_put(list);
	return NULL;
}

void step_get_definition(struct asking *asking)
{
	const char *project = step_project(asking);
	struct json_maker *maker = &asking->maker;
	json_object *answer, *list;
	struct tasks tasks;

	if (!get_tasks(asking, project, is_task, &tasks))
		return;
	list = show_tasks(asking, &tasks);
	tasks_done(&tasks);
	if (!list)
		return;
	answer = make_object(maker);
	put_int(maker, answer, "version", 1);
	put_text(maker, answer, "task_name_column", TASK_COLUMN);
	put(maker, answer, "tasks", list);
	ask_answer(asking, 200, answer);
}

/* ---- Trials ---- */

/* Those of the request. False: there are none, or too many, and the step returns. */
static bool get_trials(struct asking *asking, json_object **ret_trials)
{
	struct fault fault = { 0 };

	*ret_trials = step_array(asking, "results");
	if (array_length(*ret_trials) <= TRIALS_MAX)
		return *ret_trials != NULL;
	fault_invalid(&fault, "results", "at most 1000 at once");
	ask_fail(asking, &fault);
	return false;
}

/* The row that a trial is of; NULL, with why there is none. */
static json_object *find_task(const struct tasks *tasks, json_object *trial, const char **ret_reason)
{
	const char *name = member_text(trial, "task_name");
	int64_t id = member_int(trial, "task_id", 0);
	json_object *row = NULL;
	bool known;
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	known = json_object_object_get_ex(id ? tasks->by_id : tasks->by_name, id ? text : name ? name : "", &row);
	*ret_reason = row ? NULL : known ? "more than one task has that name" : "no task is called so";
	return row;
}

static json_object *match(struct json_maker *maker, const struct tasks *tasks, json_object *trials,
			  int64_t *ret_matched)
{
	json_object *list = make_array(maker);

	*ret_matched = 0;
	for (size_t i = 0; i < array_length(trials); i++) {
		json_object *to = make_object(maker);
		const char *reason;

		put_task(maker, to, find_task(tasks, json_object_array_get_idx(trials, i), &reason));
		put_int(maker, to, "index", (int64_t)i);
		put_text(maker, to, "reason", reason);
		append(maker, list, to);
		*ret_matched += reason == NULL;
	}
	return list;
}

void step_match_trials(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *trials, *answer, *list;
	struct json_maker *maker = &asking->maker;
	struct tasks tasks;
	int64_t matched;

	if (!get_trials(asking, &trials) || !get_tasks(asking, project, is_task_by_name, &tasks))
		return;
	list = match(maker, &tasks, trials, &matched);
	answer = make_object(maker);
	put_text(maker, answer, "task_name_column", TASK_COLUMN);
	put_int(maker, answer, "matched", matched);
	put_int(maker, answer, "unmatched", (int64_t)array_length(trials) - matched);
	put(maker, answer, "results", list);
	tasks_done(&tasks);
	ask_answer(asking, 200, answer);
}

/* ---- Uploading ---- */

/* What came of an upload. */
struct uploaded {
	json_object *errors;
	int64_t responses, ratings;
	int64_t pending; // answers that nobody has rated
};

static void add_error(struct json_maker *maker, struct uploaded *uploaded, size_t i, const char *what)
{
	char text[300];

	if (array_length(uploaded->errors) >= SHOWN_MAX)
		return;
	snprintf(text, sizeof(text), "result %zu: %.250s", i, what);
	append(maker, uploaded->errors, make_text(maker, text));
}

static const char *criterion_text(const struct tasks *tasks, int64_t id)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)id);
	return member_text(tasks->texts, text);
}

static json_object *ratings_of(struct json_maker *maker, const struct tasks *tasks, json_object *trial, size_t i,
			       struct uploaded *uploaded)
{
	json_object *given = member_array(trial, "criterion_ratings"), *ratings = make_array(maker);

	for (size_t j = 0; j < array_length(given); j++) {
		json_object *one = json_object_array_get_idx(given, j), *rating = make_object(maker);
		const char *text = criterion_text(tasks, member_int(one, "criterion_id", 0));

		put_text(maker, rating, "criterion", text);
		put_copy(maker, rating, "rating", one, "rating");
		put_present(maker, rating, "reasoning", one, "reasoning");
		if (text) {
			append(maker, ratings, rating);
			continue;
		}
		json_object_put(rating);
		add_error(maker, uploaded, i, "the experiment has no criterion of that id");
	}
	return ratings;
}

/* What stands between the prompt and the answer, which is the last message of the assistant. */
static json_object *transcript_of(struct json_maker *maker, json_object *messages)
{
	json_object *transcript = make_array(maker);
	size_t first = 0, last = array_length(messages);

	while (last > 0 && !member_says(json_object_array_get_idx(messages, last - 1), "role", "assistant"))
		last--;
	while (first + 1 < last && (member_says(json_object_array_get_idx(messages, first), "role", "system") ||
				    member_says(json_object_array_get_idx(messages, first), "role", "user")))
		first++;
	for (size_t i = first; i + 1 < last; i++)
		append(maker, transcript, json_object_get(json_object_array_get_idx(messages, i)));
	return transcript;
}

static void put_numbers(struct json_maker *maker, json_object *made, json_object *trial)
{
	static const char *const taken[] = { "duration_seconds", "input_tokens", "output_tokens", "cached_tokens" };
	static const char *const noted[] = { "reward", "steps", "metadata" };
	json_object *notes = make_object(maker);

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		put_present(maker, made, taken[i], trial, taken[i]);
	for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++)
		put_present(maker, notes, noted[i], trial, noted[i]);
	put_price(maker, made, "cost", trial, "cost_usd");
	if (json_object_object_length(notes) > 0)
		put_text(maker, made, "annotation", json_object_to_json_string_ext(notes, JSON_C_TO_STRING_PLAIN));
	json_object_put(notes);
}

/* An answer of AddResponses. NULL: the trial has none, and an error says so, or the fault. */
static json_object *made_of(struct json_maker *maker, const struct tasks *tasks, json_object *trial, size_t i,
			    int64_t epoch, struct uploaded *uploaded, struct fault *fault)
{
	const char *reason, *failed = member_text(trial, "error");
	json_object *row = find_task(tasks, trial, &reason), *made, *given, *transcript, *error;
	json_object *messages = row ? trial_messages(maker, trial) : NULL;
	char path[64];

	if (row && !messages && member(trial, "trajectory"))
		add_error(maker, uploaded, i, "trajectory dropped: expected steps of " TRAJECTORY);
	if (!row || (array_length(messages) == 0 && !failed)) {
		add_error(maker, uploaded, i, row ? "nothing that an agent said" : reason);
		json_object_put(messages);
		return NULL;
	}
	snprintf(path, sizeof(path), "results[%zu].messages", i);
	given = make_object(maker);
	put_copy(maker, given, "template_variables_id", row, "id");
	put_int(maker, given, "epoch", epoch);
	if (failed) {
		made = json_object_get(given);
		error = make_object(maker);
		put_text(maker, error, "code", "BackendRejected");
		put_text(maker, error, "message", failed);
		put(maker, made, "error", error);
	} else {
		put(maker, given, "messages", json_object_get(messages));
		made = our_response(maker, given, path, fault);
		json_object_put(messages);
		messages = made ? messages_from_openai(maker, member(given, "messages"), path, fault) : NULL;
	}
	if (made && !failed) {
		transcript = transcript_of(maker, messages);
		if (array_length(transcript) > 0)
			put(maker, made, "transcript", json_object_get(transcript));
		json_object_put(transcript);
		put(maker, made, "ratings", ratings_of(maker, tasks, trial, i, uploaded));
	}
	if (made)
		put_numbers(maker, made, trial);
	json_object_put(messages);
	json_object_put(given);
	return made;
}

/* False: the step returns. */
static bool add_trials(struct asking *asking, const char *project, const struct tasks *tasks, json_object *trials,
		       struct uploaded *uploaded)
{
	int64_t epoch = member_int(asking->exchange->json, "epoch", 1), n_ratings = 0, n_unrated = 0, added;
	json_object *parameters = step_of(asking, project, "experiment", member_int(tasks->experiment, "id", 0));
	json_object *made = make_array(&asking->maker), *answer;
	struct fault fault = { 0 };

	for (size_t i = 0; i < array_length(trials) && !fault.code; i++) {
		json_object *one = made_of(&asking->maker, tasks, json_object_array_get_idx(trials, i), i, epoch,
					   uploaded, &fault);

		n_ratings += (int64_t)array_length(member(one, "ratings"));
		n_unrated += one && !member(one, "error") &&
			     array_length(member(one, "ratings")) < array_length(tasks->criteria);
		if (one)
			append(&asking->maker, made, one);
	}
	put(&asking->maker, parameters, "responses", made);
	if (step_fails(asking, &fault) || array_length(made) == 0) {
		json_object_put(parameters);
		return !fault.code && !asking->maker.failed;
	}
	added = (int64_t)array_length(made);
	answer = ask(asking, "AddResponses", parameters);
	if (!answer)
		return false;
	/* Those that were there already stay as they are. */
	if (member_int(answer, "added", 0) == added)
		uploaded->ratings += n_ratings;
	uploaded->responses += member_int(answer, "added", 0);
	uploaded->pending += n_unrated;
	return true;
}

/* None of them is of a task: which there are. */
static void refuse_trials(struct asking *asking, const struct tasks *tasks, json_object *matches)
{
	struct json_maker *maker = &asking->maker;
	json_object *answer = make_object(maker), *accepted = make_array(maker), *task;

	for (size_t i = 0; i < array_length(tasks->rows) && i < SHOWN_MAX; i++) {
		task = make_object(maker);
		put_task(maker, task, json_object_array_get_idx(tasks->rows, i));
		append(maker, accepted, task);
	}
	put_text(maker, answer, "detail", "none of the results is of a task of the experiment");
	put_text(maker, answer, "kind", "unmatched_tasks");
	put(maker, answer, "accepted_tasks", accepted);
	put_int(maker, answer, "accepted_tasks_total", (int64_t)array_length(tasks->rows));
	put(maker, answer, "results", json_object_get(matches));
	ask_answer(asking, 400, answer);
}

/* What nobody has rated yet is, if that is wanted: the task in `*ret_id`, or 0. False: the step returns. */
static bool evaluate(struct asking *asking, const char *project, const struct tasks *tasks,
		     const struct uploaded *uploaded, int64_t *ret_id)
{
	json_object *wanted = member(asking->exchange->json, "evaluate"), *parameters, *answer;

	*ret_id = 0;
	if ((wanted && !json_object_get_boolean(wanted)) || !uploaded->pending || array_length(tasks->criteria) == 0)
		return true;
	parameters = step_of(asking, project, "experiment", member_int(tasks->experiment, "id", 0));
	put_bool(&asking->maker, parameters, "detach", true);
	answer = ask(asking, "RateExperiment", parameters);
	*ret_id = member_int(member(answer, "task"), "id", 0);
	return answer != NULL;
}

static void answer_uploaded(struct asking *asking, const struct uploaded *uploaded, int64_t task_id)
{
	struct json_maker *maker = &asking->maker;
	json_object *answer = make_object(maker);
	char id[24];

	snprintf(id, sizeof(id), "%lld", (long long)task_id);
	put_int(maker, answer, "created_responses", uploaded->responses);
	put_int(maker, answer, "created_ratings", uploaded->ratings);
	put(maker, answer, "errors", json_object_get(uploaded->errors));
	put_int(maker, answer, "pending_evaluations", task_id ? uploaded->pending : 0);
	put_text(maker, answer, "evaluation_task_id", task_id ? id : NULL);
	ask_answer(asking, 200, answer);
}

void step_add_trials(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *trials, *matches;
	struct uploaded uploaded = { 0 };
	int64_t matched, task_id;
	struct tasks tasks;
	bool goes_on;

	if (!get_trials(asking, &trials) || !get_tasks(asking, project, is_task_by_name, &tasks))
		return;
	matches = match(&asking->maker, &tasks, trials, &matched);
	goes_on = matched > 0 || array_length(trials) == 0;
	if (!goes_on)
		refuse_trials(asking, &tasks, matches);
	json_object_put(matches);
	uploaded.errors = make_array(&asking->maker);
	if (goes_on && add_trials(asking, project, &tasks, trials, &uploaded) &&
	    evaluate(asking, project, &tasks, &uploaded, &task_id))
		answer_uploaded(asking, &uploaded, task_id);
	json_object_put(uploaded.errors);
	tasks_done(&tasks);
}
