/* Submissions: resolving, conflicts, families of names, idempotency, rejections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

#define PARTS                                                                                   \
	"\"prompt_template\": {\"content\": {\"name\": \"Haiku\", \"messages\":"                \
	" [{\"role\": \"user\", \"content\": \"About {{topic}}.\"}]}},"                         \
	"\"collection\": {\"content\": {\"name\": \"Topics\", \"variables\":"                   \
	" [{\"topic\": \"a\"}, {\"topic\": \"b\"}, {\"topic\": \"c\"}]}},"                      \
	"\"criteria\": [\"Is it short?\", \"Is it about {{topic}}?\"]"
#define WHOLE "{\"name\": \"X\", " PARTS "}"
#define UPDATE "{\"name\": \"X\", \"update_existing\": true, " PARTS "}"

static struct fixture f;

START_TEST(a_new_experiment)
{
	const struct ellu_task *task;
	const struct run_spec *spec;

	fixture_open(&f);
	task = submit(&f, WHOLE);
	ck_assert_str_eq(task->status, "PENDING");
	ck_assert_str_eq(task->name, "X");
	ck_assert_str_eq(task->project, "default");
	ck_assert_int_eq(task->owner_uid, UID);
	ck_assert_int_eq(task->sequence, 1);
	ck_assert_int_eq(task->progress->total_responses, 3);
	spec = load_run(&f, *task->experiment_id);
	ck_assert_uint_eq(spec->n_measures, 2);
	ck_assert_str_eq(spec->measures[1].text, "Is it about {{topic}}?");
	ck_assert_str_eq(spec->config->provider, "simulated");
	ck_assert_str_eq(spec->judges[0].config->provider, "simulated");
	ck_assert_int_eq(spec->total_responses, 3);
	ck_assert_str_eq(spec->prompt.template->messages[0]->content, "About {{topic}}.");
	fixture_close(&f);
}
END_TEST

START_TEST(started_in_the_same_transaction)
{
	struct task_submit op = { .start = true };

	fixture_open(&f);
	ck_assert_int_eq(submit_op(&f, &op, WHOLE), 0);
	ck_assert_str_eq(op.ret_task->status, "STARTED");
	ck_assert_int_eq(op.ret_attempt, 1);
	ck_assert_int_eq(op.ret_task->sequence, 2);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks WHERE attempts = 1 AND idle_claims = 1"
				      " AND started_at = created_at AND claimed_monotonic > 0"
				      " AND instance = (SELECT instance FROM daemon)"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM task_events e JOIN tasks t ON t.id = e.task_id"
				      " WHERE (e.sequence = 1 AND e.status = 'PENDING')"
				      " OR (e.sequence = t.sequence AND e.status = 'STARTED'"
				      "  AND e.number = t.last_event)"), 2);
	fixture_close(&f);
}
END_TEST

/* Pages in the log since its last beginning: a word of the index beside it. */
static int64_t pages_in_log(void)
{
	uint32_t words[5] = { 0 };
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/elluminate.db-shm", f.dir);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(words, sizeof(words), 1, file), 1);
	fclose(file);
	return words[4];
}

/* Who submits waits for each page that is written and synced: a table or an index each. */
#define PAGES_MAX 14
START_TEST(few_pages_are_written)
{
	struct task_submit op = { .start = true };
	int64_t before;

	fixture_open(&f);
	submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
		   " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}}, \"collection\":"
		   " {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}}");
	before = pages_in_log();
	ck_assert_int_eq(submit_op(&f, &op, "{\"name\": \"Y\", \"prompt_template\": {\"ref\":"
					    " {\"name\": \"T\"}}, \"collection\": {\"ref\":"
					    " {\"name\": \"C\"}}}"), 0);
	ck_assert_int_le(pages_in_log() - before, PAGES_MAX);
	fixture_close(&f);
}
END_TEST

/* ---- The largest ---- */

#define LARGEST 1000 // rows, columns, criteria, epochs

static char *largest_request(void)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("{\"name\": \"X\", \"n_epochs\": 1000, \"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\":"
	      " [{\"role\": \"user\", \"content\": \"{{c0}}\"}]}}, \"collection\": {\"content\": {\"name\": \"C\","
	      " \"variables\": [{\"c0\": 0", out);
	for (int i = 1; i < LARGEST; i++)
		fprintf(out, ", \"c%d\": 0", i);
	for (int i = 1; i < LARGEST; i++)
		fprintf(out, "}, {\"c0\": %d", i);
	fputs("}]}}, \"criteria\": [\"Is it 0?\"", out);
	for (int i = 1; i < LARGEST; i++)
		fprintf(out, ", \"Is it %d?\"", i);
	fputs("]}", out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* Of all tables. */
static int64_t count_rows(void)
{
	sqlite3 *db = look(&f);
	sqlite3_stmt *tables;
	int64_t n = 0;

	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT 'SELECT count(*) FROM ' || name FROM sqlite_schema"
					    " WHERE type = 'table'", -1, &tables, NULL), SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW)
		n += look_int(&f, (const char *)sqlite3_column_text(tables, 0));
	sqlite3_finalize(tables);
	sqlite3_close(db);
	return n;
}

/* It is one operation, by which nothing of it is seen before all is, nor left where it is refused. So each of
 * what it brings is one row, but for a criterion, which is measured and pinned too. */
#define LARGEST_ROWS_MAX (5 * LARGEST + 30)
START_TEST(the_largest_is_bounded)
{
	char *request = largest_request();
	struct task_submit op = { 0 };
	int64_t before;

	fixture_open(&f);
	before = count_rows();
	ck_assert_int_eq(submit_op(&f, &op, "%s", request), 0);
	ck_assert_int_le(count_rows() - before, LARGEST_ROWS_MAX);
	ck_assert_int_eq(op.ret_task->progress->total_responses, LARGEST * LARGEST);
	free(request);
	fixture_close(&f);
}
END_TEST

START_TEST(the_same_name_is_a_conflict)
{
	struct task_submit op = { 0 };

	fixture_open(&f);
	submit(&f, WHOLE);
	ck_assert_int_eq(submit_op(&f, &op, WHOLE), ELLU_E_CONFLICT);
	ck_assert_str_eq(op.request.fault.resource_type, "experiment");
	ck_assert_ptr_nonnull(strstr(op.request.fault.message, "task 1"));
	fixture_close(&f);
}
END_TEST

START_TEST(what_differs_is_a_conflict)
{
	static const char *const other[] = {
		"\"prompt_template\": {\"content\": {\"name\": \"Haiku\", \"messages\":"
		" [{\"role\": \"user\", \"content\": \"On {{topic}}.\"}]}},"
		"\"collection\": {\"ref\": {\"name\": \"Topics\"}}",
		"\"prompt_template\": {\"ref\": {\"name\": \"Haiku\"}}, \"collection\": {\"content\":"
		" {\"name\": \"Topics\", \"variables\": [{\"topic\": \"z\"}]}}",
		"\"prompt_template\": {\"ref\": {\"name\": \"Haiku\"}}, \"collection\": {\"ref\":"
		" {\"name\": \"Topics\"}}, \"llm_config\": {\"content\": {\"name\": \"simulated\","
		" \"provider\": \"simulated\", \"max_tokens\": 5}}",
	};
	static const char *const types[] = { "prompt_template", "collection", "llm_config" };

	fixture_open(&f);
	submit(&f, WHOLE);
	for (size_t i = 0; i < 3; i++) {
		struct task_submit op = { 0 };

		ck_assert_int_eq(submit_op(&f, &op, "{\"name\": \"Y\", %s}", other[i]), ELLU_E_CONFLICT);
		ck_assert_str_eq(op.request.fault.resource_type, types[i]);
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM experiments"), 1);
	fixture_close(&f);
}
END_TEST

START_TEST(equal_content_is_used)
{
	const struct ellu_task *task;

	fixture_open(&f);
	submit(&f, WHOLE);
	/* Blanks and the order of keys do not count. */
	task = submit(&f, "{\"name\": \"Y\", \"prompt_template\": {\"content\": {\"messages\":"
			  " [{\"content\": \"About {{topic}}.\", \"role\": \"user\"}], \"name\": \"Haiku\"}},"
			  "\"collection\": {\"content\": {\"name\": \"Topics\", \"variables\":"
			  " [{ \"topic\":\"a\"},{\"topic\" :\"b\"},{\"topic\":\"\\u0063\"}]}}}");
	ck_assert_int_eq(*task->experiment_id, 2);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM prompt_templates"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM template_variables"), 3);
	fixture_close(&f);
}
END_TEST

START_TEST(a_family_of_names)
{
	const struct ellu_task *first, *again;
	struct task_submit op = { 0 }, live = { 0 }, changed = { 0 }, afresh = { 0 };

	fixture_open(&f);
	first = submit(&f, UPDATE);
	ck_assert_int_eq(submit_op(&f, &live, UPDATE), ELLU_E_CONFLICT);
	/* Unfinished: it goes on. */
	finish(&f, first->id, TASK_REVOKED);
	again = submit(&f, UPDATE);
	ck_assert_int_eq(*again->experiment_id, *first->experiment_id);
	ck_assert_int_eq(*again->retry_of, first->id);
	/* Finished and unchanged: it is the answer. */
	claim(&f, again->id);
	finish(&f, again->id, TASK_SUCCESS);
	ck_assert_int_eq(submit_op(&f, &op, UPDATE), 0);
	ck_assert(op.ret_existing);
	ck_assert_int_eq(op.ret_task->id, again->id);
	/* Changed: another member, and it says so. */
	ck_assert_int_eq(submit_op(&f, &changed,
				   "{\"name\": \"X\", \"update_existing\": true, \"n_epochs\": 2, " PARTS
				   "}"), 0);
	ck_assert_str_eq(changed.ret_task->name, "X #2");
	ck_assert_uint_eq(changed.ret_n_notes, 1);
	ck_assert_str_eq(changed.ret_notes[0], "experiment 'X' is new: 'X #2'");
	/* Asked for afresh: always another one. */
	ck_assert_int_eq(submit_op(&f, &afresh, "{\"name\": \"X\", \"run_afresh\": true, " PARTS "}"), 0);
	ck_assert_str_eq(afresh.ret_task->name, "X #3");
	fixture_close(&f);
}
END_TEST

START_TEST(update_brings_what_exists_to_the_content)
{
	struct task_submit op = { 0 };
	struct method_run logs = { .scope = own };
	const struct ellu_list_task_logs_reply *page;

	fixture_open(&f);
	submit(&f, UPDATE);
	ck_assert_int_eq(
		submit_op(&f, &op,
			  "{\"name\": \"X\", \"update_existing\": true, \"prompt_template\": {\"content\":"
			  " {\"name\": \"Haiku\", \"messages\": [{\"role\": \"user\", \"content\":"
			  " \"On {{subject}}.\"}]}}, \"collection\": {\"content\": {\"name\": \"Topics\","
			  " \"variables\": [{\"subject\": \"a\"}]}}, \"criteria\": [\"Good?\"]}"), 0);
	ck_assert_uint_eq(op.ret_n_notes, 4);
	ck_assert_str_eq(op.ret_notes[0], "prompt template 'Haiku': version 2");
	ck_assert_str_eq(op.ret_notes[1], "collection 'Topics': 3 rows replaced by 1");
	ck_assert_str_eq(op.ret_notes[2], "criterion set 'X criteria': updated");
	ck_assert_str_eq(op.ret_notes[3], "experiment 'X' is new: 'X #2'");
	method_of(&f, &logs, METHOD_LIST_TASK_LOGS, "{\"id\": %d}",
				(int)op.ret_task->id);
	CALL_OK(&f, store_method_run, &logs);
	page = page_of(&f, &logs.request, &ellu_list_task_logs_reply_type);
	ck_assert_uint_eq(page->n_items, 4);
	ck_assert_str_eq(page->items[0]->line, op.ret_notes[0]);
	/* The first run keeps what it was pinned to. */
	ck_assert_int_eq(load_run(&f, 1)->total_responses, 3);
	ck_assert_str_eq(load_run(&f, 1)->measures[0].text, "Is it short?");
	fixture_close(&f);
}
END_TEST

START_TEST(idempotency)
{
	struct task_submit again = { 0 }, other = { 0 };
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit(&f, "{\"name\": \"X\", \"idempotency_key\": \"k\", " PARTS "}");
	ck_assert_int_eq(submit_op(&f, &again, "{\"name\": \"X\", \"idempotency_key\": \"k\","
					       " \"detach\": true, " PARTS "}"), 0);
	ck_assert(again.ret_existing);
	ck_assert_int_eq(again.ret_task->id, task->id);
	ck_assert_int_eq(submit_op(&f, &other, "{\"name\": \"Z\", \"idempotency_key\": \"k\", " PARTS "}"),
			 ELLU_E_CONFLICT);
	ck_assert_int_eq(other.request.fault.id, task->id);
	fixture_close(&f);
}
END_TEST

#define KEYED(key)                                                                              \
	"{\"name\": \"X\", \"idempotency_key\": \"k\", \"llm_config\": {\"content\": {\"name\": \"c\","  \
	" \"provider\": \"openai\", \"llm_model_name\": \"m\", \"llm_base_url\": \"http://h/v1\","  \
	" \"extra_headers\": {\"X-Key\": \"" key "\"}}}, " PARTS "}"

/* A key is part of the request that it came with, and not of the database. */
START_TEST(idempotency_minds_keys)
{
	struct task_submit again = { 0 }, other = { 0 };

	fixture_open(&f);
	submit(&f, KEYED("sk-first-key"));
	ck_assert_int_eq(submit_op(&f, &again, KEYED("sk-first-key")), 0);
	ck_assert(again.ret_existing);
	ck_assert_int_eq(submit_op(&f, &other, KEYED("sk-second-key")), ELLU_E_CONFLICT);
	ck_assert(!folder_holds(&f, "sk-first-key"));
	fixture_close(&f);
}
END_TEST

START_TEST(what_the_request_shows_wrong)
{
	static const struct {
		const char *request;
		int code;
		const char *field;
	} cases[] = {
		{ "{" PARTS "}", ELLU_E_INVALID_PARAMETER, "name" },
		{ "{\"name\": \"X\"}", ELLU_E_INVALID_PARAMETER, "collection" },
		{ "{\"name\": \"X\", \"response_column\": \"r\"}", ELLU_E_INVALID_PARAMETER, "collection" },
		{ "{\"name\": \"X\", \"criterion_set\": {\"id\": 1}, " PARTS "}", ELLU_E_INVALID_PARAMETER,
		  "criteria" },
		{ "{\"experiment\": {\"id\": 1}, \"name\": \"X\"}", ELLU_E_INVALID_PARAMETER, "name" },
		{ "{\"experiment\": {\"id\": 1}}", ELLU_E_NOT_FOUND, "" },
		{ "{\"name\": \"X\", \"llm_config\": {\"content\": {\"name\": \"c\", \"provider\":"
		  " \"openai\", \"llm_base_url\": \"http://h/v1\"}}, " PARTS "}",
		  ELLU_E_INVALID_PARAMETER, "llm_config.content.llm_model_name" },
		{ "{\"name\": \"X\", \"llm_config\": {\"content\": {\"name\": \"c\", \"provider\":"
		  " \"openai\", \"llm_model_name\": \"m\"}}, " PARTS "}", ELLU_E_INVALID_PARAMETER,
		  "llm_config.content.llm_base_url" },
		{ "{\"name\": \"X\", \"llm_config\": {\"content\": {\"name\": \"c\", \"provider\":"
		  " \"simulated\", \"extra_headers\": {\"Content-Length\": \"1\"}}}, " PARTS "}",
		  ELLU_E_INVALID_PARAMETER, "llm_config.content.extra_headers" },
		{ "{\"name\": \"X\", \"llm_config\": {\"content\": {\"name\": \"c\", \"provider\":"
		  " \"simulated\", \"extra_body\": {\"stream\": true}}}, " PARTS "}",
		  ELLU_E_INVALID_PARAMETER, "llm_config.content.extra_body" },
		{ "{\"name\": \"X\", \"llm_config\": {\"ref\": {\"name\": \"none\"}}, " PARTS "}",
		  ELLU_E_NOT_FOUND, "" },
		{ "{\"name\": \"X\", \"prompt_template\": {\"ref\": {\"name\": \"none\"}}, \"collection\":"
		  " {\"ref\": {\"id\": 1}}}", ELLU_E_NOT_FOUND, "" },
		{ "{\"name\": \"X\", \"project\": null, \"rating_llm_config\": {\"content\": {\"name\":"
		  " \"c\", \"provider\": \"simulated\", \"custom\": {\"error_rate\": 2}}}, " PARTS "}",
		  ELLU_E_INVALID_PARAMETER, "rating_llm_config.content.custom.error_rate" },
	};

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct task_submit op = { 0 };

		ck_assert_int_eq(submit_op(&f, &op, "%s", cases[i].request), cases[i].code);
		if (cases[i].field[0])
			ck_assert_str_eq(op.request.fault.field, cases[i].field);
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks"), 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM prompt_templates"), 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM collections"), 0);
	fixture_close(&f);
}
END_TEST

START_TEST(what_the_state_shows_wrong)
{
	static const char template[] = "\"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\":"
				       " [{\"role\": \"user\", \"content\": \"{{topic}}\"}]}}";
	static const struct {
		const char *rest;
		const char *field;
	} cases[] = {
		{ "\"collection\": {\"content\": {\"name\": \"C\"}}", "collection" },
		{ "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"t\": 1}]}}",
		  "prompt_template" },
		{ "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"topic\": 1}]}},"
		  " \"criteria\": [\"{{other}}?\"]", "criteria[0]" },
		{ "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"topic\": 1}]}},"
		  " \"response_column\": \"other\"", "response_column" },
		{ "\"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"topic\": 1}]}},"
		  " \"llm_config\": {\"content\": {\"name\": \"c\", \"provider\": \"openai\","
		  " \"llm_model_name\": \"m\", \"llm_base_url\": \"http://127.0.0.1:1/v1\", \"api_key_ref\": \"env:ELLU_NONE\"}}",
		  "llm_config.api_key_ref" },
	};
	struct task_submit full = { .queue_full = true };

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ellu_task *task =
			submit(&f, "{\"name\": \"X\", %s, %s}", template, cases[i].rest);

		ck_assert_str_eq(task->status, "REJECTED");
		ck_assert_str_eq(task->error->code, "InvalidParameter");
		ck_assert_str_eq(task->error->field, cases[i].field);
		ck_assert_ptr_null(task->experiment_id);
		ck_assert_ptr_nonnull(task->finished_at);
	}
	ck_assert_int_eq(submit_op(&f, &full, WHOLE), 0);
	ck_assert_str_eq(full.ret_task->status, "REJECTED");
	ck_assert_str_eq(full.ret_task->error->code, "QueueFull");
	/* Nothing but the tasks is left of them. */
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM tasks"), 6);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM experiments"), 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM collections"), 0);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM llm_configs"), 1);
	fixture_close(&f);
}
END_TEST

/* A template, criteria or config whose texts take so much; the writer never has to carry more. */
static int submit_large(const char *part, size_t size, struct task_submit *op)
{
	static const char request[] =
		"{\"name\": \"Large %zu\", \"prompt_template\": {\"content\": {\"name\": \"T%zu\","
		" \"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]}},"
		" \"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}},"
		" \"criteria\": [\"A?\", \"%s\"],"
		" \"llm_config\": {\"content\": {\"name\": \"L%zu\", \"provider\": \"simulated\","
		"  \"system_message\": \"%s\"}}}";
	char *text = malloc(size + 1);
	bool template = strcmp(part, "template") == 0, criteria = strcmp(part, "criteria") == 0;
	int r;

	memset(text, 'x', size);
	text[size] = '\0';
	r = submit_op(&f, op, request, size, size, template ? text : "x", criteria ? text : "B?", size,
		      template || criteria ? "x" : text);
	free(text);
	return r;
}

START_TEST(what_is_too_large)
{
	struct task_submit op = { 0 };

	fixture_open(&f);
	ck_assert_int_eq(submit_large("template", TEMPLATE_BYTES_MAX - 20, &op), 0);
	ck_assert_int_eq(submit_large("template", TEMPLATE_BYTES_MAX, &op), ELLU_E_TOO_LARGE);
	ck_assert_int_eq(op.request.fault.number, TEMPLATE_BYTES_MAX);
	ck_assert_int_eq(submit_large("criteria", CRITERIA_BYTES_MAX - 2, &op), 0);
	ck_assert_int_eq(submit_large("criteria", CRITERIA_BYTES_MAX - 1, &op), ELLU_E_TOO_LARGE);
	ck_assert_int_eq(submit_large("config", CONFIG_BYTES_MAX - 100, &op), 0);
	ck_assert_int_eq(submit_large("config", CONFIG_BYTES_MAX, &op), ELLU_E_TOO_LARGE);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM experiments"), 3);
	fixture_close(&f);
}
END_TEST

static char *repeat(const char *before, const char *after, unsigned n)
{
	char *text = calloc(n, strlen(before) + strlen(after) + 8), *at = text;

	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s%u%s", before, i, after);
	at[-1] = '\0';
	return text;
}

/* Much in few bytes: each of it takes the writer's time, and memory. */
START_TEST(what_is_too_many)
{
	static const char request[] =
		"{\"name\": \"Many %zu\", \"prompt_template\": {\"content\": {\"name\": \"T\","
		" \"messages\": [{\"role\": \"user\", \"content\": \"%s\"}],"
		" \"response_format\": {\"schema\": [%s]}}},"
		" \"collection\": {\"content\": {\"name\": \"C\", \"variables\": [{\"n\": 1}]}},"
		" \"criteria\": [\"A?\"], \"llm_config\": {\"content\": {\"name\": \"L\","
		"  \"provider\": \"simulated\", \"extra_headers\": {%s}, \"extra_body\": {%s}}}}";
	static const struct {
		const char *before, *after;
		unsigned n;
		int code;
	} table[] = {
		{ "{{n", "}} ", 2000, ELLU_E_INVALID_PARAMETER },
		{ "", ",", 20000, ELLU_E_TOO_LARGE },
		{ "\"h", "\":\"\",", 5000, ELLU_E_TOO_LARGE },
		{ "\"b", "\":1,", 5000, ELLU_E_TOO_LARGE },
	};

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		char *many = repeat(table[i].before, table[i].after, table[i].n);
		struct task_submit op = { 0 };

		ck_assert_int_eq(submit_op(&f, &op, request, i, i == 0 ? many : "x",
					   i == 1 ? many : "1", i == 2 ? many : "\"h\":\"\"",
					   i == 3 ? many : "\"b\":1"),
				 table[i].code);
		free(many);
	}
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM experiments"), 0);
	fixture_close(&f);
}
END_TEST

/* The same criterion twice is one. */
START_TEST(repeated_criteria)
{
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit(&f, "{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  " \"collection\": {\"content\": {\"name\": \"C\", \"variables\":"
			  " [{\"n\": 1}]}}, \"criteria\": [\"B?\", \"A?\", \"B?\", \"C?\", \"A?\"]}");
	ck_assert_str_eq(task->status, "PENDING");
	ck_assert_int_eq(look_int(&f, "SELECT group_concat(criterion_str, '') = 'B?A?C?' FROM"
				      " (SELECT criterion_str FROM criteria ORDER BY position)"), 1);
	fixture_close(&f);
}
END_TEST

START_TEST(again_what_is_missing)
{
	struct task_submit live = { 0 };
	const struct ellu_task *task, *again;

	fixture_open(&f);
	task = submit(&f, WHOLE);
	ck_assert_int_eq(submit_op(&f, &live, "{\"experiment\": {\"name\": \"X\"}}"), ELLU_E_CONFLICT);
	finish(&f, task->id, TASK_REVOKED);
	again = submit(&f, "{\"experiment\": {\"name\": \"X\"}}");
	ck_assert_int_eq(*again->retry_of, task->id);
	ck_assert_int_eq(*again->experiment_id, *task->experiment_id);
	fixture_close(&f);
}
END_TEST

START_TEST(others_see_nothing)
{
	struct task_get task = { .scope = { .uid = UID + 1 }, .task_id = 1 };
	struct task_get admin = { .scope = { .uid = 0, .all = true }, .task_id = 1 };
	struct method_run experiment = { .scope = { .uid = UID + 1 } };
	struct user_ensure other = { .uid = UID + 1 };

	fixture_open(&f);
	CALL_OK(&f, store_user_ensure, &other);
	submit(&f, WHOLE);
	method_of(&f, &experiment, METHOD_GET_EXPERIMENT, "{\"experiment\": {\"id\": 1}}");
	ck_assert_int_eq(CALL(&f, store_task_get, &task), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(CALL(&f, store_method_run, &experiment), ELLU_E_NOT_FOUND);
	CALL_OK(&f, store_task_get, &admin);
	experiment.scope = own;
	CALL_OK(&f, store_method_run, &experiment);
	ck_assert_str_eq(REPLY(&experiment, get_experiment)->experiment->prompt_template->name, "Haiku");
	ck_assert_uint_eq(REPLY(&experiment, get_experiment)->experiment->criterion_set->n_criteria, 2);
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_new_experiment, started_in_the_same_transaction, few_pages_are_written, the_largest_is_bounded,
			 the_same_name_is_a_conflict,
			 what_differs_is_a_conflict, equal_content_is_used, a_family_of_names,
			 update_brings_what_exists_to_the_content, idempotency,
			 idempotency_minds_keys,
			 what_the_request_shows_wrong, what_the_state_shows_wrong, what_is_too_large,
			 what_is_too_many,
			 repeated_criteria,
			 again_what_is_missing,
			 others_see_nothing);
}
