#include "daemon/backend/connection/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/backend/limits/retry.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/file_share.h"
#include "daemon/base/hash.h"
#include "daemon/base/log.h"

#define RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define RETRY_LAST_USEC (5 * USEC_PER_SEC)

static void set_retry(struct descriptors *descriptors)
{
	struct ground *ground = descriptors->ground;
	int64_t usec = retry_grown_usec(RETRY_FIRST_USEC, RETRY_LAST_USEC, descriptors->n_short,
					random_fraction(&ground->random));

	deadline_set(&ground->deadlines, &descriptors->retry, ground->now_usec + usec);
}

/* No shortage was met since it was set: more may go at once. */
static void on_retry(struct deadline *deadline)
{
	struct descriptors *descriptors = container_of(deadline, struct descriptors, retry);

	descriptors->waits = false;
	descriptors->ceiling += descriptors->ceiling / 4 + 1;
	if (descriptors->ceiling < descriptors->slots->total) {
		set_retry(descriptors);
		return;
	}
	descriptors->ceiling = descriptors->n_short = 0;
	descriptors->eased = true;
}

int descriptors_init(struct descriptors *descriptors, struct ground *ground, const struct fair *slots)
{
	descriptors->ground = ground;
	descriptors->slots = slots;
	descriptors->retry.passed = on_retry;
	descriptors->max_sockets = (int)file_share();
	return deadlines_reserve(&ground->deadlines, 1);
}

void descriptors_done(struct descriptors *descriptors)
{
	deadline_unset(&descriptors->ground->deadlines, &descriptors->retry);
}

bool descriptors_are_out(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE;
	close(fd);
	return false;
}

void descriptors_short(struct descriptors *descriptors)
{
	int64_t n = descriptors->slots->used;

	if (descriptors->ceiling == 0)
		log_warning("file descriptors have run out (%d are connections to endpoints): "
			    "calls wait; raise LimitNOFILE= or lower max_calls",
			    descriptors->n_sockets);
	descriptors->ceiling = n > 0 ? n : 1;
	descriptors->waits = true;
	descriptors->n_short++;
	descriptors->give_way = true;
	set_retry(descriptors);
}

void descriptors_freed(struct descriptors *descriptors)
{
	descriptors->waits = false;
}

bool descriptors_allow_call(const struct descriptors *descriptors)
{
	return !descriptors->waits &&
	       (descriptors->ceiling == 0 || descriptors->slots->used < descriptors->ceiling);
}
