/* The examples of FIPS 180-2 and of RFC 4231. */
#include <string.h>

#include "daemon/base/sha256.h"
#include "tests/unit/suite.h"

START_TEST(hashes)
{
	static const struct {
		const char *text, *hash;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t step = 1; step <= 64; step++) {
			size_t size = strlen(cases[i].text);
			char text[SHA256_TEXT_SIZE];
			uint8_t digest[SHA256_SIZE];
			struct sha256 hash;

			sha256_init(&hash);
			for (size_t at = 0; at < size; at += step)
				sha256_add(&hash, cases[i].text + at, size - at < step ? size - at : step);
			sha256_done(&hash, digest);
			sha256_text(digest, text);
			ck_assert_str_eq(text, cases[i].hash);
		}
	}
}
END_TEST

START_TEST(authenticated)
{
	static const struct {
		const char *key, *data, *hash;
	} cases[] = {
		{ "Jefe", "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
		  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	};
	uint8_t digest[SHA256_SIZE];
	char text[SHA256_TEXT_SIZE], key[131];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(key, 0xaa, sizeof(key));
		sha256_hmac(cases[i].key ? cases[i].key : key,
			    cases[i].key ? strlen(cases[i].key) : sizeof(key), cases[i].data,
			    strlen(cases[i].data), digest);
		sha256_text(digest, text);
		ck_assert_str_eq(text, cases[i].hash);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(hashes, authenticated);
}
