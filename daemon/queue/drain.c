/*
 * Draining: nothing is claimed, what runs goes back to PENDING as at an orderly stop, and the queue
 * goes on taking submissions.
 */
#include "daemon/queue/queue_state.h"
#include "daemon/queue/running.h"

void queue_check_drained(struct queue *queue)
{
	struct queue_drain *drain;

	if (!queue->draining || schedule_n_running(queue->schedule))
		return;
	while ((drain = queue->drains)) {
		queue->drains = drain->next;
		drain->done(drain, /* undone= */ false);
	}
}

bool queue_is_draining(const struct queue *queue)
{
	return queue->draining;
}

void queue_drain(struct queue *queue, struct queue_drain *drain)
{
	queue->draining = true;
	drain->next = queue->drains;
	queue->drains = drain;
	live_tasks_each(&queue->tasks, queue_halt);
	queue_check_drained(queue);
}

void queue_undrain(struct queue *queue)
{
	struct queue_drain *drain;

	queue->draining = false;
	while ((drain = queue->drains)) {
		queue->drains = drain->next;
		drain->done(drain, /* undone= */ true);
	}
	queue_claim_next(queue);
}
