/* Listings: pages, cursors, counts, and what filters leave out. */
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "tests/harness/command.h"
#include "tests/harness/suite.h"
#include "tests/harness/users.h"

static struct daemon *server;
static struct wire *wire;

/* Some of its responses fail. */
static json_object *run_failing(void)
{
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=0.2", NULL });
	json_object *task;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	task = experiment_run(wire, &(struct experiment) {
		.rows = 33, .n_criteria = 2, .url = sim_url(sim), .max_connections = 4 });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	return task;
}

/* Pages of seven: each item once, in the order of the rows; or of the answers, if asked for. */
static void walk_pages(long long experiment_id, const char *order, const char *key)
{
	const char *next = "\"count\":true";
	int64_t before = 0;
	size_t n = 0;

	while (next) {
		json_object *page = wire_call(wire, "ListResponses",
					      "{'experiment':{'id':%lld},'limit':7%s,%s}", experiment_id, order,
					      next);

		if (n == 0)
			ck_assert_int_eq(at_int(page, "count"), 33);
		for (size_t i = 0; i < at_count(page, "items"); i++, n++) {
			int64_t id = at_int(page, text("items.%zu.%s", i, key));

			ck_assert_int_gt(id, before);
			before = id;
		}
		next = at_has(page, "next_cursor") ?
			       quoted("'cursor':'%s'", at_text(page, "next_cursor")) : NULL;
	}
	ck_assert_uint_eq(n, 33);
}

START_TEST(pages)
{
	long long experiment_id = at_int(run_failing(), "experiment_id");
	json_object *all = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", experiment_id);

	ck_assert_uint_eq(json_object_array_length(all), 33);
	walk_pages(experiment_id, "", "template_variables.id");
	walk_pages(experiment_id, ",\"order\":\"arrival\"", "id");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListResponses",
		     "{'experiment':{'id':%lld},'cursor':'no cursor'}", experiment_id);
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListResponses",
		     "{'experiment':{'id':%lld},'cursor':'r99999.1'}", experiment_id);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(filters)
{
	json_object *task = run_failing(), *failed, *good, *yes, *page;
	long long experiment_id = at_int(task, "experiment_id");
	int64_t criterion_id;
	size_t n;

	failed = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':true", experiment_id);
	good = list_all(wire, "ListResponses", "'experiment':{'id':%lld},'failed':false", experiment_id);
	ck_assert_uint_gt(json_object_array_length(failed), 0);
	ck_assert_uint_eq(json_object_array_length(failed) + json_object_array_length(good), 33);
	ck_assert_int_eq((int64_t)json_object_array_length(failed),
			 at_int(task, "result.results.failed_responses"));
	ck_assert(at_has(failed, "0.error.message"));
	criterion_id = at_int(good, "0.ratings.0.criterion.id");
	yes = list_all(wire, "ListResponses",
		       "'experiment':{'id':%lld},'criterion_id':%lld,'rating':'YES'", experiment_id,
		       (long long)criterion_id);
	for (n = 0; n < json_object_array_length(yes); n++) {
		bool met = false;

		for (size_t i = 0; i < 2; i++) {
			const char *rating = text("%zu.ratings.%zu", n, i);

			met |= at_int(yes, text("%s.criterion.id", rating)) == criterion_id &&
			       at_is(yes, text("%s.rating", rating), "YES");
		}
		ck_assert(met);
	}
	page = wire_call(wire, "ListRatings", "{'experiment':{'id':%lld},'response_id':%lld}",
			 experiment_id, (long long)at_int(good, "0.id"));
	ck_assert_uint_eq(at_count(page, "items"), 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What a filter lets through is what the whole list has of it, and its count says so. */
static void filter_must_take(long long experiment_id, const char *filter,
			     bool (*wanted)(json_object *response))
{
	json_object *all = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", experiment_id);
	json_object *some = list_all(wire, "ListResponses", "'experiment':{'id':%lld},%s", experiment_id,
				     requoted(filter));
	json_object *page = wire_call(wire, "ListResponses",
				      "{'experiment':{'id':%lld},'limit':1,'count':true,%s}",
				      experiment_id, requoted(filter));
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		if (!wanted(json_object_array_get_idx(all, i)))
			continue;
		ck_assert_int_eq(at_int(some, text("%zu.id", n)), at_int(all, text("%zu.id", i)));
		n++;
	}
	ck_assert_uint_eq(json_object_array_length(some), n);
	ck_assert_int_eq(at_int(page, "count"), (int64_t)n);
}

static int64_t row_wanted, tokens_wanted;
static double duration_wanted;

static bool is_of_row(json_object *response)
{
	return at_int(response, "template_variables.id") == row_wanted;
}

static bool is_annotated(json_object *response)
{
	return at_has(response, "annotation");
}

static bool is_long(json_object *response)
{
	return at_number(response, "duration_seconds") >= duration_wanted;
}

static bool is_large(json_object *response)
{
	return at_has(response, "output_tokens") && at_int(response, "output_tokens") >= tokens_wanted;
}

/* By rank: each once, none before a greater one, and as many as are counted. */
static void ranks(long long experiment_id, const char *order, const char *filter)
{
	const char *next = "";
	double before = HUGE_VAL;
	size_t n = 0, count = 0;

	while (next) {
		json_object *page = wire_call(wire, "ListResponses",
					      "{'experiment':{'id':%lld},'limit':7,'count':true,"
					      "'order':'%s'%s%s}", experiment_id, order, filter, next);

		for (size_t i = 0; i < at_count(page, "items"); i++, n++) {
			const char *item = text("items.%zu", i);
			double value = at_number(page, text("%s.duration_seconds", item));

			if (strcmp(order, "tokens") == 0)
				value = !at_has(page, text("%s.input_tokens", item)) ? 0 :
					(double)(at_int(page, text("%s.input_tokens", item)) +
						 at_int(page, text("%s.output_tokens", item)));
			if (strcmp(order, "arrival") == 0)
				value = -(double)at_int(page, text("%s.id", item));
			ck_assert(value <= before);
			before = value;
		}
		count = (size_t)at_int(page, "count");
		next = at_has(page, "next_cursor") ?
			       quoted(",'cursor':'%s'", at_text(page, "next_cursor")) : NULL;
	}
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(n, count);
}

START_TEST(ranges_and_ranks)
{
	json_object *task, *all;
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=0.2", NULL });
	long long experiment_id;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	task = experiment_run(wire, &(struct experiment) {
		.rows = 33, .n_criteria = 1, .url = sim_url(sim), .more = "'n_epochs':2" });
	experiment_id = at_int(task, "experiment_id");
	all = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", experiment_id);
	for (int i = 3; i < 60; i += 9)
		wire_call(wire, "AnnotateResponse", "{'response_id':%lld,'annotation':'No. %d'}",
			  (long long)at_int(all, text("%d.id", i)), i);
	wire_call(wire, "AnnotateResponse", "{'response_id':%lld}",
		  (long long)at_int(all, "3.id")); // taken back
	filter_must_take(experiment_id, "'annotated':true", is_annotated);
	row_wanted = at_int(all, "20.template_variables.id");
	filter_must_take(experiment_id, text("'template_variables_id':%lld", (long long)row_wanted),
			 is_of_row);
	duration_wanted = at_number(all, "11.duration_seconds");
	filter_must_take(experiment_id, text("'min_duration_seconds':%.6f", duration_wanted), is_long);
	tokens_wanted = (int64_t)at_number(task, "result.results.output_tokens.p50");
	filter_must_take(experiment_id, text("'min_output_tokens':%lld", (long long)tokens_wanted),
			 is_large);
	ck_assert_uint_eq(json_object_array_length(
		list_all(wire, "ListResponses", "'experiment':{'id':%lld},'max_output_tokens':0",
			 experiment_id)), 0);
	ranks(experiment_id, "duration", "");
	ranks(experiment_id, "tokens", ",\"failed\":false");
	ranks(experiment_id, "arrival", text(",\"template_variables_id\":%lld", (long long)row_wanted));
	/* A cursor is of its own list. */
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListResponses",
		     "{'experiment':{'id':%lld},'order':'tokens','cursor':'D5.5'}", experiment_id);
	wire_refused(wire, "NotFound", "AnnotateResponse", "{'response_id':999,'annotation':'x'}");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A prompt of 200 KiB is ordinary; a hundred of them, rendered, are more than a message. */
START_TEST(long_prompts)
{
	char *words = calloc(1, 200 * 1024 + 1);
	const char *next = "";
	size_t n = 0;

	memset(words, 'w', 200 * 1024);
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	experiment_run(wire, &(struct experiment) {
		.rows = 100,
		.more = quoted("'prompt_template':{'content':{'name':'Long','messages':[{'role':'user',"
			       "'content':'%s'}]}}", words) });
	while (next) {
		json_object *page = wire_call(wire, "ListResponses",
					      "{'experiment':{'name':'Experiment'}%s}", next);

		for (size_t i = 0; i < at_count(page, "items"); i++, n++)
			ck_assert_uint_eq(strlen(at_text(page, text("items.%zu.messages.0.content", i))),
					  200 * 1024);
		next = at_has(page, "next_cursor") ?
			       quoted(",'cursor':'%s'", at_text(page, "next_cursor")) : NULL;
	}
	ck_assert_uint_eq(n, 100);
	ck_assert_int_eq(daemon_stop(server), 0);
	free(words);
}
END_TEST

/* What ListTasks leaves out. */
START_TEST(task_filters)
{
	json_object *tasks, *page, *last;
	const char *since;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	for (int i = 0; i < 3; i++)
		experiment_run(wire, &(struct experiment) { .name = text("E%d", i), .rows = 1 });
	experiment_run(wire, &(struct experiment) {
		.more = "'collection':{'content':{'name':'none'}}" });
	tasks = list_all(wire, "ListTasks", "%s", "");
	ck_assert_uint_eq(json_object_array_length(tasks), 4);
	/* The newest first. */
	ck_assert_str_eq(at_text(tasks, "0.status"), "REJECTED");
	ck_assert_int_gt(at_int(tasks, "0.id"), at_int(tasks, "3.id"));
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'status':'SUCCESS'")), 3);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'status':'PENDING'")), 0);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "'kind':'experiment'")), 4);
	since = at_text(tasks, "1.created_at");
	last = list_all(wire, "ListTasks", "'since':'%s'", since);
	ck_assert_uint_ge(json_object_array_length(last), 2);
	ck_assert_uint_le(json_object_array_length(last), 4);
	page = wire_call(wire, "ListTasks", "{'limit':3,'count':true}");
	ck_assert_uint_eq(at_count(page, "items"), 3);
	ck_assert_int_eq(at_int(page, "count"), 4);
	page = wire_call(wire, "ListTasks", "{'limit':3,'cursor':'%s'}", at_text(page, "next_cursor"));
	ck_assert_uint_eq(at_count(page, "items"), 1);
	ck_assert(!at_has(page, "next_cursor"));
	ck_assert_int_eq(at_int(page, "items.0.id"), at_int(tasks, "3.id"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* An array of so many numbers, in so many arrays. */
static char *nested(size_t n, size_t depth)
{
	char *array = malloc(2 * n + 2 * depth), *end = array;

	memset(end, '[', depth);
	end += depth;
	for (size_t i = 0; i < n; i++)
		end += sprintf(end, i > 0 ? ",1" : "1");
	memset(end, ']', depth);
	end[depth] = '\0';
	return array;
}

static size_t rows_of_a_page(const char *collection)
{
	struct fault fault = { 0 };
	json_object *reply;
	const char *message;

	wire_start(wire, "", "ListTemplateVariables", "{'collection':{'name':'%s'}}", collection);
	ck_assert_int_eq(wire_receive(wire, WAIT_SECONDS, &message), WIRE_MESSAGE);
	ck_assert_msg(json_parse_strict(message, strlen(message), &reply, &fault) == 0, "%s", fault.message);
	return at_count(reply, "parameters.items");
}

/* What a strict reader takes of a message, by depth and by number of values, holds for replies, where
 * a row stands deeper than in its request, and beside others. */
START_TEST(strict_readers)
{
	char *values = nested(60000, 1);
	json_object *reply;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C'}}");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "AddTemplateVariables",
			     "{'collection':{'name':'C'},'variables':[{},{'a':%s}]}",
			     nested(1, OBJECT_DEPTH_MAX));
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables[1]");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateCollection",
		     "{'collection':{'name':'E','columns':[{'name':'j','type':'json','default_value':'%s'}]}}",
		     nested(1, OBJECT_DEPTH_MAX));
	wire_call(wire, "CreateCollection", "{'collection':{'name':'D','variables':[{'a':%s}]}}",
		  nested(1, OBJECT_DEPTH_MAX - 1));
	ck_assert_uint_eq(rows_of_a_page("D"), 1);
	for (size_t i = 0; i < 17; i++)
		wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[{'a':%s}]}",
			  values);
	ck_assert_uint_lt(rows_of_a_page("C"), 17);
	ck_assert_uint_eq(json_object_array_length(
		list_all(wire, "ListTemplateVariables", "'collection':{'name':'C'}")), 17);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Whose tasks and projects an administrator sees, once they are not all his own. */
START_TEST(lists_tell_whose)
{
	static const char *const groups[] = { "task", "project" };
	struct passwd *other = getpwuid(OTHER_UID);

	if (geteuid() != 0)
		return; // nobody else can be one of the others
	server = daemon_start_system();
	wire = daemon_connect(server);
	experiment_run(wire, &(struct experiment) { .rows = 1 });
	for (size_t i = 0; i < 2; i++)
		ck_assert_ptr_null(strstr(COMMAND(server, 0, groups[i], "list")->out, "USER"));
	experiment_run(connect_as(server, OTHER_UID), &(struct experiment) { .rows = 1 });
	for (size_t i = 0; i < 2; i++) {
		const char *said = COMMAND(server, 0, groups[i], "list")->out;

		ck_assert(strncmp(said, "USER ", 5) == 0);
		ck_assert_ptr_nonnull(strstr(said, "root "));
		ck_assert_ptr_nonnull(strstr(said, other ? other->pw_name : text("%d", OTHER_UID)));
		ck_assert_ptr_null(strstr(COMMAND(server, 0, groups[i], "list", "--format", "csv")->out, "USER"));
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(pages, strict_readers, filters, ranges_and_ranks, long_prompts, task_filters, lists_tell_whose);
}
