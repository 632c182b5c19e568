/* Blocking calls and streams of the library. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static struct standin standin;

static struct ellu *open_handle(unsigned flags)
{
	struct ellu *handle;

	standin_start(&standin, standin_answer);
	ck_assert_int_eq(ellu_open(standin.path, flags, &handle), 0);
	return handle;
}

static void close_handle(struct ellu *handle)
{
	ck_assert_ptr_null(ellu_close(handle));
	standin_stop(&standin);
}

START_TEST(a_call_and_its_record)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	const struct ellu_get_task_reply *reply;
	const struct ellu_error *error;

	request.id = 7;
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(ellu_get_task(handle, &request, &reply, &error), 0);
		ck_assert_ptr_null(error);
		ck_assert_str_eq(reply->task->status, "STARTED");
		ck_assert_ptr_null(reply->task->hold);
		ck_assert_double_eq(reply->task->running_seconds, 1.5);
		ck_assert_int_eq(reply->task->created_at, INT64_C(1769860800000000));
		ck_assert_ptr_eq(ellu_keep(reply), reply);
		ellu_free(reply);
		ck_assert_str_eq(reply->task->name, "n");
		ellu_free(reply);
	}
	ck_assert_int_eq(standin.n_connections, 1);
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), 0);
	close_handle(handle);
}
END_TEST

START_TEST(an_error_with_its_details)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	const struct ellu_error *error;

	request.id = 404;
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, &error), ELLU_E_NOT_FOUND);
	ck_assert_str_eq(error->code, "NotFound");
	ck_assert_str_eq(error->resource_type, "task");
	ck_assert_int_eq(*error->id, 404);
	ck_assert(strstr(error->message, "404"));
	ellu_free(error);
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), ELLU_E_NOT_FOUND);
	ck_assert_int_eq(ellu_error_exit_status(ELLU_E_NOT_FOUND), 27);
	ck_assert_int_eq(standin.n_connections, 1);
	close_handle(handle);
}
END_TEST

START_TEST(a_stream_to_its_end)
{
	struct ellu_watch_task_request request = ELLU_RECORD(struct ellu_watch_task_request);
	struct ellu_get_task_request get = ELLU_RECORD(struct ellu_get_task_request);
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	const struct ellu_watch_task_reply *reply;
	struct ellu_stream *stream;
	int n = 0;

	request.id = get.id = 7;
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream, NULL), 0);
	ck_assert_int_eq(ellu_stream_wait(stream, 5), 1);
	ck_assert_int_eq(ellu_get_task(handle, &get, NULL, NULL), 0);
	while (ellu_watch_task_next(stream, &reply, NULL) > 0) {
		ck_assert_int_eq(reply->event->sequence, ++n);
		ellu_free(reply);
		ck_assert_int_eq(ellu_stream_wait(stream, -1), 1);
	}
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(ellu_watch_task_next(stream, &reply, NULL), 0);
	ck_assert_ptr_null(ellu_stream_close(stream));
	ck_assert_int_eq(standin.n_connections, 2);
	ck_assert_int_eq(ellu_watch_task_stream(handle, &request, &stream, NULL), 0);
	ck_assert_int_eq(ellu_watch_task_next(stream, &reply, NULL), 1);
	ellu_free(reply);
	ellu_stream_close(stream); // in the middle: that connection is not used again
	ck_assert_int_eq(ellu_get_task(handle, &get, NULL, NULL), 0);
	close_handle(handle);
}
END_TEST

static void on_alarm(int number)
{
	(void) number;
}

static int answer_no_lists(struct standin *guest, int fd, const char *call)
{
	return strstr(call, "ListTasks") ? 0 : standin_answer(guest, fd, call);
}

START_TEST(waiting_for_a_stream)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	struct sigaction action = { .sa_handler = on_alarm };
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	struct ellu_stream *stream;

	ck_assert_int_eq(ellu_stream_raw(handle, "a.Hang", NULL, &stream, NULL), 0);
	ck_assert_int_eq(ellu_stream_wait(stream, 0), 0);
	ck_assert_int_eq(ellu_stream_wait(stream, 0.02), 0);
	ck_assert_int_eq(ellu_stream_wait(stream, NAN), -EINVAL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(ellu_stream_wait(stream, 10), -EINTR);
	ellu_stream_close(stream);
	close_handle(handle);
}
END_TEST

/* A daemon that takes calls and does nothing. */
START_TEST(a_daemon_that_hangs)
{
	struct ellu_list_tasks_request list = ELLU_RECORD(struct ellu_list_tasks_request);
	const struct ellu_error *error;
	const struct ellu_task *task;
	struct ellu_stream *stream;
	struct ellu *handle;

	standin_start(&standin, answer_no_lists);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	ck_assert_int_eq(ellu_set_timeout(handle, 0.02), 0);
	ck_assert_int_eq(ellu_call_raw(handle, "a.Hang", NULL, NULL, &error), -ETIMEDOUT);
	ck_assert_str_eq(error->code, "ETIMEDOUT");
	ck_assert_int_eq(ellu_may_have_happened(-ETIMEDOUT), 1);
	ellu_free(error);
	standin_await_left(&standin); // the connection is closed
	ck_assert_int_eq(ellu_list_tasks_stream(handle, &list, &stream, NULL), 0);
	ck_assert_int_eq(ellu_list_tasks_next_item(stream, &task, NULL), -ETIMEDOUT);
	ck_assert_int_eq(ellu_list_tasks_next_item(stream, &task, NULL), 0);
	ellu_stream_close(stream);
	ck_assert_int_eq(ellu_set_timeout(handle, 0), 0);
	ck_assert_int_eq(ellu_call_raw(handle, "a.GetInfo", NULL, NULL, NULL), 0);
	ck_assert_int_eq(ellu_set_timeout(handle, -1), -EINVAL);
	close_handle(handle);
}
END_TEST

/* One that does not even accept: its queue of connections is full. */
START_TEST(a_daemon_that_does_not_accept)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/full-XXXXXX";
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ellu *handle, *other;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	ck_assert_int_eq(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 0), 0);
	ck_assert_int_eq(ellu_open(address.sun_path, ELLU_BLOCKING, &handle), 0);
	ck_assert_int_eq(ellu_open(address.sun_path, ELLU_BLOCKING, &other), 0);
	ck_assert_int_eq(ellu_set_timeout(other, 0.02), 0);
	ck_assert_int_eq(ellu_call_raw(other, "a.B", NULL, NULL, NULL), -ETIMEDOUT);
	ellu_close(handle);
	ellu_close(other);
	close(listener);
	unlink(address.sun_path);
	rmdir(folder);
}
END_TEST

START_TEST(raw_calls)
{
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	const struct ellu_raw_reply *reply;
	const struct ellu_error *error;

	ck_assert_int_eq(ellu_call_raw(handle, "org.varlink.service.GetInfo", NULL, &reply, &error),
			 0);
	ck_assert(strstr(reply->parameters, "\"vendor\":\"v\""));
	ellu_free(reply);
	ck_assert_int_eq(ellu_call_raw(handle, "a.B", "{\"x\":", &reply, &error),
			 ELLU_E_INVALID_MESSAGE);
	ellu_free(error);
	ck_assert_int_eq(ellu_call_raw(handle, "a.B", "[1]", &reply, &error), -EINVAL);
	ellu_free(error);
	ck_assert_int_eq(ellu_call_raw(handle, "GetInfo", NULL, &reply, &error), -EINVAL);
	ellu_free(error);
	ck_assert_int_eq(ellu_call_raw(handle, "a.B", "{}", &reply, &error),
			 ELLU_E_METHOD_NOT_FOUND);
	ellu_free(error);
	close_handle(handle);
}
END_TEST

START_TEST(misuse_is_refused)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_error *error;
	struct ellu_stream *stream;
	struct ellu *handle;

	ck_assert_int_eq(ellu_open("/nonexistent/socket", ELLU_BLOCKING, &handle), -ENOENT);
	ck_assert_int_eq(ellu_open("tcp:1", ELLU_BLOCKING, &handle), -EINVAL);
	ck_assert_int_eq(ellu_open(NULL, 7, &handle), -EINVAL);
	ck_assert_int_eq(ellu_open(NULL, ELLU_BLOCKING, NULL), -EINVAL);
	ck_assert_int_eq(ellu_get_task(NULL, &request, NULL, &error), -EINVAL);
	ellu_free(error);
	handle = open_handle(ELLU_EVENT);
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, &error), -EOPNOTSUPP);
	ck_assert_str_eq(error->code, "EOPNOTSUPP");
	ellu_free(error);
	ck_assert_int_eq(ellu_stream_raw(handle, "a.B", NULL, &stream, NULL), -EOPNOTSUPP);
	close_handle(handle);
	handle = open_handle(ELLU_BLOCKING);
	ck_assert_int_eq(ellu_get_task_async(handle, &request, NULL, NULL, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(ellu_process(handle), -EOPNOTSUPP);
	ck_assert_int_eq(ellu_fd(handle), -EOPNOTSUPP);
	ck_assert_int_eq(ellu_get_task(handle, NULL, NULL, NULL), -EINVAL);
	request.struct_size = 0;
	ck_assert_int_eq(ellu_get_task(handle, &request, NULL, NULL), -EINVAL);
	ck_assert_int_eq(standin.n_calls, 0);
	close_handle(handle);
	ck_assert_ptr_null(ellu_close(NULL));
	ck_assert_ptr_null(ellu_stream_close(NULL));
	ck_assert_ptr_null(ellu_op_free(NULL));
	ellu_free(NULL);
}
END_TEST

static void *many_calls(void *userdata)
{
	struct ellu_get_task_request request = ELLU_RECORD(struct ellu_get_task_request);
	const struct ellu_get_task_reply *reply;

	request.id = 7;
	for (int i = 0; i < 200; i++) {
		if (ellu_get_task(userdata, &request, &reply, NULL) != 0)
			return userdata;
		ellu_free(reply);
	}
	return NULL;
}

START_TEST(threads_share_a_handle)
{
	struct ellu *handle = open_handle(ELLU_BLOCKING);
	pthread_t threads[16];
	void *failed;

	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, many_calls, handle), 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_int_eq(standin.n_calls, 16 * 200);
	close_handle(handle);
}
END_TEST

START_TEST(addresses)
{
	char *path;

	ck_assert_int_eq(ellu_address_path("unix:/a/b", &path), 0);
	ck_assert_str_eq(path, "/a/b");
	free(path);
	setenv("ELLUMINATE_SOCKET", "unix:/env", 1);
	ck_assert_int_eq(ellu_address_path(NULL, &path), 0);
	ck_assert_str_eq(path, "/env");
	free(path);
	unsetenv("ELLUMINATE_SOCKET");
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	ck_assert_int_eq(ellu_address_path(NULL, &path), 0);
	ck_assert_str_eq(path, "/run/user/1/elluminate/socket");
	free(path);
	unsetenv("XDG_RUNTIME_DIR");
	setenv("XDG_STATE_HOME", "relative", 1);
	setenv("HOME", "/home/u", 1);
	ck_assert_int_eq(ellu_address_path(NULL, &path), 0);
	ck_assert_str_eq(path, "/home/u/.local/state/elluminate/socket");
	free(path);
	setenv("XDG_STATE_HOME", "/state", 1);
	ck_assert_int_eq(ellu_address_path(NULL, &path), 0);
	ck_assert_str_eq(path, "/state/elluminate/socket");
	free(path);
	ck_assert_int_eq(ellu_address_path("/a-path-that-is-longer-than-a-socket-may-have-"
					   "0123456789012345678901234567890123456789012345678901"
					   "0123456789012345678901234567890123456789",
					   &path),
			 -ENAMETOOLONG);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_call_and_its_record, an_error_with_its_details, a_stream_to_its_end,
			 waiting_for_a_stream, a_daemon_that_hangs,
			 a_daemon_that_does_not_accept, raw_calls, misuse_is_refused, threads_share_a_handle,
			 addresses);
}
