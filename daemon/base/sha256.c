#include "daemon/base/sha256.h"

#include <string.h>

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

void sha256_init(struct sha256 *hash)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memset(hash, 0, sizeof(*hash));
	memcpy(hash->state, start, sizeof(start));
}

void sha256_add(struct sha256 *hash, const void *data, size_t size)
{
	const uint8_t *at = data;

	hash->length += size;
	while (size > 0) {
		size_t n = sizeof(hash->block) - hash->used;

		n = n < size ? n : size;
		memcpy(hash->block + hash->used, at, n);
		hash->used += n;
		at += n;
		size -= n;
		if (hash->used == sizeof(hash->block)) {
			compress(hash->state, hash->block);
			hash->used = 0;
		}
	}
}

void sha256_done(struct sha256 *hash, uint8_t ret_digest[static SHA256_SIZE])
{
	static const uint8_t padding[64] = { 0x80 };
	uint64_t bits = hash->length * 8;
	uint8_t size[8];

	sha256_add(hash, padding, (hash->used < 56 ? 56 : 120) - hash->used);
	for (int i = 0; i < 8; i++)
		size[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(hash, size, sizeof(size));
	for (int i = 0; i < SHA256_SIZE; i++)
		ret_digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - i % 4 * 8));
}

void sha256_hmac(const void *key, size_t key_size, const void *data, size_t size,
		 uint8_t ret_digest[static SHA256_SIZE])
{
	uint8_t pad[64] = { 0 };
	struct sha256 hash;

	if (key_size > sizeof(pad)) {
		sha256_init(&hash);
		sha256_add(&hash, key, key_size);
		sha256_done(&hash, pad);
	} else {
		memcpy(pad, key, key_size);
	}
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	sha256_init(&hash);
	sha256_add(&hash, pad, sizeof(pad));
	sha256_add(&hash, data, size);
	sha256_done(&hash, ret_digest);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha256_init(&hash);
	sha256_add(&hash, pad, sizeof(pad));
	sha256_add(&hash, ret_digest, SHA256_SIZE);
	sha256_done(&hash, ret_digest);
	explicit_bzero(pad, sizeof(pad));
	explicit_bzero(&hash, sizeof(hash));
}

void sha256_text(const uint8_t digest[static SHA256_SIZE], char ret_text[static SHA256_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < SHA256_SIZE; i++) {
		ret_text[2 * i] = digits[digest[i] >> 4];
		ret_text[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_text[SHA256_TEXT_SIZE - 1] = '\0';
}
