/*
 * A million responses, of two experiments over the same rows in several epochs: the daemon's memory while
 * it aggregates results with their clusters, puts them side by side, and hands over what every form of
 * export has; and the time of each over that of a plain aggregate of the same rows by SQLite alone, which
 * is printed and has no bound.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/harness/command.h"
#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"

#define N_ROWS 100000
#define N_EPOCHS 5
#define N_RESPONSES (2 * N_ROWS * N_EPOCHS)
#define RESIDENT_BOUND 64.0 // MiB
#define FIRST_ID 1000 // of what is filled in

static struct daemon *server;

/* ---- Filling ---- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("%s: %s", sql, sqlite3_errmsg(db));
}

/* The table's columns, and for each an expression of `s`, a row of it, and n.value: as "COLUMN",
 * "EXPRESSION", ...; or what the row has. */
static void copy(sqlite3 *db, const char *table, int64_t n, const char *const *others)
{
	const char *names = "", *values = "";
	sqlite3_stmt *columns;

	if (sqlite3_prepare_v2(db, text("PRAGMA table_info(%s)", table), -1, &columns, NULL) != SQLITE_OK)
		die("%s", sqlite3_errmsg(db));
	while (sqlite3_step(columns) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(columns, 1), *value = text("s.%s", name);

		for (size_t i = 0; others[i]; i += 2)
			if (strcmp(others[i], name) == 0)
				value = others[i + 1];
		names = text("%s%s%s", names, *names ? "," : "", name);
		values = text("%s%s%s", values, *values ? "," : "", value);
	}
	sqlite3_finalize(columns);
	run(db, text("WITH RECURSIVE n (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value"
		     " < %" PRId64 " - 1) INSERT INTO %s (%s) SELECT %s FROM"
		     " (SELECT * FROM %s ORDER BY id LIMIT 1) s CROSS JOIN n",
		     n, table, names, values, table));
}
#define COPY(db, table, n, ...) copy(db, table, n, (const char *const[]) { __VA_ARGS__, NULL })

/* Behind the one row that both have run over. Epochs of a row agree mostly, and the second experiment is a
 * little better. */
static void fill(sqlite3 *db)
{
	const char *id = text("%d + n.value", FIRST_ID);
	const char *row = text("%d + n.value / 2 / %d", FIRST_ID, N_EPOCHS);

	run(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN");
	COPY(db, "template_variables", N_ROWS, "id", id);
	COPY(db, "responses", N_RESPONSES, "id", id, "run_id", "1 + n.value % 2", "template_variables_id", row,
	     "epoch", text("1 + n.value / 2 %% %d", N_EPOCHS), "duration_usec", "1000 + abs(random()) % 5000000",
	     "output_tokens", "10 + abs(random()) % 400");
	COPY(db, "ratings", N_RESPONSES, "id", id, "response_id", id, "value",
	     text("(%s) * 7919 %% 10 + abs(random()) %% 3 < 7 + n.value %% 2", row));
	run(db, text("UPDATE runs SET total_cases = total_cases + %d;"
		     "UPDATE run_epochs SET total = total + %d, generated = generated + %d, rated = rated + %d,"
		     " ratings = ratings + %d;"
		     "UPDATE row_batches SET row_count = row_count + %d;"
		     "UPDATE collections SET variables_count = variables_count + %d; COMMIT",
		     N_ROWS, N_ROWS, N_ROWS, N_ROWS, N_ROWS, N_ROWS, N_ROWS));
}

/* What all is copied from, and made by the daemon. */
static void make_originals(void)
{
	static const char common[] =
		"'prompt_template':{'content':{'name':'P','messages':[{'role':'user','content':'Write about "
		"{{topic}}.'}]}},'collection':{'content':{'name':'C','variables':[{'topic':'lists'}]}},"
		"'llm_config':{'content':{'name':'fast','provider':'simulated','custom':{'latency_seconds':0}}},"
		"'n_epochs':5";
	struct wire *wire = daemon_connect(server);

	bench_run_experiment(wire, requoted(text("{'name':'A',%s,'criteria':['Is it long?']}", common)));
	bench_run_experiment(wire, requoted(text("{'name':'B',%s,'criterion_set':{'name':'A criteria'}}", common)));
	wire_close(wire);
}

/* How long the same rows take that know nothing of epochs, persons or errors. */
static double plain_seconds(sqlite3 *db)
{
	double begin = now_seconds();

	run(db, "SELECT g.measure_id, count(*), avg(g.value), sum(r.input_tokens), sum(r.output_tokens)"
		" FROM responses r CROSS JOIN ratings g ON g.response_id = r.id WHERE r.run_id = 1"
		" GROUP BY g.measure_id");
	return now_seconds() - begin;
}

static double prepare(void)
{
	sqlite3 *db;
	double begin, seconds;

	server = daemon_start(NULL);
	make_originals();
	if (daemon_stop(server) != 0)
		die("the daemon did not stop well: %s", daemon_log(server));
	if (sqlite3_open(dir_path(daemon_state_dir(server), "elluminate.db"), &db) != SQLITE_OK)
		die("the database cannot be opened");
	begin = now_seconds();
	fill(db);
	printf("%-18s %8.3f  seconds to fill in %d responses\n", "results", now_seconds() - begin, N_RESPONSES);
	seconds = plain_seconds(db);
	sqlite3_close(db);
	printf("%-18s %8.3f  seconds of a plain aggregate of one experiment's\n", "results plain", seconds);
	daemon_restart(server);
	return seconds;
}

/* ---- Asking ---- */

static void tell(const char *what, double begin, double cpu, double plain)
{
	double seconds = now_seconds() - begin;

	printf("%-18s %8.3f  times that: %.1f s, of which %.1f s of the daemon's processor time\n", what,
	       seconds / plain, seconds, bench_cpu_seconds(daemon_pid(server)) - cpu);
	(void)fflush(stdout);
}

/* What is printed is nothing; it may take longer than a test waits. */
static void await_end(const struct command *command)
{
	struct pollfd out = { .fd = command->fd, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	do {
		(void)poll(&out, 1, -1);
		n = read(command->fd, bytes, sizeof(bytes));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
}

/* By a line for a shell, where $0 is the command. */
static void export(const char *what, const char *line, double plain)
{
	double begin = now_seconds(), cpu = bench_cpu_seconds(daemon_pid(server));
	struct command *command = command_start_line(server, line);

	await_end(command);
	if (command_end(command) != 0)
		die("%s: %s", line, command->err);
	tell(what, begin, cpu, plain);
}

int main(void)
{
	static const char *const exports[][2] = {
		{ "results", "$0 rate A >/dev/null && $0 rate B >/dev/null" },
		{ "results compare", "$0 experiment compare A B >/dev/null" },
		{ "results flaky", "$0 experiment flaky A --limit 1000 >/dev/null" },
		{ "results agreement", "$0 experiment agreement A >/dev/null" },
		{ "results html", "$0 experiment report A B -o /dev/null --format html" },
		{ "results md", "$0 experiment report A -o /dev/null --format md" },
		{ "results junit", "$0 experiment report A -o /dev/null --format junit --limit 1000000" },
		{ "results json", "$0 experiment report A -o /dev/null --format json --limit 1000000" },
		{ "results csv", "$0 experiment responses A --limit 1000000 --format csv >/dev/null" },
		{ "results jsonl", "$0 experiment responses A --limit 1000000 --format jsonl >/dev/null" },
		{ "results archive", "$0 export A -o archive.tar" },
		{ "results all", "$0 export --all -o all.jsonl" },
	};
	double plain = prepare();

	if (chdir(dir_new()) < 0)
		die("no folder for what is exported");
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
		export(exports[i][0], exports[i][1], plain);
	return bench_figure("results MiB", (double)daemon_memory_kib(server, "VmHWM") / 1024, BENCH_AT_MOST,
			    RESIDENT_BOUND, "resident at the peak, of %d responses", N_RESPONSES) ?
		       EXIT_SUCCESS : EXIT_FAILURE;
}
