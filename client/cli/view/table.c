#include "client/cli/view/table.h"

#include <ctype.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/view/text.h"

#define GAP 2
#define ROOM_MIN 8 // of the last column, which is cut
#define SHARE_MIN 19 // of another one where lines are short: a time
#define WIDE 200 // where no line is cut: what is wider moves nothing else

struct cell {
	char *text;
	enum meaning meaning;
};

struct table {
	const struct output *as;
	const char *titles[TABLE_COLUMNS_MAX];
	int widths[TABLE_COLUMNS_MAX]; // of what was printed so far
	int rooms[TABLE_COLUMNS_MAX]; // of these, what the line has
	size_t n_columns;
	struct cell *cells;
	size_t n_cells;
	size_t capacity;
	bool begun; // the header is printed
	bool broken;
};

struct table *table_new_as(const struct output *as)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table)
		table->as = as;
	return table;
}

struct table *table_new(void)
{
	return table_new_as(&output);
}

void table_column(struct table *table, const char *title)
{
	if (table && table->n_columns < TABLE_COLUMNS_MAX)
		table->titles[table->n_columns++] = title;
}

/* ---- Cells ---- */

static void add(struct table *table, char *text)
{
	if (table->n_cells == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		struct cell *cells = realloc(table->cells, capacity * sizeof(*cells));

		if (!cells) {
			table->broken = true;
			free(text);
			return;
		}
		table->cells = cells;
		table->capacity = capacity;
	}
	if (!text)
		table->broken = true;
	table->cells[table->n_cells++] = (struct cell){ .text = text };
}

void table_text(struct table *table, const char *text)
{
	if (table)
		add(table, strdup(text ? text : ""));
}

void table_printf(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *text;

	if (!table)
		return;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	add(table, text);
}

void table_user(struct table *table, int64_t uid)
{
	const struct passwd *user = getpwuid((uid_t) uid);

	if (user)
		table_text(table, user->pw_name);
	else
		table_printf(table, "%lld", (long long) uid);
}

void table_known(struct table *table, const double *number)
{
	if (number)
		table_printf(table, "%.10g", *number);
	else
		table_text(table, NULL);
}

void table_mark(struct table *table, enum meaning meaning)
{
	if (table && table->n_cells > 0)
		table->cells[table->n_cells - 1].meaning = meaning;
}

static void clear(struct table *table)
{
	while (table->n_cells > 0)
		free(table->cells[--table->n_cells].text);
}

/* ---- For people ---- */

static bool is_right(const struct table *table, size_t column)
{
	return table->titles[column][0] == '>';
}

static const char *title_of(const struct table *table, size_t column)
{
	return table->titles[column] + is_right(table, column);
}

/* In so many columns, or (0) as many as it takes. */
static void print_text(const struct table *table, FILE *out, const char *text, enum meaning meaning, int room)
{
	fputs(meaning_on(table->as, meaning), out);
	text_print_line(out, text, room);
	fputs(meaning_off(table->as, meaning), out);
}

/* The first column that a terminal has no room for behind the others: it, and what follows, stands below them. */
static size_t first_below(const struct table *table)
{
	const int limit = table->as->width;
	int used = 0;

	for (size_t i = 0; limit > 0 && !table->as->flat && i < table->n_columns; i++) {
		const bool is_cut = i + 1 == table->n_columns && table->rooms[i] > ROOM_MIN;

		if (i > 0 && !is_right(table, i) && used + (is_cut ? ROOM_MIN : table->rooms[i]) > limit)
			return i;
		used += table->rooms[i] + GAP;
	}
	return table->n_columns;
}

/* `ends`: the line. */
static void print_cell(const struct table *table, FILE *out, size_t column, const struct cell *cell, int used, bool ends)
{
	const bool last = column + 1 == table->n_columns, right = is_right(table, column);
	const char *text = cell ? cell->text : title_of(table, column);
	const enum meaning meaning = cell ? cell->meaning : MEANING_TITLE;
	const int limit = table->as->width, pad = table->rooms[column] - text_width(text);
	int room = 0;

	if (limit > 0 && last && !right)
		room = limit - used > ROOM_MIN ? limit - used : ROOM_MIN;
	else if (limit > 0 && pad < 0)
		room = table->rooms[column];
	if (right)
		fprintf(out, "%*s", pad > 0 ? pad : 0, "");
	print_text(table, out, text, meaning, room);
	if (!ends)
		fprintf(out, "%*s", (right || pad < 0 ? 0 : pad) + GAP, "");
}

/* A row of cells, or, where there are none, of titles. */
static void print_row(const struct table *table, FILE *out, const struct cell *cells)
{
	const size_t below = first_below(table);
	int used = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (i == below)
			used = fprintf(out, "\n%*s", GAP, "") - 1;
		print_cell(table, out, i, cells ? &cells[i] : NULL, used,
			   i + 1 == below || i + 1 == table->n_columns);
		used += table->rooms[i] + GAP;
	}
	fputc('\n', out);
}

static void widen(struct table *table, size_t column, const char *text)
{
	int needed = text_width(text);

	if (table->as->width == 0 && needed > WIDE)
		return;
	table->widths[column] = needed > table->widths[column] ? needed : table->widths[column];
}

static void measure(struct table *table)
{
	for (size_t i = 0; i < table->n_columns; i++)
		widen(table, i, table->as->header ? title_of(table, i) : "");
	for (size_t i = 0; i < table->n_cells; i++)
		widen(table, i % table->n_columns, table->cells[i].text);
}

/* Where a line has no room for all, a text takes at most a quarter of it from the last one, and that is cut next. */
static void share_line(struct table *table)
{
	const int limit = table->as->width, share = limit / 4 > SHARE_MIN ? limit / 4 : SHARE_MIN;
	int used = -GAP;

	for (size_t i = 0; i < table->n_columns; i++)
		used += table->widths[i] + GAP;
	for (size_t i = 0; i < table->n_columns; i++) {
		const bool gives = limit > 0 && used > limit && !is_right(table, i) && i + 1 < table->n_columns;

		table->rooms[i] = gives && table->widths[i] > share ? share : table->widths[i];
	}
}

/* ---- CSV ---- */

static const char *csv_escape(char c)
{
	return c == '"' ? "\"\"" : NULL;
}

static void csv_cell(const struct table *table, FILE *out, const char *text)
{
	const size_t size = strlen(text);
	const bool quoted = strpbrk(text, "\",\r\n") || text[0] == ' ' || (size > 0 && text[size - 1] == ' ');

	fputs(quoted ? "\"" : "", out);
	text_escape(out, text, csv_escape, table->as->terminal);
	fputs(quoted ? "\"" : "", out);
}

/* Titles are names there: "in_flight". */
static void csv_row(const struct table *table, FILE *out, const struct cell *cells)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		fputs(i > 0 ? "," : "", out);
		if (cells)
			csv_cell(table, out, cells[i].text);
		for (const char *c = cells ? "" : title_of(table, i); *c; c++)
			fputc(isalnum((unsigned char) *c) ? tolower((unsigned char) *c) : '_', out);
	}
	fputs("\n", out);
}

/* ---- Markdown ---- */

static const char *md_escape(char c)
{
	static const char *const escaped[] = {
		['\n'] = "<br>", ['\r'] = "",	['\t'] = " ",	['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
		['|'] = "\\|",	 ['\\'] = "\\\\", ['`'] = "\\`", ['*'] = "\\*",	 ['_'] = "\\_",
		['['] = "\\[",	 [']'] = "\\]",	['~'] = "\\~", ['$'] = "\\$",
	};

	return (unsigned char) c < sizeof(escaped) / sizeof(escaped[0]) ? escaped[(unsigned char) c] : NULL;
}

static void md_row(const struct table *table, FILE *out, const struct cell *cells)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		fputs("| ", out);
		text_escape(out, cells ? cells[i].text : title_of(table, i), md_escape, /* guarded= */ true);
		fputc(' ', out);
	}
	fputs("|\n", out);
}

/* Below the titles, without which there is no table. */
static void md_rule(const struct table *table, FILE *out)
{
	for (size_t i = 0; i < table->n_columns; i++)
		fputs(is_right(table, i) ? "| ---: " : "| --- ", out);
	fputs("|\n", out);
}

/* ---- Printing ---- */

void table_print(struct table *table, FILE *out)
{
	static void (*const rows[])(const struct table *, FILE *, const struct cell *) = {
		[FORMAT_TABLE] = print_row, [FORMAT_CSV] = csv_row, [FORMAT_MD] = md_row,
	};
	enum format format;

	if (!table || table->broken)
		return;
	format = table->as->format;
	if (format == FORMAT_TABLE) {
		measure(table);
		share_line(table);
	}
	if (!table->begun && table->as->header)
		rows[format](table, out, NULL);
	if (!table->begun && table->as->header && format == FORMAT_MD)
		md_rule(table, out);
	table->begun = true;
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		rows[format](table, out, table->cells + i);
	clear(table);
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	clear(table);
	free(table->cells);
	free(table);
	return NULL;
}
