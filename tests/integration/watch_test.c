/*
 * Those who watch: many at once, early, late, slow and returning. Each sees every log line once
 * and in order, and the same end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"
#include "tests/harness/trail.h"

#define ROWS 900

static struct daemon *server;
static struct sim *sim;

/* Most items fail, and each failure is logged. There is room for few pages at a time, and time for
 * those who have not read yet. */
static int64_t begin(void)
{
	const struct daemon_options options = {
		.config = "[front]\nmax_output_mib_per_user = 16\noutput_stall_seconds = 3600\n",
	};

	sim = sim_start((const char *[]) { "--content_filter_rate=0.7", "--latency_seconds=0.002", NULL });
	server = daemon_start(&options);
	return experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = ROWS, .url = sim_url(sim), .max_connections = 8 });
}

static void watch(struct wire *wire, int64_t id, int64_t after)
{
	wire_start(wire, "'more':true", "WatchTask",
		   "{'id':%lld,'after_sequence':%lld,'min_interval_seconds':0.05}", (long long)id,
		   (long long)after);
}

/* One reply; false: it was the last. Appends its log lines; *sequence only grows. */
static bool read_event(struct wire *wire, FILE *logs, int64_t *sequence)
{
	json_object *reply = wire_next(wire);
	json_object *event = at_json(reply, "parameters.event");
	bool continues = at_has(reply, "continues");

	ck_assert_msg(event, "%s", json_object_to_json_string(reply));
	ck_assert_int_ge(at_int(event, "sequence"), *sequence);
	if (at_has(event, "logs_delta")) {
		ck_assert_int_gt(at_int(event, "sequence"), *sequence);
		fputs(at_text(event, "logs_delta"), logs);
	}
	*sequence = at_int(event, "sequence");
	if (!continues)
		ck_assert_str_eq(at_text(event, "status"), "SUCCESS");
	json_object_put(reply);
	return continues;
}

static char *read_all(struct wire *wire)
{
	int64_t sequence = 0;
	char *logs;
	size_t size;
	FILE *out = open_memstream(&logs, &size);

	while (read_event(wire, out, &sequence))
		;
	fclose(out);
	return logs;
}

static char *listed_logs(int64_t id)
{
	return task_logs(daemon_connect(server), id);
}

START_TEST(many_watchers)
{
	enum { N = 80 };
	struct wire *wires[N];
	int64_t id = begin();
	char *logs;

	for (int i = 0; i < N; i++) {
		wires[i] = daemon_connect(server);
		watch(wires[i], id, 0);
	}
	task_await_status(server, id, "SUCCESS");
	logs = listed_logs(id);
	ck_assert_uint_gt(strlen(logs), 10000);
	/* Nobody has read so far: those who could not be sent more catch up now. */
	for (int i = 0; i < N; i++)
		ck_assert_str_eq(read_all(wires[i]), logs);
	/* What one of them has read is told to the others, whoever of them leaves meanwhile. */
	for (int i = 0; i < N; i++)
		watch(wires[i], id, 0);
	for (int i = 0; i < N; i += 3)
		wire_close(wires[i]);
	for (int i = 0; i < N; i++)
		if (i % 3)
			ck_assert_str_eq(read_all(wires[i]), logs);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What many begin with at the same time the store reads a few times. */
START_TEST(many_begin_at_once)
{
	enum { ALONE = 10, MANY = 200 };
	struct wire *wires[MANY];
	double before, alone, together;
	int64_t id, sequence = 0;
	FILE *logs = fopen("/dev/null", "w");

	id = begin();
	sim_control(sim, "{'hang_rate':1}");
	before = daemon_thread_seconds(server, "store-reader");
	for (int i = 0; i < ALONE; i++) {
		struct wire *wire = daemon_connect(server);

		wire_start(wire, "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
		ck_assert(read_event(wire, logs, &sequence));
	}
	alone = (daemon_thread_seconds(server, "store-reader") - before) / ALONE;
	for (int i = 0; i < MANY; i++)
		wires[i] = daemon_connect(server);
	before = daemon_thread_seconds(server, "store-reader");
	daemon_signal(server, SIGSTOP);
	for (int i = 0; i < MANY; i++)
		wire_start(wires[i], "'more':true", "WatchTask", "{'id':%lld}", (long long)id);
	daemon_signal(server, SIGCONT);
	for (int i = 0; i < MANY; i++) {
		sequence = 0;
		ck_assert(read_event(wires[i], logs, &sequence));
	}
	together = daemon_thread_seconds(server, "store-reader") - before;
	ck_assert_msg(together < alone * MANY / 4, "%f s, one by itself %f s", together, alone);
	fclose(logs);
	daemon_kill(server);
}
END_TEST

/* Leaves after a few events and comes back for what followed, again and again. */
START_TEST(returning_watcher)
{
	int64_t id = begin(), sequence = 0;
	bool continues = true;
	char *logs;
	size_t size;
	FILE *out = open_memstream(&logs, &size);

	while (continues) {
		struct wire *wire = daemon_connect(server);

		watch(wire, id, sequence);
		for (int i = 0; i < 5 && continues; i++)
			continues = read_event(wire, out, &sequence);
		wire_close(wire);
	}
	fclose(out);
	ck_assert_str_eq(logs, listed_logs(id));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* After each sequence there is, what followed it and no more. */
START_TEST(replay_after_each_sequence)
{
	int64_t id = begin(), last = at_int(task_await_status(server, id, "SUCCESS"), "sequence");
	struct wire *wire = daemon_connect(server);
	char *logs = listed_logs(id);

	ck_assert_int_gt(last, 100);
	for (int64_t after = 0; after <= last; after++) {
		struct trail *trail = trail_new(id, after);
		size_t size;

		watch(wire, id, after);
		while (!trail_has_ended(trail)) {
			json_object *reply = wire_next(wire);

			trail_take(trail, at_json(reply, "parameters.event"));
			json_object_put(reply);
		}
		size = strlen(trail->logs);
		ck_assert_int_eq(trail->last, last);
		ck_assert_str_eq(trail->logs, logs + strlen(logs) - size);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Over restarts of the daemon, too. */
START_TEST(watcher_over_restarts)
{
	int64_t id = begin(), sequence = 0;
	bool continues = true;
	char *logs;
	size_t size;
	FILE *out = open_memstream(&logs, &size);

	for (int life = 0; continues; life++) {
		struct wire *wire = daemon_connect(server);

		watch(wire, id, sequence);
		for (int i = 0; (i < 12 || life > 8) && continues; i++)
			continues = read_event(wire, out, &sequence);
		wire_close(wire);
		if (continues) {
			daemon_kill(server);
			daemon_restart(server);
		}
	}
	fclose(out);
	ck_assert_str_eq(logs, listed_logs(id));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* All answers are there and no verdict: half of what is due. */
START_TEST(answers_and_verdicts_count)
{
	struct sim *judge = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	json_object *task;
	int64_t id;

	server = daemon_start(NULL);
	sim = sim_start(NULL);
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 9, .n_criteria = 1, .url = sim_url(sim),
		.more = text("'rating_llm_config':{'content':{'name':'J','provider':'openai',"
			     "'llm_model_name':'m','llm_base_url':'%s'}}", sim_url(judge)) });
	task = task_get(wire, id);
	experiment_await_recorded(wire, id, at_int(task, "experiment_id"), 9);
	task = task_get(wire, id);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 0);
	ck_assert_double_eq_tol(at_number(task, "progress.percent_complete"), 50, 1e-9);
	json_object_put(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define WATCHES 24

/* Who begins to watch reads the store, which is ahead of what the worker told on its way. */
START_TEST(progress_never_falls)
{
	struct wire *wire, *watches[WATCHES];
	int64_t id, experiment_id;

	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { "--latency_seconds=0.005", NULL });
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 300, .n_criteria = 1, .url = sim_url(sim), .max_connections = 16 });
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	for (int i = 0; i < WATCHES; i++) {
		experiment_await_recorded(wire, id, experiment_id, 20 * i);
		watches[i] = daemon_connect(server);
		wire_start(watches[i], "'more':true", "WatchTask",
			   "{'id':%lld,'min_interval_seconds':0.05}", (long long)id);
	}
	for (int i = 0; i < WATCHES; i++) {
		double percent = 0, generated = 0;
		json_object *reply;

		do {
			reply = wire_next(watches[i]);
			if (!at_has(reply, "parameters.event.progress"))
				continue;
			ck_assert_double_ge(at_number(reply, "parameters.event.progress.percent_complete"),
					    percent);
			ck_assert_double_ge(
				at_number(reply, "parameters.event.progress.responses_generated"), generated);
			percent = at_number(reply, "parameters.event.progress.percent_complete");
			generated = at_number(reply, "parameters.event.progress.responses_generated");
		} while (at_has(reply, "continues"));
		ck_assert_double_eq_tol(percent, 100, 1e-9);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Log lines that come more often than progress may be told do not put it off. */
START_TEST(progress_among_log_lines)
{
	int n_told = 0, n_lines = 0;
	struct wire *wire;
	json_object *reply;
	int64_t id;

	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { "--content_filter_rate=0.7", "--latency_seconds=0.02", NULL });
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 300, .url = sim_url(sim), .max_connections = 4 });
	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'min_interval_seconds':0.2}", (long long)id);
	do {
		bool has_lines;

		reply = wire_next(wire);
		has_lines = at_has(reply, "parameters.event.logs_delta");
		n_lines += has_lines;
		n_told += !has_lines && at_has(reply, "continues") && n_lines > 0 &&
			  at_has(reply, "parameters.event.progress");
	} while (at_has(reply, "continues"));
	ck_assert_int_gt(n_told, 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(answers_and_verdicts_count, progress_never_falls, progress_among_log_lines,
			 many_watchers, many_begin_at_once, returning_watcher, replay_after_each_sequence,
			 watcher_over_restarts);
}
