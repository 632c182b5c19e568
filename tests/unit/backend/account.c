#include "tests/unit/backend/account.h"

#include <check.h>
#include <json.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

static void add_text(json_object *object, const char *name, const char *text)
{
	ck_assert_int_eq(json_object_object_add(object, name, json_object_new_string(text)), 0);
}

static void write_public(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_PUBKEY(file, key), 1);
	ck_assert_int_eq(fclose(file), 0);
}

char *account_new(const char *token_uri, const char *public_file)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	json_object *account = json_object_new_object();
	char *pem, *text;

	if (public_file)
		write_public(public_file, key);
	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	ck_assert_int_eq(BIO_write(bio, "", 1), 1);
	(void)BIO_get_mem_data(bio, &pem);
	add_text(account, "type", "service_account");
	add_text(account, "client_email", "me@p.example");
	add_text(account, "private_key", pem);
	add_text(account, "token_uri", token_uri);
	text = strdup(json_object_get_string(account));
	BIO_free(bio);
	EVP_PKEY_free(key);
	json_object_put(account);
	return text;
}
