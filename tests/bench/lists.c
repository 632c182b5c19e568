/*
 * Whether a list costs what its page costs: the first page of each list, and what is found by its
 * name, of a daemon that has a million prompt templates, collections, sets of criteria, experiments
 * with their tasks, and responses with their ratings, over the same of one that has a thousand.
 * They are of ten users, and one of them asks; the two daemons are asked in turn.
 *
 * The filters of ListResponses let all of them through, or none, or name a row.
 */
#include <inttypes.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"
#include "tests/harness/daemon.h"
#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define N_FEW 1000
#define N_MANY 1000000
#define N_USERS 10
#define N_CALLS 20
#define SLOWDOWN_MAX 3.0
#define SECONDS_MIN 0.0002 // less is not told apart
#define REST_MSEC 500

struct filled {
	struct daemon *daemon;
	struct wire *wire;
	double seconds[N_CALLS]; // of processor time
};

/* ---- Filling ---- */

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die("%s: %s", sql, sqlite3_errmsg(db));
}

/* The expression for this column among "COLUMN", "EXPRESSION", ...; or the column of the original. */
static const char *expression_of(const char *column, const char *const *others)
{
	for (size_t i = 0; others[i]; i += 2)
		if (strcmp(others[i], column) == 0)
			return others[i + 1];
	return text("s.%s", column);
}

/* Copies of the first row of the table; expressions of n.value, from 1 to `n`, tell them apart. */
static void copy(sqlite3 *db, const char *table, int64_t n, const char *const *others)
{
	const char *names = "", *values = "";
	sqlite3_stmt *columns;

	if (sqlite3_prepare_v2(db, text("PRAGMA table_info(%s)", table), -1, &columns, NULL) != SQLITE_OK)
		die("%s", sqlite3_errmsg(db));
	while (sqlite3_step(columns) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(columns, 1);

		names = text("%s%s%s", names, *names ? "," : "", name);
		values = text("%s%s%s", values, *values ? "," : "", expression_of(name, others));
	}
	sqlite3_finalize(columns);
	run(db, text("WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value"
		     " < %" PRId64 ") INSERT INTO %s (%s) SELECT %s FROM"
		     " (SELECT * FROM %s LIMIT 1) s CROSS JOIN n",
		     n, table, names, values, table));
}

/* The caller is one of the users. Ids begin behind those of what the daemon has made. */
#define OF_USERS(id)                                                                            \
	"id", id, "owner_uid", "CASE WHEN n.value % 10 = 0 THEN s.owner_uid ELSE 100000 + n.value % 10 END", \
		"project_id", "CASE WHEN n.value % 10 = 0 THEN s.project_id ELSE 1000 + n.value % 10 END"
#define ID "1000 + n.value"
#define NAME(noun) "'" noun " ' || n.value"
#define COPY(db, table, n, ...) copy(db, table, n, (const char *const[]) { __VA_ARGS__, NULL })

/* Those of the caller belong to one experiment, which has a row for each. */
static void fill_responses(sqlite3 *db, int64_t n)
{
	COPY(db, "template_variables", n / N_USERS, "id", ID);
	run(db, text("UPDATE runs SET total_cases = total_cases + %" PRId64 " WHERE id < 1000;"
		     "UPDATE run_epochs SET total = total + %" PRId64 " WHERE run_id < 1000;"
		     "UPDATE row_batches SET row_count = row_count + %" PRId64 ";"
		     "UPDATE collections SET variables_count = variables_count + %" PRId64 " WHERE id < 1000",
		     n / N_USERS, n / N_USERS, n / N_USERS, n / N_USERS));
	COPY(db, "responses", n, OF_USERS(ID), "duration_usec", "1000 + abs(random()) % 5000000",
	     "output_tokens", "10 + abs(random()) % 400",
	     "run_id", "CASE WHEN n.value % 10 = 0 THEN s.run_id ELSE 1000 + n.value % 10 END",
	     "template_variables_id", "1000 + (n.value + 9) / 10");
	run(db, "UPDATE ratings SET value = 1");
	COPY(db, "ratings", n, OF_USERS(ID), "response_id", ID);
}

static void fill(sqlite3 *db, int64_t n)
{
	run(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN");
	COPY(db, "projects", N_USERS - 1, "id", ID, "owner_uid", "100000 + n.value",
	     "default_llm_config_id", "NULL", "rating_llm_config_id", "NULL");
	COPY(db, "prompt_templates", n, OF_USERS(ID), "name", NAME("Template"));
	COPY(db, "collections", n, OF_USERS(ID), "name", NAME("Collection"));
	COPY(db, "criterion_sets", n, OF_USERS(ID), "name", NAME("Set"), "family", NAME("Set"));
	COPY(db, "runs", n, OF_USERS(ID), "unordered", "0");
	COPY(db, "run_epochs", n, OF_USERS(ID), "run_id", ID);
	COPY(db, "experiments", n, OF_USERS(ID), "name", NAME("Experiment"), "family",
	     NAME("Experiment"), "run_id", ID, "task_id", ID);
	COPY(db, "tasks", n, OF_USERS(ID), "experiment_id", ID, "run_id", ID);
	fill_responses(db, n);
	run(db, "UPDATE runs SET unordered = 1 WHERE id < 1000; COMMIT"); // as the end of a task leaves it
}

/* What all is copied from, and made by the daemon: an experiment of one row, and its parts. */
static void make_originals(struct filled *filled)
{
	bench_run_experiment(filled->wire, quoted(
		"{'name':'Lists','prompt_template':{'content':{'name':'Lists','messages':[{'role':'user',"
		"'content':'Write about {{topic}}.'}]}},'collection':{'content':{'name':'Lists',"
		"'variables':[{'topic':'lists'}]}},'criteria':['Is it long?'],'llm_config':{'content':{"
		"'name':'fast','provider':'simulated','custom':{'latency_seconds':0}}}}"));
}

static bool is_undone(sqlite3 *db)
{
	sqlite3_stmt *q;
	bool undone;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM runs WHERE unordered", -1, &q, NULL) != SQLITE_OK)
		die("%s", sqlite3_errmsg(db));
	undone = sqlite3_step(q) == SQLITE_ROW;
	sqlite3_finalize(q);
	return undone;
}

/* A start looks for what was left undone. */
static void await_rest(const struct daemon *daemon)
{
	double before, now;
	sqlite3 *db;

	if (sqlite3_open(dir_path(daemon_state_dir(daemon), "elluminate.db"), &db) != SQLITE_OK)
		die("the database cannot be opened");
	while (is_undone(db))
		(void)poll(NULL, 0, REST_MSEC);
	sqlite3_close(db);
	now = bench_cpu_seconds(daemon_pid(daemon));
	do {
		before = now;
		(void)poll(NULL, 0, REST_MSEC);
		now = bench_cpu_seconds(daemon_pid(daemon));
	} while (now - before > SECONDS_MIN);
}

static struct filled filled_with(int64_t n)
{
	struct filled filled = { .daemon = daemon_start(NULL) };
	double begin;
	sqlite3 *db;

	filled.wire = daemon_connect(filled.daemon);
	make_originals(&filled);
	wire_close(filled.wire);
	if (daemon_stop(filled.daemon) != 0)
		die("the daemon did not stop well: %s", daemon_log(filled.daemon));
	if (sqlite3_open(dir_path(daemon_state_dir(filled.daemon), "elluminate.db"), &db) != SQLITE_OK)
		die("the database cannot be opened");
	begin = now_seconds();
	fill(db, n);
	sqlite3_close(db);
	printf("%-18s %8.3f  seconds to fill in %" PRId64 " of each\n", "lists", now_seconds() - begin, n);
	daemon_restart(filled.daemon);
	filled.wire = daemon_connect(filled.daemon);
	await_rest(filled.daemon);
	return filled;
}

/* ---- Asking ---- */

static const struct {
	const char *what; // "none ...": it has nothing to list
	const char *method, *parameters; // the parameters as in quoted()
} calls[] = {
	{ "templates", "ListPromptTemplates", "'limit':50" },
	{ "versions", "ListPromptTemplates", "'name':'Template 500'" },
	{ "template", "GetPromptTemplate", "'prompt_template':{'name':'Template 500'}" },
	{ "collections", "ListCollections", "'limit':50" },
	{ "collection", "GetCollection", "'collection':{'name':'Collection 500'}" },
	{ "rows", "ListTemplateVariables", "'collection':{'name':'Lists'},'limit':50" },
	{ "sets", "ListCriterionSets", "'limit':50" },
	{ "set", "GetCriterionSet", "'criterion_set':{'name':'Set 500'}" },
	{ "configs", "ListLLMConfigs", "'limit':50" },
	{ "experiments", "ListExperiments", "'limit':50" },
	{ "experiment", "GetExperiment", "'experiment':{'name':'Experiment 500'}" },
	{ "tasks", "ListTasks", "'limit':50" },
	{ "tasks status", "ListTasks", "'limit':50,'status':'SUCCESS'" },
	{ "tasks kind", "ListTasks", "'limit':50,'kind':'experiment'" },
	{ "tasks since", "ListTasks", "'limit':50,'since':'2020-01-01T00:00:00Z'" },
	{ "responses", "ListResponses", "'limit':50,'order':'row'" },
	{ "arrival", "ListResponses", "'limit':50,'order':'arrival'" },
	{ "duration", "ListResponses", "'limit':50,'order':'duration'" },
	{ "most tokens", "ListResponses", "'limit':50,'order':'tokens'" },
	{ "duration failed", "ListResponses", "'limit':50,'order':'duration','failed':false" },
	{ "epoch", "ListResponses", "'limit':50,'epoch':1" },
	{ "epoch arrival", "ListResponses", "'limit':50,'epoch':1,'order':'arrival'" },
	{ "failed", "ListResponses", "'limit':50,'failed':false" },
	{ "failed arrival", "ListResponses", "'limit':50,'failed':false,'order':'arrival'" },
	{ "criterion", "ListResponses", "'limit':50,'criterion_id':1" },
	{ "criterion arrival", "ListResponses", "'limit':50,'criterion_id':1,'order':'arrival'" },
	{ "row", "ListResponses", "'template_variables_id':1050" },
	{ "row arrival", "ListResponses", "'template_variables_id':1050,'order':'arrival'" },
	{ "annotated", "ListResponses", "'limit':50,'annotated':false" },
	{ "annotated arrival", "ListResponses", "'limit':50,'annotated':false,'order':'arrival'" },
	{ "seconds", "ListResponses", "'limit':50,'min_duration_seconds':0,'max_duration_seconds':60" },
	{ "tokens", "ListResponses", "'limit':50,'min_input_tokens':0,'max_output_tokens':1000000" },
	{ "verdict", "ListResponses", "'limit':50,'rating':'YES'" },
	{ "verdict arrival", "ListResponses", "'limit':50,'criterion_id':1,'rating':'YES','order':'arrival'" },
	{ "verdict duration", "ListResponses", "'limit':50,'criterion_id':1,'rating':'YES','order':'duration'" },
	{ "none rated", "ListResponses", "'limit':50,'criterion_id':1,'rating':'NO'" },
	{ "none rated any", "ListResponses", "'limit':50,'rating':'NO'" },
	{ "none rated arrival", "ListResponses", "'limit':50,'criterion_id':1,'rating':'NO','order':'arrival'" },
	{ "none rated tokens", "ListResponses", "'limit':50,'rating':'NO','order':'tokens'" },
	{ "none by another", "ListResponses", "'limit':50,'criterion_id':2" },
	{ "none failed", "ListResponses", "'limit':50,'failed':true" },
	{ "none arrival", "ListResponses", "'limit':50,'failed':true,'order':'arrival'" },
	{ "none duration", "ListResponses", "'limit':50,'failed':true,'order':'duration'" },
	{ "none annotated", "ListResponses", "'limit':50,'annotated':true" },
	{ "none overruled", "ListResponses", "'limit':50,'overruled':true" },
	{ "none seconds", "ListResponses", "'limit':50,'min_duration_seconds':60" },
	{ "none tokens", "ListResponses", "'limit':50,'min_output_tokens':1000000,'order':'tokens'" },
	{ "ratings", "ListRatings", "'experiment':{'name':'Lists'},'limit':50" },
	{ "ratings response", "ListRatings", "'experiment':{'name':'Lists'},'response_id':1050" },
};

/* The processor time that the daemon needs for it: the clock counts what else the machine does. */
static double seconds_of(struct filled *filled, size_t call)
{
	const char *experiment = strcmp(calls[call].method, "ListResponses") ? "" :
				 "\"experiment\":{\"name\":\"Lists\"},";
	const bool none = strncmp(calls[call].what, "none ", strlen("none ")) == 0;
	pid_t pid = daemon_pid(filled->daemon);
	double begin = bench_cpu_seconds(pid);
	json_object *reply = wire_call(filled->wire, calls[call].method, "%s",
				       text("{\"project\":\"default\",%s%s}", experiment,
					    requoted(calls[call].parameters)));

	if (at_has(reply, "items") && (at_count(reply, "items") == 0) != none)
		die("%s %s lists %s", calls[call].method, calls[call].parameters, none ? "something" : "nothing");
	json_object_put(reply);
	return bench_cpu_seconds(pid) - begin;
}

static bool measure(struct filled *few, struct filled *many, size_t call)
{
	double a, b;

	for (size_t i = 0; i < N_CALLS; i++) {
		few->seconds[i] = seconds_of(few, call);
		many->seconds[i] = seconds_of(many, call);
	}
	a = bench_median(few->seconds, N_CALLS);
	b = bench_median(many->seconds, N_CALLS);
	return bench_figure(calls[call].what, b / (a > SECONDS_MIN ? a : SECONDS_MIN), BENCH_AT_MOST,
			    SLOWDOWN_MAX, "%s: %.2f ms of a thousand, %.2f ms of a million",
			    calls[call].method, a * 1e3, b * 1e3);
}

int main(void)
{
	struct filled few = filled_with(N_FEW), many = filled_with(N_MANY);
	bool ok = true;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		ok &= measure(&few, &many, i);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
