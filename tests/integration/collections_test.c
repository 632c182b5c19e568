/* Rows of collections: uploads in pieces, what is visible when, paging, and runs that pin them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

#define CHUNK 1000

static void create(struct wire *wire, const char *name)
{
	json_object *reply = wire_call(wire, "CreateCollection", "{'collection':{'name':'%s'}}", name);

	ck_assert_int_eq(at_int(reply, "collection.variables_count"), 0);
	json_object_put(reply);
}

/* The parameters of a call that adds rows `first`..`first + n - 1`. */
static char *upload(const char *name, const char *upload_id, unsigned first, unsigned n, bool commit)
{
	char *request;
	size_t size;
	FILE *out = open_memstream(&request, &size);

	fprintf(out, "{\"collection\":{\"name\":\"%s\"},\"variables\":[", name);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s{\"topic\":\"topic %u\",\"n\":%u}", i ? "," : "", first + i, first + i);
	fputs("]", out);
	if (upload_id)
		fprintf(out, ",\"upload_id\":\"%s\",\"commit\":%s", upload_id, commit ? "true" : "false");
	fputs("}", out);
	fclose(out);
	return request;
}

static int64_t visible(struct wire *wire, const char *name)
{
	json_object *reply = wire_call(wire, "GetCollection", "{'collection':{'name':'%s'}}", name);
	int64_t count = at_int(reply, "collection.variables_count");
	json_object *page = wire_call(wire, "ListTemplateVariables",
				      "{'collection':{'name':'%s'},'limit':1,'count':true}", name);

	ck_assert_int_eq(at_int(page, "count"), count);
	json_object_put(page);
	json_object_put(reply);
	return count;
}

/* Three uploads into one collection and one into another, chunk by chunk in turn. */
START_TEST(parallel_uploads)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *const names[] = { "A", "A", "A", "B" };
	const char *const uploads[] = { "u1", "u2", "u3", "u1" };
	struct wire *wires[4], *watcher = daemon_connect(daemon);
	json_object *rows;

	create(watcher, "A");
	create(watcher, "B");
	for (int i = 0; i < 4; i++)
		wires[i] = daemon_connect(daemon);
	for (unsigned chunk = 0; chunk < 5; chunk++) {
		for (unsigned i = 0; i < 4; i++)
			wire_start(wires[i], "", "AddTemplateVariables", "%s",
				   upload(names[i], uploads[i], i * 100000 + chunk * CHUNK, CHUNK, false));
		for (unsigned i = 0; i < 4; i++) {
			json_object *reply = wire_next(wires[i]);

			ck_assert_int_eq(at_int(reply, "parameters.added"), CHUNK);
			ck_assert_int_eq(at_int(reply, "parameters.variables_count"), 0);
		}
	}
	ck_assert_int_eq(visible(watcher, "A"), 0);
	ck_assert_int_eq(visible(watcher, "B"), 0);
	/* A commit shows its own upload and no other. */
	rows = wire_call(wires[1], "AddTemplateVariables", "%s", upload("A", "u2", 105000, 10, true));
	ck_assert_int_eq(at_int(rows, "added"), 10);
	ck_assert_int_eq(at_int(rows, "variables_count"), 5010);
	ck_assert_int_eq(visible(watcher, "A"), 5010);
	ck_assert_int_eq(visible(watcher, "B"), 0);
	wire_call(wires[0], "AddTemplateVariables", "%s", upload("A", "u1", 0, 0, true));
	ck_assert_int_eq(visible(watcher, "A"), 10010);
	rows = list_all(watcher, "ListTemplateVariables", "'collection':{'name':'A'}");
	ck_assert_uint_eq(json_object_array_length(rows), 10010);
	ck_assert_str_ne(at_text(rows, "0.input_values.topic"), at_text(rows, "1.input_values.topic"));
	/* What is not committed is gone after a restart; the rest stays. */
	ck_assert_int_eq(daemon_stop(daemon), 0);
	daemon_restart(daemon);
	watcher = daemon_connect(daemon);
	ck_assert_int_eq(visible(watcher, "A"), 10010);
	/* It cannot be taken up again by mistake: half of its rows would be missing. */
	wire_refused(watcher, "Conflict", "AddTemplateVariables", "%s", upload("A", "u3", 0, 1, true));
	ck_assert_int_eq(visible(watcher, "A"), 10010);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(paging)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *cursor = NULL;
	unsigned n = 0;

	create(wire, "A");
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 0, 1000, false));
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 1000, 234, false));
	do {
		json_object *page = wire_call(wire, "ListTemplateVariables",
					      "{'collection':{'name':'A'}%s}",
					      cursor ? quoted(",'cursor':'%s'", cursor) : "");

		ck_assert_uint_eq(at_count(page, "items"), n < 1200 ? 100 : 34);
		for (size_t i = 0; i < at_count(page, "items"); i++, n++)
			ck_assert_int_eq(at_int(page, text("items.%zu.input_values.n", i)), n);
		cursor = at_has(page, "next_cursor") ? strdup(at_text(page, "next_cursor")) : NULL;
	} while (cursor);
	ck_assert_uint_eq(n, 1234);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(clear)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task, *reply, *responses;

	create(wire, "A");
	for (unsigned i = 0; i < 4; i++)
		wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, i * CHUNK, CHUNK, false));
	reply = wire_call(wire, "ClearCollection", "{'collection':{'name':'A'}}");
	ck_assert_int_eq(at_int(reply, "removed"), 4000);
	ck_assert_int_eq(visible(wire, "A"), 0);
	/* Results of a run on rows that are cleared later stay. */
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 0, 12, false));
	task = experiment_run(wire, &(struct experiment) {
		.n_criteria = 1, .more = "'collection':{'ref':{'name':'A'}}" });
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	reply = wire_call(wire, "ClearCollection", "{'collection':{'name':'A'}}");
	ck_assert_int_eq(at_int(reply, "removed"), 12);
	ck_assert_int_eq(visible(wire, "A"), 0);
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			     (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(responses), 12);
	ck_assert_int_eq(at_int(responses, "11.template_variables.input_values.n"), 11);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Rows that come after the submission are none of its run, over a restart too. */
START_TEST(pinned)
{
	struct daemon *daemon = daemon_start(NULL);
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	struct wire *wire = daemon_connect(daemon);
	json_object *task, *responses;
	int64_t id, experiment_id;

	create(wire, "A");
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 0, 40, false));
	id = experiment_submit(wire, &(struct experiment) {
		.url = sim_url(sim), .max_connections = 2, .n_criteria = 1,
		.more = "'collection':{'ref':{'name':'A'}}" });
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 1000, 40, false));
	experiment_id = at_int(task_get(wire, id), "experiment_id");
	experiment_await_recorded(wire, id, experiment_id, 5);
	daemon_kill(daemon);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	ck_assert_int_eq(visible(wire, "A"), 80);
	task = task_await_status(daemon, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.responses"), 40);
	responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			     (long long)experiment_id);
	for (size_t i = 0; i < json_object_array_length(responses); i++)
		ck_assert_int_lt(at_int(responses, text("%zu.template_variables.input_values.n", i)), 40);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static void replace(struct wire *wire, const char *upload_id, unsigned first, unsigned n)
{
	char *rows = upload("A", upload_id, first, n, /* commit= */ true);

	rows[strlen(rows) - 1] = '\0';
	wire_call(wire, "AddTemplateVariables", "%s,\"replace\":true}", rows);
}

static int64_t first_n(struct wire *wire)
{
	json_object *page = wire_call(wire, "ListTemplateVariables", "{'collection':{'name':'A'},'limit':1}");

	return at_int(page, "items.0.input_values.n");
}

/* New rows take the place of the old ones where they become visible, not before. */
START_TEST(replaced)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon), *other = daemon_connect(daemon);

	create(wire, "A");
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 1, 10, false));
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", "u1", 5000, 20, false));
	wire_call(other, "AddTemplateVariables", "%s", upload("A", "u2", 7000, 30, false));
	daemon_kill(daemon);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	other = daemon_connect(daemon);
	ck_assert_int_eq(visible(wire, "A"), 10);
	ck_assert_int_eq(first_n(wire), 1);
	/* Two at the same time: the last one's rows, and no other's. */
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", "u3", 5000, 20, false));
	wire_call(other, "AddTemplateVariables", "%s", upload("A", "u4", 7000, 30, false));
	replace(wire, "u3", 5020, 20);
	ck_assert_int_eq(visible(wire, "A"), 40);
	ck_assert_int_eq(first_n(wire), 5000);
	replace(other, "u4", 7030, 1);
	ck_assert_int_eq(visible(wire, "A"), 31);
	ck_assert_int_eq(first_n(wire), 7000);
	/* An upload that was replaced by another is done with. */
	replace(wire, "u3", 1, 1);
	ck_assert_int_eq(visible(wire, "A"), 1);
	wire_call(wire, "AddTemplateVariables",
		  "{'collection':{'name':'A'},'variables':[{'n':8}],'replace':true}");
	ck_assert_int_eq(visible(wire, "A"), 1);
	ck_assert_int_eq(first_n(wire), 8);
	replace(wire, "u5", 0, 0);
	ck_assert_int_eq(visible(wire, "A"), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(columns_and_limits)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *reply;
	char *big;

	reply = wire_call(wire, "CreateCollection",
			  "{'collection':{'name':'A','columns':[{'name':'lang','default_value':'en'}],"
			  "'variables':[{'topic':'a'},{'topic':'b','lang':'de'}]}}");
	ck_assert_int_eq(at_int(reply, "collection.variables_count"), 2);
	ck_assert_uint_eq(at_count(reply, "collection.columns"), 2);
	wire_refused(wire, "Conflict", "CreateCollection", "{'collection':{'name':'A'}}");
	reply = wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'name':'Z'}}");
	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "collection");
	ck_assert_str_eq(at_text(reply, "parameters.name"), "Z");
	/* Read-only collections refuse rows. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'R','read_only':true}}");
	wire_refused(wire, "ReadOnly", "AddTemplateVariables",
		     "{'collection':{'name':'R'},'variables':[{'a':'b'}]}");
	wire_refused(wire, "ReadOnly", "ClearCollection", "{'collection':{'name':'R'}}");
	/* More rows than a call may bring, and more bytes. */
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "AddTemplateVariables", "%s",
			     upload("A", NULL, 0, 1001, false));
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables");
	big = malloc(5 << 20);
	memset(big, 'x', 5 << 20);
	big[(5 << 20) - 1] = '\0';
	reply = wire_refused(wire, "TooLarge", "AddTemplateVariables",
			     "{'collection':{'name':'A'},'variables':[{'topic':'%s'}]}", big);
	ck_assert_int_eq(at_int(reply, "parameters.limit_bytes"), 4 << 20);
	ck_assert_int_eq(visible(wire, "A"), 2);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* ---- Dropping and removing ---- */

static void check_added(json_object *reply, int64_t added, int64_t dropped, int64_t count)
{
	ck_assert_int_eq(at_int(reply, "added"), added);
	ck_assert_int_eq(at_int(reply, "dropped"), dropped);
	ck_assert_int_eq(at_int(reply, "variables_count"), count);
}

#define ADD(wire, rows, more)                                                                  \
	wire_call(wire, "AddTemplateVariables",                                                    \
		  "{'collection':{'name':'A'},'variables':[" rows "],'deduplicate':true" more "}")

START_TEST(deduplicated)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *rows;

	create(wire, "A");
	create(wire, "B");
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'B'},'variables':[{'a':1,'b':2}]}");
	check_added(ADD(wire, "{'a':1,'b':2},{'b':2,'a':1},{'a':1.0}", ""), 2, 1, 2);
	check_added(ADD(wire, "{'b':2,'a':1},{'a':3}", ""), 1, 1, 3);
	/* In an upload: what it has already, and what is there. */
	check_added(ADD(wire, "{'a':4},{'a':3}", ",'upload_id':'u'"), 1, 1, 3);
	check_added(ADD(wire, "{'a':4},{'a':5}", ",'upload_id':'u','commit':true"), 1, 1, 5);
	/* What became visible by it is had from where it says. */
	rows = wire_call(wire, "AddTemplateVariables",
			 "{'collection':{'name':'A'},'variables':[{'a':6},{'a':7}]}");
	rows = wire_call(wire, "ListTemplateVariables", "{'collection':{'name':'A'},'cursor':'%s'}",
			 at_text(rows, "cursor"));
	ck_assert_int_eq(at_count(rows, "items"), 2);
	ck_assert_int_eq(at_int(rows, "items.0.input_values.a"), 6);
	/* What it takes the place of is no reason to drop. */
	check_added(ADD(wire, "{'a':4},{'a':4}", ",'replace':true"), 1, 1, 1);
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'A'},'variables':[{'a':4}]}");
	ck_assert_int_eq(visible(wire, "A"), 2);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Sixty-four that add the same rows at once make them once. */
START_TEST(deduplicated_at_once)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wires[64], *wire = daemon_connect(daemon);

	create(wire, "A");
	for (size_t i = 0; i < 64; i++)
		wires[i] = daemon_connect(daemon);
	for (size_t i = 0; i < 64; i++)
		wire_start(wires[i], "", "AddTemplateVariables",
			   "{\"collection\":{\"name\":\"A\"},\"deduplicate\":true,"
			   "\"variables\":[{\"n\":1},{\"n\":2},{\"own\":%zu}]}", i);
	for (size_t i = 0; i < 64; i++)
		ck_assert(at_has(wire_next(wires[i]), "parameters.added"));
	ck_assert_int_eq(visible(wire, "A"), 66);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static int64_t row_id(struct wire *wire, size_t i)
{
	json_object *page = wire_call(wire, "ListTemplateVariables", "{'collection':{'name':'A'}}");

	return at_int(page, text("items.%zu.id", i));
}

/* Rows that are removed go for who comes later, and stay for what is pinned to them. */
START_TEST(removed_rows)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	struct experiment experiment = { .n_criteria = 1, .more = "'collection':{'ref':{'name':'A'}}" };
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.02", NULL });
	json_object *task, *reply;
	int64_t first, second, id;

	create(wire, "A");
	create(wire, "B");
	wire_call(wire, "AddTemplateVariables", "%s", upload("A", NULL, 0, 20, false));
	first = row_id(wire, 0);
	second = row_id(wire, 1);
	reply = wire_refused(wire, "NotFound", "DeleteTemplateVariables",
			     "{'collection':{'name':'A'},'ids':[%lld,99]}", (long long)first);
	ck_assert_int_eq(at_int(reply, "parameters.id"), 99);
	wire_refused(wire, "NotFound", "DeleteTemplateVariables",
		     "{'collection':{'name':'B'},'ids':[%lld]}", (long long)first);
	ck_assert_int_eq(visible(wire, "A"), 20);
	reply = wire_call(wire, "DeleteTemplateVariables", "{'collection':{'name':'A'},'ids':[%lld,%lld]}",
			  (long long)first, (long long)first);
	ck_assert_int_eq(at_int(reply, "removed"), 1);
	ck_assert_int_eq(visible(wire, "A"), 19);
	/* A task that runs keeps its own, over a restart too. */
	experiment.url = sim_url(sim);
	experiment.max_connections = 1;
	id = experiment_submit(wire, &experiment);
	reply = wire_call(wire, "DeleteTemplateVariables", "{'collection':{'name':'A'},'ids':[%lld,%lld]}",
			  (long long)second, (long long)row_id(wire, 18));
	ck_assert_int_eq(at_int(reply, "removed"), 2);
	ck_assert_int_eq(visible(wire, "A"), 17);
	ck_assert_int_eq(first_n(wire), 2);
	daemon_kill(daemon);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	task = task_await_status(daemon, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.responses"), 19);
	reply = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(reply), 19);
	ck_assert_int_eq(at_int(reply, "0.template_variables.id"), second);
	/* Who comes later has the others, and another experiment. */
	experiment.url = NULL;
	experiment.more = "'update_existing':true,'collection':{'ref':{'name':'A'}}";
	task = experiment_run(wire, &experiment);
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(at_int(task, "result.results.responses"), 17);
	reply = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(reply), 17);
	wire_refused(wire, "NotFound", "DeleteTemplateVariables",
		     "{'collection':{'name':'A'},'ids':[%lld]}", (long long)second);
	wire_call(wire, "UpdateCollection",
		  "{'collection':{'name':'A'},'content':{'name':'A','read_only':true}}");
	wire_refused(wire, "ReadOnly", "DeleteTemplateVariables",
		     "{'collection':{'name':'A'},'ids':[%lld]}", (long long)row_id(wire, 0));
	ck_assert_int_eq(daemon_stop(daemon), 0);
	sim_stop(sim);
}
END_TEST

int main(void)
{
	return RUN_SUITE(parallel_uploads, paging, clear, pinned, replaced, columns_and_limits,
			 deduplicated, deduplicated_at_once, removed_rows);
}
