/* What is signed can be verified; a key may be any file that somebody sends. */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "daemon/base/rs256.h"
#include "tests/unit/suite.h"

static const char data[] = "what is signed";
static const char *const numbers[] = {
	OSSL_PKEY_PARAM_RSA_N,	       OSSL_PKEY_PARAM_RSA_E,	      OSSL_PKEY_PARAM_RSA_D,
	OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};
#define N_NUMBERS (sizeof(numbers) / sizeof(*numbers))

static int sign_by(EVP_PKEY *key, uint8_t ret_signature[static RS256_SIZE_MAX], size_t *ret_size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	int r;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	ck_assert_int_eq(BIO_write(bio, "", 1), 1);
	(void)BIO_get_mem_data(bio, &text);
	r = rs256_sign(text, data, sizeof(data), ret_signature, ret_size);
	BIO_free(bio);
	return r;
}

/* The key with that bit of the number of that name turned over. */
static EVP_PKEY *with_bit(const EVP_PKEY *key, const char *name, int bit)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *values[N_NUMBERS] = { 0 };
	EVP_PKEY *changed = NULL;
	OSSL_PARAM *params;

	for (size_t i = 0; i < N_NUMBERS; i++) {
		ck_assert_int_eq(EVP_PKEY_get_bn_param(key, numbers[i], &values[i]), 1);
		if (strcmp(numbers[i], name) == 0)
			ck_assert_int_eq(BN_is_bit_set(values[i], bit) ? BN_clear_bit(values[i], bit) :
									 BN_set_bit(values[i], bit), 1);
		ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(builder, numbers[i], values[i]), 1);
	}
	params = OSSL_PARAM_BLD_to_param(builder);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(context, &changed, EVP_PKEY_KEYPAIR, params), 1);
	for (size_t i = 0; i < N_NUMBERS; i++)
		BN_free(values[i]);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(context);
	return changed;
}

START_TEST(signatures)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[RS256_SIZE_MAX];
	size_t size;

	ck_assert_int_eq(sign_by(key, signature, &size), 0);
	ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
	ck_assert_int_eq(EVP_DigestVerify(context, signature, size, (const uint8_t *)data, sizeof(data)), 1);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(what_is_no_such_key)
{
	EVP_PKEY *keys[] = { EVP_RSA_gen(1024), EVP_EC_gen("P-256") };
	uint8_t signature[RS256_SIZE_MAX];
	size_t size;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		ck_assert_int_eq(sign_by(keys[i], signature, &size), -EINVAL);
		EVP_PKEY_free(keys[i]);
	}
	ck_assert_int_eq(rs256_sign("", data, sizeof(data), signature, &size), -EINVAL);
	ck_assert_int_eq(rs256_sign("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", data,
				    sizeof(data), signature, &size), -EINVAL);
}
END_TEST

/* One whose numbers are longer than its size would be computed with for seconds. */
START_TEST(numbers_that_are_too_long)
{
	static const char *const longer[] = {
		OSSL_PKEY_PARAM_RSA_E,	       OSSL_PKEY_PARAM_RSA_D,	      OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
	};
	EVP_PKEY *key = EVP_RSA_gen(2048);
	uint8_t signature[RS256_SIZE_MAX];
	size_t size;

	for (size_t i = 0; i < sizeof(longer) / sizeof(*longer); i++) {
		EVP_PKEY *other = with_bit(key, longer[i], 4096);

		ck_assert_msg(sign_by(other, signature, &size) == -EINVAL, "%s", longer[i]);
		EVP_PKEY_free(other);
	}
	EVP_PKEY_free(key);
}
END_TEST

/* That is wrong with it, however often it is tried. */
START_TEST(numbers_that_do_not_belong_together)
{
	EVP_PKEY *key = EVP_RSA_gen(2048), *other = with_bit(key, OSSL_PKEY_PARAM_RSA_N, 0);
	uint8_t signature[RS256_SIZE_MAX];
	size_t size;

	ck_assert_int_eq(sign_by(other, signature, &size), -EINVAL);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
}
END_TEST

int main(void)
{
	return RUN_TESTS(signatures, what_is_no_such_key, numbers_that_are_too_long,
			 numbers_that_do_not_belong_together);
}
