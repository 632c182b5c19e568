/*
 * Evaluators in experiments: what they read of each case, that scores are recorded once and aggregated, and
 * that what cannot be scored is no 0.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define CITIES "'collection':{'content':{'name':'Cities','variables':[" \
	       "{'city':'Rome','expected_output':'Rome'},{'city':'Oslo','expected_output':'Oslo!'}," \
	       "{'city':'Bern','expected_output':''}]}}"
#define SAY "'prompt_template':{'content':{'name':'Echo','messages':[{'role':'user','content':'Say {{city}}'}]}}"

static struct daemon *server;
static struct wire *wire;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

static json_object *run(const char *more, const char *status)
{
	json_object *task = at_json(wire_call(wire, "RunExperiment", "%s", requoted(text("{%s}", more))), "task");

	ck_assert_msg(at_is(task, "status", status), "%s", json_object_to_json_string(task));
	return task;
}

#define COLUMN "'name':'Columns'," CITIES ",'response_column':'city'"

/* By functions alone nothing is asked; what they come to is known. */
START_TEST(functions)
{
	json_object *task, *scores, *experiment, *items;

	begin();
	task = run(COLUMN ",'evaluators':[{'evaluator':{'name':'Equals'}},{'evaluator':{'name':'Length'},"
		   "'variables':{'range':'..2'}},{'evaluator':{'name':'Contains All'},"
		   "'variables':{'words':'{{city}}'}},{'evaluator':{'name':'Regex'},'variables':{'pattern':'('}}]",
		   "SUCCESS");
	scores = at_json(task, "result.results.evaluators");
	ck_assert_int_eq(json_object_array_length(scores), 4);
	ck_assert_str_eq(at_text(scores, "0.evaluator.name"), "Equals");
	ck_assert_double_eq_tol(at_number(scores, "0.mean"), 1.0 / 3, 1e-12);
	ck_assert_int_eq(at_int(scores, "0.n_scored"), 3);
	ck_assert_int_eq(at_int(scores, "0.distribution.0"), 2);
	ck_assert_int_eq(at_int(scores, "0.distribution.9"), 1);
	ck_assert_double_eq(at_number(scores, "1.mean"), 0.5);
	ck_assert_double_eq(at_number(scores, "1.low"), 0.5);
	ck_assert_double_eq(at_number(scores, "2.mean"), 1);
	/* What could not be had is no 0. */
	ck_assert_int_eq(at_int(scores, "3.n_scored"), 0);
	ck_assert_int_eq(at_int(scores, "3.n_total"), 3);
	ck_assert_int_eq(at_int(scores, "3.failed"), 3);
	ck_assert(!at_has(scores, "3.mean") && !at_has(scores, "3.low"));
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 12);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 3);
	ck_assert(!at_has(task, "result.results.mean_all_ratings.yes"));
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);

	experiment = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'Columns'}}"), "experiment");
	ck_assert_uint_eq(at_count(experiment, "evaluators"), 4);
	ck_assert_str_eq(at_text(experiment, "evaluators.1.variables.range"), "..2");
	items = list_all(wire, "ListResponses", "'experiment':{'name':'Columns'}");
	ck_assert_str_eq(at_text(items, "0.ratings.0.evaluator.name"), "Equals");
	ck_assert_str_eq(at_text(items, "0.ratings.0.criterion.criterion_str"), "Equals");
	ck_assert_double_eq(at_number(items, "0.ratings.0.score"), 1);
	ck_assert(!at_has(items, "0.ratings.0.rating"));
	ck_assert_str_eq(at_text(items, "1.ratings.0.reasoning"), "they differ from character 5 on");
	ck_assert_str_eq(at_text(items, "0.ratings.3.error.field"), "pattern");
	/* None of them is a verdict: YES and NO find nothing. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListResponses",
			  "'experiment':{'name':'Columns'},'rating':'YES'")), 0);
	wire_refused(wire, INVALID, "EditRating", "{'rating_id':%d,'rating':'YES'}",
		     (int)at_int(items, "0.ratings.0.id"));
	end();
}
END_TEST

static struct sim *add_sim(const char *name)
{
	struct sim *sim = sim_start(NULL);

	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'%s','provider':'openai','max_retries':0,"
		  "'llm_model_name':'model','llm_base_url':'%s','price_input':'1','price_output':'1'}}", name,
		  sim_url(sim));
	return sim;
}

static struct sim *add_scorer(const char *name, const char *score)
{
	struct sim *sim = add_sim(name);

	sim_control(sim, "{\"fixed_answer\":\"{\\\"justification\\\":\\\"so\\\",\\\"score\\\":%s}\"}", score);
	return sim;
}

/* Beside criteria, by models: the judge of the experiment scores where the evaluator names none. */
START_TEST(models)
{
	struct sim *answers, *judges, *own;
	json_object *task, *items, *plan;
	const char *question;

	begin();
	answers = add_sim("answers");
	judges = add_sim("judges");
	own = add_sim("own");
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'Own','llm_config':{'name':'own'},"
		  "'prompt':'{{request}} {{response}} {{style}}'}}");
	plan = at_json(wire_call(wire, "PlanExperiment", "{'run':{'name':'E'," CITIES "," SAY
		       ",'llm_config':{'ref':{'name':'answers'}},'rating_llm_config':{'ref':{'name':'judges'}},"
		       "'criteria':['Is it?'],'evaluators':[{'evaluator':{'name':'Politeness'}},"
		       "{'evaluator':{'name':'Latency'},'variables':{'maximum_seconds':1000}}]}}"), "plan");
	ck_assert_int_eq(at_int(plan, "judge_calls"), 6);
	task = run("'name':'E'," CITIES "," SAY ",'llm_config':{'ref':{'name':'answers'}},"
		   "'rating_llm_config':{'ref':{'name':'judges'}},'criteria':['Is it?'],"
		   "'evaluators':[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Own'},"
		   "'variables':{'style':'short, like {{city}}'}},{'evaluator':{'name':'Latency'},"
		   "'variables':{'maximum_seconds':1000}}]", "SUCCESS");
	ck_assert_int_eq(sim_stat(answers, "calls"), 3);
	ck_assert_int_eq(sim_stat(judges, "calls"), 6);
	ck_assert_int_eq(sim_stat(own, "calls"), 3);
	question = at_text(sim_last_request(own), "messages.1.content");
	ck_assert_ptr_nonnull(strstr(question, "Say "));
	ck_assert_ptr_nonnull(strstr(question, "short, like "));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(at_int(task, text("result.results.evaluators.%d.n_scored", i)), 3);
		ck_assert(at_has(task, text("result.results.evaluators.%d.mean", i)));
	}
	ck_assert_int_eq(at_int(task, "result.results.evaluators.1.evaluator.version"), 1);
	ck_assert_double_eq(at_number(task, "result.results.evaluators.2.mean"), 1);
	ck_assert_uint_eq(at_count(task, "result.results.criteria"), 1);
	ck_assert_int_eq(at_int(task, "result.results.success_rate.n_scored"), 3);
	items = list_all(wire, "ListResponses", "'experiment':{'name':'E'}");
	ck_assert_uint_eq(at_count(items, "0.ratings"), 4);
	ck_assert(at_has(items, "0.ratings.1.reasoning") && at_has(items, "0.ratings.1.cost"));
	/* Once more the same is asked nothing; with another variable only what that decides. */
	run("'name':'E','update_existing':true," CITIES "," SAY ",'llm_config':{'ref':{'name':'answers'}},"
	    "'rating_llm_config':{'ref':{'name':'judges'}},'criteria':['Is it?'],"
	    "'evaluators':[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Own'},"
	    "'variables':{'style':'short, like {{city}}'}},{'evaluator':{'name':'Latency'},"
	    "'variables':{'maximum_seconds':1000}}]", "SUCCESS");
	ck_assert_int_eq(sim_stat(own, "calls"), 3);
	task = run("'name':'E','update_existing':true," CITIES "," SAY ",'llm_config':{'ref':{'name':'answers'}},"
		   "'rating_llm_config':{'ref':{'name':'judges'}},'criteria':['Is it?'],"
		   "'evaluators':[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Own'},"
		   "'variables':{'style':'long'}}]", "SUCCESS");
	ck_assert_int_eq(sim_stat(answers, "calls"), 3);
	ck_assert_int_eq(sim_stat(judges, "calls"), 6);
	ck_assert_int_eq(sim_stat(own, "calls"), 6);
	end();
}
END_TEST

/* A text that begins as a list of contexts would is one, if it is not such a list to its end. */
START_TEST(contexts_that_are_texts)
{
	const char *question;
	struct sim *judges;

	begin();
	judges = add_sim("judges");
	run("'name':'Found','collection':{'content':{'name':'Found','variables':[{'said':'By tram.',"
	    "'contexts':'[1] Trams stop in front.'}]}},'response_column':'said','rating_llm_config':{'ref':"
	    "{'name':'judges'}},'evaluators':[{'evaluator':{'name':'Faithfulness'}}]", "SUCCESS");
	question = at_text(json_must_parse(at_text(sim_requests(judges, 1), "requests.0.body")), "messages.1.content");
	ck_assert_ptr_nonnull(strstr(question, "[1] Trams stop in front."));
	end();
}
END_TEST

static const struct {
	const char *evaluators, *parameter;
} wrong[] = {
	{ "[{'evaluator':{'name':'Faithfulness'}}]", "evaluators[0]" },
	{ "[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Relevance'}}]", "evaluators[1]" },
	{ "[{'evaluator':{'name':'Latency'},'variables':{'maximum_seconds':1}}]", "evaluators[0]" },
	{ "[{'evaluator':{'name':'Regex'},'variables':{'pattern':'{{none}}'}}]", "evaluators[0].variables" },
};

/* What the rows have not is seen before anything is asked. */
START_TEST(missing_inputs)
{
	begin();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_object *task = run(text(COLUMN ",'run_afresh':true,'evaluators':%s", wrong[i].evaluators), "REJECTED");

		ck_assert_msg(at_is(task, "error.field", wrong[i].parameter), "%s", json_object_to_json_string(task));
	}
	wire_refused(wire, "NotFound", "RunExperiment", "{" COLUMN ",'evaluators':[{'evaluator':{'name':'None'}}]}");
	wire_refused(wire, INVALID, "RunExperiment", "{" COLUMN ",'evaluators':[{'evaluator':{'name':'Equals'}},"
		     "{'evaluator':{'name':'Equals'}}]}");
	wire_refused(wire, INVALID, "RunExperiment", "{" COLUMN ",'evaluators':[]}");
	end();
}
END_TEST

/* ---- Epochs, resuming, rating again ---- */

#define SLOW "'name':'E'," CITIES "," SAY ",'n_epochs':2,'llm_config':{'ref':{'name':'answers'}}," \
	     "'rating_llm_config':{'ref':{'name':'judges'}},'criteria':['Is it?']," \
	     "'evaluators':[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Contains Any'}," \
	     "'variables':{'words':['Say']}}]"

/* Killed in between, it asks for nothing twice that was recorded; rows are clusters. */
START_TEST(resumed)
{
	struct sim *answers, *judges;
	json_object *task;
	int64_t id, n;

	begin();
	answers = add_sim("answers");
	judges = add_sim("judges");
	sim_control(judges, "{\"latency_seconds\":0.05}");
	id = at_int(at_json(wire_call(wire, "RunExperiment", "%s", requoted("{" SLOW ",'detach':true}")), "task"), "id");
	n = experiment_await_recorded(wire, id, 1, 9);
	ck_assert_int_ge(n, 9);
	daemon_kill(server);
	daemon_restart(server);
	wire = daemon_connect(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(sim_stat(answers, "distinct_keys"), 6);
	ck_assert_int_eq(at_int(task, "result.results.evaluators.0.n_scored"), 6);
	ck_assert_int_eq(at_int(task, "result.results.evaluators.1.n_scored"), 6);
	ck_assert_int_eq(at_int(task, "progress.responses_rated"), 6);
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 18);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings"), 18);
	end();
}
END_TEST

/* By another judge its evaluators score again; a clone has them, too. */
START_TEST(again)
{
	struct sim *judges, *others;
	json_object *experiment, *task;

	begin();
	add_sim("answers");
	judges = add_sim("judges");
	others = add_sim("others");
	run(SLOW, "SUCCESS");
	ck_assert_int_eq(sim_stat(judges, "calls"), 12);
	task = at_json(wire_call(wire, "RateExperiment", "{'experiment':{'name':'E'},"
				 "'rating_llm_config':{'ref':{'name':'others'}}}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(others, "calls"), 12);
	experiment = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert_uint_eq(at_count(experiment, "evaluators"), 2);
	ck_assert_int_eq(at_int(experiment, "results.evaluators.0.n_scored"), 6);
	ck_assert_int_eq(at_int(experiment, "results.evaluators.1.n_scored"), 6);
	ck_assert_int_eq(sim_stat(judges, "calls"), 12);
	experiment = at_json(wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert_uint_eq(at_count(experiment, "evaluators"), 2);
	ck_assert_str_eq(at_text(experiment, "evaluators.1.variables.words.0"), "Say");
	wire_call(wire, "AddEpochs", "{'experiment':{'name':'E'},'epochs':1}");
	experiment = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert_int_eq(at_int(experiment, "results.evaluators.0.n_scored"), 9);
	end();
}
END_TEST

/* Others take the place of those that it has; a clone and a retry are of the same. */
START_TEST(other_evaluators)
{
	json_object *experiment, *task;

	begin();
	run(COLUMN ",'evaluators':[{'evaluator':{'name':'Equals'}}]", "SUCCESS");
	task = at_json(wire_call(wire, "RateExperiment", "{'experiment':{'name':'Columns'},'evaluators':["
				 "{'evaluator':{'name':'Length'},'variables':{'range':'..4'}},"
				 "{'evaluator':{'name':'Equals'}}]}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	experiment = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'Columns'}}"), "experiment");
	ck_assert_uint_eq(at_count(experiment, "evaluators"), 2);
	ck_assert_double_eq(at_number(experiment, "results.evaluators.0.mean"), 1);
	ck_assert_double_eq_tol(at_number(experiment, "results.evaluators.1.mean"), 1.0 / 3, 1e-12);
	task = at_json(wire_call(wire, "RateExperiment", "{'experiment':{'name':'Columns'},'evaluators':["
				 "{'evaluator':{'name':'Faithfulness'}}]}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "evaluators[0]");
	wire_call(wire, "DeleteExperiment", "{'experiment':{'name':'Columns'}}");
	end();
}
END_TEST

/* Beside each other by name and variables, row by row; an archive brings all of it elsewhere. */
START_TEST(compared)
{
	json_object *reply, *scores;
	struct sim *own;

	begin();
	own = add_scorer("own", "0.5");
	ck_assert_int_eq(chdir(dir_new()), 0);
	run("'name':'First'," CITIES ",'response_column':'city','evaluators':[{'evaluator':{'name':'Equals'}},"
	    "{'evaluator':{'name':'Length'},'variables':{'range':'..2'}}]", "SUCCESS");
	run("'name':'Second'," CITIES ",'response_column':'expected_output','evaluators':["
	    "{'evaluator':{'name':'Length'},'variables':{'range':'..9'}},{'evaluator':{'name':'Equals'}},"
	    "{'evaluator':{'name':'Length'},'variables':{'range':'..2'}}]", "SUCCESS");
	reply = wire_call(wire, "CompareExperiments", "{'experiments':[{'name':'First'},{'name':'Second'}]}");
	ck_assert_uint_eq(at_count(reply, "evaluators"), 3);
	scores = at_json(reply, "evaluators.0");
	ck_assert_str_eq(at_text(scores, "evaluator"), "Equals");
	ck_assert_double_eq_tol(at_number(scores, "scores.1.difference"), 2.0 / 3, 1e-12);
	ck_assert_int_eq(at_int(scores, "scores.1.paired.rows"), 3);
	ck_assert_int_eq(at_int(scores, "scores.1.paired.better"), 2);
	ck_assert_double_eq_tol(at_number(scores, "scores.1.paired.value"), 2.0 / 3, 1e-12);
	ck_assert_double_eq(at_number(scores, "scores.1.paired.p"), 0.5);
	ck_assert(!at_has(scores, "scores.0.paired"));
	scores = at_json(reply, "evaluators.1");
	ck_assert_str_eq(at_text(scores, "variables.range"), "..2");
	ck_assert_int_eq(at_int(scores, "scores.1.paired.rows"), 3);
	ck_assert(!at_has(reply, "evaluators.2.scores.0.scores") && !at_has(reply, "evaluators.2.scores.1.paired"));

	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'Own','llm_config':{'name':'own'},"
		  "'prompt':'{{response}}'}}");
	run("'name':'Third'," CITIES ",'response_column':'city','evaluators':[{'evaluator':{'name':'Own'}},"
	    "{'evaluator':{'name':'Length'},'variables':{'range':'..2'}},"
	    "{'evaluator':{'name':'Regex'},'variables':{'pattern':'('}}]", "SUCCESS");
	command_run_line(server, 0, "$0 export Third -o third.tar");
	command_run_line(server, 0, "$0 import third.tar --name Fourth");
	reply = wire_call(wire, "CompareExperiments", "{'experiments':[{'name':'Third'},{'name':'Fourth'}]}");
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(at_has(reply, text("evaluators.%d.scores.1.scores", i)), "%s",
			      json_object_to_json_string(reply));
		ck_assert_int_eq(at_int(reply, text("evaluators.%d.scores.0.scores.failed", i)),
				 at_int(reply, text("evaluators.%d.scores.1.scores.failed", i)));
	}
	ck_assert_double_eq(at_number(reply, "evaluators.0.scores.1.difference"), 0);
	ck_assert_double_eq(at_number(reply, "evaluators.1.scores.1.difference"), 0);
	ck_assert_int_eq(sim_stat(own, "calls"), 3);
	end();
}
END_TEST

/* ---- Judges ---- */

/* Of several judges each scores, and the mean is the score; a function and a config of its own score once. */
START_TEST(panel)
{
	static const char said[] = "SELECT group_concat(value, ' ') FROM (SELECT DISTINCT round(value, 2) value"
				   " FROM ratings WHERE judge_id IN (SELECT judge_id FROM panel_judges)"
				   " ORDER BY value)";
	struct sim *one, *two, *own;
	struct command *command;
	json_object *task, *items;

	begin();
	one = add_scorer("one", "0.25");
	two = add_scorer("two", "0.75");
	own = add_scorer("own", "1");
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'Own','llm_config':{'name':'own'},"
		  "'prompt':'{{response}}'}}");
	task = run(COLUMN ",'rating_llm_configs':[{'ref':{'name':'one'}},{'ref':{'name':'two'}}],'evaluators':["
		   "{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Own'}},"
		   "{'evaluator':{'name':'Equals'}}]", "SUCCESS");
	ck_assert_int_eq(sim_stat(one, "calls"), 3);
	ck_assert_int_eq(sim_stat(two, "calls"), 3);
	ck_assert_int_eq(sim_stat(own, "calls"), 3);
	ck_assert_str_eq(database_text(server, said), "0.25 0.75");
	ck_assert_double_eq(at_number(task, "result.results.evaluators.0.mean"), 0.5);
	ck_assert_double_eq(at_number(task, "result.results.evaluators.1.mean"), 1);
	ck_assert_int_eq(at_int(task, "result.results.evaluators.2.n_scored"), 3);
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);
	items = list_all(wire, "ListResponses", "'experiment':{'name':'Columns'}");
	ck_assert_str_eq(at_text(items, "0.ratings.0.reasoning"), "the mean of 2 judges");
	ck_assert_str_eq(at_text(items, "0.ratings.1.judge"), "Own");
	/* They differ everywhere, and so by more than chance. Of what one alone scored there is no telling. */
	task = at_json(wire_call(wire, "GetJudgeAgreement", "{'experiment':{'name':'Columns'}}"), "evaluators");
	ck_assert_uint_eq(json_object_array_length(task), 1);
	ck_assert_str_eq(at_text(task, "0.evaluator.name"), "Politeness");
	ck_assert_int_eq(at_int(task, "0.n"), 3);
	/* 1 - (6 - 1) * 3 * 0.25 / (6 * 6 * 0.0625), and the same without any one row. */
	ck_assert_double_eq_tol(at_number(task, "0.alpha"), 1 - 5 * 0.75 / 2.25, 1e-9);
	ck_assert_double_le(at_number(task, "0.alpha_low"), at_number(task, "0.alpha"));
	command = command_run_line(server, 0, "$0 experiment agreement Columns && $0 experiment agreement Columns "
				   "--format csv && $0 experiment report Columns --format md");
	ck_assert_msg(strstr(command->out, "-0.67 (") && strstr(command->out, "Politeness\n"), "%s", command->out);
	ck_assert_msg(strstr(command->out, ",Politeness\n"), "%s", command->out);
	ck_assert_msg(strstr(command->out, "On scores by Politeness they agree with an alpha of -0.67"), "%s",
		      command->out);
	/* One of them that says nothing is left out; nobody's silence is a 0. */
	sim_control(two, "{\"fixed_answer\":\"none\"}");
	task = run(COLUMN ",'run_afresh':true,'rating_llm_configs':[{'ref':{'name':'one'}},{'ref':{'name':'two'}}],"
		   "'evaluators':[{'evaluator':{'name':'Politeness'}}]", "SUCCESS");
	ck_assert_double_eq(at_number(task, "result.results.evaluators.0.mean"), 0.25);
	sim_control(one, "{\"fixed_answer\":\"none\"}");
	task = run(COLUMN ",'run_afresh':true,'rating_llm_configs':[{'ref':{'name':'one'}},{'ref':{'name':'two'}}],"
		   "'evaluators':[{'evaluator':{'name':'Politeness'}},{'evaluator':{'name':'Equals'}}]", "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.evaluators.0.n_scored"), 0);
	ck_assert_int_eq(at_int(task, "result.results.evaluators.0.failed"), 3);
	ck_assert(!at_has(task, "result.results.evaluators.0.mean"));
	/* What was asked twice counts in full. */
	ck_assert_int_eq(at_int(task, "result.results.total_input_tokens"), at_int(task, "progress.input_tokens"));
	end();
}
END_TEST

/* What no retry can mend ends the run at once, and it goes on where that is mended. */
START_TEST(refused_key)
{
	struct sim *judge;
	json_object *task;

	begin();
	judge = add_scorer("judge", "0.5");
	sim_control(judge, "{\"api_key\":\"right\"}");
	task = run(COLUMN ",'rating_llm_config':{'ref':{'name':'judge'}},"
		   "'evaluators':[{'evaluator':{'name':'Politeness'}}]", "FAILURE");
	ck_assert_msg(at_is(task, "error.code", "BackendAuthentication"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings"), 0);
	sim_control(judge, "{\"api_key\":\"\"}");
	task = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'name':'Columns'}}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_double_eq(at_number(task, "result.results.evaluators.0.mean"), 0.5);
	end();
}
END_TEST

/* ---- Commands ---- */

#define BAD(a) "{\"a\":\"" a "\",\"b\":\"no\",\"expected_output\":\"" a "\"},"
#define WORSE BAD("1") BAD("2") BAD("3") BAD("4") BAD("5") BAD("6")

#define SAYS(line, wanted)                                                                              \
	do {                                                                                            \
		const struct command *said = command_run_line(server, 0, line);                         \
		ck_assert_msg(strstr(said->out, wanted), "%s: no %s in %s", line, wanted, said->out);   \
	} while (0)

START_TEST(commands)
{
	begin();
	ck_assert_int_eq(chdir(dir_new()), 0);
	file_write("e.json", "{\"name\":\"Files\",\"response_column\":\"a\",\"collection\":{\"name\":\"C\","
			     "\"variables\":[{\"a\":\"red\",\"expected_output\":\"red\"},"
			     "{\"a\":\"blue <b>\",\"expected_output\":\"red\"}]},\"evaluators\":[\"Equals\","
			     "{\"evaluator\":\"Length\",\"variables\":{\"range\":\"..3\"}}]}");
	SAYS("$0 run e.json", "0.50");
	SAYS("$0 experiment show Files", "Equals");
	SAYS("$0 run e.json --fail-under evaluator=Equals:0.5 && echo met", "met\n");
	command_run_line(server, 1, "$0 run e.json --fail-under evaluator=Equals:51%");
	command_run_line(server, 2, "$0 run e.json --fail-under evaluator=None:0.5");
	SAYS("$0 --format csv experiment show Files", "0.5,0,1,2,2,Equals");
	SAYS("$0 experiment report Files -o r.html && $0 experiment report Files -o r.md && "
	     "$0 experiment report Files -o r.csv && $0 experiment report Files -o r.json && cat r.md",
	     "| Equals | 0.50 | 0.00 to 1.00 | 2/2 |");
	SAYS("cat r.md", "responses were answered");
	SAYS("cat r.html", "<h3>Scores</h3>");
	SAYS("cat r.html", "of all responses were answered");
	SAYS("cat r.csv", "Equals=0 Length=0.375");
	SAYS("cat r.json", "\"distribution\":[1,0,0,0,0,0,0,0,0,1]");
	SAYS("$0 experiment report Files -o r.xml && cat r.xml", "<property name=\"mean score: Equals\" value=\"0.5\"/>");
	SAYS("$0 experiment case Files 1", "3 characters, where ..3 are to be");
	SAYS("$0 experiment responses Files", "1.00 1.00");
	SAYS("$0 run e.json --new --dry-run", "0 to judge");
	SAYS("$0 rate Files --evaluators 'Levenshtein,Equals'", "Levenshtein");
	command_run_line(server, 2, "$0 rate Files --keep --evaluators Equals");
	command_run_line(server, 0, "$0 rate Files --evaluators Equals && $0 run e.json --new --evaluators Equals");
	SAYS("$0 export Files -o x.jsonl && cat x.jsonl", "\"evaluator\":\"Equals\",\"score\":1");
	file_write("f.json", "{\"name\":\"Worse\",\"response_column\":\"b\",\"collection\":{\"name\":\"D\","
			     "\"variables\":[" WORSE "{\"a\":\"9\",\"b\":\"9\",\"expected_output\":\"9\"}]},"
			     "\"evaluators\":[\"Equals\"]}");
	command_run_line(server, 0, "sed 's/\"b\",/\"a\",/; s/Worse/Better/' f.json >g.json && $0 run g.json");
	SAYS("$0 run f.json; $0 experiment compare Better Worse", "-0.857");
	command_run_line(server, 1, "$0 run f.json --fail-on-regression Better");
	SAYS("$0 experiment report Better Worse -o r.md && cat r.md", "| Equals | -0.857");
	SAYS("$0 experiment report Better Worse -o r.html && cat r.html", "<th class=number>score more</th>");
	command_run_line(server, 0, "sed 's/Files/Expected/; s/\"response_column\":\"a\"/\"response_column\":"
				    "\"expected_output\"/' e.json >i.json && $0 run i.json");
	SAYS("$0 experiment compare Files Expected --json", "\"low\":-1.0,\"high\":1.0");
	file_write("h.json", "{\"name\":\"Other\",\"response_column\":\"a\",\"collection\":\"D\",\"evaluators\":[{"
			     "\"evaluator\":\"Length\",\"variables\":{\"range\":\"..3\"}}]}");
	command_run_line(server, 0, "$0 run h.json && $0 experiment report Better Other -o r.md && ! grep 'score more' r.md");
	command_run_line(server, 0, "$0 experiment report Better Other -o r.html && ! grep '<th>Evaluator</th>.*score more' r.html");
	SAYS("$0 evaluator list", "Faithfulness");
	SAYS("$0 evaluator show Faithfulness", "supported by the contexts");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(functions, models, contexts_that_are_texts, missing_inputs, resumed, again, other_evaluators, compared, panel, refused_key, commands);
}
