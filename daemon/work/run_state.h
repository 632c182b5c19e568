/*
 * The state of a running experiment, and what its files offer each other:
 *
 *	experiment_run.c	phases: load, run, stop, aggregate, end
 *	window.c	which case and which call is next
 *	case.c	one case: render, call, record, have it judged
 *	judgement.c	one criterion of a case: ask, read the verdict, record
 *	lane.c	calls and how they came back
 *	tuning.c	priority, caps and the cost limit, also while it runs
 *
 * Invariants:
 *  1. `n_outstanding` counts the operations and calls whose answer will come; nothing is freed
 *     that one of them uses, and the run ends only when it is 0.
 *  2. Each function that the store or the backend enters by ends with window_pump(), which alone
 *     issues something new and alone ends the run.
 *  3. What cases and questions to judges hold is at most RUN_BYTES_MAX for all runs of a user
 *     together, and for each of them one case and one question more.
 *  4. Of one lane, calls with the backend plus answers not yet committed are at most twice its
 *     cap: that bounds the memory, and what a crash makes us ask again.
 */
#pragma once

#include <json.h>
#include <stddef.h>

#include "daemon/store/runs.h"
#include "daemon/work/experiment_run.h"
#include "daemon/work/run_log.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#define RUN_PAGE_SCAN 256 // (row, epoch) pairs looked at for a page of cases
#define RUN_PAGE_SCAN_MAX PAGE_MAX // where nothing was missing
#define RUN_BYTES_MAX (32u * 1024 * 1024)
#define RUN_UNREACHABLE_MAX 10 // items that end so, nothing else before: the task fails

enum run_phase {
	RUN_LOADING, // and counting, where the counters do not say what is recorded
	RUN_RUNNING,
	RUN_STOPPING, // nothing new is issued; `end` is decided
	RUN_AGGREGATING,
	RUN_ENDED,
};

/* ---- Calls ---- */

struct attempt;

/* The calls that go to one endpoint. Generating and judging share a lane if they go to the same,
 * though by configs that may differ in what they ask. */
struct lane {
	int cap;
	int handed; // calls with the backend
	int uncommitted; // answers whose record is not committed
	bool reached; // the endpoint answered, be it with an error
	bool answered; // a call of it was answered
	struct attempt *held; // came back unreachable while nothing was reached
	size_t n_held;
};

/* A call for a case. One of the three is called for each that was submitted, unless the run
 * fails or stops over it: then nothing is recorded, and the item stays missing. */
struct attempt {
	struct llm_call call;
	struct experiment_run *run;
	struct lane *lane;
	void (*answered)(struct attempt *attempt);
	void (*failed)(struct attempt *attempt); // with call.fault
	struct attempt *next; // lane::held
};

/* Sets up the call of a zeroed attempt, all but what is asked. */
void attempt_init(struct attempt *attempt, struct experiment_run *run, struct lane *lane,
		  struct llm_target *target);
void attempt_submit(struct attempt *attempt);
bool lane_has_room(const struct lane *lane);

/* ---- Cases ---- */

#define CASE_NAME_SIZE 64

/* A case from read to recorded. Its memory is the arena of its record's request. */
struct open_case {
	struct attempt attempt; // the generation
	struct response_record record;
	struct experiment_run *run;
	int64_t row_id;
	int64_t row_number;
	int64_t epoch;
	json_object *values;
	int64_t experiment_id;
	const struct ellu_message *const *messages; // what was asked; NULL: it is not known
	size_t n_messages;
	int64_t response_id; // 0: not committed
	const char *text; // what is judged
	bool *decided; // by measure, or NULL: none is
	size_t next_measure; // to be asked for, or past the last
	size_t values_size;
	size_t bytes; // of run::case_bytes
	size_t n_unposted; // ratings whose record was not handed to the store
	size_t n_open; // ratings not committed
	struct open_case *next; // run::judging
	struct open_case *newer; // run::oldest, or run::spare_cases
	struct open_case *older;
};

/* What people call it in the log. */
const char *case_name(const struct open_case *open_case, char text[static CASE_NAME_SIZE]);

/* Opens a case and starts with what it misses. */
void case_start(struct experiment_run *run, const struct run_case *row);
void case_close(struct open_case *open_case);
void case_free(struct open_case *open_case); // its memory too

/* ---- Judgements ---- */

/* Its memory is the arena of its record's request. */
struct judgement {
	struct attempt attempt;
	struct rating_record record;
	struct open_case *open_case;
	const struct run_measure *measure;
	bool asked_again;
	size_t bytes; // of run::judgement_bytes
	struct judgement *newer; // run::newest_judgement, or run::spare_judgements
	struct judgement *older;
};

/* Asks for the verdict on the case by its next measure; there must be one. */
void judgement_start(struct open_case *open_case);
void judgement_free(struct judgement *judgement);

/* ---- The window ---- */

enum page_state {
	PAGE_IDLE,
	PAGE_ASKED,
	PAGE_READY,
};

struct page {
	struct cases_page op;
	struct experiment_run *run;
	enum page_state state;
	size_t next; // of op.ret_cases
};

/* Issues what there is room for, prefetches, and ends the run when nothing is left. */
void window_pump(struct experiment_run *run);
/* A case that now waits for verdicts. */
void window_add_judging(struct experiment_run *run, struct open_case *open_case);

/* ---- The run ---- */

struct experiment_run {
	struct run_host host;
	struct work_task task;
	struct run_events events;
	enum run_phase phase;
	size_t n_outstanding;
	bool cancelled; // backend_cancel_flow() was called
	bool drained; // backend_drain_flow() was called
	bool held_up; // by the provider: none of its calls can go
	bool over_budget; // nothing is issued any more

	struct run_load load;
	struct run_take_over taking;
	struct run_count count;
	bool counted; // by this run
	const struct run_spec *spec; // NULL until loaded
	struct llm_target *target; // NULL with a response column
	struct llm_target *judge_target; // NULL without criteria
	struct lane lanes[2];
	struct lane *generating; // one of the lanes, or both the same
	struct lane *judging_lane;
	int flow_connections;
	const char *const *needed; // placeholders of the criteria
	size_t n_needed;
	json_tokener *tokener;

	struct page pages[2];
	unsigned page; // the one that is read
	struct case_cursor cursor;
	size_t scan;
	bool read_all;

	int64_t n_open; // cases
	int64_t window; // how many may be open
	size_t case_bytes; // held by open cases: values, request, answer
	size_t judgement_bytes; // held by questions to judges
	struct open_case *newest; // all that are open, linked by `older`
	struct open_case *spare_cases;
	struct open_case *judging; // wait to be asked for, in order
	struct open_case **judging_tail;
	struct judgement *newest_judgement;
	struct judgement *spare_judgements;

	struct progress progress;
	struct run_log log;

	struct results_compute results;
	struct arena arena; // what `end` points to, and `needed`
	struct fault fault; // why it failed
	struct work_end end;
	struct ellu_task_result result;
};

/* One of the run's sums, and its user's, change by what something took before and takes now. */
void run_weigh(struct experiment_run *run, size_t *sum, size_t before, size_t now);
/* Whether something more may be held beside what the sum says. */
bool run_may_hold(const struct experiment_run *run, size_t sum);
/* Ends the run as FAILURE once nothing is outstanding. The first one counts. */
void run_fail(struct experiment_run *run, const struct fault *fault);
void run_fail_oom(struct experiment_run *run);
/* Ends it as PENDING; `cancel`: aborts what is in flight. */
void run_stop(struct experiment_run *run, bool cancel);
/* Has what waits in the backend come back; what is in flight finishes. */
void run_drain_calls(struct experiment_run *run);
/* Looks whether the run can go on to its next phase. */
void run_check_end(struct experiment_run *run);
void run_changed(struct experiment_run *run);
/* The answer of a store operation came: counts it, and fails the run over an error. */
bool run_take_answer(struct experiment_run *run, const struct store_request *request);

/* ---- How it runs (tuning.c) ---- */

/* Sets lanes and window by the caps of configs, request and task. */
void tuning_apply(struct experiment_run *run);
/* What there is to say in the log about the limits that the run begins with. */
void tuning_describe(struct experiment_run *run);
/* Whether the cost limit allows to issue something. Once it does not, it stays so for the run. */
bool tuning_allows(struct experiment_run *run);
void tuning_log_spent(struct experiment_run *run);
