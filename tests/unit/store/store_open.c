/* Starting: what is refused, what is recovered, modes of files, the schema, hot statements. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/engine/schema.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

static struct fixture f;

#define WHOLE                                                                                   \
	"{\"name\": \"X\", \"prompt_template\": {\"content\": {\"name\": \"T\", \"messages\":"   \
	" [{\"role\": \"user\", \"content\": \"{{n}}\"}]}}, \"collection\": {\"content\":"       \
	" {\"name\": \"C\", \"variables\": [{\"n\": 1}]}}, \"criteria\": [\"A?\"]}"

static void path_of(char path[200], const char *name)
{
	snprintf(path, 200, "%s/%s", f.dir, name);
}

START_TEST(a_newer_version_is_refused_untouched)
{
	struct stat before, after;
	struct fault fault;
	char path[200];

	fixture_open(&f);
	fixture_stop(&f);
	look_run(&f, "PRAGMA user_version = 99");
	path_of(path, "elluminate.db");
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(fault.message, "newer version"));
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	fixture_close(&f);
}
END_TEST

START_TEST(what_is_no_database_of_ours)
{
	struct fault fault;
	char path[200];
	FILE *file;

	fixture_open(&f);
	fixture_stop(&f);
	look_run(&f, "PRAGMA application_id = 7");
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_UNSUPPORTED);
	look_run(&f, "PRAGMA application_id = 1164733557; PRAGMA user_version = 0");
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_UNSUPPORTED);
	path_of(path, "elluminate.db");
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 1000; i++)
		fputs("no database ", file);
	fclose(file);
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_STORAGE_DAMAGED);
	ck_assert_str_eq(fault.field, path);
	fixture_close(&f);
}
END_TEST

START_TEST(a_version_never_released_is_refused_untouched)
{
	static const char *const changes[] = {
		"DROP INDEX tasks_by_status", "ALTER TABLE projects ADD COLUMN colour TEXT",
		"DROP TABLE task_events",
	};
	struct stat before, after;
	struct fault fault;
	char path[200];

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fixture_open(&f);
		fixture_stop(&f);
		look_run(&f, changes[i]);
		path_of(path, "elluminate.db");
		ck_assert_int_eq(stat(path, &before), 0);
		ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_UNSUPPORTED);
		ck_assert_ptr_nonnull(strstr(fault.message, "never released"));
		ck_assert_ptr_nonnull(strstr(fault.message, path));
		ck_assert_int_eq(stat(path, &after), 0);
		ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
		fixture_close(&f);
	}
}
END_TEST

START_TEST(one_daemon_a_folder)
{
	struct fixture other;
	struct fault fault;

	fixture_open(&f);
	other = f;
	ck_assert_int_eq(fixture_try_start(&other, false, &fault), ELLU_E_CONFLICT);
	ck_assert_ptr_nonnull(strstr(fault.message, "another daemon"));
	fixture_close(&f);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written)
{
	struct fault fault;

	fixture_open(&f);
	fixture_stop(&f);
	snprintf(f.dir + strlen(f.dir), 20, "/lock/below");
	ck_assert_int_eq(fixture_try_start(&f, false, &fault), ELLU_E_PERMISSION_DENIED);
	ck_assert_ptr_nonnull(strstr(fault.message, f.dir));
	f.dir[strlen(f.dir) - strlen("/lock/below")] = '\0';
	fixture_close(&f);
}
END_TEST

START_TEST(nobody_else_reads)
{
	static const char *const names[] = { "elluminate.db", "elluminate.db-wal", "lock" };
	struct stat file;
	char path[200];

	umask(0);
	fixture_open(&f);
	for (int i = 0; i < 3; i++) {
		path_of(path, names[i]);
		ck_assert_int_eq(stat(path, &file), 0);
		ck_assert_int_eq(file.st_mode & 0777, 0600);
	}
	path_of(path, "secrets");
	ck_assert_int_eq(stat(path, &file), 0);
	ck_assert_int_eq(file.st_mode & 0777, 0700);
	fixture_close(&f);
}
END_TEST

START_TEST(a_start_takes_over)
{
	struct task_get get = { .scope = own };
	struct task_change late = { .attempt = 1, .status = TASK_SUCCESS };
	const struct ellu_task *task;
	int64_t instance;

	fixture_open(&f);
	instance = look_int(&f, "SELECT instance FROM daemon");
	task = submit(&f, WHOLE);
	claim(&f, task->id);
	answer(&f, load_run(&f, 1), 1, 1, "text");
	fixture_restart(&f);
	ck_assert_int_gt(look_int(&f, "SELECT instance FROM daemon"), instance);
	get.task_id = late.task_id = task->id;
	CALL_OK(&f, store_task_get, &get);
	ck_assert_str_eq(get.ret_task->status, "PENDING");
	ck_assert_int_eq(get.ret_task->sequence, 3);
	ck_assert_int_eq(get.ret_task->progress->responses_generated, 1);
	ck_assert_double_gt(get.ret_task->running_seconds, 0);
	ck_assert_int_eq(claim(&f, task->id), 2);
	CALL_OK(&f, store_task_change, &late);
	ck_assert(!late.ret_changed);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM task_events WHERE task_id = 1"), 4);
	fixture_close(&f);
}
END_TEST

START_TEST(secrets_stay_in_their_folder)
{
	struct method_run op = { .scope = own };
	struct method_run get = { .scope = own };
	struct method_run choose = { .scope = own };
	struct task_submit moved = { 0 };
	const struct run_spec *spec;
	char path[200];
	struct stat folder;

	fixture_open(&f);
	method_of(&f, &op, METHOD_CREATE_LLM_CONFIG,
			 "{\"llm_config\": {\"name\": \"real\", \"provider\": \"openai\","
			 " \"llm_model_name\": \"m\", \"llm_base_url\": \"http://127.0.0.1:9/v1\", \"api_key\": \"sk-planted-key\"}}");
	CALL_OK(&f, store_method_run, &op);
	ck_assert_ptr_null(REPLY(&op, create_llm_config)->llm_config->api_key);
	ck_assert(*REPLY(&op, create_llm_config)->llm_config->has_api_key);
	method_of(&f, &get, METHOD_GET_LLM_CONFIG, "{\"llm_config\": {\"name\": \"real\"}}");
	CALL_OK(&f, store_method_run, &get);
	ck_assert_ptr_null(REPLY(&get, get_llm_config)->llm_config->api_key);
	/* It is what the project runs with once it was chosen. */
	method_of(&f, &choose, METHOD_SET_DEFAULT_LLM_CONFIG,
		  "{\"llm_config\": {\"name\": \"real\"}}");
	CALL_OK(&f, store_method_run, &choose);
	submit(&f, WHOLE);
	spec = load_run(&f, 1);
	ck_assert_str_eq(spec->config->api_key, "sk-planted-key");
	ck_assert_str_eq(spec->config->llm_base_url, "http://127.0.0.1:9/v1");
	ck_assert_int_eq(submit_op(&f, &moved,
				   "{\"name\": \"Y\", \"update_existing\": true, \"llm_config\":"
				   " {\"content\": {\"name\": \"real\", \"provider\": \"openai\","
				   " \"llm_model_name\": \"m\", \"llm_base_url\": \"http://evil/v1\"}}, \"prompt_template\": {\"ref\":"
				   " {\"name\": \"T\"}}, \"collection\": {\"ref\": {\"name\": \"C\"}}}"),
			 ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(moved.request.fault.field, "llm_config.content.api_key");
	/* With the key again it moves, and the old key is gone from the folder. */
	submit(&f, "{\"name\": \"Y\", \"update_existing\": true, \"llm_config\": {\"content\": {\"name\":"
		   " \"real\", \"provider\": \"openai\", \"llm_model_name\": \"m\","
		   " \"llm_base_url\": \"http://other/v1\","
		   " \"api_key\": \"sk-second-key\"}}, \"prompt_template\": {\"ref\": {\"name\": \"T\"}},"
		   " \"collection\": {\"ref\": {\"name\": \"C\"}}}");
	ck_assert_str_eq(load_run(&f, 1)->config->api_key, "sk-second-key");
	path_of(path, "secrets/orphan");
	close(open(path, O_WRONLY | O_CREAT, 0600));
	fixture_stop(&f);
	ck_assert(!folder_holds(&f, "sk-planted-key"));
	ck_assert(!folder_holds(&f, "sk-second-key"));
	fixture_start(&f);
	ck_assert_int_lt(stat(path, &folder), 0);
	ck_assert_str_eq(load_run(&f, 1)->config->api_key, "sk-second-key");
	fixture_close(&f);
}
END_TEST

/* ---- A key replaced while a run loads it ---- */

static const char *joined(const char *folder, const char *name)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct {
	atomic_bool armed;
	sem_t reached; // the row is read, the file not yet
	sem_t replaced;
} gap;

/* In place of the C library's: stops before the first file of a key that is read. */
int openat(int folder_fd, const char *path, int flags, ...)
{
	bool armed = true;
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (!(flags & (O_CREAT | O_DIRECTORY)) && folder_fd != AT_FDCWD &&
	    atomic_compare_exchange_strong(&gap.armed, &armed, false)) {
		sem_post(&gap.reached);
		while (sem_wait(&gap.replaced) < 0)
			;
	}
	return (int)syscall(SYS_openat, folder_fd, path, flags, mode);
}

#define KEYED                                                                                   \
	"{\"name\": \"Z\", \"llm_config\": {\"content\": {\"name\": \"real\", \"provider\":"  \
	" \"openai\", \"llm_model_name\": \"m\", \"llm_base_url\": \"http://127.0.0.1:9/v1\","  \
	" \"api_key\": \"sk-first-key\"}}, \"prompt_template\": {\"ref\": {\"name\": \"T\"}},"   \
	" \"collection\": {\"ref\": {\"name\": \"C\"}}}"

static void write_text(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(content, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static bool is_key(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* What a commit of the writer leaves: the row names another file, and the old one is gone. */
static void replace_key(DIR *folder, const char *path)
{
	static const char name[] = "00112233445566778899aabbccddeeff";
	struct dirent *entry;
	char old[300] = "";

	while ((entry = readdir(folder)))
		if (is_key(entry))
			snprintf(old, sizeof(old), "%s", entry->d_name);
	write_text(joined(path, name), "{\"name\": \"-\", \"provider\": \"openai\","
				       " \"api_key\": \"sk-second-key\"}");
	look_run(&f, "UPDATE llm_configs SET secret = '00112233445566778899aabbccddeeff'"
		     " WHERE secret IS NOT NULL");
	ck_assert_int_eq(unlink(joined(path, old)), 0);
}

START_TEST(a_key_is_replaced_while_a_run_loads)
{
	struct run_load load = { 0 }, gone = { 0 };
	char path[300];
	DIR *folder;
	struct dirent *entry;

	fixture_open(&f);
	sem_init(&gap.reached, 0, 0);
	sem_init(&gap.replaced, 0, 0);
	submit(&f, WHOLE);
	submit(&f, KEYED);
	load.task_id = gone.task_id = 2;
	atomic_store(&gap.armed, true);
	fixture_begin(&f, &load.request);
	store_run_load(f.store, &load);
	while (sem_wait(&gap.reached) < 0)
		;
	path_of(path, "secrets");
	folder = opendir(path);
	replace_key(folder, path);
	sem_post(&gap.replaced);
	fixture_wait_all(&f);
	ck_assert_msg(load.request.result == 0, "%s", load.request.fault.message);
	ck_assert_str_eq(load.ret_spec->config->api_key, "sk-second-key");
	/* One that is really gone is an error, and so is an empty one. */
	rewinddir(folder);
	while ((entry = readdir(folder)))
		if (is_key(entry))
			ck_assert_int_eq(truncate(joined(path, entry->d_name), 0), 0);
	ck_assert_int_eq(CALL(&f, store_run_load, &gone), ELLU_E_INVALID_PARAMETER);
	ck_assert_ptr_nonnull(strstr(gone.request.fault.message, "is empty"));
	rewinddir(folder);
	while ((entry = readdir(folder)))
		if (is_key(entry))
			ck_assert_int_eq(unlink(joined(path, entry->d_name)), 0);
	closedir(folder);
	ck_assert_int_eq(CALL(&f, store_run_load, &gone), ELLU_E_INVALID_PARAMETER);
	ck_assert_ptr_nonnull(strstr(gone.request.fault.message, "is gone"));
	fixture_close(&f);
}
END_TEST

START_TEST(a_folder_open_to_others_is_refused)
{
	struct fault fault = { 0 };

	fixture_open(&f);
	fixture_stop(&f);
	ck_assert_int_eq(chmod(f.dir, 0755), 0);
	ck_assert_int_lt(fixture_try_start(&f, false, &fault), 0);
	ck_assert_ptr_nonnull(strstr(fault.message, "is open to others (mode 755)"));
	ck_assert_int_eq(chmod(f.dir, 0700), 0);
	fixture_start(&f);
	fixture_close(&f);
}
END_TEST

START_TEST(references_are_for_administrators)
{
	struct method_run op = { .scope = own };
	struct user_ensure root = { .uid = 0 };
	struct fault fault;

	fixture_open(&f);
	fixture_stop(&f);
	setenv("ELLU_TEST_KEY", "from-the-environment", 1);
	ck_assert_int_eq(fixture_try_start(&f, true, &fault), 0);
	method_of(&f, &op, METHOD_CREATE_LLM_CONFIG,
			     "{\"llm_config\": {\"name\": \"r\", \"provider\": \"openai\","
			     " \"llm_model_name\": \"m\", \"llm_base_url\":"
			     " \"http://h/v1\", \"api_key_ref\": \"env:ELLU_TEST_KEY\"}}");
	ck_assert_int_eq(CALL(&f, store_method_run, &op), ELLU_E_PERMISSION_DENIED);
	CALL_OK(&f, store_user_ensure, &root);
	op.scope = (struct scope){ .uid = 0, .all = true, .administers = true };
	CALL_OK(&f, store_method_run, &op);
	fixture_close(&f);
}
END_TEST

/* Fields of a record that the table does not keep under their own name; what an experiment is
 * pinned to is its run's. */
static bool is_elsewhere(const char *field, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, field) == 0)
			return true;
	return false;
}

START_TEST(columns_are_the_fields_of_the_interface)
{
	static const struct {
		const char *table;
		const struct record_type *type;
		const char *elsewhere[12];
	} tables[] = {
		{ "tasks", &ellu_task_type,
		  { "project", "time_limit_seconds", "running_seconds", "progress", "cost_limit",
		    "hold_reason", "hold_until" } },
		{ "collections", &ellu_collection_type, { "columns", "variables", "version" } },
		{ "collection_columns", &ellu_column_type, { NULL } },
		{ "template_variables", &ellu_template_variables_type, { NULL } },
		{ "criteria", &ellu_criterion_type, { "check" } },
		{ "criterion_sets", &ellu_criterion_set_type, { "criteria", "linked_prompt_templates" } },
		{ "experiments", &ellu_experiment_type,
		  { "prompt_template", "collection", "criterion_set", "evaluators", "llm_config", "rating_llm_config",
		    "model", "rating_model", "rating_llm_configs", "rating_reduction",
		    "fallback_llm_configs" } },
		{ "responses", &ellu_response_type,
		  { "template_variables", "messages", "duration_seconds", "cost", "ratings", "left_out",
		    "llm_config", "model" } },
		{ "ratings", &ellu_rating_type,
		  { "criterion", "evaluator", "rating", "score", "judge", "duration_seconds", "cost", "left_out",
		    "edited", "original" } },
		{ "task_events", &ellu_task_log_type, { NULL } },
	};
	char sql[300];

	fixture_open(&f);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (size_t j = 0; j < tables[i].type->n_fields; j++) {
			const char *field = tables[i].type->fields[j].name;
			bool stored;

			snprintf(sql, sizeof(sql),
				 "SELECT '%s' IN (SELECT name FROM pragma_table_info('%s') UNION SELECT name"
				 " FROM pragma_table_info('runs') WHERE '%s' = 'experiments')", field,
				 tables[i].table, tables[i].table);
			stored = look_int(&f, sql) == 1;
			ck_assert_msg(stored != is_elsewhere(field, tables[i].elsewhere), "%s.%s",
				      tables[i].table, field);
		}
	}
	/* Another kind of job changes no table. */
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%''rating''%'"
				      " OR sql LIKE '%''experiment''%'"), 0);
	/* Every row of a user's says whose it is. */
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM sqlite_schema s WHERE type = 'table'"
				      " AND name NOT LIKE 'sqlite%' AND name <> 'daemon' AND (SELECT count(*)"
				      " FROM pragma_table_info(s.name) WHERE name = 'owner_uid') = 0"), 0);
	fixture_close(&f);
}
END_TEST

/* One statement too many is an error of its own; those that are there stay. */
START_TEST(statements_have_slots)
{
	static char texts[DB_STATEMENTS_MAX + 1][16]; // each a text of its own
	int64_t value = 0;
	struct db db;

	ck_assert_int_eq(db_open(":memory:", /* writable= */ true, 64, &db), 0);
	for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
		snprintf(texts[i], sizeof(texts[i]), "SELECT %d", i);
		ck_assert_int_eq(db_int(&db, &value, texts[i], ""), 1);
		ck_assert_int_eq(value, i);
	}
	snprintf(texts[DB_STATEMENTS_MAX], sizeof(texts[0]), "SELECT -1");
	ck_assert_int_eq(db_int(&db, &value, texts[DB_STATEMENTS_MAX], ""), -EIO);
	ck_assert_ptr_nonnull(strstr(db.trouble_text, "different statements"));
	ck_assert_int_eq(db_int(&db, &value, texts[7], ""), 1);
	ck_assert_int_eq(value, 7);
	db_close(&db);
}
END_TEST

static bool is_let_through(const char *sql)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct db db;

		(void)close(STDERR_FILENO);
		if (db_open(":memory:", /* writable= */ true, 64, &db) < 0 ||
		    db_script(&db, "CREATE TABLE t (k INTEGER PRIMARY KEY, a INTEGER)") < 0)
			_exit(1);
		db_check(&db, true);
		_exit(db_run(&db, sql, "") < 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
	return !WIFSIGNALED(status);
}

/* What guards the tests: a statement that walks or sorts does not get past its preparation. */
START_TEST(statements_are_checked)
{
	ck_assert(is_let_through("DELETE FROM t WHERE k = 1"));
	ck_assert(is_let_through("SELECT a FROM t WHERE k > 1 ORDER BY k"));
	ck_assert(!is_let_through("DELETE FROM t WHERE a = 1"));
	ck_assert(!is_let_through("SELECT count(*) FROM t"));
	ck_assert(!is_let_through("SELECT a FROM t WHERE k > 1 ORDER BY a"));
	ck_assert(!is_let_through("SELECT t.a FROM t JOIN t u ON u.a = t.a WHERE t.k = 1"));
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_newer_version_is_refused_untouched,
			 a_version_never_released_is_refused_untouched, what_is_no_database_of_ours,
			 one_daemon_a_folder, a_folder_that_cannot_be_written, nobody_else_reads,
			 a_start_takes_over, secrets_stay_in_their_folder,
			 a_key_is_replaced_while_a_run_loads, a_folder_open_to_others_is_refused,
			 references_are_for_administrators, columns_are_the_fields_of_the_interface,
			 statements_have_slots, statements_are_checked);
}
