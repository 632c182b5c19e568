/*
 * Skills: their versions, which model answers, how validators find the answer, and when it is asked for
 * again.
 */
#include <stdio.h>
#include <string.h>

#include "proto/text/money.h"
#include "tests/harness/command.h"
#include "tests/integration/control.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define SCORE(score, why) "{\"justification\":\"" why "\",\"score\":" score "}"

static void add_config(const char *name, const char *url, const char *more)
{
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'%s','provider':'openai','llm_model_name':'model of %s',"
		  "'llm_base_url':'%s','max_retries':0%s}}", name, name, url, requoted(more));
}

/* One that answers with this. */
static struct sim *add_endpoint(const char *name, const char *says)
{
	struct sim *sim = sim_start((const char *[]) { text("--fixed_answer=%s", says), NULL });

	add_config(name, sim_url(sim), ",'price_input':'1','price_output':'2'");
	return sim;
}

/* One that nobody answers at any more. */
static void add_broken(const char *name)
{
	struct sim *sim = sim_start(NULL);

	add_config(name, sim_url(sim), "");
	sim_stop(sim);
}

static void add_evaluator(const char *name, const char *config)
{
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'%s','prompt':'Is {{response}} good for {{request}}?',"
		  "'llm_config':{'name':'%s'}}}", name, config);
}

static void add_skill(const char *content)
{
	wire_call(wire, "CreateSkill", "%s",
		  requoted(text("{'skill':{'name':'S','prompt':'About {{topic}}.',%s}}", content)));
}

static json_object *task_of(const char *method, const char *more)
{
	return at_json(wire_call(wire, method, "%s", requoted(text("{'skill':{'name':'S'}%s}", more))), "task");
}

static json_object *run(const char *more)
{
	return task_of("RunSkill", text(",'variables':{'topic':'tea'}%s", more));
}

static int64_t money_at(json_object *json, const char *path)
{
	const char *what = at_text(json, path);
	int64_t amount;

	ck_assert_int_ge(money_parse(what, &amount), 0);
	return amount;
}

/* ---- The resource ---- */

START_TEST(versions)
{
	json_object *first, *reply;

	begin(NULL);
	add_evaluator("E", "simulated");
	first = wire_call(wire, "CreateSkill", "{'skill':{'name':'S','prompt':'{{a}} or {{b}}, {{a}}',"
			  "'validators':[{'evaluator':{'name':'E'}}]}}");
	ck_assert_int_eq(at_int(first, "skill.version"), 1);
	ck_assert_uint_eq(at_count(first, "skill.placeholders"), 2);
	ck_assert_double_eq(at_number(first, "skill.validators.0.threshold"), 0);
	wire_refused(wire, "Conflict", "CreateSkill", "{'skill':{'name':'S','prompt':'{{a}} or {{b}}, {{a}}',"
		     "'fallback_llm_configs':[],'validators':[{'evaluator':{'name':'E'},'threshold':0}]}}");
	reply = wire_call(wire, "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'S','prompt':'{{a}}'}}");
	ck_assert_int_eq(at_int(reply, "skill.version"), 2);
	ck_assert(!at_has(reply, "skill.validators"));
	reply = wire_call(wire, "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'S','prompt':'{{a}}'}}");
	ck_assert_int_eq(at_int(reply, "skill.version"), 2);
	reply = wire_refused(wire, "Conflict", "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'S',"
			     "'prompt':'{{a}} or {{b}}, {{a}}','validators':[{'evaluator':{'name':'E'}}]}}");
	ck_assert_int_eq(at_int(reply, "parameters.resource_id"), at_int(first, "skill.id"));
	reply = wire_refused(wire, INVALID, "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'T','prompt':'c'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "content.name");
	reply = wire_call(wire, "GetSkill", "{'skill':{'name':'S','version':1}}");
	ck_assert(json_object_equal(at_json(reply, "skill"), at_json(first, "skill")));
	reply = wire_call(wire, "GetOrCreateSkill", "{'skill':{'name':'S','prompt':'{{a}}'}}");
	ck_assert(!at_bool(reply, "created"));
	ck_assert_int_eq(at_int(reply, "skill.version"), 2);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListSkills", "%s", "")), 1);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListSkills", "%s", requoted("'name':'S'"))), 2);
	wire_call(wire, "DeleteSkill", "{'skill':{'name':'S','version':2}}");
	ck_assert_int_eq(at_int(wire_call(wire, "GetSkill", "{'skill':{'name':'S'}}"), "skill.version"), 1);
	wire_call(wire, "DeleteSkill", "{'skill':{'name':'S'}}");
	wire_refused(wire, "NotFound", "GetSkill", "{'skill':{'name':'S'}}");
	end();
}
END_TEST

START_TEST(what_is_wrong)
{
	static const struct {
		const char *content, *path;
	} table[] = {
		{ "'prompt':''", "skill.prompt" },
		{ "'prompt':'a','validators':[{'evaluator':{'name':'E'},'threshold':1.5}]",
		  "skill.validators[0].threshold" },
		{ "'prompt':'a','validators':[{'evaluator':{'name':'E','id':1}}]", "skill.validators[0].evaluator" },
	};
	static const char *const missing[] = {
		"'llm_config':{'name':'None'}", "'fallback_llm_configs':[{'name':'simulated'},{'id':99}]",
		"'validators':[{'evaluator':{'name':'None'}}]", "'validators':[{'evaluator':{'name':'E','version':2}}]",
	};
	json_object *reply;

	begin(NULL);
	add_evaluator("E", "simulated");
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		reply = wire_refused(wire, INVALID, "CreateSkill", "%s",
				     requoted(text("{'skill':{'name':'S',%s}}", table[i].content)));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), table[i].path);
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
		wire_refused(wire, "NotFound", "CreateSkill", "%s",
			     requoted(text("{'skill':{'name':'S','prompt':'a',%s}}", missing[i])));
	/* Before anything is asked. */
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'C','prompt':'{{response}} {{contexts}} {{rule}}'}}");
	add_skill("'validators':[{'evaluator':{'name':'C'}}]");
	reply = wire_refused(wire, INVALID, "RunSkill", "{'skill':{'name':'S'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables.topic");
	reply = wire_refused(wire, INVALID, "RunSkill", "{'skill':{'name':'S'},'variables':{'topic':'tea','rule':'r'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "contexts");
	reply = wire_refused(wire, INVALID, "ValidateSkill", "{'skill':{'name':'S'},'response':'r','contexts':['c']}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables.rule");
	wire_refused(wire, "NotFound", "RunSkill", "{'skill':{'name':'S','version':2}}");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks"), 0);
	end();
}
END_TEST

/* ---- The answer and its validators ---- */

static json_object *validator(json_object *task, int i)
{
	return at_json(task, text("result.skill.validation.validator_results.%d", i));
}

START_TEST(validators)
{
	struct sim *answers, *high, *low;
	json_object *task, *skill, *one;

	begin(NULL);
	answers = add_endpoint("answers", "Tea is nice.");
	high = add_endpoint("high", SCORE("0.9", "It is clear."));
	low = add_endpoint("low", SCORE("0.25", "It is curt."));
	add_broken("broken");
	add_evaluator("High", "high");
	add_evaluator("Low", "low");
	add_evaluator("Down", "broken");
	add_skill("'llm_config':{'name':'broken'},'fallback_llm_configs':[{'name':'broken'},{'name':'answers'}],"
		  "'validators':[{'evaluator':{'name':'Down'},'threshold':0.1},{'evaluator':{'name':'Low'},"
		  "'threshold':0.5},{'evaluator':{'name':'High'},'threshold':0.9},{'evaluator':{'name':'Low'}}]");
	task = run(",'generation_params':{'temperature':0.5}");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "kind"), "skill");
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);
	skill = at_json(task, "result.skill");
	ck_assert_str_eq(at_text(skill, "skill_name"), "S");
	ck_assert_int_eq(at_int(skill, "version"), 1);
	ck_assert_str_eq(at_text(skill, "response"), "Tea is nice.");
	ck_assert_str_eq(at_text(skill, "rendered_prompt"), "About tea.");
	ck_assert_str_eq(at_text(skill, "model"), "model of answers");
	ck_assert_int_eq(at_int(skill, "answers"), 1);
	ck_assert_uint_eq(at_count(skill, "failed_models"), 1);
	ck_assert_str_eq(at_text(skill, "failed_models.0.llm_config_name"), "broken");
	ck_assert_str_eq(at_text(skill, "failed_models.0.error.code"), "BackendUnavailable");
	ck_assert(!at_bool(skill, "validation.is_valid"));
	ck_assert_uint_eq(at_count(skill, "validation.validator_results"), 4);

	one = validator(task, 0);
	ck_assert_str_eq(at_text(one, "evaluator_name"), "Down");
	ck_assert_str_eq(at_text(one, "status"), "failed");
	ck_assert_str_eq(at_text(one, "error.code"), "BackendUnavailable");
	ck_assert(!at_bool(one, "is_valid") && !at_has(one, "result") && !at_has(one, "cost"));
	one = validator(task, 1);
	ck_assert_str_eq(at_text(one, "status"), "finished");
	ck_assert_str_eq(at_text(one, "justification"), "It is curt.");
	ck_assert_double_eq(at_number(one, "result"), 0.25);
	ck_assert_double_eq(at_number(one, "threshold"), 0.5);
	ck_assert(!at_bool(one, "is_valid"));
	ck_assert(at_bool(validator(task, 2), "is_valid"));
	ck_assert(at_bool(validator(task, 3), "is_valid"));
	ck_assert_double_eq(at_number(validator(task, 3), "result"), 0.25);

	/* All that was asked, and nothing twice. */
	ck_assert_int_eq(sim_stat(answers, "calls") + sim_stat(high, "calls") + sim_stat(low, "calls"), 4);
	ck_assert_int_gt(money_at(skill, "cost"), money_at(validator(task, 1), "cost") +
				 money_at(validator(task, 2), "cost") + money_at(validator(task, 3), "cost"));
	ck_assert_str_eq(at_text(skill, "cost"), at_text(task, "progress.cost"));
	ck_assert_double_eq(at_number(sim_last_request(answers), "temperature"), 0.5);
	ck_assert_str_eq(at_text(sim_last_request(answers), "messages.0.content"), "About tea.");
	ck_assert_ptr_nonnull(strstr(at_text(sim_last_request(high), "messages.1.content"), "About tea."));
	ck_assert_ptr_nonnull(strstr(at_text(sim_last_request(high), "messages.1.content"), "Tea is nice."));
	ck_assert(!at_has(sim_last_request(high), "temperature"));
	end();
}
END_TEST

/* What nobody is to judge is valid. */
START_TEST(no_validators)
{
	json_object *task;

	begin(NULL);
	add_endpoint("answers", "Tea.");
	add_skill("'llm_config':{'name':'answers'}");
	task = run(",'until_valid':1");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.skill.response"), "Tea.");
	ck_assert(at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_uint_eq(at_count(task, "result.skill.validation.validator_results"), 0);
	end();
}
END_TEST

START_TEST(no_model_answers)
{
	json_object *task, *reply;

	begin(NULL);
	add_broken("broken");
	add_config("refused", sim_url(sim_start((const char *[]) { "--api_key=right", NULL })), ",'api_key':'wrong'");
	add_evaluator("E", "simulated");
	add_skill("'llm_config':{'name':'broken'},'fallback_llm_configs':[{'name':'refused'}],"
		  "'validators':[{'evaluator':{'name':'E'},'threshold':0.5},{'evaluator':{'name':'E'}}]");
	task = run("");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	ck_assert_uint_eq(at_count(task, "result.skill.failed_models"), 2);
	ck_assert_str_eq(at_text(task, "result.skill.failed_models.0.error.code"), "BackendUnavailable");
	ck_assert(!at_bool(task, "result.skill.validation.is_valid"));
	ck_assert(!at_has(task, "result.skill.response") && !at_has(task, "result.skill.model"));
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(at_text(validator(task, i), "status"), "skipped");
	reply = wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id"));
	ck_assert_str_eq(at_text(reply, "task.kind"), "skill");
	task_await_status(server, at_int(reply, "task.id"), "FAILURE");
	/* An answer is none without its validators, but what they could not say is said. */
	wire_call(wire, "UpdateEvaluator", "{'evaluator':{'name':'E'},'content':{'name':'E','prompt':'{{response}}',"
		  "'llm_config':{'name':'broken'}}}");
	task = task_of("ValidateSkill", ",'response':'Tea.'");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(validator(task, 0), "status"), "failed");
	ck_assert(!at_bool(task, "result.skill.validation.is_valid"));
	ck_assert(at_bool(validator(task, 1), "is_valid"));
	end();
}
END_TEST

START_TEST(until_valid)
{
	struct sim *answers, *judge;
	json_object *task, *asked;

	begin(NULL);
	answers = add_endpoint("answers", "Tea.");
	judge = add_endpoint("judge", SCORE("0", "It is curt."));
	add_evaluator("E", "judge");
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'E'},'threshold':0.001}]");
	task = run(",'until_valid':2");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.skill.answers"), 3);
	ck_assert(!at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_int_eq(sim_stat(judge, "calls"), 3);
	ck_assert_str_eq(at_text(task, "result.skill.cost"), at_text(task, "progress.cost"));

	/* The first score is bad; the second is the simulator's own. */
	sim_reset(judge);
	sim_control(judge, "{'fixed_until':1}");
	task = run(",'until_valid':5");
	ck_assert_int_eq(at_int(task, "result.skill.answers"), 2);
	ck_assert(at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_double_gt(at_number(validator(task, 0), "result"), 0);
	asked = sim_last_request(answers);
	ck_assert_uint_eq(at_count(asked, "messages"), 3);
	ck_assert_str_eq(at_text(asked, "messages.1.content"), "Tea.");
	ck_assert_ptr_nonnull(strstr(at_text(asked, "messages.2.content"), "E: 0.00"));
	ck_assert_ptr_nonnull(strstr(at_text(asked, "messages.2.content"), "It is curt."));

	/* What was answered before stands where nobody answers any more. */
	sim_control(judge, "{'fixed_until':0}");
	sim_reset(answers);
	sim_control(answers, "{'faults_after':1,'error_500_rate':1}");
	task = run(",'until_valid':5");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.skill.answers"), 1);
	ck_assert_str_eq(at_text(task, "result.skill.model"), "model of answers");
	ck_assert_uint_eq(at_count(task, "result.skill.failed_models"), 1);
	ck_assert_double_eq(at_number(validator(task, 0), "result"), 0);
	sim_control(answers, "{'faults_after':0,'error_500_rate':0}");

	/* Who cannot judge does not say what to mend. */
	sim_control(judge, "{'error_500_rate':1}");
	sim_reset(answers);
	task = run(",'until_valid':5");
	ck_assert_int_eq(at_int(task, "result.skill.answers"), 1);
	ck_assert_str_eq(at_text(validator(task, 0), "status"), "failed");
	ck_assert_int_eq(sim_stat(answers, "calls"), 1);
	end();
}
END_TEST

START_TEST(made_elsewhere)
{
	struct sim *answers, *judge;
	json_object *task;

	begin(NULL);
	answers = add_endpoint("answers", "Tea.");
	judge = add_endpoint("judge", SCORE("0.5", "so"));
	add_evaluator("E", "judge");
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'E'},'threshold':0.5}]");
	task = task_of("ValidateSkill", ",'response':'Made here.','request':'Asked there.'");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert(at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_str_eq(at_text(task, "result.skill.response"), "Made here.");
	ck_assert_int_eq(at_int(task, "result.skill.answers"), 0);
	ck_assert(!at_has(task, "result.skill.model") && !at_has(task, "result.skill.rendered_prompt"));
	ck_assert_ptr_nonnull(strstr(at_text(sim_last_request(judge), "messages.1.content"), "Asked there."));
	task = task_of("ValidateSkill", ",'response':'Made here.','variables':{'topic':'milk'}");
	ck_assert_str_eq(at_text(task, "result.skill.rendered_prompt"), "About milk.");
	ck_assert_ptr_nonnull(strstr(at_text(sim_last_request(judge), "messages.1.content"), "About milk."));
	wire_refused(wire, INVALID, "ValidateSkill", "{'skill':{'name':'S'},'response':'Made here.'}");
	ck_assert_int_eq(sim_stat(answers, "calls"), 0);
	end();
}
END_TEST

/* Where nobody names one it is the model that answers, and no simulated one. */
START_TEST(who_judges)
{
	static const char *const model = "result.skill.validation.validator_results.0.model";
	struct sim *answers, *judge;

	begin(NULL);
	answers = add_endpoint("answers", SCORE("0.5", "so"));
	judge = add_endpoint("judge", SCORE("0.9", "so"));
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'Politeness'}}]");
	ck_assert_str_eq(at_text(run(""), model), "model of answers");
	ck_assert_str_eq(at_text(task_of("ValidateSkill", ",'response':'Made here.'"), model), "model of answers");
	ck_assert_int_eq(sim_stat(answers, "calls"), 3);
	wire_call(wire, "UpdateProject", "{'project':{'name':'default'},'content':{'name':'default',"
		  "'rating_llm_config':{'name':'judge'}}}");
	ck_assert_str_eq(at_text(run(""), model), "model of judge");
	ck_assert_int_eq(sim_stat(judge, "calls"), 1);
	/* An answer that it is not asked for needs no model of its own. */
	wire_call(wire, "DeleteLLMConfig", "{'llm_config':{'name':'answers'}}");
	ck_assert_str_eq(at_text(task_of("ValidateSkill", ",'response':'Made here.'"), model), "model of judge");
	wire_refused(wire, "NotFound", "RunSkill", "{'skill':{'name':'S'},'variables':{'topic':'tea'}}");
	end();
}
END_TEST

/* It holds the task before its validators are asked; when it goes on, as a task of the moment does. */
START_TEST(cost_limit)
{
	struct sim *answers, *judge;
	json_object *task;
	int64_t id;

	begin(NULL);
	answers = add_endpoint("answers", "Tea.");
	judge = add_endpoint("judge", SCORE("0.5", "so"));
	add_evaluator("E", "judge");
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'E'},'threshold':0.5}]");
	id = at_int(run(",'detach':true,'cost_limit':'0.000000001'"), "id");
	await_state(watch(id), "PENDING budget");
	ck_assert_int_eq(sim_stat(answers, "calls"), 1);
	ck_assert_int_eq(sim_stat(judge, "calls"), 0);
	tune_task(id, "'cost_limit':'1'");
	task_await_status(server, id, "SUCCESS");
	task = task_get(wire, id);
	ck_assert(at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_int_eq(sim_stat(judge, "calls"), 1);
	ck_assert_int_gt(money_at(task, "progress.cost"), money_at(task, "result.skill.cost"));
	end();
}
END_TEST

/* What a task that is not over uses stays; what it was submitted with holds. */
START_TEST(in_use)
{
	struct sim *answers;
	long long id;

	begin(NULL);
	answers = add_endpoint("answers", "Tea.");
	sim_control(answers, "{'hang_rate':1}");
	add_evaluator("E", "simulated");
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'E'},'threshold':0.5}]");
	id = (long long)at_int(run(",'detach':true"), "id");
	sim_await(answers, "calls", 1);
	wire_refused(wire, "Conflict", "DeleteSkill", "{'skill':{'name':'S'}}");
	wire_refused(wire, "Conflict", "DeleteSkill", "{'skill':{'name':'S','version':1}}");
	wire_refused(wire, "Conflict", "DeleteEvaluator", "{'evaluator':{'name':'E'}}");
	wire_refused(wire, "Conflict", "DeleteLLMConfig", "{'llm_config':{'name':'answers'}}");
	wire_call(wire, "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'S','prompt':'Else.'}}");
	wire_call(wire, "CancelTask", "{'id':%lld}", id);
	wire_call(wire, "DeleteSkill", "{'skill':{'name':'S'}}");
	end();
}
END_TEST

START_TEST(on_the_command_line)
{
	struct command *command;

	begin(NULL);
	add_endpoint("answers", "Tea is nice.");
	add_endpoint("low", SCORE("0.25", "It is curt."));
	add_evaluator("Low", "low");
	add_skill("'llm_config':{'name':'answers'},'validators':[{'evaluator':{'name':'Low'},'threshold':0.5}]");
	command = COMMAND(server, 1, "skill", "run", "S", "--variables", "{\"topic\":\"tea\"}", "--until-valid", "1");
	ck_assert_int_eq(strncmp(command->out, "Tea is nice.\n", 13), 0);
	ck_assert_ptr_nonnull(strstr(command->out, "It is curt."));
	ck_assert_ptr_nonnull(strstr(command->err, "2 answers"));
	ck_assert_ptr_nonnull(strstr(command->err, "model of answers"));
	command_run_line(server, 1, "echo Mine. | $0 skill validate S --request Ask");
	COMMAND(server, 1, "skill", "validate", "S", "Mine.", "--request", "Ask");
	wire_call(wire, "UpdateSkill", "{'skill':{'name':'S'},'content':{'name':'S','prompt':'a','llm_config':"
		  "{'name':'answers'},'validators':[{'evaluator':{'name':'Low'},'threshold':0.25}]}}");
	command = COMMAND(server, 0, "skill", "run", "S", "--json");
	ck_assert_ptr_nonnull(strstr(command->out, "\"is_valid\":true"));
	COMMAND(server, 1, "skill", "run", "S", "--revision", "1", "--variables", "{\"topic\":\"tea\"}");
	end();
}
END_TEST

/* What validators are shown is held for as many of them at a time as a user may hold it for. */
START_TEST(large_answers)
{
	enum { VALIDATORS = 32, BYTES = 1900 * 1024 };
	const char *all = "{'evaluator':{'name':'E'}}";
	struct sim *sim;
	json_object *task;

	begin(NULL);
	sim = add_endpoint("judge", SCORE("1", "good"));
	sim_control(sim, "{'latency_seconds':0.05}");
	add_evaluator("E", "judge");
	for (int i = 1; i < VALIDATORS; i++)
		all = text("%s,{'evaluator':{'name':'E'}}", all);
	add_skill(text("'validators':[%s]", all));
	task = task_of("ValidateSkill", text(",'request':'tea?','response':'%0*d'", BYTES, 0));
	ck_assert(at_bool(task, "result.skill.validation.is_valid"));
	ck_assert_int_eq(sim_stat(sim, "calls"), VALIDATORS);
	ck_assert_int_lt(sim_stat(sim, "max_in_flight"), VALIDATORS / 2);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(versions, what_is_wrong, validators, no_validators, no_model_answers, until_valid,
			 made_elsewhere, who_judges, cost_limit, in_use, large_answers, on_the_command_line);
}
