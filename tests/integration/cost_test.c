/*
 * What calls cost: by prices of the config, of the administrator's file, or none at all.
 */
#include <stdlib.h>

#include "proto/money.h"
#include "tests/integration/control.h"

static struct sim *sim;

/* Also a file of prices for the endpoint: the model `m`, half a dollar a token, one of output. */
static void start(const char *const *settings)
{
	const char *path = dir_path(dir_new(), "prices");

	sim = sim_start(settings);
	file_write(path, text("%s m 500000 1000000 cached=250000\n%s half 1 -\n", sim_url(sim),
			      sim_url(sim)));
	begin(text("[daemon]\nprice_file = %s\n", path));
}

static json_object *ask(const char *model, const char *config, const char *more)
{
	static int n;
	json_object *reply;

	reply = wire_call(wire, "Call", "%s", requoted(text(
		"{'messages':[{'role':'user','content':'A haiku about the first snow of the year'}],'llm_config':{'content':{'name':'L%d',"
		"'provider':'openai','llm_model_name':'%s','llm_base_url':'%s'%s}}%s}",
		n++, model, sim_url(sim), config, more)));
	return json_object_get(at_json(reply, "task"));
}

static int64_t money_at(json_object *json, const char *path)
{
	int64_t amount;

	ck_assert_int_eq(money_parse(at_text(json, path), &amount), 0);
	return amount;
}

#define DOLLAR INT64_C(1000000000)

START_TEST(prices)
{
	json_object *task;
	int64_t input, output;

	start((const char *[]) { "--cached_tokens=3", NULL });
	task = ask("m", "", "");
	input = at_int(task, "result.call.usage.input_tokens");
	output = at_int(task, "result.call.usage.output_tokens");
	ck_assert_int_gt(input, 3);
	ck_assert_int_eq(at_int(task, "result.call.usage.cached_tokens"), 3);
	ck_assert_int_eq(4 * money_at(task, "result.call.cost"),
			 DOLLAR * (2 * (input - 3) + 3 + 4 * output));
	ck_assert_str_eq(at_text(task, "progress.cost"), at_text(task, "result.call.cost"));
	/* The config's own go before, and not in part; what is unknown is not nothing. */
	task = ask("m", ",'price_input':'1000000','price_output':'1000000'", "");
	ck_assert_int_eq(money_at(task, "result.call.cost"), DOLLAR * (input + output));
	task = ask("m", ",'price_input':'1000000','price_output':'0','price_cached_input':'0'", "");
	ck_assert_int_eq(money_at(task, "result.call.cost"), DOLLAR * (input - 3));
	ck_assert(!at_has(ask("m", ",'price_output':'1'", ""), "result.call.cost"));
	ck_assert(!at_has(ask("half", "", ""), "result.call.cost"));
	ck_assert(!at_has(ask("gpt-4o", "", ""), "result.call.cost"));
	/* What is known can be limited, by whichever. */
	ck_assert_str_eq(at_text(ask("m", "", ",'cost_limit':'1000000'"), "status"), "SUCCESS");
	ck_assert_str_eq(at_text(ask("half", "", ",'cost_limit':'1000000'"), "error.field"), "cost_limit");
	end();
}
END_TEST

START_TEST(cached_tokens)
{
	json_object *task, *items;
	int64_t cached = 0;

	start((const char *[]) { "--cached_tokens=2", NULL });
	task = experiment_run(wire, &(struct experiment) {
		.rows = 5, .n_criteria = 2, .url = sim_url(sim),
		.config = "'price_input':'1','price_output':'1'" });
	ck_assert_int_eq(at_int(task, "result.results.total_cached_tokens"), 2 * 15);
	items = list_all(wire, "ListResponses", "'experiment':{'name':'Experiment'}");
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		json_object *response = json_object_array_get_idx(items, i);

		cached += at_int(response, "cached_tokens") + at_int(response, "ratings.1.cached_tokens");
	}
	ck_assert_int_eq(cached, 2 * 10);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(prices, cached_tokens);
}
