/* Evaluators and judges: their versions, what they ask, and what of the answer is a score. */
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define N_BUILT_IN 60
#define INVALID "org.varlink.service.InvalidParameter"
#define SCORED(score) "{\"justification\":\"so\",\"score\":" score "}"

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

static struct sim *add_config(const char *name, const char *more)
{
	struct sim *sim = sim_start(NULL);

	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'%s','provider':'openai','llm_model_name':'model of %s',"
		  "'llm_base_url':'%s','max_retries':0%s}}", name, name, sim_url(sim), requoted(more));
	return sim;
}

static void answers(const struct sim *sim, const char *says)
{
	json_object *settings = json_object_new_object();

	json_object_object_add(settings, "fixed_answer", json_object_new_string(says));
	sim_control(sim, "%s", json_object_to_json_string(settings));
	json_object_put(settings);
}

static json_object *create(const char *content)
{
	return at_json(wire_call(wire, "CreateEvaluator", "%s",
				 requoted(text("{'evaluator':{%s}}", content))), "evaluator");
}

static json_object *task_of(const char *method, const char *parameters)
{
	return at_json(wire_call(wire, method, "%s", requoted(text("{%s}", parameters))), "task");
}

static json_object *evaluation(json_object *task)
{
	return at_json(task, "result.evaluation");
}

/* ---- Versions ---- */

static int64_t conflict(const char *method, const char *parameters)
{
	return at_int(wire_refused(wire, "Conflict", method, "%s", requoted(text("{%s}", parameters))),
		      "parameters.resource_id");
}

START_TEST(versions)
{
	json_object *first, *second, *third, *reply;

	begin();
	first = create("'name':'E','prompt':'Score {{response}} by {{rule}}, {{response}} again.'");
	ck_assert_int_eq(at_int(first, "version"), 1);
	ck_assert_str_eq(at_text(first, "kind"), "model");
	ck_assert_uint_eq(at_count(first, "inputs"), 2);
	ck_assert_str_eq(at_text(first, "inputs.1"), "rule");
	second = create("'name':'E','prompt':'Score {{response}}.','intent':'to know'");
	ck_assert_int_eq(at_int(second, "version"), 2);
	ck_assert_int_eq(conflict("CreateEvaluator", "'evaluator':{'name':'E','prompt':"
				  "'Score {{response}} by {{rule}}, {{response}} again.'}"), at_int(first, "id"));
	reply = wire_call(wire, "GetOrCreateEvaluator",
			  "{'evaluator':{'name':'E','prompt':'Score {{response}}.','intent':'to know'}}");
	ck_assert(!at_bool(reply, "created") && !at_bool(reply, "differs"));
	reply = wire_call(wire, "UpdateEvaluator", "{'evaluator':{'name':'E'},'content':{'name':'E',"
			  "'prompt':'Score {{response}}.','intent':'to know'}}");
	ck_assert_int_eq(at_int(reply, "evaluator.version"), 2);
	third = wire_call(wire, "UpdateEvaluator", "{'evaluator':{'name':'E','version':1},'content':{'name':'E',"
			  "'prompt':'Score {{request}}.','demonstrations':[]}}");
	ck_assert_int_eq(at_int(third, "evaluator.version"), 3);
	ck_assert(!at_has(third, "evaluator.intent"));
	ck_assert_int_eq(conflict("UpdateEvaluator", "'evaluator':{'name':'E'},'content':{'name':'E',"
				  "'prompt':'Score {{response}}.','intent':'to know'}"), at_int(second, "id"));
	reply = wire_refused(wire, INVALID, "UpdateEvaluator", "{'evaluator':{'name':'E'},'content':{'name':'F',"
			     "'prompt':'Score {{response}}.'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "content.name");
	reply = wire_call(wire, "GetEvaluator", "{'evaluator':{'name':'E','version':1}}");
	ck_assert_int_eq(at_int(reply, "evaluator.id"), at_int(first, "id"));
	create("'name':'D','prompt':'{{response}}?'");
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListEvaluators", "%s", "")), 2 + N_BUILT_IN);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListEvaluators", "'name':'E'")), 3);
	wire_call(wire, "DeleteEvaluator", "{'evaluator':{'name':'E','version':3}}");
	reply = wire_call(wire, "GetEvaluator", "{'evaluator':{'name':'E'}}");
	ck_assert_int_eq(at_int(reply, "evaluator.version"), 2);
	ck_assert_int_eq(at_int(create("'name':'E','prompt':'{{tools}}'"), "version"), 4);
	wire_call(wire, "DeleteEvaluator", "{'evaluator':{'name':'E'}}");
	wire_refused(wire, "NotFound", "GetEvaluator", "{'evaluator':{'name':'E'}}");
	end();
}
END_TEST

static const struct {
	const char *content, *path;
} wrong[] = {
	{ "'name':'E'", "evaluator.prompt" },
	{ "'name':'E','prompt':'How good is it?'", "evaluator.prompt" },
	{ "'name':'E','prompt':'{{response}}','inputs':['response']", "evaluator.inputs" },
	{ "'name':'E','prompt':'{{response}}','demonstrations':[{'score':1}]", "evaluator.demonstrations[0]" },
	{ "'name':'E','prompt':'{{response}}','demonstrations':[{'response':'a','score':1.5}]",
	  "evaluator.demonstrations[0].score" },
};

START_TEST(wrong_content)
{
	begin();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_object *reply = wire_refused(wire, INVALID, "CreateEvaluator", "%s",
						  requoted(text("{'evaluator':{%s}}", wrong[i].content)));

		ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].path);
	}
	wire_refused(wire, "NotFound", "CreateEvaluator",
		     "{'evaluator':{'name':'E','prompt':'{{response}}','fallback_llm_configs':[{'name':'None'}]}}");
	wire_refused(wire, "NotFound", "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'None'}]}}");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM evaluators"), 0);
	end();
}
END_TEST

/* ---- What is asked ---- */

#define ALL "'request':'What is it?','response':'A </Response-1>, and <b>.','contexts':['one','two']," \
	    "'expected_output':'A bird.','tools':[{'name':'look'}],'variables':{'rule':'strict','more':[1]}"

START_TEST(inputs)
{
	static const char *const missing[] = { "request", "response", "contexts", "expected_output", "tools" };
	struct sim *sim;
	const char *question;
	json_object *reply;

	begin();
	sim = add_config("sim", "");
	answers(sim, SCORED("1"));
	create("'name':'E','llm_config':{'name':'sim'},'prompt':'{{request}} {{response}} {{contexts}} "
	       "{{expected_output}} {{tools}} {{rule}}','demonstrations':[{'request':'q','response':'<request-x>',"
	       "'score':0.25,'justification':'why'}]");
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		json_object *all = json_must_parse(quoted("{'evaluator':{'name':'E'},%s}", ALL));

		json_object_object_del(all, missing[i]);
		reply = wire_refused(wire, INVALID, "RunEvaluator", "%s", json_object_to_json_string(all));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), missing[i]);
	}
	reply = wire_refused(wire, INVALID, "RunEvaluator", "{'evaluator':{'name':'E'},'request':'a','response':'b',"
			     "'contexts':[],'expected_output':'','tools':[],'variables':{'other':1}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables.rule");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 0);

	ck_assert_str_eq(at_text(task_of("RunEvaluator", "'evaluator':{'name':'E'}," ALL), "status"), "SUCCESS");
	ck_assert_uint_eq(at_count(sim_last_request(sim), "messages"), 2);
	question = at_text(sim_last_request(sim), "messages.1.content");
	ck_assert_msg(strstr(question, "A &lt;/Response-1>, and <b>."), "%s", question);
	ck_assert_msg(strstr(question, "[1]\none\n\n[2]\ntwo"), "%s", question);
	ck_assert_msg(strstr(question, "&lt;request-x>"), "%s", question);
	ck_assert_msg(strstr(question, "score: 0.25"), "%s", question);
	ck_assert_msg(strstr(question, "\"name\""), "%s", question);
	ck_assert_ptr_null(strstr(question, "{{"));
	end();
}
END_TEST

/* Those of the request's own fields are no inputs. */
START_TEST(variables_by_any_name)
{
	struct sim *sim;
	const char *question;

	begin();
	sim = add_config("sim", "");
	answers(sim, SCORED("1"));
	create("'name':'E','llm_config':{'name':'sim'},'prompt':'{{response}} {{name}} {{priority}}'");
	task_of("RunEvaluator", "'evaluator':{'name':'E'},'response':'Yes.','name':'T','variables':{'name':'Ada',"
		"'priority':'high','response':'No.'}");
	question = at_text(sim_last_request(sim), "messages.1.content");
	ck_assert_msg(strstr(question, "Ada") && strstr(question, "high"), "%s", question);
	ck_assert_msg(strstr(question, "Yes.") && !strstr(question, "No."), "%s", question);
	end();
}
END_TEST

/* What a model says, the score that it is (or -1), and how often it is asked. */
static const struct {
	const char *says;
	double score;
	int64_t calls;
} said[] = {
	{ SCORED("0.75"), 0.75, 1 },
	{ SCORED("0"), 0, 1 },
	{ "```json\n" SCORED("1") "\n```", 1, 1 },
	{ "<think>{\"score\": 0.1}? Rather more.</think>\n" SCORED("0.5"), 0.5, 1 },
	{ "It is good: {\"score\": 0.5, \"confidence\": 2}. Really.", 0.5, 1 },
	{ SCORED("1.01"), -1, 2 },
	{ SCORED("-0.5"), -1, 2 },
	{ SCORED("\"0.5\""), -1, 2 },
	{ SCORED("null"), -1, 2 },
	{ SCORED("NaN"), -1, 2 },
	{ "{\"score\": 0.1, \"score\": 0.9}", -1, 2 },
	{ SCORED("0.1") " " SCORED("0.9"), -1, 2 },
	{ "0.7", -1, 2 },
	{ "I would rather not say.", -1, 2 },
	{ "{\"rating\": \"YES\"}", -1, 2 },
};

/* What a request may hold is read again where it is used, as deep as it is. */
START_TEST(deep_variables)
{
	static const struct {
		const char *method, *parameters;
	} cases[] = {
		{ "RunEvaluator", "'evaluator':{'name':'E'},'response':'r','variables':{'rule':%s}" },
		{ "BatchRun", "'evaluator':{'name':'E'},'inputs':[{'response':'r','variables':{'rule':%s}}]" },
		{ "RunSkill", "'skill':{'name':'S'},'variables':{'rule':%s}" },
		{ "Call", "'prompt_template':{'name':'T'},'variables':{'rule':%s}" },
	};
	char deep[2 * (OBJECT_DEPTH_MAX - 1) + 1] = "";

	memset(deep, '[', OBJECT_DEPTH_MAX - 1);
	memset(deep + OBJECT_DEPTH_MAX - 1, ']', OBJECT_DEPTH_MAX - 1);
	begin();
	create("'name':'E','prompt':'Score {{response}} by {{rule}}.'");
	wire_call(wire, "CreateSkill", "{'skill':{'name':'S','prompt':'By {{rule}}.'}}");
	wire_call(wire, "CreatePromptTemplate",
		  "{'prompt_template':{'name':'T','messages':[{'role':'user','content':'By {{rule}}.'}]}}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *parameters = requoted(cases[i].parameters);
		json_object *task = task_of(cases[i].method, text("%.*s%s%s",
			(int)(strstr(parameters, "%s") - parameters), parameters, deep,
			strstr(parameters, "%s") + 2));

		ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s: %s", cases[i].method,
			      json_object_to_json_string(task));
	}
	end();
}
END_TEST

START_TEST(scores)
{
	struct sim *sim;

	begin();
	sim = add_config("sim", ",'price_input':'1','price_output':'1'");
	create("'name':'E','llm_config':{'name':'sim'},'prompt':'{{response}}?'");
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		json_object *task, *result;

		sim_reset(sim);
		answers(sim, said[i].says);
		task = task_of("RunEvaluator", "'evaluator':{'name':'E'},'response':'a'");
		result = evaluation(task);
		ck_assert_int_eq(sim_stat(sim, "calls"), said[i].calls);
		ck_assert_str_eq(at_text(task, "kind"), "evaluator");
		ck_assert_str_eq(at_text(result, "evaluator_name"), "E");
		ck_assert_int_eq(at_int(result, "version"), 1);
		ck_assert_str_eq(at_text(result, "model"), "model of sim");
		ck_assert_int_eq(at_int(result, "attempts"), said[i].calls);
		ck_assert_int_eq(at_int(result, "usage.output_tokens"), at_int(task, "progress.output_tokens"));
		ck_assert_str_eq(at_text(result, "cost"), at_text(task, "progress.cost"));
		if (said[i].score >= 0) {
			ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
			ck_assert_str_eq(at_text(result, "status"), "finished");
			ck_assert_double_eq(at_number(result, "score"), said[i].score);
			ck_assert(!at_has(result, "error"));
		} else {
			ck_assert_str_eq(at_text(task, "status"), "FAILURE");
			ck_assert_str_eq(at_text(result, "status"), "failed");
			ck_assert(!at_has(result, "score"));
			ck_assert_str_eq(at_text(result, "error.code"), "BackendRejected");
			ck_assert_str_eq(at_text(task, "error.message"), at_text(result, "error.message"));
		}
	}
	end();
}
END_TEST

/* ---- Configs ---- */

START_TEST(fallbacks)
{
	struct sim *down, *keyless, *good;
	json_object *task;

	begin();
	down = add_config("down", "");
	keyless = add_config("keyless", ",'api_key':'wrong'");
	good = add_config("good", "");
	sim_control(down, "{'error_500_rate':1}");
	sim_control(keyless, "{'api_key':'right'}");
	answers(good, SCORED("0.5"));
	create("'name':'E','llm_config':{'name':'down'},'prompt':'{{response}}?',"
	       "'fallback_llm_configs':[{'name':'keyless'},{'name':'good'}]");
	task = task_of("RunEvaluator", "'evaluator':{'name':'E'},'response':'a'");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.evaluation.model"), "model of good");
	ck_assert_int_eq(at_int(task, "result.evaluation.attempts"), 3);
	ck_assert_int_eq(sim_stat(down, "calls"), 1);
	ck_assert_int_eq(sim_stat(keyless, "calls"), 1);
	/* Asked instead: nothing else is. */
	task = task_of("RunEvaluator", "'evaluator':{'name':'E'},'response':'a',"
				       "'llm_config':{'ref':{'name':'keyless'}}");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	ck_assert_int_eq(sim_stat(good, "calls"), 1);
	ck_assert_str_eq(at_text(task, "result.evaluation.model"), "model of keyless");
	ck_assert(!at_has(task, "result.evaluation.score"));
	end();
}
END_TEST

START_TEST(config_in_use)
{
	struct sim *sim;
	json_object *task;

	begin();
	sim = add_config("sim", "");
	sim_control(sim, "{'hang_rate':1}");
	create("'name':'E','llm_config':{'name':'sim'},'prompt':'{{response}}?'");
	task = task_of("RunEvaluator", "'evaluator':{'name':'E'},'response':'a','detach':true");
	sim_await(sim, "calls", 1);
	wire_refused(wire, "Conflict", "DeleteLLMConfig", "{'llm_config':{'name':'sim'}}");
	wire_refused(wire, "Conflict", "DeleteEvaluator", "{'evaluator':{'name':'E'}}");
	wire_refused(wire, "Conflict", "DeleteEvaluator", "{'evaluator':{'name':'E','version':1}}");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)at_int(task, "id"));
	wire_call(wire, "DeleteEvaluator", "{'evaluator':{'name':'E'}}");
	wire_call(wire, "DeleteLLMConfig", "{'llm_config':{'name':'sim'}}");
	end();
}
END_TEST

/* ---- Judges ---- */

START_TEST(judges)
{
	struct sim *one, *other, *down;
	json_object *task, *reply;

	begin();
	one = add_config("one", ",'price_input':'1','price_output':'1'");
	other = add_config("other", "");
	down = add_config("down", "");
	answers(one, SCORED("0.25"));
	answers(other, SCORED("0.75"));
	sim_control(down, "{'error_500_rate':1}");
	create("'name':'A','llm_config':{'name':'one'},'prompt':'{{response}}?'");
	create("'name':'B','llm_config':{'name':'other'},'prompt':'{{response}} by {{expected_output}}?'");
	create("'name':'C','llm_config':{'name':'down'},'prompt':'{{response}}?'");
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','intent':'i',"
				       "'evaluators':[{'name':'A'},{'name':'C'},{'name':'B'}]}}");
	create("'name':'A','llm_config':{'name':'one'},'prompt':'How is {{response}}?'");
	reply = wire_refused(wire, INVALID, "RunJudge", "{'judge':{'name':'J'},'response':'a'}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "expected_output");
	task = task_of("RunJudge", "'judge':{'name':'J'},'response':'a','expected_output':'b'");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	reply = at_json(task, "result.judgement");
	ck_assert_str_eq(at_text(reply, "judge_name"), "J");
	ck_assert_int_eq(at_int(reply, "n_scored"), 2);
	ck_assert_int_eq(at_int(reply, "n_total"), 3);
	ck_assert_double_eq(at_number(reply, "results.0.score"), 0.25);
	ck_assert_int_eq(at_int(reply, "results.0.version"), 2);
	ck_assert_str_eq(at_text(reply, "results.1.status"), "failed");
	ck_assert(!at_has(reply, "results.1.score"));
	ck_assert_double_eq(at_number(reply, "results.2.score"), 0.75);
	ck_assert_str_eq(at_text(reply, "cost"), at_text(reply, "results.0.cost"));
	/* The very version, and one that nobody scores. */
	wire_call(wire, "UpdateJudge", "{'judge':{'name':'J'},'content':{'name':'K','evaluators':"
				       "[{'name':'A','version':1}]}}");
	task = task_of("RunJudge", "'judge':{'name':'K'},'response':'a'");
	ck_assert_int_eq(at_int(task, "result.judgement.results.0.version"), 1);
	ck_assert_int_eq(at_int(wire_call(wire, "GetJudge", "{'judge':{'name':'K'}}"), "judge.id"),
			 at_int(task, "result.judgement.judge_id"));
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListJudges", "%s", "")), 1);
	sim_control(one, "{'error_500_rate':1}");
	task = task_of("RunJudge", "'judge':{'name':'K'},'response':'a'");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_int_eq(at_int(task, "result.judgement.n_scored"), 0);
	end();
}
END_TEST

/* Nobody is answered until all of them are asked. */
START_TEST(at_the_same_time)
{
	struct sim *sim;
	json_object *task;

	begin();
	sim = add_config("sim", "");
	sim_control(sim, "{'hang_rate':1}");
	for (int i = 0; i < 8; i++)
		create(text("'name':'E%d','llm_config':{'name':'sim'},'prompt':'{{response}}, %d?'", i, i));
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'E0'},{'name':'E1'},"
				       "{'name':'E2'},{'name':'E3'},{'name':'E4'},{'name':'E5'},{'name':'E6'},"
				       "{'name':'E7'}]}}");
	task = task_of("RunJudge", "'judge':{'name':'J'},'response':'a','detach':true");
	sim_await(sim, "in_flight", 8);
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)at_int(task, "id"));
	end();
}
END_TEST

/* ---- Commands ---- */

START_TEST(commands)
{
	const char *path = dir_path(dir_new(), "e.json");
	struct command *ran;
	struct sim *sim;

	begin();
	sim = add_config("sim", "");
	answers(sim, SCORED("0.5"));
	file_write(path, "{\"name\": \"Courtesy\", \"llm_config\": {\"name\": \"sim\"},"
			 " \"prompt\": \"How polite is {{response}} to {{who}}?\"}");
	ASSERT_SAYS(COMMAND(server, 0, "evaluator", "create", path)->out, "Courtesy");
	ran = COMMAND(server, 0, "evaluator", "run", "Courtesy", "--response", "Go.", "--variables",
		      "{\"who\":\"a guest\"}");
	ck_assert_str_eq(ran->out, "Courtesy: 0.50\n  so\n");
	ran = COMMAND(server, 23, "evaluator", "run", "Courtesy", "--variables", "{\"who\":\"a guest\"}");
	ASSERT_SAYS(ran->err, "--response");
	file_write(path, "{\"name\": \"Manners\", \"evaluators\": [{\"name\": \"Courtesy\"}]}");
	COMMAND(server, 0, "judge", "create", path);
	ran = COMMAND(server, 0, "judge", "run", "Manners", "--response", "Go.", "--variables",
		      "{\"who\":\"a guest\"}");
	ck_assert_str_eq(ran->out, "Courtesy: 0.50\n  so\n");
	ASSERT_SAYS(COMMAND(server, 0, "judge", "list")->out, "Manners");
	sim_control(sim, "{'error_500_rate':1}");
	ran = COMMAND(server, 10, "evaluator", "run", "Courtesy", "--response", "Go.", "--variables",
		      "{\"who\":\"a guest\"}");
	ASSERT_SAYS(ran->out, "Courtesy: ");
	COMMAND(server, 0, "evaluator", "delete", "Courtesy", "--revision", "1");
	end();
}
END_TEST

/* Those of all of a judge's stand in one result, which has to fit into a message. */
START_TEST(long_justifications)
{
	enum { EVALUATORS = 12, BYTES = 1900 * 1024, KEPT = 64 * 1024 };
	char *says = malloc(BYTES + 100), *names = calloc(EVALUATORS, 16);
	json_object *task;
	struct sim *sim;

	begin();
	sim = add_config("c", "");
	sprintf(says, "{\"score\":0.5,\"justification\":\"%0*d\"}", BYTES, 0);
	answers(sim, says);
	create("'name':'E','llm_config':{'name':'c'},'prompt':'{{response}}'");
	for (int i = 0; i < EVALUATORS; i++)
		strcat(names, i > 0 ? ",{'name':'E'}" : "{'name':'E'}");
	wire_call(wire, "CreateJudge", "%s", requoted(text("{'judge':{'name':'J','evaluators':[%s]}}", names)));
	task = task_of("RunJudge", "'judge':{'name':'J'},'response':'a'");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.judgement.n_scored"), EVALUATORS);
	ck_assert_uint_eq(strlen(at_text(task, "result.judgement.results.11.justification")), KEPT);
	free(says);
	free(names);
	end();
}
END_TEST

/* What the writer reads for one request is bounded: others wait for it. */
START_TEST(many_large_ones)
{
	const char *names = "{'name':'E'}";
	json_object *reply;

	begin();
	create(text("'name':'E','prompt':'%0*d{{response}}'", 490000, 0));
	for (int i = 1; i < 5; i++)
		names = text("%s,{'name':'E'}", names);
	reply = wire_refused(wire, "TooLarge", "CreateJudge", "%s",
			     requoted(text("{'judge':{'name':'J','evaluators':[%s]}}", names)));
	ck_assert_int_eq(at_int(reply, "parameters.limit_bytes"), 2 << 20);
	wire_refused(wire, "TooLarge", "CreateSkill", "{'skill':{'name':'S','prompt':'a','validators':["
		     "{'evaluator':{'name':'E'}},{'evaluator':{'name':'E'}},{'evaluator':{'name':'E'}},"
		     "{'evaluator':{'name':'E'}},{'evaluator':{'name':'E'}}]}}");
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'E'},{'name':'E'}]}}");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(versions, wrong_content, inputs, variables_by_any_name, deep_variables, scores, fallbacks, config_in_use, judges,
			 at_the_same_time, long_justifications, many_large_ones, commands);
}
