#include "tests/unit/client/client_handle.h"

#include "tests/unit/suite.h"

struct standin standin;
struct ellu *handle;
int n_told, last_result;

void handle_open(void)
{
	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_EVENT, &handle), 0);
}

void handle_close(void)
{
	handle = ellu_close(handle);
	standin_stop(&standin);
}

struct ellu_op *handle_start_task(int64_t id, ellu_reply_fn *callback)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu_op *op;

	request.id = id;
	ck_assert_int_eq(ellu_call_method_async(handle, "org.elluminate.GetTask", &request, NULL,
				(ellu_any_fn *) callback, &n_told, &op), 0);
	return op;
}

void handle_told(struct ellu_op *op, int result, const void *reply, const struct ellu_error *error,
		 void *userdata)
{
	(void) op;
	(void) reply;
	(void) userdata;
	ck_assert_int_eq(result < 0, error != NULL);
	n_told++;
	last_result = result;
}
