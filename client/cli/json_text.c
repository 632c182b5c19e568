#include "client/cli/json_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/json_check.h"

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

	if (scan_value(&scan, path) && scan.located)
		*ret_offset = scan.location;
	return scan.located;
}

void json_text_position(const char *text, size_t offset, int *ret_line, int *ret_column)
{
	int line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}
