/* An experiment with its judgements, in the dialect of each provider there is. */
#include <stdio.h>
#include <string.h>

#include "tests/harness/suite.h"

#define KEY "sk-ant-0123456789abcdef"

/* Whose way to speak it is, and what its base has behind the endpoint's. */
static const struct {
	const char *provider, *base, *more;
} spoken[] = {
	{ "anthropic", "", "" },
	{ "bedrock", "", "" },
	{ "cohere", "", "" },
	{ "custom", "/custom/answer", ",'custom':{'body':{'turns':'{{messages}}','model':'{{model}}',"
				      "'settings':{'p':'{{top_p}}'}},'text':'/result/words',"
				      "'finish_reason':'/result/end','input_tokens':'/spent/in',"
				      "'error':'/fault/reason'}" },
	{ "gemini", "", "" },
	{ "vertex", "/v1/projects/p/locations/l", "" },
};

static void run_with(struct wire *wire, const char *provider, const char *url, const char *config)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.name = provider, .rows = 10, .n_criteria = 2,
		.more = text("'llm_config':{'content':{'name':'%s','provider':'%s',"
			     "'llm_model_name':'m','llm_base_url':'%s','api_key':'" KEY "',"
			     "'max_connections':4,'max_retries':20,'system_message':'Be brief.',"
			     "'price_input':'1','price_output':'2'%s}},"
			     "'generation_params':{'verbosity':'low','top_p':0.5}", provider, provider,
			     url, config) });
	json_object *items;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	/* What none of them has is not sent, and that is said. */
	ck_assert_uint_eq(at_count(task, "result.ignored_params"), 1);
	ck_assert_str_eq(at_text(task, "result.ignored_params.0"), "verbosity");
	items = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)at_int(task, "id"));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(items),
				     text("verbosity is not sent: the provider %s has none", provider)));
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), 10);
	for (size_t i = 0; i < 10; i++) {
		json_object *item = json_object_array_get_idx(items, i);

		ck_assert_str_eq(at_text(item, "response_text"),
				 "The key was ***********************.");
		ck_assert_str_eq(at_text(item, "finish_reason"), "stop");
		ck_assert_int_gt(at_int(item, "input_tokens"), 0);
		ck_assert_uint_eq(at_count(item, "ratings"), 2);
	}
}

/* Answers and verdicts come, under the key that the provider wants, and no call is lost. */
START_TEST(experiments)
{
	struct sim *sim = sim_start((const char *[]) {
		"--api_key=" KEY, "--refuse_schema=true", "--error_503_rate=0.1",
		"--retry_after_seconds=0.01", "--truncated_json_rate=0.1",
		"--fixed_answer=The key was " KEY ".", NULL });
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *url = strdup(sim_url(sim));

	*strstr(url, "/v1") = '\0';
	for (size_t i = 0; i < sizeof(spoken) / sizeof(*spoken); i++) {
		run_with(wire, spoken[i].provider, text("%s%s", url, spoken[i].base),
			 spoken[i].more);
		ck_assert_int_eq(sim_stat(sim, "distinct_keys"), 30 * ((int)i + 1));
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

#define ACCESS "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SESSION "FwoGZXIvYXdzEBYaDKlongsessiontoken//token=="
#define ARN "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0"

/* Requests are signed, whatever the model is called; no part of the key comes back. */
START_TEST(signed_requests)
{
	static const char *const keys[] = { ACCESS ":" SECRET, ACCESS ":" SECRET ":" SESSION };
	static const char said[] = "By " ACCESS " with " SECRET " and " SESSION ".";
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct sim *sim = sim_start((const char *[]) {
			text("--api_key=%s", keys[i]), text("--fixed_answer=%s", said),
			"--model=" ARN, NULL });
		char *url = strdup(sim_url(sim));
		json_object *task, *items;

		*strstr(url, "/v1") = '\0';
		task = experiment_run(wire, &(struct experiment) {
			.name = text("signed %zu", i), .rows = 3, .n_criteria = 2,
			.more = text("'llm_config':{'content':{'name':'signed %zu','provider':'bedrock',"
				     "'llm_model_name':'" ARN "','llm_base_url':'%s','api_key':'%s',"
				     "'custom':{'region':'eu-west-1'},'max_tokens':100,"
				     "'temperature':0.5}}", i, url, keys[i]) });
		ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
		items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
				 (long long)at_int(task, "experiment_id"));
		for (size_t k = 0; k < 3; k++) {
			json_object *item = json_object_array_get_idx(items, k);
			const char *answer = at_text(item, "response_text");

			ck_assert_ptr_null(strstr(answer, ACCESS));
			ck_assert_ptr_null(strstr(answer, SECRET));
			ck_assert_msg(i == 0 || !strstr(answer, SESSION), "%s", answer);
			ck_assert_uint_eq(at_count(item, "ratings"), 2);
		}
		ck_assert_int_eq(sim_stat(sim, "calls"), 9);
		/* Another secret signs otherwise. */
		sim_control(sim, "{'api_key':'" ACCESS ":x" SECRET "'}");
		task = wire_call(wire, "TestLLMConfig", "{'llm_config':{'ref':{'name':'signed %zu'}},"
							"'detach':true}", i);
		task = task_await_status(daemon, at_int(task, "task.id"), "FAILURE");
		ck_assert_str_eq(at_text(task, "error.code"), "BackendAuthentication");
		ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "/model/arn%3Aaws%3A"));
		ck_assert_ptr_null(strstr(at_text(task, "error.message"), SESSION));
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* An item has what it failed by at first, and in the end. */
START_TEST(first_error)
{
	struct sim *sim = sim_start((const char *[]) { "--fail_first_n=1", "--content_filter_rate=1", NULL });
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task = experiment_run(wire, &(struct experiment) { .rows = 1, .url = sim_url(sim) });
	json_object *items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
				      (long long)at_int(task, "experiment_id"));

	ck_assert_uint_eq(json_object_array_length(items), 1);
	ck_assert_ptr_nonnull(strstr(at_text(items, "0.error.message"), "filtered"));
	ck_assert_ptr_nonnull(strstr(at_text(items, "0.error.first_message"), "had an error"));
	ck_assert_int_eq(at_int(items, "0.attempts"), 2);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static const struct {
	const char *members, *field;
} bad_customs[] = {
	{ "", "custom" },
	{ ",'custom':{'text':''}", "custom.body" },
	{ ",'custom':{'body':{'x':'{{prompt}}'}}", "custom.text" },
	{ ",'custom':{'body':{'x':'prompt'},'text':''}", "custom.body" },
	{ ",'custom':{'body':{'x':'{{prompt}}','y':['{{prompts}}']},'text':''}", "custom.body" },
	{ ",'custom':{'body':{'x':'{{prompt}}','auth':[{'API_Key':'sk-1'}]},'text':''}", "custom.body" },
	{ ",'custom':{'body':{'x':'{{prompt}}','password':['sk-1']},'text':''}", "custom.body" },
	{ ",'custom':{'body':{'x':'{{prompt}}'},'text':'a'}", "custom.text" },
	{ ",'custom':{'body':{'x':'{{prompt}}'},'text':'','error':'/~2'}", "custom.error" },
	{ ",'custom':{'body':{'x':'{{prompt}}'},'text':'','latency_seconds':1}", "custom.latency_seconds" },
	{ ",'custom':{'body':{'x':'{{prompt}}'},'text':''},'top_p':0.5", "top_p" },
};

/* Who signs says where for: the URL does, or the config. */
START_TEST(regions)
{
	static const struct {
		const char *url, *more;
		bool ok;
	} cases[] = {
		{ "https://bedrock-runtime.us-east-1.amazonaws.com", "", true },
		{ "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", "", true },
		{ "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com:443", "", true },
		{ "https://my-bedrock-runtime.corp.example", "", false },
		{ "https://gateway.example/bedrock-runtime.x", "", false },
		{ "https://gateway.example", ",'custom':{'region':'eu-west-1'}", true },
		{ "https://gateway.example", ",'custom':{'region':'EU West'}", false },
		{ "https://gateway.example", ",'api_key':'bearer'", true },
	};
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *key = strstr(cases[i].more, "api_key") ? "" : ",'api_key':'" ACCESS ":" SECRET "'";
		json_object *reply;

		wire_start(wire, "", "CreateLLMConfig", "%s", requoted(text(
			"{'llm_config':{'name':'c %zu','provider':'bedrock','llm_model_name':'m',"
			"'llm_base_url':'%s'%s%s}}", i, cases[i].url, key, cases[i].more)));
		reply = wire_next(wire);
		ck_assert_msg(at_has(reply, "error") != cases[i].ok, "%s: %s", cases[i].url,
			      json_object_to_json_string(reply));
		json_object_put(reply);
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* What a provider does not have, or must have, is told where a config is made. */
START_TEST(configs)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *reply;

	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'d','provider':'anthropic','llm_model_name':'m',"
			     "'llm_base_url':'http://127.0.0.1:1','seed':1}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.seed");
	/* Without a URL it is the provider's own, with a key; some have none. */
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'d','provider':'azure','llm_model_name':'m',"
			     "'api_key':'k'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.llm_base_url");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'d','provider':'groq','llm_model_name':'m'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.llm_base_url");
	reply = wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'d','provider':'groq',"
						    "'llm_model_name':'m','api_key':'k'}}");
	ck_assert_str_eq(at_text(reply, "llm_config.provider"), "groq");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'e','provider':'ollama','llm_model_name':'m',"
			     "'extra_headers':{'Host':'h'}}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.extra_headers");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'e','provider':'vertex','llm_model_name':'m',"
			     "'api_key':'k'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.llm_base_url");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
			     "{'llm_config':{'name':'e','provider':'cohere','llm_model_name':'m',"
			     "'api_key':'k','verbosity':'low'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.verbosity");
	for (size_t i = 0; i < sizeof(bad_customs) / sizeof(*bad_customs); i++) {
		reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
				     "{'llm_config':{'name':'e','provider':'custom','llm_model_name':'m',"
				     "'llm_base_url':'http://127.0.0.1:1'%s}}", requoted(bad_customs[i].members));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"),
				 text("llm_config.%s", bad_customs[i].field));
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(experiments, signed_requests, regions, first_error, configs);
}
