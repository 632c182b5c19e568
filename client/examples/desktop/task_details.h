/*
 * What came of a task, below its row: the success rate, and how often each criterion was met. The daemon's
 * answer is JSON.
 */
#pragma once

#include <gtk/gtk.h>

/* Of what GetExperiment answers. One line where there are no results. */
GtkWidget *task_details_new(const char *reply);
