/* Experiments that are deleted: what goes, in chunks, and what others keep of them. */
#include <stdio.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define MANY 2500 // responses, several chunks

static struct fixture f;

/* Two rows, one epoch, one criterion, a live task. */
static const struct ellu_task *make(const char *name)
{
	return submit(&f, "{\"name\": \"%s\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1},"
			  " {\"n\": 2}]}}, \"criteria\": [\"A?\"], \"update_existing\": true}", name);
}

/* As if it had been asked so often. */
static void fill(const struct run_spec *spec)
{
	char sql[1000];

	fixture_stop(&f);
	snprintf(sql, sizeof(sql), "WITH RECURSIVE e(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM e WHERE"
		 " n < %d) INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id,"
		 " epoch, response_text, attempts, duration_usec, replaced, created_at)"
		 " SELECT %d, %d, %d, 1, n, 'text', 1, 1, 0, 1 FROM e", MANY, UID,
		 (int)spec->project_id, (int)spec->run_id);
	look_run(&f, sql);
	snprintf(sql, sizeof(sql), "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id,"
		 " judge_id, value, attempts, duration_usec, created_at) SELECT owner_uid, project_id, id,"
		 " %d, %d, 1, 1, 1, 1 FROM responses", (int)spec->measures[0].id, (int)spec->judge_id);
	look_run(&f, sql);
	fixture_start(&f);
	fixture_ensure(&f);
}

static int delete(const char *name)
{
	static struct method_run op;

	op.scope = own;
	method_of(&f, &op, METHOD_DELETE_EXPERIMENT, "{\"experiment\": {\"name\": \"%s\"}}", name);
	return CALL(&f, store_method_run, &op);
}

static int ask(struct task_submit *op, enum method_id method, const char *json)
{
	*op = (struct task_submit){ .scope = own };
	task_of(&f, op, method, json);
	fixture_init(&f, &op->request);
	store_task_submit(f.store, op);
	return fixture_wait(&f, &op->request);
}

START_TEST(others_keep_their_results)
{
	const struct ellu_task *task, *other;
	struct task_submit rating, again;

	fixture_open(&f);
	task = make("X");
	fill(load_run(&f, *task->experiment_id));
	ck_assert_int_eq(ask(&rating, METHOD_RATE_RESPONSES,
			     "{\"response_ids\": [2, 2400], \"criteria\": [\"B?\"]}"), 0);
	ck_assert_int_eq(delete("X"), ELLU_E_CONFLICT);
	finish(&f, task->id, TASK_REVOKED);
	ck_assert_int_eq(delete("X"), ELLU_E_CONFLICT); // the rating goes on
	finish(&f, rating.ret_task->id, TASK_REVOKED);
	ck_assert_int_eq(delete("X"), 0);
	fixture_stop(&f); // in the middle of it, or before
	fixture_start(&f);
	ck_assert_int_eq(delete("X"), ELLU_E_NOT_FOUND);
	/* The newest one waits for a newer, without its text. */
	fixture_await(&f, "SELECT count(*) FROM responses", 3);
	fixture_await(&f, "SELECT count(*) FROM responses WHERE response_text IS NOT NULL", 2);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings"), 3);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE id IN (2, 2400)"), 2);
	/* Its name is free; what is hidden cannot be gone on with. */
	other = make("X");
	ck_assert_int_ne(*other->experiment_id, *task->experiment_id);
	ck_assert_int_eq(ask(&again, METHOD_RETRY_TASK, "{\"id\": 1}"), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(ask(&again, METHOD_RATE_RESPONSES,
			     "{\"response_ids\": [2], \"criteria\": [\"B?\"]}"), ELLU_E_NOT_FOUND);
	ck_assert_int_gt(answer(&f, load_run(&f, *other->experiment_id), 1, 1, "new"), MANY);
	ck_assert_int_eq(ask(&again, METHOD_RETRY_TASK, "{\"id\": 2}"), 0); // that of the rating
	fixture_close(&f);
}
END_TEST

/* Nothing of it is left, and the rows that it alone was pinned to go with it. */
START_TEST(all_of_it_goes)
{
	struct method_run op = { .scope = own };
	const struct ellu_task *task, *other;

	fixture_open(&f);
	task = make("X");
	fill(load_run(&f, *task->experiment_id));
	finish(&f, task->id, TASK_REVOKED);
	method_of(&f, &op, METHOD_CLEAR_COLLECTION, "{\"collection\": {\"name\": \"C\"}}");
	CALL_OK(&f, store_method_run, &op);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM template_variables"), 2);
	other = submit(&f, "{\"name\": \"Y\", \"response_column\": \"n\", \"collection\": {\"content\":"
			   " {\"name\": \"D\", \"variables\": [{\"n\": 1}]}}, \"criteria\": [\"A?\"]}");
	rate(&f, load_run(&f, *other->experiment_id),
	     answer(&f, load_run(&f, *other->experiment_id), 3, 1, "1"), 1, 0, 1, true);
	ck_assert_int_eq(delete("X"), 0);
	fixture_await(&f, "SELECT count(*) FROM responses", 1);
	fixture_await(&f, "SELECT count(*) FROM template_variables", 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM experiments WHERE swept_response_id IS NOT NULL"),
			 0);
	fixture_close(&f);
}
END_TEST

/* Whoever has begun to take its answers over takes them. */
START_TEST(taken_over_first)
{
	const struct ellu_task *task, *next;
	const struct run_spec *spec;
	struct method_run op = { .scope = own };

	fixture_open(&f);
	task = make("X");
	spec = load_run(&f, *task->experiment_id);
	answer(&f, spec, 1, 1, "old");
	answer(&f, spec, 2, 1, "old");
	finish(&f, task->id, TASK_SUCCESS);
	method_of(&f, &op, METHOD_ADD_TEMPLATE_VARIABLES,
		  "{\"collection\": {\"name\": \"C\"}, \"variables\": [{\"n\": 3}]}");
	CALL_OK(&f, store_method_run, &op);
	next = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"ref\": {\"name\": \"T\"}}, \"collection\":"
			  " {\"ref\": {\"name\": \"C\"}}, \"criteria\": [\"A?\"], \"update_existing\": true}");
	ck_assert(load_run(&f, *next->experiment_id)->takes_over);
	ck_assert_int_eq(delete("X"), ELLU_E_CONFLICT);
	finish(&f, next->id, TASK_REVOKED);
	ck_assert_int_eq(delete("X"), 0);
	fixture_restart(&f);
	spec = load_run(&f, *next->experiment_id);
	for (struct run_take_over take = { .run_id = spec->run_id }; !take.ret_end;)
		CALL_OK(&f, store_run_take_over, &take);
	ck_assert_int_eq(load_run(&f, *next->experiment_id)->taken_over_responses, 2);
	fixture_await(&f, "SELECT count(*) FROM responses", 2);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(others_keep_their_results, all_of_it_goes, taken_over_first);
}
