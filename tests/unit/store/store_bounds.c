/*
 * What requests of the longest lists, and heaps that grew old, take of the writer at once: where
 * statements are checked, as they are here, an operation that changes more rows than it may ends the
 * process (engine/operation_check.h). So most of what is asked here is whether it ends well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define LIST 1000
#define MANY 3000 // more than an operation may change

static struct fixture f;

/* A JSON array of what stands around each of `n` numbers; with `step` -1 from the last. */
static char *list_of(int n, const char *before, int from, int step, const char *after)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%s%d%s", i ? "," : "[", before, from + (step < 0 ? n - 1 - i : i), after);
	fputc(']', out);
	fclose(out);
	return text;
}

static char *list(const char *before, int from, int step, const char *after)
{
	return list_of(LIST, before, from, step, after);
}

/* Succeeds. The list, in between, is freed. */
static const void *ask(enum method_id method, const char *before, char *items, const char *after)
{
	struct method_run *op = arena_alloc(&f.arena, sizeof(*op));

	*op = (struct method_run){ .scope = own };
	method_of(&f, op, method, "%s%s%s", before, items, after);
	free(items);
	CALL_OK(&f, store_method_run, op);
	return op->ret_reply;
}

static char *criteria_from(int first, int step)
{
	return list("{\"criterion_str\": \"Is it ", first, step, "?\"}");
}

#define TEMPLATE                                                                                \
	"\"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\": [{\"role\": \"user\"," \
	" \"content\": \"Write.\"}]}}"

static void run(const char *collection, const char *more, char *items)
{
	struct task_submit op = { .scope = own };

	ck_assert_int_eq(submit_op(&f, &op, "{\"name\": \"X\", " TEMPLATE ", \"collection\": %s,"
					    " \"update_existing\": true, %s%s}", collection, more, items), 0);
	ck_assert_str_eq(op.ret_task->status, "PENDING");
	claim(&f, op.ret_task->id);
	finish(&f, op.ret_task->id, TASK_REVOKED);
	free(items);
}

START_TEST(criteria)
{
	static const char one_row[] = "{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}";
	static const char update[] = "{\"criterion_set\": {\"name\": \"S\"}, \"content\": {\"name\": \"S\","
				     " \"criteria\": ";

	fixture_open(&f);
	ask(METHOD_CREATE_CRITERION_SET, "{\"criterion_set\": {\"name\": \"S\", \"criteria\": ",
	    criteria_from(0, 1), "}}");
	run(one_row, "\"criterion_set\": ", strdup("{\"name\": \"S\"}"));
	ask(METHOD_UPDATE_CRITERION_SET, update, criteria_from(0, -1), "}}"); // the other way round
	ck_assert_int_eq(look_int(&f, "SELECT position FROM criteria WHERE criterion_str = 'Is it 0?'"), 999);
	ask(METHOD_UPDATE_CRITERION_SET, update, criteria_from(LIST, 1), "}}"); // others
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM criteria WHERE position IS NULL"), LIST);
	run(one_row, "\"criterion_set\": ", strdup("{\"name\": \"S\"}"));
	ask(METHOD_UPDATE_CRITERION_SET, update, criteria_from(0, 1), "}}"); // the first again
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM criteria WHERE position IS NULL"), LIST);
	ask(METHOD_CLEAR_CRITERION_SET, "{\"criterion_set\": {\"name\": \"", strdup("S"), "\"}}");
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM criteria WHERE position IS NULL"), 2 * LIST);
	fixture_close(&f);
}
END_TEST

START_TEST(columns)
{
	static const char update[] = "{\"collection\": {\"name\": \"C\"}, \"content\": {\"name\": \"C\","
				     " \"columns\": ";
	const struct ellu_collection *collection;

	fixture_open(&f);
	ask(METHOD_CREATE_COLLECTION, "{\"collection\": {\"name\": \"C\", \"columns\": ",
	    list("{\"name\": \"c", 0, 1, "\"}"), ", \"variables\": [{\"c1\": \"x\"}]}}");
	collection = ((const struct ellu_update_collection_reply *)
		ask(METHOD_UPDATE_COLLECTION, update,
		    list("{\"name\": \"c", 0, -1, "\", \"type\": \"json\"}"), "}}"))->collection;
	ck_assert_str_eq(collection->columns[0]->name, "c999");
	ck_assert_str_eq(collection->columns[999]->type, "json");
	ck_assert_int_eq(*collection->columns[999]->position, 999);
	fixture_close(&f);
}
END_TEST

START_TEST(rows_in_the_place_of_others)
{
	char *first = list("\"c", 0, 1, "\": 1"), *others = list("{\"d1\": ", 0, 1, "}"), *text;

	/* One row of all columns, the others of one. */
	first[strlen(first) - 1] = '\0';
	others[strlen(others) - strlen("{\"d1\": 999}]")] = '\0';
	fixture_open(&f);
	ck_assert_int_gt(asprintf(&text, "[{%s}]", first + 1), 0);
	ask(METHOD_CREATE_COLLECTION, "{\"collection\": {\"name\": \"C\", \"variables\": ", text, "}}");
	for (char *at = first; (at = strchr(at, 'c')); at++)
		*at = 'd';
	ck_assert_int_gt(asprintf(&text, "%s{%s}]", others, first + 1), 0);
	ask(METHOD_ADD_TEMPLATE_VARIABLES, "{\"collection\": {\"name\": \"C\"}, \"replace\": true,"
	    " \"variables\": ", text, "}");
	ck_assert_int_eq(look_int(&f, "SELECT variables_count FROM collections"), LIST);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM collection_columns WHERE name LIKE 'c%'"), 0);
	free(first);
	free(others);
	fixture_close(&f);
}
END_TEST

/* Two experiments of a name, the first answered and judged by a thousand criteria. */
START_TEST(what_is_taken_over)
{
	struct run_take_over op = { .ret_end = false };

	fixture_open(&f);
	run("{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}", "\"n_epochs\": 20, \"criteria\": ",
	    list("\"Is it ", 0, 1, "?\""));
	fixture_stop(&f);
	look_run(&f, "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 20)"
		     "INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
		     " response_text, attempts, duration_usec, replaced, created_at)"
		     " SELECT owner_uid, project_id, 1, id, i, 'text', 1, 1, 0, 1 FROM template_variables, k;"
		     "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id, value,"
		     " attempts, duration_usec, created_at) SELECT r.owner_uid, r.project_id, r.id, m.measure_id,"
		     " (SELECT judge_id FROM runs), 1, 1, 1, 1 FROM responses r, run_measures m");
	fixture_start(&f);
	fixture_ensure(&f);
	run("{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}, {\"n\": 2}]}}",
	    "\"n_epochs\": 20, \"criteria\": ", list("\"Is it ", 0, 1, "?\""));
	op.run_id = look_int(&f, "SELECT max(id) FROM runs");
	while (!op.ret_end)
		CALL_OK(&f, store_run_take_over, &op);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings"), 40 * LIST);
	fixture_close(&f);
}
END_TEST

#define KNOWN                                                                                   \
	"INSERT INTO response_blocks (run_id, block, after, owner_uid, min_epoch, max_epoch,"    \
	" min_failed, max_failed, min_annotated, max_annotated, max_edited)"                     \
	" VALUES (1, 1, 0, 1000, 1, 1, 0, 0, 0, 0, 0);"                                          \
	"INSERT INTO response_verdicts (run_id, block, measure_id, judge_id, owner_uid, rated, yes, no)" \
	" SELECT 1, 1, measure_id, judge_id, owner_uid, 1, 1, 0 FROM ratings;"

/* Verdicts of a response that is there, and what people said of each. */
START_TEST(what_people_said)
{
	static const char add[] = "{\"experiment\": {\"name\": \"X\"}, \"responses\": [{\"row\": 1,"
				  " \"response_text\": \"text\", \"ratings\": ";

	fixture_open(&f);
	run("{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}", "\"criteria\": ",
	    list("\"Is it ", 0, 1, "?\""));
	ask(METHOD_ADD_RESPONSES, add, list("{\"criterion\": \"Is it ", 0, 1, "?\", \"rating\": \"YES\"}"), "}]}");
	fixture_stop(&f);
	look_run(&f, KNOWN);
	fixture_start(&f);
	fixture_ensure(&f);
	ask(METHOD_ADD_RESPONSES, add, list_of(900, "{\"criterion\": \"Is it ", 0, 1,
					       "?\", \"rating\": \"YES\", \"edited\": {\"rating\": \"NO\"}}"),
	    "}]}");
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM response_verdicts WHERE yes AND no"), 900);
	fixture_close(&f);
}
END_TEST

/* A response that was judged again and again; those of others that stay are as many. */
START_TEST(responses_that_go)
{
	fixture_open(&f);
	run("{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}", "\"criteria\": ",
	    list("\"Is it ", 0, 1, "?\""));
	fixture_stop(&f);
	look_run(&f, "INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
		     " response_text, attempts, duration_usec, replaced, created_at)"
		     " SELECT owner_uid, project_id, 1, id, 1, 'text', 1, 1, 0, 1 FROM template_variables;"
		     "INSERT INTO judges (owner_uid, project_id, kind, name, identity, created_at) SELECT"
		     " owner_uid, project_id, 'check', column1, column1, 1 FROM runs, (VALUES ('b'), ('c'));"
		     "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id, value,"
		     " reasoning, attempts, duration_usec, created_at) SELECT r.owner_uid, r.project_id, r.id,"
		     " m.measure_id, j.id, 1, 'since', 1, 1, 1 FROM responses r, run_measures m, judges j;"
		     KNOWN);
	ck_assert_int_ge(look_int(&f, "SELECT count(*) FROM ratings"), MANY);
	fixture_start(&f);
	ask(METHOD_DELETE_EXPERIMENT, "{\"experiment\": {\"name\": \"", strdup("X"), "\"}}");
	/* The last of all keeps its rows, without their texts. */
	fixture_await(&f, "SELECT count(*) FROM responses WHERE response_text IS NOT NULL", 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings WHERE reasoning IS NOT NULL"), 0);
	fixture_stop(&f);
	look_run(&f, "INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
		     " response_text, attempts, duration_usec, replaced, created_at)"
		     " SELECT owner_uid, project_id, 1, 1, 2, NULL, 1, 1, 0, 1 FROM responses;"
		     "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id, value,"
		     " attempts, duration_usec, created_at)"
		     " SELECT owner_uid, project_id, 2, 1, 1, 1, 1, 1, 1 FROM responses WHERE id = 1");
	fixture_start(&f);
	fixture_await(&f, "SELECT count(*) FROM responses WHERE id = 1", 0);
	fixture_await(&f, "SELECT count(*) FROM response_verdicts", 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings"), 1);
	fixture_close(&f);
}
END_TEST

/* Uploads that nobody went on with, and the history of a task that is to go. */
START_TEST(old_heaps)
{
	struct tasks_prune prune = { .scope = own, .ended_before = INT64_MAX };
	char sql[600];

	fixture_open(&f);
	for (int i = 0; i < 2; i++) // the last task stays
		run("{\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}", "\"n_epochs\": ",
		    strdup("1"));
	fixture_stop(&f);
	snprintf(sql, sizeof(sql), "WITH RECURSIVE k(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM k WHERE i < %d)"
		 " INSERT INTO row_batches (owner_uid, project_id, collection_id, upload_id, row_count, created_at)"
		 " SELECT 1000, 1, 1, 'u' || i, 0, 1 FROM k", MANY + 9);
	look_run(&f, sql);
	snprintf(sql, sizeof(sql), "WITH RECURSIVE k(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM k WHERE i < %d)"
		 " INSERT INTO task_events (task_id, sequence, number, owner_uid, project_id, at, status, line)"
		 " SELECT t.id, k.i, 1000 + k.i, t.owner_uid, t.project_id, 1, 'REVOKED', iif(k.i %% 2, 'line', NULL)"
		 " FROM tasks t, k WHERE t.id = 1", 2 * MANY + 9);
	look_run(&f, sql);
	fixture_start(&f);
	while (!prune.ret_end) {
		CALL_OK(&f, store_tasks_prune, &prune);
		prune.cursor = prune.ret_cursor;
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM task_events WHERE line IS NOT NULL"), 0);
	for (enum expiry_of what = 0; what < _EXPIRY_MAX; what++) {
		struct expiry expiry = { .what = what, .ended_before = INT64_MAX };

		while (!expiry.ret_end) {
			CALL_OK(&f, store_expiry, &expiry);
			expiry.after_id = expiry.ret_after_id;
		}
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks WHERE id = 1"), 0);
	fixture_await(&f, "SELECT count(*) FROM row_batches WHERE sequence IS NULL", 0);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(criteria, columns, rows_in_the_place_of_others, what_is_taken_over, what_people_said,
			 responses_that_go, old_heaps);
}
