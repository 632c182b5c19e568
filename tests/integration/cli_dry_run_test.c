/* `elluminate run --dry-run`: what a run would ask, cost and be refused for. */
#include <stdlib.h>
#include <string.h>

#include "tests/integration/run_files.h"

static void refused_dry(int status, const char *file, const char *wanted)
{
	struct command *run = COMMAND(server, status, "run", file, "--dry-run");

	ASSERT_SAYS(run->err, wanted);
}

static bool has_key(const char *path, void *found)
{
	size_t size;
	char *content = file_read(path, &size);

	*(bool *)found |= content && memmem(content, size, "of-nobody", 9);
	free(content);
	return true;
}

START_TEST(dry_run_asks_the_daemon)
{
	const char *file, *config = ",\"llm_config\":{\"name\":\"L\",\"provider\":\"simulated\","
				    "\"api_key\":\"of-nobody\"}";
	bool kept_key = false;
	struct command *run;

	begin_runs();
	make_rows("some", 2500);
	file = make_file("e.json", text("%s%s,\"criteria\":[\"Is it {{topic}}?\"],\"n_epochs\":2",
					",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}", config));
	run = COMMAND(server, 0, "run", file, "--dry-run");
	ASSERT_SAYS(run->out, "user: About some 2.\n---\nNew: E\n");
	ASSERT_SAYS(run->out, "2,500 cases: 10,000 calls (5,000 to answer, 5,000 to judge).");
	ASSERT_SAYS(run->out, " to answer.\n2,500 cases");
	run = COMMAND(server, 0, "run", file, "--dry-run", "--limit", "7", "--epochs", "1");
	ASSERT_SAYS(run->out, "7 cases: 14 calls");
	/* It left nothing. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListExperiments", "'count':true")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListLLMConfigs", "'count':true")), 1);
	wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'name':'C'}}");
	wire_refused(wire, "NotFound", "GetPromptTemplate", "{'prompt_template':{'name':'T'}}");
	dir_each_file(daemon_state_dir(server), has_key, &kept_key);
	ck_assert(!kept_key);
	/* What a run would meet. */
	refused_dry(27, make_file("e.json", ",\"collection\":\"nothing\""), "no collection named 'nothing'");
	refused_dry(23, make_file("e.json", text("%s,\"criteria\":[\"Is it {{nope}}?\"]",
						 ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}")),
		    "criteria[0]: expected");
	refused_dry(23, make_file("e.json", ",\"collection\":{\"name\":\"C\",\"variables\":[{\"topic\":1},"
					    "{\"topic\":null}]}"),
		    "case 2: topic");
	refused_dry(23, make_file("e.json", text("%s,\"llm_config\":{\"name\":\"L\",\"provider\":\"openai\","
						 "\"llm_model_name\":\"m\",\"llm_base_url\":\"ftp://x\"}",
						 ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}")),
		    text("%s:1:", dir_path(folder, "e.json")));
	refused_dry(23, make_file("e.json", ",\"model\":\"m\""), "model: expected no field of this name; did you mean "
								   "llm_config.llm_model_name?");
	/* A column's default fills what a row lacks. */
	COMMAND(server, 0, "run", make_file("e.json", ",\"collection\":{\"name\":\"C\",\"columns\":[{\"name\":"
						      "\"topic\",\"default_value\":\"rain\"}],\"variables\":[{}]}"),
		"--dry-run");
}
END_TEST

/* By the length of what is asked, and what the config costs: of all the cases, also of those that the daemon
 * does not see. */
START_TEST(dry_run_estimates)
{
	const char *rows = ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}";
	const char *config = ",\"llm_config\":{\"name\":\"L\",\"provider\":\"openai\",\"llm_model_name\":\"m\","
			     "\"llm_base_url\":\"http://127.0.0.1:1/v1\",\"max_tokens\":100,"
			     "\"price_input\":\"1\",\"price_output\":\"10\"}";
	json_object *plan, *more;
	const char *file;

	begin_runs();
	make_rows("some", 9);
	/* `About some 0.`, 13 bytes for each. */
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s", rows, config)), "--dry-run",
				       "--json")->out);
	ck_assert_int_eq(at_int(plan, "input_tokens"), 29);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 900);
	ck_assert_str_eq(at_text(plan, "cost"), "0.00902925");
	/* A batch is for half the price. */
	more = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s,\"batch\":true", rows, config)),
				       "--dry-run", "--json")->out);
	ck_assert_double_eq_tol(atof(at_text(more, "cost")), atof(at_text(plan, "cost")) / 2, 1e-8);
	file = make_file("e.json", text("%s%s,\"criteria\":[\"Is it?\"],\"rating_mode\":\"detailed\"", rows, config));
	more = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert_int_gt(at_int(more, "input_tokens"), 9 * 300);
	ck_assert_int_gt(at_int(more, "output_tokens"), 900);
	ck_assert_double_gt(atof(at_text(more, "cost")), atof(at_text(plan, "cost")));
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, text(", $%s.\n9 cases", at_text(more, "cost")));
	make_rows("some", 9000);
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", text("%s%s", rows, config)), "--dry-run",
				       "--json")->out);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 900000);
	/* What has no price has no cost. */
	plan = json_must_parse(COMMAND(server, 0, "run", make_file("e.json", rows), "--dry-run", "--json")->out);
	ck_assert_int_eq(at_int(plan, "output_tokens"), 9000 * 512);
	ck_assert(!at_has(plan, "cost"));
	/* Nothing of it was asked for. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 0);
}
END_TEST

START_TEST(dry_run_of_what_is_there)
{
	json_object *plan;
	const char *file;

	begin_runs();
	make_rows("some", 5);
	file = make_file("e.json", ",\"collection\":{\"name\":\"C\",\"file\":\"some.csv\"}");
	COMMAND(server, 0, "run", file);
	plan = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert(at_is(plan, "name", "E"));
	ck_assert_int_eq(at_int(plan, "generation_calls"), 0);
	file = make_file("e.json", ",\"collection\":\"C\",\"n_epochs\":3");
	plan = json_must_parse(COMMAND(server, 0, "run", file, "--dry-run", "--json")->out);
	ck_assert(at_is(plan, "name", "E #2"));
	ck_assert_int_eq(at_int(plan, "cases"), 5);
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, "5 cases: at most 15 calls");
	ASSERT_SAYS(COMMAND(server, 0, "run", file, "--dry-run")->out, "--- case 1\nuser: About some 0.\n---\n");
	plan = wire_call(wire, "PlanExperiment", "{'run':{'experiment':{'name':'E'}}}");
	ck_assert(!json_object_get_boolean(at_json(plan, "plan.is_new")));
	/* A key that an earlier request was refused under. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'empty'}}");
	for (int i = 0; i < 2; i++) {
		const char *run = "'name':'R','idempotency_key':'k','detach':true,"
				  "'prompt_template':{'ref':{'name':'T'}},'collection':{'ref':{'name':'empty'}}";

		if (i == 0)
			wire_call(wire, "RunExperiment", "{%s}", requoted(run));
		else
			wire_refused(wire, "org.varlink.service.InvalidParameter", "PlanExperiment",
				     "{'run':{%s}}", requoted(run));
	}
	plan = wire_refused(wire, "org.varlink.service.InvalidParameter", "PlanExperiment",
			    "{'run':{'name':'E','n_epoch':3}}");
	ck_assert_str_eq(at_text(plan, "parameters.parameter"), "n_epoch");
}
END_TEST

int main(void)
{
	return RUN_SUITE(dry_run_asks_the_daemon, dry_run_estimates, dry_run_of_what_is_there);
}
