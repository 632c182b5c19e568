#include "daemon/queue/running.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/queue/run_clock.h"
#include "proto/generated/interface.h"
#include "proto/record.h"

/* What the journal knows a line about a task by. */
#define TASK(live_task) .task = (live_task)->id, .experiment = (live_task)->experiment_id
#define task_error(live_task, format, ...)                                                  \
	log_about(LOG_ERR, ABOUT(TASK(live_task)), "task %" PRId64 ": " format, (live_task)->id, \
		  ##__VA_ARGS__)

/* A change of status that a worker's end or the clock asks for. */
struct ending {
	struct task_change op;
	struct queue *queue;
};

static void end_task(struct live_task *task, const struct work_end *end);

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

	if (!task->run || task->changing)
		return;
	fault_set(&fault, ELLU_E_TIMEOUT, "the task ran for its time_limit_seconds, %.3f",
		  (double)task->time_limit_usec / USEC_PER_SEC);
	end_with_fault(task, TASK_TIMEOUT, &fault);
}

/* ---- Holds ---- */

const char *running_lasting_hold(const char *hold)
{
	if (!hold)
		return NULL;
	return strcmp(hold, TASK_HOLD_USER) == 0 ? TASK_HOLD_USER : TASK_HOLD_BUDGET;
}

void running_set_hold(struct live_task *task)
{
	task->hold = task->lasting_hold ? task->lasting_hold : queue_moment_hold(task);
	run_clock_set(task);
}

/* ---- Changes of status ---- */

/* `request` is what committed it. */
static void publish_state(struct live_task *task, const struct store_request *request,
			  const struct ellu_task *record)
{
	struct task_news news = { .first_sequence = record->sequence };

	/* One event, this one: whoever follows all tasks need not read it. */
	if (request->first_event == request->last_event)
		news.last_number = request->last_event;

	news.event = (struct ellu_task_event)ELLU_RECORD(struct ellu_task_event);
	news.event.task_id = task->id;
	news.event.sequence = record->sequence;
	news.event.status = record->status;
	news.event.hold = task_status_is_terminal(task->status) ? NULL : task->hold;
	news.event.hold_reason = queue_hold_reason(task, news.event.hold);
	news.event.progress = record->progress;
	news.event.error = record->error;
	news.event.result = record->result;
	news.event.at = clock_wall_usec();
	news.terminal = task_status_is_terminal(task->status);
	live_task_publish(task, &news);
}

void running_adopt(struct live_task *task, const struct ellu_task *record)
{
	task->status = task_status_from_name(record->status);
	task->sequence = record->sequence;
	task->kind = task_kind_from_name(record->kind);
	task->experiment_id = record->experiment_id ? *record->experiment_id : 0;
	task->time_limit_usec = (int64_t)(record->time_limit_seconds * USEC_PER_SEC);
	task->run_before_usec = (int64_t)(record->running_seconds * USEC_PER_SEC);
	task->lasting_hold = running_lasting_hold(record->hold);
	running_set_hold(task);
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

void running_start(struct live_task *task, const struct ellu_task *record, int64_t attempt)
{
	struct work_task work_task = {
		.task_id = task->id,
		.kind = task->kind,
		.attempt = attempt,
		.experiment_id = task->experiment_id,
		.owner_uid = record->owner_uid,
		.tuning = running_tuning(record),
	};
	int r;

	task->attempt = attempt;
	r = work_start(queue_get_work(task->queue), &work_task, &task->run);
	if (r < 0) {
		task_error(task, "it cannot be started: %s", strerror(-r));
		end_task(task, &(struct work_end){ .status = TASK_PENDING });
		queue_leave(task->queue, task);
		return;
	}
	log_about(LOG_INFO, ABOUT(TASK(task), .message = LOG_TASK_STARTED),
		  "task %" PRId64 " of user %" PRId64 " started: %s", task->id, record->owner_uid,
		  record->name);
	run_clock_set(task);
	queue_halt(task);
}

void running_give_back(struct live_task *task)
{
	if (task->run)
		work_drain(task->run);
}

void running_revoke(struct live_task *task)
{
	struct fault fault = { 0 };

	/* What is on its way through the store is seen to when it arrives. */
	if (task->changing || task_status_is_terminal(task->status))
		return;
	fault_set(&fault, ELLU_E_SHUTTING_DOWN, "the daemon stopped, and its tasks with it");
	end_with_fault(task, TASK_REVOKED, &fault);
}

void running_let_go(struct live_task *task)
{
	struct queue *queue = task->queue;

	queue_leave(queue, task);
	live_task_remove(queue_tasks(queue), task);
}

void running_changed(struct live_task *task, const struct store_request *request,
		     const struct ellu_task *record, int64_t attempt)
{
	run_clock_reset(task);
	running_adopt(task, record);
	publish_state(task, request, record);
	if (task->status == TASK_STARTED) {
		running_start(task, record, attempt);
		return;
	}
	if (!task_status_is_terminal(task->status)) {
		queue_place(task->queue, task);
		queue_halt(task);
		return;
	}
	log_about(LOG_INFO, ABOUT(TASK(task), .message = LOG_TASK_ENDED),
		  "task %" PRId64 " ended: %s%s%s", task->id, record->status,
		  record->error ? ": " : "", record->error ? record->error->message : "");
	if (task->run)
		work_abort(task->run); // its `finished` lets go
	else
		running_let_go(task);
}

void running_held(struct live_task *task, const struct store_request *request,
		  const struct ellu_task *record)
{
	running_adopt(task, record);
	publish_state(task, request, record);
	if (task->lasting_hold)
		running_give_back(task);
	queue_place(task->queue, task);
}

void running_retry_later(struct live_task *task, const struct fault *fault)
{
	task_error(task, "its state cannot be stored: %s", fault->message);
	/* The record says what it said before: the next start takes it up from there. A run that goes on
	 * ends first, and comes by here again. */
	if (task->run)
		running_give_back(task);
	else
		queue_leave(task->queue, task);
}

static void on_ended(struct store_request *request)
{
	struct ending *ending = request->userdata;
	struct queue *queue = ending->queue;
	struct live_task *task = live_task_find(queue_tasks(queue), ending->op.task_id);

	if (task) {
		task->changing = false;
		if (request->result < 0)
			running_retry_later(task, &request->fault);
		else if (ending->op.ret_changed)
			running_changed(task, request, ending->op.ret_task, 0);
		else if (!task->run && task_status_is_terminal(task->status))
			running_let_go(task); // a cancel came first
	}
	store_request_done(request);
	free(ending);
	queue_claim_next(queue);
	queue_count_outstanding(queue, -1);
}

/* A deep copy, by way of JSON. */
static int copy_record(const struct record_type *type, const void *record, struct arena *arena,
		       const void **ret_copy)
{
	json_object *json = NULL;
	struct fault fault;
	void *copy = NULL;
	int r = record_encode(type, record, TO_DAEMON, &json);

	if (r == 0)
		r = record_decode(type, json, FROM_DAEMON, "", arena, &copy, &fault);
	json_object_put(json);
	*ret_copy = copy;
	return r;
}

/* `error` and `result` are borrowed for the call. */
static int copy_outcome(struct ending *ending, const struct ellu_error *error,
			const struct ellu_task_result *result)
{
	struct arena *arena = &ending->op.request.arena;
	const void *copy;
	int r = 0;

	if (error) {
		r = copy_record(&ellu_error_type, error, arena, &copy);
		ending->op.error = r < 0 ? NULL : copy;
	}
	if (r == 0 && result) {
		r = copy_record(&ellu_task_result_type, result, arena, &copy);
		ending->op.result = r < 0 ? NULL : copy;
	}
	return r;
}

static void end_task(struct live_task *task, const struct work_end *end)
{
	struct ending *ending = calloc(1, sizeof(*ending));
	int r = -ENOMEM;

	if (ending) {
		ending->queue = task->queue;
		store_request_init(&ending->op.request, queue_loop(task->queue), on_ended, ending);
		r = copy_outcome(ending, end->error, end->result);
		/* It has ended all the same. */
		if (r < 0) {
			task_error(task, "what it brought cannot be told: %s",
				   r == -ENOMEM ? "out of memory" : "it is not what the interface has");
			ending->op.error = NULL;
			ending->op.result = NULL;
			r = 0;
		}
	}
	if (r < 0) {
		task_error(task, "out of memory; it goes on at the next start");
		free(ending);
		queue_leave(task->queue, task);
		return;
	}
	task->changing = true;
	ending->op.task_id = task->id;
	ending->op.attempt = task->attempt;
	ending->op.status = end->status;
	ending->op.over_budget = end->over_budget;
	ending->op.running_usec = run_clock_elapsed(task);
	queue_count_outstanding(task->queue, 1);
	store_task_change(queue_store(task->queue), &ending->op);
}

/* ---- What the workers report ---- */

static void on_progress(void *userdata, int64_t task_id, const struct ellu_progress *progress)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(queue_tasks(queue), task_id);

	if (!task || task_status_is_terminal(task->status))
		return;
	live_task_set_progress(task, progress);
	live_task_publish_progress(task);
}

static void on_held(void *userdata, int64_t task_id, const char *hold)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(queue_tasks(queue), task_id);

	if (!task)
		return;
	task->work_hold = hold;
	if (!task_status_is_terminal(task->status))
		live_task_show_hold(task);
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
	struct live_task *task = live_task_find(queue_tasks(queue), append->op.task_id);

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
	const struct live_task *task = live_task_find(queue_tasks(queue), task_id);

	if (!append)
		return;
	append->queue = queue;
	append->op.task_id = task_id;
	store_request_init(&append->op.request, queue_loop(queue), on_logged, append);
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
	store_task_log(queue_store(queue), &append->op);
}

static void on_finished(void *userdata, int64_t task_id, const struct work_end *end)
{
	struct queue *queue = userdata;
	struct live_task *task = live_task_find(queue_tasks(queue), task_id);

	if (!task)
		return;
	task->run = NULL;
	task->work_hold = NULL;
	running_set_hold(task);
	if (task_status_is_terminal(task->status))
		running_let_go(task);
	else if (!task->changing)
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
		.finished = on_finished,
		.userdata = queue,
	};
}
