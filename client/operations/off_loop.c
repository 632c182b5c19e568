#include "client/operations/off_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "client/operations/op.h"

#define RUNNING_MAX 8

struct off_loop_job {
	struct post post;
	TAILQ_ENTRY(off_loop_job) link; // ellu::jobs
	struct ellu *handle;
	struct ellu_op *op; // NULL: abandoned
	ellu_work_fn *work;
	void *userdata;
	int result;
	bool runs;
	pthread_t thread;
};

static _Thread_local const struct ellu *current;

bool off_loop_is_own_thread(const struct ellu *handle)
{
	return current == handle;
}

static void *run(void *userdata)
{
	struct off_loop_job *job = userdata;

	current = job->handle;
	job->result = job->work(job->userdata);
	handle_post(job->handle, &job->post);
	return NULL;
}

/* Signals are the program's: none is handled on a thread that it does not know of. */
static int start_thread(struct off_loop_job *job)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&job->thread, NULL, run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	job->runs = r == 0;
	job->handle->n_running_jobs += job->runs;
	return -r;
}

static void leave(struct off_loop_job *job)
{
	TAILQ_REMOVE(&job->handle->jobs, job, link);
	if (job->runs && !handle_is_forked(job->handle))
		pthread_join(job->thread, NULL);
	job->handle->n_running_jobs -= job->runs;
	free(job);
}

/* Those that wait, as far as there is room. The threads that there are make up for others; without any, they fail. */
static void start_more(struct ellu *handle)
{
	struct off_loop_job *job = TAILQ_FIRST(&handle->jobs);

	while (job && handle->n_running_jobs < RUNNING_MAX) {
		struct ellu_op *op = job->op;
		int r = job->runs ? 0 : start_thread(job);

		if (r < 0 && handle->n_running_jobs > 0)
			return;
		if (r < 0) {
			op->job = NULL;
			leave(job);
			op_finish(op, r); // which may change the list, and close the handle
		}
		job = handle->closed ? NULL : r < 0 ? TAILQ_FIRST(&handle->jobs) : TAILQ_NEXT(job, link);
	}
}

static void on_done(struct post *post, struct ellu *handle, bool closed)
{
	struct off_loop_job *job = (struct off_loop_job *) post;
	struct ellu_op *op = job->op;
	int result = job->result;

	if (closed)
		return; // to off_loop_stop(), which may wait for this thread
	leave(job);
	if (op) {
		op->job = NULL;
		op_finish(op, result < 0 ? result : 0);
	}
	if (!handle->closed)
		start_more(handle);
}

/* One that waits is taken back; one that runs ends unseen. */
static void abandon(struct ellu_op *op)
{
	struct off_loop_job *job = op->job;

	op->job = NULL;
	if (job)
		job->op = NULL;
	if (job && !job->runs)
		leave(job);
}

void off_loop_stop(struct ellu *handle)
{
	struct off_loop_job *job;

	while ((job = TAILQ_FIRST(&handle->jobs)))
		leave(job);
}

int ellu_run_off_loop(struct ellu *handle, ellu_work_fn *work, ellu_reply_fn *callback,
		      void *userdata, struct ellu_op **ret_op)
{
	const struct callback told = { .function = (ellu_any_fn *) callback, .userdata = userdata };
	int r = handle_check(handle, ELLU_EVENT);
	struct ellu_op *owned = NULL;
	struct off_loop_job *job;

	if (r < 0 || !work)
		return r < 0 ? r : -EINVAL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct off_loop_job){ .post.run = on_done, .handle = handle, .work = work,
				      .userdata = userdata };
	r = op_start_away(handle, &told, abandon, ret_op ? &owned : NULL, &job->op);
	if (r < 0) {
		free(job);
		return r;
	}
	job->op->job = job;
	TAILQ_INSERT_TAIL(&handle->jobs, job, link);
	r = handle->n_running_jobs < RUNNING_MAX ? start_thread(job) : 0;
	r = handle->n_running_jobs > 0 ? 0 : r;
	if (r < 0)
		op_withdraw(job->op);
	else if (ret_op)
		*ret_op = owned;
	return r;
}
