#include "task_row.h"

#include <string.h>

#define NAME_CHARACTERS 20
#define STATE_CHARACTERS 24
#define KEY "elluminate-task"

static void row_free(gpointer data)
{
	struct task_row *row = data;

	g_free(row->path);
	g_free(row->name);
	g_free(row->status);
	g_free(row->hold);
	g_free(row->error);
	g_free(row);
}

/* Of a fixed width, so that the bars of all rows are of the same length. */
static GtkWidget *label_new(int width)
{
	GtkWidget *label = gtk_label_new(NULL);

	gtk_label_set_width_chars(GTK_LABEL(label), width);
	gtk_label_set_max_width_chars(GTK_LABEL(label), width);
	gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
	gtk_label_set_xalign(GTK_LABEL(label), 0);
	return label;
}

struct task_row *task_row_new(const char *path)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	struct task_row *row = g_new0(struct task_row, 1);

	row->path = g_strdup(path);
	row->name_label = label_new(NAME_CHARACTERS);
	row->bar = gtk_progress_bar_new();
	row->state_label = label_new(STATE_CHARACTERS);
	row->cancel_button = gtk_button_new_with_label("Cancel");
	gtk_style_context_add_class(gtk_widget_get_style_context(row->cancel_button),
				    GTK_STYLE_CLASS_DESTRUCTIVE_ACTION);
	gtk_widget_set_valign(row->bar, GTK_ALIGN_CENTER);
	gtk_container_set_border_width(GTK_CONTAINER(box), 6);
	gtk_box_pack_start(GTK_BOX(box), row->name_label, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->bar, TRUE, TRUE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->state_label, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->cancel_button, FALSE, FALSE, 0);

	row->widget = gtk_list_box_row_new();
	gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row->widget), FALSE);
	gtk_container_add(GTK_CONTAINER(row->widget), box);
	g_object_set_data_full(G_OBJECT(row->widget), KEY, row, row_free);
	gtk_widget_show_all(row->widget);
	return row;
}

struct task_row *task_row_of(GtkListBoxRow *widget)
{
	return g_object_get_data(G_OBJECT(widget), KEY);
}

guint64 task_row_id(const struct task_row *row)
{
	return g_ascii_strtoull(strrchr(row->path, '/') + 1, NULL, 10);
}

static void take_text(GVariant *properties, const char *name, char **text)
{
	const char *value;

	if (g_variant_lookup(properties, name, "&s", &value)) {
		g_free(*text);
		*text = g_strdup(value);
	} else if (!*text) {
		*text = g_strdup("");
	}
}

static void show(struct task_row *row)
{
	char *state = g_strdup_printf("%.0f %% %s%s%s", row->percent, row->status,
				      row->hold[0] ? ", held: " : "", row->hold);

	gtk_label_set_text(GTK_LABEL(row->name_label), row->name);
	gtk_label_set_text(GTK_LABEL(row->state_label), state);
	gtk_widget_set_tooltip_text(row->widget, row->error[0] ? row->error : NULL);
	gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(row->bar), row->percent / 100);
	gtk_widget_set_sensitive(row->cancel_button, !row->ended);
	g_free(state);
}

gboolean task_row_update(struct task_row *row, GVariant *properties)
{
	gboolean had_ended = row->ended;

	take_text(properties, "Name", &row->name);
	take_text(properties, "Status", &row->status);
	take_text(properties, "Hold", &row->hold);
	take_text(properties, "Error", &row->error);
	(void)g_variant_lookup(properties, "PercentComplete", "d", &row->percent);
	/* The other five are final. */
	row->ended = row->status[0] && strcmp(row->status, "PENDING") != 0 &&
		     strcmp(row->status, "STARTED") != 0;
	show(row);
	return row->ended && !had_ended;
}
