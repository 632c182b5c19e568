/* Embed: vectors of texts, by each provider that makes any; what they cost, and who has none. */
#include <math.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define KEY "sk-ant-0123456789abcdef"
#define TEXTS "'texts':['A warm day','It is a warm day','Rivers run']"

/* Whose way to speak it is, what its base has behind the endpoint's, and how many requests it takes. */
static const struct {
	const char *provider, *base;
	int n_requests;
} spoken[] = {
	{ "openai", "/v1", 1 },		 { "azure", "", 1 },
	{ "mistral", "/mistral/v1", 1 }, { "cohere", "", 1 },
	{ "gemini", "", 1 },		 { "vertex", "/v1/projects/p/locations/l", 3 },
	{ "bedrock", "", 3 },
};

static struct daemon *server;
static struct wire *wire;
static struct sim *sim;
static char *origin;

static void start(const char *const *settings)
{
	sim = sim_start(settings);
	origin = strdup(sim_url(sim));
	*strstr(origin, "/v1") = '\0';
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
	free(origin);
}

static const char *config(const char *provider, const char *base, const char *more)
{
	return text("'llm_config':{'content':{'name':'%s%s','provider':'%s','llm_model_name':'m',"
		    "'llm_base_url':'%s%s','api_key':'" KEY "'%s}}", provider, base, provider, origin, base, more);
}

static json_object *embed(const char *more)
{
	return json_object_get(at_json(wire_call(wire, "Embed", "%s", requoted(text("{" TEXTS "%s}", more))),
				       "task"));
}

static json_object *vector(json_object *task, int i)
{
	return at_json(task, text("result.embedding.embeddings.%d.vector", i));
}

static double cosine(json_object *task, int i, int k)
{
	json_object *a = vector(task, i), *b = vector(task, k);
	double both = 0, left = 0, right = 0;

	for (size_t j = 0; j < json_object_array_length(a); j++) {
		double x = json_object_get_double(json_object_array_get_idx(a, j));
		double y = json_object_get_double(json_object_array_get_idx(b, j));

		both += x * y;
		left += x * x;
		right += y * y;
	}
	return both / sqrt(left * right);
}

/* Whatever goes wrong on the way, each text gets its own vector, which is the same everywhere. */
START_TEST(providers)
{
	json_object *simulated, *task;

	start((const char *[]) { "--api_key=" KEY, "--error_503_rate=0.3", "--retry_after_seconds=0.01",
				 "--seed=0", NULL });
	simulated = embed("");
	ck_assert_str_eq(at_text(simulated, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(simulated, "kind"), "embedding");
	ck_assert_str_eq(at_text(simulated, "result.embedding.model"), "simulated");
	ck_assert_int_eq(at_int(simulated, "result.embedding.dimensions"), 256);
	ck_assert_double_gt(cosine(simulated, 0, 1), cosine(simulated, 0, 2));
	ck_assert_double_eq_tol(cosine(simulated, 0, 0), 1, 1e-6);
	for (size_t i = 0; i < sizeof(spoken) / sizeof(*spoken); i++) {
		int64_t keys = sim_stat(sim, "distinct_keys");

		task = embed(text(",%s", config(spoken[i].provider, spoken[i].base, ",'max_retries':30")));
		ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
		ck_assert_int_eq(sim_stat(sim, "distinct_keys") - keys, spoken[i].n_requests);
		ck_assert_uint_eq(at_count(task, "result.embedding.embeddings"), 3);
		for (int k = 0; k < 3; k++)
			ck_assert(json_object_equal(vector(task, k), vector(simulated, k)));
		ck_assert_int_gt(at_int(task, "result.embedding.usage.input_tokens"), 0);
		ck_assert_int_eq(at_int(task, "progress.input_tokens"),
				 at_int(task, "result.embedding.usage.input_tokens"));
		json_object_put(task);
	}
	/* It can be had again, and the same of it. */
	task = at_json(wire_call(wire, "GetTask", "{'id':%lld}", (long long)at_int(simulated, "id")), "task");
	ck_assert(json_object_equal(at_json(task, "result"), at_json(simulated, "result")));
	json_object_put(simulated);
	end();
}
END_TEST

/* As many numbers as are asked for, as what they are for. */
START_TEST(settings)
{
	json_object *task, *request;

	start((const char *[]) { NULL });
	task = embed(text(",'dimensions':8,'purpose':'query',%s", config("cohere", "", "")));
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.embedding.dimensions"), 8);
	ck_assert_uint_eq(json_object_array_length(vector(task, 2)), 8);
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "input_type"), "search_query");
	json_object_put(task);
	end();
}
END_TEST

START_TEST(what_is_wrong)
{
	json_object *task;
	char many[512] = "'a'";

	start((const char *[]) { "--api_key=" KEY, NULL });
	for (int i = 0; i < 32; i++)
		strcat(many, ",'a'");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Embed", "{'texts':[]}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Embed", "%s",
		     requoted(text("{'texts':[%s]}", many)));
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Embed", "{" TEXTS ",'dimensions':4097}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Embed", "{" TEXTS ",'purpose':'fun'}");
	task = embed(text(",%s", config("anthropic", "", "")));
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "Unsupported");
	ck_assert_str_eq(at_text(task, "error.field"), "llm_config.provider");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	json_object_put(task);
	sim_control(sim, "{'context_length_rate':1}");
	task = embed(text(",%s", config("openai", "/v1", "")));
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_int_eq(at_int(task, "error.status"), 400);
	ck_assert(!at_has(task, "result"));
	json_object_put(task);
	sim_control(sim, "{'context_length_rate':0}");
	task = embed(text(",%s", config("openai", "/elsewhere", "")));
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "/elsewhere/embeddings"));
	json_object_put(task);
	end();
}
END_TEST

/* Each request counts, and none is made beyond what may be spent. */
START_TEST(costs)
{
	const char *priced = ",'price_input':'1000000','price_output':'0','max_connections':1";
	json_object *task, *listed;

	start((const char *[]) { NULL });
	task = embed(text(",%s", config("vertex", "/v1/projects/p/locations/l", priced)));
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.embedding.cost"),
			 text("%lld", (long long)at_int(task, "result.embedding.usage.input_tokens")));
	listed = list_all(wire, "ListCosts", "'by':'llm_config'");
	ck_assert_int_eq(at_int(listed, "0.calls"), 3);
	ck_assert_str_eq(at_text(listed, "0.cost"), at_text(task, "result.embedding.cost"));
	json_object_put(task);
	/* The first alone takes more. */
	wire_start(wire, "'more':true", "Embed", "%s",
		   requoted(text("{" TEXTS ",'cost_limit':'1',%s}",
				 config("vertex", "/v1/projects/p/locations/l", priced))));
	while (!at_is(wire_next(wire), "parameters.event.hold", "budget"))
		continue;
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	end();
}
END_TEST

START_TEST(command)
{
	struct command *said;
	json_object *json;

	start((const char *[]) { NULL });
	said = COMMAND(server, 0, "embed", "A warm day", "Rivers run", "--dimensions", "4");
	ck_assert_ptr_nonnull(strstr(said->err, "Simulated: "));
	json = json_object_get(json_must_parse(strchr(said->out, '\n') + 1));
	ck_assert_uint_eq(json_object_array_length(json), 4);
	said = command_run_line(server, 0, "printf 'A warm day\\n\\nRivers run\\n' | $0 embed --dimensions 4 --json "
				"| tail -n 1");
	ck_assert_uint_eq(at_count(json_must_parse(said->out), "embeddings"), 2);
	ck_assert(json_object_equal(at_json(json_must_parse(said->out), "embeddings.1.vector"), json));
	json_object_put(json);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(providers, settings, what_is_wrong, costs, command);
}
