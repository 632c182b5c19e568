/*
 * Answers that are given again: to who asks the same of the same config, and to nobody else; at most so much
 * of them, and none that failed.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/integration/control.h"

static struct sim *sim;

static void start(const char *config, const char *const *settings)
{
	begin(config);
	sim = sim_start(settings);
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'L','provider':'openai','llm_model_name':'m','llm_base_url':'%s','max_retries':0,"
		  "'api_key':'one','price_input':'1','price_output':'1'}}", sim_url(sim));
}

static void finish(void)
{
	end();
	sim_stop(sim);
}

#define CACHED ",'response_cache':true"

/* The task's result. */
static json_object *ask_of(const char *config, const char *words, const char *more)
{
	json_object *task = at_json(wire_call(wire, "Call", "%s", requoted(text(
		"{'messages':[{'role':'user','content':'%s'}],'llm_config':{'ref':{'name':'%s'}}%s}", words, config, more))),
		"task");

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	return at_json(task, "result.call");
}

static bool is_kept(const char *words, const char *more)
{
	int64_t calls = sim_stat(sim, "calls");
	json_object *result = ask_of("L", words, more);
	bool cached = at_has(result, "cached");

	ck_assert_int_eq(sim_stat(sim, "calls"), calls + !cached);
	return cached;
}

static int64_t status_of(const char *member)
{
	return at_int(wire_call(wire, "GetStatus", "{}"), text("response_cache.%s", member));
}

START_TEST(calls)
{
	json_object *first, *again, *reply;
	const char *said;
	bool told = false;

	start(NULL, NULL);
	ck_assert(!is_kept("Hello", "") && !is_kept("Hello", "")); // it is off
	first = json_object_get(ask_of("L", "Hello", CACHED));
	ck_assert(!at_has(first, "cached"));
	sim_stop(sim); // nobody is asked
	again = json_object_get(ask_of("L", "Hello", CACHED));
	said = at_text(again, "text");
	ck_assert(at_bool(again, "cached"));
	ck_assert_str_eq(said, at_text(first, "text"));
	ck_assert_str_eq(at_text(again, "finish_reason"), at_text(first, "finish_reason"));
	ck_assert_int_eq(at_int(again, "attempts"), 0);
	ck_assert_str_eq(at_text(again, "cost"), "0");
	ck_assert_int_eq(at_int(again, "usage.output_tokens"), at_int(first, "usage.output_tokens"));
	/* As a stream, too. */
	wire_start(wire, "'more':true", "Call", "{'messages':[{'role':'user','content':'Hello'}],"
		   "'llm_config':{'ref':{'name':'L'}},'response_cache':true}");
	do {
		reply = wire_next(wire);
		if (at_has(reply, "parameters.delta")) {
			ck_assert(!told);
			ck_assert_str_eq(at_text(reply, "parameters.delta.text"), said);
			told = true;
		}
	} while (at_has(reply, "continues"));
	ck_assert(told);
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	ck_assert_int_eq(status_of("hits"), 2);
	ck_assert_int_eq(status_of("answers"), 1);
	/* It is counted as no call, and kept over a restart. */
	ck_assert_int_eq(at_int(list_all(wire, "ListCosts", "'by':'model'"), "0.calls"), 3);
	ck_assert_int_eq(daemon_stop(server), 0);
	restart();
	ck_assert(at_bool(ask_of("L", "Hello", CACHED), "cached"));
	ck_assert_ptr_nonnull(strstr(COMMAND(server, 0, "status")->out, "1 answer of yours"));
	json_object_put(first);
	json_object_put(again);
	end();
}
END_TEST

static void update(const char *model, const char *key, const char *more)
{
	wire_call(wire, "UpdateLLMConfig", "%s", requoted(text(
		"{'llm_config':{'name':'L'},'content':{'name':'L','provider':'openai','llm_model_name':'%s',"
		"'llm_base_url':'%s','max_retries':0,'api_key':'%s'%s}}", model, sim_url(sim), key, more)));
}

/* What decides an answer: whatever of it is another is asked. */
START_TEST(what_is_the_same)
{
	static const char *const others[] = {
		",'generation_params':{'temperature':0.5}",
		",'generation_params':{'max_tokens':99}",
		",'tools':[{'name':'look'}]",
		",'response_format':{'type':'object'}",
	};
	static const struct {
		const char *model, *key, *more;
	} changes[] = {
		{ "m", "one", ",'temperature':0.25" },
		{ "m", "two", "" },
		{ "m2", "two", "" },
		{ "m2", "two", ",'extra_headers':{'X-Team':'b'}" },
		{ "m2", "two", ",'system_message':'Be brief.'" },
	};

	start(NULL, NULL);
	ck_assert(!is_kept("Hello", CACHED) && is_kept("Hello", CACHED));
	ck_assert(!is_kept("Hello!", CACHED) && is_kept("Hello!", CACHED));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		const char *more = text("%s" CACHED, others[i]);

		ck_assert(!is_kept("Hello", more) && is_kept("Hello", more));
	}
	/* How it is fetched is not what it says. */
	update("m", "one", ",'max_connections':3,'price_input':'9'");
	ck_assert(is_kept("Hello", CACHED));
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		update(changes[i].model, changes[i].key, changes[i].more);
		ck_assert_msg(!is_kept("Hello", CACHED) && is_kept("Hello", CACHED), "change %zu", i);
	}
	/* Another project, or another config, has its own. */
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'M','provider':'openai','llm_model_name':'m2',"
		  "'llm_base_url':'%s','api_key':'two'}}", sim_url(sim));
	ck_assert(!at_has(ask_of("M", "Hello", CACHED), "cached"));
	finish();
}
END_TEST

START_TEST(what_failed)
{
	json_object *task;

	start(NULL, (const char *[]) { "--fixed_answer={\"n\": true}", NULL });
	for (int i = 0; i < 2; i++) {
		task = at_json(wire_call(wire, "Call", "%s", requoted(
			"{'messages':[{'role':'user','content':'n?'}],'llm_config':{'ref':{'name':'L'}},'response_cache':true,"
			"'response_format':{'type':'object','properties':{'n':{'type':'integer'}},'required':['n']}}")), "task");
		ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	}
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	sim_control(sim, "{'error_500_rate':1}");
	for (int i = 0; i < 2; i++) {
		task = at_json(wire_call(wire, "Call", "{'messages':[{'role':'user','content':'n?'}],"
					 "'llm_config':{'ref':{'name':'L'}},'response_cache':true}"), "task");
		ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	}
	ck_assert_int_eq(sim_stat(sim, "calls"), 6);
	ck_assert_int_eq(status_of("answers"), 0);
	finish();
}
END_TEST

static json_object *run(const char *name, const char *more)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.name = name, .more = text("'collection':{'content':{'name':'Rows of %s','variables':[{'topic':'a'},{'topic':'b'}]}},"
					   "'n_epochs':2,'llm_config':{'ref':{'name':'L'}}%s", name, more) });

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	return task;
}

/* Each epoch has its own; another experiment is given them, and a call that asks the same as the first. */
START_TEST(experiments)
{
	json_object *list, *task;
	const char *shown;

	start(NULL, NULL);
	run("First", CACHED);
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	task = run("Second", CACHED ",'criteria':['Is it good?'],'rating_llm_config':{'ref':{'name':'simulated'}}");
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	ck_assert_int_eq(at_int(task, "result.results.cached_responses"), 4);
	ck_assert_str_eq(at_text(task, "result.results.cost"), "0");
	list = list_all(wire, "ListResponses", "'experiment':{'name':'Second'}");
	for (int i = 0; i < 4; i++)
		ck_assert(at_bool(list, text("%d.cached", i)) && at_int(list, text("%d.attempts", i)) == 0 &&
			  !at_has(list, text("%d.duration_seconds", i)));
	ck_assert(is_kept("Tell of a.", CACHED));
	run("Third", "");
	ck_assert_int_eq(sim_stat(sim, "calls"), 8);
	ck_assert_ptr_nonnull(strstr(COMMAND(server, 0, "experiment", "show", "Second")->out, "From the cache 4 answers"));
	shown = command_run_line(server, 0, "for format in md html csv; do $0 experiment report Second --format $format;"
				 " done")->out;
	ck_assert_msg(strstr(shown, "\nAnswers: 4 from the cache.") && strstr(shown, "<h4>Given before</h4>") &&
		      strstr(shown, ",yes\n"), "%s", shown);
	/* What a project has goes with it. */
	wire_call(wire, "CreateProject", "{'project':{'name':'P'}}");
	wire_call(wire, "Call", "{'project':'P','messages':[{'role':'user','content':'Tell of a.'}],'response_cache':true}");
	ck_assert_int_eq(status_of("answers"), 5);
	wire_call(wire, "DeleteProject", "{'project':{'name':'P'}}");
	for (double deadline = now_seconds() + WAIT_SECONDS; status_of("answers") > 4;)
		ck_assert(now_seconds() < deadline);
	finish();
}
END_TEST

/* At most as much as the configuration says; the oldest go first. */
START_TEST(bounded)
{
	static char long_answer[300001];

	memset(long_answer, 'x', sizeof(long_answer) - 1);
	start("[daemon]\nresponse_cache_mib_per_user = 1\n", NULL);
	sim_control(sim, "{'fixed_answer':'%s'}", long_answer);
	for (int i = 0; i < 5; i++)
		ck_assert(!is_kept(text("%d", i), CACHED));
	ck_assert_int_eq(status_of("answers"), 3);
	ck_assert_int_le(status_of("size_bytes"), status_of("limit_bytes"));
	ck_assert(is_kept("4", CACHED) && is_kept("2", CACHED));
	ck_assert(!is_kept("0", CACHED));
	finish();
}
END_TEST

/* What is looked for first counts against a limit of cost as what is asked at once. */
START_TEST(cost_limit)
{
	int64_t id;

	start(NULL, NULL);
	id = experiment_submit(wire, &(struct experiment) {
		.name = "Limited", .rows = 40, .more = "'llm_config':{'ref':{'name':'L'}},'cost_limit':'0.000000001'" CACHED });
	await_state(watch(id), "PENDING budget");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	finish();
}
END_TEST

/* A kept answer that calls a tool: what follows it is a call, and it is none. */
START_TEST(tools)
{
	start(NULL, NULL);
	sim_control(sim, "{'call_tools':true,'tool_rounds':1}");
	for (int i = 0; i < 2; i++) {
		json_object *said;

		wire_start(wire, "'more':true", "Call", "%s", requoted(
			"{'messages':[{'role':'user','content':'Hello'}],'llm_config':{'ref':{'name':'L'}},"
			"'tools':[{'name':'look'}],'tool_rounds':1" CACHED "}"));
		do
			said = at_json(wire_next(wire), "parameters");
		while (!at_has(said, "event.tool_calls"));
		wire_call(daemon_connect(server), "SendToolResult", "{'task_id':%lld,'tool_call_id':'%s','content':'%s'}",
			  (long long)at_int(said, "event.task_id"), at_text(said, "event.tool_calls.0.id"),
			  i == 0 ? "A house." : "");
		do
			said = wire_next(wire);
		while (at_has(said, "continues"));
		ck_assert_str_eq(at_text(said, "parameters.event.status"), "SUCCESS");
		ck_assert_int_eq(sim_stat(sim, "calls"), 2 + i);
		ck_assert_int_eq(at_int(list_all(wire, "ListCosts", "'by':'model'"), "0.calls"), 2 + i);
	}
	ck_assert_int_eq(sim_stat(sim, "keys_repeated"), 0);
	finish();
}
END_TEST

/* Of a case that asks in rounds, an answer is a kept one if all of them were. */
START_TEST(rounds)
{
	static const int64_t asked[] = { 2, 1, 0 };

	start(NULL, NULL);
	sim_control(sim, "{'call_tools':true,'tool_rounds':1}");
	for (int i = 0; i < 3; i++) {
		json_object *task;

		sim_reset(sim); // whose calls of tools are numbered
		task = experiment_run(wire, &(struct experiment) {
			.more = text("'run_afresh':true,'collection':{'content':{'name':'C','columns':[{'name':'r','type':'json'}],"
				     "'variables':[{'r':{'look':'It is green.'}}]}},'update_existing':true,'prompt_template':"
				     "{'content':{'name':'P','messages':[{'role':'user','content':'Hi'}],'tools':[{'name':"
				     "'look'}]}},'llm_config':{'ref':{'name':'L'}},'tool_results':'r'" CACHED) });

		ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
		ck_assert_int_eq(sim_stat(sim, "calls"), asked[i]);
		ck_assert_int_eq(database_int(server, "SELECT count(*) FROM responses WHERE cached = 1"), i == 2);
		ck_assert_int_eq(at_int(list_all(wire, "ListCosts", "'by':'model'"), "0.calls"), i == 0 ? 1 : 2);
		/* That of the first round is forgotten. */
		if (i == 0)
			database_run(server, "DELETE FROM cached_answers WHERE id = (SELECT min(id) FROM cached_answers)");
	}
	finish();
}
END_TEST

/* What the cache cannot do is said, and asked for. */
START_TEST(no_cache)
{
	json_object *task;

	start(NULL, NULL);
	database_run(server, "DROP TABLE cached_answers");
	task = experiment_run(wire, &(struct experiment) {
		.rows = 2, .more = "'llm_config':{'ref':{'name':'L'}}" CACHED });
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_int_gt(database_int(server, "SELECT count(*) FROM task_events WHERE line LIKE '%%kept answers cannot be read%%'"), 0);
	finish();
}
END_TEST

int main(void)
{
	return RUN_SUITE(calls, what_is_the_same, what_failed, experiments, bounded, cost_limit, tools, rounds, no_cache);
}
