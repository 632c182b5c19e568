/* Responses by what they took: the same whether they lie in blocks or not, and after a retry. */
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

int main(void)
{
	return RUN_TESTS(in_blocks);
}
