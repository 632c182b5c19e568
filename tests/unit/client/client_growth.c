/*
 * A caller and a library of different age: built twice, against today's records and (with GROWN)
 * against records with one more member, and run with either library.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

/* The daemon may be older than the library: it has said nothing of what has grown. */
static int is_old;

#define OLD_TASK                                                                                \
	"{\"id\":7,\"kind\":\"experiment\",\"name\":\"n\",\"status\":\"SUCCESS\","                 \
	"\"priority\":\"normal\",\"project\":\"default\",\"owner_uid\":0,"                           \
	"\"created_at\":\"2026-01-31T12:00:00.000Z\",\"time_limit_seconds\":36000,"                  \
	"\"running_seconds\":1.5,\"attempts\":1,\"sequence\":3"
#define TASK OLD_TASK ",\"grown\":\"g\"}"

static char seen[4096];

static int answer(struct standin *standin, int fd, const char *call)
{
	(void) standin;
	strncat(seen, call, sizeof(seen) - strlen(seen) - 1);
	if (strstr(call, "unheard"))
		standin_send(fd, "{\"error\":\"org.elluminate.Unheard\",\"parameters\":{\"of\":[1]}}");
	else if (is_old && strstr(call, "grown"))
		standin_send(fd, "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
				 "{\"parameter\":\"grown\"}}");
	else if (is_old && strstr(call, "PauseTask"))
		standin_send(fd, "{\"parameters\":{\"task\":" OLD_TASK "}}}");
	else if (is_old)
		standin_send(fd, "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":"
				 "{\"method\":\"x\"}}");
	else if (strstr(call, "ListTasks"))
		standin_send(fd, "{\"parameters\":{\"items\":[" TASK "," TASK "],\"grown\":\"g\"}}");
	else
		standin_send(fd, "{\"parameters\":{\"task\":" TASK ",\"grown\":\"g\"}}");
	return 0;
}

/* Whether the library knows of the new member. */
static int is_library_grown(void)
{
	return getenv("ELLU_TEST_GROWN") != NULL;
}

static void check_task(const struct ellu_task *task)
{
	ck_assert_str_eq(task->name, "n");
	ck_assert_str_eq(task->status, "SUCCESS");
	ck_assert_int_eq(task->sequence, 3);
#ifdef GROWN
	ck_assert_int_eq(ELLU_HAS(task, grown), is_library_grown());
	if (ELLU_HAS(task, grown) && is_old)
		ck_assert_ptr_null(task->grown);
	else if (ELLU_HAS(task, grown))
		ck_assert_str_eq(task->grown, "g");
#else
	ck_assert_uint_ge(task->struct_size, sizeof(*task));
	ck_assert_int_eq(task->struct_size > sizeof(*task), is_library_grown());
#endif
	ck_assert(ELLU_HAS(task, sequence));
}

START_TEST(callers_and_libraries_of_any_age)
{
	/* What stands behind a smaller request is not the library's. */
	struct {
		struct ellu_list_tasks_request list;
		struct ellu_pause_task_request pause;
		const char *poison;
	} requests = { .list = ELLU_RECORD(struct ellu_list_tasks_request),
		       .pause = ELLU_RECORD(struct ellu_pause_task_request),
		       .poison = (const char *) 1 };
	const struct ellu_pause_task_reply *reply;
	const struct ellu_task *item;
	struct ellu_stream *stream;
	struct standin standin;
	struct ellu *handle;
	int n = 0;

	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	requests.pause.id = 7;
#ifdef GROWN
	requests.pause.grown = "mine";
	if (!is_library_grown()) {
		const struct ellu_error *error;

		/* What the library cannot pass on is not left out. */
		ck_assert_int_eq(ellu_pause_task(handle, &requests.pause, &reply, &error), -E2BIG);
		ck_assert(strstr(error->message, "too old"));
		ellu_free(error);
		ck_assert_str_eq(seen, "");
		requests.pause.grown = NULL;
		requests.pause.grown_n = 3;
		ck_assert_int_eq(ellu_pause_task(handle, &requests.pause, &reply, NULL), -E2BIG);
		requests.pause.grown_n = 0; // the default: nothing is left out
	}
#endif
	ck_assert_int_eq(ellu_pause_task(handle, &requests.pause, &reply, NULL), 0);
	check_task(reply->task);
	ellu_free(reply);
	requests.list.status = "SUCCESS";
	ck_assert_int_eq(ellu_list_tasks_stream(handle, &requests.list, &stream, NULL), 0);
	while (ellu_list_tasks_next_item(stream, &item, NULL) > 0) {
		check_task(item);
		n++;
	}
	ck_assert_int_eq(n, 2);
	ellu_stream_close(stream);
	ellu_close(handle);
	standin_stop(&standin);
	ck_assert(strstr(seen, "\"id\":7") && strstr(seen, "\"status\":\"SUCCESS\""));
#ifdef GROWN
	ck_assert_int_eq(strstr(seen, "\"grown\":\"mine\"") != NULL, is_library_grown());
#else
	ck_assert_ptr_null(strstr(seen, "grown"));
#endif
}
END_TEST

/* A daemon that goes on running while library and program are replaced. */
START_TEST(an_older_daemon)
{
	struct ellu_pause_task_request request = ELLU_RECORD(struct ellu_pause_task_request);
	const struct ellu_pause_task_reply *reply;
	struct standin standin;
	struct ellu *handle;

	is_old = 1;
	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	request.id = 7;
	ck_assert_int_eq(ellu_pause_task(handle, &request, &reply, NULL), 0);
	check_task(reply->task);
	ellu_free(reply);
	ck_assert_int_eq(ellu_get_status(handle, NULL, NULL, NULL), ELLU_E_METHOD_NOT_FOUND);
#ifdef GROWN
	request.grown = "mine";
	ck_assert_int_eq(ellu_pause_task(handle, &request, NULL, NULL),
			 is_library_grown() ? ELLU_E_INVALID_PARAMETER : -E2BIG);
#endif
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

/* A newer daemon's error, and a newer program's method. */
START_TEST(what_nobody_has_heard_of)
{
	struct ellu_list_tasks_request request = ELLU_RECORD(struct ellu_list_tasks_request);
	const struct ellu_error *error;
	struct standin standin;
	struct ellu *handle;

	standin_start(&standin, answer);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	request.project = "unheard";
	ck_assert_int_eq(ellu_list_tasks(handle, &request, NULL, &error), -EREMOTEIO);
	ck_assert_str_eq(error->code, "org.elluminate.Unheard");
	ck_assert_str_eq(error->parameters, "{\"of\":[1]}");
	ck_assert_int_eq(ellu_error_code(error), -EREMOTEIO);
	ck_assert_int_eq(ellu_may_have_happened(-EREMOTEIO), 0);
	ellu_free(error);
	ck_assert_int_eq(ellu_call_method(handle, "org.elluminate.Unheard", &request, NULL, &error),
			 -ENOSYS);
	ck_assert_int_eq(ellu_error_code(error), -ENOSYS);
	ellu_free(error);
	ellu_close(handle);
	standin_stop(&standin);
}
END_TEST

int main(void)
{
	return RUN_TESTS(callers_and_libraries_of_any_age, an_older_daemon, what_nobody_has_heard_of);
}
