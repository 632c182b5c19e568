/* Aggregates: of few responses by hand, of many in steps and in bounded memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs/statistics/quantity.h"
#include "proto/limits.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define N_RESPONSES 5000
#define NEARLY(a, b, part) \
	ck_assert_msg(fabs((a) - (b)) <= fabs(b) * (part), "%.12f is not %.12f", (double)(a), (double)(b))
#define NEAR(a, b) NEARLY(a, (double)(b), 1e-11)

static struct fixture f;

/* Response k of 0 to 4999 took 10 ms and k more; every tenth failed, of the others every third is
 * a NO, and one has no verdict. */
static const char responses[] =
	"WITH RECURSIVE each (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM each WHERE k < 4999)"
	" INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
	"  response_text, error, attempts, duration_usec, input_tokens, replaced, created_at)"
	" SELECT 1000, 1, 1, 1, k + 1, 'text', iif(k % 10 = 9, '{}', NULL), 1,"
	"  10000 + k * 7 % 5000 * 1000, k % 100, 0, 0 FROM each;"
	"INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id,"
	"  value, error, attempts, duration_usec, created_at)"
	" SELECT owner_uid, project_id, r.id, m.id, (SELECT id FROM judges),"
	"  iif(r.epoch = 1, NULL, iif(r.epoch % 3 = 0, 0.0, 1.0)), iif(r.epoch = 1, '{}', NULL), 1, 1, 0"
	" FROM responses r CROSS JOIN (SELECT id FROM measures) m WHERE r.error IS NULL;";

/* The run that they are of. */
static int64_t prepare(void)
{
	sqlite3 *db;

	fixture_open(&f);
	submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}},"
			  "\"criteria\": [\"A?\"]}");
	fixture_stop(&f);
	db = look(&f);
	ck_assert_msg(sqlite3_exec(db, responses, NULL, NULL, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	sqlite3_close(db);
	fixture_start(&f);
	return load_run(&f, 1)->run_id;
}

static int64_t count(const char *of)
{
	char sql[300];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", of);
	return look_int(&f, sql);
}

START_TEST(many_responses)
{
	const struct ellu_experiment_results *results;
	struct results_compute op = { .run_id = prepare() };

	CALL_OK(&f, store_results_compute, &op);
	results = op.ret_results;
	ck_assert_int_eq(results->responses, N_RESPONSES);
	ck_assert_int_eq(results->failed_responses, N_RESPONSES / 10);
	ck_assert_int_eq(results->ratings, count("ratings"));
	ck_assert_int_eq(results->failed_ratings, 1);
	ck_assert_int_eq(results->success_rate->n_total, N_RESPONSES);
	NEAR(*results->success_rate->value,
	     (double)count("ratings WHERE value = 1") / N_RESPONSES);
	NEAR(*results->criteria[0]->mean->yes, (double)count("ratings WHERE value = 1") /
						       (double)count("ratings WHERE value >= 0"));
	ck_assert_int_eq(results->duration_seconds->n_scored, count("responses WHERE error IS NULL"));
	NEAR(*results->duration_seconds->mean,
	     (double)look_int(&f, "SELECT sum(duration_usec) FROM responses WHERE error IS NULL") /
		     1e6 / (double)count("responses WHERE error IS NULL"));
	ck_assert_double_lt(*results->duration_seconds->low, *results->duration_seconds->mean);
	ck_assert_double_gt(*results->duration_seconds->high, *results->duration_seconds->mean);
	ck_assert_uint_gt(results->duration_seconds->n_bins, 1);
	NEARLY(results->duration_seconds->bins[0]->low * 1e6,
	       (double)look_int(&f, "SELECT max(min(duration_usec), 1) FROM responses WHERE error IS NULL"), 1.0 / 8192);
	/* Tokens are small: exact. Durations are told to 1/8192. */
	NEAR(*results->input_tokens->p50,
	     look_int(&f, "SELECT input_tokens FROM responses WHERE error IS NULL"
			  " ORDER BY input_tokens LIMIT 1 OFFSET 2249"));
	NEARLY(*results->duration_seconds->p95 * 1e6,
	       (double)look_int(&f, "SELECT duration_usec FROM responses WHERE error IS NULL"
				    " ORDER BY duration_usec LIMIT 1 OFFSET 4274"), 1.0 / 8192);
	fixture_close(&f);
}
END_TEST

/* Another scan that was posted behind it does not wait for all of it. */
START_TEST(others_get_a_turn)
{
	struct results_compute walk = { .run_id = prepare() };
	struct method_run list = { .scope = own };
	struct hold hold;

	hold_begin(&hold, f.store->readers[1].loop);
	fixture_begin(&f, &walk.request);
	store_results_compute(f.store, &walk);
	method_of(&f, &list, METHOD_LIST_RESPONSES,
				"{\"experiment\": {\"id\": 1}, \"limit\": 1, \"epoch\": 2}");
	fixture_begin(&f, &list.request);
	store_method_run(f.store, &list);
	hold_end(&hold);
	fixture_wait_all(&f);
	ck_assert_ptr_eq(f.ended[0], &list.request);
	ck_assert_int_eq(walk.ret_results->responses, N_RESPONSES);
	fixture_close(&f);
}
END_TEST

/* What takes several turns is answered, wherever in them the store is closed. */
START_TEST(closing_in_between)
{
	struct results_compute walk = { .run_id = prepare() };
	struct hold hold;

	hold_begin(&hold, f.store->readers[1].loop);
	fixture_begin(&f, &walk.request);
	store_results_compute(f.store, &walk);
	loop_stop(f.store->readers[1].loop);
	hold_end(&hold);
	fixture_stop(&f);
	fixture_wait_all(&f);
	ck_assert_int_eq(walk.ret_results->responses, N_RESPONSES);
	fixture_close(&f);
}
END_TEST

/* ---- Edits ---- */

static uint64_t seed = 1;

static int64_t draw(int64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((seed >> 33) % (uint64_t)below);
}

/* Forty responses by three criteria; some ratings failed, in fourteen ways. The ratings' ids are 1 to
 * 120. */
static const char judged[] =
	"WITH RECURSIVE each (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM each WHERE k < 39)"
	" INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
	"  response_text, attempts, duration_usec, replaced, created_at)"
	" SELECT 1000, 1, 1, 1, k + 1, 'text', 1, 10, 0, 0 FROM each;"
	"INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id,"
	"  value, error, attempts, duration_usec, created_at)"
	" SELECT 1000, 1, r.id, m.id, (SELECT id FROM judges), iif((r.id * 7 + m.id) % 6 = 0, NULL,"
	"  (r.id + m.id) % 4 > 0), iif((r.id * 7 + m.id) % 6 = 0,"
	"  '{\"code\": \"Internal\", \"message\": \"' || char(65 + r.id % 14) || '\"}', NULL), 1, 1, 0"
	" FROM responses r CROSS JOIN (SELECT id FROM measures) m;";

static char *results_text(void)
{
	struct results_compute op = { .run_id = 1 };
	char *text;

	CALL_OK(&f, store_results_compute, &op);
	ck_assert_int_eq(record_to_text(&ellu_experiment_results_type, op.ret_results, TO_CLIENT, &text,
					NULL), 0);
	return text;
}

/* What GetExperiment answers. */
static char *stored_results(void)
{
	struct method_run op = { .scope = own };
	char *text;

	method_of(&f, &op, METHOD_GET_EXPERIMENT, "{\"experiment\": {\"id\": 1}}");
	CALL_OK(&f, store_method_run, &op);
	op.ret_reply = page_of(&f, &op.request, &ellu_get_experiment_reply_type);
	ck_assert_int_eq(record_to_text(&ellu_experiment_results_type,
					REPLY(&op, get_experiment)->experiment->results, TO_CLIENT,
					&text, NULL), 0);
	return text;
}

static void edit_at_random(void)
{
	static const char *const what[] = { "\"rating\": \"YES\", \"reasoning\": \"I say so\"",
					    "\"rating\": \"NO\"", "\"undo\": true" };
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_EDIT_RATING, "{\"rating_id\": %d, %s}", (int)draw(120) + 1,
		  what[draw(3)]);
	CALL_OK(&f, store_method_run, &op);
}

/* Whatever is edited, and taken back: results are those of a count, and what the run counts is what
 * its judge recorded. */
START_TEST(edits_adjust_results)
{
	struct run_count count = { 0 };
	char sql[8000], *text, *stored;

	fixture_open(&f);
	submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}},"
			  "\"criteria\": [\"A?\", \"B?\", \"C?\"], \"n_epochs\": 40}");
	finish(&f, 1, TASK_REVOKED);
	look_run(&f, judged);
	text = results_text();
	ck_assert_int_lt(snprintf(sql, sizeof(sql), "UPDATE experiments SET results = '%s'", text),
			 sizeof(sql));
	look_run(&f, sql);
	free(text);
	count.spec = load_run(&f, 1);
	CALL_OK(&f, store_run_count, &count);
	for (int i = 0; i < 300; i++) {
		edit_at_random();
		text = results_text();
		stored = stored_results();
		ck_assert_str_eq(stored, text);
		free(text);
		free(stored);
	}
	ck_assert_int_eq(look_int(&f, "SELECT sum(ratings) FROM run_epochs WHERE run_id = 1"), 120);
	look_run(&f, "UPDATE runs SET counters_stale = 1");
	count = (struct run_count){ .spec = load_run(&f, 1) };
	CALL_OK(&f, store_run_count, &count);
	ck_assert_int_eq(look_int(&f, "SELECT sum(ratings) FROM run_epochs WHERE run_id = 1"), 120);
	ck_assert_int_gt(look_int(&f, "SELECT count(*) FROM ratings WHERE judge_id IS NULL"), 0);
	/* With all undone, as at first. */
	for (int i = 1; i <= 120; i++) {
		struct method_run op = { .scope = own };

		method_of(&f, &op, METHOD_EDIT_RATING, "{\"rating_id\": %d, \"undo\": true}", i);
		CALL_OK(&f, store_method_run, &op);
	}
	stored = stored_results();
	ck_assert_ptr_nonnull(strstr(sql, stored));
	free(stored);
	fixture_close(&f);
}
END_TEST

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Each value is between the ends of its bin, but for rounding there and the least. */
static void check_bins(const struct quantity *quantity, const int64_t *values, double tolerance)
{
	int64_t counts[QUANTITY_BINS], in_bins = 0;
	double least, ratio, edge;
	size_t n_bins = quantity_bins(quantity, &least, &ratio, counts);

	ck_assert_uint_le(n_bins, QUANTITY_BINS);
	edge = least;
	for (size_t i = 0; i < n_bins; i++) {
		int64_t right = 0, close = 0;

		edge *= ratio;
		in_bins += counts[i];
		for (int64_t k = 0; k < quantity->n; k++) {
			right += (double)values[k] < edge;
			close += fabs((double)values[k] - edge) <= (tolerance + 1e-9) * edge;
		}
		ck_assert_int_le(llabs(in_bins - right), close);
	}
	ck_assert_int_eq(in_bins, quantity->n);
}

static void check_quantity(size_t n, int64_t below, double tolerance)
{
	int64_t *values = calloc(n, sizeof(*values));
	struct quantity quantity = { 0 };
	struct arena arena;
	uint64_t state = 1;

	arena_init(&arena);
	for (size_t i = 0; i < n; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		values[i] = (int64_t)((state >> 1) % (uint64_t)below);
		ck_assert_int_eq(quantity_add(&quantity, &arena, values[i]), 0);
	}
	qsort(values, n, sizeof(*values), compare);
	for (int64_t percent = 1; percent <= 100; percent++) {
		int64_t right = values[(percent * (int64_t)n + 99) / 100 - 1];

		NEARLY((double)quantity_percentile(&quantity, percent), (double)right, tolerance);
	}
	check_bins(&quantity, values, tolerance);
	arena_done(&arena);
	free(values);
}

START_TEST(percentiles)
{
	check_quantity(1, 10, 0);
	check_quantity(QUANTITY_EXACT, INT64_C(1) << 50, 0);
	check_quantity(QUANTITY_EXACT + 1, 8192, 0);
	check_quantity(20000, 8193, 1.0 / 8192);
	check_quantity(20000, 100000, 1.0 / 8192);
	check_quantity(20000, INT64_MAX, 1.0 / 8192);
}
END_TEST

/* ---- A few responses, against figures worked out by hand ---- */

/* Epoch 1: rows 1 and 2 YES YES, row 3 YES NO, row 4 failed. Epoch 2: row 1 YES and undecided. */
static void record_by_hand(const struct run_spec *spec)
{
	int64_t id;

	for (int64_t row = 1; row <= 3; row++) {
		id = answer(&f, spec, row, 1, "text");
		rate(&f, spec, id, 1, 0, 1, false);
		rate(&f, spec, id, 1, 1, row < 3, true);
	}
	answer(&f, spec, 4, 1, NULL);
	id = answer(&f, spec, 1, 2, "text");
	rate(&f, spec, id, 2, 0, 1, false);
	rate(&f, spec, id, 2, 1, -1, true);
}

static void check_by_hand(const struct ellu_experiment_results *results)
{
	ck_assert_int_eq(results->responses, 5);
	ck_assert_int_eq(results->failed_responses, 1);
	ck_assert_int_eq(results->ratings, 8);
	ck_assert_int_eq(results->failed_ratings, 1);
	NEAR(*results->mean_all_ratings->yes, 6.0 / 7);
	NEAR(*results->mean_all_ratings->no, 1.0 / 7);
	NEAR(*results->success_rate->value, 0.4);
	ck_assert_int_eq(results->success_rate->n_scored, 3);
	ck_assert_int_eq(results->undecided_responses, 1);
	ck_assert_uint_eq(results->n_errors, 2);
	ck_assert_int_eq(results->errors[0]->count, 1);
	/* The first row's two are one cluster: 6.25 values would say as much, of which there are 5. */
	NEAR(*results->success_rate->low, 0.060551256055);
	NEAR(*results->success_rate->high, 0.873345997543);
	ck_assert_int_eq(results->success_rate->n_total, 5);
	ck_assert_uint_eq(results->n_criteria, 2);
	ck_assert_str_eq(results->criteria[0]->criterion, "A?");
	NEAR(*results->criteria[0]->mean->yes, 1);
	NEAR(*results->criteria[0]->yes->high, 1);
	NEAR(*results->criteria[1]->mean->yes, 2.0 / 3);
	ck_assert_int_eq(results->criteria[1]->failed, 1);
	ck_assert_int_eq(results->criteria[1]->yes->n_scored, 3);
	ck_assert_int_eq(results->criteria[1]->yes->n_total, 5);
	/* Durations without the failed one: 1, 1, 2, 3 ms. */
	NEAR(*results->duration_seconds->mean, 0.00175);
	NEAR(*results->duration_seconds->p50, 0.001);
	NEAR(*results->duration_seconds->p95, 0.003);
	ck_assert_int_eq(results->total_input_tokens, 58);
	ck_assert_int_eq(results->total_output_tokens, 116);
	ck_assert_int_eq(*results->cost, 56);
	ck_assert(results->simulated);
}

START_TEST(results_by_hand)
{
	struct results_compute op = { 0 };
	const struct run_spec *spec;

	fixture_open(&f);
	spec = load_run(&f, *submit_grid(&f, "")->experiment_id);
	op.run_id = spec->run_id;
	record_by_hand(spec);
	CALL_OK(&f, store_results_compute, &op);
	check_by_hand(op.ret_results);
	fixture_close(&f);
}
END_TEST

static int64_t record_absurd(const struct run_spec *spec, int64_t row, int64_t epoch, int64_t tokens)
{
	struct response_record op = {
		.run_id = spec->run_id,
		.owner_uid = spec->owner_uid,
		.project_id = spec->project_id,
		.row_id = row,
		.epoch = epoch,
		.text = "text",
		.attempts = 1,
		.input_tokens = tokens,
		.output_tokens = tokens,
		.reasoning_tokens = tokens,
		.cost_nanodollars = tokens,
		.complete = true,
	};

	CALL_OK(&f, store_response_record, &op);
	return op.ret_response_id;
}

/* What no endpoint can have taken is recorded all the same, and sums stay what JSON keeps exact. */
START_TEST(absurd_usage)
{
	struct results_compute op = { 0 };
	const struct run_spec *spec;

	fixture_open(&f);
	spec = load_run(&f, *submit_grid(&f, "")->experiment_id);
	op.run_id = spec->run_id;
	for (int64_t row = 1; row <= 3; row++) {
		ck_assert_int_gt(record_absurd(spec, row, 1, INT64_MAX), 0);
		ck_assert_int_gt(record_absurd(spec, row, 2, INTEGER_MAX), 0);
	}
	ck_assert_int_gt(record_absurd(spec, 4, 1, INT64_MIN), 0);
	CALL_OK(&f, store_results_compute, &op);
	ck_assert_int_eq(op.ret_results->total_input_tokens, INTEGER_MAX);
	ck_assert_int_eq(op.ret_results->total_output_tokens, INTEGER_MAX);
	ck_assert_int_eq(*op.ret_results->cost, INTEGER_MAX);
	ck_assert_int_eq(op.ret_results->input_tokens->n_scored, 6);
	spec = load_run(&f, 1);
	ck_assert_int_eq(spec->input_tokens, INTEGER_MAX);
	ck_assert_int_eq(spec->cost_nanodollars, INTEGER_MAX);
	ck_assert_int_eq(look_int(&f, "SELECT max(input_tokens) FROM run_epochs"), INTEGER_MAX);
	fixture_close(&f);
}
END_TEST

/* Of more configs than whose sums fit a number: what limits the day is still known to whoever records. */
START_TEST(absurd_spending)
{
	struct response_record op = {
		.row_id = 1, .epoch = 1, .text = "text", .attempts = 1, .input_tokens = -1, .output_tokens = -1,
		.reasoning_tokens = -1, .cost_nanodollars = 1, .complete = true,
	};
	const struct run_spec *spec;

	fixture_open(&f);
	spec = load_run(&f, *submit_grid(&f, "")->experiment_id);
	look_run(&f, "UPDATE projects SET daily_cost_limit_nanodollars = 1");
	look_run(&f, "WITH RECURSIVE configs(id) AS (SELECT 1000 UNION ALL SELECT id + 1 FROM configs WHERE id < 3000)"
		     " INSERT INTO spending SELECT owner_uid, unixepoch() / 86400 + later.day, projects.id, configs.id, 'm', 1,"
		     " 0, 0, 0, 0, 9007199254740992 FROM projects, configs,"
		     " (SELECT 0 AS day UNION SELECT 1) AS later"); // at midnight, too
	op.run_id = spec->run_id;
	op.owner_uid = op.spent.source.owner_uid = spec->owner_uid;
	op.project_id = op.spent.source.project_id = spec->project_id;
	op.spent.source.model = "m";
	op.spent.source.llm_config_id = 1000;
	CALL_OK(&f, store_response_record, &op);
	ck_assert(op.spent.ret_today.limited);
	ck_assert_int_eq(op.spent.ret_today.spent, INTEGER_MAX);
	fixture_close(&f);
}
END_TEST

/* They stay with the task and with its experiment. */
START_TEST(results_are_kept)
{
	const struct ellu_task *task;
	const struct run_spec *spec;
	struct results_compute op = { 0 };
	struct ellu_task_result result = ELLU_RECORD(struct ellu_task_result);
	struct task_change change = { .status = TASK_SUCCESS, .running_usec = 1500000 };
	struct method_run get = { .scope = own };

	fixture_open(&f);
	task = submit_grid(&f, "");
	spec = load_run(&f, *task->experiment_id);
	op.run_id = spec->run_id;
	record_by_hand(spec);
	CALL_OK(&f, store_results_compute, &op);
	claim(&f, task->id);
	result.experiment_id = task->experiment_id;
	result.results = op.ret_results;
	change.task_id = task->id;
	change.attempt = 1;
	change.result = &result;
	CALL_OK(&f, store_task_change, &change);
	ck_assert(change.ret_changed);
	ck_assert_str_eq(change.ret_task->status, "SUCCESS");
	NEAR(change.ret_task->running_seconds, 1.5);
	NEAR(*change.ret_task->result->results->success_rate->value, 0.4);
	ck_assert_int_eq(change.ret_task->progress->responses_rated, 5);
	NEAR(change.ret_task->progress->percent_complete, 62.5);
	method_of(&f, &get, METHOD_GET_EXPERIMENT, "{\"experiment\": {\"id\": 1}}");
	CALL_OK(&f, store_method_run, &get);
	ck_assert_int_eq(REPLY(&get, get_experiment)->experiment->results->ratings, 8);
	ck_assert_int_eq(*REPLY(&get, get_experiment)->experiment->task_id, task->id);
	fixture_close(&f);
}
END_TEST

/* The task has ended all the same. */
START_TEST(what_cannot_be_told_is_left_out)
{
	struct ellu_error error = ELLU_RECORD(struct ellu_error);
	struct task_change change = { .attempt = 1, .status = TASK_FAILURE, .error = &error };
	struct task_get get = { .scope = own };

	fixture_open(&f);
	change.task_id = get.task_id = submit_grid(&f, "")->id;
	claim(&f, change.task_id);
	error.code = "Internal";
	error.message = "\xff";
	CALL_OK(&f, store_task_change, &change);
	ck_assert(change.ret_changed && change.ret_unfit);
	ck_assert_ptr_eq(change.error, &error); // it is run again where its transaction fails
	ck_assert_str_eq(change.ret_task->status, "FAILURE");
	ck_assert_ptr_null(change.ret_task->error);
	CALL_OK(&f, store_task_get, &get);
	ck_assert_str_eq(get.ret_task->status, "FAILURE");
	ck_assert_ptr_null(get.ret_task->error);
	fixture_close(&f);
}
END_TEST

/* A run of few values takes little memory for them. */
START_TEST(few_values)
{
	struct quantity quantity = { 0 };
	struct arena arena;

	arena_init(&arena);
	ck_assert_int_eq(quantity_add(&quantity, &arena, 7), 0);
	ck_assert_uint_lt(arena_size(&arena), 2048);
	arena_done(&arena);
}
END_TEST

int main(void)
{
	return RUN_TESTS(edits_adjust_results, results_by_hand, absurd_usage, absurd_spending,
			 results_are_kept, what_cannot_be_told_is_left_out, few_values, many_responses,
			 others_get_a_turn, closing_in_between, percentiles);
}
