/*
 * What calls cost: by prices of the config, of the administrator's file, or none at all.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text/money.h"
#include "tests/harness/command.h"
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

/* ---- Who spent what ---- */

static json_object *costs(const char *by, const char *more)
{
	return list_all(wire, "ListCosts", "%s", requoted(text("'by':'%s'%s", by, more)));
}

static json_object *sum_of(json_object *list, size_t i)
{
	return json_object_array_get_idx(list, i);
}

/* What all tasks say that they spent. */
static int64_t spent_by_tasks(void)
{
	json_object *tasks = list_all(wire, "ListTasks", "%s", "");
	int64_t sum = 0;

	for (size_t i = 0; i < json_object_array_length(tasks); i++)
		if (at_has(sum_of(tasks, i), "progress.cost"))
			sum += money_at(sum_of(tasks, i), "progress.cost");
	return sum;
}

static int64_t spent(void)
{
	json_object *total = costs("total", "");

	ck_assert_uint_eq(json_object_array_length(total), 1);
	return money_at(sum_of(total, 0), "cost");
}

/* Looked at while nothing is spent, though a task may go on. */
static void must_add_up(void)
{
	int64_t total, by_tasks;

	do {
		total = spent();
		by_tasks = spent_by_tasks();
	} while (spent() != total);
	ck_assert_int_eq(total, by_tasks);
}

/* Answers, verdicts that had to be asked for again, what came to nothing, and tasks of the moment. */
START_TEST(spending)
{
	json_object *list, *page = NULL;
	int64_t calls;

	start((const char *[]) { "--bad_verdict_rate=0.5", NULL });
	ck_assert_uint_eq(json_object_array_length(costs("total", "")), 0);
	experiment_run(wire, &(struct experiment) {
		.rows = 20, .n_criteria = 2, .url = sim_url(sim),
		.config = "'price_input':'3','price_output':'15'" });
	list = costs("total", "");
	ck_assert_int_eq(at_int(sum_of(list, 0), "calls"), 60);
	ck_assert_int_gt(sim_stat(sim, "answered"), 60);
	ck_assert(!at_has(sum_of(list, 0), "model"));
	must_add_up();
	ask("m", "", "");
	ask("free", "", "");
	wire_call(wire, "TestLLMConfig", "{'llm_config':{'ref':{'name':'Experiment config'}}}");
	must_add_up();
	/* What is built in costs nothing, and is not there. */
	experiment_run(wire, &(struct experiment) { .name = "simulated", .rows = 3 });
	list = costs("day,user,project,llm_config,model", "");
	ck_assert_uint_eq(json_object_array_length(list), 3);
	calls = 0;
	for (size_t i = 0; i < 3; i++) {
		json_object *sum = sum_of(list, i);

		calls += at_int(sum, "calls");
		ck_assert_str_eq(at_text(sum, "project"), "default");
		ck_assert_int_eq(at_int(sum, "owner_uid"), (int64_t)getuid());
		ck_assert_int_eq(at_int(sum, "unpriced_calls"), at_is(sum, "model", "free"));
		ck_assert_int_eq(at_has(sum, "cost"), !at_is(sum, "model", "free"));
		ck_assert_uint_eq(strlen(at_text(sum, "day")), strlen("2026-01-01"));
	}
	ck_assert_int_eq(calls, 63);
	ck_assert_uint_eq(json_object_array_length(costs("model", "")), 2);
	/* Pages, other days and other projects. */
	list = costs("llm_config", "");
	for (size_t i = 0; i < 3; i++) {
		page = wire_call(wire, "ListCosts", "{'by':'llm_config','limit':1,'count':true%s%s%s}",
				 i ? ",\"cursor\":\"" : "", i ? at_text(page, "next_cursor") : "",
				 i ? "\"" : "");
		ck_assert(json_object_equal(at_json(page, "items.0"), sum_of(list, i)));
		ck_assert_int_eq(at_int(page, "count"), 3);
	}
	ck_assert(!at_has(page, "next_cursor"));
	ck_assert_uint_eq(json_object_array_length(costs("day", ",'until':'2020-01-01T00:00:00Z'")), 0);
	ck_assert_uint_eq(json_object_array_length(costs("day", ",'since':'2020-01-01T00:00:00Z'")), 1);
	ck_assert_uint_eq(json_object_array_length(costs("day", ",'since':'2120-01-01T00:00:00Z'")), 0);
	wire_call(wire, "CreateProject", "{'project':{'name':'other'}}");
	ck_assert_uint_eq(json_object_array_length(costs("day", ",'project':'other'")), 0);
	ck_assert_uint_eq(json_object_array_length(costs("day", ",'project':'default'")), 1);
	wire_refused(wire, "NotFound", "ListCosts", "{'project':'nowhere'}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListCosts", "{'by':'day,,model'}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListCosts", "{'by':'days'}");
	end();
}
END_TEST

/* What is recorded is counted with it, or not at all. */
START_TEST(spending_survives)
{
	int64_t id;

	start((const char *[]) { "--latency_seconds=0.005", NULL });
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 150, .n_criteria = 1, .url = sim_url(sim), .max_connections = 8,
		.config = "'price_input':'3','price_output':'15'" });
	for (int i = 1; i < 3; i++) {
		sim_await(sim, "answered", 80 * i);
		daemon_kill(server);
		restart();
		must_add_up();
	}
	task_await_status(server, id, "SUCCESS");
	must_add_up();
	ck_assert_int_eq(at_int(sum_of(costs("total", ""), 0), "calls"), 300);
	end();
}
END_TEST

START_TEST(command)
{
	struct command *run;

	start(NULL);
	ask("m", "", "");
	ask("free", "", "");
	run = COMMAND(server, 0, "cost");
	ck_assert_ptr_nonnull(strstr(run->out, "MODEL"));
	ck_assert_ptr_null(strstr(run->out, "DAY"));
	run = COMMAND(server, 0, "cost", "--by", "model", "--since", "2d", "--format", "csv");
	ck_assert_ptr_eq(strstr(run->out, "model,calls,unpriced,input,cached,output,cost\nm,1,0,"),
			 run->out);
	ck_assert_ptr_nonnull(strstr(run->out, "\nfree,1,1,"));
	run = COMMAND(server, 0, "cost", "--by", "total", "--json");
	ck_assert_ptr_nonnull(strstr(run->out, "\"calls\":2"));
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(prices, cached_tokens, spending, spending_survives, command);
}
