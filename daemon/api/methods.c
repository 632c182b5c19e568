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

/* ---- Calls ---- */

/* What is of one project and does not say so in its request is of one task, or the like: that is looked at
 * where it is known. */
static bool is_of_a_project(const struct method *method)
{
	switch (method->id) {
	case METHOD_DELETE_CRITERION:
	case METHOD_PLAN_EXPERIMENT:
	case METHOD_LIST_TASK_LOGS:
	case METHOD_LIST_BATCH_ITEMS:
	case METHOD_LIST_PREFERENCES:
		return true;
	default:
		return method->project || method->access == METHOD_ACCESS_ANYONE ||
		       record_field_find(method->reply, "task") || record_field_find(method->request, "task_id");
	}
}

static bool may_call(const struct call *call, struct fault *fault)
{
	const struct method *method = call->method;
	const struct principal *principal = &call->principal;

	if (method->access == METHOD_ACCESS_ADMINISTRATOR &&
	    !(principal->scopes & PRINCIPAL_ADMINISTERS))
		fault_set(fault, ELLU_E_PERMISSION_DENIED, "%s is for administrators.", method->name);
	else if (method->access == METHOD_ACCESS_SELF && principal->way == PRINCIPAL_TOKEN)
		fault_set(fault, ELLU_E_PERMISSION_DENIED, "%s is not done by a token.", method->name);
	else if ((principal->scopes & PRINCIPAL_ONLY_READS) && !method->safe)
		fault_set(fault, ELLU_E_PERMISSION_DENIED, "The token is for reading; %s changes something.",
			  method->name);
	else if (principal->project_id && !is_of_a_project(method))
		fault_set(fault, ELLU_E_PERMISSION_DENIED, "The token is for one project; %s is of all of them.",
			  method->name);
	return !fault->code;
}

void call_dispatch(struct call *call)
{
	method_handler_fn *handler = method_handler(call->method);
	struct fault fault = { 0 };
	int r;

	if (!may_call(call, &fault)) {
		call_fail(call, &fault);
		return;
	}
	call->detached = call->detached || method_is_detached(call->method, call->request);
	if (call->method->replies == METHOD_REPLIES_EVENTS && !call->detached &&
	    !user_take(&call->watch, call->principal.user, USER_WATCHES, 1)) {
		call_fail_limit(call, USER_WATCHES);
		return;
	}
	call_ref(call);
	r = handler ? handler(call) : call_run_method(call, call_reply_stored);
	if (r < 0)
		call_fail_errno(call, r);
	call_unref(call);
}
