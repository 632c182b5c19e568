#include "client/cli/files/file_text.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/files/json_file.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

char *path_beside(const char *of, const char *name)
{
	char *copy = strdup(of), *path = NULL;
	const char *folder = copy ? dirname(copy) : NULL;

	if (folder && (*name == '/' || strcmp(folder, ".") == 0))
		path = strdup(name);
	else if (folder && asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	free(copy);
	return path;
}

/* The path in `file:PATH`, or NULL. */
static const char *path_in(json_object *value)
{
	const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";

	if (strncmp(text, "file://", 7) == 0)
		return text + 7;
	return strncmp(text, "file:", 5) == 0 ? text + 5 : NULL;
}

/* The file's text, without the line breaks at its end; free() it. */
static int read_text(const char *of, const char *name, char **ret_text, struct complaint *complaint)
{
	char *path = path_beside(of, name);
	size_t size;
	int r = path ? file_text_read(path, MESSAGE_SIZE_MAX, ret_text, &size, complaint) : -ENOMEM;

	if (r == 0 && (memchr(*ret_text, 0, size) || !utf8_valid(*ret_text, size, NULL))) {
		free(*ret_text);
		r = complain(complaint, "%s: not valid UTF-8 text", path);
	}
	free(path);
	while (r == 0 && size > 0 && strchr("\r\n", (*ret_text)[size - 1]))
		(*ret_text)[--size] = '\0';
	return r;
}

/* `*value` becomes the text that it names, if it names one. 1: it did. */
static int expand(json_object **value, const char *of, struct complaint *complaint)
{
	const char *name = path_in(*value);
	char *text = NULL;
	int r = name ? read_text(of, name, &text, complaint) : 0;

	if (!name || r < 0)
		return r;
	json_object_put(*value);
	*value = json_object_new_string(text);
	free(text);
	return *value ? 1 : -ENOMEM;
}

static int expand_items(json_object *array, const char *member, const char *of, struct complaint *complaint)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++) {
		json_object *item = json_object_array_get_idx(array, i);
		json_object *value = json_object_get(member ? json_object_object_get(item, member) : item);

		r = expand(&value, of, complaint);
		if (r > 0 && (member ? json_object_object_add(item, member, value)
				     : json_object_array_put_idx(array, i, value)) == 0)
			continue;
		json_object_put(value);
	}
	return r < 0 ? r : 0;
}

static int expand_messages(json_object *content, const char *of, struct complaint *complaint)
{
	json_object *messages = json_object_object_get(content, "messages"), *list, *message;

	if (json_object_is_type(messages, json_type_string)) {
		list = json_object_new_array();
		message = json_object_new_object();
		json_object_object_add(message, "role", json_object_new_string("user"));
		json_object_object_add(message, "content", json_object_get(messages));
		json_object_array_add(list, message);
		json_object_object_add(content, "messages", list);
		messages = list;
	}
	return json_object_is_type(messages, json_type_array) ? expand_items(messages, "content", of, complaint)
							      : 0;
}

int criteria_expand(json_object **value, const char *of, struct complaint *complaint)
{
	json_object *lines;
	char *copy, *rest;
	int r = expand(value, of, complaint);

	if (r < 0)
		return r;
	if (r == 0)
		return json_object_is_type(*value, json_type_array) ? expand_items(*value, NULL, of, complaint)
								    : 0;
	lines = json_object_new_array();
	copy = rest = strdup(json_object_get_string(*value));
	for (char *line; (line = strsep(&rest, "\r\n"));)
		if (line[strspn(line, " \t")])
			json_object_array_add(lines, json_object_new_string(line));
	free(copy);
	json_object_put(*value);
	*value = lines;
	return 0;
}

int content_expand(json_object *content, const char *of, struct complaint *complaint)
{
	json_object *criteria = json_object_get(json_object_object_get(content, "criteria"));
	int r = expand_messages(content, of, complaint);

	if (r == 0 && criteria) {
		r = criteria_expand(&criteria, of, complaint);
		return json_object_object_add(content, "criteria", criteria) < 0 ? -ENOMEM : r;
	}
	json_object_put(criteria);
	return r;
}
