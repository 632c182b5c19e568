/*
 * A million rows from a file into a collection, by the command: what the daemon's memory grows by,
 * and the rate over that of a bare insert of the same rows.
 *
 * The bare insert goes into the same table of a database that a daemon has made: the same columns,
 * indexes and page size, one statement, in synced transactions of as many rows as the command sends
 * at once, which is what a commit of the daemon's has. It runs before and after the imports, since
 * the disk is not as quick at all times; the figures are by the clock, as the syncs are.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/bench/bench.h"
#include "tests/harness/command.h"
#include "tests/harness/daemon.h"
#include "tests/harness/database.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"

#define N_ROWS 1000000
#define GROWTH_MIB_MAX 32.0
#define RATE_BOUND 0.5
#define IMPORT_SECONDS 1800 // more than any takes

enum file_format { CSV, JSONL, _FILE_FORMAT_MAX };

static const char *const endings[_FILE_FORMAT_MAX] = { "csv", "jsonl" };

static const char *write_rows(enum file_format format)
{
	const char *path = dir_path(dir_new(), text("rows.%s", endings[format]));
	FILE *out = fopen(path, "we");

	if (!out)
		die("%s cannot be made", path);
	if (format == CSV)
		fputs("topic,question,answer,number\n", out);
	for (unsigned i = 0; i < N_ROWS; i++)
		fprintf(out, format == CSV ?
			"topic %u,\"What does \"\"page %u\"\" say of it, and why?\","
			"\"That it is so, again and again.\",%u\n" :
			"{\"topic\":\"topic %u\",\"question\":\"What does \\\"page %u\\\" say of it, "
			"and why?\",\"answer\":\"That it is so, again and again.\",\"number\":\"%u\"}\n",
			i, i % 1000, i);
	if (fclose(out) != 0)
		die("%s cannot be written", path);
	return path;
}

/* ---- Bare ---- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("%s: %s", sql, sqlite3_errmsg(db));
}

/* As good as random, and next to nothing to compute. */
static int64_t hash_of(uint64_t i)
{
	return (int64_t)((i + 1) * 0x9e3779b97f4a7c15u);
}

static void insert_rows(sqlite3 *db, FILE *rows)
{
	sqlite3_stmt *insert;
	size_t capacity = 0;
	char *line = NULL;
	ssize_t size;

	if (sqlite3_prepare_v2(db, "INSERT INTO template_variables (owner_uid, project_id, batch_id,"
				   " input_values, hash, created_at) VALUES (0, 1, 1, ?1, ?2, 0)",
			       -1, &insert, NULL) != SQLITE_OK)
		die("%s", sqlite3_errmsg(db));
	for (unsigned i = 0; i < N_ROWS; i++) {
		size = getline(&line, &capacity, rows);
		if (i % ROWS_MAX == 0)
			run(db, i ? "COMMIT; BEGIN IMMEDIATE" : "BEGIN IMMEDIATE");
		sqlite3_bind_text(insert, 1, line, (int)size - 1, SQLITE_STATIC);
		sqlite3_bind_int64(insert, 2, hash_of(i));
		if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK)
			die("%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(insert);
	run(db, "COMMIT");
	free(line);
}

static double bare_seconds(const char *path)
{
	struct daemon *daemon = daemon_start(NULL);
	FILE *rows = fopen(path, "re");
	double begin;
	sqlite3 *db;

	if (daemon_stop(daemon) != 0)
		die("the daemon did not stop well: %s", daemon_log(daemon));
	if (!rows || sqlite3_open(dir_path(daemon_state_dir(daemon), "elluminate.db"), &db) != SQLITE_OK)
		die("the rows or the database cannot be opened");
	run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096");
	begin = now_seconds();
	insert_rows(db, rows);
	sqlite3_close(db);
	fclose(rows);
	return now_seconds() - begin;
}

/* ---- Import ---- */

struct import {
	double seconds;
	double daemon_cpu_seconds;
	double growth_mib; // of the daemon's memory
};

static struct import import(enum file_format format, const char *path)
{
	struct daemon *daemon = daemon_start(NULL);
	int64_t before = daemon_memory_kib(daemon, "VmHWM");
	double cpu = bench_cpu_seconds(daemon_pid(daemon)), begin = now_seconds();
	struct command *command = command_start(daemon, (const char *const[]) {
		"collection", "import", endings[format], path, "--quiet", NULL });
	struct import import;

	if (process_wait(command->pid, IMPORT_SECONDS) != 0)
		die("the import failed: %s", file_read(command->err_path, NULL));
	import.seconds = now_seconds() - begin;
	import.daemon_cpu_seconds = bench_cpu_seconds(daemon_pid(daemon)) - cpu;
	import.growth_mib = (double)(daemon_memory_kib(daemon, "VmHWM") - before) / 1024;
	if (database_int(daemon, "SELECT variables_count FROM collections") != N_ROWS)
		die("not all rows are there");
	if (daemon_stop(daemon) != 0)
		die("the daemon did not stop well: %s", daemon_log(daemon));
	return import;
}

static bool judge(enum file_format format, const struct import *import, double bare)
{
	bool ok;

	ok = bench_figure(text("import %s", endings[format]), bare / import->seconds, BENCH_AT_LEAST,
			  RATE_BOUND, "of a bare insert's rate: %.1f s, bare %.1f s; the daemon used "
			  "%.1f s of processor time", import->seconds, bare, import->daemon_cpu_seconds);
	ok &= bench_figure(text("import %s memory", endings[format]), import->growth_mib, BENCH_AT_MOST,
			   GROWTH_MIB_MAX, "MiB that the daemon grew by at most");
	return ok;
}

int main(void)
{
	const char *paths[] = { write_rows(CSV), write_rows(JSONL) };
	double bare = bare_seconds(paths[JSONL]);
	struct import imports[_FILE_FORMAT_MAX];
	bool ok = true;

	for (int i = 0; i < _FILE_FORMAT_MAX; i++)
		imports[i] = import((enum file_format)i, paths[i]);
	bare = (bare + bare_seconds(paths[JSONL])) / 2;
	for (int i = 0; i < _FILE_FORMAT_MAX; i++)
		ok &= judge((enum file_format)i, &imports[i], bare);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
