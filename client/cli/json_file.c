#include "client/cli/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json_text.h"

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

	json_text_position(file->text, offset, &line, &column);
	snprintf(buffer, size, "%s:%d:%d", file->path, line, column);
	return buffer;
}

const char *json_file_place(const struct json_file *file, const char *path, char *buffer, size_t size)
{
	size_t offset;

	if (json_text_locate(file->text, file->size, path, &offset))
		return place(file, offset, buffer, size);
	snprintf(buffer, size, "%s", file->path);
	return buffer;
}

static int parse(struct json_file *file, json_object **ret_object, struct complaint *complaint)
{
	const char *reason = "a comment that does not end";
	size_t offset, skip = 0;
	char where[512];
	int r;

	if (file->size >= 3 && memcmp(file->text, "\xef\xbb\xbf", 3) == 0)
		skip = 3; // a byte order mark, which some editors write
	memset(file->text, ' ', skip);
	r = json_text_strip_comments(file->text, file->size, &offset);
	if (r == 0)
		r = json_text_parse(file->text, file->size, ret_object, &offset, &reason);
	if (r == -EINVAL)
		return complain(complaint, "%s: %s", place(file, offset, where, sizeof(where)),
				reason);
	if (r < 0)
		return r;
	if (json_object_is_type(*ret_object, json_type_object))
		return 0;
	json_object_put(*ret_object);
	return complain(complaint, "%s:1:1: expected an object", file->path);
}

int json_file_read(const char *path, struct json_file *ret_file, json_object **ret_object,
		   struct complaint *complaint)
{
	struct json_file file = { .path = strdup(path) };
	int r = !file.path ? -ENOMEM
			   : file_text_read(path, FILE_BYTES_MAX, &file.text, &file.size, complaint);

	if (r == 0)
		r = parse(&file, ret_object, complaint);
	if (r == -ENOMEM)
		complain(complaint, "%s: out of memory", path);
	*ret_file = file;
	return r;
}

void json_file_done(struct json_file *file)
{
	free(file->path);
	free(file->text);
}
