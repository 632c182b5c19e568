#include "client/operations/live.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define SLOTS_MIN 8
#define PARTS 64

struct slot {
	const void *object; // NULL: free
	enum live_kind kind;
};

/* Open addressing, at most half full; the size is a power of two. On a cache line of its own. */
struct part {
	_Alignas(64) pthread_mutex_t lock;
	struct slot *slots;
	size_t size;
	size_t used;
};

static struct part parts[PARTS] = { [0 ... PARTS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };

/* ---- Locks ---- */

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

static uint64_t hash(const void *object)
{
	return ((uintptr_t) object >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct part *lock_part(const void *object)
{
	struct part *part = &parts[(hash(object) >> 52) % PARTS];

	pthread_mutex_lock(&part->lock);
	return part;
}

/* ---- Slots ---- */

static size_t home(const struct part *part, const void *object)
{
	return (size_t) (hash(object) >> 20) & (part->size - 1);
}

/* Where it is, or the free slot where it would be. */
static struct slot *find(const struct part *part, const void *object)
{
	size_t i = home(part, object);

	while (part->slots[i].object && part->slots[i].object != object)
		i = (i + 1) & (part->size - 1);
	return &part->slots[i];
}

static int grow(struct part *part)
{
	struct slot *old = part->slots;
	size_t old_size = part->size, size = old_size ? 2 * old_size : SLOTS_MIN;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	part->slots = slots;
	part->size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].object)
			*find(part, old[i].object) = old[i];
	free(old);
	return 0;
}

int live_add(const void *object, enum live_kind kind)
{
	struct part *part = lock_part(object);
	int r = 0;

	if (2 * (part->used + 1) > part->size)
		r = grow(part);
	if (r == 0) {
		*find(part, object) = (struct slot){ .object = object, .kind = kind };
		part->used++;
	}
	pthread_mutex_unlock(&part->lock);
	return r;
}

/* What stands behind the gap may belong before it. */
static void close_gap(struct part *part, size_t gap)
{
	size_t mask = part->size - 1;

	for (size_t i = (gap + 1) & mask; part->slots[i].object; i = (i + 1) & mask) {
		size_t wanted = home(part, part->slots[i].object);

		if (((i - wanted) & mask) < ((i - gap) & mask))
			continue;
		part->slots[gap] = part->slots[i];
		part->slots[i].object = NULL;
		gap = i;
	}
}

void live_remove(const void *object)
{
	struct part *part = lock_part(object);
	struct slot *slot = part->size ? find(part, object) : NULL;

	if (slot && slot->object) {
		slot->object = NULL;
		close_gap(part, (size_t) (slot - part->slots));
		if (--part->used == 0) {
			free(part->slots);
			part->slots = NULL;
			part->size = 0;
		}
	}
	pthread_mutex_unlock(&part->lock);
}

bool live_is(const void *object, enum live_kind kind)
{
	struct part *part;
	bool is = false;

	if (!object)
		return false;
	part = lock_part(object);
	if (part->size)
		is = find(part, object)->object == object && find(part, object)->kind == kind;
	pthread_mutex_unlock(&part->lock);
	return is;
}
