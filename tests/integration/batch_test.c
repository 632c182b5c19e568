/* Batches: many inputs are scored, each with a state of its own, once over restarts. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define SCORED(score) "{\"justification\":\"so\",\"score\":" score "}"

static struct daemon *server;
static struct wire *wire;

static void settle(const struct sim *sim, const char *name, const char *value)
{
	json_object *settings = json_object_new_object();

	json_object_object_add(settings, name, json_object_new_string(value));
	sim_control(sim, "%s", json_object_to_json_string(settings));
	json_object_put(settings);
}

static struct sim *add_config(const char *name, const char *more)
{
	struct sim *sim = sim_start(NULL);

	settle(sim, "fixed_answer", SCORED("0.5"));
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'%s','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s','max_retries':0%s}}", name, sim_url(sim), requoted(more));
	return sim;
}

static void add_evaluator(const char *name, const char *config, const char *prompt)
{
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'%s','llm_config':{'name':'%s'},'prompt':'%s'}}",
		  name, config, prompt);
}

static struct sim *begin(const char *more)
{
	struct sim *sim;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	sim = add_config("sim", more);
	add_evaluator("E", "sim", "How is {{response}}?");
	return sim;
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* A collection C of `n` rows, the last of which has the text `last`. */
static void add_rows(int n, const char *last)
{
	json_object *rows = json_object_new_array();

	for (int i = 1; i <= n; i++) {
		json_object *row = json_object_new_object();

		json_object_object_add(row, "response", json_object_new_string(i < n ? text("answer %d", i) : last));
		json_object_array_add(rows, row);
	}
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':%s}}",
		  json_object_to_json_string(rows));
	json_object_put(rows);
}

static json_object *batch(const char *parameters)
{
	return at_json(wire_call(wire, "BatchRun", "%s", requoted(text("{%s}", parameters))), "task");
}

static json_object *items(json_object *task)
{
	return list_all(wire, "ListBatchItems", "'id':%lld", (long long)at_int(task, "id"));
}

static size_t count_status(json_object *list, const char *status)
{
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		n += at_is(json_object_array_get_idx(list, i), "status", status);
	return n;
}

START_TEST(inputs)
{
	struct sim *sim = begin("");
	json_object *task, *list;

	task = batch("'evaluator':{'name':'E'},'inputs':[{'response':'a'},{'response':'b','contexts':['c']},"
		     "{'response':'d','variables':{'more':1}}]");
	ck_assert_str_eq(at_text(task, "kind"), "batch_evaluation");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.batch.items"), 3);
	ck_assert_int_eq(at_int(task, "result.batch.failed"), 0);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.0.n_scored"), 3);
	ck_assert_double_eq(at_number(task, "result.batch.evaluators.0.mean"), 0.5);
	ck_assert_double_eq(at_number(task, "result.batch.evaluators.0.high"), 0.5);
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);
	list = items(task);
	ck_assert_uint_eq(json_object_array_length(list), 3);
	ck_assert_str_eq(at_text(list, "1.input_values.response"), "b");
	ck_assert_str_eq(at_text(list, "1.input_values.contexts.0"), "c");
	ck_assert_int_eq(at_int(list, "2.input_values.more"), 1);
	ck_assert_str_eq(at_text(list, "2.status"), "finished");
	ck_assert_double_eq(at_number(list, "2.results.0.score"), 0.5);
	ck_assert_str_eq(at_text(list, "2.results.0.justification"), "so");
	/* The collection that has them is nobody's to see. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListCollections", "%s", "")), 0);
	batch("'evaluator':{'name':'E'},'inputs':[{'response':'a'}]");
	batch("'evaluator':{'name':'E'},'inputs':[{'response':'a'}]");
	ck_assert_int_eq(sim_stat(sim, "calls"), 5);
	end();
}
END_TEST

static const struct {
	const char *parameters, *path;
} wrong[] = {
	{ "'evaluator':{'name':'E'},'inputs':[{'response':'a'},{'request':'b'}]", "inputs[1].response" },
	{ "'evaluator':{'name':'V'},'inputs':[{'response':'a'}]", "inputs[0].variables.rule" },
	{ "'evaluator':{'name':'E'},'judge':{'name':'J'},'inputs':[{'response':'a'}]", "evaluator" },
	{ "'inputs':[{'response':'a'}]", "evaluator" },
	{ "'evaluator':{'name':'E'},'inputs':[]", "inputs" },
};

START_TEST(wrong_requests)
{
	struct sim *sim = begin("");
	json_object *task;

	add_evaluator("V", "sim", "{{rule}}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_object *reply = wire_refused(wire, INVALID, "BatchRun", "%s",
						  requoted(text("{%s}", wrong[i].parameters)));

		ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].path);
	}
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 0);
	add_rows(2, "b");
	task = batch("'evaluator':{'name':'V'},'collection':{'name':'C'}");
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "collection");
	ck_assert_uint_eq(json_object_array_length(items(task)), 2);
	wire_call(wire, "ClearCollection", "{'collection':{'name':'C'}}");
	task = batch("'evaluator':{'name':'E'},'collection':{'name':'C'}");
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	task = at_json(wire_call(wire, "RunEvaluator", "{'evaluator':{'name':'E'},'response':'a'}"), "task");
	wire_refused(wire, INVALID, "ListBatchItems", "{'id':%lld}", (long long)at_int(task, "id"));
	wire_refused(wire, "NotFound", "ListBatchItems", "{'id':1000}");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

/* One item's trouble is its own, and RetryTask asks for that alone. */
START_TEST(troubles)
{
	struct sim *sim = begin("");
	struct sim *other;
	json_object *task, *list;

	other = add_config("other", "");
	add_evaluator("F", "other", "And {{response}}?");
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'E'},{'name':'F'}]}}");
	add_rows(300, "unanswerable");
	sim_control(sim, "{'content_filter_rate':1,'faults_until':1}");
	sim_control(other, "{'error_500_rate':1}");
	task = batch("'judge':{'name':'J'},'collection':{'name':'C'}");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.batch.judge_name"), "J");
	ck_assert_int_eq(at_int(task, "result.batch.items"), 300);
	ck_assert_int_eq(at_int(task, "result.batch.failed"), 1);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.0.n_scored"), 299);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.1.n_scored"), 0);
	ck_assert(!at_has(task, "result.batch.evaluators.1.mean"));
	ck_assert_int_eq(at_int(task, "progress.failed"), 1);
	list = items(task);
	ck_assert_uint_eq(json_object_array_length(list), 300);
	ck_assert_uint_eq(count_status(list, "failed"), 1);
	ck_assert_uint_eq(count_status(list, "finished"), 299);
	ck_assert_int_eq(sim_stat(sim, "calls"), 300);

	sim_control(other, "{'error_500_rate':0}");
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id")), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.batch.failed"), 0);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.0.n_scored"), 300);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.1.n_scored"), 300);
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 300);
	ck_assert_int_eq(sim_stat(sim, "calls"), 301);
	ck_assert_uint_eq(count_status(items(task), "finished"), 300);
	end();
}
END_TEST

/* What no retry can mend ends it at once, and nothing is recorded of it. */
START_TEST(no_config_left)
{
	struct sim *sim = begin(",'api_key':'wrong','max_connections':1");
	json_object *task;

	settle(sim, "api_key", "right");
	add_rows(100, "z");
	task = batch("'evaluator':{'name':'E'},'collection':{'name':'C'}");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	ck_assert_int_le(sim_stat(sim, "calls"), 2);
	ck_assert_uint_eq(count_status(items(task), "pending"), 100);
	settle(sim, "api_key", "wrong");
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id")), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_uint_eq(count_status(items(task), "finished"), 100);
	/* All failed, each by itself. */
	sim_control(sim, "{'content_filter_rate':1}");
	task = batch("'evaluator':{'name':'E'},'collection':{'name':'C'}");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_int_eq(at_int(task, "result.batch.failed"), 100);
	end();
}
END_TEST

/* Killed on its way, it goes on: no recorded score is asked for again. */
START_TEST(killed)
{
	struct sim *sim = begin(",'max_connections':4");
	json_object *task;
	int64_t id, recorded;

	add_rows(200, "z");
	/* All but the first are held back until the daemon is gone. */
	sim_control(sim, "{'hang_rate':1,'faults_after':60}");
	task = batch("'evaluator':{'name':'E'},'collection':{'name':'C'},'detach':true");
	id = at_int(task, "id");
	sim_await(sim, "calls", 64);
	daemon_kill(server);
	sim_await_closed(sim);
	recorded = database_int(server, "SELECT count(*) FROM evaluations");
	ck_assert_int_gt(recorded, 0);
	ck_assert_int_le(recorded, 60);
	sim_reset(sim);
	sim_control(sim, "{'hang_rate':0}");
	daemon_restart(server);
	wire = daemon_connect(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 200 - recorded);
	ck_assert_int_eq(at_int(task, "result.batch.evaluators.0.n_scored"), 200);
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 200);
	ck_assert_uint_eq(count_status(items(task), "finished"), 200);
	end();
}
END_TEST

START_TEST(commands)
{
	struct command *ran;

	begin("");
	add_rows(3, "z");
	ran = COMMAND(server, 0, "evaluator", "batch", "E", "--collection", "C");
	ck_assert_str_eq(ran->out, "E: 0.50 [0.50, 0.50], 3 of 3 scored\n");
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'E'}]}}");
	ran = COMMAND(server, 0, "judge", "batch", "J", "--inputs", "[{\"response\":\"a\"}]");
	ck_assert_str_eq(ran->out, "E: 0.50, 1 of 1 scored\n");
	ran = COMMAND(server, 0, "task", "items", "1");
	ASSERT_SAYS(ran->out, "answer 2");
	ASSERT_SAYS(ran->out, "E 0.50");
	end();
}
END_TEST

/* What takes long without a model leaves its worker to others' tasks, again and again. */
START_TEST(others_have_turns)
{
	enum { ROWS = 48, EVALUATORS = 32, BYTES = 28000 };
	const struct daemon_options options = { .config = "[daemon]\nworkers = 1\n" };
	json_object *rows = json_object_new_array(), *row = json_object_new_object(), *task;
	const char *names = "{'name':'Levenshtein'}";
	int64_t id, n_scored;

	server = daemon_start(&options);
	wire = daemon_connect(server);
	/* As different as texts can be, and just short of what is refused. */
	json_object_object_add(row, "response", json_object_new_string(text("%0*d", BYTES, 0)));
	json_object_object_add(row, "expected_output", json_object_new_string(text("%*s", BYTES, "")));
	for (int i = 0; i < ROWS; i++)
		json_object_array_add(rows, json_object_get(row));
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':%s}}",
		  json_object_to_json_string(rows));
	for (int i = 1; i < EVALUATORS; i++)
		names = text("%s,{'name':'Levenshtein'}", names);
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[%s]}}", requoted(names));
	id = at_int(batch("'judge':{'name':'J'},'collection':{'name':'C'},'detach':true"), "id");
	do
		task = at_json(wire_call(wire, "GetTask", "{'id':%lld}", (long long)id), "task");
	while (at_int(task, "progress.responses_generated") == 0);
	task = batch("'evaluator':{'name':'Levenshtein'},'inputs':[{'response':'a','expected_output':'a'}]");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	n_scored = database_int(server, "SELECT count(*) FROM evaluations WHERE run_id = 1");
	ck_assert_msg(n_scored < ROWS * EVALUATORS / 4, "%lld were before it", (long long)n_scored);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	json_object_put(rows);
	json_object_put(row);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(inputs, wrong_requests, troubles, no_config_left, killed, others_have_turns, commands);
}
