/* State folders that a daemon must not, or cannot, serve from: it says why and touches nothing. */
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/suite.h"

#define DATABASE "elluminate.db"

/* It must not come up, and its last words hold both. */
static void refuses(const struct daemon_options *options, const char *word, const char *path)
{
	struct daemon *daemon;
	int status = daemon_start_failing(options, &daemon);

	ck_assert_int_gt(status, 0);
	ck_assert_int_lt(status, 128);
	ck_assert_msg(strcasestr(daemon_log(daemon), word), "no '%s' in: %s", word, daemon_log(daemon));
	ck_assert_msg(strstr(daemon_log(daemon), path), "no '%s' in: %s", path, daemon_log(daemon));
	ck_assert_int_ne(access(daemon_socket(daemon), F_OK), 0);
}

/* A folder as a daemon leaves it. */
static const char *used_folder(void)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *state_dir = daemon_state_dir(daemon);
	json_object *task = experiment_run(daemon_connect(daemon), &(struct experiment) { .rows = 3 });

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(daemon_stop(daemon), 0);
	return state_dir;
}

static void run_sql(const char *state_dir, const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(dir_path(state_dir, DATABASE), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* With its log still beside it, as a newer daemon leaves it that was killed. */
static void leave_newer(const char *state_dir)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(dir_path(state_dir, DATABASE), &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version = 9999", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(access(dir_path(state_dir, DATABASE "-wal"), F_OK), 0);
}

START_TEST(newer_version)
{
	const char *state_dir = used_folder();
	char *before, *after;
	size_t before_size, after_size;

	leave_newer(state_dir);
	before = file_read(dir_path(state_dir, DATABASE), &before_size);
	refuses(&(struct daemon_options) { .state_dir = state_dir }, "newer", state_dir);
	after = file_read(dir_path(state_dir, DATABASE), &after_size);
	ck_assert_uint_eq(before_size, after_size);
	ck_assert_int_eq(memcmp(before, after, after_size), 0);
}
END_TEST

START_TEST(foreign_database)
{
	const char *state_dir = dir_new();

	run_sql(state_dir, "CREATE TABLE other (a); PRAGMA application_id = 1234");
	refuses(&(struct daemon_options) { .state_dir = state_dir }, DATABASE, state_dir);
}
END_TEST

START_TEST(no_database_at_all)
{
	const char *state_dir = dir_new();
	char *garbage = text("%09000d", 7);

	file_write(dir_path(state_dir, DATABASE), garbage);
	refuses(&(struct daemon_options) { .state_dir = state_dir }, DATABASE, state_dir);
	ck_assert_str_eq(file_read(dir_path(state_dir, DATABASE), NULL), garbage);
}
END_TEST

START_TEST(held_by_another)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *state_dir = daemon_state_dir(daemon);

	refuses(&(struct daemon_options) { .state_dir = state_dir }, "another", state_dir);
	ck_assert(daemon_is_well(daemon));
	/* It holds even after the first was killed and came again. */
	daemon_kill(daemon);
	daemon_restart(daemon);
	refuses(&(struct daemon_options) { .state_dir = state_dir }, "another", state_dir);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(no_folder)
{
	const char *dir = dir_new();
	const char *file = dir_path(dir, "file");

	file_write(file, "");
	refuses(&(struct daemon_options) { .state_dir = file }, "not a directory", file);
	refuses(&(struct daemon_options) { .state_dir = dir_path(file, "below") }, "not a directory",
		file);
	refuses(&(struct daemon_options) { .state_dir = "/proc/elluminate" }, "", "/proc/elluminate");
}
END_TEST

/* Modes do not keep root from writing; a read-only mount does. */
START_TEST(read_only_folder)
{
	const char *state_dir;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "no private mounts: read-only folders are not tried\n");
		return;
	}
	state_dir = used_folder();
	ck_assert_int_eq(mount(state_dir, state_dir, NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(mount(NULL, state_dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	refuses(&(struct daemon_options) { .state_dir = state_dir }, "read-only", state_dir);
	ck_assert_int_eq(umount(state_dir), 0);
}
END_TEST

START_TEST(socket_in_use)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *option = text("--socket=%s", daemon_socket(daemon));
	struct daemon *other;
	int status = daemon_start_failing(
		&(struct daemon_options) { .arguments = (const char *[]) { option, NULL } }, &other);

	ck_assert_int_gt(status, 0);
	ck_assert_msg(strstr(daemon_log(other), daemon_socket(daemon)), "%s", daemon_log(other));
	ck_assert(daemon_is_well(daemon));
	ck_assert_int_eq(daemon_stop(daemon), 0);
	ck_assert_int_ne(access(daemon_socket(daemon), F_OK), 0);
}
END_TEST

START_TEST(options)
{
	struct daemon *daemon;
	int status = daemon_start_failing(
		&(struct daemon_options) { .arguments = (const char *[]) { "--no-such", NULL } }, &daemon);

	ck_assert_int_eq(status, 2);
	status = daemon_start_failing(&(struct daemon_options) {
		.config = "[queue]\nmax_running = many\n" }, &daemon);
	ck_assert_int_eq(status, 2);
	ck_assert_msg(strstr(daemon_log(daemon), "max_running"), "%s", daemon_log(daemon));
	status = daemon_start_failing(&(struct daemon_options) {
		.config = "[queue]\nno_such = 1\n" }, &daemon);
	ck_assert_int_eq(status, 2);
	ck_assert_msg(strstr(daemon_log(daemon), "no_such"), "%s", daemon_log(daemon));
}
END_TEST

int main(void)
{
	return RUN_SUITE(newer_version, foreign_database, no_database_at_all, held_by_another,
			 no_folder, read_only_folder, socket_in_use, options);
}
