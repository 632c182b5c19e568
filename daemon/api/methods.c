#include "daemon/api/methods.h"

#include "daemon/api/follow.h"
#include "daemon/store/tasks.h"
#include "proto/generated/interface.h"

static method_handler_fn *const handlers[_METHOD_MAX] = {
	[METHOD_CANCEL_TASK] = api_steer_task,
	[METHOD_CREATE_TOKEN] = api_create_token,
	[METHOD_DRAIN] = api_drain,
	[METHOD_GET_STATUS] = api_get_status,
	[METHOD_GET_TASK] = api_get_task,
	[METHOD_LIST_TASKS] = api_list_tasks,
	[METHOD_MONITOR] = api_monitor,
	[METHOD_PAUSE_TASK] = api_steer_task,
	[METHOD_PRUNE_TASKS] = api_prune_tasks,
	[METHOD_RELOAD] = api_reload,
	[METHOD_RESUME_TASK] = api_steer_task,
	[METHOD_RETRY_TASK] = api_retry_task,
	[METHOD_REVOKE_TOKEN] = api_revoke_token,
	[METHOD_SEND_TOOL_RESULT] = api_send_tool_result,
	[METHOD_TUNE_TASK] = api_tune_task,
	[METHOD_UPDATE_PROJECT] = api_update_project,
	[METHOD_WATCH_TASK] = api_watch_task,
};

static int submit(struct call *call)
{
	return submit_task(call, record_member(call->method->request, call->request, "priority"));
}

method_handler_fn *method_handler(const struct method *method)
{
	if (handlers[method->id])
		return handlers[method->id];
	return store_makes_task(method) ? submit : NULL;
}
