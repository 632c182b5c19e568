/*
 * A daemon, an endpoint and an experiment whose responses a test has rated.
 */
#pragma once

#include "tests/harness/suite.h"

/* Of the test that runs. */
extern struct daemon *server;
extern struct sim *sim;
extern struct wire *wire;
extern int64_t experiment_id; // set by run_first()

/* `settings` of the endpoint, as for sim_start(). */
void begin(const char *const *settings);
/* An experiment that has run, and what the endpoint saw of it forgotten. The task. */
json_object *run_first(const struct experiment *experiment);
json_object *results_of(void); // the experiment
/* kill -9; what the endpoint gets from now on is another daemon's. */
void kill_server(void);

/* A call that rates: its task at the end; `parameters` with ' for ". */
json_object *rate(const char *method, const char *parameters);
/* It must be SUCCESS. */
json_object *rate_well(const char *method, const char *parameters);
/* Of the whole experiment, in detailed mode and detached: the task's id. */
int64_t submit_slow(const char *method);
int64_t recorded(int64_t task_id); // verdicts of a task
void await_recorded(int64_t task_id, int64_t at_least);

/* The epochs' counters say what the rows say. */
void counters_must_be_exact(void);
/* Tokens of which no row tells, since another run recorded the same at the same time. */
int64_t spent_for_nothing(void);

/* EditRating's rating; `parameters` with ' for ". */
json_object *edit_rating(const char *parameters, ...) __attribute__((format(printf, 1, 2)));
void must_be_near(json_object *reply, const char *path, double expected);
