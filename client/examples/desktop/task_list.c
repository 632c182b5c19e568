#include "task_list.h"

#include <string.h>

#include "task_details.h"
#include "task_row.h"

#define ENDED_MAX 50 // rows of tasks that have ended: a program that runs for weeks stays small
#define NOT_FOUND "org.elluminate.Error.NotFound"

struct task_list {
	GDBusConnection *connection;
	struct task_list_observer observer;
	GtkWidget *box, *placeholder;
	GtkSizeGroup *buttons;
	GHashTable *rows; // path -> task_row, both the row's widget's
	GQueue ended; // task_row, the oldest first
	guint name_watch;
	GDBusObjectManager *objects; // NULL while the daemon is away
	GCancellable *cancellable; // of what the daemon that is there now was asked
};

/* A call that was cancelled comes back when the list may be gone: then only the error is ours. */
static void report(struct task_list *list, GError *error)
{
	if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		list->observer.failed(error, list->observer.userdata);
	g_error_free(error);
}

static void call_manager(struct task_list *list, const char *method, GVariant *arguments,
			 GAsyncReadyCallback done)
{
	/* Looking on must not start a daemon that has just been stopped. */
	g_dbus_connection_call(list->connection, ELLUMINATE_NAME, ELLUMINATE_PATH,
			       ELLUMINATE_MANAGER, method, arguments, NULL,
			       G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, list->cancellable, done, list);
}

/* ---- Rows ---- */

static void on_cancelled(GObject *source, GAsyncResult *result, gpointer list)
{
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

	/* What became of the task is told by its properties, as every other end is. */
	if (reply)
		g_variant_unref(reply);
	else
		report(list, error);
}

static void on_cancel_clicked(GtkWidget *button, gpointer list)
{
	GtkWidget *widget = gtk_widget_get_ancestor(button, GTK_TYPE_LIST_BOX_ROW);

	call_manager(list, "CancelTask",
		     g_variant_new("(o)", task_row_of(GTK_LIST_BOX_ROW(widget))->path),
		     on_cancelled);
}

/* ---- What came of one ---- */

/* The row may have gone meanwhile. */
struct opening {
	struct task_list *list;
	char *path;
};

static void on_results(GObject *source, GAsyncResult *result, gpointer userdata)
{
	struct opening *opening = userdata;
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
	const char *json;

	if (reply) {
		struct task_row *row = g_hash_table_lookup(opening->list->rows, opening->path);

		g_variant_get(reply, "(&s)", &json);
		if (row)
			task_row_open(row, task_details_new(json));
		g_variant_unref(reply);
	} else {
		report(opening->list, error);
	}
	g_free(opening->path);
	g_free(opening);
}

static void on_row_activated(GtkListBox *box, GtkListBoxRow *widget, gpointer userdata)
{
	struct task_row *row = task_row_of(widget);
	struct task_list *list = userdata;
	struct opening *opening;
	char *request;

	(void)box;
	if (task_row_toggle(row))
		return;
	opening = g_new(struct opening, 1);
	opening->list = list;
	opening->path = g_strdup(row->path);
	request = g_strdup_printf("{\"experiment\":{\"id\":%" G_GINT64_FORMAT "}}", row->experiment_id);
	g_dbus_connection_call(list->connection, ELLUMINATE_NAME, ELLUMINATE_PATH, ELLUMINATE_MANAGER, "Call",
			       g_variant_new("(ss)", "GetExperiment", request), G_VARIANT_TYPE("(s)"),
			       G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, list->cancellable, on_results, opening);
	g_free(request);
}

static struct task_row *add_row(struct task_list *list, const char *path)
{
	struct task_row *row = task_row_new(path, list->buttons);

	g_signal_connect(row->cancel_button, "clicked", G_CALLBACK(on_cancel_clicked), list);
	gtk_container_add(GTK_CONTAINER(list->box), row->widget);
	g_hash_table_insert(list->rows, row->path, row);
	return row;
}

static void remove_row(struct task_list *list, struct task_row *row)
{
	g_hash_table_remove(list->rows, row->path);
	g_queue_remove(&list->ended, row);
	gtk_widget_destroy(row->widget);
}

static void update_row(struct task_list *list, struct task_row *row, GVariant *properties)
{
	if (!task_row_update(row, properties))
		return;
	list->observer.ended(row->path, row->name, row->error[0] ? row->error : task_row_state(row),
			     list->observer.userdata);
	g_queue_push_tail(&list->ended, row);
	if (g_queue_get_length(&list->ended) > ENDED_MAX)
		remove_row(list, g_queue_peek_head(&list->ended));
}

static void show_task(struct task_list *list, const char *path, GVariant *properties)
{
	struct task_row *row = g_hash_table_lookup(list->rows, path);

	update_row(list, row ? row : add_row(list, path), properties);
}

/* ---- Asking for one ---- */

struct question {
	struct task_list *list;
	char *path;
};

/* Another daemon, perhaps, that never had this task. */
static void forget_if_unknown(struct task_list *list, const char *path, const GError *error)
{
	struct task_row *row;
	char *name;

	if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
		return;
	row = g_hash_table_lookup(list->rows, path);
	name = g_dbus_error_get_remote_error(error);
	if (row && g_strcmp0(name, NOT_FOUND) == 0)
		remove_row(list, row);
	g_free(name);
}

static void on_properties(GObject *source, GAsyncResult *result, gpointer userdata)
{
	struct question *question = userdata;
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

	if (reply) {
		GVariant *properties = g_variant_get_child_value(reply, 0);

		show_task(question->list, question->path, properties);
		g_variant_unref(properties);
		g_variant_unref(reply);
	} else {
		forget_if_unknown(question->list, question->path, error);
		report(question->list, error);
	}
	g_free(question->path);
	g_free(question);
}

void task_list_ask(struct task_list *list, const char *path)
{
	struct question *question = g_new(struct question, 1);

	question->list = list;
	question->path = g_strdup(path);
	g_dbus_connection_call(list->connection, ELLUMINATE_NAME, path,
			       "org.freedesktop.DBus.Properties", "GetAll",
			       g_variant_new("(s)", ELLUMINATE_TASK), G_VARIANT_TYPE("(a{sv})"),
			       G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, list->cancellable, on_properties,
			       question);
}

/* ---- Following the daemon ---- */

static void show_object(struct task_list *list, GDBusObject *object)
{
	GDBusInterface *interface = g_dbus_object_get_interface(object, ELLUMINATE_TASK);
	GVariantDict dict;
	GVariant *properties;
	char **names;

	if (!interface)
		return;
	g_variant_dict_init(&dict, NULL);
	names = g_dbus_proxy_get_cached_property_names(G_DBUS_PROXY(interface));
	for (char **name = names; name && *name; name++) {
		GVariant *value = g_dbus_proxy_get_cached_property(G_DBUS_PROXY(interface), *name);

		g_variant_dict_insert_value(&dict, *name, value);
		g_variant_unref(value);
	}
	properties = g_variant_ref_sink(g_variant_dict_end(&dict));
	show_task(list, g_dbus_object_get_object_path(object), properties);
	g_variant_unref(properties);
	g_strfreev(names);
	g_object_unref(interface);
}

static void on_object_added(GDBusObjectManager *objects, GDBusObject *object, gpointer list)
{
	(void)objects;
	show_object(list, object);
}

static void on_changed(GDBusObjectManagerClient *objects, GDBusObjectProxy *object,
		       GDBusProxy *proxy, GVariant *changed, const char *const *invalidated,
		       gpointer list)
{
	(void)objects;
	(void)proxy;
	(void)invalidated;
	show_task(list, g_dbus_object_get_object_path(G_DBUS_OBJECT(object)), changed);
}

/* Those that were here before the daemon went, and which it does not list now, ended meanwhile:
 * their objects still answer. */
static void ask_for_the_unlisted(struct task_list *list)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, list->rows);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct task_row *row = value;
		GDBusObject *object = g_dbus_object_manager_get_object(list->objects, row->path);

		if (!object && !row->ended)
			task_list_ask(list, row->path);
		g_clear_object(&object);
	}
}

static void on_objects(GObject *source, GAsyncResult *result, gpointer userdata)
{
	struct task_list *list = userdata;
	GError *error = NULL;
	GDBusObjectManager *objects = g_dbus_object_manager_client_new_finish(result, &error);
	GList *all;

	(void)source;
	if (!objects) {
		report(list, error);
		return;
	}
	list->objects = objects;
	/* Listed and connected to in one turn of the loop: no signal comes in between. Objects that
	 * go need none, since their properties have told of the end before. */
	g_signal_connect(objects, "object-added", G_CALLBACK(on_object_added), list);
	g_signal_connect(objects, "interface-proxy-properties-changed", G_CALLBACK(on_changed), list);
	all = g_dbus_object_manager_get_objects(objects);
	for (const GList *item = all; item; item = item->next)
		show_object(list, item->data);
	g_list_free_full(all, g_object_unref);
	ask_for_the_unlisted(list);
	gtk_widget_set_sensitive(list->box, TRUE);
	gtk_label_set_text(GTK_LABEL(list->placeholder), "Nothing runs, and nothing has ended lately.\n"
			   "Run an experiment to see it here.");
	list->observer.connected(TRUE, list->observer.userdata);
}

static void on_subscribed(GObject *source, GAsyncResult *result, gpointer userdata)
{
	struct task_list *list = userdata;
	GError *error = NULL;
	GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

	if (!reply) {
		report(list, error);
		return;
	}
	g_variant_unref(reply);
	g_dbus_object_manager_client_new(list->connection,
					 G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
					 ELLUMINATE_NAME, ELLUMINATE_PATH, NULL, NULL, NULL,
					 list->cancellable, on_objects, list);
}

/* On the system bus signals go to subscribers alone, and a daemon that has started anew knows of
 * none. Before the tasks are asked for, so that none is missed in between. */
static void on_appeared(GDBusConnection *connection, const char *name, const char *owner,
			gpointer list)
{
	(void)connection;
	(void)name;
	(void)owner;
	call_manager(list, "Subscribe", NULL, on_subscribed);
}

static void stop_following(struct task_list *list)
{
	g_cancellable_cancel(list->cancellable);
	g_clear_object(&list->cancellable);
	if (list->objects)
		g_signal_handlers_disconnect_by_data(list->objects, list);
	g_clear_object(&list->objects);
}

static void on_vanished(GDBusConnection *connection, const char *name, gpointer userdata)
{
	struct task_list *list = userdata;

	(void)connection;
	(void)name;
	stop_following(list);
	list->cancellable = g_cancellable_new();
	gtk_widget_set_sensitive(list->box, FALSE);
	gtk_label_set_text(GTK_LABEL(list->placeholder), "Running an experiment starts the daemon.");
	list->observer.connected(FALSE, list->observer.userdata);
}

/* ---- The list ---- */

static int newest_first(GtkListBoxRow *a, GtkListBoxRow *b, gpointer userdata)
{
	(void)userdata;
	return task_row_id(task_row_of(a)) < task_row_id(task_row_of(b)) ? 1 : -1;
}

struct task_list *task_list_new(GDBusConnection *connection,
				const struct task_list_observer *observer)
{
	struct task_list *list = g_new0(struct task_list, 1);

	list->connection = g_object_ref(connection);
	list->observer = *observer;
	list->box = g_object_ref_sink(gtk_list_box_new());
	gtk_list_box_set_selection_mode(GTK_LIST_BOX(list->box), GTK_SELECTION_NONE);
	list->placeholder = g_object_ref_sink(gtk_label_new(NULL));
	list->buttons = gtk_size_group_new(GTK_SIZE_GROUP_HORIZONTAL);
	gtk_label_set_justify(GTK_LABEL(list->placeholder), GTK_JUSTIFY_CENTER);
	gtk_widget_show(list->placeholder);
	gtk_list_box_set_placeholder(GTK_LIST_BOX(list->box), list->placeholder);
	gtk_list_box_set_sort_func(GTK_LIST_BOX(list->box), newest_first, NULL, NULL);
	g_signal_connect(list->box, "row-activated", G_CALLBACK(on_row_activated), list);
	list->rows = g_hash_table_new(g_str_hash, g_str_equal);
	g_queue_init(&list->ended);
	list->cancellable = g_cancellable_new();
	/* Tells whether the daemon is there, now and whenever that changes, and never starts it. */
	list->name_watch = g_bus_watch_name_on_connection(connection, ELLUMINATE_NAME,
							  G_BUS_NAME_WATCHER_FLAGS_NONE,
							  on_appeared, on_vanished, list, NULL);
	return list;
}

void task_list_free(struct task_list *list)
{
	g_bus_unwatch_name(list->name_watch);
	stop_following(list);
	g_hash_table_unref(list->rows);
	g_queue_clear(&list->ended);
	g_object_unref(list->buttons);
	g_object_unref(list->placeholder);
	g_object_unref(list->box);
	g_object_unref(list->connection);
	g_free(list);
}

GtkWidget *task_list_widget(struct task_list *list)
{
	return list->box;
}
