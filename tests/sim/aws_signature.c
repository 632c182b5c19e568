/*
 * The canonical request is made of what arrived, by the published steps; nothing of the daemon's way
 * to sign takes part but its hash.
 */
#include "tests/sim/aws_signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/sha256.h"

#define SECONDS_MAX 300
#define FIELDS_MAX 5 /* of a credential's scope */

static struct span span_between(const char *start, const char *end)
{
	return (struct span) { start, (size_t) (end - start) };
}

/* Up to the character, or all of it; takes it off. */
static struct span take(struct span *rest, char end)
{
	const char *at = rest->size > 0 ? memchr(rest->data, end, rest->size) : NULL;
	struct span taken = at ? span_between(rest->data, at) : *rest;
	size_t skip = taken.size + (at != NULL);

	rest->data += skip;
	rest->size -= skip;
	return taken;
}

static void put(struct bytes *out, struct span span)
{
	bytes_append(out, span.data, span.size);
}

static struct span span_of_bytes(const struct bytes *bytes)
{
	return (struct span) { bytes->data, bytes->size };
}

/* `NAME=` up to a comma. */
static struct span field(struct span header, const char *name)
{
	const char *at = header.size > 0 ? memmem(header.data, header.size, name, strlen(name)) : NULL;
	struct span rest;

	if (!at)
		return (struct span) { 0 };
	rest = span_between(at + strlen(name), header.data + header.size);
	return take(&rest, ',');
}

static void put_escaped(struct bytes *out, struct span path)
{
	for (size_t i = 0; i < path.size; i++) {
		unsigned char c = (unsigned char) path.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     (c && strchr("-._~/", c));

		bytes_printf(out, plain ? "%c" : "%%%02X", c);
	}
}

static int compare_parameters(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorted by name, then value: a blank goes before all that names have. */
static void put_query(struct bytes *out, struct span query)
{
	char *parameters[64];
	size_t n = 0;

	while (query.size > 0 && n < sizeof(parameters) / sizeof(*parameters)) {
		struct span value = take(&query, '&'), name = take(&value, '=');
		char *both = must_have(malloc(name.size + value.size + 2));

		memcpy(both, name.data, name.size);
		both[name.size] = ' ';
		memcpy(both + name.size + 1, value.data, value.size);
		both[name.size + 1 + value.size] = '\0';
		parameters[n++] = both;
	}
	qsort(parameters, n, sizeof(*parameters), compare_parameters);
	for (size_t i = 0; i < n; i++) {
		*strchr(parameters[i], ' ') = '=';
		bytes_printf(out, "%s%s", i > 0 ? "&" : "", parameters[i]);
		free(parameters[i]);
	}
}

static void put_value(struct bytes *out, struct span value)
{
	bool begun = false;

	while (value.size > 0) {
		struct span word = take(&value, ' ');

		if (word.size == 0)
			continue;
		bytes_text(out, begun ? " " : "");
		put(out, word);
		begun = true;
	}
}

static void put_hash(struct bytes *out, struct span data)
{
	char text[SHA256_TEXT_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_add(&hash, data.data, data.size);
	sha256_done(&hash, digest);
	sha256_text(digest, text);
	bytes_text(out, text);
}

/* False: a header that is said to be signed did not come, or they are not in order. */
static bool put_headers(struct bytes *out, const struct http_request *request, struct span names)
{
	struct span last = { 0 };

	while (names.size > 0) {
		struct span name = take(&names, ';'), value;
		char text[128];

		snprintf(text, sizeof(text), "%.*s", (int) name.size, name.data);
		value = http_request_header(request, text);
		if (!value.data || (last.data && strncmp(last.data, text, last.size) > 0))
			return false;
		put(out, name);
		bytes_text(out, ":");
		put_value(out, value);
		bytes_text(out, "\n");
		last = name;
	}
	return true;
}

static bool lists(struct span names, const char *name)
{
	while (names.size > 0)
		if (span_is(take(&names, ';'), name))
			return true;
	return false;
}

/* All that has to be: the host, and what begins with x-amz-. */
static bool signs_enough(const struct http_request *request, struct span names)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		struct span name = request->headers[i].name;
		char lower[128];

		snprintf(lower, sizeof(lower), "%.*s", (int) name.size, name.data);
		for (char *c = lower; *c; c++)
			*c = (char) (*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		if ((strncmp(lower, "x-amz-", 6) == 0 || strcmp(lower, "host") == 0 ||
		     strcmp(lower, "content-type") == 0) && !lists(names, lower))
			return false;
	}
	return lists(names, "host") && lists(names, "x-amz-date");
}

static void sign(const char *secret, const struct span *scope, struct span text,
		 char ret_signature[static SHA256_TEXT_SIZE])
{
	struct bytes start = { 0 };
	uint8_t digest[SHA256_SIZE];

	bytes_printf(&start, "AWS4%s", secret);
	sha256_hmac(start.data, start.size, scope[1].data, scope[1].size, digest);
	for (int i = 2; i < FIELDS_MAX; i++)
		sha256_hmac(digest, sizeof(digest), scope[i].data, scope[i].size, digest);
	sha256_hmac(digest, sizeof(digest), text.data, text.size, digest);
	sha256_text(digest, ret_signature);
	bytes_done(&start);
}

/* `20150830T123600Z`; -1: it is none. */
static int64_t seconds_of(struct span date)
{
	struct tm parts = { 0 };
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int) date.size, date.data);
	return strptime(text, "%Y%m%dT%H%M%SZ", &parts) ? (int64_t) timegm(&parts) : -1;
}

/* `ACCESS/DATE/REGION/SERVICE/aws4_request`. */
static bool read_scope(struct span credential, struct span date, struct span *scope)
{
	for (int i = 0; i < FIELDS_MAX; i++)
		scope[i] = take(&credential, '/');
	return scope[1].size == 8 && date.size >= 8 && memcmp(scope[1].data, date.data, 8) == 0 &&
	       scope[2].size > 0 && span_is(scope[3], "bedrock") && span_is(scope[4], "aws4_request");
}

static bool matches(const struct http_request *request, const char *secret, struct span date,
		    struct bytes *error)
{
	struct span header = http_request_header(request, "Authorization");
	struct span names = field(header, "SignedHeaders="), given = field(header, "Signature=");
	struct span scope[FIELDS_MAX], credential = field(header, "Credential=");
	struct bytes canonical = { 0 }, text = { 0 };
	char signature[SHA256_TEXT_SIZE] = "";
	bool ok = read_scope(credential, date, scope) && signs_enough(request, names);

	put(&canonical, request->method);
	bytes_text(&canonical, "\n");
	put_escaped(&canonical, request->path);
	bytes_text(&canonical, "\n");
	put_query(&canonical, request->query);
	bytes_text(&canonical, "\n");
	ok = ok && put_headers(&canonical, request, names);
	bytes_text(&canonical, "\n");
	put(&canonical, names);
	bytes_text(&canonical, "\n");
	put_hash(&canonical, request->body);
	if (ok) {
		bytes_printf(&text, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n", (int) date.size, date.data,
			     (int) (scope[4].data + scope[4].size - scope[1].data), scope[1].data);
		put_hash(&text, span_of_bytes(&canonical));
		sign(secret, scope, span_of_bytes(&text), signature);
	}
	ok = ok && span_is(given, signature);
	if (!ok)
		bytes_printf(error, "The request signature we calculated does not match the signature you "
			     "provided. The Canonical String for this request should have been\n'%.*s'",
			     (int) canonical.size, canonical.data);
	bytes_done(&canonical);
	bytes_done(&text);
	return ok;
}

bool aws_signature_holds(const struct http_request *request, const char *key, int64_t now_seconds,
			 struct bytes *error)
{
	struct span date = http_request_header(request, "X-Amz-Date");
	struct span header = http_request_header(request, "Authorization");
	struct span rest = span_of(key), access = take(&rest, ':'), secret = take(&rest, ':');
	struct span credential = field(header, "Credential="), id = take(&credential, '/');
	struct span token = http_request_header(request, "X-Amz-Security-Token");
	int64_t signed_seconds = seconds_of(date);
	char secret_key[256];

	if (!header.data || !date.data) {
		bytes_text(error, "Missing Authentication Token");
		return false;
	}
	if (id.size != access.size || memcmp(id.data, access.data, id.size) != 0 ||
	    token.size != rest.size || (rest.size > 0 && memcmp(token.data, rest.data, rest.size) != 0)) {
		bytes_text(error, "The security token included in the request is invalid.");
		return false;
	}
	if (signed_seconds < now_seconds - SECONDS_MAX || signed_seconds > now_seconds + SECONDS_MAX) {
		bytes_printf(error, "Signature expired: %.*s", (int) date.size, date.data);
		return false;
	}
	snprintf(secret_key, sizeof(secret_key), "%.*s", (int) secret.size, secret.data);
	return matches(request, secret_key, date, error);
}
