/*
 * Experiments whose config falls back to others: who is asked, what is recorded of who answered, and when
 * nobody is asked any more.
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/database.h"
#include "tests/integration/rating.h"

#define ROWS 40

static struct sim *second;

static void begin_with(const char *setting, const char *setting_of_second)
{
	begin((const char *[]) { setting, NULL });
	second = sim_start((const char *[]) { setting_of_second, NULL });
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
	if (second != sim)
		sim_stop(second);
}

static const char *config(const char *name, const struct sim *of, const char *more)
{
	return text("{'content':{'name':'%s','provider':'openai','llm_model_name':'model of %s','llm_base_url':'%s',"
		    "'max_retries':0%s}}", name, name, sim_url(of), more);
}

/* An experiment whose config `first` falls back to `second`. */
static json_object *run(unsigned n_criteria, const char *more)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = n_criteria,
		.more = text("'llm_config':%s,'fallback_llm_configs':[%s]%s", config("first", sim, ""),
			     config("second", second, ",'price_input':'1','price_output':'1'"), more) });

	experiment_id = at_int(task, "experiment_id");
	return task;
}

static json_object *run_well(unsigned n_criteria, const char *more)
{
	json_object *task = run(n_criteria, more);

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	return task;
}

static json_object *responses(void)
{
	return list_all(wire, "ListResponses", "'experiment':{'id':%lld}", (long long)experiment_id);
}

static int64_t answered_by(json_object *list, const char *name)
{
	int64_t n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (at_has(list, text("%zu.llm_config", i)) && at_is(list, text("%zu.llm_config", i), name)) {
			ck_assert_str_eq(at_text(list, text("%zu.model", i)), text("model of %s", name));
			n++;
		}
	return n;
}

static bool logged(json_object *task, const char *words)
{
	char *logs = task_logs(wire, at_int(task, "id"));
	bool found = strstr(logs, words);

	free(logs);
	return found;
}

/* An item that one refuses is asked of the next; who answered is told of each, and of all. */
START_TEST(each_item_has_who_answers)
{
	json_object *list, *results, *reply;
	const char *shown;
	int64_t n;

	begin_with("--content_filter_rate=0.5", "--seed=7");
	run_well(1, ",'rating_llm_config':{'ref':{'name':'simulated'}}");
	list = responses();
	n = answered_by(list, "first");
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, ROWS);
	ck_assert_int_eq(answered_by(list, "second"), ROWS - n);
	ck_assert_int_eq(sim_stat(second, "calls"), ROWS - n);
	for (int i = 0; i < ROWS; i++)
		ck_assert_int_eq(at_int(list, text("%d.attempts", i)),
				 at_is(list, text("%d.llm_config", i), "first") ? 1 : 2);
	results = json_object_get(results_of());
	ck_assert_str_eq(at_text(results, "fallback_llm_configs.0.name"), "second");
	ck_assert_str_eq(at_text(results, "results.answered_by.0.llm_config"), "first");
	ck_assert_int_eq(at_int(results, "results.answered_by.0.responses"), n);
	ck_assert_int_eq(at_int(results, "results.answered_by.1.responses"), ROWS - n);
	ck_assert_int_eq(at_int(results, "results.answered_by.1.success_rate.n_scored"), ROWS - n);
	ck_assert_double_eq_tol(at_number(results, "results.success_rate.value") * ROWS,
				at_number(results, "results.answered_by.0.success_rate.value") * (double)n +
				at_number(results, "results.answered_by.1.success_rate.value") * (double)(ROWS - n), 1e-6);
	/* Only one of them has prices, and it alone has cost something. */
	ck_assert_str_eq(at_text(list_all(wire, "ListCosts", "'by':'model'"), "0.model"), "model of second");
	/* A person's verdict moves the share of who answered. */
	for (int i = 0; i < ROWS; i++)
		if (at_is(list, text("%d.llm_config", i), "second"))
			wire_call(wire, "EditRating", "{'rating_id':%lld,'rating':'YES'}",
				  (long long)at_int(list, text("%d.ratings.0.id", i)));
	ck_assert_double_eq(at_number(results_of(), "results.answered_by.1.success_rate.value"), 1);
	ck_assert_double_eq(at_number(results_of(), "results.answered_by.0.success_rate.value"),
			    at_number(results, "results.answered_by.0.success_rate.value"));
	/* As people see it. */
	ck_assert_ptr_nonnull(strstr(COMMAND(server, 0, "experiment", "show", text("%lld", (long long)experiment_id))->out,
				     "or else by     second"));
	ck_assert_ptr_nonnull(strstr(COMMAND(server, 0, "experiment", "case", text("%lld", (long long)experiment_id),
					 text("%lld", (long long)at_int(list, "0.template_variables.id")))->out, ", by "));
	shown = command_run_line(server, 0, text("for format in md html csv; do $0 experiment report %lld --format $format;"
						 " done", (long long)experiment_id))->out;
	ck_assert_msg(strstr(shown, text("\nAnswers: first %d (", (int)n)) &&
		      strstr(shown, text("<dt>Answers</dt><dd>first %d (", (int)n)) && strstr(shown, ",second,\n"), "%s",
		      shown);
	/* Again, what was recorded stays; another one takes it over, with who answered. */
	sim_reset(sim);
	sim_reset(second);
	reply = wire_call(wire, "CloneExperiment", "{'experiment':{'id':%lld},'name':'Again'}", (long long)experiment_id);
	ck_assert_str_eq(at_text(reply, "experiment.fallback_llm_configs.0.name"), "second");
	run_well(2, ",'rating_llm_config':{'ref':{'name':'simulated'}},'update_existing':true");
	ck_assert_int_eq(at_int(results_of(), "taken_over_responses"), ROWS);
	ck_assert_int_eq(answered_by(responses(), "second"), ROWS - n);
	ck_assert_int_eq(sim_stat(sim, "calls") + sim_stat(second, "calls"), 0);
	json_object_put(results);
	end();
}
END_TEST

/* A config that no retry can mend is left at once, and after ten calls one that is not there. */
START_TEST(what_is_broken_is_left)
{
	json_object *task;

	begin_with("--api_key=right", "--seed=7");
	task = run_well(0, ",'priority':'batch'");
	ck_assert_int_eq(answered_by(responses(), "second"), ROWS);
	ck_assert_int_lt(sim_stat(sim, "calls"), ROWS); // those that were under way
	ck_assert(logged(task, "first cannot answer, second is asked: 401"));
	sim_stop(sim);
	sim = second;
	task = experiment_run(wire, &(struct experiment) {
		.name = "Unreached", .rows = ROWS,
		.more = text("'llm_config':{'content':{'name':'nowhere','provider':'openai','llm_model_name':'m',"
			     "'llm_base_url':'http://127.0.0.1:1/v1','max_retries':0,'max_connections':2}},"
			     "'fallback_llm_configs':[%s]", config("second", second, ",'price_input':'1','price_output':'1'")) });
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	experiment_id = at_int(task, "experiment_id");
	ck_assert_int_eq(answered_by(responses(), "second"), ROWS);
	ck_assert(logged(task, "nowhere cannot answer, second is asked"));
	end();
}
END_TEST

/* What nobody can answer fails by the last one's error, beside the first one's. */
START_TEST(nobody_answers)
{
	json_object *task, *list;

	begin_with("--api_key=right", "--error_500_rate=1");
	task = run(0, "");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	list = responses();
	for (int i = 0; i < ROWS; i++) {
		ck_assert_int_eq(at_int(list, text("%d.error.status", i)), 500);
		ck_assert(!at_has(list, text("%d.llm_config", i)));
	}
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(list), "\"first_message\": \"401"));
	/* Where no item can be answered by any, that is said at once. */
	sim_control(second, "{'error_500_rate':0,'api_key':'right'}");
	task = experiment_run(wire, &(struct experiment) {
		.name = "At once", .rows = ROWS,
		.more = text("'llm_config':{'ref':{'name':'first'}},'fallback_llm_configs':[{'ref':{'name':'second'}}]") });
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 0);
	end();
}
END_TEST

static struct {
	const char *more, *parameter;
} wrong[] = {
	{ "'fallback_llm_configs':[{'ref':{'name':'nobody'}}]", NULL },
	{ "'fallback_llm_configs':[{'ref':{'name':'simulated'}}],'response_column':'topic'", "fallback_llm_configs" },
	{ "'fallback_llm_configs':[{}]", "fallback_llm_configs[0]" },
	{ "'tool_rounds':2", "tool_rounds" },
	{ "'tool_results':'topic','response_column':'topic'", "tool_results" },
};

START_TEST(what_is_wrong)
{
	json_object *reply;

	begin_with("--seed=1", "--seed=7");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char *request = experiment_request(&(struct experiment) { .rows = 1, .more = wrong[i].more });

		reply = wire_refused(wire, wrong[i].parameter ? "org.varlink.service.InvalidParameter" : "NotFound",
				     "RunExperiment", "%s", request);
		if (wrong[i].parameter)
			ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].parameter);
		free(request);
	}
	/* Made elsewhere: it says who answered, and that is one of the experiment's. */
	reply = wire_call(wire, "CreateExperiment", "%s", requoted(text(
		"{'name':'Made','collection':{'content':{'name':'C','variables':[{'topic':'a'}]}},"
		"'prompt_template':{'content':{'name':'P','messages':[{'role':'user','content':'{{topic}}'}]}},"
		"'llm_config':%s,'fallback_llm_configs':[%s]}", config("first", sim, ""), config("second", second, ""))));
	experiment_id = at_int(reply, "experiment.id");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "AddResponses",
			     "{'experiment':{'id':%lld},'responses':[{'row':1,'response_text':'a','llm_config':'third'}]}",
			     (long long)experiment_id);
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "responses[0].llm_config");
	wire_call(wire, "AddResponses", "{'experiment':{'id':%lld},'responses':[{'row':1,'response_text':'a',"
		  "'llm_config':'second','transcript':[{'role':'assistant','content':'b'}]}]}", (long long)experiment_id);
	ck_assert_int_eq(answered_by(responses(), "second"), 1);
	ck_assert_str_eq(at_text(responses(), "0.transcript.0.content"), "b");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(each_item_has_who_answers, what_is_broken_is_left, nobody_answers, what_is_wrong);
}
