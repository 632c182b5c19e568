#include "tests/sim/token.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/chat.h"
#include "tests/sim/simulator.h"

#define PREFIX "ya29."
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define SKEW_SECONDS 300

/* Up to the end of the text, or a byte of those. */
static struct span until(const char *text, const char *ends)
{
	return (struct span) { text, strcspn(text, ends) };
}

static void decode(struct span text, struct bytes *out)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		uint32_t six = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 :
			       c >= '0' && c <= '9' ? c - '0' + 52 : c == '-' ? 62 : 63;
		char byte;

		bits = bits << 6 | six;
		byte = (char) (bits >> (6 - 2 * (i % 4)));
		if (i % 4 > 0)
			bytes_append(out, &byte, 1);
	}
}

static bool verify(const char *key_file, struct span signed_text, struct span signature)
{
	FILE *file = fopen(key_file, "r");
	EVP_PKEY *key = file ? PEM_read_PUBKEY(file, NULL, NULL, NULL) : NULL;
	EVP_MD_CTX *context = must_have(EVP_MD_CTX_new());
	struct bytes binary = { 0 };
	bool good;

	decode(signature, &binary);
	good = key && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestVerify(context, (unsigned char *) binary.data, binary.size,
				(const unsigned char *) signed_text.data, signed_text.size) == 1;
	bytes_done(&binary);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	if (file)
		fclose(file);
	return good;
}

static struct json_object *read_part(struct span text)
{
	struct bytes json = { 0 };
	struct json_object *object;

	decode(text, &json);
	bytes_append(&json, "", 1);
	object = json_tokener_parse(json.data);
	bytes_done(&json);
	return object;
}

static bool claims_hold(struct json_object *header, struct json_object *claims)
{
	const char *algorithm = chat_text_member(header, "alg"), *audience = chat_text_member(claims, "aud");
	int64_t issued = json_object_get_int64(chat_member(claims, "iat"));
	int64_t expires = json_object_get_int64(chat_member(claims, "exp"));
	int64_t now = time(NULL);

	return algorithm && strcmp(algorithm, "RS256") == 0 && chat_text_member(claims, "iss") &&
	       chat_text_member(claims, "scope") && audience && strstr(audience, "/token") &&
	       issued <= now + SKEW_SECONDS && expires > now && expires - issued <= 3600;
}

/* What is wrong with it, or NULL. */
static const char *problem_of(const struct behaviour *behaviour, const char *form)
{
	static const char name[] = "assertion=";
	const char *assertion = strstr(form, name);
	struct span header, claims, signature;
	struct json_object *objects[2];
	bool hold;

	if (!strstr(form, GRANT) || !assertion)
		return "Invalid grant_type.";
	assertion += strlen(name);
	header = until(assertion, ".&");
	claims = until(header.data + header.size + (header.data[header.size] == '.'), ".&");
	signature = until(claims.data + claims.size + (claims.data[claims.size] == '.'), ".&");
	objects[0] = read_part(header);
	objects[1] = read_part(claims);
	hold = claims_hold(objects[0], objects[1]);
	json_object_put(objects[0]);
	json_object_put(objects[1]);
	if (!hold)
		return "Invalid JWT: its claims do not hold.";
	if (!verify(behaviour->account_key,
		    (struct span) { assertion, (size_t) (claims.data - assertion) + claims.size }, signature))
		return "Invalid JWT Signature.";
	return NULL;
}

/* With what it was sent, as the worst would. */
static void refuse(struct http_conn *conn, int status, const char *words, const char *form)
{
	const char *assertion = strstr(form, "assertion=");
	struct bytes body = { 0 };

	bytes_text(&body, "{\"error\":\"invalid_grant\",\"error_description\":\"");
	bytes_printf(&body, "%s %s\"}", words, assertion ? assertion + strlen("assertion=") : "");
	http_conn_respond(conn, status, status == 429 ? "Retry-After: 0\r\n" : "",
			  (struct span) { body.data, body.size });
	bytes_done(&body);
}

void token_exchange(struct simulator *simulator, struct http_conn *conn, const struct http_request *request)
{
	const struct behaviour *behaviour = &simulator->behaviour;
	char *form = must_have(strndup(request->body.data, request->body.size));
	int64_t n = ++simulator->n_exchanges;
	struct bytes body = { 0 };
	const char *problem;

	if (behaviour->token_status != 0 &&
	    (behaviour->token_until == 0 || n <= behaviour->token_until)) {
		if (behaviour->token_status > 1)
			refuse(conn, (int) behaviour->token_status, "Not now.", form);
	} else if ((problem = problem_of(behaviour, form))) {
		refuse(conn, 400, problem, form);
	} else {
		bytes_printf(&body, "{\"access_token\":\"" PREFIX "%" PRId64 ".%" PRId64 "\",\"expires_in\":%g,"
			     "\"token_type\":\"Bearer\"}", behaviour->token_generation, n,
			     behaviour->token_seconds);
		http_conn_respond(conn, 200, "", (struct span) { body.data, body.size });
	}
	bytes_done(&body);
	free(form);
}

bool token_is_good(const struct simulator *simulator, struct span token)
{
	char good[64];
	int size = snprintf(good, sizeof(good), PREFIX "%" PRId64 ".", simulator->behaviour.token_generation);

	return !simulator->behaviour.account_refused && token.size > (size_t) size && memcmp(token.data, good, (size_t) size) == 0;
}
