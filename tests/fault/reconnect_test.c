/*
 * Programs that follow a task while the daemon is killed again and again under them: each ends
 * with the whole log, once and in order, and with the task's end. ELLU_TEST_SEED repeats a run.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/elluminate.h"
#include "tests/harness/suite.h"
#include "tests/harness/way.h"

#define ROWS 900
#define EPOCHS 3 // more than can be answered between the kills
#define KILLS 20
#define STREAMS 10 // half of them blocking, half on one event handle

static struct daemon *server;
static struct sim *sim;

/* What one of them has seen. */
struct follower {
	struct ellu *handle;
	int64_t task_id; // 0: it submits its own
	FILE *out;
	char *logs;
	size_t size;
	int64_t sequence;
	char status[16];
	int n_ends;
	int result;
};

static void follower_init(struct follower *follower, struct ellu *handle, int64_t task_id)
{
	*follower = (struct follower){ .handle = handle, .task_id = task_id };
	follower->out = open_memstream(&follower->logs, &follower->size);
}

static void take_event(struct follower *follower, const struct ellu_task_event *event)
{
	if (event->sequence < follower->sequence || follower->n_ends > 0)
		follower->result = -EILSEQ;
	follower->sequence = event->sequence;
	follower->task_id = event->task_id;
	fputs(ellu_event_logs_delta(event), follower->out);
	if (!ellu_event_is_complete(event))
		return;
	follower->n_ends++;
	snprintf(follower->status, sizeof(follower->status), "%s", event->status);
	if (!ellu_event_result(event) || !ellu_event_result(event)->results)
		follower->result = -ENODATA;
}

static void check(struct follower *follower)
{
	fclose(follower->out);
	ck_assert_int_eq(follower->result, 0);
	ck_assert_int_eq(follower->n_ends, 1);
	ck_assert_str_eq(follower->status, "SUCCESS");
	ck_assert_uint_gt(follower->size, 10000);
	ck_assert_str_eq(follower->logs, task_logs(daemon_connect(server), follower->task_id));
	free(follower->logs);
}

/* ---- Blocking ---- */

static void *follow(void *userdata)
{
	struct follower *follower = userdata;
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	const int64_t from_start = 0;

	request.id = follower->task_id;
	request.after_sequence = &from_start;
	request.min_interval_seconds = 0.05;
	follower->result = ellu_watch_task_stream(follower->handle, &request, &stream, NULL);
	if (follower->result < 0)
		return NULL;
	while ((follower->result = ellu_watch_task_next(stream, &reply, &error)) > 0) {
		int before = follower->result = 0;

		take_event(follower, reply->event);
		ellu_free(reply);
		if (follower->result != before)
			break;
	}
	if (error)
		fprintf(stderr, "%s\n", error->message);
	ellu_free(error);
	ellu_stream_close(stream);
	return NULL;
}

/* ---- Event-driven ---- */

static void take_reply(struct follower *follower, int result, const struct ellu_task_event *event,
		       const struct ellu_error *error)
{
	if (result < 0) {
		fprintf(stderr, "%s\n", error ? error->message : "");
		follower->result = result;
	} else {
		take_event(follower, event);
	}
}

static void on_watched(struct ellu_op *op, int result, const struct ellu_watch_task_reply *reply,
		       const struct ellu_error *error, void *userdata)
{
	(void)op;
	take_reply(userdata, result, reply ? reply->event : NULL, error);
}

static void on_run(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *reply,
		   const struct ellu_error *error, void *userdata)
{
	(void)op;
	take_reply(userdata, result, reply ? reply->event : NULL, error);
}

static struct ellu_op *watch(struct follower *follower)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const int64_t from_start = 0;
	struct ellu_op *op;

	request.id = follower->task_id;
	request.after_sequence = &from_start;
	request.min_interval_seconds = 0.05;
	ck_assert_int_eq(ellu_watch_task_stream_async(follower->handle, &request, on_watched, follower,
						      &op),
			 0);
	return op;
}

/* Goes on as WatchTask once the task is known. */
static struct ellu_op *submit(struct follower *follower)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_template_in template = ELLU_RECORD(struct ellu_template_in);
	struct ellu_collection_in collection = ELLU_RECORD(struct ellu_collection_in);
	struct ellu_llm_config_in config = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_ref prompt = ELLU_RECORD(struct ellu_ref);
	struct ellu_ref rows = ELLU_RECORD(struct ellu_ref);
	struct ellu_ref endpoint = ELLU_RECORD(struct ellu_ref);
	struct ellu_op *op;

	prompt.name = "Experiment prompt";
	rows.name = "Experiment rows";
	endpoint.name = "Experiment config";
	template.ref = &prompt;
	collection.ref = &rows;
	config.ref = &endpoint;
	request.name = "Submitted by the library";
	request.prompt_template = &template;
	request.collection = &collection;
	request.llm_config = &config;
	request.idempotency_key = "reconnect";
	request.min_interval_seconds = 0.05;
	ck_assert_int_eq(ellu_run_experiment_stream_async(follower->handle, &request, on_run,
							  follower, &op),
			 0);
	return op;
}

/* ---- Monitor ---- */

static int n_monitored;

/* Of all that it tells, what concerns the task. */
static void on_monitor(struct ellu_op *op, int result, const struct ellu_monitor_reply *monitor,
		       const struct ellu_error *error, void *userdata)
{
	struct follower *follower = userdata;

	(void)op;
	(void)error;
	if (result < 0) {
		follower->result = result;
		return;
	}
	n_monitored++;
	if (monitor->event && monitor->event->task_id == follower->task_id)
		take_event(follower, monitor->event);
}

/* It tells what happens from when it is there: other tasks show when that is. */
static struct ellu_op *start_monitor(struct follower *follower)
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct ellu_op *op;

	request.min_interval_seconds = 0.05;
	ck_assert_int_eq(ellu_monitor_stream_async(follower->handle, &request, on_monitor, follower,
						   &op),
			 0);
	for (int i = 0; n_monitored == 0; i++) {
		(void)experiment_submit(daemon_connect(server), &(struct experiment) {
			.rows = 1, .url = sim_url(sim), .name = text("Sign of life %d", i) });
		ck_assert_int_eq(ellu_op_wait(op, 0.2), 0);
	}
	return op;
}

/* ---- The daemon's end of it ---- */

/* Until a new line of the log was seen: the daemon has recorded something in this life of its own,
 * as it must within five. */
static void turn_until_recorded(struct ellu_op *const *ops, size_t n, const struct follower *follower)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	long before = ftell(follower->out);

	while (ftell(follower->out) == before) {
		ck_assert(now_seconds() < deadline);
		ck_assert_int_eq(ellu_op_wait_all(ops, n, 0.01), 0);
	}
}

static void turn_for(struct ellu_op *const *ops, size_t n, double seconds)
{
	double end = now_seconds() + seconds;

	while (now_seconds() < end)
		if (ellu_op_wait_all(ops, n, seconds / 4) != 0)
			return;
}

/* Kills it at a random moment of its life, which the followers spend reading. */
static void kill_again_and_again(struct ellu_op *const *ops, size_t n,
				 const struct follower *follower)
{
	for (int i = 0; i < KILLS; i++) {
		turn_until_recorded(ops, n, follower);
		turn_for(ops, n, (double)(random() % 100) / 1000);
		ck_assert_int_eq(ellu_op_wait_all(ops, n, 0), 0); // it hits somebody
		daemon_kill(server);
		if (i % 4 == 0) // long enough for tries that find nobody
			turn_for(ops, n, 0.1);
		daemon_restart(server);
	}
}

static void begin(void)
{
	const char *given = getenv("ELLU_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

	fprintf(stderr, "ELLU_TEST_SEED=%u\n", seed);
	srandom(seed);
	sim = sim_start((const char *[]) { "--content_filter_rate=0.3", "--latency_seconds=0.02", NULL });
	server = way_start(NULL);
}

START_TEST(killed_under_its_followers)
{
	struct follower followers[STREAMS], watchful;
	struct ellu_op *ops[STREAMS / 2], *monitor;
	struct ellu *blocking, *event;
	pthread_t threads[STREAMS / 2];
	int64_t id;

	begin();
	ck_assert_int_eq(ellu_open(way_address(server), ELLU_BLOCKING, &blocking), 0);
	ck_assert_int_eq(ellu_open(way_address(server), ELLU_EVENT, &event), 0);
	follower_init(&watchful, event, 0);
	monitor = start_monitor(&watchful);
	id = watchful.task_id = experiment_submit(daemon_connect(server), &(struct experiment) {
		.rows = ROWS, .url = sim_url(sim), .max_connections = 8,
		.more = text("'n_epochs':%d", EPOCHS) });
	for (int i = 0; i < STREAMS; i++)
		follower_init(&followers[i], i < STREAMS / 2 ? blocking : event, id);
	for (int i = 0; i < STREAMS / 2; i++) {
		ck_assert_int_eq(pthread_create(&threads[i], NULL, follow, &followers[i]), 0);
		ops[i] = i == 0 ? submit(&followers[STREAMS / 2]) : watch(&followers[STREAMS / 2 + i]);
	}
	kill_again_and_again(ops, STREAMS / 2, &followers[STREAMS / 2 + 1]);
	sim_control(sim, "{'latency_seconds':0}"); // what is left needs no time
	ck_assert_int_eq(ellu_op_wait_all(ops, STREAMS / 2, 2 * WAIT_SECONDS), 1);
	for (int i = 0; i < STREAMS / 2; i++) {
		pthread_join(threads[i], NULL);
		ellu_op_free(ops[i]);
	}
	while (watchful.n_ends == 0)
		ck_assert_int_eq(ellu_op_wait(monitor, WAIT_SECONDS / 100), 0);
	ellu_op_free(monitor);
	check(&watchful);
	for (int i = 0; i < STREAMS; i++)
		check(&followers[i]);
	ellu_close(blocking);
	ellu_close(event);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	if (!way_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(killed_under_its_followers);
}
