#include "client/cli/rows.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/json_file.h"
#include "proto/limits.h"
#include "proto/utf8.h"

struct cells {
	char **items;
	size_t n;
	size_t capacity;
};

struct rows {
	char *name; // what complaints call it
	json_object *array; // or NULL
	size_t next; // in the array
	FILE *file;
	bool is_csv;
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
	int c;

	rows->line_size = 0;
	while (!ended && (c = getc_unlocked(rows->file)) != EOF) {
		if (rows->line_size + 1 >= rows->line_capacity && line_grow(rows) < 0)
			return -ENOMEM;
		if (rows->line_size >= ROWS_BYTES_MAX)
			return complain(complaint, "%s:%ld: longer than %u bytes", rows->name,
					rows->line_number + 1, ROWS_BYTES_MAX);
		rows->line[rows->line_size++] = (char) c;
		ended = ends_line(rows, c);
	}
	if (ferror(rows->file))
		return complain(complaint, "%s: %s", rows->name, strerror(errno));
	if (rows->line_size == 0)
		return 0;
	rows->line_number++;
	if (memchr(rows->line, 0, rows->line_size) ||
	    !utf8_valid(rows->line, rows->line_size, NULL))
		return complain(complaint, "%s:%ld: not valid UTF-8 text", rows->name,
				rows->line_number);
	if (rows->line_number == 1 && rows->line_size >= 3 &&
	    memcmp(rows->line, "\xef\xbb\xbf", 3) == 0) {
		rows->line_size -= 3;
		memmove(rows->line, rows->line + 3, rows->line_size);
	}
	rows->line[rows->line_size] = '\0';
	return 1;
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

static int csv_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	json_object *row;
	long line;
	int r = csv_read(rows, &line, complaint);

	if (r <= 0)
		return r;
	if (rows->cells.n > rows->header.n)
		return complain(complaint, "%s:%ld: %zu cells where the header has %zu",
				rows->name, line, rows->cells.n, rows->header.n);
	row = json_object_new_object();
	for (size_t i = 0; row && i < rows->cells.n; i++) {
		json_object *cell = json_object_new_string(rows->cells.items[i]);

		if (!cell || json_object_object_add(row, rows->header.items[i], cell) < 0) {
			json_object_put(row);
			row = NULL;
		}
	}
	*ret_row = row;
	return row ? 1 : -ENOMEM;
}

/* ---- JSON lines, arrays ---- */

static int jsonl_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	const char *reason;
	size_t offset;
	json_object *row;
	int r;

	do {
		r = line_read(rows, complaint);
		if (r <= 0)
			return r;
	} while (line_is_blank(rows));
	r = json_text_parse(rows->line, rows->line_size, &row, &offset, &reason);
	if (r == -EINVAL)
		return complain(complaint, "%s:%ld:%zu: %s", rows->name, rows->line_number,
				offset + 1, reason);
	if (r < 0)
		return r;
	if (!json_object_is_type(row, json_type_object)) {
		json_object_put(row);
		return complain(complaint, "%s:%ld: expected a JSON object", rows->name,
				rows->line_number);
	}
	*ret_row = row;
	return 1;
}

static int array_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	json_object *row;

	if (rows->next >= json_object_array_length(rows->array))
		return 0;
	row = json_object_array_get_idx(rows->array, rows->next++);
	if (!json_object_is_type(row, json_type_object))
		return complain(complaint, "%s[%zu]: expected an object", rows->name,
				rows->next - 1);
	*ret_row = json_object_get(row);
	return 1;
}

int rows_next(struct rows *rows, json_object **ret_row, struct complaint *complaint)
{
	if (rows->array)
		return array_next(rows, ret_row, complaint);
	return rows->is_csv ? csv_next(rows, ret_row, complaint)
			    : jsonl_next(rows, ret_row, complaint);
}

/* ---- The whole ---- */

int rows_rewind(struct rows *rows, struct complaint *complaint)
{
	rows->next = 0;
	rows->line_number = 0;
	if (rows->array)
		return 0;
	rewind(rows->file);
	if (!rows->is_csv)
		return 0;
	if (rows->csv_started)
		csv_free(&rows->csv);
	rows->csv_started = csv_init(&rows->csv, CSV_STRICT | CSV_STRICT_FINI) == 0;
	return rows->csv_started ? csv_header(rows, complaint) : -ENOMEM;
}

static bool ends_with(const char *text, const char *ending)
{
	size_t size = strlen(text), length = strlen(ending);

	return size > length && strcasecmp(text + size - length, ending) == 0;
}

int rows_open(const char *path, struct rows **ret_rows, struct complaint *complaint)
{
	bool is_csv = ends_with(path, ".csv");
	struct rows *rows;
	int r;

	if (!is_csv && !ends_with(path, ".jsonl") && !ends_with(path, ".ndjson"))
		return complain(complaint, "%s: expected a name that ends in .csv or .jsonl", path);
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	rows->is_csv = is_csv;
	rows->name = strdup(path);
	rows->file = fopen(path, "re");
	if (!rows->name)
		r = -ENOMEM;
	else if (!rows->file)
		r = complain(complaint, "%s: %s", path, strerror(errno));
	else if (fseek(rows->file, 0, SEEK_SET) < 0)
		r = complain(complaint, "%s: expected a file that can be read again from its beginning", path);
	else
		r = rows_rewind(rows, complaint);
	if (r < 0) {
		rows_free(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}

int rows_from_array(json_object *array, const char *name, struct rows **ret_rows)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows->name = strdup(name);
	if (!rows->name) {
		free(rows);
		return -ENOMEM;
	}
	rows->array = json_object_get(array);
	*ret_rows = rows;
	return 0;
}

struct rows *rows_free(struct rows *rows)
{
	if (!rows)
		return NULL;
	json_object_put(rows->array);
	if (rows->file)
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
