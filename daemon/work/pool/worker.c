#include "daemon/work/pool/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"

/* Each kind of job that the interface lists is a file of kinds/ or experiment/. */
#define DECLARE(id, name, exit_status, is_ephemeral) extern const struct job_kind name##_kind;
EACH_TASK_KIND(DECLARE)
#define ROW(id, name, exit_status, is_ephemeral) [TASK_KIND_##id] = &name##_kind,
static const struct job_kind *const kinds[_TASK_KIND_MAX] = { EACH_TASK_KIND(ROW) };

/* ---- Snapshots ---- */

static void take_snapshot(struct work_run *run, struct work_snapshot *snapshot)
{
	struct progress *progress = &run->run->progress;

	arena_done(&snapshot->arena);
	snapshot->progress = NULL;
	snapshot->n_cases = run->run->n_open;
	snapshot->hold = run_hold(run->run);
	/* For lack of memory home gets none: the next one says more anyway. */
	if (progress->epochs)
		(void)progress_snapshot(progress, clock_monotonic_usec(), &snapshot->arena,
					&snapshot->progress);
}

static void send_snapshot(struct work_run *run)
{
	take_snapshot(run, &run->snapshot);
	run->changed = false;
	run->snapshot_away = true;
	run->snapshot_at = clock_monotonic_usec();
	loop_post(run->worker->host.home, &run->snapshot.message);
}

static void plan_snapshot(struct work_run *run)
{
	int64_t wait = run->snapshot_at + WORK_PROGRESS_USEC - clock_monotonic_usec();
	struct timeval tv = { .tv_usec = wait };

	if (!run->changed || run->snapshot_away || evtimer_pending(run->timer, NULL))
		return;
	if (wait <= 0)
		send_snapshot(run);
	else
		(void)evtimer_add(run->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	plan_snapshot(userdata);
}

void worker_take_snapshot_back(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, snapshot.message);

	run->snapshot.message.deliver = run->events->progress;
	run->snapshot_away = false;
	if (!run->end)
		plan_snapshot(run);
}

/* ---- What a run says ---- */

static void on_changed(void *userdata)
{
	struct work_run *run = userdata;

	run->changed = true;
	plan_snapshot(run);
}

static void on_log(void *userdata, const char *text)
{
	struct work_run *run = userdata;
	struct work_line *line = calloc(1, sizeof(*line) + strlen(text) + 1);

	if (!line)
		return;
	line->message.deliver = run->events->log;
	line->run = run;
	strcpy(line->text, text);
	loop_post(run->worker->host.home, &line->message);
}

static int on_tool_calls(void *userdata, const struct ellu_tool_call *const *tool_calls, size_t n)
{
	struct work_run *run = userdata;
	struct work_tool_calls *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return -ENOMEM;
	waiting->tool_calls = tool_calls_copy(tool_calls, n, &waiting->arena);
	if (!waiting->tool_calls) {
		arena_done(&waiting->arena);
		free(waiting);
		return -ENOMEM;
	}
	waiting->n_tool_calls = n;
	waiting->message.deliver = run->events->tool_calls;
	waiting->run = run;
	loop_post(run->worker->host.home, &waiting->message);
	return 0;
}

static void on_ended(void *userdata)
{
	struct work_run *run = userdata;

	evtimer_del(run->timer);
	take_snapshot(run, &run->last);
	run->end = &run->run->end;
	loop_post(run->worker->host.home, &run->finished);
}

/* ---- What home says ---- */

static void on_start(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, start);

	run_start(run->run);
}

static void on_abort(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, abort);

	run_abort(run->run);
}

static void on_drain(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, drain);

	run_drain(run->run);
}

void worker_take_change(struct message *message)
{
	struct work_change *change = container_of(message, struct work_change, message);

	run_tune(change->run->run, &change->tuning);
	free(change);
}

void worker_take_tool_result(struct message *message)
{
	struct work_tool_result *result = container_of(message, struct work_tool_result, message);

	run_take_tool_result(result->run->run, result->tool_call_id, result->content);
	free(result);
}

static void on_room(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, room);

	atomic_store(&run->room_posted, false);
	run_has_room(run->run);
}

static void on_release(struct message *message)
{
	worker_run_free(container_of(message, struct work_run, release));
}

int worker_run_init(struct work_run *run, const struct worker_events *events)
{
	struct run_host host = run->worker->host;
	const struct run_events run_events = {
		.changed = on_changed,
		.log = on_log,
		.tool_calls = on_tool_calls,
		.ended = on_ended,
		.userdata = run,
	};

	run->events = events;
	run->start.deliver = on_start;
	run->abort.deliver = on_abort;
	run->drain.deliver = on_drain;
	run->release.deliver = on_release;
	run->room.deliver = on_room;
	run->finished.deliver = events->finished;
	run->snapshot.message.deliver = events->progress;
	run->snapshot.run = run;
	run->timer = evtimer_new(loop_base(run->worker->loop), on_timer, run);
	if (!run->timer)
		return -ENOMEM;
	host.user = &run->user->shared;
	return run_new(kinds[run->task.kind], &host, &run->task, &run_events, &run->run);
}

void worker_run_free(struct work_run *run)
{
	run_free(run->run);
	if (run->timer)
		event_free(run->timer);
	arena_done(&run->snapshot.arena);
	arena_done(&run->last.arena);
	free(run);
}
