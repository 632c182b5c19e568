/*
 * A run: what one task does, on one worker. What every kind of job has in common is here: calls
 * and where they go, phases, budget, memory, log and end. What a kind is about is a row of
 * functions (struct job_kind) and a struct that begins with a struct run.
 *
 *	route.c	calls and how they came back; their flow, which opens when the run begins; caps
 *	run.c	phases, from the start to the end; memory
 *	spending.c	limits of cost
 *	run_log.c, progress.c	what is said of it
 *
 * Everything happens on the loop of `host`; a callback of `struct run_events` may be called from
 * any function here but run_new(). After `ended` nothing is outstanding, no callback follows, and
 * `end` stays until run_free().
 *
 * Invariants:
 *  1. `n_outstanding` counts the operations and calls whose answer will come; nothing is freed
 *     that one of them uses, and the run ends only when it is 0.
 *  2. Each function that the store or the backend enters by ends with run_go_on(), which alone
 *     has something new issued and alone ends the run.
 *  3. What is held for the items of all runs of a user is at most RUN_BYTES_ALONE_MAX together, for
 *     questions to judges the same, and of each one more a worker. Who may not hold more has
 *     nothing issued until others hold less.
 *  4. Of one route, calls with the backend plus answers not yet committed are at most twice its
 *     cap: that bounds the memory, and what a crash makes us ask again.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "daemon/backend/backend.h"
#include "daemon/base/container_of.h"
#include "daemon/base/loop.h"
#include "daemon/store/runs.h"
#include "daemon/store/store.h"
#include "daemon/work/run/progress.h"
#include "daemon/work/run/run_log.h"
#include "daemon/work/work.h"
#include "proto/content/llm_config_rules.h"
#include "proto/limits.h"

/* Of each thing that is held for items: what all runs of a user may hold, and up to what one that
 * holds nothing yet may go beyond it. */
#define RUN_BYTES_MAX (32 * 1024 * 1024)
#define RUN_BYTES_ALONE_MAX (48 * 1024 * 1024)
/* What a run may take of its worker where no model is asked, and by one such thing beyond, until others'
 * work got its turn; in steps of metrics. */
#define RUN_STEPS_MAX 4000000
#define RUN_UNREACHABLE_MAX 10 // items that end so, nothing else before: the task fails
#define RUN_OWN_ROUTES (1 + JUDGES_MAX) // who answers, and who judges
#define RUN_FALLBACK_ROUTES (RUN_OWN_ROUTES + RUN_CONFIGS_MAX) // behind its own those of its evaluators
#define RUN_ROUTES (RUN_FALLBACK_ROUTES + FALLBACKS_MAX)

enum run_phase {
	RUN_LOADING,
	RUN_RUNNING,
	RUN_CONCLUDING, // nothing is missing; what came of it is still to be had
	RUN_STOPPING, // nothing new is issued; `end` is decided
	RUN_ENDED,
};

struct run;

/*
 * A kind of job. Its struct begins with a struct run, is made zeroed but for that, and lives from
 * `new` to `free`; all functions are called on the run's loop, but `new` and `free`. What is the same
 * for all is no function of a kind: to abort and to drain are run.c's, how far it is progress.c's.
 */
struct job_kind {
	size_t size; // of its struct
	/* -ENOMEM; `free` follows in any case. May be NULL. */
	int (*new)(struct run *run);
	void (*free)(struct run *run);
	/* What was pinned is loaded, and `spec`: moves the run to RUN_RUNNING, by run_begin(). Negative, with
	 * the fault: it fails. */
	int (*begin)(struct run *run, struct fault *fault);
	/* There is more to be done before. NULL: nothing. False: it calls run_load() when that is done. */
	bool (*prepare)(struct run *run);
	/* Issues what there is room for, and answers whether nothing is missing any more. Called in
	 * RUN_RUNNING, whenever something came back. */
	bool (*issue)(struct run *run);
	/* Nothing is missing: asks the store for what came of it, by run_conclude(). */
	void (*conclude)(struct run *run);
	/* The store has answered: fills `end`, and `result` of what it has. */
	void (*end)(struct run *run);
	/* It ends, and nothing of what it awaits beside its calls and the store's answers is awaited any more.
	 * Called in RUN_STOPPING, whenever something came back. NULL: there is nothing. */
	void (*stop)(struct run *run);
	/* Sets caps by what the run is tuned to. Called once it is loaded, and on each change. */
	void (*tune)(struct run *run);
	/* One of the calls of tools that it waits for was answered. NULL: it waits for none. */
	void (*tool_result)(struct run *run, const char *tool_call_id, const char *content);
};

enum run_held {
	RUN_ITEMS, // values, request, answer
	RUN_QUESTIONS, // to judges; they alone let go of items that wait for them
	_RUN_HELD_MAX,
};

/* What the runs of a user hold together, and whether one of them waits for room; all threads. */
struct run_user {
	atomic_llong bytes[_RUN_HELD_MAX];
	atomic_int n_starved;
	atomic_bool told; // `room` is on its way
	struct message room; // to the home loop, which has each run of the user go on
};

struct run_host {
	struct loop *home;
	struct loop *loop;
	struct store *store;
	struct backend *backend;
	struct run_user *user;
	const atomic_llong *batch_wait_usec; // the longest between two looks at a provider's batch
};

struct run_events {
	void (*changed)(void *userdata); // the progress
	void (*log)(void *userdata, const char *line);
	int (*tool_calls)(void *userdata, const struct ellu_tool_call *const *tool_calls, size_t n); // -ENOMEM
	void (*ended)(void *userdata);
	void *userdata;
};

/* ---- Routes and calls (route.c) ---- */

struct run_call;

/* The calls of a run that go to one endpoint. */
struct route {
	int cap;
	int handed; // calls with the backend
	int uncommitted; // answers whose record is not committed
	bool reached; // the endpoint answered, be it with an error
	int64_t n_priced, priced_cost; // answers that came with a cost, and it
	struct run_call *held; // came back unreachable while nothing was reached
	size_t n_held;
};

/* A call for an item. One of the two is called for each that was submitted, unless the run fails or
 * stops over it: then nothing is recorded, and the item stays missing. */
struct run_call {
	struct llm_call call;
	struct run *run;
	struct route *route;
	int64_t epoch; // that counts what it takes
	bool own_trouble; // whatever is wrong with its endpoint or config, it fails and the run goes on
	char cache_key[CACHE_KEY_SIZE]; // of what is asked; empty: its answer is not kept
	bool cached; // the answer was kept
	bool again; // it is asked once more; what it took before is:
	int64_t input_tokens, output_tokens, cached_tokens, cost_nanodollars;
	int64_t estimate; // what it may cost, until it came back
	int64_t unrecorded; // what it did cost, until that is recorded
	void (*answered)(struct run_call *call);
	void (*failed)(struct run_call *call); // with call.fault
	struct run_call *next; // route::held
};

/* Sets up the call of a zeroed one, all but what is asked. */
void run_call_init(struct run_call *call, struct run *run, struct route *route,
		   struct llm_target *target);
void run_call_submit(struct run_call *call);
/* What it may cost is held against the limits from here on, before it is submitted; or no more: it is not. */
void run_call_hold(struct run_call *call);
void run_call_let_go(struct run_call *call);
/* What messages say, for the keys of calls: an endpoint may serve several databases whose ids are
 * alike. */
uint32_t run_messages_hash(const struct ellu_message *const *messages, size_t n_messages);
/* A target of the config, of which so much is taken. */
int run_target_new(const struct ellu_llm_config *config, const struct taken_today *taken,
		   struct llm_target **ret_target, struct fault *fault);
/* Who pays for a call by that config (NULL: nobody calls). */
struct spend_source run_source(const struct run *run, const struct llm_target *target);
/* It was spent for nothing, as far as it was: no record will say so. */
void run_call_lost(struct run_call *call);
bool route_has_room(const struct run *run, const struct route *route);

/* What several answers took together; tokens and cost are -1 while nothing is known. */
struct run_total {
	int64_t input_tokens, output_tokens, reasoning_tokens, cached_tokens;
	int64_t cost_nanodollars;
	int64_t attempts;
	int64_t duration_usec;
};
#define RUN_TOTAL_NONE ((struct run_total){ -1, -1, -1, -1, -1, 0, 0 })
void run_total_add(struct run_total *total, const struct llm_call *call);
/* As it is told, in the arena, or NULL. *ret_cost is NULL where it is unknown. */
const struct ellu_usage *run_total_usage(const struct run_total *total, struct arena *arena,
					 const int64_t **ret_cost);

/* How many calls by a config the run may have in flight. */
int run_cap_of(const struct run *run, const struct ellu_llm_config *config);
/* It came back, and what it did cost counts until it is recorded. */
void run_call_take_cost(struct run_call *call);
/* What the call did cost is recorded, and counts as that; `spent` says of it what is left of the day. */
void run_call_recorded(struct run_call *call, const struct spent *spent);

/* ---- Limits of cost (spending.c) ---- */

/* Whether one of the configs (NULL: none) says what its calls cost. */
void run_price(struct run *run, const struct ellu_llm_config *config);
/* Whether limits of cost allow to issue something: what is in flight counts by estimate, until it is
 * recorded. Once one is reached by what was spent, it stays so for the run. */
bool run_may_spend(struct run *run);
/* Whether any limit counts: what is not known to cost anything is held against nothing. */
bool run_is_limited(const struct run *run);
/* What may be spent still, by the lowest of them. */
int64_t run_money_left(const struct run *run);
/* Which limit is reached, and how to go on. */
void run_log_spent(struct run *run);
/* Says it if the cost limit has no effect. */
void run_describe_cost(struct run *run);

/* ---- The run (run.c) ---- */

struct run {
	const struct job_kind *kind;
	struct run_host host;
	struct work_task task;
	struct run_events events;
	enum run_phase phase;
	size_t n_outstanding;
	struct run_load load;
	const struct run_spec *spec; // what was pinned, once it is loaded
	int64_t id; // as it is stored; from run_begin() on
	int64_t project_id; // the same
	struct backend_flow *flow; // of all its calls; NULL until it is loaded
	bool cancelled; // backend_flow_cancel() was called
	bool drained; // backend_flow_drain() was called
	bool held_up; // by the provider: none of its calls can go
	const char *batch_hold; // what all that is left waits for, when it goes as batches; or NULL
	bool over_budget; // nothing is issued any more
	bool priced; // what its calls cost is known
	int64_t pending_cost; // of its calls: estimated, or unrecorded
	struct daily_budget today; // of the project, as it was recorded last
	const char *ignored[LLM_CONFIG_PARAMS_MAX]; // parameters that are not sent
	size_t n_ignored;
	int flow_connections;
	struct route routes[RUN_ROUTES];
	int64_t n_open; // items
	size_t held[_RUN_HELD_MAX]; // of run_user::bytes
	bool starved; // of run_user::n_starved
	size_t steps; // taken since others' work had its turn
	bool waits_for_turn;
	struct message turn; // they have had it
	struct progress progress; // from run_begin() on
	struct run_log log;
	struct arena arena; // what `end` points to
	struct fault fault; // why it failed
	struct work_end end;
	struct ellu_task_result result;
};

/* Borrows what `host` names. */
int run_new(const struct job_kind *kind, const struct run_host *host, const struct work_task *task,
	    const struct run_events *events, struct run **ret_run);
/* Before run_start() or after `ended`. Accepts NULL, returns NULL. */
struct run *run_free(struct run *run);

void run_start(struct run *run);
void run_abort(struct run *run);
void run_drain(struct run *run);
void run_tune(struct run *run, const struct work_tuning *tuning);
/* One that it does not wait for (any more) is left alone. */
void run_take_tool_result(struct run *run, const char *tool_call_id, const char *content);
/* What all of it waits for, as work.h has it, or NULL. */
const char *run_hold(const struct run *run);
/* Others of its user hold less. */
void run_has_room(struct run *run);

/* ---- For its kind ---- */

/* Posts it to the store afterwards: it is outstanding. */
void run_expect(struct run *run, struct store_request *request,
		void (*done)(struct store_request *request));
/* The same, of what the run ends with. */
void run_conclude(struct run *run, struct store_request *request);
/* Loads what was pinned (again). */
void run_load(struct run *run);
/* It is loaded: counts from what its spec says was there before, has it tuned, and begins to issue. */
int run_begin(struct run *run, struct fault *fault);
/* Of a run with one item: whose spending it is; that it took nothing which its calls have not recorded,
 * with which the run concludes; and that it is done, and took that much. */
void run_item_spend(const struct run *run, struct run_spend *spend);
void run_item_conclude(struct run *run, struct run_spend *spend);
void run_item_done(struct run *run, const struct run_spend *spend);
/* It waits for these calls of tools, or for none any more. -ENOMEM. */
int run_wait_for_tools(struct run *run, const struct ellu_tool_call *const *tool_calls, size_t n);
/* Issues what there is room for, and ends the run when nothing is left. */
void run_go_on(struct run *run);
void run_changed(struct run *run);
/* So many steps were taken where no model was asked. */
void run_took(struct run *run, size_t steps);
/* false: others' work goes first, and it goes on behind it. */
bool run_has_time(struct run *run);
/* Ends the run as FAILURE once nothing is outstanding. The first one counts. */
void run_fail(struct run *run, const struct fault *fault);
void run_fail_oom(struct run *run);
/* Ends it as PENDING; `cancel`: aborts what is in flight. */
void run_stop(struct run *run, bool cancel);
/* The answer of a store operation came: counts it, and fails the run over an error. */
bool run_take_answer(struct run *run, const struct store_request *request);
/* The same of what the run can do without: an error is logged, and true answered. */
bool run_take_spare(struct run *run, const struct store_request *request, const char *what);
/* Something that is held took `before` bytes and takes `now`. */
void run_weigh(struct run *run, enum run_held held, size_t before, size_t now);
/* Whether something more may be held. If not, the run goes on when it may. */
bool run_may_hold(struct run *run, enum run_held held);
