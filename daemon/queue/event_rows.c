#include "daemon/queue/event_rows.h"

#include <string.h>

#include "proto/text/utf8.h"

static bool is_same_run(const struct task_event_row *row, const struct task_event_row *next)
{
	return next->line && next->task_id == row->task_id && next->status == row->status &&
	       same_text(next->hold, row->hold);
}

void event_add_outcome(struct ellu_task_event *event, const struct ellu_task *task)
{
	event->progress = task->progress;
	event->error = task->error;
	event->result = task->result;
}

/* The lines of the rows from `first` to before `end`. */
static char *join_lines(struct arena *arena, const struct task_event_row *rows, size_t first,
			size_t end, size_t size)
{
	char *text = arena_alloc(arena, size + 1), *at = text;

	for (size_t i = first; text && i < end; i++) {
		at = stpcpy(at, rows[i].line);
		*at++ = '\n';
	}
	return text;
}

size_t event_rows_gather(struct arena *arena, const struct task_event_row *rows, size_t n_rows,
			 size_t first, struct ellu_task_event *ret_event)
{
	const struct task_event_row *row = &rows[first];
	size_t end = first, size = 0;

	*ret_event = ELLU_RECORD(struct ellu_task_event);
	ret_event->task_id = row->task_id;
	ret_event->status = task_status_name(row->status);
	ret_event->hold = row->hold;
	ret_event->at = row->at;
	while (end < n_rows && size < EVENT_TEXT_MAX && is_same_run(row, &rows[end]))
		size += strlen(rows[end++].line) + 1;
	if (end == first)
		end++;
	else
		ret_event->logs_delta = join_lines(arena, rows, first, end, size);
	if (row->line && !ret_event->logs_delta)
		return 0;
	ret_event->sequence = rows[end - 1].sequence;
	if (rows[end - 1].task && rows[end - 1].sequence == rows[end - 1].task->sequence)
		event_add_outcome(ret_event, rows[end - 1].task);
	return end;
}
