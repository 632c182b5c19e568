#include "daemon/base/hash.h"

#include <endian.h>
#include <string.h>

uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double random_fraction(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1p-53;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t size)
{
	const char *bytes = data;
	uint64_t hash = seed ^ (size * 0x9e3779b97f4a7c15u);

	while (size > 0) {
		size_t n = size < 8 ? size : 8;
		uint64_t piece = 0;

		memcpy(&piece, bytes, n);
		hash = (hash ^ le64toh(piece)) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
		bytes += n;
		size -= n;
	}
	return random_next(&hash);
}
