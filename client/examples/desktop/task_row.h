/*
 * One task as a row of a GtkListBox: its name, a progress bar, its state, and a button that
 * cancels it. The row belongs to its widget and goes with it.
 */
#pragma once

#include <gtk/gtk.h>

struct task_row {
	GtkWidget *widget;
	char *path; // of the task's object
	char *name, *status, *hold, *error;
	double percent;
	gboolean ended;
	GtkWidget *name_label, *bar, *state_label, *cancel_button;
};

/* The caller connects to the button, and adds the widget to a box. */
struct task_row *task_row_new(const char *path);

struct task_row *task_row_of(GtkListBoxRow *widget);

guint64 task_row_id(const struct task_row *row);

/* Takes over an a{sv} of all properties, or of those that changed. Returns whether the task has
 * ended by them. */
gboolean task_row_update(struct task_row *row, GVariant *properties);
