#include "client/cli/files/rows.h"

#include <csv.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/files/json_file.h"
#include "client/elluminate.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

struct cells {
	char **items;
	size_t n;
	size_t capacity;
};

enum rows_format { ROWS_CSV, ROWS_JSONL, ROWS_JSON, _ROWS_FORMAT_MAX };

static const char *const formats[_ROWS_FORMAT_MAX] = { "csv", "jsonl", "json" };

struct rows {
	char *name; // what complaints call it
	json_object *array; // or NULL
	size_t next; // in the array
	FILE *file;
	bool once; // it is a stream, that cannot be read again
	enum rows_format format;
	bool begun; // the array of a JSON file
	char *line;
	size_t line_size;
	size_t line_capacity;
	long line_number; // of what was read last
	struct csv_parser csv;
	bool csv_started;
	struct cells header;
	struct cells cells; // of the row being read
	bool row_complete;
	bool out_of_memory;
	long row_line; // where the last row begins; in an array: its number
	char place[PATH_MAX + 32];
	const struct ellu_column *const *columns; // that cells may have
	size_t n_columns;
};

static void cells_clear(struct cells *cells)
{
	for (size_t i = 0; i < cells->n; i++)
		free(cells->items[i]);
	cells->n = 0;
}

static int cells_add(struct cells *cells, const char *text, size_t size)
{
	if (cells->n == cells->capacity) {
		size_t capacity = cells->capacity ? cells->capacity * 2 : 16;
		char **items = realloc(cells->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		cells->items = items;
		cells->capacity = capacity;
	}
	cells->items[cells->n] = strndup(size ? text : "", size);
	return cells->items[cells->n] ? (cells->n++, 0) : -ENOMEM;
}

/* ---- Lines ---- */

static int line_grow(struct rows *rows)
{
	size_t capacity = rows->line_capacity ? rows->line_capacity * 2 : 4096;
	char *line = realloc(rows->line, capacity);

	if (!line)
		return -ENOMEM;
	rows->line = line;
	rows->line_capacity = capacity;
	return 0;
}

static int line_add(struct rows *rows, int c, struct complaint *complaint)
{
	if (rows->line_size + 1 >= rows->line_capacity && line_grow(rows) < 0)
		return -ENOMEM;
	if (rows->line_size >= ROWS_BYTES_MAX)
		return complain(complaint, "%s:%ld: longer than %u bytes", rows->name,
				rows->line_number + 1, ROWS_BYTES_MAX);
	rows->line[rows->line_size++] = (char) c;
	return 0;
}

/* What was read is text; a NUL behind it. */
static int line_end(struct rows *rows, struct complaint *complaint)
{
	if (ferror(rows->file))
		return complain(complaint, "%s: %s", rows->name, strerror(errno));
	if (rows->line_size == 0)
		return 0;
	if (memchr(rows->line, 0, rows->line_size) ||
	    !utf8_valid(rows->line, rows->line_size, NULL))
		return complain(complaint, "%s:%ld: not valid UTF-8 text", rows->name,
				rows->line_number);
	rows->line[rows->line_size] = '\0';
	return 1;
}

/* A line feed, a carriage return, or both. */
static bool ends_line(const struct rows *rows, int c)
{
	int next;

	if (c != '\r')
		return c == '\n';
	next = getc_unlocked(rows->file);
	if (next != EOF)
		ungetc(next, rows->file);
	return next != '\n';
}

static bool line_is_blank(const struct rows *rows)
{
	return strspn(rows->line, " \t\r\n") == rows->line_size;
}

/* 1 with a line, its end included and a NUL behind it, in `line`; 0 at the end of the file. */
static int line_read(struct rows *rows, struct complaint *complaint)
{
	bool ended = false;
	int c, r = 0;

	rows->line_size = 0;
	while (r == 0 && !ended && (c = getc_unlocked(rows->file)) != EOF) {
		r = line_add(rows, c, complaint);
		ended = ends_line(rows, c);
	}
	if (r < 0)
		return r;
	rows->line_number += rows->line_size > 0;
	r = line_end(rows, complaint);
	if (r > 0 && rows->line_number == 1 && rows->line_size >= 3 &&
	    memcmp(rows->line, "\xef\xbb\xbf", 3) == 0) {
		rows->line_size -= 3;
		memmove(rows->line, rows->line + 3, rows->line_size + 1);
	}
	return r;
}

/* ---- Places ---- */

const char *rows_place_of(struct rows *rows, long line)
{
	snprintf(rows->place, sizeof(rows->place), rows->array ? "%s[%ld]" : "%s:%ld", rows->name, line);
	return rows->place;
}

long rows_line(const struct rows *rows)
{
	return rows->row_line;
}

/* Of the last row. */
static const char *rows_place(struct rows *rows)
{
	return rows_place_of(rows, rows->row_line);
}

/* ---- CSV ---- */

static void csv_cell(void *text, size_t size, void *userdata)
{
	struct rows *rows = userdata;

	if (cells_add(&rows->cells, text, size) < 0)
		rows->out_of_memory = true;
}

static void csv_row(int terminator, void *userdata)
{
	struct rows *rows = userdata;

	(void) terminator;
	rows->row_complete = true;
}

/* Blanks around what stands in a cell belong to it; around a column's name they do not. */
static int no_blank(unsigned char c)
{
	(void) c;
	return 0;
}

/* Reads lines until they make a row: quoted cells may hold line breaks. Feeding one line at a
 * time means that never more than one row comes back. Lines without a cell are passed over. */
static int csv_read(struct rows *rows, long *ret_line, struct complaint *complaint)
{
	size_t size = 0;
	bool begun = false;
	int r;

	cells_clear(&rows->cells);
	rows->row_complete = false;
	*ret_line = rows->line_number + 1;
	while (!rows->row_complete) {
		r = line_read(rows, complaint);
		if (r < 0)
			return r;
		if (r == 0) {
			if (csv_fini(&rows->csv, csv_cell, csv_row, rows) != 0)
				return complain(complaint, "%s:%ld: a quoted cell that does not end",
						rows->name, *ret_line);
			break;
		}
		if (!begun && line_is_blank(rows)) {
			*ret_line = rows->line_number + 1;
			continue;
		}
		begun = true;
		size += rows->line_size;
		if (size > ROWS_BYTES_MAX)
			return complain(complaint, "%s:%ld: a row of more than %u bytes",
					rows->name, *ret_line, ROWS_BYTES_MAX);
		if (csv_parse(&rows->csv, rows->line, rows->line_size, csv_cell, csv_row, rows) !=
		    rows->line_size)
			return complain(complaint, "%s:%ld: a stray quotation mark: a quoted cell "
						   "begins and ends with one, without blanks around, "
						   "and doubles those inside",
					rows->name, rows->line_number);
		if (rows->out_of_memory)
			return -ENOMEM;
	}
	return rows->row_complete;
}

static int csv_header(struct rows *rows, struct complaint *complaint)
{
	long line;
	int r = csv_read(rows, &line, complaint);

	if (r < 0)
		return r;
	if (r == 0)
		return complain(complaint, "%s: no header line", rows->name);
	if (rows->cells.n == 1 && strpbrk(rows->cells.items[0], ";\t"))
		return complain(complaint, "%s:%ld: expected commas between the cells, not %s", rows->name,
				line, strchr(rows->cells.items[0], ';') ? "semicolons" : "tabs");
	for (size_t i = 0; i < rows->cells.n; i++) {
		if (!*rows->cells.items[i])
			return complain(complaint, "%s:%ld: column %zu has no name", rows->name,
					line, i + 1);
		for (size_t k = 0; k < i; k++)
			if (strcmp(rows->cells.items[i], rows->cells.items[k]) == 0)
				return complain(complaint, "%s:%ld: two columns named %s",
						rows->name, line, rows->cells.items[i]);
	}
	cells_clear(&rows->header);
	struct cells empty = rows->header;
	rows->header = rows->cells;
	rows->cells = empty;
	csv_set_space_func(&rows->csv, no_blank);
	return 0;
}

static const char *column_type(const struct rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->n_columns; i++)
		if (strcmp(rows->columns[i]->name, name) == 0)
			return rows->columns[i]->type;
	return "text";
}

/* The value of a cell; *ret_value is NULL for none, and -EINVAL: it is no JSON, but should be. */
static int cell_value(const char *type, const char *text, json_object **ret_value)
{
	bool is_list = strcmp(type, "conversation") == 0;
	const char *reason;
	size_t offset;
	int r = -EINVAL;

	*ret_value = NULL;
	if (!*text && (is_list || strcmp(type, "json") == 0 || strcmp(type, "category") == 0))
		return 0;
	if (is_list || strcmp(type, "json") == 0)
		r = json_text_parse(text, strlen(text), ret_value, &offset, &reason);
	if (r != -EINVAL || is_list)
		return r < 0 ? r : 1;
	*ret_value = json_object_new_string(text);
	return *ret_value ? 1 : -ENOMEM;
}

static int add_cell(struct rows *rows, json_object *row, size_t i, struct complaint *complaint)
{
	const char *name = rows->header.items[i];
	json_object *value;
	int r = cell_value(column_type(rows, name), rows->cells.items[i], &value);

	if (r == -EINVAL)
		return complain(complaint, "%s: %s: expected a list of messages as JSON", rows_place(rows),
				name);
	if (r > 0 && json_object_object_add(row, name, value) < 0) {
		json_object_put(value);
		r = -ENOMEM;
	}
	return r;
}

static int csv_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	json_object *row;
	int r = csv_read(rows, &rows->row_line, complaint);

	if (r <= 0)
		return r;
	if (rows->cells.n > rows->header.n)
		return complain(complaint, "%s: %zu cells where the header has %zu", rows_place(rows),
				rows->cells.n, rows->header.n);
	row = json_object_new_object();
	r = row ? 0 : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < rows->cells.n; i++)
		r = add_cell(rows, row, i, complaint);
	if (r < 0)
		json_object_put(row);
	else
		*ret_row = row;
	return r < 0 ? r : 1;
}

/* ---- JSON ---- */

/* `line` holds its text. */
static int take_object(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	const char *reason;
	size_t offset;
	json_object *row;
	int r = json_text_parse(rows->line, rows->line_size, &row, &offset, &reason);

	if (r == -EINVAL && rows->format == ROWS_JSON)
		return complain(complaint, "%s: %s", rows_place(rows), reason);
	if (r == -EINVAL)
		return complain(complaint, "%s:%zu: %s", rows_place(rows), offset + 1, reason);
	if (r < 0)
		return r;
	if (!json_object_is_type(row, json_type_object)) {
		json_object_put(row);
		return complain(complaint, "%s: expected a JSON object", rows_place(rows));
	}
	*ret_row = row;
	return 1;
}

static int jsonl_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	int r;

	do {
		r = line_read(rows, complaint);
		if (r <= 0)
			return r;
	} while (line_is_blank(rows));
	rows->row_line = rows->line_number;
	return take_object(rows, ret_row, complaint);
}

/* The next byte that is no blank, or EOF. */
static int next_byte(struct rows *rows)
{
	int c;

	while ((c = getc_unlocked(rows->file)) != EOF && strchr(" \t\r\n", c) && c)
		rows->line_number += c == '\n';
	return c;
}

/* The rest of an object, as far as its braces say where it ends. */
static int object_read(struct rows *rows, struct complaint *complaint)
{
	bool quoted = false, escaped = false;
	int c = '{', depth = 0, r;

	rows->line_size = 0;
	do {
		r = line_add(rows, c, complaint);
		if (r < 0)
			return r;
		rows->line_number += c == '\n';
		if (!quoted)
			depth += (c == '{') - (c == '}');
		if (c == '"' && !escaped)
			quoted = !quoted;
		escaped = quoted && c == '\\' && !escaped;
	} while (depth > 0 && (c = getc_unlocked(rows->file)) != EOF);
	return line_end(rows, complaint);
}

/* An element of the array that the file is. */
static int json_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	int c = next_byte(rows), r;

	if (!rows->begun && c == 0xef && getc_unlocked(rows->file) == 0xbb &&
	    getc_unlocked(rows->file) == 0xbf)
		c = next_byte(rows);
	rows->row_line = rows->line_number + 1;
	if (c != (rows->begun ? ',' : '[') && !(rows->begun && c == ']'))
		return complain(complaint, "%s: expected %s", rows_place(rows),
				rows->begun ? "a comma or a bracket behind the object" : "an array of objects");
	if (c != ']')
		c = next_byte(rows);
	if (c == ']') {
		rows->row_line = rows->line_number + 1;
		return next_byte(rows) == EOF && !ferror(rows->file) ? 0 :
			complain(complaint, "%s: expected nothing behind the array", rows_place(rows));
	}
	rows->begun = true;
	rows->row_line = rows->line_number + 1;
	if (c != '{')
		return complain(complaint, "%s: expected a JSON object", rows_place(rows));
	r = object_read(rows, complaint);
	return r < 0 ? r : take_object(rows, ret_row, complaint);
}

static int array_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	json_object *row;

	if (rows->next >= json_object_array_length(rows->array))
		return 0;
	row = json_object_array_get_idx(rows->array, rows->next);
	rows->row_line = (long) rows->next++;
	if (!json_object_is_type(row, json_type_object))
		return complain(complaint, "%s: expected an object", rows_place(rows));
	*ret_row = json_object_get(row);
	return 1;
}

int rows_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	if (rows->array)
		return array_next(rows, ret_row, complaint);
	return rows->format == ROWS_CSV	  ? csv_next(rows, ret_row, complaint)
	       : rows->format == ROWS_JSONL ? jsonl_next(rows, ret_row, complaint)
					    : json_next(rows, ret_row, complaint);
}

/* ---- The whole ---- */

int rows_rewind(struct rows *rows, struct complaint *complaint)
{
	rows->next = 0;
	rows->line_number = 0;
	rows->begun = false;
	if (rows->array)
		return 0;
	if (!rows->once)
		rewind(rows->file);
	if (rows->format != ROWS_CSV)
		return 0;
	if (rows->csv_started)
		csv_free(&rows->csv);
	rows->csv_started = csv_init(&rows->csv, CSV_STRICT | CSV_STRICT_FINI) == 0;
	return rows->csv_started ? csv_header(rows, complaint) : -ENOMEM;
}

void rows_set_columns(struct rows *rows, const struct ellu_column *const *columns, size_t n_columns)
{
	rows->columns = columns;
	rows->n_columns = n_columns;
}

static bool ends_with(const char *text, const char *ending)
{
	size_t size = strlen(text), length = strlen(ending);

	return size > length && strcasecmp(text + size - length, ending) == 0;
}

int rows_format_find(const char *path, const char *format)
{
	for (int i = 0; i < _ROWS_FORMAT_MAX; i++)
		if (format ? strcmp(format, formats[i]) == 0
			   : ends_with(path, formats[i]) && path[strlen(path) - strlen(formats[i]) - 1] == '.')
			return i;
	return !format && ends_with(path, ".ndjson") ? ROWS_JSONL : -EINVAL;
}

static int open_file(struct rows *rows, const char *path, struct complaint *complaint)
{
	if (!rows->name)
		return -ENOMEM;
	rows->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!rows->file)
		return complain(complaint, "%s: %s", path, strerror(errno));
	if (!rows->once && fseek(rows->file, 0, SEEK_SET) < 0)
		return complain(complaint, "%s: expected a file that can be read again from its beginning",
				path);
	return rows_rewind(rows, complaint);
}

/* NULL without memory. */
static struct rows *rows_new(const char *name)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (rows)
		rows->name = strdup(name);
	return rows && rows->name ? rows : rows_free(rows);
}

int rows_open(const char *path, const char *format, bool once, struct rows **ret_rows,
	      struct complaint *complaint)
{
	int r, found = rows_format_find(path, format);
	struct rows *rows;

	if (found < 0 && format)
		return complain(complaint, "%s: expected csv, jsonl or json", format);
	if (found < 0)
		return complain(complaint, "%s: expected a name that ends in .csv, .jsonl or .json", path);
	rows = rows_new(strcmp(path, "-") == 0 ? "standard input" : path);
	if (!rows)
		return -ENOMEM;
	rows->once = once;
	rows->format = (enum rows_format) found;
	r = open_file(rows, path, complaint);
	if (r < 0) {
		rows_free(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}

int rows_from_file(FILE *file, const char *name, struct rows **ret_rows)
{
	struct rows *rows = rows_new(name);

	if (!rows)
		return -ENOMEM;
	rows->format = ROWS_JSONL;
	rows->file = file;
	rewind(file);
	*ret_rows = rows;
	return 0;
}

int rows_from_array(json_object *array, const char *name, struct rows **ret_rows)
{
	struct rows *rows = rows_new(name);

	if (!rows)
		return -ENOMEM;
	rows->array = json_object_get(array);
	*ret_rows = rows;
	return 0;
}

json_object *column_fallback(const struct ellu_column *column)
{
	json_object *json = NULL;
	const char *reason;
	size_t offset;

	if (strcmp(column->type, "json") == 0 || strcmp(column->type, "conversation") == 0)
		(void) json_text_parse(column->default_value, strlen(column->default_value), &json, &offset,
				       &reason);
	return json ? json : json_object_new_string(column->default_value);
}

struct rows *rows_free(struct rows *rows)
{
	if (!rows)
		return NULL;
	json_object_put(rows->array);
	if (rows->file && rows->file != stdin)
		fclose(rows->file);
	if (rows->csv_started)
		csv_free(&rows->csv);
	cells_clear(&rows->header);
	cells_clear(&rows->cells);
	free(rows->header.items);
	free(rows->cells.items);
	free(rows->line);
	free(rows->name);
	free(rows);
	return NULL;
}
