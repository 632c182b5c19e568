#include "client/operations/off_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "client/operations/op.h"

#define THREADS_MAX 8

struct off_loop_job {
	struct post post;
	TAILQ_ENTRY(off_loop_job) link; // off_loop::queue
	struct ellu_op *op; // NULL: abandoned
	ellu_work_fn *work;
	void *userdata;
	int result;
};

struct off_loop {
	struct ellu *handle;
	pthread_mutex_t lock;
	pthread_cond_t news;
	TAILQ_HEAD(, off_loop_job) queue;
	bool stopping;
	unsigned n_queued;
	unsigned n_idle;
	unsigned n_threads;
	pthread_t threads[THREADS_MAX];
};

static _Thread_local const struct off_loop *current;

bool off_loop_is_own_thread(const struct off_loop *off_loop)
{
	return off_loop && current == off_loop;
}

/* ---- The threads ---- */

static void *run_jobs(void *userdata)
{
	struct off_loop *off_loop = userdata;
	struct off_loop_job *job;

	current = off_loop;
	pthread_mutex_lock(&off_loop->lock);
	for (;;) {
		while (!(job = TAILQ_FIRST(&off_loop->queue)) && !off_loop->stopping) {
			off_loop->n_idle++;
			pthread_cond_wait(&off_loop->news, &off_loop->lock);
			off_loop->n_idle--;
		}
		if (off_loop->stopping)
			break;
		TAILQ_REMOVE(&off_loop->queue, job, link);
		off_loop->n_queued--;
		pthread_mutex_unlock(&off_loop->lock);
		job->result = job->work(job->userdata);
		handle_post(off_loop->handle, &job->post);
		pthread_mutex_lock(&off_loop->lock);
	}
	pthread_mutex_unlock(&off_loop->lock);
	return NULL;
}

/* Signals are the program's: none is handled on a thread that it does not know of. */
static int start_thread(struct off_loop *off_loop, pthread_t *ret_thread)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret_thread, NULL, run_jobs, off_loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* Under the lock. A thread too few is made up for by those that there are. */
static int need_thread(struct off_loop *off_loop)
{
	int r = 0;

	if (off_loop->n_queued >= off_loop->n_idle && off_loop->n_threads < THREADS_MAX) {
		r = start_thread(off_loop, &off_loop->threads[off_loop->n_threads]);
		off_loop->n_threads += r == 0;
	}
	return off_loop->n_threads > 0 ? 0 : -r;
}

static struct off_loop *off_loop_new(struct ellu *handle)
{
	struct off_loop *off_loop = calloc(1, sizeof(*off_loop));

	if (!off_loop)
		return NULL;
	off_loop->handle = handle;
	pthread_mutex_init(&off_loop->lock, NULL);
	pthread_cond_init(&off_loop->news, NULL);
	TAILQ_INIT(&off_loop->queue);
	return off_loop;
}

struct off_loop *off_loop_stop(struct off_loop *off_loop)
{
	if (!off_loop)
		return NULL;
	/* The threads are the parent's; one of them may have held the lock. */
	if (handle_is_forked(off_loop->handle)) {
		free(off_loop);
		return NULL;
	}
	pthread_mutex_lock(&off_loop->lock);
	off_loop->stopping = true;
	pthread_cond_broadcast(&off_loop->news);
	pthread_mutex_unlock(&off_loop->lock);
	for (unsigned i = 0; i < off_loop->n_threads; i++)
		pthread_join(off_loop->threads[i], NULL);
	pthread_mutex_destroy(&off_loop->lock);
	pthread_cond_destroy(&off_loop->news);
	free(off_loop);
	return NULL;
}

/* ---- The loop's side ---- */

static void on_done(struct post *post, struct ellu *handle, bool closed)
{
	struct off_loop_job *job = (struct off_loop_job *) post;
	struct ellu_op *op = job->op;
	int result = job->result;

	(void) handle;
	free(job);
	if (!op || closed)
		return;
	op->job = NULL;
	op_finish(op, result < 0 ? result : 0);
}

/* One that waits is taken back; one that runs ends unseen. */
void off_loop_abandon(struct ellu_op *op)
{
	struct off_loop_job *job = op->job, *queued;
	struct off_loop *off_loop = op->handle->off_loop;

	op->job = NULL;
	if (!job)
		return;
	job->op = NULL;
	if (!off_loop)
		return;
	pthread_mutex_lock(&off_loop->lock);
	TAILQ_FOREACH(queued, &off_loop->queue, link)
		if (queued == job)
			break;
	if (queued) {
		TAILQ_REMOVE(&off_loop->queue, job, link);
		off_loop->n_queued--;
	}
	pthread_mutex_unlock(&off_loop->lock);
	if (queued)
		free(job);
}

static int enqueue(struct off_loop *off_loop, struct off_loop_job *job)
{
	int r;

	pthread_mutex_lock(&off_loop->lock);
	r = need_thread(off_loop);
	if (r == 0) {
		TAILQ_INSERT_TAIL(&off_loop->queue, job, link);
		off_loop->n_queued++;
		pthread_cond_signal(&off_loop->news);
	}
	pthread_mutex_unlock(&off_loop->lock);
	return r;
}

static int start(struct ellu *handle, struct off_loop_job *job, ellu_reply_fn *callback,
		 struct ellu_op **ret_op)
{
	struct ellu_op *op;
	int r;

	if (!handle->off_loop)
		handle->off_loop = off_loop_new(handle);
	if (!handle->off_loop)
		return -ENOMEM;
	r = op_start_away(handle,
			  &(struct callback){ .function = (ellu_any_fn *) callback,
					      .userdata = job->userdata },
			  ret_op, &op);
	if (r < 0)
		return r;
	job->op = op;
	r = enqueue(handle->off_loop, job);
	if (r == 0)
		op->job = job;
	else
		op_withdraw(op);
	return r;
}

int ellu_run_off_loop(struct ellu *handle, ellu_work_fn *work, ellu_reply_fn *callback,
		      void *userdata, struct ellu_op **ret_op)
{
	int r = handle_check(handle, ELLU_EVENT);
	struct off_loop_job *job;

	if (r < 0 || !work)
		return r < 0 ? r : -EINVAL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->post.run = on_done;
	job->work = work;
	job->userdata = userdata;
	r = start(handle, job, callback, ret_op);
	if (r < 0)
		free(job);
	return r;
}
