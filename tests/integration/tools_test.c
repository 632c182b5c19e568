/*
 * Tools that a call's follower runs: SendToolResult on another connection, several at once, round after
 * round, and that what waits for it takes nothing from others and ends when it has to.
 */
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire, *other;
static struct sim *sim;
static int64_t task_id;

static void start(const char *settings)
{
	sim = sim_start(NULL);
	sim_control(sim, "%s", requoted(settings));
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	other = daemon_connect(server);
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'L','provider':'openai','llm_model_name':'m','llm_base_url':'%s','max_connections':1}}",
		  sim_url(sim));
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

#define ASKED "'messages':[{'role':'user','content':'Hello'}],'llm_config':{'ref':{'name':'L'}}"
#define TOOLS "'tools':[{'name':'look','parameters':{'type':'object','properties':{'at':{'type':'string'}}}}," \
	      "{'name':'weigh'}]"

static void ask(const char *more)
{
	wire_start(wire, "'more':true", "Call", "%s",
		   requoted(text("{" ASKED "," TOOLS ",'min_interval_seconds':10%s}", more)));
}

static json_object *next_event(void)
{
	json_object *reply = wire_next(wire);

	ck_assert_msg(at_has(reply, "parameters"), "%s", json_object_to_json_string(reply));
	if (at_has(reply, "parameters.event"))
		task_id = at_int(reply, "parameters.event.task_id");
	return at_json(reply, "parameters");
}

static bool goes_on(json_object *said)
{
	return !at_has(said, "event") || strcmp(at_text(said, "event.status"), "STARTED") == 0 ||
	       strcmp(at_text(said, "event.status"), "PENDING") == 0;
}

/* The calls that it waits for. */
static json_object *await_calls(void)
{
	for (;;) {
		json_object *said = next_event();

		if (at_has(said, "event.tool_calls"))
			return json_object_get(at_json(said, "event.tool_calls"));
		ck_assert_msg(goes_on(said), "%s", json_object_to_json_string(said));
	}
}

static json_object *await_end(void)
{
	for (;;) {
		json_object *said = next_event();

		if (!goes_on(said))
			return json_object_get(at_json(said, "event"));
	}
}

static const char *call_id(json_object *calls, size_t i)
{
	return at_text(json_object_array_get_idx(calls, i), "id");
}

static void answer(const char *id, const char *content)
{
	wire_call(other, "SendToolResult", "{'task_id':%lld,'tool_call_id':'%s','content':'%s'}",
		  (long long)task_id, id, content);
}

static void must_not_wait_for(const char *id)
{
	wire_refused(other, "Conflict", "SendToolResult", "{'task_id':%lld,'tool_call_id':'%s','content':''}",
		     (long long)task_id, id);
}

START_TEST(rounds)
{
	json_object *calls, *event, *request;

	start("{'call_tools':true,'tool_rounds':2}");
	ask(",'tool_rounds':5");
	calls = await_calls();
	ck_assert_uint_eq(json_object_array_length(calls), 1);
	ck_assert_str_eq(at_text(calls, "0.name"), "look");
	ck_assert_str_eq(at_text(json_must_parse(at_text(calls, "0.arguments")), "at"), "some words");
	answer(call_id(calls, 0), "A house.");
	calls = await_calls();
	ck_assert_str_eq(at_text(calls, "0.name"), "weigh");
	answer(call_id(calls, 0), "Two tons.");
	event = await_end();
	ck_assert_str_eq(at_text(event, "status"), "SUCCESS");
	ck_assert_uint_gt(strlen(at_text(event, "result.call.text")), 0);
	ck_assert(!at_has(event, "result.call.tool_calls"));
	ck_assert_int_eq(at_int(event, "result.call.attempts"), 3);
	ck_assert_int_eq(at_int(event, "result.call.usage.input_tokens"), at_int(event, "progress.input_tokens"));
	request = sim_last_request(sim);
	ck_assert_int_eq((int)json_object_array_length(at_json(request, "messages")), 5);
	ck_assert_str_eq(at_text(request, "messages.1.role"), "assistant");
	ck_assert_str_eq(at_text(request, "messages.1.tool_calls.0.function.name"), "look");
	ck_assert_str_eq(at_text(request, "messages.2.role"), "tool");
	ck_assert_str_eq(at_text(request, "messages.2.content"), "A house.");
	ck_assert_str_eq(at_text(request, "messages.2.tool_call_id"), at_text(request, "messages.1.tool_calls.0.id"));
	ck_assert_str_eq(at_text(request, "messages.4.content"), "Two tons.");
	ck_assert_int_eq(sim_stat(sim, "keys_repeated"), 0);
	must_not_wait_for("call_1");
	end();
}
END_TEST

/* In any order, each once; who comes late is told which are left. */
START_TEST(several_at_once)
{
	json_object *calls, *reply, *event;
	struct wire *late;

	start("{'call_tools':true,'tool_times':3}");
	ask(",'tool_rounds':1");
	calls = await_calls();
	ck_assert_uint_eq(json_object_array_length(calls), 3);
	must_not_wait_for("another");
	answer(call_id(calls, 2), "third");
	must_not_wait_for(call_id(calls, 2));
	late = daemon_connect(server);
	wire_start(late, "'more':true", "WatchTask", "{'id':%lld}", (long long)task_id);
	do
		reply = wire_next(late);
	while (!at_has(reply, "parameters.event.tool_calls"));
	ck_assert_uint_eq(json_object_array_length(at_json(reply, "parameters.event.tool_calls")), 2);
	answer(call_id(calls, 0), "first");
	answer(call_id(calls, 1), "");
	event = await_end();
	ck_assert_str_eq(at_text(event, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.2.content"), "first");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.3.content"), "");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.4.content"), "third");
	end();
}
END_TEST

START_TEST(no_more_rounds_than_that)
{
	json_object *calls, *event;

	start("{'call_tools':true,'tool_rounds':100}");
	ask(",'tool_rounds':1");
	calls = await_calls();
	answer(call_id(calls, 0), "x");
	event = await_end();
	ck_assert_str_eq(at_text(event, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(event, "result.call.tool_calls.0.name"), "weigh");
	ck_assert_str_eq(at_text(event, "result.call.finish_reason"), "tool_calls");
	/* Without rounds the first calls are the answer. */
	ask("");
	event = await_end();
	ck_assert_str_eq(at_text(event, "result.call.tool_calls.0.name"), "look");
	end();
}
END_TEST

/* The config's only connection is others' meanwhile. */
START_TEST(it_holds_nothing)
{
	json_object *calls, *reply;

	start("{'call_tools':true}");
	ask(",'tool_rounds':1");
	calls = await_calls();
	reply = wire_call(other, "Call", "{" ASKED "}");
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	answer(call_id(calls, 0), "x");
	ck_assert_str_eq(at_text(await_end(), "status"), "SUCCESS");
	end();
}
END_TEST

START_TEST(nobody_answers)
{
	json_object *event;

	start("{'call_tools':true}");
	ask(",'tool_rounds':1,'tool_timeout_seconds':0.05");
	event = await_end();
	ck_assert_str_eq(at_text(event, "status"), "FAILURE");
	ck_assert_str_eq(at_text(event, "error.code"), "Timeout");
	ck_assert_ptr_nonnull(strstr(at_text(event, "error.message"), "(look) within 0.05 seconds"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

START_TEST(it_is_ended_while_it_waits)
{
	json_object *calls;

	start("{'call_tools':true}");
	ask(",'tool_rounds':1");
	calls = await_calls();
	wire_call(other, "CancelTask", "{'id':%lld}", (long long)task_id);
	ck_assert_str_eq(at_text(await_end(), "status"), "REVOKED");
	must_not_wait_for(call_id(calls, 0));
	/* And with its caller. */
	ask(",'tool_rounds':1");
	calls = await_calls();
	wire_close(wire);
	task_await_status(server, task_id, "REVOKED");
	must_not_wait_for(call_id(calls, 0));
	wire_refused(other, "NotFound", "SendToolResult", "{'task_id':999,'tool_call_id':'a','content':''}");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	/* And with the daemon. */
	wire = daemon_connect(server);
	ask(",'tool_rounds':1");
	await_calls();
	end();
}
END_TEST

/* What tools bring counts as what is asked. */
START_TEST(too_much)
{
	static char large[1500000];
	json_object *calls, *event;

	start("{'call_tools':true,'tool_times':3}");
	memset(large, 'x', sizeof(large) - 1);
	ask(",'tool_rounds':1");
	calls = await_calls();
	for (size_t i = 0; i < 3; i++)
		answer(call_id(calls, i), large);
	event = await_end();
	ck_assert_str_eq(at_text(event, "status"), "FAILURE");
	ck_assert_str_eq(at_text(event, "error.code"), "TooLarge");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(rounds, several_at_once, no_more_rounds_than_that, it_holds_nothing, nobody_answers,
			 it_is_ended_while_it_waits, too_much);
}
