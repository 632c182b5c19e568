/* The public headers, in every C and C++ that they are for; this need only compile. */
#include <elluminate.h>

static void on_reply(struct ellu_op *op, int result, const struct ellu_get_task_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void) op;
	(void) error;
	*(int *) userdata = result < 0 ? result : (int) reply->task->id;
}

static int start(struct ellu *handle, size_t index, struct ellu_op **ret_op, void *userdata)
{
	(void) index;
	return ellu_get_task_async(handle, (const struct ellu_get_task_request *) userdata, NULL, NULL,
				   ret_op);
}

int use(struct ellu *handle);

int use(struct ellu *handle)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;
	const struct ellu_list_tasks_reply *page;
	const struct ellu_error *error;
	struct ellu_stream *stream;
	const struct ellu_task *task;
	struct ellu_op *op;
	int seen = 0;

	request.id = 1;
	request.call_timeout_seconds = 2;
	ellu_get_task_async(handle, &request, on_reply, &seen, &op);
	ellu_get_task_set_callback(op, on_reply, &seen);
	ellu_get_task_result(op, &reply, &error);
	ellu_get_task_await(handle, start, &request, 1, &reply, &error);
	ellu_list_tasks_stream(handle, NULL, &stream, &error);
	ellu_list_tasks_next(stream, &page, &error);
	ellu_list_tasks_next_item(stream, &task, &error);
	request = ELLU_RECORD(struct ellu_get_task_request);
	return ellu_get_task(handle, &request, &reply, &error);
}
