#include "daemon/queue/running.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/queue/live_task.h"
#include "daemon/queue/news.h"
#include "daemon/queue/queue_state.h"
#include "daemon/queue/rest.h"
#include "daemon/queue/trial.h"
#include "daemon/work/experiment/leftovers.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"

/* What the journal knows a line about a task by. */
#define TASK(live_task) .task = (live_task)->id, .experiment = (live_task)->experiment_id
#define task_error(live_task, format, ...)                                                  \
	log_about(LOG_ERR, ABOUT(TASK(live_task)), "task %" PRId64 ": " format, (live_task)->id, \
		  ##__VA_ARGS__)

/* ---- What records say ---- */

const char *running_lasting_hold(const char *hold)
{
	if (!hold)
		return NULL;
	return strcmp(hold, ELLU_HOLD_USER) == 0 ? ELLU_HOLD_USER : ELLU_HOLD_BUDGET;
}

void running_take_record(struct live_task *task, const struct ellu_task *record)
{
	task->status = task_status_from_name(record->status);
	task->sequence = record->sequence;
	task->kind = task_kind_from_name(record->kind);
	task->experiment_id = record->experiment_id ? *record->experiment_id : 0;
	task->time_limit_usec = (int64_t)(record->time_limit_seconds * USEC_PER_SEC);
	task->run_before_usec = (int64_t)(record->running_seconds * USEC_PER_SEC);
	live_task_set_hold(task, running_lasting_hold(record->hold), record->hold_reason);
	if (record->progress)
		live_task_set_progress(task, record->progress);
}

struct work_tuning running_tuning(const struct ellu_task *record)
{
	return (struct work_tuning){
		.priority = (int)task_priority_from_name(record->priority),
		.max_connections = record->max_connections ? (int)*record->max_connections : 0,
		.cost_limit = record->cost_limit ? *record->cost_limit : -1,
	};
}

/* ---- Changes of status ---- */

/* `request` is what committed it. */
static void publish_state(struct live_task *task, const struct store_request *request,
			  const struct ellu_task *record)
{
	struct task_news news = { .first_sequence = record->sequence };
	struct share share = { 0 };

	if (task->number < request->last_event)
		task->number = request->last_event;
	/* One event, this one: whoever follows all tasks need not read it. */
	if (request->first_event == request->last_event)
		news.last_number = request->last_event;

	news.event = ELLU_RECORD(struct ellu_task_event);
	news.event.task_id = task->id;
	news.event.sequence = record->sequence;
	news.event.status = record->status;
	news.event.hold = live_task_hold(task);
	news.event.hold_reason = live_task_hold_reason(task, news.event.hold);
	news.event.progress = record->progress;
	news.event.error = record->error;
	news.event.result = record->result;
	news.event.at = clock_wall_usec();
	news.terminal = task_status_is_terminal(task->status);
	news_publish(task, &news, &share);
	share_done(&share);
}

/* The task is no longer the queue's: it is terminal. */
static void let_go(struct live_task *task)
{
	schedule_leave(task->queue->schedule, &task->schedule);
	trial_end(task);
	if (task->kind == TASK_KIND_EXPERIMENT)
		leftovers_sweep(task->queue->leftovers);
	news_end(task);
	live_task_remove(&task->queue->tasks, task);
}

static void give_back(struct live_task *task)
{
	if (task->run)
		work_drain(task->run);
}

/* The store could not make a change. The record says what it said before: the next start takes the
 * task up from there. A run that goes on ends first, and comes by here again. */
static void retry_later(struct live_task *task, const struct fault *fault)
{
	task_error(task, "its state cannot be stored: %s", fault->message);
	if (task->state == LIVE_OVER)
		return;
	if (!task->run) {
		(void)live_task_move(task, LIVE_LEFT);
		return;
	}
	(void)live_task_move(task, LIVE_RUNNING);
	give_back(task);
}

void running_take_change(struct live_task *task, const struct store_request *request,
			 const struct ellu_task *record, int64_t attempt)
{
	live_task_reset_clock(task);
	running_take_record(task, record);
	publish_state(task, request, record);
	if (task->status == TASK_STARTED) {
		running_start(task, record, attempt);
		return;
	}
	if (!task_status_is_terminal(task->status)) {
		if (task->state == LIVE_CLOSING)
			(void)live_task_place(task);
		running_halt(task);
		return;
	}
	log_about(LOG_INFO, ABOUT(TASK(task), .message = LOG_TASK_ENDED),
		  "task %" PRId64 " ended: %s%s%s", task->id, record->status,
		  record->error ? ": " : "", record->error ? record->error->message : "");
	if (task->run) {
		(void)live_task_move(task, LIVE_OVER);
		work_abort(task->run); // its `finished` lets go
	} else {
		let_go(task);
	}
}

void running_take_hold(struct live_task *task, const struct store_request *request,
		       const struct ellu_task *record)
{
	running_take_record(task, record);
	live_task_set_clock(task);
	publish_state(task, request, record);
	if (task->lasting_hold)
		give_back(task);
	if (task->state == LIVE_WAITING || task->state == LIVE_HELD)
		(void)live_task_place(task);
}

/* ---- Claims ---- */

struct claim {
	struct task_claim op;
	struct queue *queue;
};

static void on_claimed(struct store_request *request)
{
	struct claim *claim = request->userdata;
	struct queue *queue = claim->queue;
	struct live_task *task = live_task_find(&queue->tasks, claim->op.task_id);

	if (!task)
		; // cancelled on the way
	else if (request->result < 0)
		retry_later(task, &request->fault);
	else if (claim->op.ret_changed)
		running_take_change(task, request, claim->op.ret_task, claim->op.ret_attempt);
	else if (task_status_is_terminal(task_status_from_name(claim->op.ret_task->status)))
		let_go(task); // its last claim was one too many
	else
		(void)live_task_place(task); // held on the way
	store_request_done(request);
	free(claim);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

static int claim_task(struct queue *queue, struct live_task *task)
{
	struct claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return -ENOMEM;
	claim->queue = queue;
	claim->op.task_id = task->id;
	claim->op.trial = task->suspect;
	(void)live_task_move(task, LIVE_CLAIMING); // it had a place
	if (task->suspect)
		trial_begin(task);
	store_request_init(&claim->op.request, queue->options.loop, on_claimed, claim);
	queue_count_outstanding(queue, 1);
	store_task_claim(queue->options.store, &claim->op);
	return 0;
}

void queue_claim_next(struct queue *queue)
{
	struct schedule_entry *entry;
	struct live_task *suspect;

	suspect = queue_is_open(queue) ? trial_next(queue) : NULL;
	if (suspect && claim_task(queue, suspect) < 0)
		return;
	while (queue_may_start(queue) && (entry = schedule_next(queue->schedule))) {
		struct live_task *task = container_of(entry, struct live_task, schedule);

		if (claim_task(queue, task) < 0)
			return; // the next task that ends tries again
	}
}

/* ---- Ends ---- */

/* A change of status that a worker's end or the clock asks for. */
struct ending {
	struct task_change op;
	struct queue *queue;
};

static void take_ending(struct live_task *task, const struct task_change *op)
{
	if (op->ret_unfit)
		task_error(task, "what it brought cannot be told: it is not what the interface has");
	running_take_change(task, &op->request, op->ret_task, 0);
}

static void on_ended(struct store_request *request)
{
	struct ending *ending = request->userdata;
	struct queue *queue = ending->queue;
	struct live_task *task = live_task_find(&queue->tasks, ending->op.task_id);

	if (task && request->result < 0)
		retry_later(task, &request->fault);
	else if (task && ending->op.ret_changed)
		take_ending(task, &ending->op);
	store_request_done(request);
	free(ending);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

/* `error` and `result` are borrowed for the call. */
static int copy_outcome(struct ending *ending, const struct ellu_error *error,
			const struct ellu_task_result *result)
{
	struct arena *arena = &ending->op.request.arena;
	const void *copy;
	int r = 0;

	if (error) {
		r = record_copy(&ellu_error_type, error, arena, &copy);
		ending->op.error = r < 0 ? NULL : copy;
	}
	if (r == 0 && result) {
		r = record_copy(&ellu_task_result_type, result, arena, &copy);
		ending->op.result = r < 0 ? NULL : copy;
	}
	return r;
}

static void end_task(struct live_task *task, const struct work_end *end)
{
	struct ending *ending = calloc(1, sizeof(*ending));
	int r;

	if (!ending) {
		struct fault fault = { 0 };

		(void)fault_oom(&fault);
		retry_later(task, &fault);
		return;
	}
	ending->queue = task->queue;
	store_request_init(&ending->op.request, task->queue->options.loop, on_ended, ending);
	/* It has ended all the same. */
	r = copy_outcome(ending, end->error, end->result);
	if (r < 0) {
		task_error(task, "what it brought cannot be told: out of memory");
		ending->op.error = NULL;
		ending->op.result = NULL;
	}
	ending->op.task_id = task->id;
	ending->op.attempt = task->attempt;
	ending->op.status = end->status;
	ending->op.over_budget = end->over_budget;
	ending->op.running_usec = live_task_elapsed(task);
	(void)live_task_move(task, task->run ? LIVE_ENDING : LIVE_CLOSING);
	queue_count_outstanding(task->queue, 1);
	store_task_change(task->queue->options.store, &ending->op);
}

static void end_with_fault(struct live_task *task, enum task_status status,
			   const struct fault *fault)
{
	struct work_end end = { .status = status };
	struct arena arena;

	arena_init(&arena);
	(void)fault_to_error(fault, &arena, &end.error);
	end_task(task, &end);
	arena_done(&arena);
}

void running_time_is_up(struct live_task *task)
{
	struct fault fault = { 0 };

	if (task->state != LIVE_RUNNING)
		return;
	fault_set(&fault, ELLU_E_TIMEOUT, "the task ran for its time_limit_seconds, %.3f",
		  (double)task->time_limit_usec / USEC_PER_SEC);
	end_with_fault(task, TASK_TIMEOUT, &fault);
}

static void revoke(struct live_task *task)
{
	struct fault fault = { 0 };

	/* What is on its way through the store is seen to when it arrives. */
	if (task->state != LIVE_WAITING && task->state != LIVE_HELD && task->state != LIVE_RUNNING)
		return;
	fault_set(&fault, ELLU_E_SHUTTING_DOWN, "the daemon stopped, and its tasks with it");
	end_with_fault(task, TASK_REVOKED, &fault);
}

void running_halt(struct live_task *task)
{
	const struct queue *queue = task->queue;

	if (queue->revoking)
		revoke(task);
	else if (queue->stopping || queue->draining)
		give_back(task);
}

void running_start(struct live_task *task, const struct ellu_task *record, int64_t attempt)
{
	struct work_task work_task = {
		.task_id = task->id,
		.kind = task->kind,
		.attempt = attempt,
		.experiment_id = task->experiment_id,
		.owner_uid = record->owner_uid,
		.tuning = running_tuning(record),
		.stream = task->stream,
	};
	int r;

	task->attempt = attempt;
	r = work_start(task->queue->work, &work_task, &task->run);
	if (r < 0) {
		task_error(task, "it cannot be started: %s", strerror(-r));
		end_task(task, &(struct work_end){ .status = TASK_PENDING });
		(void)live_task_move(task, LIVE_LEFT);
		return;
	}
	log_about(LOG_INFO, ABOUT(TASK(task), .message = LOG_TASK_STARTED),
		  "task %" PRId64 " of user %" PRId64 " started: %s", task->id, record->owner_uid,
		  record->name);
	(void)live_task_move(task, LIVE_RUNNING);
	running_halt(task);
}

/* ---- What the workers report ---- */

static void on_progress(void *userdata, int64_t task_id, const struct ellu_progress *progress)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(&queue->tasks, task_id);

	if (!task || task_status_is_terminal(task->status))
		return;
	live_task_set_progress(task, progress);
	news_publish_progress(task);
}

static void on_tool_calls(void *userdata, int64_t task_id,
			  const struct ellu_tool_call *const *tool_calls, size_t n_tool_calls)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(&queue->tasks, task_id);

	if (!task || task_status_is_terminal(task->status))
		return;
	if (live_task_set_tool_calls(task, tool_calls, n_tool_calls) < 0)
		task_error(task, "out of memory: what it waits for is not told");
	news_publish_tool_calls(task);
}

static void on_held(void *userdata, int64_t task_id, const char *hold)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(&queue->tasks, task_id);

	const char *shown = task ? live_task_hold(task) : NULL;

	if (!task)
		return;
	live_task_set_work_hold(task, hold);
	if (live_task_hold(task) != shown)
		news_publish_progress(task);
	queue_claim_next(queue);
}

struct log_append {
	struct task_log op;
	struct queue *queue;
	const char *line;
};

static void on_logged(struct store_request *request)
{
	struct log_append *append = request->userdata;
	struct queue *queue = append->queue;
	struct live_task *task = live_task_find(&queue->tasks, append->op.task_id);

	if (task && request->result == 0 && append->op.ret_first_sequence)
		for (size_t i = 0; i < append->op.n_lines; i++)
			log_news_add(task, &(struct log_line){
						   append->op.ret_first_sequence + (int64_t)i,
						   request->first_event + (int64_t)i,
						   append->op.ret_at, append->op.ret_lines[i] });
	store_request_done(request);
	free(append);
	queue_count_outstanding(queue, -1);
}

static void on_log(void *userdata, int64_t task_id, const char *line)
{
	struct queue *queue = userdata;
	struct log_append *append = calloc(1, sizeof(*append));
	const struct live_task *task = live_task_find(&queue->tasks, task_id);

	if (!append)
		return;
	append->queue = queue;
	append->op.task_id = task_id;
	store_request_init(&append->op.request, queue->options.loop, on_logged, append);
	append->line = arena_strdup(&append->op.request.arena, line);
	if (task)
		log_about(LOG_INFO, ABOUT(TASK(task), .message = LOG_TASK_LOG), "task %" PRId64 ": %s",
			  task_id, line);
	append->op.lines = &append->line;
	append->op.n_lines = 1;
	if (!append->line) {
		free(append);
		return;
	}
	queue_count_outstanding(queue, 1);
	store_task_log(queue->options.store, &append->op);
}

static void on_finished(void *userdata, int64_t task_id, const struct work_end *end)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(&queue->tasks, task_id);

	if (!task)
		return;
	task->run = NULL;
	task->work_hold = NULL;
	(void)live_task_set_tool_calls(task, NULL, 0);
	if (task->state == LIVE_OVER)
		let_go(task);
	else if (task->state == LIVE_ENDING)
		(void)live_task_move(task, LIVE_CLOSING);
	else
		end_task(task, end);
	queue_claim_next(queue);
	queue_count_outstanding(queue, 0);
}

struct work_events running_events(struct queue *queue)
{
	return (struct work_events){
		.progress = on_progress,
		.held = on_held,
		.log = on_log,
		.tool_calls = on_tool_calls,
		.finished = on_finished,
		.userdata = queue,
	};
}
