/* The Python client against a real daemon and endpoint. */
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;

static void begin(const char *setting)
{
	server = daemon_start(NULL);
	sim = sim_start((const char *[]) { setting, NULL });
}

static struct command *start(const char *part, bool simulated)
{
	return command_start_program(server, PYTHON, (const char *[]) {
		"-W", "error", CLIENT_TEST, CLIENT_PACKAGE, part, simulated ? NULL : sim_url(sim), NULL });
}

static void end(struct command *client)
{
	int status = command_end(client);

	ck_assert_msg(status == 0, "status %d: %s%s", status, client->out, client->err);
	ck_assert_ptr_nonnull(strstr(client->out, "ok\n"));
}

START_TEST(blocking)
{
	begin("--fixed_answer=YES");
	end(start("blocking", false));
}
END_TEST

START_TEST(errors)
{
	begin(NULL);
	end(start("errors", true));
}
END_TEST

START_TEST(cancelled)
{
	begin("--hang_rate=1");
	end(start("cancelled", false));
}
END_TEST

START_TEST(many)
{
	begin("--fixed_answer=YES");
	end(start("many", false));
}
END_TEST

/* Each of three tools three times at once; one fails, and one is not there. */
static void run_tools(const char *part)
{
	json_object *request;

	begin("--call_tools=true");
	sim_control(sim, "{'tool_rounds':3,'tool_times':3}");
	end(start(part, false));
	request = sim_last_request(sim);
	ck_assert_int_eq((int)json_object_array_length(at_json(request, "messages")), 1 + 3 * 4);
	ck_assert_str_eq(at_text(request, "messages.6.content"), "ValueError: no scales");
	ck_assert_str_eq(at_text(request, "messages.12.content"), "NameError: there is no tool of this name");
	ck_assert_str_eq(at_text(request, "messages.2.content"),
			 strcmp(part, "tools") == 0 ? "{\"seen\": \"some words\", \"\xc3\xa9\": 1}" : "slowly");
}

START_TEST(tools)
{
	run_tools("tools");
}
END_TEST

START_TEST(tools_async)
{
	run_tools("tools_async");
}
END_TEST

/* Killed in mid-run. */
static void restart_under(const char *part)
{
	struct command *client;

	begin("--latency_seconds=0.05");
	client = start(part, false);
	command_await(client, "running");
	daemon_kill(server);
	daemon_restart(server);
	end(client);
}

START_TEST(restarts)
{
	restart_under("restarts");
}
END_TEST

START_TEST(restarts_blocking)
{
	restart_under("restarts_blocking");
}
END_TEST

static const char *example(const char *name, const char *url)
{
	struct command *client = command_start_program(server, "/usr/bin/env", (const char *[]) {
		"PYTHONPATH=" CLIENT_PACKAGE, PYTHON, text(EXAMPLES "/%s", name), url, NULL });
	int status = command_end(client);

	ck_assert_msg(status == 0, "status %d: %s%s", status, client->out, client->err);
	return client->out;
}

START_TEST(examples)
{
	const char *said;

	begin("--fixed_answer=YES");
	said = example("experiment.py", sim_url(sim));
	ck_assert_ptr_nonnull(strstr(said, "%  Is it about {{topic}}?\nsuccess rate "));
	ck_assert_ptr_nonnull(strstr(example("experiment.py", NULL), "success rate "));
	ck_assert_ptr_nonnull(strstr(example("many.py", sim_url(sim)), "20 of 20 succeeded\n"));
	ck_assert_ptr_nonnull(strstr(example("evaluator.py", NULL), "4 scored by threads, 4 on a loop\n"));
	said = example("tokens.py", sim_url(sim));
	ck_assert_msg(strncmp(said, "YES\nSUCCESS, ", 13) == 0, "%s", said);
	said = example("batch.py", NULL);
	ck_assert_ptr_nonnull(strstr(said, "Harbours: made, 2 rows\n"));
	ck_assert_ptr_nonnull(strstr(said, "Conflict: Capitals is collection "));
	ck_assert_ptr_nonnull(strstr(said, "NotFound: Villages\n"));
	ck_assert_ptr_nonnull(strstr(said, "A visit to Mountains: SUCCESS, 2 answers\n"));
	ck_assert_ptr_nonnull(strstr(example("batch.py", NULL), "Harbours: is there, 2 rows\n"));
	sim_control(sim, "{'call_tools':true}");
	ck_assert_str_eq(example("tools.py", sim_url(sim)), "temperature of some words\nYES\n");
}
END_TEST

/* The same endpoint answers and judges. */
START_TEST(a_skill)
{
	struct wire *wire;

	begin("--fixed_answer={\"justification\":\"so\",\"score\":0.25}");
	wire = daemon_connect(server);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'L','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s'}}", sim_url(sim));
	wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'L'}}");
	ck_assert_ptr_nonnull(strstr(example("skill.py", NULL),
				     "\nvalid: no, after 3 answers\nBrief enough: finished, 0.25 of 0.3\n"
				     "Friendly enough: finished, 0.25 of 0.0\n"));
}
END_TEST

int main(void)
{
	return RUN_SUITE(blocking, errors, cancelled, many, tools, tools_async, restarts, restarts_blocking, examples,
			 a_skill);
}
