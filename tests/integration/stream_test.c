/*
 * Call with more replies than one: what the model says as it says it, in each dialect, what becomes of
 * it when the stream breaks, and who is held up by a reader who does not read.
 */
#include <string.h>

#include "tests/harness/suite.h"

#define SAID "The quick brown fox jumps over the lazy dog, and then it rests for a while. H\xc3\xa4!"

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
	{ "cohere", "" }, { "gemini", "" },
};
#define N_PROVIDERS (sizeof(providers) / sizeof(providers[0]))

static void call(struct wire *to, const struct provider *provider, const char *more)
{
	char *url = strdup(sim_url(sim));

	*strstr(url, "/v1") = '\0';
	wire_start(to, "'more':true", "Call", "%s", requoted(text(
		"{'messages':[{'role':'user','content':'Hello'}],"
		"'llm_config':{'content':{'name':'%s','provider':'%s','llm_model_name':'m',"
		"'llm_base_url':'%s%s','api_key':'sk-0123456789abcdef','max_retries':2}}%s}",
		provider->name, provider->name, url, provider->base, more)));
	free(url);
}

/* What was told, up to the end. */
struct heard {
	char text[4096];
	size_t n_deltas, n_resets;
	int64_t attempt; /* that the last reset named */
	json_object *task; /* the event that ended it */
};

static void hear(struct wire *from, struct heard *heard)
{
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
	start("--stream_delta_seconds=0.01");
	for (size_t i = 0; i < N_PROVIDERS; i++) {
		struct heard heard;

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

int main(void)
{
	return RUN_SUITE(it_comes_as_it_is_said);
}
