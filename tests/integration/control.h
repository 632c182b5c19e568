/*
 * A daemon whose tasks a test holds in its hand: controls them, and follows what a watcher is told.
 */
#pragma once

#include "tests/harness/suite.h"

/* Of the test that runs. */
extern struct daemon *server;
extern struct wire *wire;

/* Starts the daemon; `config` is the text of its configuration, or NULL. */
void begin(const char *config);
/* It must end well. */
void end(void);
/* Once it has ended. */
void restart(void);

/* ---- Control, and what it answers: the task ---- */

json_object *control(const char *method, int64_t id);
void pause_task(int64_t id);
void resume_task(int64_t id);
void cancel_task(int64_t id);
/* `members`: of the request, with ' for ", here and below. */
json_object *tune_task(int64_t id, const char *members);
void must_conflict(const char *method, int64_t id, const char *members, const char *why);

/* "STATUS" or "STATUS HOLD", of a task or an event. */
const char *state_of(json_object *record);

/* ---- What a watcher sees ---- */

struct watcher {
	struct wire *wire;
	int64_t sequence;
	char states[512]; // each that is not the one before, with a comma behind it
	char state[64];
};

struct watcher *watch(int64_t id);
void await_state(struct watcher *watcher, const char *state);
/* All that it was told until the end, which is what one that comes late is told. */
const char *all_states(struct watcher *watcher, int64_t id);

/* ---- What else tells of it ---- */

bool has_log(int64_t id, const char *words);
int64_t n_on_hold(void);
/* Nothing was asked for that was recorded. */
void must_be_asked_once(const struct sim *sim, int64_t n);
