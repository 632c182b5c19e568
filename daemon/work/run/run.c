#include "daemon/work/run/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "proto/generated/interface.h"

/* ---- Memory ---- */

static long long user_holds(const struct run *run, enum run_held held)
{
	return atomic_load(&run->host.user->bytes[held]);
}

void run_weigh(struct run *run, enum run_held held, size_t before, size_t now)
{
	struct run_user *user = run->host.user;

	run->held[held] += now - before;
	atomic_fetch_add(&user->bytes[held], (long long)now - (long long)before);
	if (now < before && atomic_load(&user->n_starved) > 0 &&
	    user_holds(run, held) < RUN_BYTES_MAX && !atomic_exchange(&user->told, true))
		loop_post(run->host.home, &user->room);
}

static void set_starved(struct run *run, bool starved)
{
	if (run->starved == starved)
		return;
	run->starved = starved;
	atomic_fetch_add(&run->host.user->n_starved, starved ? 1 : -1);
}

/* One that holds nothing gets more than its share: those that wait for a provider would keep it
 * from others of their user. */
bool run_may_hold(struct run *run, enum run_held held)
{
	long long max = run->held[held] ? RUN_BYTES_MAX : RUN_BYTES_ALONE_MAX;

	if (user_holds(run, held) < max)
		return true;
	set_starved(run, true);
	return user_holds(run, held) < max; // given back before that could be seen
}

void run_has_room(struct run *run)
{
	set_starved(run, false);
	run_go_on(run);
}

/* ---- Turns ---- */

static void on_turn(struct message *message)
{
	struct run *run = container_of(message, struct run, turn);

	run->steps = 0;
	run->waits_for_turn = false;
	run->n_outstanding--;
	run_go_on(run);
}

void run_took(struct run *run, size_t steps)
{
	run->steps += steps;
}

bool run_has_time(struct run *run)
{
	if (run->steps < RUN_STEPS_MAX)
		return true;
	if (!run->waits_for_turn) {
		run->waits_for_turn = true;
		run->n_outstanding++;
		loop_post(run->host.loop, &run->turn);
	}
	return false;
}

/* ---- Ending ---- */

static void cancel_calls(struct run *run)
{
	if (run->cancelled || !run->flow)
		return;
	run->cancelled = true;
	if (backend_flow_cancel(run->flow) < 0)
		log_warning("Task %" PRId64 ": its calls cannot be cancelled, awaiting them",
			    run->task.task_id);
}

/* Has what waits in the backend come back; what is in flight finishes. */
static void drain_calls(struct run *run)
{
	if (run->drained || !run->flow)
		return;
	run->drained = true;
	if (backend_flow_drain(run->flow) < 0)
		log_warning("Task %" PRId64 ": its calls cannot be given back, awaiting them",
			    run->task.task_id);
}

void run_fail(struct run *run, const struct fault *fault)
{
	if (run->phase == RUN_STOPPING || run->phase == RUN_ENDED)
		return;
	run->phase = RUN_STOPPING;
	run->end.status = TASK_FAILURE;
	run->fault = *fault;
	cancel_calls(run);
}

void run_fail_oom(struct run *run)
{
	struct fault fault = { 0 };

	fault_oom(&fault);
	run_fail(run, &fault);
}

static void give_back(struct run *run)
{
	if (run->phase == RUN_STOPPING || run->phase == RUN_ENDED)
		return;
	run->phase = RUN_STOPPING;
	run->end.status = TASK_PENDING;
}

void run_stop(struct run *run, bool cancel)
{
	/* What is complete ends as what it is: only what came of it is still to be had. */
	if (run->phase == RUN_CONCLUDING || run->phase == RUN_ENDED)
		return;
	give_back(run);
	if (cancel)
		cancel_calls(run);
}

static void finish(struct run *run)
{
	run->phase = RUN_ENDED;
	set_starved(run, false);
	for (int i = 0; i < _RUN_HELD_MAX; i++)
		run_weigh(run, (enum run_held)i, run->held[i], 0); // freed with it
	run->end.over_budget = run->over_budget && run->end.status == TASK_PENDING;
	if (run->end.over_budget)
		run_log_spent(run);
	run_log_end(&run->log);
	if (run->end.status == TASK_FAILURE &&
	    fault_to_error(&run->fault, &run->arena, &run->end.error) < 0)
		run->end.error = NULL;
	run->events.ended(run->events.userdata);
}

/* Fewer items than it takes to be sure, and every one of them without reaching the endpoint. */
static const struct run_call *find_held(const struct run *run)
{
	for (size_t i = 0; i < RUN_ROUTES; i++)
		if (run->routes[i].held)
			return run->routes[i].held;
	return NULL;
}

void run_go_on(struct run *run)
{
	bool done = run->phase == RUN_RUNNING && run->kind->issue(run);

	if (run->over_budget)
		drain_calls(run);
	if (run->phase == RUN_RUNNING && run->n_outstanding == 0) {
		if (done) {
			run->phase = RUN_CONCLUDING;
			run->kind->conclude(run);
		} else if (run->over_budget) {
			run_stop(run, false);
		} else if (find_held(run)) {
			run_fail(run, &find_held(run)->call.fault);
		}
	}
	if (run->phase == RUN_STOPPING && run->kind->stop)
		run->kind->stop(run);
	if (run->phase == RUN_STOPPING && run->n_outstanding == 0)
		finish(run);
}

/* ---- Going on ---- */

void run_expect(struct run *run, struct store_request *request,
		void (*done)(struct store_request *request))
{
	store_request_init(request, run->host.loop, done, run);
	run->n_outstanding++;
}

static void on_concluded(struct store_request *request)
{
	struct run *run = request->userdata;

	if (run_take_answer(run, request)) {
		run->result = ELLU_RECORD(struct ellu_task_result);
		run->result.ignored_params = run->n_ignored > 0 ? run->ignored : NULL;
		run->result.n_ignored_params = run->n_ignored;
		run->end.result = &run->result;
		run->end.status = TASK_SUCCESS;
		run->kind->end(run);
		run->phase = RUN_STOPPING;
	}
	run_go_on(run);
}

void run_conclude(struct run *run, struct store_request *request)
{
	run_expect(run, request, on_concluded);
}

void run_item_spend(const struct run *run, struct run_spend *spend)
{
	spend->run_id = run->spec->run_id;
	spend->epoch = run->spec->epochs[0].epoch;
	spend->generated = true;
}

void run_item_conclude(struct run *run, struct run_spend *spend)
{
	run_conclude(run, &spend->request);
	run_item_spend(run, spend);
	spend->input_tokens = spend->output_tokens = spend->cached_tokens = spend->cost_nanodollars = -1;
	store_run_spend(run->host.store, spend);
}

void run_item_done(struct run *run, const struct run_spend *spend)
{
	progress_add_response(&run->progress, spend->epoch, /* failed= */ false, /* complete= */ true,
			      /* n_ratings= */ 0);
	progress_add_usage(&run->progress, spend->input_tokens, spend->output_tokens, spend->cost_nanodollars);
	run_changed(run);
}

bool run_take_answer(struct run *run, const struct store_request *request)
{
	run->n_outstanding--;
	if (request->result >= 0)
		return true;
	/* No fault of the run's: it goes on when the store can be written again. */
	if (request->result == ELLU_E_STORAGE_DAMAGED || request->result == ELLU_E_STORAGE_FULL) {
		give_back(run);
		cancel_calls(run);
	} else {
		run_fail(run, &request->fault);
	}
	return false;
}

bool run_take_spare(struct run *run, const struct store_request *request, const char *what)
{
	if (request->result >= 0 || request->result == ELLU_E_STORAGE_DAMAGED ||
	    request->result == ELLU_E_STORAGE_FULL)
		return run_take_answer(run, request);
	run->n_outstanding--;
	run_log_failure(&run->log, "%s: %s", what, request->fault.message);
	return true;
}

void run_changed(struct run *run)
{
	run->events.changed(run->events.userdata);
}

static void on_loaded(struct store_request *request)
{
	struct run *run = container_of(request, struct run, load.request);
	struct fault fault = { 0 };

	if (run_take_answer(run, request) && run->phase == RUN_LOADING) {
		run->spec = run->load.ret_spec;
		if ((!run->kind->prepare || run->kind->prepare(run)) &&
		    run->kind->begin(run, &fault) < 0)
			run_fail(run, &fault);
	}
	run_go_on(run);
}

void run_load(struct run *run)
{
	if (run->spec)
		store_request_done(&run->load.request);
	run->spec = NULL;
	run->load.task_id = run->task.task_id;
	run_expect(run, &run->load.request, on_loaded);
	store_run_load(run->host.store, &run->load);
}

const char *run_hold(const struct run *run)
{
	if (run->phase != RUN_RUNNING)
		return NULL;
	return run->held_up ? ELLU_HOLD_PROVIDER : run->batch_hold;
}

/* ---- Tools ---- */

const struct ellu_tool_call **tool_calls_copy(const struct ellu_tool_call *const *tool_calls, size_t n,
					      struct arena *arena)
{
	const struct ellu_tool_call **list = arena_array(arena, n + 1, sizeof(*list));
	struct ellu_tool_call *copies = arena_array(arena, n + 1, sizeof(*copies));

	for (size_t i = 0; list && copies && i < n; i++) {
		copies[i] = *tool_calls[i];
		copies[i].id = arena_strdup(arena, tool_calls[i]->id);
		copies[i].name = arena_strdup(arena, tool_calls[i]->name);
		copies[i].arguments = arena_strdup(arena, tool_calls[i]->arguments);
		copies[i].signature = arena_strdup(arena, tool_calls[i]->signature);
		if (!copies[i].id || !copies[i].name || !copies[i].arguments ||
		    !copies[i].signature != !tool_calls[i]->signature)
			return NULL;
		list[i] = &copies[i];
	}
	return copies ? list : NULL;
}

int run_wait_for_tools(struct run *run, const struct ellu_tool_call *const *tool_calls, size_t n)
{
	return run->events.tool_calls(run->events.userdata, tool_calls, n);
}

void run_take_tool_result(struct run *run, const char *tool_call_id, const char *content)
{
	if (run->kind->tool_result && run->phase == RUN_RUNNING)
		run->kind->tool_result(run, tool_call_id, content);
	run_go_on(run);
}

/* ---- Life ---- */

int run_new(const struct job_kind *kind, const struct run_host *host, const struct work_task *task,
	    const struct run_events *events, struct run **ret_run)
{
	struct run *run = calloc(1, kind->size);

	if (!run)
		return -ENOMEM;
	run->kind = kind;
	run->host = *host;
	run->task = *task;
	run->events = *events;
	run->turn.deliver = on_turn;
	run_log_init(&run->log, events->log, events->userdata);
	if (kind->new && kind->new(run) < 0) {
		run_free(run);
		return -ENOMEM;
	}
	*ret_run = run;
	return 0;
}

struct run *run_free(struct run *run)
{
	if (!run)
		return NULL;
	backend_flow_close(run->flow);
	run->kind->free(run);
	store_request_done(&run->load.request);
	progress_done(&run->progress);
	arena_done(&run->arena);
	free(run);
	return NULL;
}

void run_start(struct run *run)
{
	run_load(run);
}

void run_abort(struct run *run)
{
	run_stop(run, true);
	run_go_on(run);
}

void run_drain(struct run *run)
{
	run_stop(run, false);
	drain_calls(run);
	run_go_on(run);
}
