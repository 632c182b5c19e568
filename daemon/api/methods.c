#include "daemon/api/methods.h"

#include "proto/generated/interface.h"

static method_handler_fn *const handlers[_METHOD_MAX] = {
	[METHOD_CANCEL_TASK] = api_cancel_task,
	[METHOD_DRAIN] = api_drain,
	[METHOD_GET_STATUS] = api_get_status,
	[METHOD_GET_TASK] = api_get_task,
	[METHOD_LIST_TASKS] = api_list_tasks,
	[METHOD_MONITOR] = api_monitor,
	[METHOD_PAUSE_TASK] = api_pause_task,
	[METHOD_PLAN_EXPERIMENT] = api_plan_experiment,
	[METHOD_PRUNE_TASKS] = api_prune_tasks,
	[METHOD_RATE_EXPERIMENT] = api_rate_experiment,
	[METHOD_RATE_RESPONSES] = api_rate_responses,
	[METHOD_RESUME_TASK] = api_resume_task,
	[METHOD_RETRY_FAILED] = api_retry_failed,
	[METHOD_RETRY_TASK] = api_retry_task,
	[METHOD_RUN_EXPERIMENT] = api_run_experiment,
	[METHOD_TUNE_TASK] = api_tune_task,
	[METHOD_WATCH_TASK] = api_watch_task,
};

method_handler_fn *method_handler(const struct method *method)
{
	return handlers[method->id] ? handlers[method->id] : job_handler(method);
}
