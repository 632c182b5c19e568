/*
 * Lists: pages end by what they take on the wire, everything comes in its order, and what one user
 * keeps costs another nothing.
 */
#include "tests/unit/store/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/engine/tx.h"
#include "proto/limits.h"
#include "tests/unit/suite.h"

static struct fixture f;

/* `n` times the text; the caller frees it. */
static char *repeat(const char *text, size_t n)
{
	size_t size = strlen(text);
	char *all = malloc(n * size + 1);

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * size, text, size);
	all[n * size] = '\0';
	return all;
}

/* ---- Bytes ---- */

static const struct ellu_list_responses_reply *list_responses(const char *more, size_t *ret_size)
{
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_LIST_RESPONSES,
			      "{\"experiment\": {\"name\": \"X\"}%s}", more);
	CALL_OK(&f, store_method_run, &op);
	*ret_size = op.request.text_size;
	return page_of(&f, &op.request, &ellu_list_responses_reply_type);
}

static const char *cursor_of(const char *next_cursor)
{
	static char text[100];

	snprintf(text, sizeof(text), ", \"cursor\": \"%s\"", next_cursor);
	return text;
}

/* An ordinary prompt, 200 KiB long, and as many answers as a page has by default: what is stored
 * is little, what is shown is not. */
START_TEST(rendered_messages_end_pages)
{
	char *words = repeat("word ", 40 * 1024);
	char *rows = repeat("{\"n\": 1}, ", 60);
	const struct ellu_list_responses_reply *page;
	const struct ellu_task *task;
	const struct run_spec *spec;
	size_t n = 0, size;

	fixture_open(&f);
	rows[strlen(rows) - 2] = '\0';
	task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"%s{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [%s]}}}",
		      words, rows);
	spec = load_run(&f, *task->experiment_id);
	for (int64_t row = 1; row <= 60; row++)
		answer(&f, spec, row, 1, "short");
	page = list_responses(", \"count\": true", &size);
	ck_assert_int_eq(*page->count, 60);
	for (;;) {
		ck_assert_uint_gt(page->n_items, 0);
		ck_assert_uint_le(size, PAGE_BYTES_MAX);
		for (size_t i = 0; i < page->n_items; i++) {
			ck_assert_int_eq(page->items[i]->template_variables->id, (int64_t)++n);
			ck_assert_uint_eq(strlen(page->items[i]->messages[0]->content),
					  strlen(words) + 1);
		}
		if (!page->next_cursor)
			break;
		page = list_responses(cursor_of(page->next_cursor), &size);
	}
	ck_assert_uint_eq(n, 60);
	free(words);
	free(rows);
	fixture_close(&f);
}
END_TEST

/* What no message could hold is shown without its largest parts, and the list goes on. */
START_TEST(an_item_that_no_message_holds)
{
	/* 600 KiB of control characters, six times that as JSON, five times in the prompt. */
	char *cell = repeat("\\u0001", 600 * 1024);
	const struct ellu_list_responses_reply *page;
	const struct ellu_task *task;
	const struct run_spec *spec;
	size_t size;

	fixture_open(&f);
	task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\":"
			  " \"{{n}}{{n}}{{n}}{{n}}{{n}}\"}]}}, \"collection\": {\"content\": {\"name\": \"C\","
			  " \"variables\": [{\"n\": \"%s\"}, {\"n\": \"small\"}]}}}", cell);
	spec = load_run(&f, *task->experiment_id);
	answer(&f, spec, 1, 1, "one");
	answer(&f, spec, 2, 1, "two");
	page = list_responses(", \"limit\": 1", &size);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_uint_lt(size, MESSAGE_SIZE_MAX);
	ck_assert_str_eq(page->items[0]->response_text, "one");
	ck_assert_uint_eq(page->items[0]->n_messages, 0);
	ck_assert_str_eq(page->items[0]->left_out->code, "TooLarge");
	ck_assert_str_eq(page->items[0]->left_out->resource_type, "response");
	ck_assert_int_eq(*page->items[0]->left_out->id, page->items[0]->id);
	page = list_responses(cursor_of(page->next_cursor), &size);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_str_eq(page->items[0]->response_text, "two");
	ck_assert_uint_eq(page->items[0]->n_messages, 1);
	ck_assert_ptr_null(page->items[0]->left_out);
	ck_assert_ptr_null(page->next_cursor);
	free(cell);
	fixture_close(&f);
}
END_TEST

/* Tasks of a thousand epochs, which tell of some; experiments with as much text of criteria as there may be. */
START_TEST(tasks_and_experiments_end_pages)
{
	char *criterion = repeat("Is it well written? ", 25 * 1024);
	struct method_run experiments = { .scope = own };
	struct method_run tasks = { .scope = own };
	const struct ellu_list_experiments_reply *page;
	const struct ellu_list_tasks_reply *some;
	size_t n = 0;

	fixture_open(&f);
	for (int i = 0; i < 100; i++)
		submit(&f, "{\"name\": \"X%d\", \"n_epochs\": 1000, \"run_afresh\": true,"
			   " \"update_existing\": true, \"prompt_template\": {\"content\": {\"name\": \"T\","
			   " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}}, \"collection\":"
			   " {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}%s%s%s}", i,
		       i < 10 ? ", \"criteria\": [\"" : "", i < 10 ? criterion : "",
		       i < 10 ? "\"]" : "");
	method_of(&f, &tasks, METHOD_LIST_TASKS, "{\"limit\": 1000}");
	CALL_OK(&f, store_method_run, &tasks);
	some = page_of(&f, &tasks.request, &ellu_list_tasks_reply_type);
	ck_assert_uint_eq(some->n_items, 100);
	for (size_t i = 0; i < some->n_items; i++)
		ck_assert_uint_eq(some->items[i]->progress->n_epochs, EPOCHS_TOLD_MAX);
	ck_assert_int_eq(some->items[0]->progress->total_responses, 1000);
	ck_assert_int_eq(some->items[0]->progress->epochs[0]->epoch, 1);
	ck_assert_uint_le(tasks.request.text_size, PAGE_BYTES_MAX);
	ck_assert_uint_eq(((const struct listed_tasks *)tasks.ret_beside)->n, some->n_items);
	method_of(&f, &experiments, METHOD_LIST_EXPERIMENTS, "{\"count\": true}");
	for (;;) {
		CALL_OK(&f, store_method_run, &experiments);
		page = page_of(&f, &experiments.request, &ellu_list_experiments_reply_type);
		ck_assert_uint_le(experiments.request.text_size, PAGE_BYTES_MAX);
		n += page->n_items;
		if (!page->next_cursor)
			break;
		method_of(&f, &experiments, METHOD_LIST_EXPERIMENTS,
					       "{\"cursor\": \"%s\"}", page->next_cursor);
	}
	ck_assert_uint_eq(n, 100);
	free(criterion);
	fixture_close(&f);
}
END_TEST

/* ---- Order ---- */

/* Answers and verdicts that come in another order than that of rows, epochs and criteria. */
START_TEST(in_the_order_of_rows_epochs_and_criteria)
{
	const struct ellu_list_responses_reply *page;
	const struct ellu_list_ratings_reply *some;
	struct method_run ratings = { .scope = own };
	const struct ellu_task *task;
	const struct run_spec *spec;
	int64_t ids[4][2];
	size_t size, n = 0;

	fixture_open(&f);
	task = submit_grid(&f, "");
	spec = load_run(&f, *task->experiment_id);
	for (int64_t row = 3; row >= 0; row--)
		for (int64_t epoch = 1; epoch >= 0; epoch--) {
			ids[row][epoch] = answer(&f, spec, row + 1, epoch + 1, "text");
			rate(&f, spec, ids[row][epoch], epoch + 1, 1, 1, false);
			rate(&f, spec, ids[row][epoch], epoch + 1, 0, 0, true);
		}
	page = list_responses(", \"count\": true", &size);
	ck_assert_uint_eq(page->n_items, 8);
	ck_assert_int_eq(*page->count, 8);
	for (size_t i = 0; i < 8; i++) {
		ck_assert_int_eq(page->items[i]->id, ids[i / 2][i % 2]);
		ck_assert_str_eq(page->items[i]->ratings[0]->criterion->criterion_str, "A?");
		ck_assert_str_eq(page->items[i]->ratings[1]->criterion->criterion_str, "B?");
	}
	page = list_responses(", \"order\": \"arrival\", \"limit\": 3", &size);
	ck_assert_int_eq(page->items[0]->id, ids[3][1]);
	page = list_responses(", \"epoch\": 2, \"limit\": 1", &size);
	ck_assert_int_eq(page->items[0]->id, ids[0][1]);
	method_of(&f, &ratings, METHOD_LIST_RATINGS,
				   "{\"experiment\": {\"id\": 1}, \"limit\": 3, \"count\": true}");
	for (;;) {
		CALL_OK(&f, store_method_run, &ratings);
		some = page_of(&f, &ratings.request, &ellu_list_ratings_reply_type);
		for (size_t i = 0; i < some->n_items; i++, n++) {
			ck_assert_int_eq(some->items[i]->response_id, ids[n / 4][n / 2 % 2]);
			ck_assert_str_eq(some->items[i]->criterion->criterion_str, n % 2 ? "B?" : "A?");
		}
		if (!some->next_cursor)
			break;
		method_of(&f, &ratings, METHOD_LIST_RATINGS,
					   "{\"experiment\": {\"id\": 1}, \"limit\": 3, \"cursor\": \"%s\"}",
					   some->next_cursor);
	}
	ck_assert_uint_eq(n, 16);
	fixture_close(&f);
}
END_TEST

/* ---- Neighbours ---- */

/* What UID keeps: far more than a page, or one step of a count, looks at. */
#define N_OTHERS 20000
static const char others[] =
	"BEGIN;"
	"WITH RECURSIVE each (k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM each WHERE k < 20000)"
	" INSERT INTO runs (id, owner_uid, project_id, collection_id, first_sequence, last_sequence,"
	"  total_cases, rating_mode, rating_version, n_epochs, response_column, created_at)"
	" SELECT 1000 + k, owner_uid, project_id, collection_id, 0, 1, 1, 'fast', '1', 1, 'n', 0 FROM each"
	"  CROSS JOIN runs n ON n.id = 1;"
	"WITH RECURSIVE each (k) AS (SELECT 2 UNION ALL SELECT k + 1 FROM each WHERE k < 20000)"
	" INSERT INTO experiments (owner_uid, project_id, name, family, family_number, run_id,"
	"  identity, answer_identity, created_at, updated_at)"
	" SELECT owner_uid, project_id, 'N' || k, 'N' || k, 1, 1000 + k, '', '', 0, 0 FROM each"
	"  CROSS JOIN experiments e ON e.id = 1;"
	"WITH RECURSIVE each (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM each WHERE k < 20000)"
	" INSERT INTO llm_configs (owner_uid, project_id, name, provider, llm_model_name, settings,"
	"  shared, created_at, updated_at) SELECT owner_uid, project_id, 'N' || k, provider,"
	"  llm_model_name, settings, shared, 0, 0 FROM each CROSS JOIN llm_configs c ON c.id = 1;"
	"WITH RECURSIVE each (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM each WHERE k < 20000)"
	" INSERT INTO tasks (owner_uid, project_id, kind, name, experiment_id, status, priority,"
	"  created_at, finished_at, time_limit_usec, sequence, last_event) SELECT owner_uid, project_id,"
	"  kind, name, experiment_id, 'SUCCESS', priority, 0, 1, 1, 1, 1000 + k FROM each"
	"  CROSS JOIN tasks t ON t.id = 1;"
	"INSERT INTO task_events (task_id, sequence, number, owner_uid, project_id, at, status, line)"
	" SELECT id, 1, last_event, owner_uid, project_id, 0, status, 'line' FROM tasks"
	" WHERE last_event > 1000;"
	"COMMIT;";

/* Every list, count and lookup of the other user, and its answer's cost. */
static int64_t cost_of_all(struct scope scope, int64_t experiment_id, int64_t task_id)
{
	struct method_run experiments = { .scope = scope };
	struct method_run experiment = { .scope = scope };
	struct method_run configs = { .scope = scope };
	struct method_run responses = { .scope = scope };
	struct method_run ratings = { .scope = scope };
	struct events_tasks_page shown = { .scope = scope, .position = { .number = 1,
									 .known_id = INT32_MAX } };
	struct events_page events = { .scope = scope, .position = { .number = 1 } };
	struct tasks_prune prune = { .scope = scope, .ended_before = INT64_MAX };
	struct method_run tasks = { .scope = scope };
	struct task_get task = { .scope = scope, .task_id = task_id };
	static const char *const filters[] = {
		"", ", \"status\": \"SUCCESS\"", ", \"kind\": \"rating\"",
		", \"since\": \"2000-01-01T00:00:00.000Z\"",
	};
	int64_t steps = 0;

	method_of(&f, &experiments, METHOD_LIST_EXPERIMENTS, "{\"count\": true}");
	CALL_OK(&f, store_method_run, &experiments);
	method_of(&f, &configs, METHOD_LIST_LLM_CONFIGS, "{\"count\": true}");
	CALL_OK(&f, store_method_run, &configs);
	method_of(&f, &experiment, METHOD_GET_EXPERIMENT, "{\"experiment\": {\"name\": \"X\"}}");
	CALL_OK(&f, store_method_run, &experiment);
	method_of(&f, &responses, METHOD_LIST_RESPONSES,
		       "{\"experiment\": {\"id\": %d}, \"count\": true, \"failed\": false}", (int)experiment_id);
	CALL_OK(&f, store_method_run, &responses);
	method_of(&f, &ratings, METHOD_LIST_RATINGS,
				   "{\"experiment\": {\"id\": %d}, \"count\": true}", (int)experiment_id);
	CALL_OK(&f, store_method_run, &ratings);
	CALL_OK(&f, store_task_get, &task);
	CALL_OK(&f, store_events_tasks_page, &shown);
	CALL_OK(&f, store_events_page, &events);
	CALL_OK(&f, store_tasks_prune, &prune);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		method_of(&f, &tasks, METHOD_LIST_TASKS, "{\"count\": true%s}",
					 filters[i]);
		CALL_OK(&f, store_method_run, &tasks);
		steps += tasks.request.steps;
	}
	return steps + experiments.request.steps + configs.request.steps + experiment.request.steps +
	       responses.request.steps + ratings.request.steps + task.request.steps +
	       shown.request.steps + events.request.steps + prune.request.steps;
}

START_TEST(what_others_keep_costs_nothing)
{
	const struct scope second = { .uid = UID + 1 };
	struct user_ensure ensure = { .uid = UID + 1 };
	struct task_submit submitted;
	const struct ellu_task *task;
	char json[1000];
	int64_t alone;

	fixture_open(&f);
	submit_grid(&f, "");
	CALL_OK(&f, store_user_ensure, &ensure);
	for (int i = 0; i < 10; i++) {
		submitted = (struct task_submit){ .scope = second };
		snprintf(json, sizeof(json),
			 "{\"name\": \"X%.*d\", \"update_existing\": true, \"prompt_template\":"
			 " {\"content\": {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\":"
			 " \"{{n}}\"}]}}, \"collection\": {\"content\": {\"name\": \"C\", \"variables\":"
			 " [{\"n\": 1}]}}, \"criteria\": [\"A?\"]}", i > 0, i);
		task_of(&f, &submitted, METHOD_RUN_EXPERIMENT, json);
		CALL_OK(&f, store_task_submit, &submitted);
	}
	task = submitted.ret_task;
	/* That there are others costs a comparison. */
	finish(&f, 1, TASK_SUCCESS);
	(void)cost_of_all(second, *task->experiment_id, task->id); // statements are prepared
	alone = cost_of_all(second, *task->experiment_id, task->id);
	ck_assert_int_gt(alone, 0);
	look_run(&f, others);
	ck_assert_int_gt(look_int(&f, "SELECT count(*) FROM tasks"), N_OTHERS);
	ck_assert_int_eq(cost_of_all(second, *task->experiment_id, task->id), alone);
	fixture_close(&f);
}
END_TEST

/* Who asks for many pages makes another wait for one of them. */
START_TEST(users_have_turns)
{
	struct method_run pages[3];
	struct user_ensure ensure = { .uid = UID + 1 };
	struct method_run other = { .scope = { .uid = UID + 1 } };
	struct hold hold;

	fixture_open(&f);
	submit_grid(&f, "");
	CALL_OK(&f, store_user_ensure, &ensure);
	method_of(&f, &other, METHOD_LIST_LLM_CONFIGS, "{}");
	hold_begin(&hold, f.store->readers[1].loop);
	for (int i = 0; i < 3; i++) {
		pages[i] = (struct method_run){ .scope = own };
		method_of(&f, &pages[i], METHOD_LIST_RESPONSES,
					    "{\"experiment\": {\"name\": \"X\"}}");
		fixture_begin(&f, &pages[i].request);
		pages[i].request.uid = UID;
		store_method_run(f.store, &pages[i]);
	}
	fixture_begin(&f, &other.request);
	other.request.uid = UID + 1;
	store_method_run(f.store, &other);
	hold_end(&hold);
	fixture_wait_all(&f);
	/* The first of either comes before the second of anybody. */
	ck_assert(f.ended[0] == &other.request || f.ended[1] == &other.request);
	ck_assert_ptr_eq(f.ended[3], &pages[2].request);
	fixture_close(&f);
}
END_TEST

/* What a request has read so far is memory that it holds for as long as it goes on. */
#define LONG_REQUESTS 40
#define LONG_STEPS 5

static int n_going_on, n_going_on_max, n_long_ended;

static int long_step(struct tx *tx, struct store_request *request)
{
	int *steps = request->state;

	if (!steps) {
		request->state = steps = tx_alloc(tx, sizeof(*steps));
		*steps = 0;
		if (++n_going_on > n_going_on_max)
			n_going_on_max = n_going_on;
	}
	request->again = ++*steps < LONG_STEPS;
	n_going_on -= !request->again;
	return 0;
}

static void on_long_end(struct store_request *request)
{
	ck_assert_int_eq(request->result, 0);
	if (++n_long_ended == LONG_REQUESTS)
		loop_stop(f.loop);
}

START_TEST(some_of_a_user_go_on_at_a_time)
{
	static struct store_request requests[LONG_REQUESTS];
	struct hold hold;

	fixture_open(&f);
	hold_begin(&hold, f.store->readers[1].loop);
	for (int i = 0; i < LONG_REQUESTS; i++) {
		store_request_init(&requests[i], f.loop, on_long_end, NULL);
		requests[i].uid = UID + i % 2;
		tx_post(f.store, &requests[i], STORE_SCAN, long_step, "long");
	}
	hold_end(&hold);
	ck_assert_int_eq(loop_run(f.loop), 0);
	ck_assert_int_eq(n_going_on, 0);
	ck_assert_int_eq(n_going_on_max, 2 * READER_BEGUN_MAX);
	for (int i = 0; i < LONG_REQUESTS; i++)
		store_request_done(&requests[i]);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(rendered_messages_end_pages, an_item_that_no_message_holds,
			 tasks_and_experiments_end_pages, in_the_order_of_rows_epochs_and_criteria,
			 what_others_keep_costs_nothing, users_have_turns,
			 some_of_a_user_go_on_at_a_time);
}
