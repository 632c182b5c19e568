/*
 * The pool's home side: places tasks, posts what the queue wants of them, and hands on what the
 * workers report. Entered on the home loop only.
 */
#include "daemon/work/work.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/work/pool/worker.h"

struct work {
	struct loop *home;
	struct work_events events;
	struct worker_events worker_events;
	atomic_llong batch_wait_usec;
	struct work_user *users;
	unsigned n_workers;
	struct worker workers[];
};

/* ---- From the workers ---- */

static void set_cases(struct work_run *run, int64_t n_cases)
{
	run->worker->n_cases += n_cases - run->n_cases;
	run->n_cases = n_cases;
}

static void set_hold(struct work_run *run, const char *hold)
{
	const struct work_events *events = &run->work->events;

	if (run->hold == hold)
		return;
	run->hold = hold;
	events->held(events->userdata, run->task.task_id, hold);
}

static void on_progress(struct message *message)
{
	struct work_snapshot *snapshot = container_of(message, struct work_snapshot, message);
	struct work_run *run = snapshot->run;
	const struct work_events *events = &run->work->events;

	set_cases(run, snapshot->n_cases);
	set_hold(run, snapshot->hold);
	if (snapshot->progress)
		events->progress(events->userdata, run->task.task_id, snapshot->progress);
	message->deliver = worker_take_snapshot_back;
	loop_post(run->worker->loop, message);
}

static void on_log(struct message *message)
{
	struct work_line *line = container_of(message, struct work_line, message);
	const struct work_events *events = &line->run->work->events;

	events->log(events->userdata, line->run->task.task_id, line->text);
	free(line);
}

static void on_tool_calls(struct message *message)
{
	struct work_tool_calls *waiting = container_of(message, struct work_tool_calls, message);
	const struct work_events *events = &waiting->run->work->events;

	events->tool_calls(events->userdata, waiting->run->task.task_id, waiting->tool_calls,
			   waiting->n_tool_calls);
	arena_done(&waiting->arena);
	free(waiting);
}

/* ---- Users ---- */

static void on_room(struct message *message)
{
	struct work_user *user = container_of(message, struct work_user, shared.room);

	atomic_store(&user->shared.told, false);
	for (struct work_run *run = user->runs; run; run = run->next)
		if (!atomic_exchange(&run->room_posted, true))
			loop_post(run->worker->loop, &run->room);
}

static int join_user(struct work_run *run)
{
	struct work *work = run->work;
	struct work_user *user = work->users;

	while (user && user->uid != run->task.owner_uid)
		user = user->next;
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = run->task.owner_uid;
		user->shared.room.deliver = on_room;
		user->next = work->users;
		work->users = user;
	}
	run->user = user;
	run->next = user->runs;
	run->link = &user->runs;
	if (run->next)
		run->next->link = &run->next;
	user->runs = run;
	return 0;
}

static void leave_user(struct work_run *run)
{
	struct work_user *user = run->user, **link = &run->work->users;

	*run->link = run->next;
	if (run->next)
		run->next->link = run->link;
	if (user->runs)
		return;
	while (*link != user)
		link = &(*link)->next;
	*link = user->next;
	free(user);
}

static void on_finished(struct message *message)
{
	struct work_run *run = container_of(message, struct work_run, finished);
	const struct work_events *events = &run->work->events;

	set_cases(run, 0);
	set_hold(run, NULL);
	run->worker->n_tasks--;
	leave_user(run); // the worker's half has ended
	if (run->last.progress)
		events->progress(events->userdata, run->task.task_id, run->last.progress);
	events->finished(events->userdata, run->task.task_id, run->end);
	loop_post(run->worker->loop, &run->release);
}

/* ---- The pool ---- */

static int start_worker(struct work *work, unsigned index, const struct run_host *host)
{
	struct worker *worker = &work->workers[index];
	char name[24];
	int r;

	snprintf(name, sizeof(name), "worker-%u", index);
	r = loop_new(name, &worker->loop);
	if (r < 0)
		return r;
	loop_gather(worker->loop);
	worker->host = *host;
	worker->host.loop = worker->loop;
	r = loop_start(worker->loop);
	if (r < 0)
		worker->loop = loop_free(worker->loop);
	return r;
}

int work_new(unsigned n_workers, struct loop *home, struct store *store, struct backend *backend,
	     const struct work_events *events, struct work **ret_work)
{
	struct work *work = calloc(1, sizeof(*work) + n_workers * sizeof(work->workers[0]));
	struct run_host host = { .home = home, .store = store, .backend = backend };

	assert(n_workers > 0);
	if (!work)
		return -ENOMEM;
	host.batch_wait_usec = &work->batch_wait_usec;
	work->home = home;
	work->events = *events;
	work->worker_events = (struct worker_events){
		.progress = on_progress,
		.log = on_log,
		.tool_calls = on_tool_calls,
		.finished = on_finished,
	};
	for (; work->n_workers < n_workers; work->n_workers++) {
		int r = start_worker(work, work->n_workers, &host);

		if (r < 0) {
			work_free(work);
			return r;
		}
	}
	*ret_work = work;
	return 0;
}

void work_set_batch_wait(struct work *work, int64_t usec)
{
	atomic_store(&work->batch_wait_usec, usec);
}

struct work *work_free(struct work *work)
{
	if (!work)
		return NULL;
	for (unsigned i = 0; i < work->n_workers; i++)
		loop_stop(work->workers[i].loop);
	for (unsigned i = 0; i < work->n_workers; i++) {
		assert(work->workers[i].n_tasks == 0);
		loop_join(work->workers[i].loop);
		loop_free(work->workers[i].loop);
	}
	free(work);
	return NULL;
}

static struct worker *least_loaded(struct work *work)
{
	struct worker *least = &work->workers[0];

	for (unsigned i = 1; i < work->n_workers; i++) {
		struct worker *worker = &work->workers[i];

		if (worker->n_tasks < least->n_tasks ||
		    (worker->n_tasks == least->n_tasks && worker->n_cases < least->n_cases))
			least = worker;
	}
	return least;
}

int work_start(struct work *work, const struct work_task *task, struct work_run **ret_run)
{
	struct work_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->work = work;
	run->worker = least_loaded(work);
	run->task = *task;
	if (join_user(run) < 0) {
		free(run);
		return -ENOMEM;
	}
	r = worker_run_init(run, &work->worker_events);
	if (r < 0) {
		leave_user(run);
		worker_run_free(run);
		return r;
	}
	run->worker->n_tasks++;
	loop_post(run->worker->loop, &run->start);
	*ret_run = run;
	return 0;
}

void work_abort(struct work_run *run)
{
	if (run->abort_posted)
		return;
	run->abort_posted = true;
	loop_post(run->worker->loop, &run->abort);
}

void work_drain(struct work_run *run)
{
	if (run->drain_posted)
		return;
	run->drain_posted = true;
	loop_post(run->worker->loop, &run->drain);
}

int work_tune(struct work_run *run, const struct work_tuning *tuning)
{
	struct work_change *change = malloc(sizeof(*change));

	if (!change)
		return -ENOMEM;
	change->message.deliver = worker_take_change;
	change->run = run;
	change->tuning = *tuning;
	loop_post(run->worker->loop, &change->message);
	return 0;
}

int work_take_tool_result(struct work_run *run, const char *tool_call_id, const char *content)
{
	size_t id_size = strlen(tool_call_id) + 1, size = strlen(content) + 1;
	struct work_tool_result *result = malloc(sizeof(*result) + id_size + size);

	if (!result)
		return -ENOMEM;
	result->message.deliver = worker_take_tool_result;
	result->run = run;
	result->content = result->tool_call_id + id_size;
	memcpy(result->tool_call_id, tool_call_id, id_size);
	memcpy(result->tool_call_id + id_size, content, size);
	loop_post(run->worker->loop, &result->message);
	return 0;
}

struct loop *work_loop(const struct work *work, unsigned index)
{
	return work->workers[index].loop;
}

unsigned work_n_workers(const struct work *work)
{
	return work->n_workers;
}

void work_worker_status(const struct work *work, unsigned index, int64_t *ret_tasks,
			int64_t *ret_cases)
{
	*ret_tasks = work->workers[index].n_tasks;
	*ret_cases = work->workers[index].n_cases;
}
