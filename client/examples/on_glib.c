/*
 * An application on GLib: an experiment runs while a ticker shows that the main loop stays
 * responsive.
 *
 *	on_glib [URL]
 */
#include <elluminate-glib.h>

#include "sample.h"

struct application {
	GMainLoop *loop;
	unsigned ticks;
	int exit_status;
};

static gboolean on_tick(gpointer userdata)
{
	struct application *application = userdata;

	application->ticks++;
	return G_SOURCE_CONTINUE;
}

/* 1 with each event, 0 with the last reply. */
static void on_event(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *answer,
		     const struct ellu_error *error, void *userdata)
{
	struct application *application = userdata;

	(void) op;
	if (result < 0)
		application->exit_status = sample_complain(result, ellu_keep(error));
	else if (answer->event && ellu_event_percent(answer->event) >= 0)
		g_print("%3.0f %%, %u ticks so far\n", ellu_event_percent(answer->event),
			application->ticks);
	if (result > 0)
		return;
	if (result == 0 && answer->event) {
		g_print("task %" G_GINT64_FORMAT " is %s\n", answer->event->task_id,
			answer->event->status);
		application->exit_status = ellu_event_is_success(answer->event) ? 0 : 1;
	}
	g_main_loop_quit(application->loop);
}

static int start(struct application *application, struct ellu *daemon, const char *url)
{
	struct sample sample;
	int r = ellu_glib_attach(daemon, NULL);

	if (r < 0)
		return r;
	sample_init(&sample, "On GLib", url, 8);
	return ellu_run_experiment_stream_async(daemon, &sample.request, on_event, application,
						NULL);
}

int main(int argc, char **argv)
{
	struct application application = { g_main_loop_new(NULL, FALSE), 0, 1 };
	guint ticker = g_timeout_add(20, on_tick, &application);
	struct ellu *daemon = sample_open(ELLU_EVENT);
	int r;

	if (daemon) {
		r = start(&application, daemon, argc > 1 ? argv[1] : NULL);
		if (r >= 0)
			g_main_loop_run(application.loop);
		else
			application.exit_status = sample_complain(r, NULL);
		g_print("%u ticks\n", application.ticks);
	}
	ellu_close(daemon);
	g_source_remove(ticker);
	g_main_loop_unref(application.loop);
	return application.exit_status;
}
