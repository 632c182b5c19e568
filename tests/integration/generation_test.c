/* What a model makes up: rows for a prompt template, out of whatever it answers, once over restarts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;

/* A template with two placeholders, a collection, and a config that asks `sim`; NULL: none. */
static void begin(const struct sim *sim)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	wire_call(wire, "CreatePromptTemplate",
		  "{'prompt_template':{'name':'T','messages':[{'role':'user','content':"
		  "'Write about {{topic}} in the style of {{writer}}, with imagination.'}]}}");
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C'}}");
	if (sim)
		wire_call(wire, "CreateLLMConfig",
			  "{'llm_config':{'name':'sim','provider':'openai','llm_model_name':'m',"
			  "'llm_base_url':'%s'}}", sim_url(sim));
}

static int64_t submit(unsigned count, const char *more)
{
	json_object *reply = wire_call(wire, "GenerateTemplateVariables",
				       "{'prompt_template':{'name':'T'},'collection':{'name':'C'},"
				       "'count':%u,'detach':true%s}", count, requoted(more));

	return at_int(reply, "task.id");
}

static json_object *rows(void)
{
	return list_all(wire, "ListTemplateVariables", "'collection':{'name':'C'}");
}

/* `n` rows that have exactly the template's placeholders, no two alike. */
static void must_have(size_t n)
{
	json_object *all = rows();

	ck_assert_uint_eq(json_object_array_length(all), n);
	for (size_t i = 0; i < n; i++) {
		json_object *row = at_json(all, text("%zu.input_values", i));

		ck_assert_uint_eq((size_t)json_object_object_length(row), 2);
		ck_assert(at_text(row, "topic") && at_text(row, "writer"));
		for (size_t k = 0; k < i; k++)
			ck_assert(!json_object_equal(row, at_json(all, text("%zu.input_values", k))));
	}
}

START_TEST(simulated)
{
	json_object *task, *reply;

	begin(NULL);
	task = task_await_status(server, submit(20, ""), "SUCCESS");
	ck_assert_str_eq(at_text(task, "kind"), "generation");
	ck_assert_int_eq(at_int(task, "result.generation.added"), 20);
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);
	must_have(20);
	task_await_status(server, submit(100, ""), "SUCCESS");
	ck_assert_uint_eq(json_object_array_length(rows()), 120);
	/* They are what an experiment with that template runs on. */
	task = experiment_run(wire, &(struct experiment) {
		.more = "'collection':{'ref':{'name':'C'}},'prompt_template':{'ref':{'name':'T'}}" });
	ck_assert_int_eq(at_int(task, "result.results.responses"), 120);
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "GenerateTemplateVariables",
			     "{'prompt_template':{'name':'T'},'collection':{'name':'C'},'count':101}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "count");
	wire_refused(wire, "NotFound", "GenerateTemplateVariables",
		     "{'prompt_template':{'name':'T'},'collection':{'name':'None'},'count':1}");
	wire_call(wire, "CreateCollection", "{'collection':{'name':'R','read_only':true}}");
	wire_refused(wire, "ReadOnly", "GenerateTemplateVariables",
		     "{'prompt_template':{'name':'T'},'collection':{'name':'R'},'count':1}");
	wire_call(wire, "NewPromptTemplateVersion",
		  "{'prompt_template':{'name':'T'},'messages':[{'role':'user','content':'None.'}]}");
	task = task_await_status(server, submit(1, ""), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.field"), "prompt_template");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What a model says, the rows that it brings of the three that it is asked for, and how often. */
static const struct {
	const char *says;
	size_t n;
	int64_t calls;
} answers[] = {
	{ "{\"items\":[{\"topic\":\"a\",\"writer\":\"b\",\"more\":1},{\"writer\":\"b\",\"topic\":\"c\"},"
	  "{\"topic\":5,\"writer\":true},{\"topic\":\"d\",\"writer\":\"b\"}]}", 3, 1 },
	{ "Sure!\n```json\n[{\"topic\":\"a\",\"writer\":\"b\"},{\"topic\":\"c\",\"writer\":\"b\"},"
	  "{\"topic\":\"d\",\"writer\":\"b\"}]\n```\nMore?", 3, 1 },
	{ "<think>[{\"topic\":\"x\",\"writer\":\"x\"}]?</think>[{\"topic\":\"a\",\"writer\":\"b\"},"
	  "{\"topic\":\"c\",\"writer\":\"b\"},{\"topic\":\"d\",\"writer\":\"b\"}]", 3, 1 },
	/* The chat template opened it. */
	{ "Perhaps [{\"topic\":\"x\",\"writer\":\"x\"}]?</think>[{\"topic\":\"a\",\"writer\":\"b\"},"
	  "{\"topic\":\"c\",\"writer\":\"b\"},{\"topic\":\"d\",\"writer\":\"b\"}]", 3, 1 },
	/* Alike, lacking a value, with one that is none; and the second answer is the same. */
	{ "{\"items\":[{\"topic\":\"a\",\"writer\":\"b\"},{\"writer\":\"b\",\"topic\":\"a\"},"
	  "{\"topic\":\"c\"},{\"topic\":\"\",\"writer\":\"b\"},{\"topic\":[],\"writer\":\"b\"},"
	  "{\"topic\":9007199254740993,\"writer\":\"b\"},{\"topic\":NaN,\"writer\":\"b\"}, 7]}", 1, 2 },
	/* Cut off. */
	{ "{\"items\": [{\"topic\":\"a\",\"writer\":\"b\"},{\"topic\":\"c\",\"writer\":\"b\"},{\"to", 2, 2 },
	{ "I would rather not.", 0, 2 },
	{ "{\"items\":\"none\"}", 0, 2 },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, 2 },
};

static json_object *settings(const char *says)
{
	json_object *settings = json_object_new_object();

	json_object_object_add(settings, "fixed_answer", json_object_new_string(says));
	return settings;
}

START_TEST(whatever_it_answers)
{
	struct sim *sim = sim_start(NULL);
	json_object *task;

	begin(sim);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		sim_reset(sim);
		sim_control(sim, "%s", json_object_to_json_string(settings(answers[i].says)));
		task = task_await_status(server, submit(3, ",'llm_config':{'ref':{'name':'sim'}}"),
					 answers[i].n > 0 ? "SUCCESS" : "FAILURE");
		ck_assert_int_eq(sim_stat(sim, "calls"), answers[i].calls);
		if (answers[i].n > 0)
			ck_assert_int_eq(at_int(task, "result.generation.added"), (int64_t)answers[i].n);
		else
			ck_assert_str_eq(at_text(task, "error.code"), "BackendRejected");
		ck_assert_int_gt(at_int(task, "progress.output_tokens"), 0);
		ck_assert_uint_eq(json_object_array_length(rows()), answers[i].n);
		wire_call(wire, "ClearCollection", "{'collection':{'name':'C'}}");
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Killed while it is asked, it asks again; killed when the rows are there and only the task's end is
 * not, it asks for nothing and adds nothing. */
START_TEST(killed)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=60", NULL });
	int64_t id, asked;

	begin(sim);
	id = submit(7, ",'llm_config':{'ref':{'name':'sim'}}");
	sim_await(sim, "calls", 1);
	daemon_kill(server);
	sim_await_closed(sim);
	sim_control(sim, "{'latency_seconds':0}");
	daemon_restart(server);
	wire = daemon_connect(server);
	task_await_status(server, id, "SUCCESS");
	must_have(7);
	asked = sim_stat(sim, "calls");
	ck_assert_int_eq(daemon_stop(server), 0);
	database_run(server, "UPDATE tasks SET status = 'STARTED', finished_at = NULL, result = NULL");
	daemon_restart(server);
	wire = daemon_connect(server);
	ck_assert_int_eq(at_int(task_await_status(server, id, "SUCCESS"), "result.generation.added"), 7);
	must_have(7);
	ck_assert_int_eq(sim_stat(sim, "calls"), asked);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static json_object *criteria(void)
{
	return at_json(wire_call(wire, "ListCriteria", "{'prompt_template':{'name':'T'}}"), "criteria");
}

static json_object *generate_criteria(const char *more)
{
	json_object *reply = wire_call(wire, "GenerateCriteria",
				       "{'prompt_template':{'name':'T'},'detach':true%s}", requoted(more));

	return task_await_status(server, at_int(reply, "task.id"), "SUCCESS");
}

/* They judge where an experiment names none. */
START_TEST(made_up_criteria)
{
	struct sim *sim;
	json_object *task;

	begin(NULL);
	ck_assert_uint_eq(json_object_array_length(criteria()), 0);
	task = generate_criteria("");
	ck_assert_int_eq(at_int(task, "result.generation.added"), 5);
	ck_assert_uint_eq(at_count(task, "result.generation.criteria"), 5);
	ck_assert(json_object_equal(at_json(task, "result.generation.criteria"), criteria()));
	ck_assert_str_eq(at_text(wire_call(wire, "GetCriterionSet", "{'criterion_set':{'id':%lld}}",
					   (long long)at_int(task, "result.generation.criterion_set_id")),
				 "criterion_set.name"), "T");
	generate_criteria(",'n':2,'delete_existing':true");
	ck_assert_uint_eq(json_object_array_length(criteria()), 2);
	task_await_status(server, submit(3, ""), "SUCCESS");
	task = experiment_run(wire, &(struct experiment) {
		.more = "'collection':{'ref':{'name':'C'}},'prompt_template':{'ref':{'name':'T'}}" });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_uint_eq(at_count(task, "result.results.criteria"), 2);
	/* What looks like a placeholder is none of the rows' columns. */
	sim = sim_start(NULL);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'sim','provider':'openai',"
		  "'llm_model_name':'m','llm_base_url':'%s'}}", sim_url(sim));
	sim_control(sim, "%s", json_object_to_json_string(settings(
		"[{\"criterion\":\"Is it {{good}}?\"},{\"criterion\":\" \"},{\"criterion\":\"Is it good?\"}]")));
	task = generate_criteria(",'llm_config':{'ref':{'name':'sim'}}");
	ck_assert_int_eq(at_int(task, "result.generation.added"), 1);
	ck_assert_uint_eq(json_object_array_length(criteria()), 3);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define CLIENTS 64
#define THREE "[{\"criterion\":\"A?\"},{\"criterion\":\"B?\"},{\"criterion\":\"C?\"}]"
#define GET_OR_GENERATE "{'prompt_template':{'name':'T'},'n':3,'llm_config':{'ref':{'name':'sim'}}%s}"

static json_object *get_or_generate(const char *more)
{
	return wire_call(wire, "GetOrGenerateCriteria", GET_OR_GENERATE, requoted(more));
}

/* Whoever asks while they are made up has them when they are; afterwards nobody needs a task. */
START_TEST(criteria_once)
{
	struct sim *sim = sim_start(NULL);
	struct wire *wires[CLIENTS];
	json_object *reply, *made, *end;
	int generated = 0;

	begin(sim);
	sim_control(sim, "%s", json_object_to_json_string(settings(THREE)));
	for (int i = 0; i < CLIENTS; i++)
		wires[i] = daemon_connect(server);
	for (int i = 0; i < CLIENTS; i++)
		wire_start(wires[i], i == 1 ? "'more':true" : "", "GetOrGenerateCriteria", GET_OR_GENERATE, "");
	for (int i = 0; i < CLIENTS; i++) {
		do
			end = wire_next(wires[i]);
		while (at_has(end, "continues"));
		end = at_json(end, "parameters");
		made = at_json(end, at_has(end, "event") ? "event.result.generation.criteria" : "criteria");
		ck_assert_uint_eq(json_object_array_length(made), 3);
		ck_assert(json_object_equal(made, criteria()));
		/* Who came when they were there already needed no task. */
		if (at_has(end, "task"))
			ck_assert_str_eq(at_text(end, "task.status"), "SUCCESS");
		if (!at_has(end, "event"))
			ck_assert_int_eq(at_bool(end, "generated"), at_has(end, "task"));
		generated += at_has(end, "task") || at_has(end, "event");
	}
	ck_assert_int_ge(generated, 1);
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")), 1);
	/* Its key brings the task that it brought, any other request what is there. */
	reply = get_or_generate("");
	ck_assert(!at_bool(reply, "generated") && !at_has(reply, "task"));
	ck_assert(json_object_equal(made, at_json(reply, "criteria")));
	wire_call(wire, "ClearCriterionSet", "{'criterion_set':{'name':'T'}}");
	reply = get_or_generate(",'idempotency_key':'k'");
	ck_assert(at_bool(reply, "generated"));
	ck_assert_int_eq(at_int(get_or_generate(",'idempotency_key':'k'"), "task.id"), at_int(reply, "task.id"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_uint_eq(at_count(get_or_generate(",'detach':true"), "criteria"), 3);
	/* Another version has the same; another template has none. */
	wire_call(wire, "NewPromptTemplateVersion",
		  "{'prompt_template':{'name':'T'},'messages':[{'role':'user','content':'On {{x}}.'}]}");
	ck_assert(!at_bool(get_or_generate(""), "generated"));
	wire_call(wire, "ClearCriterionSet", "{'criterion_set':{'name':'T'}}");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "GetOrGenerateCriteria",
			     "{'prompt_template':{'name':'T'},'n':51}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "n");
	wire_refused(wire, "NotFound", "GetOrGenerateCriteria", "{'prompt_template':{'name':'None'}}");
	/* What failed has made none, and the next one tries. */
	sim_control(sim, "{'fixed_answer':'None.'}");
	reply = get_or_generate("");
	ck_assert_str_eq(at_text(reply, "task.status"), "FAILURE");
	ck_assert(!at_has(reply, "criteria") && !at_has(reply, "generated"));
	sim_control(sim, "%s", json_object_to_json_string(settings(THREE)));
	ck_assert(at_bool(get_or_generate(""), "generated"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Two have asked for the same, and to leave means to cancel: the last of them does. */
START_TEST(the_last_who_leaves_cancels)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wires[2];
	int64_t id = 0;

	begin(sim);
	for (int i = 0; i < 2; i++) {
		wires[i] = daemon_connect(server);
		wire_start(wires[i], "'more':true", "GetOrGenerateCriteria", GET_OR_GENERATE,
			   ",\"cancel_on_disconnect\":true");
		id = at_int(wire_next(wires[i]), "parameters.event.task_id");
	}
	sim_await(sim, "in_flight", 1);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")), 1);
	wire_close(wires[0]);
	/* By the time that these are answered, its leaving has been seen. */
	for (int i = 0; i < 3; i++)
		wire_call(daemon_connect(server), "CreateCollection", "{'collection':{'name':'after %d'}}", i);
	ck_assert_str_eq(at_text(wire_call(wire, "GetTask", "{'id':%lld}", (long long)id), "task.status"), "STARTED");
	wire_close(wires[1]);
	json_object_put(task_await_status(server, id, "REVOKED"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(simulated, whatever_it_answers, killed, made_up_criteria, criteria_once,
			 the_last_who_leaves_cancels);
}
