/*
 * Every way in which the simulated endpoint misbehaves, for every provider, for answers that come whole
 * and that come as streams: all at once on one daemon. What becomes of a call, how often it is asked,
 * and that nothing of it stays. Providers are those of the interface, and each rate of the endpoint's
 * settings must be a misbehaviour here.
 */
#include <stdio.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "tests/harness/suite.h"

#define SAID "The quick brown fox jumps over the lazy dog, and then it rests for a while."
#define KEY "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SETTINGS_MAX 4

enum way { WHOLE, STREAMED, _WAY_MAX };

static const char *const ways[] = { [WHOLE] = "whole", [STREAMED] = "streamed" };

/* How a provider is spoken to. */
struct provider {
	const char *name, *base, *config; /* what its base has behind the endpoint's; further members */
	bool streams_not; /* a stream is asked for in vain */
};

/* Those that do not speak as OpenAI does, or say what is wrong otherwise. */
static const struct provider others[] = {
	{ "mistral", "/mistral/v1", "", false },
	{ "azure", "", "", false },
	{ "anthropic", "", "", false },
	{ "bedrock", "", ",'custom':{'region':'eu-west-1'}", false },
	{ "cohere", "", "", false },
	{ "custom", "/custom/answer", ",'custom':{'body':{'turns':'{{messages}}','model':'{{model}}'},"
				      "'text':'/result/words','finish_reason':'/result/end',"
				      "'error':'/fault/reason'}", true },
	{ "gemini", "", "", false },
	{ "vertex", "/v1/projects/p/locations/l", "", false },
};

#define PROVIDERS_MAX 16
static struct provider providers[PROVIDERS_MAX];
static size_t n_providers;
#define N_CALLS (n_providers * _WAY_MAX) // of a misbehaviour

/* The same row of code as openai, with another base and another variable for the key. */
static const char *const alike[] = { "deepseek", "groq", "litellm", "ollama", "openrouter", "together", "xai" };

static bool is_alike(const char *name)
{
	for (size_t i = 0; i < sizeof(alike) / sizeof(*alike); i++)
		if (strcmp(alike[i], name) == 0)
			return true;
	return false;
}

/* All that a config may have, but for the one that asks nobody, and those that are like another. */
static void list_providers(void)
{
	const char *const *name = record_field_find(&ellu_llm_config_type, "provider")->one_of;

	for (n_providers = 0; *name; name++) {
		struct provider *provider = &providers[n_providers];

		if (strcmp(*name, "simulated") == 0 || is_alike(*name))
			continue;
		ck_assert_uint_lt(n_providers++, PROVIDERS_MAX);
		*provider = (struct provider){ *name, "/v1", "", false };
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			if (strcmp(others[i].name, *name) == 0)
				*provider = others[i];
	}
}

/* What comes of a call, whose config has one retry: an error's code, or NULL. */
struct outcome {
	const char *code;
	int attempts, attempts_max;
};

#define ANSWERED { NULL, 1, 1 }
#define ANSWERED_LATE { NULL, 1, 1000 } /* refusals that ask to wait are no attempts */
#define GIVEN_UP { "BackendUnavailable", 2, 2 }
/* Made again only if nothing had been told by then. */
#define BROKEN_OFF { "BackendUnavailable", 1, 2 }
#define REJECTED { "BackendRejected", 1, 1 }
#define REFUSED_KEY { "BackendAuthentication", 1, 1 }

static const struct misbehaviour {
	const char *settings[SETTINGS_MAX];
	const char *config; /* further members */
	struct outcome outcomes[_WAY_MAX];
} misbehaviours[] = {
	{ { "--error_500_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--error_503_rate=1", "--retry_after_seconds=0.01", "--faults_until=18" }, "",
	  { ANSWERED_LATE, ANSWERED_LATE } },
	{ { "--rate_limit=8", "--rate_window_seconds=0.05", "--retry_after_seconds=0.05" }, "",
	  { ANSWERED_LATE, ANSWERED_LATE } },
	{ { "--reset_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--half_body_rate=1", "--stream_delta_seconds=0.01" }, "", { GIVEN_UP, BROKEN_OFF } },
	{ { "--hang_rate=1" }, ",'first_byte_seconds':0.2", { GIVEN_UP, GIVEN_UP } },
	{ { "--slow_header_rate=1", "--slow_byte_seconds=0.0005" }, "", { ANSWERED, ANSWERED } },
	{ { "--garbage_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--wrong_type_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--wrong_json_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--truncated_json_rate=1" }, "", { GIVEN_UP, GIVEN_UP } },
	{ { "--content_filter_rate=1" }, "", { REJECTED, REJECTED } },
	{ { "--context_length_rate=1" }, "", { REJECTED, REJECTED } },
	{ { "--empty_rate=1" }, "", { ANSWERED, ANSWERED } },
	{ { "--utf8_garbage_rate=1" }, "", { ANSWERED, ANSWERED } },
	{ { "--stream_error_rate=1", "--stream_delta_seconds=0.01" }, "", { GIVEN_UP, BROKEN_OFF } },
	{ { "--stream_stall_rate=1" }, ",'first_byte_seconds':0.2,'stall_seconds':1",
	  { GIVEN_UP, BROKEN_OFF } },
	{ { "--api_key=" KEY "another" }, "", { REFUSED_KEY, REFUSED_KEY } },
	{ { "--model=another" }, "", { REJECTED, REJECTED } },
};
#define N_MISBEHAVIOURS (sizeof(misbehaviours) / sizeof(*misbehaviours))

/* What one call is known by where it is asked for. */
static const char *content_of(size_t i)
{
	return text("[%s %s]", providers[i / _WAY_MAX].name, ways[i % _WAY_MAX]);
}

static struct wire *ask(const struct daemon *daemon, const struct sim *sim,
			const struct misbehaviour *misbehaviour, size_t i)
{
	struct wire *wire = daemon_connect(daemon);
	char *url = strdup(sim_url(sim));

	*strstr(url, "/v1") = '\0';
	wire_start(wire, i % _WAY_MAX == STREAMED ? "'more':true" : "", "Call", "%s", requoted(text(
		"{'messages':[{'role':'user','content':'%s'}],'llm_config':{'content':{'name':'%zu %zu',"
		"'provider':'%s','llm_model_name':'m-%s','llm_base_url':'%s%s','api_key':'" KEY "',"
		"'max_connections':1,'max_retries':1%s%s}}}",
		content_of(i), (size_t)(misbehaviour - misbehaviours), i,
		providers[i / _WAY_MAX].name, ways[i % _WAY_MAX], url,
		providers[i / _WAY_MAX].base,
		providers[i / _WAY_MAX].config, misbehaviour->config)));
	free(url);
	return wire;
}

/* The task that it was, ended. What is told of an answer is told once. */
static json_object *end_of(struct wire *wire, enum way way)
{
	json_object *reply = NULL, *task;
	char told[1024] = "";

	do {
		json_object_put(reply);
		reply = wire_next(wire);
		ck_assert(!at_has(reply, "parameters.delta.reset"));
		if (at_has(reply, "parameters.delta.text"))
			strncat(told, at_text(reply, "parameters.delta.text"),
				sizeof(told) - 1 - strlen(told));
	} while (at_has(reply, "continues"));
	ck_assert_msg(strncmp(told, SAID, strlen(told) < strlen(SAID) ? strlen(told) : strlen(SAID)) == 0,
		      "told: %s", told);
	task = at_json(reply, way == STREAMED ? "parameters.event" : "parameters.task");
	ck_assert_msg(task != NULL, "%s", json_object_to_json_string(reply));
	json_object_get(task);
	json_object_put(reply);
	return task;
}

static int n_asked(json_object *requests, const char *content)
{
	json_object *list = at_json(requests, "requests");
	int n = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		n += strstr(at_text(json_object_array_get_idx(list, i), "body"), content) != NULL;
	return n;
}

static void check(const struct misbehaviour *misbehaviour, size_t i, json_object *task, int asked)
{
	enum way way = providers[i / _WAY_MAX].streams_not ? WHOLE : i % _WAY_MAX;
	const struct outcome *expected = &misbehaviour->outcomes[way];
	const char *what = text("%s %s: asked %d times: %s", misbehaviour->settings[0], content_of(i), asked,
				json_object_to_json_string(task));

	if (expected->code) {
		ck_assert_msg(at_is(task, "status", "FAILURE") && at_is(task, "error.code", expected->code),
			      "%s", what);
		ck_assert_msg(!strstr(at_text(task, "error.message"), KEY), "%s", what);
	} else {
		ck_assert_msg(at_is(task, "status", "SUCCESS") &&
			      at_int(task, "result.call.attempts") == expected->attempts, "%s", what);
	}
	ck_assert_msg(asked >= expected->attempts && asked <= expected->attempts_max, "%s", what);
}

/* What the endpoint can do, beside wrong verdicts. */
static void must_be_listed(const struct sim *sim)
{
	json_object *all = sim_settings(sim);

	json_object_object_foreach(all, name, value)
	{
		const char *suffix = strstr(name, "_rate");
		bool listed = !suffix || suffix[5] || strcmp(name, "bad_verdict_rate") == 0;

		(void)value;
		for (size_t m = 0; m < N_MISBEHAVIOURS; m++)
			listed = listed || strncmp(misbehaviours[m].settings[0] + 2, name, strlen(name)) == 0;
		ck_assert_msg(listed, "%s", name);
	}
	json_object_put(all);
}

/* No call has kept its place. */
static void must_be_idle(const struct daemon *daemon)
{
	struct wire *wire = daemon_connect(daemon);
	json_object *status = wire_call(wire, "GetStatus", "%s", "{}");
	json_object *endpoints = at_json(status, "endpoints");

	ck_assert_uint_gt(json_object_array_length(endpoints), 0);
	for (size_t i = 0; i < json_object_array_length(endpoints); i++) {
		json_object *endpoint = json_object_array_get_idx(endpoints, i);

		ck_assert_msg(at_int(endpoint, "in_flight") == 0 && at_int(endpoint, "waiting") == 0, "%s",
			      json_object_to_json_string(endpoint));
	}
	json_object_put(status);
	wire_close(wire);
}

START_TEST(every_misbehaviour)
{
	static struct wire *wires[N_MISBEHAVIOURS][PROVIDERS_MAX * _WAY_MAX];
	struct sim *sims[N_MISBEHAVIOURS];
	struct daemon *daemon = daemon_start(NULL);

	list_providers();
	for (size_t m = 0; m < N_MISBEHAVIOURS; m++) {
		const char *settings[SETTINGS_MAX + 3] = { "--fixed_answer=" SAID, "--keep-requests=1000" };

		memcpy(settings + 2, misbehaviours[m].settings, sizeof(misbehaviours[m].settings));
		sims[m] = sim_start(settings);
	}
	must_be_listed(sims[0]);
	for (size_t m = 0; m < N_MISBEHAVIOURS; m++)
		for (size_t i = 0; i < N_CALLS; i++)
			wires[m][i] = ask(daemon, sims[m], &misbehaviours[m], i);
	for (size_t m = 0; m < N_MISBEHAVIOURS; m++) {
		json_object *tasks[PROVIDERS_MAX * _WAY_MAX], *requests;

		for (size_t i = 0; i < N_CALLS; i++)
			tasks[i] = end_of(wires[m][i], i % _WAY_MAX);
		requests = sim_requests(sims[m], 1000);
		for (size_t i = 0; i < N_CALLS; i++) {
			check(&misbehaviours[m], i, tasks[i], n_asked(requests, content_of(i)));
			json_object_put(tasks[i]);
			wire_close(wires[m][i]);
		}
		json_object_put(requests);
	}
	must_be_idle(daemon);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	for (size_t m = 0; m < N_MISBEHAVIOURS; m++)
		sim_stop(sims[m]);
}
END_TEST

int main(void)
{
	return RUN_SUITE(every_misbehaviour);
}
