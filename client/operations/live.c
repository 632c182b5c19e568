#include "client/operations/live.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stddef.h>
#include <stdint.h>

#define PARTS 64

/* A tree of addresses. On a cache line of its own. */
struct part {
	_Alignas(64) pthread_mutex_t lock;
	void *objects;
};

static struct part parts[PARTS] = { [0 ... PARTS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };

static void lock_all(void)
{
	for (size_t i = 0; i < PARTS; i++)
		pthread_mutex_lock(&parts[i].lock);
}

static void unlock_all(void)
{
	for (size_t i = 0; i < PARTS; i++)
		pthread_mutex_unlock(&parts[i].lock);
}

/* A child must not inherit a lock that a thread holds which it has not. */
__attribute__((constructor)) static void watch_forks(void)
{
	(void) pthread_atfork(lock_all, unlock_all, unlock_all);
}

static struct part *lock_part(const void *object)
{
	uint64_t hash = ((uintptr_t) object >> 4) * UINT64_C(0x9e3779b97f4a7c15);
	struct part *part = &parts[(hash >> 52) % PARTS];

	pthread_mutex_lock(&part->lock);
	return part;
}

static int compare(const void *a, const void *b)
{
	return ((uintptr_t) a > (uintptr_t) b) - ((uintptr_t) a < (uintptr_t) b);
}

int live_add(struct live *object, enum live_kind kind)
{
	struct part *part = lock_part(object);
	int r = tsearch(object, &part->objects, compare) ? 0 : -ENOMEM;

	object->kind = kind;
	pthread_mutex_unlock(&part->lock);
	return r;
}

void live_remove(const void *object)
{
	struct part *part = lock_part(object);

	(void) tdelete(object, &part->objects, compare);
	pthread_mutex_unlock(&part->lock);
}

bool live_is(const void *object, enum live_kind kind)
{
	struct part *part = lock_part(object);
	struct live *const *found = tfind(object, &part->objects, compare); // NULL is none
	bool is = found && (*found)->kind == kind;

	pthread_mutex_unlock(&part->lock);
	return is;
}
