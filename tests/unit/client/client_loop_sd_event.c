/* An event handle on a loop of sd-event. */
#include "client/elluminate-sd-event.h"
#include "tests/unit/client/client_loops.h"

static void stop(void *userdata)
{
	sd_event_exit(userdata, 0);
}

START_TEST(on_sd_event)
{
	struct loops loops;
	sd_event *event;

	ck_assert_int_ge(sd_event_new(&event), 0);
	loops_open(&loops, stop, event);
	ck_assert_int_eq(ellu_sd_event_attach(loops.handle, event), 0);
	loops_start(&loops);
	ck_assert_int_eq(sd_event_loop(event), 0);
	loops_finish(&loops);
	sd_event_unref(event);
}
END_TEST

int main(void)
{
	return RUN_TESTS(on_sd_event);
}
