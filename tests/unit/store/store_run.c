/* Runs: what is missing, recording, and changes of their tasks. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

static struct fixture f;

static void page(const struct run_spec *spec, struct case_cursor cursor, size_t scan,
		 struct cases_page *op)
{
	*op = (struct cases_page){
		.run_id = spec->run_id,
		.n_measures = spec->n_measures,
		.cursor = cursor,
		.scan = scan,
	};
	CALL_OK(&f, store_cases_page, op);
}

START_TEST(missing_is_pinned_minus_recorded)
{
	const struct ellu_task *task;
	const struct run_spec *spec;
	struct cases_page op;
	int64_t id;

	fixture_open(&f);
	task = submit_grid(&f, "");
	spec = load_run(&f, *task->experiment_id);
	page(spec, (struct case_cursor){ 0 }, 100, &op);
	ck_assert_uint_eq(op.ret_n_cases, 8);
	ck_assert(op.ret_end);
	ck_assert_str_eq(op.ret_cases[3].input_values, "{\"n\":4}");
	ck_assert_int_eq(op.ret_cases[3].row_number, 4);
	ck_assert_int_eq(op.ret_cases[4].epoch, 2);
	ck_assert_int_eq(op.ret_cases[4].row_number, 1);
	/* Row 1: complete. Row 2: one rating. Row 3: failed. */
	id = answer(&f, spec, 1, 1, "one");
	rate(&f, spec, id, 1, 0, 1, false);
	rate(&f, spec, id, 1, 1, -1, true);
	id = answer(&f, spec, 2, 1, "two");
	rate(&f, spec, id, 1, 1, 0, false);
	answer(&f, spec, 3, 1, NULL);
	page(spec, (struct case_cursor){ 0 }, 100, &op);
	ck_assert_uint_eq(op.ret_n_cases, 6);
	ck_assert_int_eq(op.ret_cases[0].row_id, 2);
	ck_assert_int_eq(op.ret_cases[0].response_id, id);
	ck_assert_str_eq(op.ret_cases[0].response_text, "two");
	ck_assert_uint_eq(op.ret_cases[0].n_decided, 1);
	ck_assert_int_eq(op.ret_cases[0].decided[0].measure_id, spec->measures[1].id);
	ck_assert_int_eq(op.ret_cases[1].row_id, 4);
	spec = load_run(&f, *task->experiment_id);
	ck_assert_int_eq(spec->epochs[0].generated, 3);
	ck_assert_int_eq(spec->epochs[0].rated, 2);
	ck_assert_int_eq(spec->epochs[0].failed, 1);
	ck_assert_int_eq(spec->cost_nanodollars, 21);
	/* In steps of three pairs. */
	page(spec, (struct case_cursor){ 0 }, 3, &op);
	ck_assert_uint_eq(op.ret_n_cases, 1);
	ck_assert(!op.ret_end);
	page(spec, op.ret_cursor, 3, &op);
	ck_assert_uint_eq(op.ret_n_cases, 3);
	ck_assert_int_eq(op.ret_cases[2].epoch, 2);
	ck_assert_int_eq(op.ret_cases[2].row_number, 2);
	page(spec, op.ret_cursor, 3, &op);
	ck_assert_uint_eq(op.ret_n_cases, 2);
	ck_assert(op.ret_end);
	fixture_close(&f);
}
END_TEST

START_TEST(recorded_once)
{
	const struct ellu_task *task;
	const struct run_spec *spec;
	int64_t id;

	fixture_open(&f);
	task = submit_grid(&f, "");
	spec = load_run(&f, *task->experiment_id);
	id = answer(&f, spec, 1, 1, "first");
	ck_assert_int_eq(answer(&f, spec, 1, 1, "second"), id);
	rate(&f, spec, id, 1, 0, 1, false);
	rate(&f, spec, id, 1, 0, 0, false);
	spec = load_run(&f, *task->experiment_id);
	ck_assert_int_eq(spec->epochs[0].generated, 1);
	ck_assert_int_eq(spec->epochs[0].ratings, 1);
	ck_assert_int_eq(spec->input_tokens, 2 * (10 + 1)); // spent all the same
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE response_text = 'first'"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT value FROM ratings"), 1);
	fixture_close(&f);
}
END_TEST

START_TEST(limits_rows)
{
	const struct ellu_task *task;
	const struct run_spec *spec;
	struct cases_page op;

	fixture_open(&f);
	task = submit_grid(&f, ", \"row_limit\": 3");
	ck_assert_int_eq(task->progress->total_responses, 6);
	spec = load_run(&f, *task->experiment_id);
	page(spec, (struct case_cursor){ 0 }, 100, &op);
	ck_assert_uint_eq(op.ret_n_cases, 6);
	ck_assert_int_eq(op.ret_cases[5].row_id, 3);
	fixture_close(&f);
}
END_TEST

START_TEST(reads_responses_and_ratings)
{
	const struct ellu_task *task;
	const struct run_spec *spec;
	struct method_run responses = { .scope = own }, filtered = { .scope = own };
	struct method_run ratings = { .scope = own };
	const struct ellu_list_responses_reply *page;
	const struct ellu_list_ratings_reply *rated;
	int64_t first, second;

	fixture_open(&f);
	task = submit_grid(&f, "");
	spec = load_run(&f, *task->experiment_id);
	first = answer(&f, spec, 1, 1, "one");
	rate(&f, spec, first, 1, 0, 1, false);
	rate(&f, spec, first, 1, 1, -1, true);
	second = answer(&f, spec, 2, 1, NULL);
	method_of(&f, &responses, METHOD_LIST_RESPONSES,
				     "{\"experiment\": {\"name\": \"X\"}, \"limit\": 1, \"count\": true}");
	CALL_OK(&f, store_method_run, &responses);
	page = page_of(&f, &responses.request, &ellu_list_responses_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_int_eq(*page->count, 2);
	ck_assert_str_eq(page->items[0]->response_text, "one");
	ck_assert_str_eq(page->items[0]->template_variables->input_values, "{\"n\":1}");
	ck_assert_uint_eq(page->items[0]->n_ratings, 2);
	ck_assert_str_eq(page->items[0]->ratings[0]->rating, "YES");
	ck_assert_ptr_null(page->items[0]->ratings[1]->rating);
	ck_assert_str_eq(page->items[0]->ratings[1]->error->code, "BackendRejected");
	ck_assert_str_eq(page->items[0]->messages[0]->content, "1");
	method_of(&f, &responses, METHOD_LIST_RESPONSES,
				     "{\"experiment\": {\"name\": \"X\"}, \"cursor\": \"%s\"}",
				     page->next_cursor);
	CALL_OK(&f, store_method_run, &responses);
	page = page_of(&f, &responses.request, &ellu_list_responses_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_int_eq(page->items[0]->id, second);
	ck_assert_str_eq(page->items[0]->error->code, "BackendUnavailable");
	ck_assert_ptr_null(page->next_cursor);
	method_of(&f, &filtered, METHOD_LIST_RESPONSES,
				    "{\"experiment\": {\"name\": \"X\"}, \"failed\": false,"
				    " \"criterion_id\": %d, \"rating\": \"YES\"}",
				    (int)spec->measures[0].criterion_id);
	CALL_OK(&f, store_method_run, &filtered);
	page = page_of(&f, &filtered.request, &ellu_list_responses_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	method_of(&f, &ratings, METHOD_LIST_RATINGS,
				   "{\"experiment\": {\"id\": 1}, \"response_id\": %d, \"count\": true}",
				   (int)first);
	CALL_OK(&f, store_method_run, &ratings);
	rated = page_of(&f, &ratings.request, &ellu_list_ratings_reply_type);
	ck_assert_uint_eq(rated->n_items, 2);
	ck_assert_int_eq(*rated->count, 2);
	ck_assert_str_eq(rated->items[0]->criterion->criterion_str, "A?");
	ck_assert_str_eq(rated->items[0]->judge, "simulated");
	method_of(&f, &ratings, METHOD_LIST_RATINGS,
				   "{\"experiment\": {\"id\": 1}, \"cursor\": \"r1.0\"}");
	ck_assert_int_eq(CALL(&f, store_method_run, &ratings), ELLU_E_INVALID_PARAMETER);
	fixture_close(&f);
}
END_TEST

START_TEST(changes_are_guarded)
{
	struct task_change late = { .attempt = 1, .status = TASK_SUCCESS };
	struct task_change cancel = { .status = TASK_REVOKED };
	struct task_events_page events = { .scope = own };
	struct task_log log = { 0 };
	const char *const lines[] = { "one", "two\nand more" };
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_grid(&f, "");
	ck_assert_int_eq(claim(&f, task->id), 1);
	finish(&f, task->id, TASK_PENDING);
	ck_assert_int_eq(claim(&f, task->id), 2);
	late.task_id = cancel.task_id = log.task_id = events.task_id = task->id;
	CALL_OK(&f, store_task_change, &late);
	ck_assert(!late.ret_changed);
	ck_assert_str_eq(late.ret_task->status, "STARTED");
	log.lines = lines;
	log.n_lines = 2;
	CALL_OK(&f, store_task_log, &log);
	CALL_OK(&f, store_task_change, &cancel);
	ck_assert(cancel.ret_changed);
	CALL_OK(&f, store_task_change, &cancel);
	ck_assert(!cancel.ret_changed);
	CALL_OK(&f, store_task_events_page, &events);
	/* PENDING STARTED PENDING STARTED one two REVOKED */
	ck_assert_uint_eq(events.ret_n_rows, 7);
	ck_assert_int_eq(events.ret_last_sequence, 7);
	ck_assert_int_eq(log.ret_first_sequence, 5);
	ck_assert_str_eq(log.ret_lines[1], "two");
	ck_assert_str_eq(events.ret_rows[5].line, "two");
	ck_assert_int_eq(events.ret_rows[6].status, TASK_REVOKED);
	ck_assert_ptr_null(events.ret_rows[6].line);
	events.after_sequence = 6;
	CALL_OK(&f, store_task_events_page, &events);
	ck_assert_uint_eq(events.ret_n_rows, 1);
	/* Nothing follows the end. */
	CALL_OK(&f, store_task_log, &log);
	ck_assert_int_eq(log.ret_first_sequence, 0);
	ck_assert_int_eq(log.request.last_event, 0);
	CALL_OK(&f, store_task_events_page, &events);
	ck_assert_int_eq(events.ret_last_sequence, 7);
	fixture_close(&f);
}
END_TEST

START_TEST(events_have_one_number_and_the_hold)
{
	struct task_events_page events = { .scope = own };
	struct task_log log = { .n_lines = 2 };
	const char *const lines[] = { "one", "two" };
	const struct ellu_task *first, *second;
	int64_t last;

	fixture_open(&f);
	first = submit_grid(&f, "");
	second = submit(&f, "{\"name\": \"Y\", \"prompt_template\": {\"ref\": {\"name\": \"T\"}},"
			    " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	log.lines = lines;
	log.task_id = events.task_id = first->id;
	look_run(&f, "UPDATE tasks SET hold = 'user' WHERE id = 1");
	CALL_OK(&f, store_task_log, &log);
	ck_assert_int_eq(log.request.last_event, log.request.first_event + 1);
	last = log.request.last_event;
	look_run(&f, "UPDATE tasks SET hold = NULL WHERE id = 1");
	log.task_id = second->id;
	CALL_OK(&f, store_task_log, &log);
	ck_assert_int_eq(log.request.first_event, last + 1);
	CALL_OK(&f, store_task_events_page, &events);
	ck_assert_ptr_null(events.ret_rows[0].hold);
	ck_assert_str_eq(events.ret_rows[events.ret_n_rows - 1].hold, "user");
	/* A restart goes on above every number there was, also of events that are gone. */
	last = log.request.last_event;
	fixture_restart(&f);
	log.task_id = first->id;
	CALL_OK(&f, store_task_log, &log);
	ck_assert_int_eq(log.request.first_event, last + 1);
	last = log.request.last_event;
	look_run(&f, "DELETE FROM task_events WHERE task_id = 1");
	fixture_restart(&f);
	log.task_id = second->id;
	CALL_OK(&f, store_task_log, &log);
	ck_assert_int_eq(log.request.first_event, last + 1);
	fixture_close(&f);
}
END_TEST

/* What is told of a task goes on behind what was shown of it. */
START_TEST(tasks_are_shown_as_they_were)
{
	struct events_tasks_page shown = { .scope = own };
	struct events_page events = { .scope = own };
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_grid(&f, "");
	CALL_OK(&f, store_events_page, &events);
	ck_assert_uint_eq(events.ret_n_rows, 1);
	shown.position = (struct events_position){ .number = events.ret_number, .known_id = task->id };
	ck_assert_int_eq(claim(&f, task->id), 1);
	finish(&f, task->id, TASK_SUCCESS);
	CALL_OK(&f, store_events_tasks_page, &shown);
	ck_assert_uint_eq(shown.ret_n_tasks, 1);
	CALL_OK(&f, store_events_page, &events);
	ck_assert_uint_eq(events.ret_n_rows, 3);
	for (int i = 0; i < 2; i++) {
		const struct ellu_task *was = i == 0 ? shown.ret_tasks[0] : events.ret_rows[0].task;

		ck_assert_str_eq(was->status, "PENDING");
		ck_assert_int_eq(was->sequence, 1);
		ck_assert(!was->started_at && !was->finished_at);
	}
	ck_assert_ptr_null(events.ret_rows[1].task);
	ck_assert_str_eq(events.ret_rows[2].task->status, "SUCCESS");
	ck_assert(events.ret_rows[2].task->finished_at != NULL);
	/* Where it has begun. */
	shown.position.number = events.ret_rows[1].number;
	CALL_OK(&f, store_events_tasks_page, &shown);
	ck_assert_uint_eq(shown.ret_n_tasks, 1);
	ck_assert_str_eq(shown.ret_tasks[0]->status, "STARTED");
	ck_assert_int_eq(shown.ret_tasks[0]->sequence, 2);
	ck_assert(shown.ret_tasks[0]->started_at && !shown.ret_tasks[0]->finished_at);
	fixture_close(&f);
}
END_TEST

START_TEST(idle_claims_end_a_task)
{
	struct task_claim op = { 0 };
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_grid(&f, "");
	for (int i = 0; i < 3; i++) {
		claim(&f, task->id);
		fixture_restart(&f);
	}
	answer(&f, load_run(&f, *task->experiment_id), 1, 1, "something");
	for (int i = 0; i < 5; i++) {
		claim(&f, task->id);
		fixture_restart(&f);
		/* What is given back did no harm, and is not counted. */
		if (i < 4) {
			claim(&f, task->id);
			finish(&f, task->id, TASK_PENDING);
		}
	}
	op.task_id = task->id;
	CALL_OK(&f, store_task_claim, &op);
	ck_assert(!op.ret_changed);
	ck_assert_str_eq(op.ret_task->status, "FAILURE");
	ck_assert_ptr_nonnull(strstr(op.ret_task->error->message, "5 times"));
	fixture_close(&f);
}
END_TEST

START_TEST(lists_tasks)
{
	struct method_run all = { .scope = { .uid = 0, .all = true } }, mine = { .scope = own };
	struct tasks_pending_page pending = { 0 };
	const struct ellu_list_tasks_reply *page;

	fixture_open(&f);
	submit_grid(&f, "");
	for (int i = 0; i < 5; i++)
		submit(&f, "{\"name\": \"Y%d\", \"prompt_template\": {\"ref\": {\"name\": \"T\"}},"
			   " \"collection\": {\"ref\": {\"name\": \"C\"}}}", i);
	finish(&f, 3, TASK_REVOKED);
	method_of(&f, &mine, METHOD_LIST_TASKS, "{\"limit\": 2, \"count\": true}");
	CALL_OK(&f, store_method_run, &mine);
	page = page_of(&f, &mine.request, &ellu_list_tasks_reply_type);
	ck_assert_uint_eq(page->n_items, 2);
	ck_assert_int_eq(page->items[0]->id, 6);
	ck_assert_int_eq(*page->count, 6);
	method_of(&f, &mine, METHOD_LIST_TASKS, "{\"cursor\": \"%s\"}",
				page->next_cursor);
	CALL_OK(&f, store_method_run, &mine);
	page = page_of(&f, &mine.request, &ellu_list_tasks_reply_type);
	ck_assert_uint_eq(page->n_items, 4);
	ck_assert_ptr_null(page->next_cursor);
	method_of(&f, &all, METHOD_LIST_TASKS, "{\"status\": \"REVOKED\"}");
	CALL_OK(&f, store_method_run, &all);
	page = page_of(&f, &all.request, &ellu_list_tasks_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_int_eq(page->items[0]->id, 3);
	CALL_OK(&f, store_tasks_pending_page, &pending);
	ck_assert_uint_eq(pending.ret_n_tasks, 5);
	ck_assert_str_eq(pending.ret_tasks[0].priority, "normal");
	fixture_close(&f);
}
END_TEST

/* ---- Taking over ---- */

/* An experiment of the name X over these rows, brought to them if it is there. */
static const struct ellu_task *submit_rows(const char *rows)
{
	return submit(&f, "{\"name\": \"X\", \"update_existing\": true, \"prompt_template\": {\"content\":"
			  " {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [%s]}}}", rows);
}

/* To its end; answers what the costliest step took. */
static int64_t take_over(int64_t experiment_id)
{
	struct run_take_over op = { .run_id = load_run(&f, experiment_id)->run_id };
	int64_t most = 0;

	do {
		CALL_OK(&f, store_run_take_over, &op);
		most = op.request.steps > most ? op.request.steps : most;
	} while (!op.ret_end);
	return most;
}

/* Rows count by value: that they share a hash does not make them equal. And however many rows came in
 * between: they are looked up in chunks of 65,536. */
START_TEST(takes_over_what_is_equal)
{
	const struct ellu_task *task;
	const struct run_spec *spec;

	fixture_open(&f);
	task = submit_rows("{\"n\": 1, \"m\": 0}, {\"n\": 2, \"m\": 0}, {\"n\": 3, \"m\": 0}");
	spec = load_run(&f, *task->experiment_id);
	answer(&f, spec, 1, 1, "one");
	answer(&f, spec, 2, 1, "two");
	answer(&f, spec, 3, 1, "three");
	claim(&f, task->id);
	finish(&f, task->id, TASK_SUCCESS);
	fixture_stop(&f);
	look_run(&f, "UPDATE sqlite_sequence SET seq = 140000 WHERE name = 'template_variables'");
	fixture_start(&f);
	task = submit_rows("{\"m\": 0, \"n\": 2}, {\"n\": 4, \"m\": 0}");
	fixture_stop(&f);
	look_run(&f, "UPDATE template_variables SET hash = 7");
	fixture_start(&f);
	take_over(*task->experiment_id);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE taken_from > 0"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE taken_from = 2"
				      " AND response_text = 'two' AND template_variables_id = 140001"),
			 1);
	fixture_close(&f);
}
END_TEST

/* However many rows are the same, a step holds the writer no longer. */
START_TEST(takes_over_in_steps)
{
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit_rows("{\"n\": 1}");
	claim(&f, task->id);
	finish(&f, task->id, TASK_SUCCESS);
	task = submit_rows("{\"n\": 1}, {\"n\": 2}");
	fixture_stop(&f);
	look_run(&f, "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 20000)"
		     " INSERT INTO template_variables (owner_uid, project_id, batch_id, input_values,"
		     "  hash, created_at) SELECT v.owner_uid, v.project_id, v.batch_id, v.input_values,"
		     "  v.hash, v.created_at FROM template_variables v, k WHERE v.id = 1;"
		     "UPDATE template_variables SET hash = (SELECT hash FROM template_variables"
		     " WHERE id = 1)");
	fixture_start(&f);
	ck_assert_int_lt(take_over(*task->experiment_id), 100000);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(missing_is_pinned_minus_recorded, takes_over_what_is_equal,
			 takes_over_in_steps, recorded_once, limits_rows,
			 reads_responses_and_ratings, changes_are_guarded,
			 events_have_one_number_and_the_hold, tasks_are_shown_as_they_were,
			 idle_claims_end_a_task, lists_tasks);
}
