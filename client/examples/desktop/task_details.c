#include "task_details.h"

#include <json-c/json.h>

#define BAR_WIDTH 160

static GtkWidget *label_new(const char *text, gboolean wraps)
{
	GtkWidget *label = gtk_label_new(text);

	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_label_set_line_wrap(GTK_LABEL(label), wraps);
	return label;
}

static json_object *member(json_object *object, const char *name)
{
	return json_object_is_type(object, json_type_object) ? json_object_object_get(object, name) : NULL;
}

static const char *text_of(json_object *object, const char *name)
{
	return json_object_get_string(member(object, name));
}

/* A share with its 95 % interval; absent when nothing was decided. */
static char *say_share(json_object *share)
{
	json_object *value = member(share, "value");

	if (!value)
		return g_strdup("undecided");
	return g_strdup_printf("%.0f %%   (%.0f to %.0f %%, of %d)", 100 * json_object_get_double(value),
			       100 * json_object_get_double(member(share, "low")),
			       100 * json_object_get_double(member(share, "high")),
			       json_object_get_int(member(share, "n_total")));
}

/* A line: what it is of, a bar, and the figure, which is taken. */
static void add_line(GtkWidget *grid, int line, const char *of, double value, char *figure)
{
	GtkWidget *bar = gtk_level_bar_new();

	gtk_level_bar_set_value(GTK_LEVEL_BAR(bar), value);
	/* A small share is nothing to warn of here. */
	gtk_level_bar_remove_offset_value(GTK_LEVEL_BAR(bar), GTK_LEVEL_BAR_OFFSET_LOW);
	gtk_level_bar_remove_offset_value(GTK_LEVEL_BAR(bar), GTK_LEVEL_BAR_OFFSET_HIGH);
	gtk_level_bar_remove_offset_value(GTK_LEVEL_BAR(bar), GTK_LEVEL_BAR_OFFSET_FULL);
	gtk_widget_set_size_request(bar, BAR_WIDTH, -1);
	gtk_widget_set_valign(bar, GTK_ALIGN_CENTER);
	gtk_grid_attach(GTK_GRID(grid), label_new(of, TRUE), 0, line, 1, 1);
	gtk_grid_attach(GTK_GRID(grid), bar, 1, line, 1, 1);
	gtk_grid_attach(GTK_GRID(grid), label_new(figure, FALSE), 2, line, 1, 1);
	g_free(figure);
}

static void add_share(GtkWidget *grid, int line, const char *of, json_object *share)
{
	add_line(grid, line, of, json_object_get_double(member(share, "value")), say_share(share));
}

/* The same of an evaluator's scores. */
static void add_scores(GtkWidget *grid, int line, json_object *scores)
{
	json_object *mean = member(scores, "mean");
	GString *figure = g_string_new(NULL);

	if (mean)
		g_string_append_printf(figure, "%.2f   (", json_object_get_double(mean));
	if (member(scores, "low"))
		g_string_append_printf(figure, "%.2f to %.2f, ", json_object_get_double(member(scores, "low")),
				       json_object_get_double(member(scores, "high")));
	g_string_append_printf(figure, "%d of %d scored%s", json_object_get_int(member(scores, "n_scored")),
			       json_object_get_int(member(scores, "n_total")), mean ? ")" : "");
	add_line(grid, line, text_of(member(scores, "evaluator"), "name"), json_object_get_double(mean),
		 g_string_free(figure, FALSE));
}

static char *say_the_rest(json_object *results)
{
	int failed = json_object_get_int(member(results, "failed_responses"));
	const char *cost = text_of(results, "cost");
	GString *text = g_string_new(NULL);

	g_string_printf(text, "%d answers", json_object_get_int(member(results, "responses")));
	if (failed > 0)
		g_string_append_printf(text, ", %d of them failed", failed);
	if (cost)
		g_string_append_printf(text, ", for $%s", cost);
	if (json_object_get_boolean(member(results, "simulated")))
		g_string_append(text, "; simulated, not from a real model");
	return g_string_free(text, FALSE);
}

static void add_results(GtkWidget *grid, json_object *results)
{
	json_object *criteria = member(results, "criteria"), *evaluators = member(results, "evaluators");
	size_t n = criteria ? json_object_array_length(criteria) : 0;
	char *rest = say_the_rest(results);
	int line = 0;

	if (n > 0)
		add_share(grid, line++, "Meets every criterion", member(results, "success_rate"));
	for (size_t i = 0; i < n; i++) {
		json_object *criterion = json_object_array_get_idx(criteria, i);
		const char *label = text_of(criterion, "label");

		add_share(grid, line++, label ? label : text_of(criterion, "criterion"), member(criterion, "yes"));
	}
	for (size_t i = 0; evaluators && i < json_object_array_length(evaluators); i++)
		add_scores(grid, line++, json_object_array_get_idx(evaluators, i));
	gtk_grid_attach(GTK_GRID(grid), label_new(rest, TRUE), 0, line, 3, 1);
	g_free(rest);
}

GtkWidget *task_details_new(const char *reply)
{
	GtkWidget *grid = gtk_grid_new();
	json_object *json = json_tokener_parse(reply);
	json_object *results = member(member(json, "experiment"), "results");

	gtk_grid_set_row_spacing(GTK_GRID(grid), 6);
	gtk_grid_set_column_spacing(GTK_GRID(grid), 12);
	gtk_container_set_border_width(GTK_CONTAINER(grid), 6);
	if (results)
		add_results(grid, results);
	else
		gtk_grid_attach(GTK_GRID(grid), label_new("There are no results.", FALSE), 0, 0, 1, 1);
	json_object_put(json);
	gtk_widget_show_all(grid);
	return grid;
}
