/*
 * The thread-pool pattern: one blocking handle serves the calls of all threads, at the same time.
 *
 *	thread_pool [URL]
 */
#include <elluminate.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "sample.h"

#define N_THREADS 8
#define N_JOBS 24

struct pool {
	struct ellu *daemon; /* shared: nobody needs a lock, or a handle of their own */
	const char *url;
	atomic_int next_job;
	atomic_int n_good;
};

static void do_job(struct pool *pool, int job)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct sample sample;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "Job %d", job + 1);
	sample_init(&sample, name, pool->url, 1);
	r = ellu_run_experiment(pool->daemon, &sample.request, &reply, &error);
	if (r < 0) {
		(void) sample_complain(r, error);
		return;
	}
	if (ellu_task_is_success(reply->task))
		pool->n_good++;
	ellu_free(reply);
}

static void *work(void *userdata)
{
	struct pool *pool = userdata;
	int job;

	while ((job = pool->next_job++) < N_JOBS)
		do_job(pool, job);
	return NULL;
}

int main(int argc, char **argv)
{
	struct pool pool = { .daemon = sample_open(ELLU_BLOCKING),
			     .url = argc > 1 ? argv[1] : NULL };
	pthread_t threads[N_THREADS];
	int n_threads = 0;

	if (!pool.daemon)
		return 1;
	while (n_threads < N_THREADS &&
	       pthread_create(&threads[n_threads], NULL, work, &pool) == 0)
		n_threads++;
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	/* Closing must be the last use of the handle. */
	ellu_close(pool.daemon);
	printf("%d of %d jobs succeeded, by %d threads\n", pool.n_good, N_JOBS, n_threads);
	return pool.n_good == N_JOBS ? 0 : 1;
}
