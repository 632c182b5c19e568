/*
 * Experiments as tests need them: the parameters of RunExperiment with inline rows, and waiting
 * for tasks.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "tests/harness/daemon.h"
#include "tests/harness/wire.h"

/* What is 0 or NULL is left out of the request. */
struct experiment {
	const char *name; // NULL: "Experiment"
	unsigned rows; // {"topic": "topic N of NAME"}, N from 1; 0: `more` says the collection
	unsigned n_criteria; // as many questions
	const char *url; // an endpoint of provider openai; NULL: `more` or the default config
	const char *api_key;
	unsigned max_connections; // of the config
	const char *config; // further members of the config, as "'max_retries': 0"; or NULL
	const char *more; // further members of the request, as "'detach': true"; or NULL
};

/* Parameters of RunExperiment, JSON text; free() it. */
char *experiment_request(const struct experiment *experiment);
/* Submits it detached: the task's id, whatever its status. */
int64_t experiment_submit(struct wire *wire, const struct experiment *experiment);
/* Submits it and waits: the terminal task. */
json_object *experiment_run(struct wire *wire, const struct experiment *experiment);

/* Waits for its end on a connection of its own: the terminal task. */
json_object *task_await(const struct daemon *daemon, int64_t id);
/* The same; its status must be this. The caller puts what it gets. */
json_object *task_await_status(const struct daemon *daemon, int64_t id, const char *status);
json_object *task_get(struct wire *wire, int64_t id);
/* The statuses that an ended task went through, as "PENDING STARTED SUCCESS": a replay of its
 * events and the rows in the database must both say so. */
void task_must_have_been(const struct daemon *daemon, int64_t id, const char *statuses);
/* Responses and ratings that are recorded. */
int64_t experiment_recorded(struct wire *wire, int64_t experiment_id);
/* Waits until at least so many are, or the experiment's task has ended; how many are. */
int64_t experiment_await_recorded(struct wire *wire, int64_t task_id, int64_t experiment_id,
				  int64_t at_least);

/* Waits until no worker has a task: what a cancelled one still had under way is recorded or gone,
 * and its place in the queue is free. */
void experiment_await_workers_free(struct wire *wire);

/* A task's whole log, each line with a newline; free() it. */
char *task_logs(struct wire *wire, int64_t id);

/* All items of all pages of a listing method: a JSON array. `parameters` are the members
 * without braces, as in quoted(). */
json_object *list_all(struct wire *wire, const char *method, const char *parameters, ...)
	__attribute__((format(printf, 3, 4)));
