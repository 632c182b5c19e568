#include "daemon/backend/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "daemon/backend/core.h"
#include "daemon/backend/flow_reply.h"
#include "daemon/backend/multi.h"
#include "daemon/base/clock.h"
#include "daemon/base/file_share.h"
#include "daemon/base/hash.h"
#include "daemon/base/log.h"

#define RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define RETRY_LAST_USEC (5 * USEC_PER_SEC)

static void set_retry(struct backend *backend)
{
	int64_t usec = retry_grown_usec(RETRY_FIRST_USEC, RETRY_LAST_USEC,
					backend->descriptors.n_short, random_fraction(&backend->random));

	deadline_set(&backend->deadlines, &backend->descriptors.retry, backend->now_usec + usec);
}

/* No shortage was met since it was set: more may go at once. */
static void on_retry(struct deadline *deadline)
{
	struct descriptors *descriptors =
		(struct descriptors *)((char *)deadline - offsetof(struct descriptors, retry));
	struct backend *backend =
		(struct backend *)((char *)descriptors - offsetof(struct backend, descriptors));
	struct pool *pool;

	descriptors->waits = false;
	descriptors->ceiling += descriptors->ceiling / 4 + 1;
	if (descriptors->ceiling < backend->admission.slots.total) {
		set_retry(backend);
		return;
	}
	descriptors->ceiling = descriptors->n_short = 0;
	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->multi)
			multi_keep(pool->multi, BACKEND_CONNECTIONS_MAX);
	}
}

int descriptors_init(struct backend *backend)
{
	struct descriptors *descriptors = &backend->descriptors;

	descriptors->retry.passed = on_retry;
	descriptors->max_sockets = (int)file_share();
	return deadlines_reserve(&backend->deadlines, 1);
}

void descriptors_done(struct backend *backend)
{
	deadline_unset(&backend->deadlines, &backend->descriptors.retry);
}

bool descriptors_are_out(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE;
	close(fd);
	return false;
}

/* Pools that are not in use close all, the others come down to what they use. */
void descriptors_give_way(struct backend *backend)
{
	struct pool *pool;

	if (!backend->descriptors.give_way)
		return;
	backend->descriptors.give_way = false;
	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->n_busy == 0)
			pool_forget(pool);
		else if (pool->multi)
			multi_keep(pool->multi, pool->n_busy);
	}
}

void descriptors_short(struct job *job)
{
	struct backend *backend = job->backend;
	struct descriptors *descriptors = &backend->descriptors;
	int64_t n = backend->admission.slots.used;

	if (descriptors->ceiling == 0)
		log_warning("file descriptors have run out (%d are connections to endpoints): "
			    "calls wait; raise LimitNOFILE= or lower max_calls",
			    descriptors->n_sockets);
	flow_notice(job, "the daemon has too few file descriptors: calls wait for each other");
	descriptors->ceiling = n > 0 ? n : 1;
	descriptors->waits = true;
	descriptors->n_short++;
	descriptors->give_way = true;
	set_retry(backend);
}

void descriptors_freed(struct descriptors *descriptors)
{
	descriptors->waits = false;
}

bool descriptors_allow_call(const struct backend *backend)
{
	const struct descriptors *descriptors = &backend->descriptors;

	return !descriptors->waits &&
	       (descriptors->ceiling == 0 ||
		backend->admission.slots.used < descriptors->ceiling);
}
