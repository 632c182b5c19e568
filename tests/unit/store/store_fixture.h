/*
 * A store in a folder of its own under /tmp, and its operations as blocking calls: each posts
 * the request and runs the test's loop until it is answered.
 */
#pragma once

#include <check.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "daemon/base/loop.h"
#include "daemon/store/events.h"
#include "daemon/store/runs.h"
#include "daemon/store/store.h"
#include "daemon/store/tasks.h"
#include "proto/generated/interface.h"

#define UID 1000

#define FIXTURE_BEGUN_MAX 4

struct fixture {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct arena arena; // of requests
	struct arena *answers; // of finished operations: they live as long as the fixture
	size_t n_answers;
	int n_begun; // requests of fixture_begin() that are not answered
	struct store_request *ended[FIXTURE_BEGUN_MAX]; // the others, in the order of the answers
	int n_ended;
	int trouble_reports; // calls of store_options::trouble
	enum store_trouble trouble;
	enum store_trouble awaited;
	bool awaits_trouble;
};

void fixture_open(struct fixture *f); // with the user UID
void fixture_close(struct fixture *f); // removes the folder
void fixture_stop(struct fixture *f); // the store alone
void fixture_start(struct fixture *f);
void fixture_restart(struct fixture *f); // as if the daemon had ended without giving its tasks back
void fixture_ensure(struct fixture *f); // the user UID
int fixture_try_start(struct fixture *f, bool system, struct fault *fault);

/* A record of a request, decoded as a front does it. */
const void *record(struct fixture *f, const struct record_type *type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Posts and waits. OP is any operation; answers its result. What it answers lives as long as
 * the fixture. */
void fixture_init(struct fixture *f, struct store_request *request);
int fixture_wait(struct fixture *f, struct store_request *request);
#define CALL(f, function, op) \
	(fixture_init((f), &(op)->request), function((f)->store, (op)), fixture_wait((f), &(op)->request))
#define CALL_OK(f, function, op)                                                                \
	do {                                                                                    \
		int result_ = CALL(f, function, op);                                            \
		ck_assert_msg(result_ == 0, "%s: %s", #function, (op)->request.fault.message);  \
	} while (0)

/* Makes the operation that of a method with this request. */
void method_of(struct fixture *f, struct method_run *op, enum method_id id, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The reply's record, in its own type. */
#define REPLY(op, name) ((const struct ellu_##name##_reply *)(op)->ret_reply)

/* The reply that a list's page is. */
const void *page_of(struct fixture *f, const struct store_request *request,
		    const struct record_type *type);

/* Several at once: begin each, post it, then wait for all. */
void fixture_begin(struct fixture *f, struct store_request *request);
void fixture_wait_all(struct fixture *f);

extern const struct scope own; // UID's

/* RunExperiment with the JSON; the answer lives as long as the fixture. */
/* Fills in which method it is, and its request. */
void task_of(struct fixture *f, struct task_submit *op, enum method_id id, const char *json);
int submit_op(struct fixture *f, struct task_submit *op, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const struct ellu_task *submit(struct fixture *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Four rows, two epochs, two criteria; `more` of the request, with its leading comma, or "". */
const struct ellu_task *submit_grid(struct fixture *f, const char *more);
int64_t claim(struct fixture *f, int64_t task_id); // the attempt
void finish(struct fixture *f, int64_t task_id, enum task_status status);
const struct run_spec *load_run(struct fixture *f, int64_t experiment_id);
int64_t answer(struct fixture *f, const struct run_spec *spec, int64_t row_id, int64_t epoch,
	       const char *text);
void rate(struct fixture *f, const struct run_spec *spec, int64_t response_id, int64_t epoch,
	  size_t measure, int value, bool complete);

/* Keeps a loop of the store busy until it is released: what is posted meanwhile waits. */
struct hold {
	struct message message;
	sem_t released;
};
void hold_begin(struct hold *hold, struct loop *loop);
void hold_end(struct hold *hold);
/* Returns once the loop has handled what was posted to it before. */
void fixture_pass(struct loop *loop);

/* Returns once the store has told of it, or of STORE_FINE again; no request may end before. */
void fixture_await_trouble(struct fixture *f, enum store_trouble trouble);

/* Waits until the store, left to itself, makes the SQL answer this. */
void fixture_await(struct fixture *f, const char *sql, int64_t value);

/* A connection beside the store's, to look at the file. */
sqlite3 *look(struct fixture *f);
int64_t look_int(struct fixture *f, const char *sql);
void look_run(struct fixture *f, const char *sql);
/* True when a file below the state folder (secrets left out) holds the text. */
bool folder_holds(struct fixture *f, const char *text);
