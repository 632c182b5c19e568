#include "daemon/store/resources/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/tx.h"

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value >> bits | value << (32 - bits);
}

static void compress(uint32_t state[static 8], const uint8_t block[static 64])
{
	uint32_t w[64], s[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(s, state, sizeof(s));
	/* The eight words stay where they are, and take each other's parts: moving them costs more. */
	for (unsigned i = 0; i < 64; i++) {
#define WORD(n) s[((n) - i) & 7]
		uint32_t e = WORD(4), a = WORD(0), one, two;

		one = WORD(7) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
		      ((e & WORD(5)) ^ (~e & WORD(6))) + round_constants[i] + w[i];
		two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
		      ((a & WORD(1)) ^ (a & WORD(2)) ^ (WORD(1) & WORD(2)));
		WORD(3) += one;
		WORD(7) = one + two;
#undef WORD
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

static void add(struct identity *identity, const void *data, size_t size)
{
	const uint8_t *at = data;

	identity->length += size;
	while (size > 0) {
		size_t n = sizeof(identity->block) - identity->used;

		n = n < size ? n : size;
		memcpy(identity->block + identity->used, at, n);
		identity->used += n;
		at += n;
		size -= n;
		if (identity->used == sizeof(identity->block)) {
			compress(identity->state, identity->block);
			identity->used = 0;
		}
	}
}

void identity_init(struct identity *identity)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(identity, 0, sizeof(*identity));
	memcpy(identity->state, start, sizeof(start));
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
	static const uint8_t padding[64] = { 0x80 };
	static const char digits[] = "0123456789abcdef";
	uint64_t bits = identity->length * 8;
	uint8_t size[8];

	add(identity, padding, (identity->used < 56 ? 56 : 120) - identity->used);
	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)(bits >> (56 - 8 * i));
	add(identity, size, sizeof(size));
	for (int i = 0; i < 64; i++)
		ret_text[i] = digits[identity->state[i / 8] >> (28 - i % 8 * 4) & 15];
	ret_text[64] = '\0';
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
