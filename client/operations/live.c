#include "client/operations/live.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define SLOTS_MIN 64

struct slot {
	const void *object; // NULL: free
	enum live_kind kind;
};

/* Open addressing, at most half full; the size is a power of two. */
static struct {
	pthread_mutex_t lock;
	struct slot *slots;
	size_t size;
	size_t used;
} live = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t home(const void *object)
{
	return (size_t) (((uintptr_t) object >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
	       (live.size - 1);
}

/* Where it is, or the free slot where it would be. */
static struct slot *find(const void *object)
{
	size_t i = home(object);

	while (live.slots[i].object && live.slots[i].object != object)
		i = (i + 1) & (live.size - 1);
	return &live.slots[i];
}

static int grow(void)
{
	struct slot *old = live.slots;
	size_t old_size = live.size, size = old_size ? 2 * old_size : SLOTS_MIN;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	live.slots = slots;
	live.size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].object)
			*find(old[i].object) = old[i];
	free(old);
	return 0;
}

int live_add(const void *object, enum live_kind kind)
{
	int r = 0;

	pthread_mutex_lock(&live.lock);
	if (2 * (live.used + 1) > live.size)
		r = grow();
	if (r == 0) {
		*find(object) = (struct slot){ .object = object, .kind = kind };
		live.used++;
	}
	pthread_mutex_unlock(&live.lock);
	return r;
}

/* What stands behind the gap may belong before it. */
static void close_gap(size_t gap)
{
	size_t mask = live.size - 1;

	for (size_t i = (gap + 1) & mask; live.slots[i].object; i = (i + 1) & mask) {
		size_t wanted = home(live.slots[i].object);

		if (((i - wanted) & mask) < ((i - gap) & mask))
			continue;
		live.slots[gap] = live.slots[i];
		live.slots[i].object = NULL;
		gap = i;
	}
}

void live_remove(const void *object)
{
	struct slot *slot;

	pthread_mutex_lock(&live.lock);
	slot = live.size ? find(object) : NULL;
	if (slot && slot->object) {
		slot->object = NULL;
		close_gap((size_t) (slot - live.slots));
		if (--live.used == 0) {
			free(live.slots);
			live.slots = NULL;
			live.size = 0;
		}
	}
	pthread_mutex_unlock(&live.lock);
}

bool live_is(const void *object, enum live_kind kind)
{
	bool is = false;

	pthread_mutex_lock(&live.lock);
	if (object && live.size)
		is = find(object)->object == object && find(object)->kind == kind;
	pthread_mutex_unlock(&live.lock);
	return is;
}
