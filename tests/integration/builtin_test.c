/*
 * The evaluators that are built in: each is listed, scores an example of its own, tells a good one from a bad
 * one, and refuses what lacks an input before anything is asked.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define N_BUILT_IN 60
#define N_MODELS 39
#define RECORDED SAMPLES_FOLDER "/judge.jsonl"
#define NOT_RECORDED "no answer is recorded for "

static struct daemon *server;
static struct wire *wire;
static struct sim *sim;
static json_object *examples;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	sim = sim_start(NULL);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'sim','provider':'openai',"
		  "'llm_model_name':'model','llm_base_url':'%s'}}", sim_url(sim));
	examples = json_object_from_file(SAMPLES_FOLDER "/examples.json");
	ck_assert_msg(examples != NULL, "%s", json_util_get_last_err());
}

static void end(void)
{
	json_object_put(examples);
	ck_assert_int_eq(daemon_stop(server), 0);
}

static bool is_parameter(const char *input)
{
	static const char *const named[] = { "request", "response", "contexts", "expected_output", "tools" };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(named[i], input) == 0)
			return true;
	return false;
}

static void add_inputs(json_object *parameters, json_object *inputs)
{
	json_object *variables = at_json(parameters, "variables");

	if (!inputs)
		return;
	json_object_object_foreach(inputs, name, value)
		json_object_object_add(is_parameter(name) ? parameters : variables, name,
				       json_object_get(value));
}

/* The parameters of RunEvaluator with one of its examples. */
static json_object *example_of(const char *name, const char *which)
{
	json_object *example = json_object_object_get(examples, name);
	json_object *parameters = json_must_parse(quoted("{'variables':{},'llm_config':{'ref':{'name':'sim'}}}"));
	json_object *ref = json_object_new_object();

	ck_assert_msg(example != NULL, "%s has no example", name);
	json_object_object_add(ref, "name", json_object_new_string(name));
	json_object_object_add(parameters, "evaluator", ref);
	add_inputs(parameters, json_object_object_get(example, "inputs"));
	add_inputs(parameters, json_object_object_get(example, which));
	return parameters;
}

static json_object *evaluate(json_object *parameters)
{
	json_object *task = at_json(wire_call(wire, "RunEvaluator", "%s", json_object_to_json_string(parameters)),
				    "task");

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	return at_json(task, "result.evaluation");
}

static void refuses_without(const char *name, const char *input)
{
	json_object *parameters = example_of(name, "good"), *reply;
	char field[80];

	snprintf(field, sizeof(field), "%s%s", is_parameter(input) ? "" : "variables.", input);
	json_object_object_del(is_parameter(input) ? parameters : at_json(parameters, "variables"), input);
	reply = wire_refused(wire, INVALID, "RunEvaluator", "%s", json_object_to_json_string(parameters));
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), field);
	json_object_put(parameters);
}

/* What is asked holds what the prompt says, and the example in the place of each placeholder. */
static void was_asked(json_object *evaluator)
{
	const char *body = at_text(sim_requests(sim, 1), "requests.0.body");
	const char *question = at_text(json_must_parse(body), "messages.1.content");

	ck_assert_ptr_nonnull(strstr(question, at_text(evaluator, "intent")));
	ck_assert_ptr_null(strstr(question, "{{"));
	for (size_t i = 0; i < at_count(evaluator, "inputs"); i++) {
		char tag[80], path[32];

		snprintf(path, sizeof(path), "inputs.%zu", i);
		snprintf(tag, sizeof(tag), "<%s-", at_text(evaluator, path));
		ck_assert_msg(strstr(question, tag), "%s: %s", tag, question);
	}
}

START_TEST(every_one)
{
	json_object *list;
	size_t n_models = 0;

	begin();
	list = list_all(wire, "ListEvaluators", "%s", "");
	ck_assert_uint_eq(json_object_array_length(list), N_BUILT_IN);
	for (size_t i = 0; i < N_BUILT_IN; i++) {
		json_object *evaluator = json_object_array_get_idx(list, i), *good, *bad;
		bool by_model = at_has(evaluator, "prompt");
		const char *name = at_text(evaluator, "name");

		ck_assert_str_eq(at_text(evaluator, "kind"), "builtin");
		ck_assert(!at_has(evaluator, "id"));
		sim_reset(sim);
		for (size_t k = 0; k < at_count(evaluator, "inputs"); k++) {
			char path[32];

			snprintf(path, sizeof(path), "inputs.%zu", k);
			refuses_without(name, at_text(evaluator, path));
		}
		ck_assert_int_eq(sim_stat(sim, "calls"), 0);
		good = evaluate(example_of(name, "good"));
		ck_assert_str_eq(at_text(good, "evaluator_name"), name);
		ck_assert_int_eq(at_int(good, "version"), at_int(evaluator, "version"));
		ck_assert_double_ge(at_number(good, "score"), 0);
		ck_assert_int_eq(sim_stat(sim, "calls"), by_model);
		n_models += by_model;
		if (by_model) {
			was_asked(evaluator);
			continue;
		}
		bad = evaluate(example_of(name, "bad"));
		ck_assert_msg(at_number(good, "score") > at_number(bad, "score"), "%s", name);
		ck_assert_ptr_nonnull(at_text(bad, "justification"));
		ck_assert(!at_has(bad, "cost"));
		ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	}
	ck_assert_uint_eq(n_models, N_MODELS);
	end();
}
END_TEST

/* ---- What a model said of them ---- */

/* The question that was asked last, as a model is to be shown it. */
static json_object *unrecorded_question(const char *message)
{
	json_object *body = sim_last_request(sim);
	json_object *question = json_object_new_object();
	const char *id = strstr(message, NOT_RECORDED);

	ck_assert_msg(id, "%s", message);
	json_object_object_add(question, "id", json_object_new_string_len(id + strlen(NOT_RECORDED), 64));
	json_object_object_add(question, "messages", json_object_get(at_json(body, "messages")));
	json_object_object_add(question, "response_format", json_object_get(at_json(body, "response_format")));
	return question;
}

/* NAN, and the question in `unrecorded`, where no answer is recorded. */
static double recorded_score(const char *name, const char *which, json_object *unrecorded)
{
	json_object *parameters = example_of(name, which);
	json_object *task = at_json(wire_call(wire, "RunEvaluator", "%s", json_object_to_json_string(parameters)),
				    "task");

	if (!at_is(task, "status", "SUCCESS")) {
		json_object_array_add(unrecorded, unrecorded_question(at_text(task, "error.message")));
		return NAN;
	}
	return at_number(task, "result.evaluation.score");
}

static int by_id(const void *a, const void *b)
{
	return strcmp(at_text(*(json_object *const *)a, "id"), at_text(*(json_object *const *)b, "id"));
}

static size_t n_recorded(void)
{
	FILE *file = fopen(RECORDED, "re");
	char *line = NULL;
	size_t size = 0, n = 0;

	ck_assert_ptr_nonnull(file);
	while (getline(&line, &size, file) >= 0)
		n += line[0] == '{';
	free(line);
	fclose(file);
	return n;
}

/* Their ids are their order: it says nothing of which example is which. */
static void write_unrecorded(json_object *unrecorded)
{
	FILE *file = fopen(UNRECORDED, "we");

	ck_assert_ptr_nonnull(file);
	json_object_array_sort(unrecorded, by_id);
	for (size_t i = 0; i < json_object_array_length(unrecorded); i++)
		fprintf(file, "%s\n", json_object_to_json_string_ext(json_object_array_get_idx(unrecorded, i),
								     JSON_C_TO_STRING_PLAIN));
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(tells_apart)
{
	json_object *list, *unrecorded = json_object_new_array();
	size_t n_models = 0;

	begin();
	sim_control(sim, "{'recorded_answers':'%s'}", RECORDED);
	list = list_all(wire, "ListEvaluators", "%s", "");
	for (size_t i = 0; i < N_BUILT_IN; i++) {
		json_object *evaluator = json_object_array_get_idx(list, i);
		const char *name = at_text(evaluator, "name");
		double good, bad;

		if (!at_has(evaluator, "prompt"))
			continue;
		good = recorded_score(name, "good", unrecorded);
		bad = recorded_score(name, "bad", unrecorded);
		n_models++;
		ck_assert_msg(isnan(good) || isnan(bad) || good > bad, "%s: %g and %g", name, good, bad);
	}
	ck_assert_uint_eq(n_models, N_MODELS);
	write_unrecorded(unrecorded);
	ck_assert_msg(json_object_array_length(unrecorded) == 0, "answers are missing: " RECORDED
		      " says how they are recorded, and the questions are in " UNRECORDED);
	ck_assert_msg(n_recorded() == 2 * N_MODELS, RECORDED " answers what is not asked any more");
	json_object_put(unrecorded);
	end();
}
END_TEST

START_TEST(lists)
{
	json_object *page, *reply;
	size_t n = 0;

	begin();
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'Own','prompt':'{{response}}?'}}");
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListEvaluators", "%s", "")), N_BUILT_IN + 1);
	page = wire_call(wire, "ListEvaluators", "{'limit':7,'count':true}");
	ck_assert_int_eq(at_int(page, "count"), N_BUILT_IN + 1);
	ck_assert_str_eq(at_text(page, "items.0.name"), "Own");
	ck_assert_str_eq(at_text(page, "items.1.name"), "Politeness");
	for (n = at_count(page, "items"); at_has(page, "next_cursor"); n += at_count(page, "items"))
		page = wire_call(wire, "ListEvaluators", "{'limit':7,'cursor':'%s'}", at_text(page, "next_cursor"));
	ck_assert_uint_eq(n, N_BUILT_IN + 1);

	reply = wire_call(wire, "ListEvaluators", "{'name':'Faithfulness'}");
	ck_assert_uint_eq(at_count(reply, "items"), 1);
	reply = wire_call(wire, "GetEvaluator", "{'evaluator':{'name':'Faithfulness'}}");
	ck_assert_uint_eq(at_count(reply, "evaluator.inputs"), 2);
	wire_call(wire, "GetEvaluator", "{'evaluator':{'name':'Faithfulness','version':%d}}",
		  (int)at_int(reply, "evaluator.version"));
	wire_refused(wire, "NotFound", "GetEvaluator", "{'evaluator':{'name':'Faithfulness','version':99}}");
	wire_refused(wire, "NotFound", "GetEvaluator", "{'evaluator':{'name':'faithfulness'}}");
	wire_refused(wire, "Conflict", "CreateEvaluator",
		     "{'evaluator':{'name':'Faithfulness','prompt':'{{response}}?'}}");
	wire_refused(wire, "ReadOnly", "DeleteEvaluator", "{'evaluator':{'name':'Faithfulness'}}");
	end();
}
END_TEST

/* Some take a model and some do not. */
START_TEST(judged_together)
{
	json_object *task;

	begin();
	wire_call(wire, "CreateJudge",
		  "{'judge':{'name':'J','evaluators':[{'name':'Politeness'},{'name':'Equals'},{'name':'Is JSON'}]}}");
	task = at_json(wire_call(wire, "RunJudge", "{'judge':{'name':'J'},'response':'1','expected_output':'2',"
				 "'llm_config':{'ref':{'name':'sim'}}}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.judgement.n_scored"), 3);
	ck_assert_double_eq(at_number(task, "result.judgement.results.1.score"), 0);
	ck_assert_double_eq(at_number(task, "result.judgement.results.2.score"), 1);
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

/* A model for embeddings compares; another one is asked. Either says which. */
START_TEST(similarity)
{
	json_object *parameters, *same, *other, *judged;

	begin();
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'vectors','provider':'openai',"
		  "'llm_model_name':'text-embedding-3-small','llm_base_url':'%s'}}", sim_url(sim));
	parameters = json_must_parse(quoted("{'evaluator':{'name':'Answer Semantic Similarity'},'response':'red wine',"
					    "'expected_output':'red wine','llm_config':{'ref':{'name':'vectors'}}}"));
	same = evaluate(parameters);
	ck_assert_double_eq_tol(at_number(same, "score"), 1, 1e-6);
	ck_assert_ptr_nonnull(strstr(at_text(same, "justification"), "by embeddings of text-embedding-3-small"));
	json_object_object_add(parameters, "expected_output", json_object_new_string("green tea"));
	other = evaluate(parameters);
	ck_assert_double_lt(at_number(other, "score"), 0.9);
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	judged = evaluate(example_of("Answer Semantic Similarity", "good"));
	ck_assert_ptr_nonnull(strstr(at_text(judged, "justification"), "by a judge's prompt"));
	end();
}
END_TEST

/* What no function can decide is no score, and says which input it is. */
START_TEST(no_score)
{
	json_object *task;

	begin();
	task = at_json(wire_call(wire, "RunEvaluator", "{'evaluator':{'name':'Regex'},'response':'a',"
				 "'variables':{'pattern':'('}}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert(!at_has(task, "result.evaluation.score"));
	ck_assert_str_eq(at_text(task, "error.field"), "pattern");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(every_one, tells_apart, lists, judged_together, similarity, no_score);
}
