/* An event handle on a loop of libevent. */
#include "client/elluminate-libevent.h"
#include "tests/unit/client/client_loops.h"

static void stop(void *userdata)
{
	event_base_loopbreak(userdata);
}

START_TEST(on_libevent)
{
	struct event_base *base = event_base_new();
	struct loops loops;

	loops_open(&loops, stop, base);
	ck_assert_int_eq(ellu_libevent_attach(loops.handle, base), 0);
	loops_start(&loops);
	ck_assert_int_eq(event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY), 0);
	loops_finish(&loops);
	event_base_free(base);
}
END_TEST

START_TEST(a_blocking_handle_is_refused)
{
	struct event_base *base = event_base_new();
	struct loops loops;

	loops_open(&loops, stop, base);
	ellu_close(loops.handle);
	ck_assert_int_eq(ellu_open(loops.standin.path, ELLU_BLOCKING, &loops.handle), 0);
	ck_assert_int_eq(ellu_libevent_attach(loops.handle, base), -EOPNOTSUPP);
	ck_assert_int_eq(ellu_libevent_attach(NULL, base), -EINVAL);
	ellu_close(loops.handle);
	standin_stop(&loops.standin);
	event_base_free(base);
}
END_TEST

int main(void)
{
	return RUN_TESTS(on_libevent, a_blocking_handle_is_refused);
}
