/* SPDX-License-Identifier: MIT */
/* Methods whose work is under way. */
#include "daemon/api/call.h"
#include "proto/generated/handlers.h"

static int refuse(struct call *call)
{
	struct fault fault = { 0 };

	fault_set(&fault, ELLU_E_UNSUPPORTED, "%s is not finished yet", call->method->name);
	call_fail(call, &fault);
	return 0;
}

#define UNFINISHED(method)                                                             \
	int api_##method(struct call *call, const struct ellu_##method##_request *request) \
	{                                                                              \
		(void)request;                                                         \
		return refuse(call);                                                   \
	}

UNFINISHED(rate_responses)
UNFINISHED(rate_experiment)
UNFINISHED(retry_failed)
