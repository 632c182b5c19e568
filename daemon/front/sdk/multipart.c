#include "daemon/front/sdk/multipart.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/json/json_check.h"
#include "proto/limits.h"

#define BOUNDARY_MAX 70 // RFC 2046

/* "--" and the boundary; -EBADMSG. */
static int read_boundary(const char *content_type, char *ret_mark, size_t *ret_size)
{
	static const char type[] = "multipart/form-data";
	const char *at;
	size_t size;

	if (!content_type || strncasecmp(content_type, type, strlen(type)) != 0)
		return -EBADMSG;
	at = strcasestr(content_type, "boundary=");
	if (!at)
		return -EBADMSG;
	at += strlen("boundary=");
	size = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
	if (size == 0 || size > BOUNDARY_MAX)
		return -EBADMSG;
	memcpy(ret_mark, "--", 2);
	memcpy(ret_mark + 2, at, size);
	*ret_size = size + 2;
	return 0;
}

/* Whether the head of a part is that of the field. */
static bool is_field(const char *head, size_t size, const char *field)
{
	char name[128];
	int n = snprintf(name, sizeof(name), " name=\"%s\"", field);

	return n > 0 && (size_t)n < sizeof(name) && memmem(head, size, name, (size_t)n);
}

int multipart_find(const char *content_type, const char *body, size_t size, const char *field,
		   const char **ret_data, size_t *ret_size)
{
	char mark[BOUNDARY_MAX + 4], *inner;
	const char *at, *end = body + size, *head, *data, *next;
	size_t mark_size;

	if (read_boundary(content_type, mark + 2, &mark_size) < 0)
		return -EBADMSG;
	/* All but the first stand behind a line end that is theirs. */
	memcpy(mark, "\r\n", 2);
	inner = mark + 2;
	if (size < mark_size || memcmp(body, inner, mark_size) != 0)
		return -EBADMSG;
	at = body + mark_size;
	while (end - at >= 2 && memcmp(at, "\r\n", 2) == 0) {
		head = at;
		data = memmem(head, (size_t)(end - head), "\r\n\r\n", 4);
		next = data ? memmem(data + 2, (size_t)(end - data - 2), mark, mark_size + 2) : NULL;
		if (!next)
			return -EBADMSG;
		if (is_field(head, (size_t)(data - head), field)) {
			*ret_data = data + 4;
			*ret_size = next > data + 4 ? (size_t)(next - data - 4) : 0;
			return 0;
		}
		at = next + mark_size + 2;
	}
	return end - at >= 2 && memcmp(at, "--", 2) == 0 ? -ENOENT : -EBADMSG;
}

static bool is_blank(const char *text, size_t size)
{
	return strspn(text, " \t\r") >= size;
}

static int read_line(const char *text, size_t size, size_t number, json_object *list, struct fault *fault)
{
	json_object *value = NULL;
	char line[32];

	snprintf(line, sizeof(line), "file: line %zu", number);
	if (json_parse_strict(text, size, &value, fault) < 0)
		return fault->code == ELLU_E_INTERNAL ? fault->code :
							fault_invalid(fault, line, "a JSON object");
	if (!json_object_is_type(value, json_type_object)) {
		json_object_put(value);
		return fault_invalid(fault, line, "a JSON object");
	}
	if (json_object_array_add(list, value) == 0)
		return 0;
	json_object_put(value);
	return fault_oom(fault);
}

int json_lines_read(const char *text, size_t size, json_object **ret_list, struct fault *fault)
{
	json_object *list = json_object_new_array();
	const char *end = text + size, *stop;
	int r = list ? 0 : fault_oom(fault);

	/* As many as one text may have: a value takes many times the bytes of its text. */
	if (r == 0 && json_count_values(text, size) > JSON_VALUES_MAX)
		r = fault_too_large(fault, JSON_VALUES_MAX, "the number of values in a file");
	for (size_t number = 1; r == 0 && text < end; number++) {
		stop = memchr(text, '\n', (size_t)(end - text));
		stop = stop ? stop : end;
		if (!is_blank(text, (size_t)(stop - text)))
			r = read_line(text, (size_t)(stop - text), number, list, fault);
		text = stop + 1;
	}
	if (r != 0) {
		json_object_put(list);
		return r;
	}
	*ret_list = list;
	return 0;
}
