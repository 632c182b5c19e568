/* What events and tasks say, in the words that programs ask in. */
#include "client/elluminate.h"
#include "proto/task_status.h"

static int is_complete(const char *status)
{
	return task_status_is_terminal(task_status_from_name(status));
}

static int is_success(const char *status)
{
	return task_status_from_name(status) == TASK_SUCCESS;
}

int ellu_event_is_complete(const struct ellu_task_event *event)
{
	return event && is_complete(event->status);
}

int ellu_event_is_success(const struct ellu_task_event *event)
{
	return event && is_success(event->status);
}

int ellu_event_is_failure(const struct ellu_task_event *event)
{
	return ellu_event_is_complete(event) && !ellu_event_is_success(event);
}

double ellu_event_percent(const struct ellu_task_event *event)
{
	return event && event->progress ? event->progress->percent_complete : -1;
}

const char *ellu_event_logs_delta(const struct ellu_task_event *event)
{
	return event && event->logs_delta ? event->logs_delta : "";
}

const struct ellu_task_result *ellu_event_result(const struct ellu_task_event *event)
{
	return event ? event->result : NULL;
}

int ellu_task_is_complete(const struct ellu_task *task)
{
	return task && is_complete(task->status);
}

int ellu_task_is_success(const struct ellu_task *task)
{
	return task && is_success(task->status);
}

int ellu_task_is_failure(const struct ellu_task *task)
{
	return ellu_task_is_complete(task) && !ellu_task_is_success(task);
}

double ellu_task_percent(const struct ellu_task *task)
{
	return task && task->progress ? task->progress->percent_complete : -1;
}
