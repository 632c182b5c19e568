#include "daemon/base/deadline.h"

#include <errno.h>
#include <stdlib.h>

void deadlines_done(struct deadlines *deadlines)
{
	free(deadlines->heap);
	*deadlines = (struct deadlines){ 0 };
}

int deadlines_reserve(struct deadlines *deadlines, size_t n)
{
	size_t wanted = deadlines->n_reserved + n;

	if (wanted > deadlines->capacity) {
		size_t capacity = deadlines->capacity ? deadlines->capacity : 64;
		struct deadline **heap;

		while (capacity < wanted)
			capacity *= 2;
		heap = reallocarray(deadlines->heap, capacity, sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		deadlines->heap = heap;
		deadlines->capacity = capacity;
	}
	deadlines->n_reserved = wanted;
	return 0;
}

void deadlines_release(struct deadlines *deadlines, size_t n)
{
	deadlines->n_reserved -= n;
}

/* Places count from 1, so that a place's parent is its half. */
static void put(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
	deadlines->heap[place - 1] = deadline;
	deadline->place = place;
}

static void sift_up(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
	while (place > 1 && deadlines->heap[place / 2 - 1]->usec > deadline->usec) {
		put(deadlines, place, deadlines->heap[place / 2 - 1]);
		place /= 2;
	}
	put(deadlines, place, deadline);
}

static void sift_down(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
	for (;;) {
		size_t child = place * 2;

		if (child > deadlines->n)
			break;
		if (child < deadlines->n &&
		    deadlines->heap[child]->usec < deadlines->heap[child - 1]->usec)
			child++;
		if (deadlines->heap[child - 1]->usec >= deadline->usec)
			break;
		put(deadlines, place, deadlines->heap[child - 1]);
		place = child;
	}
	put(deadlines, place, deadline);
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t usec)
{
	bool later = deadline->place && usec > deadline->usec;

	deadline->usec = usec;
	if (later)
		sift_down(deadlines, deadline->place, deadline);
	else
		sift_up(deadlines, deadline->place ? deadline->place : ++deadlines->n, deadline);
}

void deadline_unset(struct deadlines *deadlines, struct deadline *deadline)
{
	size_t place = deadline->place;
	struct deadline *last;

	if (!place)
		return;
	deadline->place = 0;
	last = deadlines->heap[--deadlines->n];
	if (last == deadline)
		return;
	last->place = place;
	if (place > 1 && deadlines->heap[place / 2 - 1]->usec > last->usec)
		sift_up(deadlines, place, last);
	else
		sift_down(deadlines, place, last);
}

void deadlines_run(struct deadlines *deadlines, int64_t now_usec)
{
	while (deadlines->n > 0 && deadlines->heap[0]->usec <= now_usec) {
		struct deadline *deadline = deadlines->heap[0];

		deadline_unset(deadlines, deadline);
		deadline->passed(deadline);
	}
}

int64_t deadlines_next(const struct deadlines *deadlines)
{
	return deadlines->n > 0 ? deadlines->heap[0]->usec : DEADLINE_NEVER;
}
