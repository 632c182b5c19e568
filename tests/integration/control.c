#include "tests/integration/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct daemon *server;
struct wire *wire;

void begin(const char *config)
{
	server = daemon_start(config ? &(struct daemon_options) { .config = config } : NULL);
	wire = daemon_connect(server);
}

void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
}

void restart(void)
{
	daemon_restart(server);
	wire = daemon_connect(server);
}

/* ---- Control and what it answers ---- */

json_object *control(const char *method, int64_t id)
{
	json_object *reply = wire_call(wire, method, "{'id':%lld}", (long long)id);

	return at_json(reply, "task");
}

void pause_task(int64_t id)
{
	ck_assert_str_eq(at_text(control("PauseTask", id), "hold"), "user");
}

void resume_task(int64_t id)
{
	ck_assert(!at_has(control("ResumeTask", id), "hold"));
}

void cancel_task(int64_t id)
{
	ck_assert_str_eq(at_text(control("CancelTask", id), "status"), "REVOKED");
}

json_object *tune_task(int64_t id, const char *members)
{
	json_object *reply = wire_call(wire, "TuneTask", "{'id':%lld,%s}", (long long)id,
				       requoted(members));

	return at_json(reply, "task");
}

/* "STATUS" or "STATUS HOLD". */
const char *state_of(json_object *record)
{
	return at_has(record, "hold") ?
		       text("%s %s", at_text(record, "status"), at_text(record, "hold")) :
		       at_text(record, "status");
}

void must_conflict(const char *method, int64_t id, const char *members, const char *why)
{
	json_object *reply = wire_refused(wire, "Conflict", method, "{'id':%lld%s%s}", (long long)id,
					  members[0] ? "," : "", requoted(members));

	ck_assert_str_eq(at_text(reply, "parameters.resource_type"), "task");
	ck_assert_int_eq(at_int(reply, "parameters.resource_id"), id);
	ck_assert_msg(strstr(at_text(reply, "parameters.reason"), why), "%s",
		      json_object_to_json_string(reply));
}

/* ---- What a watcher sees ---- */

struct watcher *watch(int64_t id)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));

	watcher->wire = daemon_connect(server);
	wire_start(watcher->wire, "'more':true", "WatchTask",
		   "{'id':%lld,'after_sequence':0,'min_interval_seconds':0.05}", (long long)id);
	return watcher;
}

/* Holds of the moment come and go without a change of the task's row. */
static bool is_of_the_moment(const char *state)
{
	return strstr(state, " provider") || strstr(state, " storage");
}

/* False: it was the last. A change of status, or of a hold that lasts, raises the sequence. */
static bool read_event(struct watcher *watcher)
{
	json_object *reply = wire_next(watcher->wire);
	json_object *event = at_json(reply, "parameters.event");
	bool continues = at_has(reply, "continues");
	const char *state;

	ck_assert_msg(event, "%s", json_object_to_json_string(reply));
	state = state_of(event);
	ck_assert_int_ge(at_int(event, "sequence"), watcher->sequence);
	if (strcmp(state, watcher->state) != 0) {
		if (!is_of_the_moment(state) && !is_of_the_moment(watcher->state))
			ck_assert_int_gt(at_int(event, "sequence"), watcher->sequence);
		snprintf(watcher->state, sizeof(watcher->state), "%s", state);
		strncat(watcher->states, text("%s,", state),
			sizeof(watcher->states) - strlen(watcher->states) - 1);
	}
	watcher->sequence = at_int(event, "sequence");
	json_object_put(reply);
	return continues;
}

void await_state(struct watcher *watcher, const char *state)
{
	while (strcmp(watcher->state, state) != 0)
		if (!read_event(watcher) && strcmp(watcher->state, state) != 0)
			die("it ended as %s, without %s", watcher->state, state);
}

/* All that a watcher was told live, which is what one that comes late is told. */
const char *all_states(struct watcher *watcher, int64_t id)
{
	struct watcher *late = watch(id);

	while (read_event(watcher))
		;
	while (read_event(late))
		;
	ck_assert_str_eq(late->states, watcher->states);
	ck_assert_int_eq(late->sequence, watcher->sequence);
	return watcher->states;
}

bool has_log(int64_t id, const char *words)
{
	json_object *lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)id);

	for (size_t i = 0; i < json_object_array_length(lines); i++)
		if (strstr(at_text(json_object_array_get_idx(lines, i), "line"), words))
			return true;
	return false;
}

int64_t n_on_hold(void)
{
	return at_int(wire_call(wire, "GetStatus", "{}"), "queue.on_hold");
}

/* Nothing was asked for that was recorded. */
void must_be_asked_once(const struct sim *sim, int64_t n)
{
	json_object *stats = sim_stats(sim);

	ck_assert_int_eq(at_int(stats, "calls"), n);
	ck_assert_int_eq(at_int(stats, "answered"), n);
}
