/* A database that is copied while it is written to, begun with elsewhere, and looked at. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"
#include "tests/harness/users.h"

#define KEY "sk-never-in-any-backup"
#define ROWS 120
#define CRITERIA 2
#define ITEMS (ROWS * (1 + CRITERIA))
#define LARGE_ROWS 2000 // of 1 KiB: the copy takes many steps
#define PAGE_BYTES 4096

/* ---- Files ---- */

static const char *copy_of(const char *path, const char *name)
{
	const char *copy = dir_path(dir_new(), name);
	size_t size;
	char *content = file_read(path, &size);
	FILE *out = fopen(copy, "we");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(content, 1, size, out), size);
	ck_assert_int_eq(fclose(out), 0);
	free(content);
	return copy;
}

static bool same_content(const char *a, const char *b)
{
	size_t a_size, b_size;
	char *one = file_read(a, &a_size), *other = file_read(b, &b_size);
	bool same = one && other && a_size == b_size && memcmp(one, other, a_size) == 0;

	free(one);
	free(other);
	return same;
}

static void write_at(const char *path, long offset, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "r+e");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static void change(const char *path, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static int64_t look(const char *path, const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	int64_t found;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	found = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return found;
}

/* ---- The daemon's program, by itself ---- */

static const char *said;

static int run_daemon(const char *const *arguments)
{
	struct process_options options = {
		.path = daemon_program(),
		.arguments = arguments,
		.output = dir_path(dir_new(), "said"),
	};
	int status = process_wait(process_start(&options), WAIT_SECONDS);

	said = file_read(options.output, NULL);
	return status;
}
#define DAEMON(...) run_daemon((const char *const[]) { __VA_ARGS__, NULL })

static int restore(const char *state_dir, const char *path)
{
	return DAEMON(text("--state-dir=%s", state_dir), "--restore", path);
}

/* ---- Databases ---- */

static void upload_large(struct wire *wire)
{
	char *filler = malloc(1025), *rows = NULL;
	size_t size;
	FILE *out;

	memset(filler, 'x', 1024);
	filler[1024] = '\0';
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'Large'}}"));
	for (int i = 0; i < LARGE_ROWS; i += 1000) {
		out = open_memstream(&rows, &size);
		for (int k = 0; k < 1000; k++)
			fprintf(out, "%s{\"n\":%d,\"text\":\"%s\"}", k ? "," : "", i + k, filler);
		fclose(out);
		json_object_put(wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'Large'},"
					  "'variables':[%s],'upload_id':'large','commit':%s}", rows,
					  i + 1000 == LARGE_ROWS ? "true" : "false"));
		free(rows);
	}
	free(filler);
}

static char *results_of(struct wire *wire, const char *name)
{
	json_object *reply = wire_call(wire, "GetExperiment", "{'experiment':{'name':'%s'}}", name);
	char *results = text("%s", json_object_to_json_string(at_json(reply, "experiment.results")));

	json_object_put(reply);
	return results;
}

static const char *back_up(struct wire *wire)
{
	json_object *reply = wire_call(wire, "Backup", "{}");
	const char *path = text("%s", at_text(reply, "path"));
	struct stat file;

	ck_assert_int_eq(stat(path, &file), 0);
	ck_assert_uint_eq(file.st_mode & 0777, 0600);
	ck_assert_int_eq((int64_t)file.st_size, at_int(reply, "size_bytes"));
	ck_assert(strstr(path, at_text(reply, "name")));
	json_object_put(reply);
	return path;
}

/* Each once, and none without an answer. */
static void check_items(struct wire *wire, int64_t experiment_id)
{
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':false",
					  (long long)experiment_id);
	json_object *ratings = list_all(wire, "ListRatings", "'experiment':{'id':%lld}", (long long)experiment_id);

	ck_assert_uint_eq(json_object_array_length(responses), ROWS);
	ck_assert_uint_eq(json_object_array_length(ratings), ROWS * CRITERIA);
	json_object_put(responses);
	json_object_put(ratings);
}

/* A small one, with an experiment that has ended. */
static struct daemon *small_daemon(void)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);

	json_object_put(experiment_run(wire, &(struct experiment) { .name = "Done", .rows = 3, .n_criteria = 1 }));
	wire_close(wire);
	return daemon;
}

/* ---- What is copied ---- */

/* While answers are recorded; on another machine the same results are there, and what ran goes on. */
START_TEST(under_load)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	struct daemon *here = daemon_start(NULL), *there;
	struct wire *wire = daemon_connect(here), *other = daemon_connect(here);
	const char *path, *state_dir = dir_path(dir_new(), "state");
	int64_t id, experiment_id, before, copied;
	char *results;
	size_t size;

	json_object_put(wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'keyed','provider':'openai',"
				  "'llm_model_name':'m','llm_base_url':'%s','api_key':'" KEY "'}}", sim_url(sim)));
	json_object_put(experiment_run(wire, &(struct experiment) { .name = "Done", .rows = 5, .n_criteria = 2 }));
	results = results_of(wire, "Done");
	upload_large(wire);
	id = experiment_submit(wire, &(struct experiment) { .name = "Running", .rows = ROWS, .n_criteria = CRITERIA,
							   .url = sim_url(sim), .max_connections = 8 });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	before = experiment_await_recorded(wire, id, experiment_id, 20);
	/* What comes from now on is not answered before the copy is there, but is recorded until then. */
	sim_control(sim, "{'hang_rate':1,'faults_after':%d}", ITEMS - 40);
	path = back_up(other);
	json_object_put(task_get(wire, id));
	copied = look(path, text("SELECT sum(generated + rated) FROM run_epochs WHERE run_id ="
				 " (SELECT run_id FROM experiments WHERE id = %lld)", (long long)experiment_id));
	ck_assert_int_ge(copied, before / (1 + CRITERIA));
	ck_assert(!strstr(file_read(path, &size), KEY));
	ck_assert_ptr_null(memmem(file_read(path, &size), size, KEY, strlen(KEY)));

	/* Here nothing has happened. */
	sim_control(sim, "{'hang_rate':0}");
	ck_assert_int_eq(DAEMON("--check-backup", path), 0);
	ck_assert_int_eq(restore(state_dir, path), 0);
	daemon_kill(here);
	sim_reset(sim);
	there = daemon_start(&(struct daemon_options) { .state_dir = state_dir });
	other = daemon_connect(there);
	ck_assert_str_eq(results_of(other, "Done"), results);
	json_object_put(task_await_status(there, id, "SUCCESS"));
	check_items(other, experiment_id);
	ck_assert_int_eq(at_int(wire_call(other, "GetCollection", "{'collection':{'name':'Large'}}"),
				"collection.variables_count"), LARGE_ROWS);
	ck_assert_uint_eq(at_count(wire_call(other, "CheckStorage", "{}"), "problems"), 0);
	ck_assert_int_eq(daemon_stop(there), 0);
	sim_stop(sim);
}
END_TEST

/* It takes the place of what is there, which is kept with its keys; and goes back in the same way. */
START_TEST(back_and_forth)
{
	struct daemon *daemon = small_daemon();
	struct wire *wire = daemon_connect(daemon);
	const char *state_dir = daemon_state_dir(daemon), *path, *kept;
	struct command *found;

	path = back_up(wire);
	json_object_put(wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'keyed','provider':'openai',"
				  "'llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1','api_key':'" KEY "'}}"));
	/* While it runs nobody gets at its folder. */
	ck_assert_int_ne(restore(state_dir, path), 0);
	ASSERT_SAYS(said, "another daemon");
	daemon_kill(daemon); // its log is not empty
	ck_assert_int_eq(restore(state_dir, path), 0);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	json_object_put(wire_refused(wire, "NotFound", "GetLLMConfig", "{'llm_config':{'name':'keyed'}}"));
	ck_assert_int_eq(daemon_stop(daemon), 0);

	found = command_run_line(daemon, 0, text("cd '%s'; echo replaced-*/elluminate.db; cat replaced-*/secrets/*",
						 state_dir));
	ASSERT_SAYS(found->out, KEY);
	kept = text("%s/%.*s", state_dir, (int)strcspn(found->out, "\n"), found->out);
	/* It was killed, so it has a log, and is no backup by itself. */
	ck_assert_int_ne(restore(state_dir, kept), 0);
	ASSERT_SAYS(said, "a log beside it");
	ck_assert_int_eq(look(kept, "SELECT count(*) FROM llm_configs WHERE name = 'keyed'"), 1);
	ck_assert_int_eq(restore(state_dir, kept), 0);
	daemon_restart(daemon);
	json_object_put(wire_call(daemon_connect(daemon), "GetLLMConfig", "{'llm_config':{'name':'keyed'}}"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Killed between the steps of a restore: a start does the rest. */
START_TEST(interrupted)
{
	struct daemon *daemon = small_daemon();
	struct wire *wire = daemon_connect(daemon);
	const char *state_dir = daemon_state_dir(daemon), *path = back_up(wire);

	json_object_put(wire_call(wire, "CreateProject", "{'project':{'name':'Later'}}"));
	daemon_kill(daemon);
	ck_assert_int_eq(rename(path, dir_path(state_dir, "restored.db")), 0);
	file_write(dir_path(state_dir, "backups/elluminate-1.db.part"), "half of it");
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	ck_assert_uint_eq(at_count(wire_call(wire, "ListProjects", "{}"), "items"), 1);
	ck_assert_int_ne(access(dir_path(state_dir, "restored.db"), F_OK), 0);
	ck_assert_int_ne(access(dir_path(state_dir, "backups/elluminate-1.db.part"), F_OK), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	COMMAND(daemon, 2, "check", "/", "too many");
	ASSERT_SAYS(command_run_line(daemon, 0, text("ls '%s'/replaced-*", state_dir))->out, "elluminate.db-wal");
}
END_TEST

/* On another machine one has another number; who restores what was several users' does it as root. */
START_TEST(whose)
{
	struct daemon *daemon = small_daemon();
	struct wire *wire = daemon_connect(daemon);
	const char *path = back_up(wire), *state_dir = dir_path(dir_new(), "state");
	static const char *const tables[] = { "projects", "experiments", "runs", "responses", "tasks",
					      "prompt_templates", "collections" };
	char *results = results_of(wire, "Done");

	ck_assert_int_eq(daemon_stop(daemon), 0);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		change(path, text("UPDATE %s SET owner_uid = 4242", tables[i]));
	ck_assert_int_eq(restore(state_dir, path), 0);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = state_dir });
	wire = daemon_connect(daemon);
	ck_assert_str_eq(results_of(wire, "Done"), results);
	ck_assert_int_eq(daemon_stop(daemon), 0);

	change(path, "INSERT INTO projects (owner_uid, name, created_at, updated_at) VALUES (4343, 'b', 1, 1)");
	ck_assert_int_ne(restore(state_dir, path), 0);
	ASSERT_SAYS(said, "several users");
	ck_assert_int_eq(DAEMON("--system", text("--state-dir=%s", state_dir), "--restore", path), 0);
	ck_assert_int_eq(look(dir_path(state_dir, "elluminate.db"),
			      "SELECT count(DISTINCT owner_uid) FROM projects"), 2);
}
END_TEST

/* ---- What is no backup ---- */

static void refused(const char *state_dir, const char *path, const char *reason)
{
	const char *database = dir_path(state_dir, "elluminate.db"), *before = copy_of(database, "before");

	ck_assert_int_ge(DAEMON("--check-backup", path), 20);
	ASSERT_SAYS(said, reason);
	ASSERT_SAYS(said, path);
	ck_assert_int_ge(restore(state_dir, path), 20);
	ASSERT_SAYS(said, reason);
	ASSERT_SAYS(said, path);
	ck_assert(same_content(database, before));
	ck_assert_int_ne(access(dir_path(state_dir, "restore.part"), F_OK), 0);
	ck_assert_int_ne(access(text("%s-wal", path), F_OK), 0);
	ck_assert_int_ne(access(text("%s-journal", path), F_OK), 0);
}

START_TEST(other_files)
{
	static const char zeros[PAGE_BYTES];
	struct daemon *daemon = small_daemon();
	struct wire *wire = daemon_connect(daemon);
	const char *path = back_up(wire), *state_dir = daemon_state_dir(daemon), *bad;
	int64_t page = look(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'experiments_by_name'");
	char *results = results_of(wire, "Done");
	struct stat file;

	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_eq(stat(path, &file), 0);

	refused(state_dir, dir_path(state_dir, "nothing"), "No such file");
	refused(state_dir, state_dir, "it is no file");
	file_write(bad = dir_path(dir_new(), "empty"), "");
	refused(state_dir, bad, "it is empty");
	file_write(bad = dir_path(dir_new(), "100%?#x"), "a text, and no database at all");
	refused(state_dir, bad, "is no backup: it is no database");
	bad = copy_of(path, "half");
	ck_assert_int_eq(truncate(bad, file.st_size / 2), 0);
	refused(state_dir, bad, "is damaged");
	bad = copy_of(path, "last");
	ck_assert_int_eq(truncate(bad, file.st_size - 1), 0);
	refused(state_dir, bad, "is damaged");
	bad = copy_of(path, "page");
	write_at(bad, (long)(page - 1) * PAGE_BYTES, zeros, PAGE_BYTES);
	refused(state_dir, bad, "is damaged");
	bad = copy_of(path, "row");
	change(bad, "PRAGMA foreign_keys = OFF; UPDATE experiments SET run_id = 99");
	refused(state_dir, bad, "refers to no row of runs");
	bad = copy_of(path, "newer");
	change(bad, "PRAGMA user_version = 999");
	refused(state_dir, bad, "a newer version");
	bad = copy_of(path, "tables");
	change(bad, "CREATE TABLE more (x)");
	refused(state_dir, bad, "has other tables");
	bad = dir_path(dir_new(), "foreign");
	change(bad, "CREATE TABLE pictures (x)");
	refused(state_dir, bad, "another program");

	daemon_restart(daemon);
	ck_assert_str_eq(results_of(daemon_connect(daemon), "Done"), results);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* ---- The database itself ---- */

/* What is found damaged is only read from then on. */
START_TEST(damaged)
{
	static const char zeros[PAGE_BYTES];
	struct daemon *daemon = small_daemon();
	struct wire *wire = daemon_connect(daemon);
	const char *database = dir_path(daemon_state_dir(daemon), "elluminate.db");
	json_object *reply;
	int64_t page;

	ck_assert_uint_eq(at_count(reply = wire_call(wire, "CheckStorage", "{}"), "problems"), 0);
	ck_assert_int_ge(at_int(reply, "tables"), 15);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	page = look(database, "SELECT rootpage FROM sqlite_schema WHERE name = 'task_events_by_owner'");
	write_at(database, (long)(page - 1) * PAGE_BYTES, zeros, PAGE_BYTES);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	reply = wire_call(wire, "CheckStorage", "{}");
	ck_assert_uint_gt(at_count(reply, "problems"), 0);
	ASSERT_SAYS(at_text(reply, "problems.0"), "task_events: Page ");
	json_object_put(wire_refused(wire, "StorageDamaged", "CreateProject", "{'project':{'name':'x'}}"));
	ASSERT_SAYS(COMMAND(daemon, 41, "check")->out, "task_events: Page ");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* What cannot even be begun with is served as far as it can be read, and stays as it is. */
START_TEST(damaged_at_the_start)
{
	static const char zeros[PAGE_BYTES];
	struct daemon *daemon = small_daemon();
	const char *database = dir_path(daemon_state_dir(daemon), "elluminate.db");
	json_object *task;
	const char *before;
	struct wire *wire;
	int64_t page;

	ck_assert_int_eq(daemon_stop(daemon), 0);
	change(database, "UPDATE tasks SET status = 'STARTED', finished_at = NULL, result = NULL");
	page = look(database, "SELECT rootpage FROM sqlite_schema WHERE name = 'daemon'");
	write_at(database, (long)(page - 1) * PAGE_BYTES, zeros, PAGE_BYTES);
	before = copy_of(database, "before");
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	task = task_get(wire, 1);
	ck_assert_str_eq(at_text(task, "status"), "STARTED");
	ck_assert_str_eq(at_text(task, "hold"), "storage");
	ASSERT_SAYS(at_text(task, "hold_reason"), "only read");
	json_object_put(wire_refused(wire, "StorageDamaged", "CreateProject", "{'project':{'name':'x'}}"));
	ASSERT_SAYS(at_text(wire_call(wire, "GetStatus", "{}"), "storage.trouble"), "only read");
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert(same_content(database, before));
}
END_TEST

/* A stop does not wait for it. */
START_TEST(stopped)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon), *check = daemon_connect(daemon);

	upload_large(wire);
	wire_start(wire, "", "Backup", "{}");
	wire_start(check, "", "CheckStorage", "{}");
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_ne(command_run_line(daemon, 0, text("ls '%s'/backups | grep -c part; true",
							  daemon_state_dir(daemon)))->out[0], '1');
	daemon_restart(daemon);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static void may_not(struct wire *wire, void *userdata)
{
	(void)userdata;
	json_object_put(wire_refused(wire, "org.varlink.service.PermissionDenied", "Backup", "{}"));
	json_object_put(wire_refused(wire, "org.varlink.service.PermissionDenied", "CheckStorage", "{}"));
}

START_TEST(for_administrators)
{
	struct daemon *daemon;

	if (geteuid() != 0)
		return;
	daemon = daemon_start_system();
	as_other_user(daemon, may_not, NULL);
	back_up(connect_as(daemon, 0));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* ---- The command ---- */

START_TEST(commands)
{
	struct daemon *daemon = small_daemon();
	const char *folder = dir_new(), *path = dir_path(folder, "b.db"), *state;
	struct command *command;

	command = COMMAND(daemon, 0, "backup", path);
	ck_assert_str_eq(command->out, text("%s\n", path));
	ASSERT_SAYS(COMMAND(daemon, 2, "backup", path)->err, "--force");
	ASSERT_SAYS(COMMAND(daemon, 0, "backup", path, "--force", "--json")->out, "\"size_bytes\"");
	ASSERT_SAYS(command_run_line(daemon, 0, text("ls -A '%s/backups' | wc -l", daemon_state_dir(daemon)))->out, "0");
	ASSERT_SAYS(COMMAND(daemon, 0, "backup")->out, "/backups/elluminate-");
	ASSERT_SAYS(COMMAND(daemon, 0, "check")->err, "sound");
	ASSERT_SAYS(COMMAND(daemon, 0, "check", path)->err, "a sound backup");
	ASSERT_SAYS(COMMAND(daemon, 2, "restore", path)->err, "only your own daemon");
	ck_assert_int_eq(daemon_stop(daemon), 0);

	/* Of a user who has no daemon yet. */
	state = dir_path(folder, "state");
	command = command_run_line(daemon, 0, text("export HOME='%s' XDG_STATE_HOME='%s' XDG_RUNTIME_DIR='%s';"
						   " unset ELLUMINATE_SOCKET; \"$0\" --no-start restore '%s'",
						   folder, state, folder, path));
	ASSERT_SAYS(command->err, "Restored.");
	ck_assert_int_eq(look(dir_path(state, "elluminate/elluminate.db"), "SELECT count(*) FROM experiments"), 1);
}
END_TEST

int main(void)
{
	return RUN_SUITE(under_load, back_and_forth, interrupted, whose, other_files, damaged, damaged_at_the_start,
			 stopped, for_administrators, commands);
}
