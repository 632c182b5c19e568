#include "proto/json/json_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Below this, comparing each with each is faster than sorting. */
#define FEW 16

void json_keys_init(struct json_keys *keys, const char *text)
{
	*keys = (struct json_keys) { .text = text };
}

void json_keys_done(struct json_keys *keys)
{
	free(keys->keys);
	json_keys_init(keys, NULL);
}

/* ---- Unescaping ---- */

struct cursor {
	const char *at;
	const char *end;
	char bytes[4]; // of the present character
	size_t n;
	size_t next;
};

unsigned json_hex4(const char *text)
{
	unsigned code = 0;

	for (int i = 0; i < 4; i++) {
		int c = text[i];

		code = code * 16 + (unsigned) (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code;
}

static size_t encode(uint32_t code, char *out)
{
	static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		out[i] = (char) (0x80 | (code & 0x3f));
	out[0] = (char) (marks[n] | code);
	return n;
}

size_t json_unescape(const char **at, char *out)
{
	static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
	const char *escape = *at;
	const char *letter = strchr(letters, escape[1]);
	uint32_t code;

	if (escape[1] != 'u') {
		*out = letter ? controls[letter - letters] : escape[1];
		*at += 2;
		return 1;
	}
	code = json_hex4(escape + 2);
	*at += 6;
	if (code >= 0xd800 && code <= 0xdbff) {
		code = 0x10000 + ((code - 0xd800) << 10) + (json_hex4(*at + 2) - 0xdc00);
		*at += 6;
	}
	return encode(code, out);
}

/* The next byte of the unescaped key, -1 at its end. */
static int cursor_next(struct cursor *cursor)
{
	if (cursor->next < cursor->n)
		return (unsigned char) cursor->bytes[cursor->next++];
	if (cursor->at == cursor->end)
		return -1;
	if (*cursor->at != '\\')
		return (unsigned char) *cursor->at++;
	cursor->n = json_unescape(&cursor->at, cursor->bytes);
	cursor->next = 1;
	return (unsigned char) cursor->bytes[0];
}

static struct cursor cursor_start(const struct json_key *key)
{
	return (struct cursor) { .at = key->text, .end = key->text + key->size };
}

/* ---- Comparing ---- */

static uint64_t hash_key(const struct json_key *key)
{
	struct cursor cursor = cursor_start(key);
	uint64_t hash = UINT64_C(0xcbf29ce484222325); // FNV-1a
	int byte;

	while ((byte = cursor_next(&cursor)) >= 0)
		hash = (hash ^ (uint64_t) byte) * UINT64_C(0x100000001b3);
	return hash;
}

static int compare_texts(const struct json_key *a, const struct json_key *b)
{
	struct cursor left = cursor_start(a), right = cursor_start(b);
	int x, y;

	if (!a->escaped && !b->escaped && a->size == b->size)
		return memcmp(a->text, b->text, a->size);
	do {
		x = cursor_next(&left);
		y = cursor_next(&right);
	} while (x == y && x >= 0);
	return x - y;
}

static int compare_keys(const struct json_key *a, const struct json_key *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return compare_texts(a, b);
}

static int compare(const void *left, const void *right)
{
	const struct json_key *a = left, *b = right;
	int order = compare_keys(a, b);

	return order ? order : (a->text > b->text) - (a->text < b->text);
}

int json_keys_add(struct json_keys *keys, size_t offset, size_t size, bool escaped)
{
	struct json_key key = { .text = keys->text + offset, .escaped = escaped };

	if (size > UINT32_MAX)
		return -ENOMEM;
	key.size = (uint32_t) size;
	key.hash = hash_key(&key);
	if (keys->n == keys->room) {
		size_t room = keys->room ? 2 * keys->room : 64;
		struct json_key *grown = reallocarray(keys->keys, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		keys->keys = grown;
		keys->room = room;
	}
	keys->keys[keys->n++] = key;
	return 0;
}

static const struct json_key *find_duplicate(struct json_key *keys, size_t n)
{
	if (n > FEW) {
		qsort(keys, n, sizeof(*keys), compare);
		for (size_t i = 1; i < n; i++)
			if (compare_keys(&keys[i - 1], &keys[i]) == 0)
				return &keys[i];
		return NULL;
	}
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (compare_keys(&keys[k], &keys[i]) == 0)
				return &keys[i];
	return NULL;
}

bool json_keys_close(struct json_keys *keys, size_t first, size_t *ret_offset)
{
	const struct json_key *duplicate = NULL;

	if (keys->n > first)
		duplicate = find_duplicate(keys->keys + first, keys->n - first);
	keys->n = first;
	if (!duplicate)
		return false;
	*ret_offset = (size_t) (duplicate->text - keys->text) - 1;
	return true;
}
