/*
 * LiteLLM's proxy between the daemon and the simulated endpoint: what it makes of answers, streams and
 * errors is read as it is meant. It takes minutes to install, so that is left to who wants to know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/outsider.h"
#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define PACKAGE "litellm[proxy]" // 1.106.2 was tried
#define KEY "sk-litellm-0123456789"
#define SAID "The quick brown fox jumps over the lazy dog, and then it rests for a while."
#define ROWS 40

static const char *folder; // where it is installed: python3 -m venv FOLDER; FOLDER/bin/pip install PACKAGE
static struct sim *sim;
static struct daemon *server;
static struct wire *wire;
static const char *url; // the proxy's

static void write_config(const char *path)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "model_list:\n"
		      "  - model_name: m\n"
		      "    litellm_params: { model: openai/m, api_base: %s, api_key: none, max_retries: 0 }\n"
		      "litellm_settings: { num_retries: 0, telemetry: false }\n"
		      "router_settings: { num_retries: 0, disable_cooldowns: true }\n"
		      "general_settings: { master_key: " KEY " }\n", sim_url(sim));
	fclose(file);
}

static void start_proxy(void)
{
	const char *own = dir_new(), *log = dir_path(own, "log"), *config = dir_path(own, "config.yaml");
	uint16_t port = outsider_port();

	write_config(config);
	process_start(&(struct process_options) {
		.path = dir_path(folder, "bin/python"),
		.arguments = (const char *[]) { dir_path(folder, "bin/litellm"), "--config", config, "--host",
						"127.0.0.1", "--port", text("%u", port), NULL },
		.environment = (const char *[]) { "LITELLM_LOCAL_MODEL_COST_MAP=True", "NO_DOCS=True", NULL },
		.output = log,
		.stdout_fd = STDERR_FILENO });
	outsider_await(port, 4 * WAIT_SECONDS, log);
	url = text("http://127.0.0.1:%u/v1", port);
}

static char *config(const char *name, const char *model)
{
	return text("'llm_config':{'content':{'name':'%s','provider':'litellm','llm_model_name':'%s',"
		    "'llm_base_url':'%s','api_key':'" KEY "','max_connections':8,'max_retries':1}}", name,
		    model, url);
}

/* The reply that ends a call. *ret_told: what came of it before, if it is asked for as it comes. */
static json_object *call(const char *config_members, char **ret_told)
{
	json_object *reply = NULL;
	char *told = text("%s", "");

	wire_start(wire, ret_told ? "'more':true" : "", "Call", "%s",
		   requoted(text("{'messages':[{'role':'user','content':'Hi'}],%s}", config_members)));
	do {
		json_object_put(reply);
		reply = wire_next(wire);
		if (at_has(reply, "parameters.delta.text"))
			told = text("%s%s", told, at_text(reply, "parameters.delta.text"));
	} while (at_has(reply, "continues"));
	if (ret_told)
		*ret_told = told;
	return reply;
}

static void runs_an_experiment(void)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = ROWS, .n_criteria = 2, .more = config("experiment", "m") });
	json_object *items;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':false",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		ck_assert_int_gt(at_int(items, text("%zu.input_tokens", i)), 0);
		ck_assert_int_gt(at_int(items, text("%zu.output_tokens", i)), 0);
		ck_assert_uint_eq(at_count(items, text("%zu.ratings", i)), 2);
	}
	/* It was asked for nothing twice. */
	ck_assert_int_eq(sim_stat(sim, "answered"), 3 * ROWS);
	json_object_put(items);
	json_object_put(task);
}

static void streams(void)
{
	json_object *reply;
	char *told;

	sim_control(sim, "{'fixed_answer':'" SAID "'}");
	reply = call(config("streamed", "m"), &told);
	ck_assert_msg(at_is(reply, "parameters.event.status", "SUCCESS"), "%s",
		      json_object_to_json_string(reply));
	ck_assert_str_eq(told, SAID);
	json_object_put(reply);
	/* An error in the middle of it: what was told is not told again. */
	sim_control(sim, "{'stream_error_rate':1,'stream_delta_seconds':0.05}");
	reply = call(config("broken off", "m"), &told);
	ck_assert_msg(at_is(reply, "parameters.event.status", "FAILURE"), "%s",
		      json_object_to_json_string(reply));
	ck_assert_int_eq(strncmp(told, SAID, strlen(told)), 0);
	json_object_put(reply);
	sim_control(sim, "{'stream_error_rate':0,'stream_delta_seconds':0}");
}

/* What the endpoint refuses comes through the proxy as its own. */
static void errors_are_classified(void)
{
	static const struct {
		const char *settings, *undo, *code, *model;
	} cases[] = {
		{ "{'error_500_rate':1}", "{'error_500_rate':0}", "BackendUnavailable", "m" },
		{ "{'context_length_rate':1}", "{'context_length_rate':0}", "BackendRejected", "m" },
		{ "{'content_filter_rate':1}", "{'content_filter_rate':0}", "BackendRejected", "m" },
		{ "{}", "{}", "BackendRejected", "another" },
		/* The proxy's own key; ours it knows only with a database. */
		{ "{'api_key':'another'}", "{}", "BackendAuthentication", "m" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_object *reply;

		sim_control(sim, "%s", requoted(cases[i].settings));
		reply = call(config(text("error %zu", i), cases[i].model), NULL);
		ck_assert_msg(at_is(reply, "parameters.task.error.code", cases[i].code), "%s: %s",
			      cases[i].settings, json_object_to_json_string(reply));
		ck_assert(!strstr(at_text(reply, "parameters.task.error.message"), KEY));
		json_object_put(reply);
		sim_control(sim, "%s", requoted(cases[i].undo));
	}
}

START_TEST(behind_a_proxy)
{
	sim = sim_start(NULL);
	start_proxy();
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	runs_an_experiment();
	streams();
	errors_are_classified();
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	folder = getenv("ELLU_TEST_LITELLM");
	if (!folder) {
		fputs("set ELLU_TEST_LITELLM to an environment with " PACKAGE " to test with it\n", stderr);
		return EXIT_SKIPPED;
	}
	dir_prepare();
	return RUN_SUITE(behind_a_proxy);
}
