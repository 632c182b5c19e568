/*
 * Who may call a method, and who does it: the store has a row for each that it answers, and for each
 * that makes a task; those that take more than that have a handler. It begins with the call's decoded
 * request; a negative errno fails the call.
 */
#pragma once

#include "daemon/api/call.h"

typedef int method_handler_fn(struct call *call);

/* Begins what the method does, by itself or in the store, if its caller may have it done. */
void call_dispatch(struct call *call);

/* NULL: the store alone answers it. */
method_handler_fn *method_handler(const struct method *method);

method_handler_fn api_get_task, api_list_tasks, api_watch_task, api_steer_task, api_tune_task,
	api_retry_task, api_send_tool_result, api_prune_tasks, api_update_project;
method_handler_fn api_get_status, api_drain, api_monitor, api_reload;
method_handler_fn api_create_token, api_revoke_token; // tokens.c
