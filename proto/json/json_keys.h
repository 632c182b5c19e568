/*
 * The keys of the objects that a scan is inside of, on one stack, to find duplicates when an
 * object ends. Equal hashes only cost comparisons, so a chosen collision wins nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_key {
	uint64_t hash; // of the unescaped key
	const char *text; // raw, between the quotes
	uint32_t size;
	bool escaped; // it holds escapes
};

struct json_keys {
	const char *text; // of the whole
	struct json_key *keys;
	size_t n;
	size_t room;
};

void json_keys_init(struct json_keys *keys, const char *text);
void json_keys_done(struct json_keys *keys);

/* A key that is valid JSON. -ENOMEM. */
int json_keys_add(struct json_keys *keys, size_t offset, size_t size, bool escaped);

/* Drops the keys from `first` on. True when two were the same: *ret_offset is the quote of the
 * later one. */
bool json_keys_close(struct json_keys *keys, size_t first, size_t *ret_offset);

/* The number of four hexadecimal digits. */
unsigned json_hex4(const char *text);

/* The text of the valid escape at `*at`, which moves behind it: 1 to 4 bytes. */
size_t json_unescape(const char **at, char *out);
