/*
 * What a template makes of a row is bounded: an item that would take more fails for itself, before
 * it takes any memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/harness/suite.h"

#define CELL_SIZE (50 * 1024)
#define RESIDENT_MAX_KIB (512 * 1024) // a sanitizer's own included

static struct daemon *server;
static struct wire *wire;

static char *repeated(const char *piece, size_t n)
{
	size_t size = strlen(piece);
	char *made = malloc(n * size + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(made + i * size, piece, size);
	made[n * size] = '\0';
	return made;
}

static json_object *run(const char *template, const char *criterion)
{
	char *cell = repeated("x", CELL_SIZE);
	json_object *reply;

	reply = wire_call(wire, "RunExperiment",
			  "{\"name\":\"E\",\"prompt_template\":{\"content\":{\"name\":\"T\",\"messages\":["
			  "{\"role\":\"user\",\"content\":\"%s\"}]}},"
			  "\"collection\":{\"content\":{\"name\":\"C\",\"variables\":["
			  "{\"small\":\"a\",\"big\":\"a\"},{\"small\":\"b\",\"big\":\"%s\"}]}},"
			  "\"criteria\":[\"%s\",\"Short?\"]}",
			  template, cell, criterion);
	free(cell);
	return at_json(reply, "task");
}

static json_object *response_of(json_object *task, const char *small)
{
	json_object *items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
				      (long long)at_int(task, "experiment_id"));

	for (size_t i = 0; i < json_object_array_length(items); i++) {
		json_object *item = json_object_array_get_idx(items, i);

		if (at_is(item, "template_variables.input_values.small", small))
			return item;
	}
	die("no response of '%s'", small);
}

static json_object *rating_of(json_object *response, const char *criterion)
{
	for (size_t i = 0; i < at_count(response, "ratings"); i++) {
		json_object *rating = at_json(response, text("ratings.%zu", i));

		if (at_is(rating, "criterion.criterion_str", criterion))
			return rating;
	}
	die("no rating by '%s'", criterion);
}

/* 100,000 times 50 KiB are 5 GB. */
START_TEST(a_request)
{
	json_object *task, *response;
	char *template;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	template = repeated("{{big}}", 100000);
	task = run(template, "Good?");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.failed_responses"), 1);
	response = response_of(task, "a");
	ck_assert(!at_has(response, "error"));
	ck_assert_uint_eq(strlen(at_text(response, "messages.0.content")), 100000);
	response = response_of(task, "b");
	ck_assert_str_eq(at_text(response, "error.code"), "TooLarge");
	ck_assert_ptr_nonnull(strstr(at_text(response, "error.message"), "row 2"));
	ck_assert_ptr_nonnull(strstr(at_text(response, "error.message"), "'big'"));
	ck_assert_uint_eq(at_count(response, "messages"), 0);
	ck_assert_ptr_nonnull(strstr(task_logs(wire, at_int(task, "id")), "'big'"));
	ck_assert_int_lt(daemon_memory_kib(server, "VmHWM"), RESIDENT_MAX_KIB);
	free(template);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* 50,000 times 50 KiB are 2.5 GB. */
START_TEST(a_criterion)
{
	json_object *task, *rating;
	char *criterion;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	criterion = repeated("{{big}}", 50000);
	task = run("{{small}}", criterion);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 4);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 1);
	rating = rating_of(response_of(task, "b"), criterion);
	ck_assert_str_eq(at_text(rating, "error.code"), "TooLarge");
	ck_assert_ptr_nonnull(strstr(at_text(rating, "error.message"), "'big'"));
	ck_assert_ptr_nonnull(strstr(at_text(rating, "error.message"), "row 2"));
	rating = rating_of(response_of(task, "a"), criterion);
	ck_assert(!at_has(rating, "error"));
	ck_assert_int_lt(daemon_memory_kib(server, "VmHWM"), RESIDENT_MAX_KIB);
	free(criterion);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define RUNS 32 // of which half are interactive: more of one user may not run
#define ROWS 2
#define BYTES_OF_A_USER (48 * 1024 * 1024) // in requests, and as much in questions to judges
#define REQUEST_SIZE (75 * CELL_SIZE)
#define RESIDENT_OF_RUNS_KIB (256 * 1024)

/* Each has requests for 7.3 MiB, and its judge reads them once more. All are asked at last. */
START_TEST(many_runs)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.2", NULL });
	char *cell = repeated("x", CELL_SIZE), *template = repeated("{{big}}", 75);
	size_t rows_size = 0;
	char *rows = NULL;
	FILE *out = open_memstream(&rows, &rows_size);
	int64_t ids[RUNS];

	for (int i = 0; i < ROWS; i++)
		fprintf(out, "%s{\"n\":%d,\"big\":\"%s\"}", i ? "," : "", i, cell);
	fclose(out);
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	for (int i = 0; i < RUNS; i++) {
		json_object *reply = wire_call(
			wire, "RunExperiment",
			"{\"name\":\"E%d\",\"detach\":true,\"criteria\":[\"Good?\"],\"priority\":\"%s\","
			"\"prompt_template\":{\"content\":{\"name\":\"T%d\","
			"\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}},"
			"\"collection\":{\"content\":{\"name\":\"C%d\",\"variables\":[%s]}},"
			"\"llm_config\":{\"content\":{\"name\":\"L%d\",\"provider\":\"openai\","
			"\"llm_model_name\":\"m\",\"llm_base_url\":\"%s\",\"max_connections\":256}}}",
			i, i % 2 ? "interactive" : "normal", i, template, i, rows, i, sim_url(sim));

		ids[i] = at_int(reply, "task.id");
		json_object_put(reply);
	}
	for (int i = 0; i < RUNS; i++)
		json_object_put(task_await_status(server, ids[i], "SUCCESS"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 2 * RUNS * ROWS);
	/* Each worker may begin one as the last fits. */
	ck_assert_int_le(sim_stat(sim, "max_in_flight"),
			 2 * (BYTES_OF_A_USER / REQUEST_SIZE + 1 + sysconf(_SC_NPROCESSORS_ONLN)));
	ck_assert_int_lt(daemon_memory_kib(server, "VmHWM"), RESIDENT_OF_RUNS_KIB);
	ck_assert_int_eq(daemon_stop(server), 0);
	free(rows);
	free(cell);
	free(template);
	sim_stop(sim);
}
END_TEST

int main(void)
{
#if SLOW_BUILD
	/* It takes minutes there, and a sanitizer keeps what was freed. */
	(void)many_runs;
	return RUN_SUITE(a_request, a_criterion);
#else
	return RUN_SUITE(a_request, a_criterion, many_runs);
#endif
}
