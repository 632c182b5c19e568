#include "client/cli/files/import.h"

#include <stdarg.h>
#include <stdio.h>

#include "client/cli/files/file_text.h"
#include "proto/content/template.h"

#define PLACES_MAX 200 // that are looked up; what is listed behind has its path alone

struct at at_below(const struct at *at, const char *format, ...)
{
	struct at below = { .place = at->place };
	size_t size = strlen(at->path);
	va_list arguments;

	memcpy(below.path, at->path, size);
	va_start(arguments, format);
	vsnprintf(below.path + size, sizeof(below.path) - size, format, arguments);
	va_end(arguments);
	if (below.path[0] == '.')
		memmove(below.path, below.path + 1, strlen(below.path));
	return below;
}

const char *import_place(struct import *in, const struct at *at, char *buffer, size_t size)
{
	if (at->place)
		snprintf(buffer, size, "%s", at->place);
	else if (in->n_left > PLACES_MAX)
		snprintf(buffer, size, "%s", in->file.path);
	else
		json_file_place(&in->file, at->path, buffer, size);
	return buffer;
}

void import_leave(struct import *in, const struct at *at, const char *format, ...)
{
	char place[512], why[512], line[sizeof(place) + PATH_SIZE + sizeof(why)];
	va_list arguments;

	in->n_left++;
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	snprintf(line, sizeof(line), "%s: %s%snot mapped: %s", import_place(in, at, place, sizeof(place)), at->path,
		 at->path[0] ? ": " : "", why);
	text_flatten(line);
	text_print(stderr, line);
	fputc('\n', stderr);
}

void import_fail(struct import *in, int r)
{
	in->error = in->error ? in->error : r;
}

void leave_members(struct import *in, const struct at *at, json_object *object, const char *known)
{
	static const struct {
		const char *name, *why;
	} reasons[] = {
		{ "threshold", "each criterion counts; `run --fail-under` looks at all of them" },
		{ "weight", "each criterion counts the same" },
		{ "transform", "answers are judged as they come" },
		{ "scenarios", "write their tests out" },
		{ "metric", "criteria have their own names" },
		{ "provider", "one judge for all: defaultTest.options.provider" },
	};

	if (!json_object_is_type(object, json_type_object))
		return import_leave(in, at, "expected an object");
	json_object_object_foreach(object, name, value)
	{
		struct at below = at_below(at, ".%s", name);
		const char *why = "nothing here is like it";

		(void) value;
		for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
			if (strcmp(reasons[i].name, name) == 0)
				why = reasons[i].why;
		if (!text_is_listed(known, name))
			import_leave(in, &below, "%s", why);
	}
}

json_object *read_beside(struct import *in, const struct at *at, const char *path)
{
	json_object *content = json_object_new_object(), *text = NULL;
	char name[PATH_SIZE + 8];
	struct complaint why;
	int r;

	snprintf(name, sizeof(name), "file://%s", path);
	put(in, content, "messages", json_object_new_string(name));
	r = content_expand(content, in->file.path, &why);
	if (r == -EINVAL)
		REFUSE(in, at, "%s", why.text);
	else if (r < 0)
		import_fail(in, r);
	else
		text = json_object_get(member(item_of(member(content, "messages"), 0), "content"));
	json_object_put(content);
	return text;
}

static int add_column(void *userdata, const char *name, size_t size)
{
	struct import *in = userdata;
	const char *column = arena_strndup(&in->arena, name, size);

	in->n_placeholders++;
	if (!column || json_object_object_add(in->columns, column, NULL) < 0)
		import_fail(in, -ENOMEM);
	return in->error;
}

void import_scan(struct import *in, const struct at *at, const char *text)
{
	size_t n_open = 0;

	in->n_placeholders = 0;
	if (template_scan(text, add_column, in) < 0)
		return;
	for (const char *open = text; (open = strstr(open, "{{")); open += 2)
		n_open++;
	if (in->n_placeholders < n_open || strstr(text, "{%") || strstr(text, "{#"))
		import_leave(in, at, "what is more than {{name}} in this text stays as it is");
}
