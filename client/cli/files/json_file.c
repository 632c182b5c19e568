#include "client/cli/files/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/files/yaml_text.h"
#include "proto/json/json_check.h"

/* ---- Text ---- */

struct scan {
	const char *text;
	size_t size;
	size_t at;
	bool located;
	size_t location; // of the innermost part of the wanted path met so far
};

static bool scan_value(struct scan *scan, const char *wanted);

int json_text_strip_comments(char *text, size_t size, size_t *ret_offset)
{
	for (size_t i = 0; i < size; i++) {
		size_t start = i;

		if (text[i] == '"') {
			for (i++; i < size && text[i] != '"'; i++)
				if (text[i] == '\\')
					i++;
		} else if (text[i] == '/' && i + 1 < size && text[i + 1] == '/') {
			while (i < size && text[i] != '\n')
				text[i++] = ' ';
		} else if (text[i] == '/' && i + 1 < size && text[i + 1] == '*') {
			char *end = memmem(text + i + 2, size - i - 2, "*/", 2);

			if (!end) {
				*ret_offset = start;
				return -EINVAL;
			}
			i = (size_t) (end + 1 - text);
			for (size_t k = start; k <= i; k++)
				if (text[k] != '\n')
					text[k] = ' ';
		}
	}
	return 0;
}

static char peek(struct scan *scan)
{
	while (scan->at < scan->size && strchr(" \t\r\n", scan->text[scan->at]) &&
	       scan->text[scan->at])
		scan->at++;
	return scan->at < scan->size ? scan->text[scan->at] : '\0';
}

static bool scan_string(struct scan *scan)
{
	if (peek(scan) != '"')
		return false;
	for (scan->at++; scan->at < scan->size; scan->at++)
		if (scan->text[scan->at] == '\\')
			scan->at++;
		else if (scan->text[scan->at] == '"')
			return scan->at++, true;
	return false;
}

/* What is left of the wanted path below `part`, or NULL when it goes elsewhere. */
static const char *descend(struct scan *scan, const char *wanted, const char *part, size_t length,
			   size_t location)
{
	if (!wanted)
		return NULL;
	if (*wanted == '.')
		wanted++;
	if (strncmp(wanted, part, length) != 0 || !strchr(".[", wanted[length]))
		return NULL;
	scan->located = true;
	scan->location = location;
	return wanted + length;
}

static bool scan_members(struct scan *scan, const char *wanted)
{
	do {
		size_t start;

		scan->at++;
		if (peek(scan) == '}')
			break;
		start = scan->at + 1;
		if (!scan_string(scan) || peek(scan) != ':')
			return false;
		scan->at++;
		if (!scan_value(scan, descend(scan, wanted, scan->text + start,
					      strcspn(scan->text + start, "\""), start - 1)))
			return false;
	} while (peek(scan) == ',');
	return peek(scan) == '}' ? (scan->at++, true) : false;
}

static bool scan_array(struct scan *scan, const char *wanted)
{
	char part[32];
	size_t n_items = 0;

	do {
		scan->at++;
		if (peek(scan) == ']')
			break;
		snprintf(part, sizeof(part), "[%zu]", n_items++);
		if (!scan_value(scan, descend(scan, wanted, part, strlen(part), scan->at)))
			return false;
	} while (peek(scan) == ',');
	return peek(scan) == ']' ? (scan->at++, true) : false;
}

static bool scan_value(struct scan *scan, const char *wanted)
{
	switch (peek(scan)) {
	case '"':
		return scan_string(scan);
	case '{':
		return scan_members(scan, wanted);
	case '[':
		return scan_array(scan, wanted);
	default: // a number or a literal
		scan->at += strcspn(scan->text + scan->at, ",]} \t\r\n");
		return true;
	}
}

int json_text_parse(const char *text, size_t size, json_object **ret_value, size_t *ret_offset,
		    const char **ret_reason)
{
	struct json_problem problem;
	struct fault fault;
	int r = json_check(text, size, &problem);

	if (r == 0)
		return json_parse_strict(text, size, ret_value, &fault) < 0 ? -ENOMEM : 0;
	if (r != -EBADMSG)
		return r;
	*ret_offset = problem.offset;
	*ret_reason = problem.reason;
	return -EINVAL;
}

bool json_text_locate(const char *text, size_t size, const char *path, size_t *ret_offset)
{
	struct scan scan = { .text = text, .size = size };
	bool found = scan_value(&scan, path) && scan.located;

	*ret_offset = scan.location;
	return found;
}

/* ---- Files ---- */

#define FIRST_BYTES 65536
#define FILE_BYTES_MAX (256u << 20)

static int read_stream(FILE *in, size_t limit, char **ret_text, size_t *ret_size)
{
	size_t capacity = FIRST_BYTES, size = 0;
	char *text = malloc(capacity), *larger = text;
	int r = text ? 0 : -ENOMEM;

	errno = 0;
	while (r == 0 && !feof(in)) {
		if (size + 1 == capacity) {
			larger = realloc(text, capacity *= 2);
			text = larger ? larger : text;
		}
		if (larger)
			size += fread(text + size, 1, capacity - size - 1, in);
		if (!larger)
			r = -ENOMEM;
		else if (ferror(in))
			r = errno ? -errno : -EIO;
		else if (size > limit)
			r = -EFBIG;
	}
	if (r < 0) {
		free(text);
		return r;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_size = size;
	return 0;
}

int file_text_read(const char *path, size_t limit, char **ret_text, size_t *ret_size,
		   struct complaint *complaint)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *in = is_input ? stdin : fopen(path, "re");
	int r = in ? read_stream(in, limit, ret_text, ret_size) : -errno;

	if (in && !is_input)
		fclose(in);
	if (r == -EFBIG)
		return complain(complaint, "%s: larger than %zu bytes", path, limit);
	return r < 0 && r != -ENOMEM ? complain(complaint, "%s: %s", path, strerror(-r)) : r;
}

static const char *place(const struct json_file *file, size_t offset, char *buffer, size_t size)
{
	int line, column;

	text_position(file->text, offset, &line, &column);
	snprintf(buffer, size, "%s:%d:%d", file->path, line, column);
	return buffer;
}

const char *json_file_place(const struct json_file *file, const char *path, char *buffer, size_t size)
{
	struct yaml_place at;
	size_t offset;

	if (!file->is_yaml && json_text_locate(file->text, file->size, path, &offset))
		return place(file, offset, buffer, size);
	if (file->is_yaml && yaml_text_locate(file->text, file->size, path, &at))
		snprintf(buffer, size, "%s:%d:%d", file->path, at.line, at.column);
	else
		snprintf(buffer, size, "%s", file->path);
	return buffer;
}

/* By the ending of its name; what has none is JSON when it begins so. */
static bool is_yaml(const struct json_file *file)
{
	const char *ending = strrchr(file->path, '.');

	if (strcmp(file->path, "-") == 0)
		return !strchr("{/", file->text[strspn(file->text, " \t\r\n")]);
	return ending && (strcasecmp(ending, ".yaml") == 0 || strcasecmp(ending, ".yml") == 0);
}

static int parse_yaml(struct json_file *file, json_object **ret_object, struct complaint *complaint)
{
	struct yaml_place at;
	struct complaint why;
	int r = yaml_text_parse(file->text, file->size, ret_object, &at, &why);

	return r == -EINVAL ? complain(complaint, "%s:%d:%d: %s", file->path, at.line, at.column, why.text) : r;
}

static int parse_json(struct json_file *file, json_object **ret_object, struct complaint *complaint)
{
	const char *reason = "a comment that does not end";
	char where[512];
	size_t offset;
	int r = json_text_strip_comments(file->text, file->size, &offset);

	if (r == 0)
		r = json_text_parse(file->text, file->size, ret_object, &offset, &reason);
	return r == -EINVAL ? complain(complaint, "%s: %s", place(file, offset, where, sizeof(where)), reason) : r;
}

static int parse(struct json_file *file, json_object **ret_object, struct complaint *complaint)
{
	int r;

	if (file->size >= 3 && memcmp(file->text, "\xef\xbb\xbf", 3) == 0)
		memset(file->text, ' ', 3); // a byte order mark, which some editors write
	file->is_yaml = is_yaml(file);
	r = (file->is_yaml ? parse_yaml : parse_json)(file, ret_object, complaint);
	if (r < 0 || json_object_is_type(*ret_object, json_type_object))
		return r;
	json_object_put(*ret_object);
	return complain(complaint, "%s:1:1: expected an object", file->path);
}

bool json_file_is_meant(const char *word)
{
	const char *ending = strrchr(word, '.');

	return strcmp(word, "-") == 0 || strchr(word, '/') ||
	       (ending && ending > word && text_is_listed(".json .yaml .yml", ending));
}

int json_file_read(const char *path, struct json_file *ret_file, json_object **ret_object,
		   struct complaint *complaint)
{
	struct json_file file = { .path = strdup(path) };
	int r = !file.path ? -ENOMEM
			   : file_text_read(path, FILE_BYTES_MAX, &file.text, &file.size, complaint);

	if (r == 0)
		r = parse(&file, ret_object, complaint);
	*ret_file = file;
	return r;
}

void json_file_done(struct json_file *file)
{
	free(file->path);
	free(file->text);
}
