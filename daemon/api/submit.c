#include "daemon/api/submit.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/api/follow.h"
#include "daemon/queue/queue.h"
#include "daemon/queue/schedule.h"

struct submit {
	struct queue_submission submission;
	struct call *call; // a reference
	bool detach;
	bool cancel_on_disconnect;
	double min_interval_seconds;
};

static void submit_end(struct submit *submit)
{
	store_request_done(&submit->submission.op->request);
	free(submit->submission.op);
	call_forget_request(submit->call); // whoever follows the task may do so for days
	call_unref(submit->call);
	free(submit);
}

static void on_submitted(struct queue_submission *submission)
{
	struct submit *submit = submission->userdata;
	const struct task_submit *op = submission->op;
	struct user *user = submit->call->principal.user;

	user_worked_elsewhere(user, op->request.took_usec);
	user_begin_work(user);
	if (op->request.result < 0)
		call_fail(submit->call, &op->request.fault);
	else
		follow_submitted(submit->call, op, submit->detach,
				 submit->cancel_on_disconnect, submit->min_interval_seconds);
	submit_end(submit);
	user_end_work(user);
}

void *submit_operation(struct call *call, size_t size, const char *project)
{
	struct task_submit *op;
	struct fault fault = { 0 };

	if (call->service->stopping) {
		fault_set(&fault, ELLU_E_SHUTTING_DOWN, NULL);
		call_fail(call, &fault);
		return NULL;
	}
	op = calloc(1, size);
	if (!op) {
		call_fail_errno(call, -ENOMEM);
		return NULL;
	}
	op->scope = call_scope(call, project);
	return op;
}

void submit_post(struct call *call, struct task_submit *op, const struct submit_options *options)
{
	struct submit *submit = calloc(1, sizeof(*submit));

	if (!submit) {
		free(op);
		call_fail_errno(call, -ENOMEM);
		return;
	}
	submit->call = call_ref(call);
	submit->detach = options->detach && *options->detach;
	submit->cancel_on_disconnect =
		options->cancel_on_disconnect && *options->cancel_on_disconnect;
	submit->min_interval_seconds = *options->min_interval_seconds;
	submit->submission.op = op;
	submit->submission.post = options->post;
	submit->submission.priority = task_priority_from_name(options->priority);
	submit->submission.done = on_submitted;
	submit->submission.userdata = submit;
	queue_submit(call->service->queue, &submit->submission);
}
