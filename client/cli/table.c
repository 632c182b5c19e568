#include "client/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "proto/utf8.h"

#define GAP 2

struct table {
	const char *const *titles;
	size_t n_columns;
	char **cells;
	size_t n_cells;
	size_t capacity;
	bool broken;
};

/* ---- Text ---- */

bool text_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

void text_print(FILE *out, const char *text)
{
	size_t size = strlen(text), length;
	uint32_t code;

	for (; size > 0; text += length, size -= length) {
		length = utf8_next(text, size, &code);
		if (length == 0 || (text_is_control(code) && code != '\n' && code != '\t')) {
			length = length ? length : 1;
			fputc('?', out);
		} else {
			fwrite(text, 1, length, out);
		}
	}
}

void text_flatten(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
}

static int code_width(uint32_t code)
{
	int width = wcwidth((wchar_t) code);

	return width < 0 ? 1 : width;
}

int text_width(const char *text)
{
	size_t size = strlen(text), length;
	uint32_t code;
	int width = 0;

	for (; size > 0; text += length, size -= length) {
		length = utf8_next(text, size, &code);
		width += length ? code_width(code) : 1;
		length = length ? length : 1;
	}
	return width;
}

size_t text_cut(const char *text, int width)
{
	size_t size = strlen(text), at = 0, length;
	uint32_t code;

	for (; at < size; at += length) {
		length = utf8_next(text + at, size - at, &code);
		width -= length ? code_width(code) : 1;
		if (width < 0)
			break;
		length = length ? length : 1;
	}
	return at;
}

int terminal_width(FILE *file)
{
	struct winsize size;
	int fd = fileno(file);

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *number_text(char *buffer, int64_t number)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", (long long) number), k = 0;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			buffer[k++] = ',';
		buffer[k++] = digits[i];
	}
	buffer[k] = '\0';
	return buffer;
}

const char *duration_text(char *buffer, double seconds)
{
	long long whole = seconds < 1e15 ? (long long) (seconds + 0.5) : 0;

	if (seconds < 9.95)
		snprintf(buffer, 32, seconds < 0.995 ? "%.2f s" : "%.1f s", seconds);
	else if (whole < 60)
		snprintf(buffer, 32, "%lld s", whole);
	else if (whole < 3600)
		snprintf(buffer, 32, "%lld:%02lld", whole / 60, whole % 60);
	else
		snprintf(buffer, 32, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
	return buffer;
}

const char *time_local_text(char *buffer, int64_t usec)
{
	time_t seconds = (time_t) (usec / 1000000);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &local) == 0)
		*buffer = '\0';
	return buffer;
}

/* ---- Tables ---- */

struct table *table_new(const char *const *titles)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->titles = titles;
	while (table->n_columns < TABLE_COLUMNS_MAX && titles[table->n_columns])
		table->n_columns++;
	return table;
}

static void add(struct table *table, char *cell)
{
	if (table->n_cells == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		char **cells = realloc(table->cells, capacity * sizeof(*cells));

		if (!cells) {
			table->broken = true;
			free(cell);
			return;
		}
		table->cells = cells;
		table->capacity = capacity;
	}
	if (!cell)
		table->broken = true;
	if (cell)
		text_flatten(cell);
	table->cells[table->n_cells++] = cell;
}

void table_text(struct table *table, const char *text)
{
	if (table)
		add(table, strdup(text ? text : ""));
}

void table_printf(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *cell;

	if (!table)
		return;
	va_start(arguments, format);
	if (vasprintf(&cell, format, arguments) < 0)
		cell = NULL;
	va_end(arguments);
	add(table, cell);
}

void table_time(struct table *table, int64_t usec)
{
	char text[32];

	table_text(table, time_local_text(text, usec));
}

static void print_cell(FILE *out, const char *text, int width, bool right, bool last)
{
	int pad = width - text_width(text);

	if (right)
		fprintf(out, "%*s", pad > 0 ? pad : 0, "");
	text_print(out, text);
	if (!right && !last)
		fprintf(out, "%*s", pad > 0 ? pad : 0, "");
	if (!last)
		fprintf(out, "%*s", GAP, "");
}

static void print_row(const struct table *table, FILE *out, const char *const *cells,
		      const int *widths, int limit)
{
	int used = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		bool last = i + 1 == table->n_columns, right = table->titles[i][0] == '>';

		if (last && !right && limit > 0 && used + text_width(cells[i]) > limit) {
			int room = limit - used > 8 ? limit - used : 8;
			char *cut = strndup(cells[i], text_cut(cells[i], room - 3));

			text_print(out, cut ? cut : "");
			fputs("...", out);
			free(cut);
		} else {
			print_cell(out, cells[i], widths[i], right, last);
		}
		used += widths[i] + GAP;
	}
	fputc('\n', out);
}

void table_print_within(const struct table *table, FILE *out, bool color, int width)
{
	const char *titles[TABLE_COLUMNS_MAX];
	int widths[TABLE_COLUMNS_MAX] = { 0 };

	if (!table || table->broken)
		return;
	for (size_t i = 0; i < table->n_columns; i++) {
		titles[i] = table->titles[i] + (table->titles[i][0] == '>');
		widths[i] = text_width(titles[i]);
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		int needed = text_width(table->cells[i]);
		int *column = &widths[i % table->n_columns];

		*column = needed > *column ? needed : *column;
	}
	fputs(color ? "\033[1m" : "", out);
	print_row(table, out, titles, widths, width);
	fputs(color ? "\033[0m" : "", out);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		print_row(table, out, (const char *const *) table->cells + i, widths, width);
}

void table_print(const struct table *table, FILE *out, bool color)
{
	table_print_within(table, out, color, terminal_width(out));
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
	return NULL;
}
