#include "task_row.h"

#include <string.h>

#define NAME_CHARACTERS 20
#define STATE_CHARACTERS 24
#define INDENT 28 // to where names begin, behind the arrow
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

struct task_row *task_row_new(const char *path, GtkSizeGroup *buttons)
{
	GtkWidget *all = gtk_box_new(GTK_ORIENTATION_VERTICAL, 3);
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	GtkWidget *place = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);
	struct task_row *row = g_new0(struct task_row, 1);

	row->path = g_strdup(path);
	row->name_label = label_new(NAME_CHARACTERS);
	row->bar = gtk_progress_bar_new();
	row->state_label = label_new(STATE_CHARACTERS);
	/* What was recorded stays, so that nothing is destroyed by it. */
	row->cancel_button = gtk_button_new_with_label("Cancel");
	row->error_label = gtk_label_new(NULL);
	gtk_label_set_xalign(GTK_LABEL(row->error_label), 0);
	gtk_label_set_line_wrap(GTK_LABEL(row->error_label), TRUE);
	gtk_style_context_add_class(gtk_widget_get_style_context(row->error_label), GTK_STYLE_CLASS_ERROR);
	row->details = gtk_revealer_new();
	gtk_widget_set_margin_start(row->error_label, INDENT);
	gtk_widget_set_margin_start(row->details, INDENT - 6);
	gtk_widget_set_valign(row->bar, GTK_ALIGN_CENTER);
	gtk_container_set_border_width(GTK_CONTAINER(all), 6);
	row->arrow = gtk_image_new_from_icon_name("pan-end-symbolic", GTK_ICON_SIZE_MENU);
	gtk_widget_set_opacity(row->arrow, 0);
	gtk_size_group_add_widget(buttons, place);
	gtk_box_pack_start(GTK_BOX(place), row->cancel_button, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->arrow, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->name_label, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->bar, TRUE, TRUE, 0);
	gtk_box_pack_start(GTK_BOX(box), row->state_label, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(box), place, FALSE, FALSE, 0);

	gtk_box_pack_start(GTK_BOX(all), box, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(all), row->error_label, FALSE, FALSE, 0);
	gtk_box_pack_start(GTK_BOX(all), row->details, FALSE, FALSE, 0);

	row->widget = gtk_list_box_row_new();
	gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row->widget), FALSE);
	gtk_container_add(GTK_CONTAINER(row->widget), all);
	g_object_set_data_full(G_OBJECT(row->widget), KEY, row, row_free);
	gtk_widget_show_all(row->widget);
	gtk_widget_hide(row->error_label);
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

/* The words of the interface are for programs. */
static const struct words {
	const char *theirs, *ours;
} statuses[] = {
	{ "PENDING", "Waiting" }, { "STARTED", "Running" },   { "SUCCESS", "Done" },     { "FAILURE", "Failed" },
	{ "TIMEOUT", "Out of time" }, { "REVOKED", "Cancelled" }, { "REJECTED", "Refused" },
}, holds[] = {
	{ "user", "Paused" }, { "storage", "Waits for disk space" }, { "budget", "Cost limit reached" },
	{ "provider", "Waits for the provider" }, { "batch", "Waits for the provider's batch" },
};

static const char *say(const struct words *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i].theirs, word) == 0)
			return words[i].ours;
	return word; // of a daemon that knows more
}

const char *task_row_state(const struct task_row *row)
{
	return row->hold[0] && !row->ended ? say(holds, G_N_ELEMENTS(holds), row->hold) :
					     say(statuses, G_N_ELEMENTS(statuses), row->status);
}

static void reveal(struct task_row *row, gboolean is_open)
{
	gtk_revealer_set_reveal_child(GTK_REVEALER(row->details), is_open);
	gtk_image_set_from_icon_name(GTK_IMAGE(row->arrow), is_open ? "pan-down-symbolic" : "pan-end-symbolic",
				     GTK_ICON_SIZE_MENU);
}

gboolean task_row_toggle(struct task_row *row)
{
	if (!gtk_bin_get_child(GTK_BIN(row->details)))
		return FALSE;
	reveal(row, !gtk_revealer_get_reveal_child(GTK_REVEALER(row->details)));
	return TRUE;
}

void task_row_open(struct task_row *row, GtkWidget *details)
{
	GtkWidget *former = gtk_bin_get_child(GTK_BIN(row->details));

	if (former)
		gtk_widget_destroy(former); // asked for twice
	gtk_container_add(GTK_CONTAINER(row->details), details);
	reveal(row, TRUE);
}

static void show(struct task_row *row)
{
	char *state = row->ended ? g_strdup(task_row_state(row)) :
				   g_strdup_printf("%.0f %%, %s", row->percent, task_row_state(row));

	gtk_label_set_text(GTK_LABEL(row->name_label), row->name);
	gtk_widget_set_tooltip_text(row->name_label,
				    g_utf8_strlen(row->name, -1) > NAME_CHARACTERS ? row->name : NULL);
	gtk_label_set_text(GTK_LABEL(row->state_label), state);
	gtk_label_set_text(GTK_LABEL(row->error_label), row->error);
	gtk_widget_set_visible(row->error_label, row->error[0] != '\0');
	gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(row->bar), row->percent / 100);
	gtk_widget_set_visible(row->cancel_button, !row->ended);
	gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row->widget), row->ended && row->experiment_id);
	gtk_widget_set_opacity(row->arrow, row->ended && row->experiment_id ? 1 : 0);
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
	(void)g_variant_lookup(properties, "ExperimentId", "x", &row->experiment_id);
	/* The other five are final. */
	row->ended = row->status[0] && strcmp(row->status, "PENDING") != 0 &&
		     strcmp(row->status, "STARTED") != 0;
	show(row);
	return row->ended && !had_ended;
}
