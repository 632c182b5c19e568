#include "daemon/api/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/listener.h"
#include "daemon/backend/callers/stream.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/schedule.h"
#include "daemon/queue/steering.h"
#include "daemon/queue/watch.h"
#include "daemon/store/tasks.h"
#include "proto/generated/interface.h"
#include "proto/task_kind.h"

struct follow {
	struct call *call; // a reference
	struct follow *next; // service::submitters
	struct follow **link; // NULL: it only watches
	struct watch *watch;
	int64_t task_id;
	struct listener listener;
	struct llm_stream *stream; // of what the model says, or NULL
	const struct ellu_call_delta *delta; // of it, that waits for a turn; or NULL
	struct user_waiter delta_turn;
	bool full; // no further one is welcome
	bool events_wait; // for it
	bool cancel_on_disconnect;
	char *notes; // told with the end, or NULL
};

/* Every method that follows a task answers as WatchTask does, or begins so. */
static bool answer(struct call *call, const struct ellu_task_event *event,
		   const struct ellu_task *task, bool continues, struct share *share)
{
	struct ellu_watch_task_reply reply = ELLU_RECORD(struct ellu_watch_task_reply);

	reply.event = event;
	reply.task = task;
	return call_reply_as(call, &ellu_watch_task_reply_type, &reply, continues, share);
}

static void follow_end(struct follow *follow)
{
	struct call *call = follow->call;

	if (follow->link)
		*follow->link = follow->next;
	if (follow->link && follow->next)
		follow->next->link = follow->link;
	call->on_gone = call->on_writable = NULL;
	call->data = NULL;
	user_stop_waiting(&follow->delta_turn);
	llm_stream_leave(follow->stream);
	watch_free(follow->watch);
	listener_done(&follow->listener);
	free(follow->notes);
	free(follow);
	call_unref(call);
}

/* ---- One answer at the end ---- */

/* `task` NULL: they were there. */
static void answer_criteria(struct call *call, const struct ellu_task *task,
			    const struct ellu_criterion *const *criteria, size_t n_criteria)
{
	struct ellu_get_or_generate_criteria_reply reply =
		ELLU_RECORD(struct ellu_get_or_generate_criteria_reply);
	int generated = task != NULL;

	reply.task = task;
	reply.criteria = criteria;
	reply.n_criteria = n_criteria;
	reply.generated = &generated;
	call_reply(call, &reply);
}

static void on_final_task(struct call *call, struct store_request *request)
{
	const struct ellu_task *task = ((const struct task_get *)request)->ret_task;
	const struct ellu_generation_result *made = task->result ? task->result->generation : NULL;

	if (made && call->method->id == METHOD_GET_OR_GENERATE_CRITERIA)
		answer_criteria(call, task, made->criteria, made->n_criteria);
	else
		(void)answer(call, NULL, task, /* continues= */ false, NULL);
}

static void answer_task(struct call *call, int64_t task_id)
{
	struct task_get *op = call_operation(call, sizeof(*op), on_final_task);

	if (!op)
		return;
	op->scope = call_scope(call, NULL);
	op->task_id = task_id;
	store_task_get(call->service->store, op);
}

/* ---- Events ---- */

/* The end, with what is in no log: the submission of a run that is finished made no task. */
static void answer_with_notes(struct follow *follow, const struct ellu_task_event *event)
{
	struct ellu_task_event end = *event;
	struct call *call = call_ref(follow->call);

	end.logs_delta = follow->notes;
	(void)answer(call, &end, NULL, /* continues= */ false, NULL);
	follow_end(follow);
	call_unref(call);
}

static void tell(struct follow *follow, const struct ellu_task_event *event, bool terminal,
		 struct share *share)
{
	struct call *call = follow->call;

	if (!call->more) {
		if (!terminal)
			return;
		answer_task(call, follow->task_id);
		follow_end(follow);
	} else if (terminal && follow->notes) {
		answer_with_notes(follow, event);
	} else if (terminal) {
		call_ref(call);
		follow_end(follow);
		(void)answer(call, event, NULL, /* continues= */ false, share);
		call_unref(call);
	} else if (!answer(call, event, NULL, /* continues= */ true, share) && call->data) {
		watch_pause(follow->watch);
	}
}

/* What was kept does not come as it is said: all of it is told at once, before what it came to. */
static bool tell_kept(struct follow *follow, const struct ellu_task_event *event)
{
	const struct ellu_call_result *kept = event->result ? event->result->call : NULL;
	struct ellu_call_delta delta = ELLU_RECORD(struct ellu_call_delta);
	struct ellu_call_reply reply = ELLU_RECORD(struct ellu_call_reply);

	if (!follow->stream || !kept || !kept->cached || !*kept->cached || !kept->text || !*kept->text)
		return false;
	delta.text = kept->text;
	reply.delta = &delta;
	(void)call_reply_as(follow->call, &ellu_call_reply_type, &reply, /* continues= */ true, NULL);
	return true;
}

static void on_event(void *userdata, const struct ellu_task_event *event, bool terminal,
		     struct share *share)
{
	struct follow *follow = userdata;
	struct call *call = call_ref(follow->call);
	struct user *user = call->principal.user;

	user_begin_work(user);
	if (!tell_kept(follow, event) || call->data == follow)
		tell(follow, event, terminal, share);
	user_end_work(user);
	call_unref(call);
}

/* A user may follow a task many times, which others would feel. */
static bool must_wait(void *userdata, int64_t took_usec)
{
	struct follow *follow = userdata;

	/* What was said is told before what it came to. */
	follow->events_wait = follow->delta != NULL;
	if (follow->delta) {
		user_worked_elsewhere(follow->listener.user, took_usec);
		return true;
	}
	return listener_must_wait(&follow->listener, took_usec);
}

static bool may_read(void *userdata)
{
	struct follow *follow = userdata;

	return listener_may_read(&follow->listener);
}

static void has_read(void *userdata)
{
	struct follow *follow = userdata;

	listener_has_read(&follow->listener);
}

static void go_on(struct listener *listener)
{
	struct follow *follow = container_of(listener, struct follow, listener);

	follow->events_wait |= follow->delta != NULL; // it came while they waited
	if (!follow->delta)
		watch_go_on(follow->watch);
}

static void on_failed(void *userdata, const struct fault *fault)
{
	struct follow *follow = userdata;
	struct call *call = call_ref(follow->call);

	follow_end(follow);
	call_fail(call, fault);
	call_unref(call);
}

/* ---- What a model says ---- */

static void tell_delta(struct follow *follow)
{
	struct ellu_call_reply reply = ELLU_RECORD(struct ellu_call_reply);
	struct call *call = call_ref(follow->call);
	bool room;

	reply.delta = follow->delta;
	follow->delta = NULL;
	room = call_reply_as(call, &ellu_call_reply_type, &reply, /* continues= */ true, NULL);
	if (call->data == follow) {
		follow->full = !room;
		if (room)
			llm_stream_read_on(follow->stream);
		if (follow->events_wait) {
			follow->events_wait = false;
			watch_go_on(follow->watch); // may end it
		}
	}
	call_unref(call);
}

static void on_delta_turn(struct user_waiter *waiter)
{
	tell_delta(container_of(waiter, struct follow, delta_turn));
}

static void on_delta(void *userdata, const struct ellu_call_delta *delta)
{
	struct follow *follow = userdata;
	struct user *user = follow->call->principal.user;

	follow->delta = delta;
	if (!user_is_alone(user) && !user_take_turn(user, &follow->delta_turn))
		return;
	user_begin_work(user);
	tell_delta(follow);
	user_end_work(user);
}

static void on_writable(struct call *call)
{
	struct follow *follow = call->data;

	if (follow->full) {
		follow->full = false;
		llm_stream_read_on(follow->stream);
	}
	watch_resume(follow->watch);
}

static void on_cancelled(struct queue_steering *cancel, const struct ellu_task *task)
{
	(void)task;
	store_request_done(&cancel->request);
	free(cancel);
}

/* Of those whose submissions came to the same task. */
static bool is_last_submitter(const struct follow *follow)
{
	for (const struct follow *other = follow->call->service->submitters; other; other = other->next)
		if (other != follow && other->task_id == follow->task_id)
			return false;
	return true;
}

static void on_gone(struct call *call)
{
	struct follow *follow = call->data;
	struct queue_steering *cancel;

	/* A daemon that stops closes its connections too: that cancels nothing. */
	if (follow->cancel_on_disconnect && !call->service->stopping && is_last_submitter(follow)) {
		cancel = calloc(1, sizeof(*cancel));
		if (cancel) {
			cancel->what = QUEUE_CANCEL;
			cancel->task_id = follow->task_id;
			cancel->done = on_cancelled;
			queue_steer_task(call->service->queue, cancel);
		}
	}
	follow_end(follow);
}

static void add_submitter(struct follow *follow)
{
	struct follow **first = &follow->call->service->submitters;

	follow->next = *first;
	follow->link = first;
	if (follow->next)
		follow->next->link = &follow->next;
	*first = follow;
}

/* NULL: the call was answered with why. */
static struct watch *follow_new(struct call *call, int64_t task_id, int64_t after_sequence,
				bool submitted, bool cancel_on_disconnect, double min_interval_seconds)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	struct watch_options options = {
		.task_id = task_id,
		.after_sequence = after_sequence,
		.min_interval_usec = (int64_t)(min_interval_seconds * USEC_PER_SEC),
		.scope = call_scope(call, NULL),
		.event = on_event,
		.failed = on_failed,
		.must_wait = must_wait,
		.may_read = may_read,
		.has_read = has_read,
		.userdata = follow,
	};
	int r;

	if (!follow) {
		call_fail_errno(call, -ENOMEM);
		return NULL;
	}
	follow->task_id = task_id;
	listener_init(&follow->listener, call->principal.user, go_on);
	follow->cancel_on_disconnect = cancel_on_disconnect;
	r = watch_new(call->service->queue, &options, &follow->watch);
	if (r < 0) {
		free(follow);
		call_fail_errno(call, r);
		return NULL;
	}
	follow->call = call_ref(call);
	if (submitted)
		add_submitter(follow);
	call->data = follow;
	call->on_gone = on_gone;
	call->on_writable = on_writable;
	if (call->front)
		return follow->watch;
	on_gone(call); // went away while the task was stored
	return NULL;
}

void follow_task(struct call *call, int64_t task_id, int64_t after_sequence, double min_interval_seconds)
{
	struct watch *watch = follow_new(call, task_id, after_sequence, /* submitted= */ false,
					 /* cancel_on_disconnect= */ false, min_interval_seconds);

	if (watch)
		watch_start(watch);
}

/* A line each. NULL without any, and without memory. */
static char *join_notes(const struct task_submit *op)
{
	size_t size = 1, at = 0;
	char *notes;

	for (size_t i = 0; i < op->ret_n_notes; i++)
		size += strlen(op->ret_notes[i]) + 1;
	notes = op->ret_n_notes > 0 ? malloc(size) : NULL;
	for (size_t i = 0; notes && i < op->ret_n_notes; i++)
		at += (size_t)sprintf(notes + at, "%s\n", op->ret_notes[i]);
	return notes;
}

/* ---- Submitting ---- */

static const void *parameter(const struct call *call, const char *name)
{
	return record_member(call->method->request, call->request, name);
}

/* The stream is the follow's from now on. */
static void read_stream(struct follow *follow, struct queue_submission *submission)
{
	if (!submission->stream)
		return;
	follow->stream = submission->stream;
	follow->stream->userdata = follow;
	follow->delta_turn.wake = on_delta_turn;
	submission->stream = NULL;
}

static void follow_submitted(struct call *call, struct queue_submission *submission)
{
	const struct task_submit *op = &submission->op;
	const int *cancel = parameter(call, "cancel_on_disconnect");
	const double *min_interval_seconds = parameter(call, "min_interval_seconds");
	struct watch *watch;
	bool ephemeral;

	if (!op->ret_task) {
		answer_criteria(call, NULL, op->ret_criteria, op->ret_n_criteria);
		return;
	}
	if (call->detached) {
		(void)answer(call, NULL, op->ret_task, /* continues= */ false, NULL);
		return;
	}
	ephemeral = task_kind_is_ephemeral(task_kind_from_name(op->ret_task->kind));
	/* What an earlier run of it logged is no news of this one. */
	watch = follow_new(call, op->ret_task->id, op->ret_finished ? -1 : 0, /* submitted= */ true,
			   (ephemeral && !op->ret_existing) || (cancel && *cancel),
			   *min_interval_seconds);
	if (!watch)
		return;
	if (op->ret_finished)
		((struct follow *)call->data)->notes = join_notes(op);
	read_stream(call->data, submission);
	if (op->ret_n_rows)
		watch_start_with(watch, op->ret_task, op->ret_rows, op->ret_n_rows);
	else
		watch_start(watch);
}

static void on_submitted(struct queue_submission *submission)
{
	struct call *call = submission->userdata;
	struct task_submit *op = &submission->op;
	struct user *user = call->principal.user;

	user_worked_elsewhere(user, op->request.took_usec);
	user_begin_work(user);
	if (op->request.result < 0)
		call_fail(call, &op->request.fault);
	else
		follow_submitted(call, submission);
	llm_stream_leave(submission->stream);
	store_request_done(&op->request);
	free(submission);
	call_forget_request(call); // whoever follows the task may do so for days
	call_unref(call);
	user_end_work(user);
}

/* Whether its caller hears what the model says as it says it. */
static bool wants_stream(const struct call *call)
{
	return call->method->id == METHOD_CALL && call->more && !call->detached;
}

int submit_task(struct call *call, const char *priority)
{
	struct queue_submission *submission;
	struct fault fault = { 0 };

	if (call->service->stopping) {
		fault_set(&fault, ELLU_E_SHUTTING_DOWN, NULL);
		call_fail(call, &fault);
		return 0;
	}
	submission = calloc(1, sizeof(*submission));
	if (!submission)
		return -ENOMEM;
	if (wants_stream(call)) {
		const int *may_reset = parameter(call, "allow_reset");

		submission->stream = llm_stream_new(call->service->backend, call->service->loop,
						    may_reset && *may_reset, on_delta, NULL);
		if (!submission->stream) {
			free(submission);
			return -ENOMEM;
		}
	}
	submission->op.scope = call_scope(call, method_project(call->method, call->request));
	submission->op.method = call->method;
	submission->op.arguments = call->request;
	submission->priority = task_priority_from_name(priority);
	submission->done = on_submitted;
	submission->userdata = call_ref(call);
	queue_submit(call->service->queue, submission);
	return 0;
}
