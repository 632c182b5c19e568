#include "daemon/base/rs256.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <string.h>

#define KEY_BITS_MIN 2048
#define KEY_BITS_MAX (8 * RS256_SIZE_MAX)
#define PUBLIC_EXPONENT_BITS_MAX 64

/* Without one, libcrypto would ask the terminal. */
static int no_passphrase(char *text, int size, int writing, void *userdata)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)userdata;
	return -1;
}

static EVP_PKEY *read_key(const char *pem)
{
	size_t size = strlen(pem);
	BIO *bio = size <= INT_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	return key;
}

/* -1: it has no such number. */
static int bits_of(const EVP_PKEY *key, const char *number)
{
	BIGNUM *value = NULL;
	int bits = EVP_PKEY_get_bn_param(key, number, &value) == 1 ? BN_num_bits(value) : -1;

	BN_clear_free(value);
	return bits;
}

/* How long signing takes is up to its numbers, and a key may name any. */
static bool is_usable(const EVP_PKEY *key)
{
	static const char *const numbers[] = {
		OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
	};
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || bits < KEY_BITS_MIN || bits > KEY_BITS_MAX ||
	    bits_of(key, OSSL_PKEY_PARAM_RSA_E) > PUBLIC_EXPONENT_BITS_MAX ||
	    bits_of(key, OSSL_PKEY_PARAM_RSA_FACTOR3) >= 0)
		return false;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (bits_of(key, numbers[i]) > bits)
			return false;
	return true;
}

static int sign(EVP_PKEY *key, const void *data, size_t size,
		uint8_t ret_signature[static RS256_SIZE_MAX], size_t *ret_size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t n = RS256_SIZE_MAX;
	int r = context ? -EINVAL : -ENOMEM;

	if (context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(context, ret_signature, &n, data, size) == 1) {
		*ret_size = n;
		r = 0;
	}
	EVP_MD_CTX_free(context);
	return r;
}

int rs256_sign(const char *pem, const void *data, size_t size,
	       uint8_t ret_signature[static RS256_SIZE_MAX], size_t *ret_size)
{
	EVP_PKEY *key = read_key(pem);
	int r = -EINVAL;

	if (key && is_usable(key))
		r = sign(key, data, size, ret_signature, ret_size);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return r;
}
