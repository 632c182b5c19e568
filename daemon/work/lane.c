#include "daemon/base/clock.h"
#include "daemon/work/run_state.h"

bool lane_has_room(const struct lane *lane)
{
	return lane->uncommitted < lane->cap &&
	       lane->handed + lane->uncommitted < 2 * lane->cap;
}

/* The endpoint is there, so what could not reach it failed for its own. */
static void lane_reached(struct lane *lane)
{
	lane->reached = true;
	while (lane->held) {
		struct attempt *attempt = lane->held;

		lane->held = attempt->next;
		lane->n_held--;
		attempt->failed(attempt);
	}
}

/* Recorded as failed now, the first items of an endpoint that is down would never be asked
 * again; so they wait for what becomes of the others. */
static void lane_hold(struct lane *lane, struct attempt *attempt)
{
	attempt->next = lane->held;
	lane->held = attempt;
	lane->n_held++;
	if (lane->n_held >= RUN_UNREACHABLE_MAX)
		run_fail(attempt->run, &attempt->call.fault);
}

static void settle(struct attempt *attempt)
{
	struct experiment_run *run = attempt->run;
	struct lane *lane = attempt->lane;

	switch (attempt->call.outcome) {
	case LLM_ANSWERED:
		lane_reached(lane);
		lane->answered = true;
		attempt->answered(attempt);
		break;
	case LLM_ITEM_FAILED:
		lane_reached(lane);
		attempt->failed(attempt);
		break;
	case LLM_UNREACHABLE:
		if (lane->reached)
			attempt->failed(attempt);
		else
			lane_hold(lane, attempt);
		break;
	case LLM_CONFIG_FAILED:
		run_fail(run, &attempt->call.fault);
		break;
	case LLM_CANCELLED:
		run_stop(run, false);
		break;
	}
}

static void on_done(struct llm_call *call)
{
	struct attempt *attempt = container_of(call, struct attempt, call);
	struct experiment_run *run = attempt->run;

	run->n_outstanding--;
	attempt->lane->handed--;
	settle(attempt);
	window_pump(run);
}

static void on_notice(void *userdata, const char *line)
{
	struct experiment_run *run = userdata;

	run_log_notice(&run->log, line, clock_monotonic_usec());
}

static void on_held(void *userdata, bool held, const char *line)
{
	struct experiment_run *run = userdata;

	run->held_up = held;
	/* What is being ended leaves no waits behind to be told of. */
	if (run->phase == RUN_RUNNING)
		run_log_notice(&run->log, line, clock_monotonic_usec());
	run_changed(run);
}

void attempt_init(struct attempt *attempt, struct experiment_run *run, struct lane *lane,
		  struct llm_target *target)
{
	struct llm_call *call = &attempt->call;

	attempt->run = run;
	attempt->lane = lane;
	call->reply_to = run->host.loop;
	call->done = on_done;
	call->notice = on_notice;
	call->held = on_held;
	call->userdata = run;
	call->target = target;
	call->flow = run->task.task_id;
	call->user = run->task.owner_uid;
}

void attempt_submit(struct attempt *attempt)
{
	attempt->call.answered_before = attempt->lane->answered;
	attempt->call.priority = attempt->run->task.tuning.priority;
	attempt->call.flow_connections = attempt->run->flow_connections;
	attempt->lane->handed++;
	attempt->run->n_outstanding++;
	backend_submit(attempt->run->host.backend, &attempt->call);
}
