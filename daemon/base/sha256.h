/*
 * SHA-256, and messages authenticated by it. No state of its own: any thread may call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32 // bytes
#define SHA256_TEXT_SIZE 65 // hexadecimal digits and the NUL

struct sha256 {
	uint32_t state[8];
	uint64_t length;
	uint8_t block[64];
	size_t used;
};

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_done(struct sha256 *hash, uint8_t ret_digest[static SHA256_SIZE]);

/* HMAC. Nothing of the key is left behind; the digest may take the key's place. */
void sha256_hmac(const void *key, size_t key_size, const void *data, size_t size,
		 uint8_t ret_digest[static SHA256_SIZE]);

void sha256_text(const uint8_t digest[static SHA256_SIZE], char ret_text[static SHA256_TEXT_SIZE]);
