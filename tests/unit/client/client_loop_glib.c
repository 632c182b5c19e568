/* An event handle on a loop of GLib. */
#include "client/elluminate-glib.h"
#include "tests/unit/client/client_loops.h"

static void stop(void *userdata)
{
	g_main_loop_quit(userdata);
}

static void run_on(GMainContext *context)
{
	GMainLoop *loop = g_main_loop_new(context, FALSE);
	struct loops loops;

	loops_open(&loops, stop, loop);
	ck_assert_int_eq(ellu_glib_attach(loops.handle, context), 0);
	loops_start(&loops);
	g_main_loop_run(loop);
	loops_finish(&loops);
	g_main_loop_unref(loop);
}

START_TEST(on_glib)
{
	GMainContext *context = g_main_context_new();

	run_on(NULL);
	run_on(context);
	g_main_context_unref(context);
}
END_TEST

int main(void)
{
	return RUN_TESTS(on_glib);
}
