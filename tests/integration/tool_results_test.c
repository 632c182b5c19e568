/*
 * Experiments whose models call tools: what those bring is recorded in a column of the rows, and nothing is
 * run. What was said meanwhile is kept, shown, judged, and what it took is counted.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/integration/rating.h"

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

#define TEMPLATE                                                                                     \
	"'prompt_template':{'content':{'name':'Agent','messages':[{'role':'user','content':'Of {{topic}}?'}]," \
	"'tools':[{'name':'look','parameters':{'type':'object','properties':{'at':{'type':'string'}}}}," \
	"{'name':'weigh'}]}}"

/* Rows {"topic", "results"}, of which these are the JSON texts of the results. */
static json_object *run(const char *rows, const char *more)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.more = text("'collection':{'content':{'name':'Rows','columns':[{'name':'topic','type':'text'},"
			     "{'name':'results','type':'json'}],'variables':[%s]}}," TEMPLATE ",'llm_config':{'content':"
			     "{'name':'agent','provider':'openai','llm_model_name':'m','llm_base_url':'%s','max_retries':0,"
			     "'price_input':'1','price_output':'2'}},'tool_results':'results'%s", rows, sim_url(sim), more) });

	experiment_id = at_int(task, "experiment_id");
	return task;
}

static json_object *responses(void)
{
	return list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
}

#define ROW(topic, results) "{'topic':'" topic "','results':" results "}"

START_TEST(from_a_column)
{
	json_object *task, *list, *request;
	const char *shown;

	begin((const char *[]) { "--call_tools=true", "--tool_rounds=2", NULL });
	task = run(ROW("tea", "{'look':'It is green.','weigh':{'grams':7}}") ","
		   ROW("tin", "[{'name':'weigh','result':9},{'name':'look','arguments':{'nothing':1},'result':'not this'},"
		       "{'name':'look','result':'It is grey.'}]"),
		   ",'criteria':['Is it good?'],'rating_llm_config':{'ref':{'name':'simulated'}}");
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(sim_stat(sim, "calls"), 6);
	list = responses();
	ck_assert_uint_eq(at_count(list, "0.messages"), 1);
	ck_assert_uint_eq(at_count(list, "0.transcript"), 4);
	ck_assert_str_eq(at_text(list, "0.transcript.0.tool_calls.0.name"), "look");
	ck_assert_str_eq(at_text(list, "0.transcript.1.role"), "tool");
	ck_assert_str_eq(at_text(list, "0.transcript.1.content"), "It is green.");
	ck_assert_str_eq(at_text(list, "0.transcript.2.tool_calls.0.name"), "weigh");
	ck_assert_str_eq(at_text(list, "0.transcript.3.content"), "{\"grams\":7}");
	ck_assert_str_eq(at_text(list, "0.transcript.3.tool_call_id"), at_text(list, "0.transcript.2.tool_calls.0.id"));
	ck_assert_str_eq(at_text(list, "1.transcript.1.content"), "It is grey.");
	ck_assert_str_eq(at_text(list, "1.transcript.3.content"), "9");
	ck_assert(at_has(list, "0.response_text") && !at_has(list, "0.tool_calls"));
	/* All three answers count. */
	ck_assert_int_eq(at_int(list, "0.attempts"), 3);
	ck_assert_int_eq(at_int(list, "0.input_tokens") + at_int(list, "1.input_tokens"),
			 at_int(list_all(wire, "ListCosts", "'by':'model'"), "0.input_tokens"));
	ck_assert_int_eq(database_int(server, "SELECT sum(calls) FROM spending WHERE model = 'm'"), 2);
	request = json_must_parse(at_text(sim_requests(sim, 6), "requests.5.body"));
	ck_assert_uint_eq(at_count(request, "messages"), 5);
	/* Who judges it, now or later, is shown what was said. */
	rate_well("RateExperiment", text("{'experiment':{'id':%lld},'rating_llm_config':{'ref':{'name':'agent'}}}",
					 (long long)experiment_id));
	ck_assert_ptr_nonnull(strstr(at_text(sim_requests(sim, 1), "requests.0.body"), "tool"));
	shown = COMMAND(server, 0, "experiment", "case", text("%lld", (long long)experiment_id),
			text("%lld", (long long)at_int(list, "0.template_variables.id")))->out;
	ck_assert_ptr_nonnull(strstr(shown, "calls look"));
	ck_assert_ptr_nonnull(strstr(shown, "It is green."));
	shown = COMMAND(server, 0, "experiment", "report", text("%lld", (long long)experiment_id), "--format", "html")->out;
	ck_assert_ptr_nonnull(strstr(shown, "It is green."));
	end();
}
END_TEST

/* A call without a recorded result is the item's error; the model's calls are there to be seen. */
START_TEST(what_is_missing)
{
	json_object *task, *list;

	begin((const char *[]) { "--call_tools=true", "--tool_rounds=2", NULL });
	task = run(ROW("tea", "{'look':'It is green.'}") "," ROW("tin", "{'look':'a','weigh':'b'}") ","
		   "{'topic':'ten'}," ROW("toe", "[1]"), "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	list = responses();
	ck_assert_str_eq(at_text(list, "0.error.code"), "NotFound");
	ck_assert_ptr_nonnull(strstr(at_text(list, "0.error.message"), "row 1: its column 'results' has no result of "
				     "the tool 'weigh'"));
	ck_assert_uint_eq(at_count(list, "0.transcript"), 3);
	ck_assert(at_has(list, "1.response_text"));
	ck_assert_ptr_nonnull(strstr(at_text(list, "2.error.message"), "row 3: its column 'results' has no result of "
				     "the tool 'look'"));
	ck_assert_ptr_nonnull(strstr(at_text(list, "3.error.message"), "row 4: its column 'results' holds no"));
	/* What the calls took counts all the same. */
	ck_assert_int_eq(at_int(list, "0.attempts"), 2);
	ck_assert_int_gt(at_int(list, "0.input_tokens"), 0);
	end();
}
END_TEST

/* No more rounds than that: what it calls then is its answer. */
START_TEST(no_more_rounds)
{
	json_object *task, *list;

	begin((const char *[]) { "--call_tools=true", "--tool_rounds=100", "--tool_times=2", NULL });
	task = run(ROW("tea", "[{'name':'look','result':'one'},{'name':'look','result':'two'},{'name':'weigh','result':3}]"),
		   ",'tool_rounds':3");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	list = responses();
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	ck_assert_uint_eq(at_count(list, "0.tool_calls"), 2);
	/* Each is given once, in the order of the calls, and the last of them again. */
	ck_assert_str_eq(at_text(list, "0.transcript.1.content"), "one");
	ck_assert_str_eq(at_text(list, "0.transcript.2.content"), "two");
	ck_assert_str_eq(at_text(list, "0.transcript.5.content"), "3");
	ck_assert_str_eq(at_text(list, "0.transcript.7.content"), "two");
	end();
}
END_TEST

START_TEST(what_is_wrong)
{
	json_object *task;

	begin(NULL);
	task = experiment_run(wire, &(struct experiment) { .rows = 1, .url = sim_url(sim), .more = "'tool_results':'topic'" });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "prompt_template");
	task = experiment_run(wire, &(struct experiment) {
		.name = "No column", .rows = 1, .url = sim_url(sim),
		.more = TEMPLATE ",'tool_results':'results'" });
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "tool_results");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(from_a_column, what_is_missing, no_more_rounds, what_is_wrong);
}
