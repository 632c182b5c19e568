/* Responses by what they took, and those that a filter lets through: the same whether they lie in blocks or
 * not, and after a retry. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define EPOCHS 1000
#define RECORDED 2300 // two blocks, and some behind them
#define FAILED_ID 1234

static struct fixture f;

/* Three rows of as many epochs as there may be, one of the responses failed. */
static const struct ellu_task *make(void)
{
	const struct ellu_task *task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
					      " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
					      "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1},"
					      " {\"n\": 2}, {\"n\": 3}]}}, \"n_epochs\": %d}", EPOCHS);
	char sql[800];

	snprintf(sql, sizeof(sql), "WITH RECURSIVE each (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE"
		 " n < %d) INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
		 " response_text, error, attempts, duration_usec, input_tokens, output_tokens, replaced, created_at)"
		 " SELECT %d, %d, %d, 1 + n / %d, 1 + n %% %d, 'text', iif(n = %d, '{\"code\": \"Timeout\","
		 " \"message\": \"late\"}', NULL), 1, 1 + n * 7919 %% 1009, n * 104729 %% 307, 5, 0, 1 FROM each",
		 RECORDED, UID, (int)load_run(&f, *task->experiment_id)->project_id,
		 (int)load_run(&f, *task->experiment_id)->run_id, EPOCHS, EPOCHS, FAILED_ID);
	look_run(&f, sql);
	return task;
}

static struct method_run list;

static const struct ellu_list_responses_reply *page(const char *order, const char *more)
{
	list = (struct method_run){ .scope = own };
	method_of(&f, &list, METHOD_LIST_RESPONSES, "{\"experiment\": {\"name\": \"X\"}, \"order\": \"%s\"%s}",
		  order, more);
	CALL_OK(&f, store_method_run, &list);
	return page_of(&f, &list.request, &ellu_list_responses_reply_type);
}

static double rank_of(const char *order, const struct ellu_response *response)
{
	return strcmp(order, "duration") == 0 ? *response->duration_seconds :
						(double)(*response->input_tokens + *response->output_tokens);
}

/* Through all pages, none before one that took more, and those that took as much by their ids: so that
 * each comes once. How many. */
static size_t walk(const char *order, const char *filter)
{
	const struct ellu_response *last = NULL;
	const struct ellu_list_responses_reply *some;
	char more[200];
	size_t n = 0;

	snprintf(more, sizeof(more), ", \"limit\": 250%s", filter);
	do {
		some = page(order, more);
		for (size_t i = 0; i < some->n_items; i++, n++) {
			const struct ellu_response *next = some->items[i];

			ck_assert(!last || rank_of(order, next) < rank_of(order, last) ||
				  (rank_of(order, next) <= rank_of(order, last) && next->id > last->id));
			last = next;
		}
		if (some->next_cursor)
			snprintf(more, sizeof(more), ", \"limit\": 250%s, \"cursor\": \"%s\"", filter,
				 some->next_cursor);
	} while (some->next_cursor);
	return n;
}

static const char placed[] = "SELECT count(*) FROM response_orders o CROSS JOIN responses r ON r.id = o.response_id"
			     " WHERE o.rank = iif(o.by_tokens, -(r.input_tokens + r.output_tokens), -r.duration_usec)";

START_TEST(in_blocks)
{
	struct method_run gone = { .scope = own };
	struct task_submit retry = { .scope = own };
	const struct ellu_task *task;
	int64_t steps;

	fixture_open(&f);
	task = make();
	ck_assert_int_eq(*page("duration", ", \"limit\": 5, \"count\": true")->count, RECORDED);
	(void)page("duration", ", \"limit\": 5");
	steps = list.request.steps;
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM response_orders"), 0);
	finish(&f, task->id, TASK_REVOKED);
	fixture_await(&f, placed, 4 * EPOCHS);
	fixture_await(&f, "SELECT count(*) FROM runs WHERE unordered", 0);
	ck_assert_uint_eq(walk("duration", ""), RECORDED);
	ck_assert_uint_eq(walk("tokens", ", \"failed\": false"), RECORDED - 1);
	ck_assert_uint_eq(walk("duration", ", \"failed\": true"), 1);
	ck_assert_int_eq(*page("duration", ", \"limit\": 5, \"count\": true")->count, RECORDED);
	(void)page("duration", ", \"limit\": 5");
	ck_assert_int_lt(4 * list.request.steps, steps);

	/* Another answer in the place of an error. */
	task_of(&f, &retry, METHOD_RETRY_FAILED, "{\"experiment\": {\"name\": \"X\"}}");
	CALL_OK(&f, store_task_submit, &retry);
	ck_assert_int_eq(answer(&f, load_run(&f, *task->experiment_id), 1 + FAILED_ID / EPOCHS,
				1 + FAILED_ID % EPOCHS, "now"), FAILED_ID);
	ck_assert_int_eq(look_int(&f, placed), 4 * EPOCHS);
	ck_assert_uint_eq(walk("tokens", ", \"failed\": true"), 0);

	finish(&f, retry.ret_task->id, TASK_REVOKED);
	method_of(&f, &gone, METHOD_DELETE_EXPERIMENT, "{\"experiment\": {\"name\": \"X\"}}");
	CALL_OK(&f, store_method_run, &gone);
	fixture_await(&f, "SELECT count(*) FROM response_orders", 0);
	fixture_close(&f);
}
END_TEST

/* ---- Filters ---- */

#define MIXED 4600 // four blocks, and some behind them
#define MIXED_FAILED 2345
#define UNDECIDED 500
#define MIXED_NO 4321

/* Five rows, in no order; one failed. What they took grows as they come; some have no known tokens, and a
 * block of them took nobody's time. */
static const struct ellu_task *make_mixed(void)
{
	const struct ellu_task *task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
					      " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
					      "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1},"
					      " {\"n\": 2}, {\"n\": 3}, {\"n\": 4}, {\"n\": 5}]}}, \"criteria\": [\"Is it?\", \"Is it two?\"],"
					      " \"n_epochs\": %d}", EPOCHS);
	char sql[900];

	snprintf(sql, sizeof(sql), "WITH RECURSIVE each (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE"
		 " n < %d) INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
		 " response_text, error, attempts, duration_usec, input_tokens, output_tokens, replaced, created_at)"
		 " SELECT %d, %d, %d, 1 + n * 4673 %% 5000 / %d, 1 + n * 4673 %% %d, 'text', iif(n = %d,"
		 " '{\"code\": \"Timeout\", \"message\": \"late\"}', NULL), 1,"
		 " iif(n > 3000 AND n <= 4000, NULL, 1000000 * (n / 20)),"
		 " iif(n %% 13 = 0, NULL, n %% 7), iif(n %% 1500 = 1400, 500, 5), 0, 1 FROM each",
		 MIXED, UID, (int)load_run(&f, *task->experiment_id)->project_id,
		 (int)load_run(&f, *task->experiment_id)->run_id, EPOCHS, EPOCHS, MIXED_FAILED);
	look_run(&f, sql);
	/* A block of which none is rated; one verdict failed, and one behind the blocks is NO. */
	snprintf(sql, sizeof(sql), "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id, value,"
		 " error, attempts, duration_usec, created_at) SELECT r.owner_uid, r.project_id, r.id, 1, n.judge_id,"
		 " iif(r.id = %d, NULL, r.id <> %d), iif(r.id = %d, '{\"code\": \"Timeout\", \"message\": \"late\"}', NULL),"
		 " 1, 1, 1 FROM responses r JOIN runs n ON n.id = r.run_id WHERE r.id NOT BETWEEN 1001 AND 2000",
		 UNDECIDED, MIXED_NO, UNDECIDED);
	look_run(&f, sql);
	return task;
}

#define VERDICT                                                                                 \
	"EXISTS (SELECT 1 FROM ratings g JOIN measures m ON m.id = g.measure_id"                \
	" JOIN runs n ON n.id = r.run_id JOIN run_measures e ON e.run_id = n.id AND e.measure_id = m.id" \
	" LEFT JOIN ratings p ON p.response_id = r.id AND p.measure_id = m.id AND p.judge_id IS NULL" \
	" WHERE g.response_id = r.id AND g.judge_id = n.judge_id AND "
#define STANDS "coalesce(p.value, g.value)"

#define OVERRULED                                                                               \
	"EXISTS (SELECT 1 FROM ratings p JOIN ratings g ON g.response_id = p.response_id"       \
	" WHERE p.response_id = r.id AND p.judge_id IS NULL AND g.judge_id IS NOT NULL"         \
	" AND p.value <> g.value)"

static const struct {
	const char *filter, *sql;
	bool none; // lets nothing through, at first
} filters[] = {
	{ "\"failed\": true", "r.error IS NOT NULL", false },
	{ "\"failed\": true, \"max_duration_seconds\": 3", "0", true },
	{ "\"annotated\": true", "r.annotation IS NOT NULL", true },
	{ "\"overruled\": true", OVERRULED, true },
	{ "\"epoch\": 7", "r.epoch = 7", false },
	{ "\"min_duration_seconds\": 1000", "r.duration_usec >= 1000000000", true },
	{ "\"min_duration_seconds\": 226", "r.duration_usec >= 226000000", false }, // behind the blocks
	{ "\"min_duration_seconds\": 48, \"max_duration_seconds\": 52",
	  "r.duration_usec BETWEEN 48000000 AND 52000000", false }, // in two
	{ "\"max_duration_seconds\": 1", "r.duration_usec <= 1000000", false },
	{ "\"min_input_tokens\": 7", "r.input_tokens >= 7", true },
	{ "\"min_output_tokens\": 100", "r.output_tokens >= 100", false }, // in three
	{ "\"max_output_tokens\": 4", "r.output_tokens < 5", true },
	{ "\"max_input_tokens\": 0, \"max_duration_seconds\": 40",
	  "r.input_tokens = 0 AND r.duration_usec <= 40000000", false },
	/* By verdicts. */
	{ "\"rating\": \"NO\"", VERDICT STANDS " < 0.5)", false },
	{ "\"rating\": \"NO\", \"max_duration_seconds\": 200",
	  VERDICT STANDS " < 0.5) AND r.duration_usec <= 200000000", true },
	{ "\"criterion_id\": 1, \"rating\": \"YES\", \"failed\": true",
	  VERDICT "m.criterion_id = 1 AND " STANDS " >= 0.5) AND r.error IS NOT NULL", false },
	{ "\"criterion_id\": 2", VERDICT "m.criterion_id = 2)", true },
	{ "\"criterion_id\": 1, \"max_duration_seconds\": 2",
	  VERDICT "m.criterion_id = 1) AND r.duration_usec <= 2000000", false },
};
#define FIRST_VERDICT 13

static const char *const orders[][2] = {
	{ "row", "r.template_variables_id, r.epoch" },
	{ "arrival", "r.id" },
	{ "duration", "coalesce(r.duration_usec, 0) DESC, r.id" },
	{ "tokens", "coalesce(r.input_tokens, 0) + coalesce(r.output_tokens, 0) DESC, r.id" },
};

#define N(array) (sizeof(array) / sizeof(array[0]))

/* All pages have what the database has, in its order, and count as many. */
static void compare(size_t filter, size_t order)
{
	const struct ellu_list_responses_reply *some = NULL;
	sqlite3 *db = look(&f);
	char text[1000];
	sqlite3_stmt *q;
	size_t i = 0;
	int64_t n = 0;

	snprintf(text, sizeof(text), "SELECT r.id FROM responses r WHERE %s ORDER BY %s", filters[filter].sql,
		 orders[order][1]);
	ck_assert_int_eq(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
	snprintf(text, sizeof(text), ", \"limit\": 30, %s", filters[filter].filter);
	some = page(orders[order][0], text);
	for (; sqlite3_step(q) == SQLITE_ROW; n++) {
		if (i == some->n_items) {
			ck_assert_ptr_nonnull(some->next_cursor);
			snprintf(text, sizeof(text), ", \"limit\": 30, %s, \"cursor\": \"%s\"",
				 filters[filter].filter, some->next_cursor);
			some = page(orders[order][0], text);
			i = 0;
		}
		ck_assert_uint_lt(i, some->n_items);
		ck_assert_int_eq(some->items[i++]->id, sqlite3_column_int64(q, 0));
	}
	ck_assert_uint_eq(i, some->n_items);
	ck_assert_ptr_null(some->next_cursor);
	sqlite3_finalize(q);
	sqlite3_close(db);
	snprintf(text, sizeof(text), ", \"limit\": 1, \"count\": true, %s", filters[filter].filter);
	ck_assert_int_eq(*page(orders[order][0], text)->count, n);
}

/* Those that a test is of. */
static size_t first_filter, end_filter;

static void compare_all(void)
{
	for (size_t filter = first_filter; filter < end_filter; filter++)
		for (size_t order = 0; order < N(orders); order++)
			compare(filter, order);
}

/* Of a first page. */
static int64_t steps_of(size_t filter, size_t order)
{
	char more[200];

	snprintf(more, sizeof(more), ", \"limit\": 30, %s", filters[filter].filter);
	(void)page(orders[order][0], more);
	return list.request.steps;
}

static void annotate(int64_t id, const char *text)
{
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_ANNOTATE_RESPONSE, "{\"response_id\": %d, \"annotation\": \"%s\"}", (int)id, text);
	CALL_OK(&f, store_method_run, &op);
}

/* A block that was told to have none of something comes to have it. */
static void change(const struct ellu_task *task)
{
	struct method_run edit = { .scope = own };
	struct task_submit retry = { .scope = own };
	const int64_t row_id = look_int(&f, "SELECT template_variables_id FROM responses WHERE error IS NOT NULL");
	const int64_t epoch = look_int(&f, "SELECT epoch FROM responses WHERE error IS NOT NULL");

	for (int id = 900; id < 4600; id += 1300)
		annotate(id, "odd");
	annotate(2200, "none");
	annotate(2200, "");
	method_of(&f, &edit, METHOD_EDIT_RATING, "{\"response_id\": 3100, \"criterion_id\": 1, \"rating\": \"NO\"}");
	CALL_OK(&f, store_method_run, &edit);

	task_of(&f, &retry, METHOD_RETRY_FAILED, "{\"experiment\": {\"name\": \"X\"}}");
	CALL_OK(&f, store_task_submit, &retry);
	ck_assert_int_eq(answer(&f, load_run(&f, *task->experiment_id), row_id, epoch, "now"), MIXED_FAILED);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE error IS NOT NULL"), 0);
	rate(&f, load_run(&f, *task->experiment_id), UNDECIDED, 1, 0, 0, true);
	rate(&f, load_run(&f, *task->experiment_id), 3500, 1, 1, 1, true);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings WHERE value IS NULL"), 0);
	compare_all();
	finish(&f, retry.ret_task->id, TASK_REVOKED);
}

static void undo(void)
{
	struct method_run edit = { .scope = own };

	method_of(&f, &edit, METHOD_EDIT_RATING, "{\"response_id\": 3100, \"criterion_id\": 1, \"undo\": true}");
	CALL_OK(&f, store_method_run, &edit);
	compare_all();
}

static const struct run_spec *rate_again(const char *request, int64_t *ret_task_id)
{
	struct task_submit rating = { .scope = own };
	struct run_load load = { 0 };

	task_of(&f, &rating, METHOD_RATE_EXPERIMENT, request);
	CALL_OK(&f, store_task_submit, &rating);
	*ret_task_id = load.task_id = rating.ret_task->id;
	CALL_OK(&f, store_run_load, &load);
	return load.ret_spec;
}

/* By the experiment's judge, of each block by each criterion. */
static void await_verdicts(void)
{
	fixture_await(&f, "SELECT count(*) FROM runs WHERE unordered", 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM response_verdicts v JOIN runs n ON n.id = v.run_id"
				      " AND n.judge_id = v.judge_id JOIN run_measures e ON e.run_id = n.id"
				      " AND e.measure_id = v.measure_id"), 8);
}

/* Another judge, by another criterion too, whose verdicts become those of the experiment. */
static void rate_anew(void)
{
	int64_t task_id;
	const struct run_spec *spec = rate_again("{\"experiment\": {\"name\": \"X\"}, \"rating_mode\": \"detailed\","
						 " \"criteria\": [\"Is it two?\", \"Is it three?\"]}", &task_id);

	rate(&f, spec, 2500, 0, 0, 0, true);
	rate(&f, spec, 700, 0, 1, 1, true);
	finish(&f, task_id, TASK_SUCCESS);
	compare_all();
	await_verdicts();
	compare_all();
	rate(&f, spec, 3333, 0, 0, 1, true);
	compare_all();
}

/* What a person said of one judge's verdict stands for another's, which comes later. */
static void rate_edited(void)
{
	struct method_run edit = { .scope = own };
	const struct run_spec *spec;
	int64_t task_id;

	method_of(&f, &edit, METHOD_EDIT_RATING, "{\"rating_id\": %d, \"rating\": \"NO\"}",
		  (int)look_int(&f, "SELECT max(id) FROM ratings"));
	CALL_OK(&f, store_method_run, &edit);
	spec = rate_again("{\"experiment\": {\"name\": \"X\"}, \"rating_mode\": \"fast\"}", &task_id);
	finish(&f, task_id, TASK_SUCCESS);
	await_verdicts();
	rate(&f, spec, 3333, 0, 0, 1, true);
	compare_all();
}

/* By those filters, before there are blocks and after. */
static void begin_filtered(size_t first, size_t end)
{
	int64_t steps[N(filters)][N(orders)];
	const struct ellu_task *task;

	first_filter = first;
	end_filter = end;
	fixture_open(&f);
	task = make_mixed();
	for (size_t filter = first; filter < end; filter++)
		for (size_t order = 0; order < N(orders); order++)
			steps[filter][order] = steps_of(filter, order);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM response_blocks"), 0);
	finish(&f, task->id, TASK_REVOKED);
	fixture_await(&f, "SELECT count(*) FROM response_blocks", 4);
	fixture_await(&f, "SELECT count(*) FROM runs WHERE unordered", 0);
	compare_all();
	/* What nothing is let through of looks at those behind the blocks. */
	for (size_t filter = first; filter < end; filter++)
		for (size_t order = 0; filters[filter].none && order < N(orders); order++)
			ck_assert_int_lt(4 * steps_of(filter, order), steps[filter][order]);
	change(task);
}

/* The response of the newest rating waits for a newer one. */
static void end_filtered(void)
{
	struct method_run gone = { .scope = own };

	method_of(&f, &gone, METHOD_DELETE_EXPERIMENT, "{\"experiment\": {\"name\": \"X\"}}");
	CALL_OK(&f, store_method_run, &gone);
	fixture_await(&f, "SELECT count(*) FROM response_blocks", 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM response_verdicts v WHERE NOT EXISTS (SELECT 1 FROM"
				      " response_blocks b WHERE b.run_id = v.run_id AND b.block = v.block)"), 0);
	fixture_close(&f);
}

START_TEST(filtered)
{
	begin_filtered(0, FIRST_VERDICT);
	end_filtered();
}
END_TEST

START_TEST(by_verdict)
{
	begin_filtered(FIRST_VERDICT, N(filters));
	undo();
	rate_anew();
	rate_edited();
	end_filtered();
}
END_TEST

int main(void)
{
	return RUN_TESTS(in_blocks, filtered, by_verdict);
}
