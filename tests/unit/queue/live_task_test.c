/* What is told of a task that is held in memory. */
#include "daemon/queue/live_task.h"
#include "daemon/queue/queue_state.h"
#include "proto/generated/interface.h"
#include "tests/unit/suite.h"

static struct live_tasks tasks;
static struct queue queue;

static struct ellu_progress progress_of(double percent, int64_t generated, int64_t rated)
{
	struct ellu_progress progress = ELLU_RECORD(struct ellu_progress);

	progress.percent_complete = percent;
	progress.responses_generated = generated;
	progress.responses_rated = rated;
	return progress;
}

/* Whether that is what is told then. */
static bool is_told(struct live_task *task, const struct ellu_progress *progress)
{
	const struct ellu_progress *told;

	live_task_set_progress(task, progress);
	told = live_task_progress_event(task)->progress;
	return told->percent_complete == progress->percent_complete &&
	       told->responses_generated == progress->responses_generated &&
	       told->responses_rated == progress->responses_rated;
}

/* A worker's news and what is read from the store come in any order. */
START_TEST(progress_never_falls)
{
	const struct ellu_progress kept = progress_of(40, 5, 2), same = kept;
	const struct ellu_progress behind[] = {
		progress_of(39, 5, 2), progress_of(40, 4, 2), progress_of(40, 5, 1), progress_of(60, 9, 1),
	};
	const struct ellu_progress ahead = progress_of(50, 5, 3);
	struct live_task *task;

	ck_assert_int_eq(live_task_add(&tasks, &queue, 7, &task), 0);
	ck_assert(is_told(task, &kept));
	for (size_t i = 0; i < sizeof(behind) / sizeof(*behind); i++) {
		ck_assert(!is_told(task, &behind[i]));
		ck_assert(is_told(task, &same));
	}
	ck_assert(is_told(task, &ahead));
	ck_assert(!is_told(task, &kept));
	live_task_remove(&tasks, task);
}
END_TEST

int main(void)
{
	return RUN_TESTS(progress_never_falls);
}
