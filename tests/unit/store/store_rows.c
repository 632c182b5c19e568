/* Collections: columns, uploads, clearing under a pinned run, paging of many rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

static struct fixture f;

static int create(struct method_run *op, const char *content)
{
	op->scope = own;
	method_of(&f, op, METHOD_CREATE_COLLECTION, "{\"collection\": %s}", content);
	return CALL(&f, store_method_run, op);
}

static int add(struct method_run *op, const char *rest)
{
	op->scope = own;
	method_of(&f, op, METHOD_ADD_TEMPLATE_VARIABLES,
			       "{\"collection\": {\"name\": \"C\"}, %s}", rest);
	return CALL(&f, store_method_run, op);
}

static const struct ellu_list_template_variables_reply *list(const char *rest)
{
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_LIST_TEMPLATE_VARIABLES,
			      "{\"collection\": {\"name\": \"C\"}%s}", rest);
	CALL_OK(&f, store_method_run, &op);
	return page_of(&f, &op.request, &ellu_list_template_variables_reply_type);
}

static const struct ellu_collection *get(void)
{
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_GET_COLLECTION, "{\"collection\": {\"name\": \"C\"}}");
	CALL_OK(&f, store_method_run, &op);
	return REPLY(&op, get_collection)->collection;
}

static int clear(int64_t *ret_removed)
{
	struct method_run op = { .scope = own };
	int r;

	method_of(&f, &op, METHOD_CLEAR_COLLECTION, "{\"collection\": {\"name\": \"C\"}}");
	r = CALL(&f, store_method_run, &op);
	if (r == 0)
		*ret_removed = REPLY(&op, clear_collection)->removed;
	return r;
}

START_TEST(collections_are_listed)
{
	const struct ellu_list_collections_reply *page;
	struct method_run op = { .scope = own };

	fixture_open(&f);
	create(&op, "{\"name\": \"A\", \"variables\": [{\"t\": \"a\"}]}");
	create(&op, "{\"name\": \"B\"}");
	method_of(&f, &op, METHOD_LIST_COLLECTIONS, "{\"limit\": 1, \"count\": true}");
	CALL_OK(&f, store_method_run, &op);
	page = page_of(&f, &op.request, &ellu_list_collections_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_str_eq(page->items[0]->name, "B");
	ck_assert_int_eq(*page->count, 2);
	method_of(&f, &op, METHOD_LIST_COLLECTIONS, "{\"cursor\": \"%s\"}", page->next_cursor);
	CALL_OK(&f, store_method_run, &op);
	page = page_of(&f, &op.request, &ellu_list_collections_reply_type);
	ck_assert_uint_eq(page->n_items, 1);
	ck_assert_str_eq(page->items[0]->name, "A");
	ck_assert_int_eq(*page->items[0]->variables_count, 1);
	fixture_close(&f);
}
END_TEST

static int delete(void)
{
	struct method_run op = { .scope = own };

	method_of(&f, &op, METHOD_DELETE_COLLECTION, "{\"collection\": {\"name\": \"C\"}}");
	return CALL(&f, store_method_run, &op);
}

/* Hidden, and its name is free; an experiment keeps its rows, and those of nobody are swept. */
START_TEST(a_deleted_collection_is_kept_for_results)
{
	struct method_run op = { 0 }, more = { 0 };
	const struct ellu_task *task;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"variables\": [{\"a\": 1}]}");
	task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{a}}\"}]}},"
			  " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	ck_assert_int_eq(delete(), ELLU_E_CONFLICT);
	ck_assert_int_eq(get()->n_columns, 1);
	finish(&f, task->id, TASK_REVOKED);
	add(&more, "\"variables\": [{\"a\": 2}]");
	ck_assert_int_eq(delete(), 0);
	ck_assert_int_eq(delete(), ELLU_E_NOT_FOUND);
	method_of(&f, &more, METHOD_LIST_COLLECTIONS, "{\"count\": true}");
	CALL_OK(&f, store_method_run, &more);
	ck_assert_int_eq(*((const struct ellu_list_collections_reply *)page_of(
				   &f, &more.request, &ellu_list_collections_reply_type))->count, 0);
	ck_assert_int_eq(load_run(&f, *task->experiment_id)->total_responses, 1);
	fixture_await(&f, "SELECT count(*) FROM template_variables", 1);
	ck_assert_int_eq(create(&op, "{\"name\": \"C\", \"variables\": [{\"b\": 3}]}"), 0);
	ck_assert_int_eq(get()->n_columns, 1);
	ck_assert_str_eq(list("")->items[0]->input_values, "{\"b\":3}");
	fixture_close(&f);
}
END_TEST

START_TEST(columns_follow_keys)
{
	struct method_run op = { 0 }, twice = { 0 }, wrong = { 0 };
	struct method_run more = { 0 };

	fixture_open(&f);
	ck_assert_int_eq(create(&op, "{\"name\": \"C\", \"columns\": [{\"name\": \"lang\","
				     " \"default_value\": \"en\"}], \"variables\": [{\"t\": \"a\"}]}"), 0);
	ck_assert_uint_eq(REPLY(&op, create_collection)->collection->n_columns, 2);
	ck_assert_int_eq(*REPLY(&op, create_collection)->collection->variables_count, 1);
	ck_assert_int_eq(create(&twice, "{\"name\": \"C\"}"), ELLU_E_CONFLICT);
	ck_assert_int_eq(create(&wrong, "{\"name\": \"D\", \"columns\": [{\"name\": \"a\"},"
					" {\"name\": \"a\"}]}"), ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(wrong.request.fault.field, "collection.columns[1].name");
	ck_assert_int_eq(add(&more, "\"variables\": [{\"t\": \"b\", \"lang\": \"de\", \"x\": null}]"), 0);
	ck_assert_int_eq(REPLY(&more, add_template_variables)->variables_count, 2);
	ck_assert_uint_eq(get()->n_columns, 3);
	ck_assert_str_eq(get()->columns[2]->name, "x");
	/* A missing cell takes its column's default. */
	ck_assert_str_eq(list("")->items[0]->input_values, "{\"t\":\"a\",\"lang\":\"en\"}");
	ck_assert_str_eq(list("")->items[1]->input_values, "{\"t\":\"b\",\"lang\":\"de\",\"x\":null}");
	fixture_close(&f);
}
END_TEST

/* The names of the columns, in their order. */
static const char *columns(void)
{
	const struct ellu_collection *collection = get();
	static char names[200];

	names[0] = '\0';
	for (size_t i = 0; i < collection->n_columns; i++)
		sprintf(names + strlen(names), " %s", collection->columns[i]->name);
	return names;
}

START_TEST(columns_go_with_their_rows)
{
	struct method_run op = { 0 };
	struct method_run more = { 0 };

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"columns\": [{\"name\": \"lang\", \"default_value\": \"en\"}],"
		    " \"variables\": [{\"a\": 1, \"b\": 2}]}");
	ck_assert_int_eq(add(&more, "\"variables\": [{\"c\": 1, \"b\": 2}], \"replace\": true"), 0);
	ck_assert_str_eq(columns(), " lang b c");
	/* What an upload's earlier calls had counts, too. */
	add(&more, "\"variables\": [{\"b\": 1}], \"upload_id\": \"u\"");
	ck_assert_int_eq(add(&more, "\"variables\": [{\"d\": 1}], \"upload_id\": \"u\", \"commit\": true,"
				    " \"replace\": true"), 0);
	ck_assert_str_eq(columns(), " lang b d");
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM collection_columns"), 3);
	ck_assert_int_eq(add(&more, "\"variables\": [{\"a\": 1}]"), 0);
	ck_assert_str_eq(columns(), " lang b d a");
	fixture_close(&f);
}
END_TEST

#define RUN_OF(name, text)                                                                      \
	"{\"name\": \"" name "\", \"prompt_template\": {\"content\": {\"name\": \"" name "\"," \
	" \"messages\": [{\"role\": \"user\", \"content\": \"" text "\"}]}},"                \
	" \"collection\": {\"ref\": {\"name\": \"C\"}}}"

/* No new run finds a former column; a verdict on what had it does. */
START_TEST(former_columns_can_be_judged)
{
	struct method_run op = { 0 };
	struct method_run more = { 0 };
	struct task_submit late = { 0 };
	struct task_submit rating = { .scope = own };
	const struct ellu_task *task;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"variables\": [{\"a\": 1}]}");
	task = submit(&f, RUN_OF("X", "{{a}}"));
	claim(&f, task->id);
	answer(&f, load_run(&f, 1), 1, 1, "text");
	finish(&f, task->id, TASK_SUCCESS);
	ck_assert_int_eq(add(&more, "\"variables\": [{\"b\": 1}], \"replace\": true"), 0);
	ck_assert_str_eq(columns(), " b");
	ck_assert_int_eq(submit_op(&f, &late, RUN_OF("Y", "{{a}}")), 0);
	ck_assert_str_eq(late.ret_task->status, "REJECTED");
	ck_assert_ptr_nonnull(strstr(late.ret_task->error->message, "'a' is none of them"));
	task_of(&f, &rating, METHOD_RATE_EXPERIMENT,
		"{\"experiment\": {\"name\": \"X\"}, \"criteria\": [\"{{a}}?\"]}");
	CALL_OK(&f, store_task_submit, &rating);
	ck_assert_str_eq(rating.ret_task->status, "PENDING");
	/* It comes back at the end. */
	ck_assert_int_eq(add(&more, "\"variables\": [{\"a\": 2}]"), 0);
	ck_assert_str_eq(columns(), " b a");
	fixture_close(&f);
}
END_TEST

START_TEST(uploads_become_visible_as_a_whole)
{
	struct method_run op = { 0 };
	struct method_run part = { 0 }, other = { 0 };

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	ck_assert_int_eq(add(&part, "\"variables\": [{\"a\": 1}], \"upload_id\": \"u\""), 0);
	ck_assert_int_eq(REPLY(&part, add_template_variables)->added, 1);
	ck_assert_int_eq(REPLY(&part, add_template_variables)->variables_count, 0);
	/* Rows added meanwhile come first, since they are visible first. */
	add(&other, "\"variables\": [{\"a\": 0}]");
	add(&part, "\"variables\": [{\"b\": 2}], \"upload_id\": \"u\"");
	ck_assert_uint_eq(get()->n_columns, 1);
	ck_assert_uint_eq(list("")->n_items, 1);
	ck_assert_int_eq(add(&part, "\"variables\": [], \"upload_id\": \"u\", \"commit\": true"), 0);
	ck_assert_int_eq(REPLY(&part, add_template_variables)->variables_count, 3);
	ck_assert_str_eq(list("")->items[2]->input_values, "{\"b\":2}");
	ck_assert_uint_eq(get()->n_columns, 2);
	/* A repeated commit is no second upload. */
	ck_assert_int_eq(add(&part, "\"variables\": [], \"upload_id\": \"u\", \"commit\": true"),
			 ELLU_E_CONFLICT);
	fixture_close(&f);
}
END_TEST

START_TEST(unfinished_uploads_are_swept)
{
	struct method_run op = { 0 };
	struct method_run part = { 0 };

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	add(&part, "\"variables\": [{\"a\": 1}, {\"a\": 2}], \"upload_id\": \"u\"");
	fixture_restart(&f);
	fixture_await(&f, "SELECT count(*) FROM template_variables", 0);
	/* Its second half alone is never committed. */
	ck_assert_int_eq(add(&part, "\"variables\": [{\"a\": 3}], \"upload_id\": \"u\", \"commit\": true"),
			 ELLU_E_CONFLICT);
	ck_assert_int_eq(add(&part, "\"variables\": [{\"a\": 3}], \"upload_id\": \"v\", \"commit\": true"),
			 0);
	ck_assert_uint_eq(list("")->n_items, 1);
	fixture_close(&f);
}
END_TEST

START_TEST(clearing_keeps_what_is_pinned)
{
	struct method_run op = { 0 };
	struct method_run more = { 0 };
	const struct ellu_task *task;
	const struct run_spec *spec;
	struct cases_page cases = { .scan = 100 };
	int64_t removed;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"variables\": [{\"a\": 1}, {\"a\": 2}]}");
	task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{a}}\"}]}},"
			  " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	ck_assert_int_eq(clear(&removed), 0);
	ck_assert_int_eq(removed, 2);
	ck_assert_uint_eq(list("")->n_items, 0);
	add(&more, "\"variables\": [{\"a\": 3}]");
	ck_assert_int_eq(REPLY(&more, add_template_variables)->variables_count, 1);
	ck_assert_str_eq(list("")->items[0]->input_values, "{\"a\":3}");
	spec = load_run(&f, *task->experiment_id);
	ck_assert_int_eq(spec->total_responses, 2);
	cases.run_id = spec->run_id;
	CALL_OK(&f, store_cases_page, &cases);
	ck_assert_uint_eq(cases.ret_n_cases, 2);
	ck_assert_str_eq(cases.ret_cases[1].input_values, "{\"a\":2}");
	ck_assert_uint_lt(arena_size(&f.answers[f.n_answers - 1]), 8192); // by what it has, not by what it looks at
	fixture_close(&f);
}
END_TEST

static void clear_rows(void)
{
	int64_t removed;

	ck_assert_int_eq(clear(&removed), 0);
}

static void add_thousand(const char *more)
{
	struct method_run add_op = { .scope = own };
	char *rows = malloc(1000 * 16), *at = rows;

	for (int i = 0; i < 1000; i++)
		at += sprintf(at, "%s{\"a\":%d}", i ? "," : "", i);
	method_of(&f, &add_op, METHOD_ADD_TEMPLATE_VARIABLES,
				  "{\"collection\": {\"name\": \"C\"}, \"variables\": [%s]%s}", rows,
				  more);
	CALL_OK(&f, store_method_run, &add_op);
	free(rows);
}

/* Each in a batch of its own: one that a run is pinned to, one upload, and a large one. */
START_TEST(cleared_rows_are_swept)
{
	struct method_run op = { 0 };
	struct method_run more = { 0 };

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	add_thousand("");
	clear_rows();
	fixture_await(&f, "SELECT count(*) FROM row_batches", 0);
	add(&more, "\"variables\": [{\"a\": 1}, {\"a\": 2}]");
	submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
		   " \"messages\": [{\"role\": \"user\", \"content\": \"{{a}}\"}]}},"
		   " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	add_thousand("");
	add_thousand(", \"upload_id\": \"u\"");
	add_thousand(", \"upload_id\": \"u\", \"commit\": true");
	clear_rows();
	add(&more, "\"variables\": [{\"a\": 3}]");
	fixture_await(&f, "SELECT count(*) FROM template_variables", 3);
	fixture_await(&f, "SELECT count(*) FROM row_batches", 2);
	ck_assert_str_eq(list("")->items[0]->input_values, "{\"a\":3}");
	/* The upload's id is free again. */
	add_thousand(", \"upload_id\": \"u\", \"commit\": true");
	ck_assert_int_eq(look_int(&f, "SELECT variables_count FROM collections"), 1001);
	fixture_close(&f);
}
END_TEST

/* Cleared, and the daemon ended before it came to sweep. */
START_TEST(sweeping_goes_on_after_a_start)
{
	struct method_run op = { 0 };
	sqlite3 *db;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	add_thousand("");
	add_thousand("");
	fixture_stop(&f);
	db = look(&f);
	ck_assert_int_eq(sqlite3_exec(db, "UPDATE collections SET first_sequence = last_sequence,"
					  " variables_count = 0", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture_start(&f);
	fixture_await(&f, "SELECT count(*) FROM template_variables", 0);
	fixture_close(&f);
}
END_TEST

START_TEST(read_only_refuses_writes)
{
	struct method_run op = { 0 };
	struct method_run more = { 0 };
	int64_t removed;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"read_only\": true, \"variables\": [{\"a\": 1}]}");
	ck_assert_int_eq(clear(&removed), ELLU_E_READ_ONLY);
	ck_assert_int_eq(add(&more, "\"variables\": [{\"a\": 1}]"), ELLU_E_READ_ONLY);
	fixture_close(&f);
}
END_TEST

static int add_keys(int n)
{
	struct method_run op = { 0 };
	char *rest = malloc((size_t)n * 20 + 100), *at = rest;

	at += sprintf(at, "\"variables\": [{\"k0\": 0");
	for (int i = 1; i < n; i++)
		at += sprintf(at, "%s\"k%d\":0", i % 100 ? "," : "},{", i);
	strcpy(at, "}]");
	n = add(&op, rest);
	free(rest);
	return n;
}

START_TEST(too_many_keys)
{
	struct method_run op = { 0 };
	struct method_run other = { 0 };

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	ck_assert_int_eq(add_keys(1001), ELLU_E_INVALID_PARAMETER);
	ck_assert_int_eq(add_keys(1000), 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM collection_columns"), 1000);
	ck_assert_int_eq(look_int(&f, "SELECT max(position) FROM collection_columns"), 999);
	ck_assert_int_eq(add(&other, "\"variables\": [{\"one more\": 1}]"), ELLU_E_INVALID_PARAMETER);
	fixture_close(&f);
}
END_TEST

/* A submission finds the rows to be the collection's, and another client's rows come in between. */
START_TEST(rows_that_change_under_a_submission)
{
	static const char request[] =
		"{\"name\": \"X\", \"update_existing\": true, \"prompt_template\": {\"content\":"
		" {\"name\": \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{a}}\"}]}},"
		" \"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"a\": 1}]}}}";
	struct method_run op = { 0 };
	struct method_run more = { .scope = own };
	struct task_submit again = { 0 };
	struct hold hold;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\", \"variables\": [{\"a\": 1}]}");
	hold_begin(&hold, f.store->writer.loop);
	method_of(&f, &more, METHOD_ADD_TEMPLATE_VARIABLES,
				"{\"collection\": {\"name\": \"C\"}, \"variables\": [{\"a\": 2}]}");
	fixture_begin(&f, &more.request);
	store_method_run(f.store, &more);
	again.scope = own;
	task_of(&f, &again, METHOD_RUN_EXPERIMENT, request);
	fixture_begin(&f, &again.request);
	store_task_submit(f.store, &again);
	fixture_pass(f.store->readers[1].loop);
	hold_end(&hold);
	fixture_wait_all(&f);
	ck_assert_int_eq(REPLY(&more, add_template_variables)->variables_count, 2);
	ck_assert_uint_eq(again.ret_n_notes, 1);
	ck_assert_str_eq(again.ret_notes[0], "collection 'C': 2 rows replaced by 1");
	ck_assert_int_eq(again.ret_task->progress->total_responses, 1);
	fixture_close(&f);
}
END_TEST

/* Ten thousand rows in one batch of calls, walked in pages and in cases. */
START_TEST(ten_thousand_rows)
{
	struct method_run op = { 0 };
	struct cases_page cases = { .scan = 1000 };
	const struct ellu_list_template_variables_reply *reply;
	char *rows = malloc(1000 * 16), rest[100] = "";
	size_t seen = 0;

	fixture_open(&f);
	create(&op, "{\"name\": \"C\"}");
	for (int part = 0; part < 10; part++) {
		struct method_run add_op = { .scope = own };
		char *at = rows;

		for (int i = 0; i < 1000; i++)
			at += sprintf(at, "%s{\"n\":%d}", i ? "," : "", part * 1000 + i);
		method_of(&f, &add_op, METHOD_ADD_TEMPLATE_VARIABLES,
					  "{\"collection\": {\"name\": \"C\"}, \"variables\": [%s],"
					  " \"upload_id\": \"u\", \"commit\": %s}", rows,
					  part == 9 ? "true" : "false");
		CALL_OK(&f, store_method_run, &add_op);
	}
	do {
		reply = list(rest);
		for (size_t i = 0; i < reply->n_items; i++) {
			char wanted[32];

			snprintf(wanted, sizeof(wanted), "{\"n\":%zu}", seen++);
			ck_assert_str_eq(reply->items[i]->input_values, wanted);
		}
		snprintf(rest, sizeof(rest), ", \"limit\": 777, \"cursor\": \"%s\"",
			 reply->next_cursor ? reply->next_cursor : "");
	} while (reply->next_cursor);
	ck_assert_uint_eq(seen, 10000);
	submit(&f, "{\"name\": \"X\", \"n_epochs\": 2, \"prompt_template\": {\"content\": {\"name\":"
		   " \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
		   " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	seen = 0;
	cases.run_id = load_run(&f, 1)->run_id;
	do {
		CALL_OK(&f, store_cases_page, &cases);
		ck_assert_uint_eq(cases.ret_n_cases, 1000);
		ck_assert_uint_lt(arena_size(&f.answers[f.n_answers - 1]), 2000 * sizeof(struct run_case));
		for (size_t i = 0; i < cases.ret_n_cases; i++, seen++)
			ck_assert_uint_eq((size_t)cases.ret_cases[i].row_number, seen % 10000 + 1);
		cases.cursor = cases.ret_cursor;
	} while (!cases.ret_end);
	ck_assert_uint_eq(seen, 20000);
	free(rows);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(collections_are_listed, a_deleted_collection_is_kept_for_results, columns_follow_keys, columns_go_with_their_rows,
			 former_columns_can_be_judged, uploads_become_visible_as_a_whole,
			 unfinished_uploads_are_swept, clearing_keeps_what_is_pinned,
			 cleared_rows_are_swept, sweeping_goes_on_after_a_start,
			 too_many_keys, rows_that_change_under_a_submission,
			 read_only_refuses_writes, ten_thousand_rows);
}
