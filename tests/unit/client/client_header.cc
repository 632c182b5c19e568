/* The public headers are C++ as well; this need only compile. */
#include <elluminate.h>

static void on_reply(struct ellu_op *, int, const void *, const struct ellu_error *, void *)
{
}

int use(struct ellu *handle);

int use(struct ellu *handle)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;
	const struct ellu_error *error;
	struct ellu_op *op;

	request.id = 1;
	ellu_get_task_async(handle, &request, on_reply, 0, &op);
	return ellu_get_task(handle, &request, &reply, &error);
}
