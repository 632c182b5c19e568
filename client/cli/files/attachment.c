#include "client/cli/files/attachment.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/files/json_file.h"

/* By what a file is called, where the daemon does not tell it from the bytes. */
static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".csv", "text/csv" }, { ".html", "text/html" }, { ".htm", "text/html" }, { ".json", "application/json" },
	{ ".md", "text/markdown" }, { ".txt", "text/plain" }, { ".heic", "image/heic" }, { ".bmp", "image/bmp" },
	{ ".tiff", "image/tiff" }, { ".svg", "image/svg+xml" },
	{ ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
};

static const char *type_of(const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t suffix_size = strlen(types[i].suffix);

		if (size > suffix_size && strcasecmp(name + size - suffix_size, types[i].suffix) == 0)
			return types[i].type;
	}
	return NULL;
}

static char *to_base64(const unsigned char *data, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((size + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; text && i < size; i += 3) {
		uint32_t bits = (uint32_t)data[i] << 16 | (i + 1 < size ? (uint32_t)data[i + 1] << 8 : 0) |
				(i + 2 < size ? data[i + 2] : 0);

		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
		*at++ = i + 2 < size ? digits[bits & 63] : '=';
	}
	if (text)
		*at = '\0';
	return text;
}

static int add_text(json_object *object, const char *name, const char *text)
{
	return json_object_object_add(object, name, json_object_new_string(text)) < 0 ? -ENOMEM : 0;
}

static int add_file(json_object *media, const char *kind, const char *path, struct complaint *complaint)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *type = type_of(name);
	char *data, *text;
	size_t size;
	int r = file_text_read(path, ATTACHMENT_BYTES_MAX, &data, &size, complaint);

	if (r < 0)
		return r;
	text = to_base64((const unsigned char *)data, size);
	r = text ? add_text(media, "data", text) : -ENOMEM;
	if (r == 0 && type)
		r = add_text(media, "media_type", type);
	if (r == 0 && strcmp(kind, "document") == 0)
		r = add_text(media, "name", name);
	free(text);
	free(data);
	return r;
}

int attachment_add(json_object *parts, const char *kind, const char *place, struct complaint *complaint)
{
	json_object *part = json_object_new_object(), *media = json_object_new_object();
	int r;

	if (!part || !media) {
		json_object_put(media);
		json_object_put(part);
		return -ENOMEM;
	}
	json_object_object_add(part, kind, media);
	r = strstr(place, "://") ? add_text(media, "url", place) : add_file(media, kind, place, complaint);
	if (r < 0)
		json_object_put(part);
	else
		json_object_array_add(parts, part);
	return r;
}
