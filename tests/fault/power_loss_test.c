/*
 * Loss of power. What a daemon does to its disk is recorded, through runs, restarts and
 * checkpoints; then it is started on what each of many such losses could have left. All that was
 * answered is there, what is recorded is not asked for again, and the rest goes on.
 * ELLU_TEST_SEED repeats what is lost.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/fault/traced_disk.h"
#include "tests/harness/suite.h"

#define ROWS 160
#define ITEMS (2 * ROWS)
#define RESTARTS 2
#define SUBMISSIONS 40 // after each start
#define SHARE 2 // of the experiment is awaited with each of them
#define LOSSES 80
#define OPERATIONS_MAX 64 // after a sync, or to the next
#define KEY "sk-of-the-power-loss"
#define ANSWERS_MAX 4096

static struct sim *sim;
static const char *state_dir, *trace;
static int64_t id; // of the experiment's task

/* What a client was told, and how far the disk was by then. */
static struct answer {
	int64_t trace_size;
	int64_t task_id; // accepted; or 0
	int64_t recorded; // of the experiment
} answers[ANSWERS_MAX];
static size_t n_answers;

static void answered(int64_t task_id, int64_t recorded)
{
	struct stat status;

	ck_assert_int_eq(stat(trace, &status), 0);
	ck_assert_uint_lt(n_answers, ANSWERS_MAX);
	answers[n_answers++] = (struct answer) { .trace_size = status.st_size, .task_id = task_id,
						 .recorded = recorded };
}

/* ---- What is recorded ---- */

/* A small experiment of a key of its own, on the simulated model. */
static void submit_small(struct wire *wire)
{
	static int n;

	n++;
	answered(experiment_submit(wire, &(struct experiment) {
		.name = text("Small %d", n), .rows = 1,
		.more = "'llm_config':{'content':{'name':'own','provider':'simulated'}}" }), 0);
}

static void live(void)
{
	struct daemon *daemon;
	struct wire *wire;
	int64_t experiment_id, recorded = 0;

	state_dir = dir_path(dir_new(), "state");
	trace = dir_path(dir_new(), "trace");
	sim = sim_start((const char *[]) { "--latency_seconds=0.005", "--api_key=" KEY, NULL });
	daemon = daemon_start(&(struct daemon_options) {
		.state_dir = state_dir,
		.environment = (const char *[]) { "LD_PRELOAD=" ELLU_DISK_TRACE,
						  text("DISK_TRACE=%s", trace),
						  text("DISK_TRACE_FOLDER=%s", state_dir), NULL } });
	wire = daemon_connect(daemon);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 1, .url = sim_url(sim), .api_key = KEY,
		.max_connections = 4 });
	answered(id, 0);
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	for (int part = 1; part <= RESTARTS + 1; part++) {
		for (int i = 0; i < SUBMISSIONS; i++) {
			submit_small(wire);
			recorded = experiment_await_recorded(wire, id, experiment_id, recorded + SHARE);
			answered(0, recorded);
		}
		wire_close(wire);
		if (part > RESTARTS)
			break;
		ck_assert_int_eq(daemon_stop(daemon), 0);
		daemon_restart(daemon);
		wire = daemon_connect(daemon);
	}
	json_object_put(task_await_status(daemon, id, "SUCCESS"));
	answered(0, ITEMS);
	daemon_kill(daemon);
	sim_await_closed(sim);
	ck_assert_int_eq(sim_stat(sim, "calls"), ITEMS);
	sim_control(sim, "{'latency_seconds':0}");
}

/* ---- What is left ---- */

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value;

	/* A database from before its schema has no such tables. */
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return 0;
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static bool is_whole(sqlite3 *db)
{
	sqlite3_stmt *statement;
	bool whole;

	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	whole = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
	sqlite3_finalize(statement);
	return whole;
}

/* Looks at a copy. Whether the experiment's task is there, and how much of it is recorded. */
static bool look(const char *folder, int64_t *ret_recorded)
{
	sqlite3 *db = database_copy(folder);
	bool found;

	ck_assert(is_whole(db));
	found = number(db, text("SELECT count(*) FROM tasks WHERE id = %lld", (long long)id)) == 1;
	*ret_recorded = number(db, text("SELECT (SELECT count(*) FROM responses r JOIN tasks t"
					" ON t.run_id = r.run_id WHERE t.id = %lld) +"
					" (SELECT count(*) FROM ratings)", (long long)id));
	sqlite3_close(db);
	return found;
}

static void goes_on(struct daemon *daemon, int64_t recorded)
{
	struct wire *wire = daemon_connect(daemon);
	json_object *task = task_await_status(daemon, id, "SUCCESS");

	ck_assert_int_eq(experiment_recorded(wire, at_int(task, "experiment_id")), ITEMS);
	ck_assert_int_eq(at_int(task, "progress.failed"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), ITEMS - recorded);
	ck_assert_int_eq(sim_stat(sim, "distinct_keys"), ITEMS - recorded);
	json_object_put(task);
	wire_close(wire);
}

static void start_on(const char *folder, int64_t trace_size)
{
	int64_t recorded, told = 0;
	bool accepted = look(folder, &recorded);
	struct daemon *daemon;
	struct wire *wire;

	sim_reset(sim);
	daemon = daemon_start(&(struct daemon_options) { .state_dir = folder });
	wire = daemon_connect(daemon);
	for (size_t i = 0; i < n_answers && answers[i].trace_size <= trace_size; i++) {
		if (answers[i].task_id)
			json_object_put(task_get(wire, answers[i].task_id));
		accepted = accepted || answers[i].task_id == id;
		told = answers[i].recorded ? answers[i].recorded : told;
	}
	ck_assert_int_ge(recorded, told);
	wire_close(wire);
	if (accepted)
		goes_on(daemon, recorded);
	daemon_kill(daemon);
}

/* Plays until so many syncs are done, and somewhat more. */
static void play(struct traced_disk *disk, unsigned *n_syncs, unsigned wanted)
{
	bool was_sync, left = true;

	while (left && *n_syncs < wanted) {
		left = traced_disk_step(disk, &was_sync);
		*n_syncs += left && was_sync;
	}
	was_sync = false;
	for (long n_more = random() % OPERATIONS_MAX; left && !was_sync && n_more > 0; n_more--) {
		left = traced_disk_step(disk, &was_sync);
		*n_syncs += left && was_sync;
	}
}

static unsigned count_syncs(struct traced_disk *disk)
{
	unsigned n = 0, checkpoints;
	bool was_sync;

	while (traced_disk_step(disk, &was_sync))
		n += was_sync;
	checkpoints = traced_disk_syncs(disk, "elluminate.db");
	ck_assert_uint_ge(checkpoints, RESTARTS + 1); // more than those of orderly ends
	fprintf(stderr, "%u syncs, %u of them of the database itself; %lld bytes\n", n, checkpoints,
		(long long)traced_disk_at(disk));
	traced_disk_rewind(disk);
	return n;
}

START_TEST(power_loss)
{
	static const double kept[] = { 0, 0.1, 0.5, 0.9, 1 };
	const char *given = getenv("ELLU_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	struct traced_disk *disk;
	unsigned n_syncs, n_played = 0;

	fprintf(stderr, "ELLU_TEST_SEED=%u\n", seed);
	srandom(seed);
	live();
	disk = traced_disk_new(trace, state_dir);
	n_syncs = count_syncs(disk);
	ck_assert_uint_ge(n_syncs, LOSSES);
	for (unsigned i = 0; i < LOSSES; i++) {
		const char *folder = dir_new();

		play(disk, &n_played, (i + 1) * n_syncs / LOSSES);
		traced_disk_lose_power(disk, kept[i % (sizeof(kept) / sizeof(*kept))], folder);
		start_on(folder, traced_disk_at(disk));
		dir_remove(folder);
	}
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	/* What is preloaded would come before the sanitizer. */
	(void)power_loss;
	return EXIT_SKIPPED;
#else
	return RUN_SUITE(power_loss);
#endif
}
