#include "daemon/queue/rest.h"

#include "daemon/queue/queue_state.h"

/* Answers those who wait for the end of what runs. */
static void check_drained(struct queue *queue)
{
	struct queue_drain *drain;

	if (!queue->draining || !queue_is_still(queue))
		return;
	while ((drain = queue->drains)) {
		queue->drains = drain->next;
		drain->done(drain, /* undone= */ false);
	}
}

void queue_count_outstanding(struct queue *queue, int change)
{
	queue->n_outstanding += change;
	check_drained(queue);
	if (queue->stopping && queue->stopped && !queue->n_outstanding && queue_is_still(queue)) {
		void (*stopped)(void *userdata) = queue->stopped;

		queue->stopped = NULL; // once
		stopped(queue->userdata);
	}
}
