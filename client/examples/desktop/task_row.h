/*
 * One task as a row of a GtkListBox: its name, a progress bar, its state in words, while it lives a button
 * that cancels it, and why it failed. A row of a task that has ended opens, and shows what came of it. The row
 * belongs to its widget and goes with it.
 */
#pragma once

#include <gtk/gtk.h>

struct task_row {
	GtkWidget *widget;
	char *path; // of the task's object
	char *name, *status, *hold, *error;
	double percent;
	gint64 experiment_id; // 0: none
	gboolean ended;
	GtkWidget *arrow, *name_label, *bar, *state_label, *cancel_button, *error_label;
	GtkWidget *details; // a GtkRevealer
};

/* The caller connects to the button, and adds the widget to a box. Rows of one group keep the same place for
 * their buttons, whether there is one or not. */
struct task_row *task_row_new(const char *path, GtkSizeGroup *buttons);

struct task_row *task_row_of(GtkListBoxRow *widget);

guint64 task_row_id(const struct task_row *row);

/* How it stands, for people; lasts as long as the row does not change. */
const char *task_row_state(const struct task_row *row);

/* Opens and closes it; false when what came of it has yet to be put there. */
gboolean task_row_toggle(struct task_row *row);
/* Takes the widget, and opens. */
void task_row_open(struct task_row *row, GtkWidget *details);

/* Takes over an a{sv} of all properties, or of those that changed. Returns whether the task has
 * ended by them. */
gboolean task_row_update(struct task_row *row, GVariant *properties);
