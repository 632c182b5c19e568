#include "daemon/store/resources/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/tx.h"

void identity_init(struct identity *identity)
{
	sha256_init(&identity->hash);
}

static void add(struct identity *identity, const void *data, size_t size)
{
	sha256_add(&identity->hash, data, size);
}

/* The kind of what follows and its size or number. */
static void add_head(struct identity *identity, char kind, int64_t number)
{
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char head[24], *at = head + sizeof(head);

	*--at = ';';
	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		*--at = '-';
	*--at = kind;
	add(identity, at, (size_t)(head + sizeof(head) - at));
}

static void add_string(struct identity *identity, const char *text, size_t size)
{
	add_head(identity, 's', (int64_t)size);
	add(identity, text, size);
}

void identity_text(struct identity *identity, const char *text)
{
	if (text)
		add_string(identity, text, strlen(text));
	else
		add_head(identity, 'n', 0);
}

void identity_int(struct identity *identity, int64_t value)
{
	add_head(identity, 'i', value);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_json(struct identity *identity, json_object *json);

static int add_object(struct identity *identity, json_object *json)
{
	size_t n = (size_t)json_object_object_length(json), i = 0;
	const char **keys = calloc(n ? n : 1, sizeof(*keys));
	int r = 0;

	if (!keys)
		return -ENOMEM;
	json_object_object_foreach(json, key, value)
	{
		(void)value;
		keys[i++] = key;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	add_head(identity, 'o', (int64_t)n);
	for (i = 0; i < n && r == 0; i++) {
		add_string(identity, keys[i], strlen(keys[i]));
		r = add_json(identity, json_object_object_get(json, keys[i]));
	}
	free(keys);
	return r;
}

static int add_json(struct identity *identity, json_object *json)
{
	char number[40];
	int r = 0;

	switch (json_object_get_type(json)) {
	case json_type_object:
		return add_object(identity, json);
	case json_type_array:
		add_head(identity, 'a', (int64_t)json_object_array_length(json));
		for (size_t i = 0; i < json_object_array_length(json) && r == 0; i++)
			r = add_json(identity, json_object_array_get_idx(json, i));
		return r;
	case json_type_string:
		add_string(identity, json_object_get_string(json),
			   (size_t)json_object_get_string_len(json));
		return 0;
	case json_type_double:
		snprintf(number, sizeof(number), "d%.17g;", json_object_get_double(json));
		add(identity, number, strlen(number));
		return 0;
	case json_type_int:
		add_head(identity, 'i', json_object_get_int64(json));
		return 0;
	case json_type_boolean:
		add_head(identity, 'b', json_object_get_boolean(json));
		return 0;
	case json_type_null:
		break;
	}
	add_head(identity, 'n', 0);
	return 0;
}

int identity_value(struct identity *identity, json_object *json)
{
	return add_json(identity, json);
}

int identity_json(struct identity *identity, const char *text)
{
	json_object *json;
	int r;

	if (!text) {
		add_head(identity, 'n', 0);
		return 0;
	}
	json = tx_parse(text);
	r = json ? add_json(identity, json) : -ENOMEM;
	json_object_put(json);
	return r;
}

void identity_done(struct identity *identity, char ret_text[static IDENTITY_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256_done(&identity->hash, digest);
	sha256_text(digest, ret_text);
}

void identity_chain(const char *before, const char *next, char ret_text[static IDENTITY_SIZE])
{
	struct identity identity;

	identity_init(&identity);
	identity_text(&identity, before);
	identity_text(&identity, next);
	identity_done(&identity, ret_text);
}

int64_t identity_hash(const char *text)
{
	char digits[17];

	snprintf(digits, sizeof(digits), "%.16s", text);
	return (int64_t)strtoull(digits, NULL, 16);
}

int identity_json_equal(const char *a, const char *b)
{
	char hashes[2][IDENTITY_SIZE];
	const char *const texts[] = { a, b };
	int r = 0;

	if (strcmp(a, b) == 0)
		return 1;
	for (int i = 0; r >= 0 && i < 2; i++) {
		struct identity identity;

		identity_init(&identity);
		r = identity_json(&identity, texts[i]);
		identity_done(&identity, hashes[i]);
	}
	return r < 0 ? r : strcmp(hashes[0], hashes[1]) == 0;
}
