#include "tests/harness/experiment.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

#define POLL_MILLISECONDS 1

/* Inline rows go in with the request that makes the collection. */
#define INLINE_ROWS_MAX 1000

/* ' stands for ", as in quoted(). */
static void write_members(FILE *out, const char *members)
{
	fputc(',', out);
	for (; *members; members++)
		fputc(*members == '\'' ? '"' : *members, out);
}

static void write_collection(FILE *out, const struct experiment *experiment, const char *name)
{
	if (experiment->rows > INLINE_ROWS_MAX)
		die("%u rows are too many for one request", experiment->rows);
	fprintf(out, ",\"collection\":{\"content\":{\"name\":\"%s rows\",\"variables\":[", name);
	for (unsigned i = 1; i <= experiment->rows; i++)
		fprintf(out, "%s{\"topic\":\"topic %u of %s\"}", i > 1 ? "," : "", i, name);
	fputs("]}}", out);
}

static void write_criteria(FILE *out, unsigned n)
{
	fputs(",\"criteria\":[", out);
	for (unsigned i = 1; i <= n; i++)
		fprintf(out, "%s\"Is it about {{topic}} in way %u?\"", i > 1 ? "," : "", i);
	fputs("]", out);
}

static void write_config(FILE *out, const struct experiment *experiment, const char *name)
{
	fprintf(out, ",\"llm_config\":{\"content\":{\"name\":\"%s config\",\"provider\":\"openai\","
		     "\"llm_model_name\":\"m\",\"llm_base_url\":\"%s\"",
		name, experiment->url);
	if (experiment->api_key)
		fprintf(out, ",\"api_key\":\"%s\"", experiment->api_key);
	if (experiment->max_connections)
		fprintf(out, ",\"max_connections\":%u", experiment->max_connections);
	if (experiment->config)
		write_members(out, experiment->config);
	fputs("}}", out);
}

char *experiment_request(const struct experiment *experiment)
{
	const char *name = experiment->name ? experiment->name : "Experiment";
	char *request;
	size_t size;
	FILE *out = open_memstream(&request, &size);

	if (!out)
		die("out of memory");
	fprintf(out, "{\"name\":\"%s\"", name);
	if (!experiment->more || !strstr(experiment->more, "prompt_template"))
		fprintf(out, ",\"prompt_template\":{\"content\":{\"name\":\"%s prompt\","
			     "\"messages\":[{\"role\":\"user\",\"content\":\"Tell of {{topic}}.\"}]}}",
			name);
	if (experiment->rows)
		write_collection(out, experiment, name);
	if (experiment->n_criteria)
		write_criteria(out, experiment->n_criteria);
	if (experiment->url)
		write_config(out, experiment, name);
	if (experiment->more)
		write_members(out, experiment->more);
	fputs("}", out);
	fclose(out);
	return request;
}

int64_t experiment_submit(struct wire *wire, const struct experiment *experiment)
{
	struct experiment detached = *experiment;
	char *request;
	json_object *reply;
	int64_t id;

	detached.more = experiment->more ? text("%s,'detach':true", experiment->more) :
					   "'detach':true";
	request = experiment_request(&detached);
	reply = wire_call(wire, "RunExperiment", "%s", request);
	id = at_int(reply, "task.id");
	json_object_put(reply);
	free(request);
	return id;
}

json_object *experiment_run(struct wire *wire, const struct experiment *experiment)
{
	char *request = experiment_request(experiment);
	json_object *reply = wire_call(wire, "RunExperiment", "%s", request);
	json_object *task = at_json(reply, "task");

	if (!task)
		die("no task in %s", json_object_to_json_string(reply));
	json_object_get(task);
	json_object_put(reply);
	free(request);
	return task;
}

/* ---- Tasks ---- */

json_object *task_await(const struct daemon *daemon, int64_t id)
{
	struct wire *wire = daemon_connect(daemon);
	json_object *reply = wire_call(wire, "WatchTask", "{'id':%lld}", (long long)id);
	json_object *task = json_object_get(at_json(reply, "task"));

	if (!task)
		die("no task in %s", json_object_to_json_string(reply));
	json_object_put(reply);
	wire_close(wire);
	return task;
}

json_object *task_await_status(const struct daemon *daemon, int64_t id, const char *status)
{
	json_object *task = task_await(daemon, id);

	if (!at_is(task, "status", status))
		die("%s was expected: %s\nthe daemon's log: %s", status,
		    json_object_to_json_string(task), daemon_log(daemon));
	return task;
}

json_object *task_get(struct wire *wire, int64_t id)
{
	json_object *reply = wire_call(wire, "GetTask", "{'id':%lld}", (long long)id);
	json_object *task = json_object_get(at_json(reply, "task"));

	json_object_put(reply);
	return task;
}

/* Replays what happened to a task that has ended. */
static char *replay_statuses(const struct daemon *daemon, int64_t id)
{
	struct wire *wire = daemon_connect(daemon);
	char *statuses = text("%s", "");
	bool continues = true;
	int64_t sequence = 0;

	wire_start(wire, "'more':true", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	while (continues) {
		json_object *reply = wire_next(wire);
		json_object *event = at_json(reply, "parameters.event");

		if (!event)
			die("no event in %s", json_object_to_json_string(reply));
		if (at_int(event, "sequence") <= sequence)
			die("event %lld of task %lld comes again", (long long)sequence, (long long)id);
		sequence = at_int(event, "sequence");
		if (!at_has(event, "logs_delta"))
			statuses = text("%s%s%s", statuses, statuses[0] ? " " : "",
					at_text(event, "status"));
		continues = at_has(reply, "continues");
		json_object_put(reply);
	}
	wire_close(wire);
	return statuses;
}

void task_must_have_been(const struct daemon *daemon, int64_t id, const char *statuses)
{
	char *replayed = replay_statuses(daemon, id);
	char *stored = database_text(daemon, "SELECT group_concat(status, ' ') FROM (SELECT status"
					     " FROM task_events WHERE task_id = %lld AND line IS NULL"
					     " ORDER BY sequence)", (long long)id);

	if (strcmp(replayed, statuses) != 0 || strcmp(stored, statuses) != 0)
		die("task %lld was to go through %s; replayed: %s; stored: %s", (long long)id, statuses,
		    replayed, stored);
}

static int64_t count_of(struct wire *wire, const char *method, int64_t experiment_id)
{
	json_object *reply = wire_call(wire, method,
				       "{'experiment':{'id':%lld},'limit':1,'count':true}",
				       (long long)experiment_id);
	int64_t count = at_int(reply, "count");

	json_object_put(reply);
	return count;
}

int64_t experiment_recorded(struct wire *wire, int64_t experiment_id)
{
	return count_of(wire, "ListResponses", experiment_id) +
	       count_of(wire, "ListRatings", experiment_id);
}

static bool has_ended(struct wire *wire, int64_t task_id)
{
	json_object *task = task_get(wire, task_id);
	bool ended = at_has(task, "finished_at");

	json_object_put(task);
	return ended;
}

int64_t experiment_await_recorded(struct wire *wire, int64_t task_id, int64_t experiment_id,
				  int64_t at_least)
{
	double deadline = now_seconds() + WAIT_SECONDS;
	int64_t recorded;

	while ((recorded = experiment_recorded(wire, experiment_id)) < at_least &&
	       !has_ended(wire, task_id)) {
		if (now_seconds() > deadline)
			die("only %lld of %lld responses and ratings are recorded",
			    (long long)recorded, (long long)at_least);
		(void)poll(NULL, 0, POLL_MILLISECONDS);
	}
	return recorded;
}

static int64_t tasks_of_workers(struct wire *wire)
{
	json_object *reply = wire_call(wire, "GetStatus", "{}"), *workers = at_json(reply, "workers");
	int64_t n = 0;

	for (size_t i = 0; i < json_object_array_length(workers); i++)
		n += at_int(json_object_array_get_idx(workers, i), "tasks");
	json_object_put(reply);
	return n;
}

void experiment_await_workers_free(struct wire *wire)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (tasks_of_workers(wire) > 0) {
		if (now_seconds() > deadline)
			die("a worker does not let go of its task");
		(void)poll(NULL, 0, POLL_MILLISECONDS);
	}
}

/* ---- Lists ---- */

json_object *list_all(struct wire *wire, const char *method, const char *parameters, ...)
{
	json_object *all = json_object_new_array();
	va_list arguments;
	bool continues = true;
	char *members;

	va_start(arguments, parameters);
	members = vquoted(parameters, arguments);
	va_end(arguments);
	wire_start(wire, "'more':true", method, "{%s%s'limit':1000}", members,
		   members[0] ? "," : "");
	free(members);
	while (continues) {
		json_object *reply = wire_next(wire);
		size_t n;

		if (at_has(reply, "error"))
			die("%s failed: %s", method, json_object_to_json_string(reply));
		n = at_count(reply, "parameters.items");
		for (size_t i = 0; i < n; i++)
			json_object_array_add(all, json_object_get(json_object_array_get_idx(
							   at_json(reply, "parameters.items"), i)));
		continues = at_has(reply, "continues") && at_bool(reply, "continues");
		json_object_put(reply);
	}
	return all;
}

char *task_logs(struct wire *wire, int64_t id)
{
	json_object *lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)id);
	char *logs;
	size_t size;
	FILE *out = open_memstream(&logs, &size);

	if (!out)
		die("out of memory");
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		fprintf(out, "%s\n", at_text(json_object_array_get_idx(lines, i), "line"));
	fclose(out);
	json_object_put(lines);
	return logs;
}
