/*
 * The tasks that wait or run, as a GtkListBox that follows the daemon by itself. A task that has
 * ended keeps its row, as one of the last few. While the daemon is away the list is greyed out;
 * once it is back, the list is made anew of what it says.
 *
 * All of it happens in the thread of GTK, and nothing waits for the bus.
 */
#pragma once

#include <gtk/gtk.h>

#define ELLUMINATE_NAME "org.elluminate.Elluminate1"
#define ELLUMINATE_PATH "/org/elluminate/Elluminate1"
#define ELLUMINATE_MANAGER ELLUMINATE_NAME ".Manager"
#define ELLUMINATE_TASK ELLUMINATE_NAME ".Task"

struct task_list_observer {
	void (*connected)(gboolean connected, gpointer userdata);
	void (*ended)(const char *path, const char *name, const char *outcome, gpointer userdata);
	void (*failed)(const GError *error, gpointer userdata);
	gpointer userdata;
};

struct task_list;

struct task_list *task_list_new(GDBusConnection *connection,
				const struct task_list_observer *observer);

/* Before the widget is destroyed. */
void task_list_free(struct task_list *list);

GtkWidget *task_list_widget(struct task_list *list);

/* Shows a task although the daemon may not list it any more: it may have ended. */
void task_list_ask(struct task_list *list, const char *path);
