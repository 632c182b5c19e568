#include "tests/integration/rating.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/database.h"

struct daemon *server;
struct sim *sim;
struct wire *wire;
int64_t experiment_id;

void begin(const char *const *settings)
{
	server = daemon_start(NULL);
	sim = sim_start(settings);
	wire = daemon_connect(server);
}

/* An experiment that has run, and what the endpoint saw of it forgotten. */
json_object *run_first(const struct experiment *experiment)
{
	json_object *task = experiment_run(wire, experiment);

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	experiment_id = at_int(task, "experiment_id");
	sim_reset(sim);
	return task;
}

json_object *rate(const char *method, const char *parameters)
{
	json_object *reply = wire_call(wire, method, "%s", requoted(parameters));

	ck_assert_msg(at_has(reply, "task"), "%s", json_object_to_json_string(reply));
	return at_json(reply, "task");
}

json_object *rate_well(const char *method, const char *parameters)
{
	json_object *task = rate(method, parameters);

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_str_eq(at_text(task, "kind"), "rating");
	return task;
}

json_object *results_of(void)
{
	return at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
				 (long long)experiment_id), "experiment");
}

int64_t recorded(int64_t task_id)
{
	return database_int(server, "SELECT n.ratings FROM run_epochs n JOIN tasks t"
				    " ON t.run_id = n.run_id WHERE t.id = %lld", (long long)task_id);
}

void await_recorded(int64_t task_id, int64_t at_least)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (recorded(task_id) < at_least)
		ck_assert(now_seconds() < deadline);
}

int64_t submit_slow(const char *method)
{
	json_object *reply;

	reply = wire_call(wire, method, "{'experiment':{'id':%lld},'rating_mode':'detailed',"
					"'detach':true}", (long long)experiment_id);
	return at_int(reply, "task.id");
}

/* kill -9; what the endpoint gets from now on is another daemon's. */
void kill_server(void)
{
	daemon_kill(server);
	sim_await_closed(sim);
}

int64_t spent_for_nothing(void)
{
	return database_int(server, "SELECT (SELECT sum(input_tokens) FROM run_epochs)"
				    " - (SELECT sum(input_tokens) FROM responses)"
				    " - (SELECT sum(input_tokens) FROM ratings)");
}

void counters_must_be_exact(void)
{
	ck_assert_int_eq(
		database_int(server,
			     "SELECT count(*) FROM run_epochs p WHERE p.run_id = (SELECT run_id FROM"
			     "  experiments WHERE id = %lld) AND ("
			     " generated <> (SELECT count(*) FROM responses r WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch)"
			     " OR failed <> (SELECT count(*) FROM responses r WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch AND r.error IS NOT NULL)"
			     " OR rated <> generated"
			     " OR ratings <> (SELECT count(*) FROM ratings g JOIN responses r"
			     "  ON r.id = g.response_id WHERE r.run_id = p.run_id"
			     "  AND r.epoch = p.epoch AND g.judge_id = (SELECT judge_id FROM runs"
			     "   WHERE id = p.run_id)))",
			     (long long)experiment_id),
		0);
}

json_object *edit_rating(const char *parameters, ...)
{
	va_list values;
	char *filled;

	va_start(values, parameters);
	ck_assert_int_ge(vasprintf(&filled, parameters, values), 0);
	va_end(values);
	return at_json(wire_call(wire, "EditRating", "%s", requoted(filled)), "rating");
}

void must_be_near(json_object *reply, const char *path, double expected)
{
	ck_assert_msg(fabs(at_number(reply, path) - expected) < 1e-9, "%s: %.12g", path,
		      at_number(reply, path));
}
