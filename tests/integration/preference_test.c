/* Whose answers are preferred: in both orders, with ties, ranked, and once over restarts. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/harness/experiment.h"
#include "tests/harness/suite.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define SCORED(score) "{\"justification\":\"so\",\"score\":" score "}"
#define ROWS 12

static struct daemon *server;
static struct wire *wire;
static struct sim *sim;

static void settle(const char *name, const char *value)
{
	json_object *settings = json_object_new_object();

	json_object_object_add(settings, name, json_object_new_string(value));
	sim_control(sim, "%s", json_object_to_json_string(settings));
	json_object_put(settings);
}

/* An experiment over the rows of C whose answers begin with the word, of so many rows the first. */
static void add_experiment(const char *name, const char *word, int n_epochs, int n_answers)
{
	json_object *list = json_object_new_array();

	wire_call(wire, "CreateExperiment", "{'name':'%s','collection':{'ref':{'name':'C'}},'n_epochs':%d}", name, n_epochs);
	for (int epoch = 1; epoch <= n_epochs; epoch++)
		for (int row = 1; row <= n_answers; row++)
			json_object_array_add(list, json_must_parse(requoted(
				text("{'row':%d,'epoch':%d,'response_text':'%s %d'}", row, epoch, word, row))));
	if (n_answers > 0)
		wire_call(wire, "AddResponses", "{'experiment':{'name':'%s'},'responses':%s}", name,
			  json_object_to_json_string(list));
	json_object_put(list);
}

static void begin(const char *more)
{
	json_object *rows = json_object_new_array();

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	sim = sim_start(NULL);
	settle("preferred_text", "good");
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'sim','provider':'openai','llm_model_name':'m','llm_base_url':'%s',"
		  "'max_retries':0%s}}", sim_url(sim), requoted(more));
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'E','llm_config':{'name':'sim'},"
		  "'prompt':'{{response}} ~ {{other_response}}'}}");
	for (int i = 1; i <= ROWS; i++)
		json_object_array_add(rows, json_must_parse(text("{\"q\":\"question %d\"}", i)));
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':%s}}", json_object_to_json_string(rows));
	json_object_put(rows);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

static json_object *prefer(const char *parameters)
{
	return at_json(wire_call(wire, "PreferExperiments", "%s", requoted(text("{%s}", parameters))), "task");
}

#define ALL_THREE "'evaluator':{'name':'E'},'experiments':[{'name':'A'},{'name':'B'},{'name':'D'}]"

START_TEST(ranking)
{
	json_object *task, *rows;

	begin("");
	add_experiment("A", "bad", 1, ROWS);
	add_experiment("B", "good", 1, ROWS);
	add_experiment("D", "bad as well", 1, ROWS - 2);
	task = prefer(ALL_THREE);
	ck_assert_str_eq(at_text(task, "kind"), "preference");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.cases"), ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.failed"), 0);
	ck_assert_str_eq(at_text(task, "result.preference.ranking.0.experiment_name"), "B");
	ck_assert_int_eq(at_int(task, "result.preference.ranking.0.preferred"), 2 * ROWS - 2);
	ck_assert_int_eq(at_int(task, "result.preference.ranking.0.not_preferred"), 0);
	ck_assert_double_gt(at_number(task, "result.preference.ranking.0.share.low"), 0.5);
	ck_assert_double_gt(at_number(task, "result.preference.ranking.0.low"), 0);
	ck_assert_double_lt(at_number(task, "result.preference.ranking.2.high"), 0);
	/* A and B, A and D, B and D. */
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.other_preferred"), ROWS);
	ck_assert_double_eq(at_number(task, "result.preference.pairs.0.share.value"), 0);
	ck_assert_double_gt(at_number(task, "result.preference.pairs.0.share.high"), 0);
	ck_assert_double_eq_tol(at_number(task, "result.preference.pairs.0.p"), 2.0 / (1 << ROWS), 1e-12);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.1.tied"), ROWS - 2);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.1.contradicted"), 0);
	ck_assert_double_eq(at_number(task, "result.preference.pairs.1.share.value"), 0.5);
	ck_assert_double_eq(at_number(task, "result.preference.pairs.1.p"), 1);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.2.preferred"), ROWS - 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * (3 * ROWS - 4));
	rows = list_all(wire, "ListPreferences", "'id':%lld", (long long)at_int(task, "id"));
	ck_assert_uint_eq(json_object_array_length(rows), ROWS);
	ck_assert_int_eq(at_count(rows, "0.preferences"), 3);
	ck_assert_int_eq(at_count(rows, "11.preferences"), 1);
	ck_assert_str_eq(at_text(rows, "3.input_values.q"), "question 4");
	ck_assert_str_eq(at_text(rows, "3.preferences.0.outcome"), "other_preferred");
	ck_assert_str_eq(at_text(rows, "3.preferences.1.outcome"), "tied");
	ck_assert_double_eq(at_number(rows, "3.preferences.0.results.0.score"), 0);
	ck_assert_double_eq(at_number(rows, "3.preferences.0.results.1.score"), 1);
	end();
}
END_TEST

/* Who always takes the one that is shown first prefers nobody; several epochs are no more rows. */
START_TEST(bias)
{
	json_object *task;

	begin("");
	settle("preferred_text", "");
	settle("fixed_answer", SCORED("0.9"));
	add_experiment("A", "one", 2, ROWS);
	add_experiment("B", "two", 3, ROWS);
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'A'},{'name':'B'}]");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.cases"), ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.n_scored"), 2 * ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.tied"), 2 * ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.contradicted"), 2 * ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.share.rows.rows"), ROWS);
	ck_assert_double_eq(at_number(task, "result.preference.ranking.0.strength"), 0);
	ck_assert(!at_has(task, "result.preference.ranking.0.low")); // all rows say the same
	ck_assert_int_eq(sim_stat(sim, "calls"), 4 * ROWS);
	end();
}
END_TEST

/* A row whose questions are together more than a user's tasks may hold: what is recorded is held no more. */
START_TEST(long_answers)
{
	static char word[1000000];
	json_object *task;

	begin(",'max_connections':2");
	memset(word, 'x', sizeof(word) - 1);
	for (int i = 0; i < 5; i++) {
		memcpy(word, i == 3 ? "good" : "evil", 4);
		add_experiment(text("L%d", i), word, 1, 1);
	}
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'L0'},{'name':'L1'},{'name':'L2'},{'name':'L3'},"
		      "{'name':'L4'}]");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.preference.ranking.0.experiment_name"), "L3");
	ck_assert_int_eq(at_int(task, "result.preference.ranking.0.preferred"), 4);
	ck_assert_int_eq(sim_stat(sim, "calls"), 20);
	end();
}
END_TEST

/* Answers of many epochs: those beyond what a row may hold are not compared, and that is said. */
START_TEST(too_long_answers)
{
	static char word[1000000];
	json_object *task, *rows;

	begin("");
	memset(word, 'x', sizeof(word) - 1);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "N" : "M";

		memcpy(word, i ? "evil" : "good", 4);
		add_experiment(name, "", 13, 0);
		for (int epoch = 1; epoch <= 13; epoch++)
			wire_call(wire, "AddResponses", "{'experiment':{'name':'%s'},'responses':[{'row':1,'epoch':%d,"
				  "'response_text':'%s'}]}", name, epoch, word);
	}
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'M'},{'name':'N'}]");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * 12);
	rows = list_all(wire, "ListPreferences", "'id':%lld", (long long)at_int(task, "id"));
	ck_assert_int_eq(at_count(rows, "0.preferences"), 13);
	ck_assert_str_eq(at_text(rows, "0.preferences.11.outcome"), "preferred");
	ck_assert_str_eq(at_text(rows, "0.preferences.12.results.0.error.code"), "TooLarge");
	end();
}
END_TEST

static const struct {
	const char *parameters, *path;
} wrong[] = {
	{ "'experiments':[{'name':'A'}]", "experiments" },
	{ "'experiments':[{'name':'A'},{'name':'A'}]", "experiments[1]" },
	{ "'experiments':[{'name':'A'},{'name':'B'}],'evaluator':{'name':'Politeness'}", "evaluator" },
	{ "'experiments':[{'name':'A'},{'name':'B'}],'evaluator':{'name':'Equals'}", "evaluator" },
};

START_TEST(wrong_requests)
{
	json_object *task;

	begin("");
	add_experiment("A", "bad", 1, ROWS);
	add_experiment("B", "good", 1, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_object *reply = wire_refused(wire, INVALID, "PreferExperiments", "%s",
						  requoted(text("{%s}", wrong[i].parameters)));

		ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].path);
	}
	wire_refused(wire, "NotFound", "PreferExperiments", "{'experiments':[{'name':'A'},{'name':'Nobody'}]}");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 0);
	/* Nobody answered what the other one did. */
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'A'},{'name':'B'}]");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	wire_refused(wire, INVALID, "ListBatchItems", "{'id':%lld}", (long long)at_int(task, "id"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	end();
}
END_TEST

/* Where nobody names one it is the model that answered, and no simulated one. */
START_TEST(who_judges)
{
	static const struct { const char *name, *config; } experiments[] = { { "A", "simulated" }, { "B", "sim" } };

	begin("");
	for (size_t i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++)
		wire_call(wire, "RunExperiment", "{'name':'%s','collection':{'ref':{'name':'C'}},'prompt_template':"
			  "{'content':{'name':'T','messages':[{'role':'user','content':'{{q}}'}]}},"
			  "'update_existing':true,'llm_config':{'ref':{'name':'%s'}}}", experiments[i].name,
			  experiments[i].config);
	sim_reset(sim);
	prefer("'experiments':[{'name':'A'},{'name':'B'}]");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * ROWS);
	end();
}
END_TEST

/* One order's trouble is its own, and RetryTask asks for that alone. */
START_TEST(troubles)
{
	json_object *task;

	begin(",'max_connections':1");
	add_experiment("A", "bad", 1, ROWS);
	add_experiment("B", "good", 1, ROWS);
	sim_control(sim, "{'content_filter_rate':1,'faults_until':3}");
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'A'},{'name':'B'}]");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.failed"), 1);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.n_total"), ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.n_scored"), ROWS - 2);
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id")), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.failed"), 0);
	ck_assert_int_eq(at_int(task, "result.preference.cases"), ROWS);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.other_preferred"), ROWS);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * ROWS + 3);
	end();
}
END_TEST

/* An answer that was lost since it was compared: what its row misses beside it is asked for, and no more. */
START_TEST(lost_answers)
{
	json_object *task;

	begin(",'max_connections':1");
	add_experiment("A", "bad", 1, 2);
	add_experiment("B", "good", 1, 2);
	add_experiment("D", "bad as well", 1, 2);
	sim_control(sim, "{'content_filter_rate':1,'faults_after':4,'faults_until':6}");
	task = prefer(ALL_THREE);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.pairs.2.n_scored"), 1);
	database_run(server, "UPDATE responses SET response_text = NULL WHERE response_text = 'bad 1'");
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id")), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.preference.pairs.2.n_scored"), 2);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * 6 + 2);
	end();
}
END_TEST

/* Killed on its way, it goes on: no recorded score is asked for again. Cancelled, it keeps what it has. */
START_TEST(killed)
{
	int64_t id, recorded;
	json_object *task;

	begin(",'max_connections':4");
	add_experiment("A", "bad", 2, ROWS);
	add_experiment("B", "good", 2, ROWS);
	/* All but the first are held back until the daemon is gone. */
	sim_control(sim, "{'hang_rate':1,'faults_after':14}");
	task = prefer("'evaluator':{'name':'E'},'experiments':[{'name':'A'},{'name':'B'}],'detach':true");
	id = at_int(task, "id");
	sim_await(sim, "calls", 18);
	daemon_kill(server);
	sim_await_closed(sim);
	recorded = database_int(server, "SELECT count(*) FROM evaluations");
	ck_assert_int_gt(recorded, 0);
	ck_assert_int_le(recorded, 14);
	sim_reset(sim);
	daemon_restart(server);
	wire = daemon_connect(server);
	sim_await(sim, "calls", 4);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	experiment_await_workers_free(wire);
	ck_assert_int_ge(database_int(server, "SELECT count(*) FROM evaluations"), recorded);
	recorded = database_int(server, "SELECT count(*) FROM evaluations");
	sim_reset(sim);
	sim_control(sim, "{'hang_rate':0}");
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 4 * ROWS - recorded);
	ck_assert_int_eq(at_int(task, "result.preference.pairs.0.other_preferred"), 2 * ROWS);
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), ROWS);
	end();
}
END_TEST

/* The built-in one scores where none is named. */
START_TEST(commands)
{
	struct command *ran;

	begin("");
	add_experiment("A", "bad", 1, ROWS);
	add_experiment("B", "good", 1, ROWS);
	ran = COMMAND(server, 0, "experiment", "prefer", "B", "A", "--evaluator", "E");
	ASSERT_SAYS(ran->out, "B before A in 100.0 % (75.8 to 100.0) of 12 cases, p = 0.00049\n  0 tied");
	ASSERT_SAYS(ran->out, "BETTER");
	ran = COMMAND(server, 0, "experiment", "preferences", "1");
	ASSERT_SAYS(ran->out, "2 before 1");
	ASSERT_SAYS(ran->out, "question 7");
	settle("preferred_text", "");
	settle("fixed_answer", SCORED("0.5"));
	ran = COMMAND(server, 0, "experiment", "prefer", "A", "B", "--judge", "sim", "--format", "json");
	ASSERT_SAYS(ran->out, "\"evaluator_name\":\"Preference\"");
	ran = COMMAND(server, 0, "experiment", "prefer", "A", "B", "--judge", "sim", "--format", "csv");
	ASSERT_SAYS(ran->out, "better,tied,worse,share,share_low,share_high,strength,strength_low,strength_high,experiment\n"
			      "0,12,0,0.5,");
	ran = COMMAND(server, 23, "experiment", "prefer", "A", "A");
	ASSERT_SAYS(ran->err, "elluminate: A: expected each experiment once");
	/* What is wrong with all of them is none's own. */
	for (int i = 0; i < 3; i++)
		add_experiment(text("Many%d", i), "good", 400, 0);
	ran = COMMAND(server, 23, "experiment", "prefer", "Many0", "Many1", "Many2");
	ASSERT_SAYS(ran->err, "elluminate: experiments: expected experiments that come to at most 2000 questions");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(ranking, bias, long_answers, too_long_answers, wrong_requests, who_judges, troubles, lost_answers, killed, commands);
}
