/*
 * elluminate-desktop [--system] [FILE]...: a window that shows what the daemon does, over D-Bus
 * alone, by GIO. Each FILE is submitted: JSON as RunExperiment takes it, comments allowed. The
 * daemon may start, stop and come back at any time; submitting starts it where a service file of
 * the bus names it.
 *
 * The program runs once a session: files given to a second one are submitted by the first.
 */
#include "task_list.h"

/* An experiment with many rows takes longer to store than the 25 seconds that are usual. */
#define SUBMIT_TIMEOUT_MSEC (120 * 1000)

struct desktop {
	GtkApplication *application;
	gboolean system; // --system
	gboolean failed; // to start
	GDBusConnection *connection;
	struct task_list *list;
	GtkWidget *window, *message;
};

static void show_message(struct desktop *desktop, const char *text)
{
	if (desktop->window)
		gtk_label_set_text(GTK_LABEL(desktop->message), text);
}

/* Also to the terminal: the window may be closed by now. */
static void show_failure(struct desktop *desktop, const char *text)
{
	g_printerr("elluminate-desktop: %s\n", text);
	show_message(desktop, text);
}

/* ---- What the list tells ---- */

static void on_connected(gboolean connected, gpointer desktop)
{
	show_message(desktop, connected ? "" : "The daemon is not running.");
}

static void on_ended(const char *path, const char *name, const char *outcome, gpointer userdata)
{
	struct desktop *desktop = userdata;
	GNotification *notification = g_notification_new(name);

	g_notification_set_body(notification, outcome);
	/* By its path: a task has one notification, whoever sends it how often. */
	g_application_send_notification(G_APPLICATION(desktop->application), path, notification);
	g_object_unref(notification);
}

static void on_failed(const GError *error, gpointer desktop)
{
	show_failure(desktop, error->message);
}

/* ---- Submitting ---- */

/* JSON has no comments; texts are matched too, so that what looks like one within them stays. */
static char *without_comments(const char *text, GError **error)
{
	char *result = NULL;
	GRegex *regex = g_regex_new("(\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\")|//[^\\n]*|/\\*.*?\\*/",
				    G_REGEX_DOTALL | G_REGEX_OPTIMIZE, 0, error);

	if (regex)
		result = g_regex_replace(regex, text, -1, 0, "\\1", 0, error);
	g_clear_pointer(&regex, g_regex_unref);
	return result;
}

static void on_submitted(GObject *source, GAsyncResult *result, gpointer userdata)
{
	struct desktop *desktop = userdata;
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
	const char *path;

	if (reply) {
		g_variant_get(reply, "(&o)", &path);
		show_message(desktop, "");
		/* One that was there already may have ended long ago. */
		if (desktop->list)
			task_list_ask(desktop->list, path);
		g_variant_unref(reply);
	} else {
		g_dbus_error_strip_remote_error(error); // its name is for programs
		on_failed(error, desktop);
		g_error_free(error);
	}
	g_application_release(G_APPLICATION(desktop->application));
}

static void send_request(struct desktop *desktop, const char *json)
{
	/* Held: a submission is answered even when the window is closed meanwhile. */
	g_application_hold(G_APPLICATION(desktop->application));
	g_dbus_connection_call(desktop->connection, ELLUMINATE_NAME, ELLUMINATE_PATH,
			       ELLUMINATE_MANAGER, "RunExperiment",
			       g_variant_new("(sa{sv})", json, NULL), G_VARIANT_TYPE("(o)"),
			       G_DBUS_CALL_FLAGS_NONE, SUBMIT_TIMEOUT_MSEC, NULL, on_submitted,
			       desktop);
}

static void submit(struct desktop *desktop, GFile *file)
{
	GError *error = NULL;
	char *text = NULL, *json = NULL;

	/* The bus takes valid UTF-8 alone, and so does the regular expression, which says where. */
	if (g_file_load_contents(file, NULL, &text, NULL, NULL, &error))
		json = without_comments(text, &error);
	if (json) {
		show_message(desktop, "Submitting…");
		send_request(desktop, json);
	} else {
		on_failed(error, desktop);
		g_error_free(error);
	}
	g_free(json);
	g_free(text);
}

static void on_choose(GtkButton *button, gpointer userdata)
{
	struct desktop *desktop = userdata;
	GtkFileChooserNative *chooser = gtk_file_chooser_native_new(
		"Run an experiment", GTK_WINDOW(desktop->window), GTK_FILE_CHOOSER_ACTION_OPEN,
		"Run", NULL);

	(void)button;
	if (gtk_native_dialog_run(GTK_NATIVE_DIALOG(chooser)) == GTK_RESPONSE_ACCEPT) {
		GFile *file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(chooser));

		submit(desktop, file);
		g_object_unref(file);
	}
	g_object_unref(chooser);
}

/* ---- The window ---- */

static void on_destroy(GtkWidget *window, gpointer userdata)
{
	struct desktop *desktop = userdata;

	(void)window;
	task_list_free(desktop->list);
	desktop->list = NULL;
	desktop->window = NULL;
}

static GtkWidget *scrolled(GtkWidget *child)
{
	GtkWidget *window = gtk_scrolled_window_new(NULL, NULL);

	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(window), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_container_add(GTK_CONTAINER(window), child);
	return window;
}

static void open_window(struct desktop *desktop)
{
	const struct task_list_observer observer = { on_connected, on_ended, on_failed, desktop };
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	GtkWidget *button = gtk_button_new_with_label("Run an experiment…");
	GtkWidget *header = gtk_header_bar_new();

	desktop->window = gtk_application_window_new(desktop->application);
	desktop->message = gtk_label_new(NULL);
	desktop->list = task_list_new(desktop->connection, &observer);
	gtk_header_bar_set_title(GTK_HEADER_BAR(header), "Elluminate");
	gtk_header_bar_set_show_close_button(GTK_HEADER_BAR(header), TRUE);
	gtk_header_bar_pack_start(GTK_HEADER_BAR(header), button);
	gtk_window_set_titlebar(GTK_WINDOW(desktop->window), header);
	gtk_window_set_default_size(GTK_WINDOW(desktop->window), 720, 420);
	gtk_container_set_border_width(GTK_CONTAINER(box), 6);
	gtk_label_set_xalign(GTK_LABEL(desktop->message), 0);
	gtk_label_set_line_wrap(GTK_LABEL(desktop->message), TRUE);
	g_signal_connect(button, "clicked", G_CALLBACK(on_choose), desktop);
	g_signal_connect(desktop->window, "destroy", G_CALLBACK(on_destroy), desktop);
	gtk_box_pack_start(GTK_BOX(box), scrolled(task_list_widget(desktop->list)), TRUE, TRUE, 0);
	gtk_box_pack_start(GTK_BOX(box), desktop->message, FALSE, FALSE, 0);
	gtk_container_add(GTK_CONTAINER(desktop->window), box);
	gtk_widget_show_all(desktop->window);
}

/* ---- The application ---- */

/* Before the application asks for its name: that of the system's daemon is a program of its own. */
static int on_options(GApplication *application, GVariantDict *options, gpointer userdata)
{
	struct desktop *desktop = userdata;

	desktop->system = g_variant_dict_contains(options, "system");
	if (desktop->system)
		g_application_set_application_id(application, "org.elluminate.Desktop.System");
	return -1; // go on
}

static void on_startup(GApplication *application, gpointer userdata)
{
	struct desktop *desktop = userdata;
	GError *error = NULL;

	desktop->connection = g_bus_get_sync(desktop->system ? G_BUS_TYPE_SYSTEM :
							       G_BUS_TYPE_SESSION, NULL, &error);
	if (desktop->connection)
		return;
	g_printerr("elluminate-desktop: there is no message bus: %s\n", error->message);
	g_error_free(error);
	desktop->failed = TRUE;
	g_application_quit(application);
}

static void on_activate(GApplication *application, gpointer userdata)
{
	struct desktop *desktop = userdata;

	(void)application;
	if (!desktop->connection)
		return;
	if (!desktop->window)
		open_window(desktop);
	gtk_window_present(GTK_WINDOW(desktop->window));
}

static void on_open(GApplication *application, GFile **files, int n_files, const char *hint,
		    gpointer userdata)
{
	struct desktop *desktop = userdata;

	(void)hint;
	on_activate(application, desktop);
	for (int i = 0; desktop->connection && i < n_files; i++)
		submit(desktop, files[i]);
}

int main(int argc, char **argv)
{
	static const GOptionEntry options[] = {
		{ "system", 0, 0, G_OPTION_ARG_NONE, NULL, "Use the system's daemon", NULL },
		{ 0 },
	};
	struct desktop desktop = { 0 };
	int status;

	desktop.application = gtk_application_new("org.elluminate.Desktop",
						  G_APPLICATION_HANDLES_OPEN);
	g_application_add_main_option_entries(G_APPLICATION(desktop.application), options);
	g_signal_connect(desktop.application, "handle-local-options", G_CALLBACK(on_options), &desktop);
	g_signal_connect(desktop.application, "startup", G_CALLBACK(on_startup), &desktop);
	g_signal_connect(desktop.application, "activate", G_CALLBACK(on_activate), &desktop);
	g_signal_connect(desktop.application, "open", G_CALLBACK(on_open), &desktop);
	status = g_application_run(G_APPLICATION(desktop.application), argc, argv);
	g_clear_object(&desktop.connection);
	g_object_unref(desktop.application);
	return desktop.failed ? 1 : status;
}
