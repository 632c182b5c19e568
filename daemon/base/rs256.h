/*
 * Signatures RS256: RSA over SHA-256, as tokens of JSON are signed. The one place that knows libcrypto,
 * which libcurl brings along. No state of its own: any thread may call; it takes milliseconds.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RS256_SIZE_MAX 1024 // bytes, of a key of 8192 bits

/* By a private key in PEM, without a passphrase. -EINVAL: it is no RSA key of 2048 to 8192 bits,
 * or its numbers don't belong together; -ENOMEM. Nothing of the key is left behind. */
int rs256_sign(const char *pem, const void *data, size_t size,
	       uint8_t ret_signature[static RS256_SIZE_MAX], size_t *ret_size);
