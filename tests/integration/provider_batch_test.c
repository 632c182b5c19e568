/*
 * Experiments whose cases go to their provider as batches: what came back, what did not, and that nothing is
 * asked twice and nothing lost, whenever a daemon ends.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/integration/rating.h"

#define ROWS 5
#define QUICK "[queue]\nbatch_poll_seconds = 1\n"

/* A test of both providers. */
#define EACH_WAY(name)                                                                               \
	START_TEST(name##_openai)                                                                     \
	{                                                                                             \
		name(0);                                                                              \
	}                                                                                             \
	END_TEST                                                                                      \
	START_TEST(name##_anthropic)                                                                  \
	{                                                                                             \
		name(1);                                                                              \
	}                                                                                             \
	END_TEST

static const char *provider; // of the test that runs

static void start(int way, const char *const *settings)
{
	provider = way == 0 ? "openai" : "anthropic";
	server = daemon_start(&(struct daemon_options) { .config = QUICK });
	sim = sim_start(settings);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

static struct experiment batched(const char *config, const char *more)
{
	return (struct experiment) {
		.rows = ROWS,
		.more = text("'batch':true,'llm_config':{'content':{'name':'giver','provider':'%s','llm_model_name':'m',"
			     "'llm_base_url':'%s','api_key':'sk-of-the-giver','price_input':'1','price_output':'2'%s}}%s",
			     provider, sim_url(sim), config, more),
	};
}

#define JUDGED ",'criteria':['Is it good?'],'rating_llm_config':{'ref':{'name':'simulated'}}"

static json_object *run(const char *config, const char *more)
{
	const struct experiment experiment = batched(config, more);
	json_object *task = experiment_run(wire, &experiment);

	if (at_has(task, "experiment_id"))
		experiment_id = at_int(task, "experiment_id");
	return task;
}

static int64_t submit(const char *more)
{
	const struct experiment experiment = batched("", more);
	int64_t id = experiment_submit(wire, &experiment);

	experiment_id = at_int(task_get(wire, id), "experiment_id");
	return id;
}

static void must_be(json_object *task, const char *status)
{
	ck_assert_msg(at_is(task, "status", status), "%s\n%s", json_object_to_json_string(task), daemon_log(server));
}

static json_object *responses(void)
{
	return list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
}

static int64_t count(const char *what)
{
	return database_int(server, "SELECT count(*) FROM responses WHERE %s", what);
}

/* Each case was asked once and has its answer. */
static void must_be_whole(void)
{
	ck_assert_int_eq(sim_stat(sim, "answered"), ROWS);
	ck_assert_int_eq(sim_stat(sim, "repeated_by_body"), 0);
	ck_assert_int_eq(count("response_text IS NOT NULL AND attempts = 1"), ROWS);
	ck_assert_int_eq(database_int(server, "SELECT sum(generated) FROM run_epochs"), ROWS);
	ck_assert_int_eq(database_int(server, "SELECT sum(calls) FROM spending WHERE model = 'm'"), ROWS);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM provider_batches"), 0);
}

/* Neither what was asked nor what was answered stays with the provider. */
static void must_be_gone(void)
{
	ck_assert_int_eq(sim_stat(sim, "batch_kept"), 0);
}

static void await_hold(int64_t id, const char *hold)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (!at_is(task_get(wire, id), "hold", hold))
		ck_assert(now_seconds() < deadline);
}

/* Once the daemon is done with what it has of tasks that are over. */
static void await_no_batches(void)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (database_int(server, "SELECT count(*) FROM provider_batches") > 0)
		ck_assert(now_seconds() < deadline);
}

static void answered(int way)
{
	json_object *task, *list;
	int64_t input, output;

	start(way, (const char *[]) { "--batch_strangers=true", "--api_key=sk-of-the-giver", NULL });
	task = run("", JUDGED);
	must_be(task, "SUCCESS");
	await_no_batches();
	must_be_whole();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	ck_assert_int_eq(at_int(results_of(), "results.ratings"), ROWS);
	ck_assert(at_bool(results_of(), "batch"));
	list = responses();
	ck_assert(at_has(list, "4.response_text"));
	ck_assert_str_eq(at_text(list, "4.finish_reason"), "stop");
	/* Nobody waited for them. */
	ck_assert(!at_has(list, "4.duration_seconds"));
	ck_assert_int_eq(at_int(results_of(), "results.duration_seconds.n_scored"), 0);
	/* Half the price. */
	input = database_int(server, "SELECT sum(input_tokens) FROM responses");
	output = database_int(server, "SELECT sum(output_tokens) FROM responses");
	ck_assert_int_eq(database_int(server, "SELECT sum(cost_nanodollars) FROM responses"),
			 (input * 1000 + output * 2000) / 2);
	ck_assert_ptr_nonnull(strstr(task_logs(wire, at_int(task, "id")), "of 5 cases was given"));
	ck_assert_ptr_null(strstr(daemon_log(server), "sk-of-the-giver"));
	end();
}
EACH_WAY(answered)

/* What a single call would fail by, and what it would be asked again for. */
static void errors(int way)
{
	start(way, (const char *[]) { "--content_filter_rate=1", "--faults_until=2", "--refused_text=topic 5", NULL });
	must_be(run(",'max_retries':1", ""), "SUCCESS");
	ck_assert_int_eq(count("response_text IS NOT NULL"), 2);
	ck_assert_int_eq(count("error LIKE '%filter%'"), 2);
	ck_assert_int_eq(count("error LIKE '%2 batches did not answer it; the last word was%'"), 1);
	ck_assert_int_eq(sim_stat(sim, "batches"), 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), ROWS + 1);
	must_be_gone();
	end();
}
EACH_WAY(errors)

/* Whoever judges where batches were answered has what they left of the day. */
START_TEST(of_the_day)
{
	struct experiment experiment;

	start(0, NULL);
	experiment = batched(",'requests_per_day':5",
			     ",'criteria':['Is it good?'],'rating_llm_config':{'ref':{'name':'giver'}}");
	await_hold(experiment_submit(wire, &experiment), "provider");
	ck_assert_int_eq(sim_stat(sim, "calls"), ROWS);
	end();
}
END_TEST

/* What is too long would be as long again, and is paid. */
static void too_long(int way)
{
	start(way, (const char *[]) { "--batch_oversize_first=1", NULL });
	must_be(run("", ""), "SUCCESS");
	ck_assert_int_eq(count("response_text IS NOT NULL"), ROWS - 1);
	ck_assert_int_eq(count("error LIKE '%TooLarge%'"), 1);
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	end();
}
EACH_WAY(too_long)

/* More than all results may take is not read, nor read again in vain: who misses one is told so. */
static void too_long_together(int way)
{
	static const char cut[] = "error LIKE '%did not answer it; the last word was: the results of a batch: more than%'";
	enum { MANY = 20 };
	struct experiment experiment;

	start(way, (const char *[]) { "--batch_oversize_first=1000", NULL });
	experiment = batched(",'max_retries':0", "");
	experiment.rows = MANY;
	json_object_put(experiment_run(wire, &experiment));
	ck_assert_int_gt(count(cut), 0);
	ck_assert_int_eq(count(cut) + count("error LIKE '%TooLarge%'") + count("error IS NULL"), MANY);
	ck_assert_int_eq(sim_stat(sim, "batch_downloads"), 1);
	end();
}
EACH_WAY(too_long_together)

/* What refusals say of the form of requests is learnt, and is no try. */
START_TEST(another_form)
{
	start(0, (const char *[]) { "--need_max_completion_tokens=true", NULL });
	must_be(run(",'max_retries':0,'max_tokens':50", ""), "SUCCESS");
	ck_assert_int_eq(count("response_text IS NOT NULL AND attempts = 1"), ROWS);
	ck_assert_int_eq(sim_stat(sim, "answered"), ROWS);
	ck_assert_int_eq(sim_stat(sim, "batches"), 2);
	end();
}
END_TEST

/* Those that were not asked in time are given again, and no others. */
static void expired(int way)
{
	start(way, (const char *[]) { "--batch_expire_first=3", NULL });
	must_be(run("", JUDGED), "SUCCESS");
	await_no_batches();
	must_be_whole();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batches"), 2);
	end();
}
EACH_WAY(expired)

/* Results that are not all there are read again; a look that is refused is taken later. */
START_TEST(in_pieces)
{
	start(1, (const char *[]) { "--batch_truncate_first=1", "--batch_refuse_looks=1", NULL });
	must_be(run("", ""), "SUCCESS");
	await_no_batches();
	must_be_whole();
	ck_assert_int_eq(sim_stat(sim, "batch_downloads"), 2);
	end();
}
END_TEST

/* Whether it was taken is found out: it is not given twice. */
static void silent(int way)
{
	start(way, (const char *[]) { "--batch_silent=true", NULL });
	must_be(run("", ""), "SUCCESS");
	await_no_batches();
	must_be_whole();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	end();
}
EACH_WAY(silent)

START_TEST(not_valid)
{
	json_object *task;

	start(0, (const char *[]) { "--batch_fail_first=1", NULL });
	task = run("", "");
	must_be(task, "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendRejected");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "The batch is not valid."));
	await_no_batches();
	must_be_gone();
	end();
}
END_TEST

/* For want of room there it is given again, as often as it takes. */
START_TEST(full)
{
	start(0, (const char *[]) { "--batch_fail_first=2", "--batch_failure=token_limit_exceeded", NULL });
	must_be(run(",'max_retries':0", ""), "SUCCESS");
	await_no_batches();
	must_be_whole();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batches"), 3);
	end();
}
END_TEST

/* What is not deleted does no harm. */
static void kept(int way)
{
	start(way, (const char *[]) { "--batch_refuse_deletes=true", NULL });
	must_be(run("", ""), "SUCCESS");
	await_no_batches();
	must_be_whole();
	ck_assert_int_gt(sim_stat(sim, "batch_kept"), 0);
	end();
}
EACH_WAY(kept)

/* The file is there; only the batch is asked for again. */
START_TEST(refused_for_now)
{
	start(0, (const char *[]) { "--batch_refuse_gives=3", NULL });
	must_be(run(",'max_retries':0", ""), "SUCCESS");
	await_no_batches();
	must_be_whole();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batch_files"), 1);
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	end();
}
END_TEST

/* It waits for its provider until it is given, and only then for what the provider makes of it. */
START_TEST(not_given_yet)
{
	int64_t id;

	start(0, (const char *[]) { "--batch_refuse_gives=1000000", "--batch_gate=true", NULL });
	id = submit("");
	await_hold(id, "provider");
	sim_control(sim, "{'batch_refuse_gives':0}");
	await_hold(id, "batch");
	sim_control(sim, "{'batch_gate':false}");
	must_be(task_await_status(server, id, "SUCCESS"), "SUCCESS");
	await_no_batches();
	must_be_whole();
	end();
}
END_TEST

START_TEST(refused_for_good)
{
	start(0, (const char *[]) { "--batch_refuse_finally=true", NULL });
	must_be(run("", ""), "FAILURE");
	await_no_batches();
	must_be_gone();
	ck_assert_int_eq(sim_stat(sim, "batch_files"), 1);
	end();
}
END_TEST

START_TEST(wrong_key)
{
	start(0, (const char *[]) { "--api_key=another", NULL });
	must_be(run("", ""), "FAILURE");
	ck_assert_int_eq(sim_stat(sim, "batches"), 0);
	end();
}
END_TEST

START_TEST(cancelled)
{
	int64_t id;

	start(0, (const char *[]) { "--batch_gate=true", NULL });
	id = submit("");
	await_hold(id, "batch");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	sim_await(sim, "batches_cancelled", 1);
	await_no_batches();
	must_be(task_get(wire, id), "REVOKED");
	/* One that is paused as well. */
	id = submit(",'run_afresh':true");
	await_hold(id, "batch");
	wire_call(wire, "PauseTask", "{'id':%lld}", (long long)id);
	experiment_await_workers_free(wire);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	sim_await(sim, "batches_cancelled", 2);
	await_no_batches();
	must_be_gone();
	end();
}
END_TEST

/* Neither a pause nor another daemon's end gives it a second time; and it takes nobody's place. */
START_TEST(goes_on)
{
	json_object *task;
	int64_t id;

	start(0, (const char *[]) { "--batch_gate=true", NULL });
	id = submit(JUDGED);
	await_hold(id, "batch");
	task = task_get(wire, id);
	ck_assert_str_eq(at_text(task, "status"), "STARTED");
	ck_assert_ptr_nonnull(strstr(at_text(task, "hold_reason"), "batch"));
	wire_call(wire, "PauseTask", "{'id':%lld}", (long long)id);
	experiment_await_workers_free(wire);
	ck_assert_str_eq(at_text(task_get(wire, id), "hold"), "user");
	wire_call(wire, "ResumeTask", "{'id':%lld}", (long long)id);
	ck_assert_int_eq(daemon_stop(server), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	await_hold(id, "batch");
	daemon_kill(server);
	daemon_restart(server);
	wire = daemon_connect(server);
	sim_control(sim, "{'batch_gate':false}");
	task_await_status(server, id, "SUCCESS");
	await_no_batches();
	must_be_whole();
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	ck_assert_int_eq(at_int(results_of(), "results.ratings"), ROWS);
	end();
}
END_TEST

/* kill -9 when the provider has been asked that much and has not answered, or half. */
static void killed_at(int way, const char *step)
{
	int64_t id;

	start(way, (const char *[]) { text("--batch_stall=%s", step), NULL });
	id = submit(JUDGED);
	sim_await(sim, "batch_stalls", 1);
	daemon_kill(server);
	sim_control(sim, "{'batch_stall':null}");
	daemon_restart(server);
	wire = daemon_connect(server);
	json_object_put(task_await_status(server, id, "SUCCESS"));
	await_no_batches();
	must_be_whole();
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	ck_assert_int_eq(at_int(results_of(), "results.ratings"), ROWS);
	end();
}

START_TEST(killed_at_file)
{
	killed_at(0, "file");
}
END_TEST

static void killed_at_give(int way)
{
	killed_at(way, "give");
}
EACH_WAY(killed_at_give)

START_TEST(killed_at_look)
{
	killed_at(1, "look");
}
END_TEST

START_TEST(killed_at_results)
{
	killed_at(0, "results");
}
END_TEST

START_TEST(with_a_limit)
{
	int64_t id;

	start(0, NULL);
	id = submit(",'cost_limit':'0.000000001'");
	await_hold(id, "budget");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	wire_call(wire, "TuneTask", "{'id':%lld,'cost_limit':'10'}", (long long)id);
	task_await_status(server, id, "SUCCESS");
	await_no_batches();
	must_be_whole();
	end();
}
END_TEST

static const struct {
	const char *more, *status, *field;
} refused[] = {
	{ "'batch':true", "REJECTED", "batch" }, // the simulated one
	{ "'batch':true,'response_column':'topic'", NULL, "batch" },
	{ "'batch':true,'response_cache':true", NULL, "batch" },
	{ "'batch':true,'tool_results':'topic'", NULL, "batch" },
	{ "'batch':true,'fallback_llm_configs':[{'ref':{'name':'simulated'}}]", NULL, "batch" },
};

START_TEST(refusals)
{
	start(0, NULL);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		const struct experiment experiment = { .rows = 1, .more = refused[i].more };

		if (refused[i].status) {
			json_object *task = experiment_run(wire, &experiment);

			must_be(task, refused[i].status);
			ck_assert_str_eq(at_text(task, "error.field"), refused[i].field);
		} else {
			json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "RunExperiment", "%s",
							  experiment_request(&experiment));

			ck_assert_str_eq(at_text(reply, "parameters.parameter"), refused[i].field);
		}
	}
	end();
}
END_TEST

START_TEST(command)
{
	int64_t id;

	start(0, NULL);
	id = experiment_submit(wire, &(struct experiment) { .rows = 1, .name = "First" });
	must_be(task_await(server, id), "SUCCESS");
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'giver','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s'}}", sim_url(sim));
	COMMAND(server, 0, "experiment", "clone", "First", "--name", "Second", "--llm", "giver", "--batch");
	COMMAND(server, 0, "experiment", "run", "Second");
	ck_assert_int_eq(sim_stat(sim, "batches"), 1);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(answered_openai, answered_anthropic, errors_openai, errors_anthropic, too_long_openai,
			 too_long_anthropic, too_long_together_openai, too_long_together_anthropic,
			 another_form, of_the_day,
			 expired_openai, expired_anthropic, silent_openai, silent_anthropic,
			 killed_at_give_openai, killed_at_give_anthropic, in_pieces, not_valid, full, kept_openai,
			 kept_anthropic, refused_for_now, not_given_yet, refused_for_good, wrong_key,
			 cancelled, goes_on, killed_at_file, killed_at_look, killed_at_results, with_a_limit,
			 refusals, command);
}
