#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/text/float_text.h"
#include "proto/wire/message.h"
#include "tests/unit/suite.h"

static void *decode(const struct record_type *type, const char *text, enum record_source source,
		    struct arena *arena)
{
	struct fault fault = { 0 };
	void *record = NULL;
	int r = record_from_text(type, text, strlen(text), source, arena, &record, &fault);

	ck_assert_msg(r == 0, "%s: %s", text, fault.message);
	return record;
}

static void expect(const struct record_type *type, const char *text, const char *message)
{
	struct arena arena = { 0 };
	struct fault fault = { 0 };
	void *record;

	ck_assert_int_eq(record_from_text(type, text, strlen(text), FROM_CLIENT, &arena, &record,
					  &fault),
			 ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(fault.message, message);
	arena_done(&arena);
}

START_TEST(decoding)
{
	struct arena arena = { 0 };
	struct ellu_llm_config *config = decode(
		&ellu_llm_config_type,
		"{\"name\":\"c\",\"provider\":\"openai\",\"extra_headers\":{\"X-A\":\"1\","
		"\"X-B\":\"\"},\"extra_body\":{\"a\":[1,2.50,\"\xc3\xa4/\"]},\"max_connections\":4,"
		"\"temperature\":1,\"stop\":[\"x\",\"y\"],\"logprobs\":false,"
		"\"price_input\":\"0.25\",\"seed\":null}",
		FROM_CLIENT, &arena);

	ck_assert_uint_eq(config->struct_size, sizeof(*config));
	ck_assert_str_eq(config->name, "c");
	ck_assert_str_eq(config->llm_model_name, "simulated"); // defaults
	ck_assert_int_eq(*config->max_retries, 5);
	ck_assert_double_eq(config->timeout_seconds, 600);
	ck_assert_str_eq(config->structured_output, "auto");
	ck_assert_uint_eq(config->n_extra_headers, 2);
	ck_assert_str_eq(config->extra_headers[1].key, "X-B");
	ck_assert_str_eq(config->extra_headers[1].value, "");
	ck_assert_str_eq(config->extra_body, "{\"a\":[1,2.50,\"\xc3\xa4/\"]}");
	ck_assert_int_eq(*config->max_connections, 4);
	ck_assert_double_eq(*config->temperature, 1);
	ck_assert_uint_eq(config->n_stop, 2);
	ck_assert_str_eq(config->stop[1], "y");
	ck_assert_int_eq(*config->logprobs, 0);
	ck_assert_int_eq(*config->price_input, 250000000);
	ck_assert_ptr_null(config->price_output);
	ck_assert_ptr_null(config->seed);
	ck_assert_ptr_null(config->custom);
	arena_done(&arena);
}
END_TEST

START_TEST(nested_records)
{
	struct arena arena = { 0 };
	struct ellu_run_experiment_request *run = decode(
		&ellu_run_experiment_request_type,
		"{\"prompt_template\":{\"content\":{\"name\":\"t\",\"messages\":[{\"role\":\"user\","
		"\"content\":\"hi\",\"tool_calls\":[]},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":"
		"\"1\",\"name\":\"f\",\"arguments\":\"{}\"}]}]}},\"collection\":{\"ref\":{\"id\":"
		"3}},\"criteria\":[\"a\",\"b\"]}",
		FROM_CLIENT, &arena);
	const struct ellu_prompt_template *template = run->prompt_template->content;

	ck_assert_ptr_null(run->prompt_template->ref);
	ck_assert_uint_eq(template->n_messages, 2);
	ck_assert_str_eq(template->messages[0]->content, "hi");
	ck_assert_ptr_nonnull(template->messages[0]->tool_calls); // empty, not absent
	ck_assert_uint_eq(template->messages[0]->n_tool_calls, 0);
	ck_assert_ptr_null(template->messages[1]->parts);
	ck_assert_str_eq(template->messages[1]->tool_calls[0]->arguments, "{}");
	ck_assert_int_eq(*run->collection->ref->id, 3);
	ck_assert_str_eq(run->criteria[1], "b");
	ck_assert_int_eq(run->detach, 0);
	arena_done(&arena);
}
END_TEST

START_TEST(refusals)
{
	expect(&ellu_get_task_request_type, "[]", ": expected an object");
	expect(&ellu_get_task_request_type, "{}",
	       "id: expected an integer, 1 to 9007199254740991; it is missing");
	expect(&ellu_get_task_request_type, "{\"id\":null}",
	       "id: expected an integer, 1 to 9007199254740991; it is null");
	expect(&ellu_get_task_request_type, "{\"id\":0}",
	       "id: expected 1 to 9007199254740991");
	expect(&ellu_get_task_request_type, "{\"id\":3.0}",
	       "id: expected an integer, 1 to 9007199254740991");
	expect(&ellu_get_task_request_type, "{\"id\":1,\"ids\":1}",
	       "ids: expected no field of this name; did you mean id?");
	expect(&ellu_run_experiment_request_type,
	       "{\"generation_params\":{\"temperature\":2.5}}",
	       "generation_params.temperature: expected 0 to 2");
	expect(&ellu_run_experiment_request_type, "{\"criteria\":[\"a\",7]}",
	       "criteria[1]: expected a string");
	expect(&ellu_run_experiment_request_type,
	       "{\"collection\":{\"content\":{\"name\":\"c\",\"variables\":[{},{},[]]}}}",
	       "collection.content.variables[2]: expected an object");
	expect(&ellu_run_experiment_request_type,
	       "{\"collection\":{\"content\":{\"name\":\"c\"},\"ref\":{\"id\":1}}}",
	       "collection: expected exactly one of ref, content");
	expect(&ellu_run_experiment_request_type, "{\"collection\":{}}",
	       "collection: expected exactly one of ref, content");
	expect(&ellu_run_experiment_request_type, "{\"experiment\":{}}",
	       "experiment: expected exactly one of id, name");
	expect(&ellu_run_experiment_request_type,
	       "{\"generation_params\":{\"reasoning_effort\":\"low\",\"temperature\":1}}",
	       "generation_params.temperature: expected at most one of temperature, reasoning_effort");
	expect(&ellu_call_request_type,
	       "{\"messages\":[{\"role\":\"user\",\"content\":\"\",\"parts\":[{\"text\":\"a\"}]}]}",
	       "messages[0].content: expected at most one of content, parts");
	expect(&ellu_call_request_type, "{\"messages\":[{\"role\":\"user\"}]}",
	       "messages[0].content: expected at least one of content, parts, tool_calls");
	expect(&ellu_run_experiment_request_type, "{\"experiment\":{\"name\":\"e\",\"version\":1}}",
	       "experiment.version: must be left out as it has no versions");
	expect(&ellu_run_experiment_request_type,
	       "{\"fallback_llm_configs\":[{\"ref\":{\"name\":\"c\",\"version\":1}}]}",
	       "fallback_llm_configs[0].ref.version: must be left out as it has no versions");
	expect(&ellu_compare_experiments_request_type,
	       "{\"experiments\":[{\"id\":1},{\"id\":2,\"version\":1}]}",
	       "experiments[1].version: must be left out as it has no versions");
	expect(&ellu_run_experiment_request_type, "{\"rating_mode\":\"slow\"}",
	       "rating_mode: expected one of fast, detailed");
	expect(&ellu_run_experiment_request_type, "{\"name\":\"a\\tb\"}",
	       "name: expected 1 to 200 characters, none of them a control character");
	expect(&ellu_create_llm_config_request_type,
	       "{\"llm_config\":{\"id\":1,\"name\":\"a\",\"provider\":\"openai\"}}",
	       "llm_config.id: expected no value, it is read-only");
	expect(&ellu_create_llm_config_request_type,
	       "{\"llm_config\":{\"name\":\"a\",\"provider\":\"openai\",\"extra_headers\":"
	       "{\"X\":1}}}",
	       "llm_config.extra_headers.X: expected a string");
	expect(&ellu_create_llm_config_request_type,
	       "{\"llm_config\":{\"name\":\"a\",\"provider\":\"openai\",\"price_input\":\"-1\"}}",
	       "llm_config.price_input: expected US dollars as a decimal string like 0.25, "
	       "not negative");
	expect(&ellu_list_tasks_request_type, "{\"since\":\"2026\"}",
	       "since: expected a time like 2026-01-31T12:00:00.000Z");
}
END_TEST

START_TEST(from_daemon)
{
	struct arena arena = { 0 };
	struct fault fault;
	void *record;
	// a newer daemon may add fields and values
	struct ellu_column *column = decode(&ellu_column_type,
					    "{\"name\":\"\",\"type\":\"image\",\"new\":1}",
					    FROM_DAEMON, &arena);

	ck_assert_str_eq(column->type, "image");
	ck_assert_int_eq(record_from_text(&ellu_column_type, "{\"name\":\"a\"}", 12, FROM_DAEMON,
					  &arena, &record, &fault),
			 ELLU_E_INVALID_PARAMETER);
	column = decode(&ellu_column_type, "{\"name\":\"a\",\"position\":3}", FROM_STORE, &arena);
	ck_assert_str_eq(column->type, "text");
	ck_assert_int_eq(*column->position, 3);
	arena_done(&arena);
}
END_TEST

START_TEST(encoding)
{
	static const struct ellu_entry headers[] = { { "X", "1" } };
	static const char *const stop[] = { "a\n" };
	const int64_t seed = -1, price = 250000000;
	const double temperature = 0.1, top_p = 1;
	const int logprobs = 2;
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	char *text;

	config.name = "c/d";
	config.provider = "openai";
	config.llm_model_name = "m";
	config.api_key = "secret";
	config.extra_headers = headers;
	config.n_extra_headers = 1;
	config.extra_body = "{ \"kept\" :1.0}";
	config.stop = stop;
	config.n_stop = 1;
	config.seed = &seed;
	config.temperature = &temperature;
	config.top_p = &top_p;
	config.logprobs = &logprobs;
	config.price_input = &price;
	ck_assert_int_eq(
		record_to_text(&ellu_llm_config_type, &config, TO_DAEMON, &text, NULL), 0);
	ck_assert_str_eq(text, "{\"name\":\"c/d\",\"provider\":\"openai\",\"llm_model_name\":\"m\","
			       "\"api_key\":\"secret\",\"extra_headers\":{\"X\":\"1\"},"
			       "\"extra_body\":{ \"kept\" :1.0},\"top_p\":1.0,\"temperature\":0.1,"
			       "\"seed\":-1,\"stop\":[\"a\\n\"],\"logprobs\":true,"
			       "\"price_input\":\"0.25\"}");
	free(text);
	ck_assert_int_eq(record_to_text(&ellu_llm_config_type, &config, TO_CLIENT, &text, NULL),
			 0);
	ck_assert_ptr_null(strstr(text, "secret"));
	free(text);
	ck_assert_int_eq(record_to_text(&ellu_llm_config_type, &config, TO_STORE, &text, NULL), 0);
	ck_assert_ptr_null(strstr(text, "secret"));
	free(text);
}
END_TEST

START_TEST(encoding_refusals)
{
	const double infinite = INFINITY, nan_value = NAN;
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	struct ellu_template_variables row = ELLU_RECORD(struct ellu_template_variables);
	char *text;

#define ENCODE(type, record, sink) record_to_text(&ellu_##type##_type, &(record), sink, &text, NULL)
	ck_assert_int_eq(ENCODE(llm_config, config, TO_CLIENT), -EINVAL); // no name
	ck_assert_int_eq(ENCODE(llm_config, config, TO_DAEMON), 0);
	ck_assert_str_eq(text, "{}");
	free(text);
	config.name = config.provider = config.llm_model_name = "x";
	config.temperature = &infinite;
	ck_assert_int_eq(ENCODE(llm_config, config, TO_CLIENT), -EDOM);
	config.temperature = &nan_value;
	ck_assert_int_eq(ENCODE(llm_config, config, TO_DAEMON), -EDOM);
	config.temperature = NULL;
	config.name = "\xff";
	ck_assert_int_eq(ENCODE(llm_config, config, TO_CLIENT), -EILSEQ);
	config.name = "x";
	config.custom = "{\"a\":1},\"evil\":{}";
	ck_assert_int_eq(ENCODE(llm_config, config, TO_DAEMON), -EINVAL);
	config.custom = "[]";
	ck_assert_int_eq(ENCODE(llm_config, config, TO_DAEMON), -EINVAL);
	config.custom = NULL;
	config.struct_size = 0;
	ck_assert_int_eq(ENCODE(llm_config, config, TO_CLIENT), -EINVAL);
	row.input_values = "{}";
	row.created_at = INT64_MAX;
	ck_assert_int_eq(ENCODE(template_variables, row, TO_CLIENT), -EDOM);
#undef ENCODE
}
END_TEST

/* A program built against an older header has shorter records. */
START_TEST(older_records)
{
	struct ellu_column column = ELLU_RECORD(struct ellu_column);
	char *text;

	column.name = "n";
	column.type = "text";
	column.default_value = (const char *) 1; // beyond its size, never touched
	column.struct_size = offsetof(struct ellu_column, default_value);
	ck_assert_int_eq(record_to_text(&ellu_column_type, &column, TO_CLIENT, &text, NULL), 0);
	ck_assert_str_eq(text, "{\"name\":\"n\",\"type\":\"text\"}");
	free(text);
}
END_TEST

/* What clients get of a list of counts is written in another way than the rest. */
START_TEST(lists_of_counts)
{
	static const int64_t values[] = { 0, 7, -1, 1234567890, INT64_MAX, INT64_MIN };
	enum { N = 6 };
	struct ellu_epoch_progress epochs[N];
	const struct ellu_epoch_progress *list[N];
	struct ellu_progress progress = ELLU_RECORD(struct ellu_progress);

	for (size_t n = 0; n <= N; n++) {
		char *to_client, *to_daemon;

		for (size_t i = 0; i < n; i++) {
			epochs[i] = ELLU_RECORD(
				struct ellu_epoch_progress);
			epochs[i].epoch = epochs[i].total = values[i];
			epochs[i].rated = values[N - 1 - i];
			list[i] = &epochs[i];
		}
		progress.epochs = list;
		progress.n_epochs = n;
		ck_assert_int_eq(record_to_text(&ellu_progress_type, &progress, TO_CLIENT, &to_client,
						NULL), 0);
		ck_assert_int_eq(record_to_text(&ellu_progress_type, &progress, TO_DAEMON, &to_daemon,
						NULL), 0);
		ck_assert_str_eq(to_client, to_daemon);
		free(to_client);
		free(to_daemon);
	}
	epochs[1].struct_size = offsetof(struct ellu_epoch_progress, total); // an older program's
	char *text;
	ck_assert_int_eq(record_to_text(&ellu_progress_type, &progress, TO_CLIENT, &text, NULL), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"rated\":9223372036854775807},"));
	free(text);
	list[0] = NULL;
	ck_assert_int_eq(record_to_text(&ellu_progress_type, &progress, TO_CLIENT, &text, NULL), -EINVAL);
}
END_TEST

START_TEST(floats)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0.0" },	   { 0.1, "0.1" },     { 1.0 / 3, "0.3333333333333333" },
		{ 1e300, "1e+300" }, { -2.5, "-2.5" }, { 5e-324, "4.94065645841247e-324" },
		{ 123456789, "123456789.0" }, { -0.0, "-0.0" }, { 1, "1.0" },
		{ 999999.999999999, "999999.999999999" }, { 1e6, "1000000.0" }, { -1e5, "-100000.0" },
		{ 0.0001, "0.0001" }, { 0.000123456, "0.000123456" }, { 0.00009, "9e-05" },
		{ 0.1 + 0.2, "0.30000000000000004" }, { 10.000000001, "10.000000001" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_object *json = json_float(cases[i].value);

		ck_assert_str_eq(json_text(json, NULL), cases[i].text);
		ck_assert(json_object_get_double(json) == cases[i].value);
		json_object_put(json);
	}
	ck_assert_ptr_null(json_float(NAN));
}
END_TEST

/* Written the quick way where that is exact, and read back as they were. */
START_TEST(lists_of_numbers)
{
	static const double numbers[] = { 0, -0.0, 0.5, -0.25, 1e-9, -0.123456789, 999999.999999999, 1e6,
					  1.0 / 3, 1e300, 0.1 + 0.2, 5e-324, 12345.000000001 };
	struct ellu_embedding vector = ELLU_RECORD(struct ellu_embedding);
	const struct ellu_embedding *read;
	struct fault fault = { 0 };
	struct arena arena;
	void *record;
	char *text;

	arena_init(&arena);
	vector.vector = numbers;
	vector.n_vector = sizeof(numbers) / sizeof(*numbers);
	ck_assert_int_eq(record_to_text(&ellu_embedding_type, &vector, TO_CLIENT, &text, NULL), 0);
	ck_assert_str_eq(text, "{\"vector\":[0.0,-0.0,0.5,-0.25,0.000000001,-0.123456789,999999.999999999,1000000.0,"
			       "0.3333333333333333,1e+300,0.30000000000000004,4.94065645841247e-324,"
			       "12345.000000001]}");
	ck_assert_int_eq(record_from_text(&ellu_embedding_type, text, strlen(text), FROM_CLIENT, &arena, &record,
					  &fault), 0);
	read = record;
	ck_assert_uint_eq(read->n_vector, vector.n_vector);
	for (size_t i = 0; i < vector.n_vector; i++)
		ck_assert_double_eq(read->vector[i], numbers[i]);
	free(text);
	ck_assert_int_eq(record_from_text(&ellu_embedding_type, "{\"vector\":[1,\"2\"]}", 18, FROM_CLIENT, &arena,
					  &record, &fault), ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(fault.field, "vector[1]");
	arena_done(&arena);
}
END_TEST

/* What a copy says is what the record did, and nothing of it is the record's. */
START_TEST(copies)
{
	static const char *const texts[] = {
		"{\"name\":\"c\",\"provider\":\"openai\",\"llm_model_name\":\"m\",\"extra_headers\":{\"a\":\"b\",\"c\":\"d\"},"
		"\"max_connections\":3,\"timeout_seconds\":0.5,\"stop\":[\"x\",\"y\"],\"logprobs\":true,"
		"\"price_input\":\"0.25\",\"custom\":{\"seed\":1}}",
		"{\"role\":\"assistant\",\"parts\":[{\"text\":\"Hi\"},{\"image\":{\"url\":\"http://h/\"}}],"
		"\"tool_calls\":[]}",
	};
	const struct record_type *const types[] = { &ellu_llm_config_type, &ellu_message_type };
	struct ellu_embedding vector = ELLU_RECORD(struct ellu_embedding);
	const double numbers[] = { 1, 2.5 };
	const void *copy;
	struct arena arena;

	arena_init(&arena);
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct fault fault = { 0 };
		struct arena first;
		char *before, *after;
		void *record;

		arena_init(&first);
		ck_assert_msg(record_from_text(types[i], texts[i], strlen(texts[i]), FROM_DAEMON, &first, &record,
					       &fault) == 0, "%s: %s", fault.field, fault.message);
		ck_assert_int_eq(record_to_text(types[i], record, TO_DAEMON, &before, NULL), 0);
		ck_assert_int_eq(record_copy(types[i], record, &arena, &copy), 0);
		arena_done(&first);
		ck_assert_int_eq(record_to_text(types[i], copy, TO_DAEMON, &after, NULL), 0);
		ck_assert_str_eq(before, after);
		free(before);
		free(after);
	}
	vector.vector = numbers;
	vector.n_vector = 2;
	ck_assert_int_eq(record_copy(&ellu_embedding_type, &vector, &arena, &copy), 0);
	ck_assert_ptr_ne(((const struct ellu_embedding *)copy)->vector, numbers);
	ck_assert_double_eq(((const struct ellu_embedding *)copy)->vector[1], 2.5);
	arena_done(&arena);
}
END_TEST

static size_t allocations_left;

static void *failing_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

/* Memory runs out at each allocation in turn: Internal, and nothing else. */
START_TEST(out_of_memory)
{
	char text[20000] = "{\"criteria\":[", *end = text + strlen(text);
	struct fault fault = { 0 };
	int r = ELLU_E_INTERNAL;
	size_t n = 0;

	for (int i = 0; i < 900; i++)
		end += sprintf(end, "%s\"criterion %d\"", i ? "," : "", i);
	strcpy(end, "],\"name\":\"x\",\"generation_params\":{\"seed\":1,\"stop\":[\"a\"]}}");
	arena_malloc = failing_malloc;
	for (; r != 0; n++) {
		struct arena arena = { 0 };
		void *record;

		allocations_left = n;
		r = record_from_text(&ellu_run_experiment_request_type, text, strlen(text),
				     FROM_CLIENT, &arena, &record, &fault);
		ck_assert(r == 0 || r == ELLU_E_INTERNAL);
		arena_done(&arena);
		ck_assert_uint_lt(n, 1000);
	}
	ck_assert_uint_gt(n, 5);
}
END_TEST

static json_object *encoded(const struct record_type *type, const void *record, enum record_sink sink)
{
	json_object *json;

	ck_assert_int_eq(record_encode(type, record, sink, &json), 0);
	return json;
}

/* A number with a default is no pointer where 0 can say that it is absent, and goes by as if it were. */
START_TEST(plain_numbers)
{
	struct ellu_run_experiment_request run = ELLU_RECORD(struct ellu_run_experiment_request), lent;
	struct ellu_clone_experiment_request clone = ELLU_RECORD(struct ellu_clone_experiment_request);
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	const int64_t epochs = 3;
	json_object *json;

	json = encoded(&ellu_run_experiment_request_type, &run, TO_DAEMON);
	ck_assert_str_eq(json_text(json, NULL), "{}");
	json_object_put(json);
	run.n_epochs = 2;
	run.detach = 1;
	json = encoded(&ellu_run_experiment_request_type, &run, TO_DAEMON);
	ck_assert_str_eq(json_text(json, NULL), "{\"n_epochs\":2,\"detach\":true}");
	json_object_put(json);

	ck_assert_int_eq(*(const int64_t *) record_member(&ellu_run_experiment_request_type, &run, "n_epochs"), 2);
	ck_assert_ptr_null(record_member(&ellu_run_experiment_request_type, &run, "time_limit_seconds"));
	lent = (struct ellu_run_experiment_request) ELLU_RECORD(struct ellu_run_experiment_request);
	lent.n_epochs = 5; // what it says itself stays
	record_lend(&ellu_run_experiment_request_type, &run, &ellu_run_experiment_request_type, &lent);
	ck_assert_int_eq(lent.n_epochs, 5);
	ck_assert_int_eq(lent.detach, 1);
	/* One that has no default there is pointed to. */
	record_lend(&ellu_run_experiment_request_type, &run, &ellu_clone_experiment_request_type, &clone);
	ck_assert_int_eq(*clone.n_epochs, 2);
	clone.n_epochs = &epochs;
	lent.n_epochs = 0;
	record_lend(&ellu_clone_experiment_request_type, &clone, &ellu_run_experiment_request_type, &lent);
	ck_assert_int_eq(lent.n_epochs, 3);

	/* In an answer 0 is left out unless it is the default, and so told. */
	config.name = config.provider = config.llm_model_name = config.structured_output = "x";
	json = encoded(&ellu_llm_config_type, &config, TO_CLIENT);
	ck_assert(!json_object_object_get_ex(json, "timeout_seconds", NULL));
	json_object_put(json);
	json = encoded(&ellu_simulated_type, &ELLU_RECORD(struct ellu_simulated), TO_CLIENT);
	ck_assert(json_object_object_get_ex(json, "error_rate", NULL));
	json_object_put(json);
}
END_TEST

int main(void)
{
	return RUN_TESTS(plain_numbers, decoding, nested_records, refusals, from_daemon, encoding,
			 encoding_refusals, older_records, lists_of_counts, floats, lists_of_numbers,
			 copies, out_of_memory);
}
