/*
 * Call with more replies than one: what the model says as it says it, in each dialect, what becomes of
 * it when the stream breaks, and who is held up by a reader who does not read.
 */
#include <string.h>

#include "tests/harness/suite.h"

#define HALF_SAID "The quick brown fox jumps over the lazy dog, and then it rests for a while. "
#define SAID HALF_SAID HALF_SAID HALF_SAID HALF_SAID "H\xc3\xa4!"

static struct daemon *server;
static struct wire *wire;
static struct sim *sim;

static void start(const char *setting)
{
	sim = sim_start((const char *[]) { "--fixed_answer=" SAID, setting, NULL });
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

/* Whose way to speak it is, and what its base has behind the endpoint's. */
static const struct provider {
	const char *name, *base;
} providers[] = {
	{ "openai", "/v1" }, { "mistral", "/mistral/v1" }, { "anthropic", "" },
	{ "bedrock", "" }, { "cohere", "" }, { "gemini", "" },
};
#define N_PROVIDERS (sizeof(providers) / sizeof(providers[0]))

static void call(struct wire *to, const struct provider *provider, const char *more)
{
	char *url = strdup(sim_url(sim));

	*strstr(url, "/v1") = '\0';
	wire_start(to, "'more':true", "Call", "%s", requoted(text(
		"{'messages':[{'role':'user','content':'Hello'}],"
		"'llm_config':{'content':{'name':'%s','provider':'%s','llm_model_name':'m',"
		"'llm_base_url':'%s%s','api_key':'sk-0123456789abcdef','max_retries':2,'stall_seconds':1}}%s}",
		provider->name, provider->name, url, provider->base, more)));
	free(url);
}

static bool sim_is_gated; /* streams stop until something of them was told */

/* What was told, up to the end. */
struct heard {
	char text[4096];
	size_t n_deltas, n_resets;
	int64_t attempt; /* that the last reset named */
	json_object *task; /* the event that ended it */
};

static void hear(struct wire *from, struct heard *heard)
{
	bool gated = sim_is_gated;

	*heard = (struct heard) { .n_deltas = 0 };
	for (;;) {
		json_object *reply = wire_next(from), *delta = at_json(reply, "parameters.delta");

		if (!at_has(reply, "continues")) {
			heard->task = json_object_get(at_json(reply, "parameters.event"));
			ck_assert_msg(heard->task != NULL, "%s", json_object_to_json_string(reply));
			return;
		}
		if (!delta)
			continue;
		heard->n_deltas++;
		if (gated)
			sim_control(sim, "{'stream_gate':false}");
		gated = false;
		if (at_has(delta, "reset")) {
			heard->n_resets++;
			heard->attempt = at_int(delta, "reset");
			heard->text[0] = '\0';
		}
		if (at_has(delta, "text")) {
			ck_assert_uint_gt(strlen(at_text(delta, "text")), 0);
			strncat(heard->text, at_text(delta, "text"),
				sizeof(heard->text) - strlen(heard->text) - 1);
		}
	}
}

START_TEST(it_comes_as_it_is_said)
{
	start(NULL);
	sim_is_gated = true;
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		struct heard heard;

		sim_control(sim, "{'stream_gate':true}");
		call(wire, &providers[i], "");
		hear(wire, &heard);
		ck_assert_str_eq(at_text(heard.task, "status"), "SUCCESS");
		ck_assert_str_eq(heard.text, SAID);
		ck_assert_str_eq(at_text(heard.task, "result.call.text"), SAID);
		ck_assert_str_eq(at_text(heard.task, "result.call.finish_reason"), "stop");
		ck_assert_int_gt(at_int(heard.task, "result.call.usage.output_tokens"), 0);
		ck_assert_uint_gt(heard.n_deltas, 1);
		ck_assert_uint_eq(heard.n_resets, 0);
	}
	end();
}
END_TEST

/* By one byte, with the ends of events anywhere, or all at once. */
START_TEST(however_it_is_cut)
{
	static const int sizes[] = { 1, 7, 100000 };
	struct heard heard;

	start(NULL);
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		sim_control(sim, "{'stream_chunk_bytes':%d,'stream_crlf':%s}", sizes[i / 2],
			    i % 2 ? "true" : "false");
		for (size_t n = 0; n < N_PROVIDERS; n++) {
			call(wire, &providers[n], "");
			hear(wire, &heard);
			ck_assert_str_eq(at_text(heard.task, "status"), "SUCCESS");
			ck_assert_str_eq(heard.text, SAID);
		}
	}
	end();
}
END_TEST

/* Nothing was told of an attempt that failed at once: nobody hears of it. */
START_TEST(it_begins_late)
{
	struct heard heard;

	start("--fail_first_n=1");
	call(wire, &providers[0], "");
	hear(wire, &heard);
	ck_assert_str_eq(at_text(heard.task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(heard.task, "result.call.attempts"), 2);
	ck_assert_str_eq(heard.text, SAID);
	ck_assert_uint_eq(heard.n_resets, 0);
	end();
}
END_TEST

/* Half of it was told. */
static const char *const breaks[] = { "half_body", "stream_error", "stream_stall" };
#define N_BREAKS (sizeof(breaks) / sizeof(breaks[0]))

START_TEST(it_breaks_off)
{
	struct heard heard;

	start(NULL);
	sim_is_gated = true;
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		/* A stall takes its second. */
		for (size_t n = 0; n < (i == 0 ? N_BREAKS : N_BREAKS - 1); n++) {
			sim_reset(sim);
			sim_control(sim, "{'%s_rate':1,'faults_until':1,'stream_gate':true}", breaks[n]);
			call(wire, &providers[i], "");
			hear(wire, &heard);
			ck_assert_msg(at_is(heard.task, "status", "FAILURE"), "%s: %s", breaks[n],
				      json_object_to_json_string(heard.task));
			ck_assert_str_eq(at_text(heard.task, "error.code"), "BackendUnavailable");
			ck_assert_ptr_nonnull(strstr(at_text(heard.task, "error.message"),
						     "the answer broke off: "));
			ck_assert_uint_gt(strlen(heard.text), 0);
			ck_assert(strncmp(heard.text, SAID, strlen(heard.text)) == 0);
			ck_assert_int_eq(sim_stat(sim, "calls"), 1);
			sim_control(sim, "{'%s_rate':0}", breaks[n]);
		}
	}
	end();
}
END_TEST

START_TEST(it_begins_anew)
{
	struct heard heard;

	start(NULL);
	sim_is_gated = true;
	for (size_t n = 0; n < N_BREAKS - 1; n++) {
		sim_reset(sim);
		sim_control(sim, "{'%s_rate':1,'faults_until':1,'stream_gate':true}", breaks[n]);
		call(wire, &providers[n], ",'allow_reset':true");
		hear(wire, &heard);
		ck_assert_str_eq(at_text(heard.task, "status"), "SUCCESS");
		ck_assert_int_eq(at_int(heard.task, "result.call.attempts"), 2);
		ck_assert_uint_eq(heard.n_resets, 1);
		ck_assert_int_eq(heard.attempt, 2);
		ck_assert_str_eq(heard.text, SAID);
		ck_assert_str_eq(at_text(heard.task, "result.call.text"), SAID);
		sim_control(sim, "{'%s_rate':0}", breaks[n]);
	}
	end();
}
END_TEST

/* An answer that does not do is void in any case. */
START_TEST(it_is_asked_for_again)
{
	struct heard heard;

	start(NULL);
	call(wire, &providers[0], ",'response_format':{'type':'object'}");
	hear(wire, &heard);
	ck_assert_str_eq(at_text(heard.task, "status"), "FAILURE");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_uint_eq(heard.n_resets, 1);
	ck_assert_int_eq(heard.attempt, 2);
	ck_assert_str_eq(heard.text, SAID);
	end();
}
END_TEST

static json_object *hear_one(struct wire *from)
{
	for (;;) {
		json_object *reply = wire_next(from);

		ck_assert_msg(at_has(reply, "continues"), "%s", json_object_to_json_string(reply));
		if (at_has(reply, "parameters.delta"))
			return at_json(reply, "parameters.delta");
	}
}

/* Whoever goes away, or cancels, does not pay for the rest. */
START_TEST(the_provider_stops_too)
{
	struct wire *other;
	struct heard heard;

	start("--stream_gate=true");
	call(wire, &providers[0], "");
	hear_one(wire);
	wire_close(wire);
	wire = daemon_connect(server);
	sim_await(sim, "closed_early", 1);
	task_await_status(server, 1, "REVOKED");
	call(wire, &providers[0], "");
	hear_one(wire);
	other = daemon_connect(server);
	wire_call(other, "CancelTask", "{'id':2}");
	hear(wire, &heard);
	ck_assert_str_eq(at_text(heard.task, "status"), "REVOKED");
	sim_await(sim, "closed_early", 2);
	wire_close(other);
	end();
}
END_TEST

START_TEST(the_daemon_is_killed)
{
	start("--stream_gate=true");
	call(wire, &providers[0], "");
	hear_one(wire);
	daemon_kill(server);
	sim_await(sim, "closed_early", 1);
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_str_eq(at_text(task_get(wire, 1), "status"), "FAILURE");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

/* What he does not read is not read from the provider, and nobody else is held up. */
START_TEST(a_slow_reader)
{
	enum { LONG = 1600000 };
	struct wire *slow;
	struct heard heard;
	json_object *reply;
	size_t size = 0;
	char *words;

	start(NULL);
	words = malloc(LONG + 1);
	ck_assert_ptr_nonnull(words);
	for (size_t i = 0; i < LONG; i++)
		words[i] = i % 16 == 15 ? ' ' : 'x';
	words[LONG] = '\0';
	sim_control(sim, "{'fixed_answer':'%s'}", words);
	slow = wire;
	wire = daemon_connect(server);
	call(slow, &providers[0], "");
	hear_one(slow);
	sim_control(sim, "{'fixed_answer':'" SAID "'}");
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		call(wire, &providers[i], "");
		hear(wire, &heard);
		ck_assert_str_eq(heard.text, SAID);
	}
	/* Of the endpoint's answer, ten times as long, there is no room for the rest. */
	ck_assert_int_eq(sim_stat(sim, "in_flight"), 1);
	do {
		reply = wire_next(slow);
		if (at_has(reply, "parameters.delta.text"))
			size += strlen(at_text(reply, "parameters.delta.text"));
	} while (at_has(reply, "continues"));
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	ck_assert_str_eq(at_text(reply, "parameters.event.result.call.text"), words);
	ck_assert_uint_gt(size, LONG / 2);
	ck_assert_uint_le(size, LONG);
	wire_close(slow);
	free(words);
	end();
}
END_TEST

/* A tool's call comes in pieces, under its id. */
START_TEST(tools)
{
	start("--call_tools=true");
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		char arguments[256] = "", name[64] = "", id[64] = "";
		json_object *reply, *made;

		call(wire, &providers[i], ",'tools':[{'name':'look','parameters':{'type':'object',"
					  "'properties':{'where':{'type':'string'}}}}]");
		while (at_has(reply = wire_next(wire), "continues")) {
			if (!at_has(reply, "parameters.delta.tool_calls.0"))
				continue;
			made = at_json(reply, "parameters.delta.tool_calls.0");
			if (at_has(made, "name"))
				strcpy(name, at_text(made, "name"));
			strcpy(id, at_text(made, "id"));
			strcat(arguments, at_text(made, "arguments"));
		}
		made = at_json(reply, "parameters.event.result.call.tool_calls.0");
		ck_assert_msg(made != NULL, "%s", json_object_to_json_string(reply));
		ck_assert_str_eq(name, "look");
		ck_assert_str_eq(id, at_text(made, "id"));
		ck_assert_str_eq(arguments, at_text(made, "arguments"));
	}
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(it_comes_as_it_is_said, however_it_is_cut, it_begins_late, it_breaks_off,
			 it_begins_anew, it_is_asked_for_again, the_provider_stops_too, the_daemon_is_killed, a_slow_reader,
			 tools);
}
