/* The client library before a real daemon. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/harness/suite.h"
#include "tests/harness/way.h"

#define THREADS 64
#define ROUNDS 3
#define ROWS 100

static struct daemon *server;
static struct ellu *handle;
static int64_t task_id, experiment_id;

static void begin(unsigned mode)
{
	struct wire *wire;

	server = way_start(NULL);
	wire = daemon_connect(server);
	task_id = at_int(experiment_run(wire, &(struct experiment) { .rows = ROWS, .n_criteria = 1 }),
			 "id");
	experiment_id = at_int(task_get(wire, task_id), "experiment_id");
	wire_close(wire);
	ck_assert_int_eq(ellu_open(way_address(server), mode, &handle), 0);
}

static void finish(void)
{
	handle = ellu_close(handle);
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* ---- Threads on one blocking handle ---- */

static void say_task(FILE *out)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;

	request.id = task_id;
	if (ellu_get_task(handle, &request, &reply, NULL) < 0)
		return;
	fprintf(out, "%s %s %s %g\n", reply->task->name, reply->task->status, reply->task->kind,
		ellu_task_percent(reply->task));
	ellu_free(reply);
}

static void say_error(FILE *out)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_error *error = NULL;

	request.id = 999999;
	fprintf(out, "%d", ellu_get_task(handle, &request, NULL, &error));
	if (error)
		fprintf(out, " %s %s %s\n", error->code, error->resource_type, error->message);
	ellu_free(error);
}

static void say_responses(FILE *out)
{
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);
	const struct ellu_response *response;
	struct ellu_stream *stream;

	experiment.id = &experiment_id;
	request.experiment = &experiment;
	request.limit = 40;
	if (ellu_list_responses_stream(handle, &request, &stream, NULL) < 0)
		return;
	while (ellu_list_responses_next_item(stream, &response, NULL) > 0)
		fprintf(out, "%lld %s %s\n", (long long)response->id, response->response_text,
			response->ratings[0]->rating);
	ellu_stream_close(stream);
}

static void say_events(FILE *out)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	const struct ellu_watch_task_reply *reply;
	struct ellu_stream *stream;
	const int64_t from_start = 0;

	request.id = task_id;
	request.after_sequence = &from_start;
	if (ellu_watch_task_stream(handle, &request, &stream, NULL) < 0)
		return;
	while (ellu_watch_task_next(stream, &reply, NULL) > 0) {
		fprintf(out, "%lld %s %s", (long long)reply->event->sequence, reply->event->status,
			ellu_event_logs_delta(reply->event));
		ellu_free(reply);
	}
	ellu_stream_close(stream);
}

static void *say_all(void *userdata)
{
	char *said;
	size_t size;
	FILE *out = open_memstream(&said, &size);

	(void)userdata;
	for (int i = 0; i < ROUNDS; i++) {
		say_task(out);
		say_error(out);
		say_responses(out);
		say_events(out);
	}
	fclose(out);
	return said;
}

START_TEST(many_threads_say_what_one_says)
{
	pthread_t threads[THREADS];
	char *one, *said;

	begin(ELLU_BLOCKING);
	one = say_all(NULL);
	ck_assert_ptr_nonnull(strstr(one, "SUCCESS"));
	ck_assert_uint_gt(strlen(one), ROUNDS * ROWS * 10);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, say_all, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], (void **)&said);
		ck_assert_str_eq(said, one);
		free(said);
	}
	free(one);
	finish();
}
END_TEST

/* ---- Tasks ---- */

static int start_run(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	struct ellu_template_in template = ELLU_RECORD(struct ellu_template_in);
	struct ellu_collection_in collection = ELLU_RECORD(struct ellu_collection_in);
	struct ellu_ref prompt = ELLU_RECORD(struct ellu_ref);
	struct ellu_ref rows = ELLU_RECORD(struct ellu_ref);
	char *name = text("Gathered %zu", index);

	prompt.name = "Experiment prompt";
	rows.name = "Experiment rows";
	template.ref = &prompt;
	collection.ref = &rows;
	request.name = name;
	request.prompt_template = &template;
	request.collection = &collection;
	return ellu_run_experiment_stream_async(daemon, &request, NULL, userdata, ret_op);
}

START_TEST(gathered_experiments)
{
	struct ellu_op *ops[20];

	begin(ELLU_EVENT);
	ck_assert_int_eq(ellu_gather(handle, 20, 5, start_run, NULL, WAIT_SECONDS, ops), 1);
	for (int i = 0; i < 20; i++) {
		const struct ellu_run_experiment_reply *reply;
		ck_assert_int_eq(ellu_run_experiment_result(ops[i], &reply, NULL), 0);
		ck_assert_int_eq(ellu_event_is_success(reply->event), 1);
		ck_assert_double_eq(ellu_event_percent(reply->event), 100);
		ck_assert_int_eq(ellu_event_result(reply->event)->results->responses, ROWS);
		ck_assert_int_eq(reply->event->task_id, ellu_op_task_id(ops[i]));
		ellu_free(reply);
		ellu_op_free(ops[i]);
	}
	finish();
}
END_TEST

/* A config that would take hours. */
static json_object *make_slow(void)
{
	return wire_call(daemon_connect(server), "CreateLLMConfig",
			 "{'llm_config':{'name':'slow','provider':'simulated',"
			 "'llm_model_name':'simulated','custom':{'latency_seconds':3600}}}");
}

static void slow_request(struct ellu_run_experiment_request *request)
{
	static struct ellu_template_in template = ELLU_RECORD(struct ellu_template_in);
	static struct ellu_collection_in collection = ELLU_RECORD(struct ellu_collection_in);
	static struct ellu_llm_config_in config = ELLU_RECORD(struct ellu_llm_config_in);
	static struct ellu_ref prompt = ELLU_RECORD(struct ellu_ref);
	static struct ellu_ref rows = ELLU_RECORD(struct ellu_ref);
	static struct ellu_ref slow = ELLU_RECORD(struct ellu_ref);

	prompt.name = "Experiment prompt";
	rows.name = "Experiment rows";
	slow.name = "slow";
	template.ref = &prompt;
	collection.ref = &rows;
	config.ref = &slow;
	request->prompt_template = &template;
	request->collection = &collection;
	request->llm_config = &config;
}

START_TEST(a_task_is_cancelled_with_its_operation)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	struct ellu_op *op;

	begin(ELLU_EVENT);
	json_object_put(make_slow());
	slow_request(&request);
	request.name = "Cancelled";
	ck_assert_int_eq(ellu_run_experiment_stream_async(handle, &request, NULL, NULL, &op), 0);
	ck_assert_int_eq(ellu_op_cancel_task(op), 0);
	ck_assert_int_eq(ellu_op_wait(op, WAIT_SECONDS), 1);
	ck_assert_int_eq(ellu_run_experiment_result(op, &reply, NULL), 0);
	ck_assert_str_eq(reply->event->status, "REVOKED");
	ellu_free(reply);
	ellu_op_free(op);
	/* An operation that is only cancelled leaves its task alone. */
	request.name = "Left alone";
	ck_assert_int_eq(ellu_run_experiment_stream_async(handle, &request, NULL, NULL, &op), 0);
	while (ellu_op_task_id(op) == 0)
		ck_assert_int_eq(ellu_op_wait(op, 0.01), 0);
	task_id = ellu_op_task_id(op);
	ellu_op_cancel(op);
	ck_assert_int_eq(ellu_op_wait(op, 1), -ECANCELED);
	ellu_op_free(op);
	ck_assert(!at_is(task_get(daemon_connect(server), task_id), "status", "REVOKED"));
	finish();
}
END_TEST

START_TEST(a_stream_is_cancelled_and_ends)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	struct ellu_stream *stream;
	char last[16] = "";

	begin(ELLU_BLOCKING);
	json_object_put(make_slow());
	slow_request(&request);
	request.name = "Cancelled";
	ck_assert_int_eq(ellu_run_experiment_stream(handle, &request, &stream, NULL), 0);
	while (ellu_run_experiment_next(stream, &reply, NULL) > 0) {
		bool is_first = !*last;

		snprintf(last, sizeof(last), "%s", reply->event->status);
		ellu_free(reply);
		if (is_first)
			ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), 0);
	}
	ck_assert_str_eq(last, "REVOKED");
	ellu_stream_close(stream);
	finish();
}
END_TEST

/* An orderly restart is no end either. */
START_TEST(a_stream_survives_an_orderly_restart)
{
	struct ellu_run_experiment_request request = ELLU_RECORD(struct ellu_run_experiment_request);
	const struct ellu_run_experiment_reply *reply;
	struct ellu_stream *stream;
	char last[16] = "";

	begin(ELLU_BLOCKING);
	json_object_put(make_slow());
	slow_request(&request);
	request.name = "Restarted";
	ck_assert_int_eq(ellu_run_experiment_stream(handle, &request, &stream, NULL), 0);
	while (strcmp(last, "STARTED") != 0) {
		ck_assert_int_eq(ellu_run_experiment_next(stream, &reply, NULL), 1);
		snprintf(last, sizeof(last), "%s", reply->event->status);
		ellu_free(reply);
	}
	daemon_signal(server, SIGTERM);
	daemon_signal(server, SIGTERM); // without waiting for the calls
	ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
	daemon_restart(server);
	ck_assert_int_eq(ellu_stream_wait(stream, WAIT_SECONDS), 1);
	ck_assert_int_eq(ellu_stream_cancel_task(stream, NULL), 0);
	while (ellu_run_experiment_next(stream, &reply, NULL) > 0) {
		snprintf(last, sizeof(last), "%s", reply->event->status);
		ellu_free(reply);
	}
	ck_assert_str_eq(last, "REVOKED");
	ellu_stream_close(stream);
	finish();
}
END_TEST

/* A record that was got, changed and sent back: what the daemon gives is left out. */
START_TEST(what_was_got_goes_back)
{
	const struct ellu_ref *simulated = ELLU_NEW(ref, .name = "simulated");
	const struct ellu_get_llm_config_reply *got;
	const struct ellu_update_llm_config_reply *updated;
	struct ellu_llm_config config;

	begin(ELLU_BLOCKING);
	ck_assert_int_eq(ellu_get_llm_config(handle,
					     ELLU_NEW(get_llm_config_request, .llm_config = simulated),
					     &got, NULL), 0);
	ck_assert(got->llm_config->id && got->llm_config->created_at);
	config = *got->llm_config;
	config.description = "changed";
	ck_assert_int_eq(ellu_update_llm_config(handle,
						ELLU_NEW(update_llm_config_request,
							 .llm_config = simulated, .content = &config),
						&updated, NULL), 0);
	ck_assert_str_eq(updated->llm_config->description, "changed");
	ck_assert_int_eq(*updated->llm_config->id, *got->llm_config->id);
	ck_assert_str_eq(updated->llm_config->llm_model_name, got->llm_config->llm_model_name);
	ellu_free(updated);
	ellu_free(got);
	finish();
}
END_TEST

int main(void)
{
	if (!way_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(many_threads_say_what_one_says, gathered_experiments,
			 a_task_is_cancelled_with_its_operation, a_stream_is_cancelled_and_ends,
			 a_stream_survives_an_orderly_restart, what_was_got_goes_back);
}
