#include "daemon/backend/dialect/aws_sigv4.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/sha256.h"

#define TIME_SIZE sizeof("20150830T123600Z")
#define DATE_DIGITS 8 // it begins with them
#define HOST_PREFIX "Host: "
#define DATE_PREFIX "X-Amz-Date: "

/* A piece of what is signed. */
struct piece {
	const char *at;
	size_t size;
};

static struct piece piece_until(const char *text, const char *ends)
{
	return (struct piece){ text, strcspn(text, ends) };
}

static int compare(struct piece a, struct piece b)
{
	int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* ---- Where it goes ---- */

static const char *after_scheme(const char *url)
{
	return strstr(url, "://") + 3;
}

/* As it stands in the header: without a port that goes without saying. */
static struct piece host_of(const char *url)
{
	struct piece host = piece_until(after_scheme(url), "/?#");
	const char *usual = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
	size_t size = strlen(usual);

	if (host.size > size && memcmp(host.at + host.size - size, usual, size) == 0)
		host.size -= size;
	return host;
}

/* Escaped once more than it is. */
static void put_path(const char *url, struct buffer *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	const char *start = after_scheme(url);
	struct piece path = piece_until(start + strcspn(start, "/?#"), "?#");
	char escaped[4];

	if (path.size == 0)
		buffer_text(out, "/");
	for (size_t i = 0; i < path.size; i++) {
		if (strchr(plain, path.at[i])) {
			buffer_append(out, path.at + i, 1);
			continue;
		}
		snprintf(escaped, sizeof(escaped), "%%%02X", (unsigned char)path.at[i]);
		buffer_text(out, escaped);
	}
}

static int compare_parameters(struct piece a, struct piece b)
{
	struct piece names[] = { { a.at, strcspn(a.at, "=&#") }, { b.at, strcspn(b.at, "=&#") } };
	int order = compare(names[0], names[1]);

	if (order == 0)
		order = compare(a, b);
	return order ? order : (a.at > b.at) - (a.at < b.at);
}

/* In the order of names, and each with its sign of equality. There are hardly any. */
static void put_query(const char *url, struct buffer *out)
{
	const char *query = strchr(url, '?'), *end;
	struct piece last = { 0 };

	if (!query++)
		return;
	end = query + strcspn(query, "#");
	for (;;) {
		struct piece next = { 0 };

		for (const char *at = query; at < end; at += strcspn(at, "&#") + 1) {
			struct piece one = piece_until(at, "&#");

			if (one.size > 0 && (!last.at || compare_parameters(one, last) > 0) &&
			    (!next.at || compare_parameters(one, next) < 0))
				next = one;
		}
		if (!next.at)
			return;
		buffer_text(out, last.at ? "&" : "");
		buffer_append(out, next.at, next.size);
		buffer_text(out, memchr(next.at, '=', next.size) ? "" : "=");
		last = next;
	}
}

/* ---- Headers ---- */

static bool is_signed(const char *line)
{
	static const char *const names[] = { "host:", "content-type:", "x-amz-" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncasecmp(line, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* A name goes before those that it begins. */
static int compare_names(const char *a, const char *b)
{
	size_t size_a = strcspn(a, ":;"), size_b = strcspn(b, ":;");
	int order = strncasecmp(a, b, size_a < size_b ? size_a : size_b);

	return order ? order : (size_a > size_b) - (size_a < size_b);
}

/* The one that comes behind `last` in the order of names; NULL: none. */
static const struct curl_slist *next_header(const struct curl_slist *headers,
					    const struct curl_slist *last)
{
	const struct curl_slist *next = NULL;
	bool passed = false;

	for (const struct curl_slist *node = headers; node; node = node->next) {
		int order = last ? compare_names(node->data, last->data) : 1;

		if (is_signed(node->data) && (order > 0 || (order == 0 && passed)) &&
		    (!next || compare_names(node->data, next->data) < 0))
			next = node;
		passed |= node == last;
	}
	return next;
}

static void put_name(const char *line, struct buffer *out)
{
	struct piece name = piece_until(line, ":;");

	for (size_t i = 0; i < name.size; i++) {
		char c = name.at[i];

		c = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
		buffer_append(out, &c, 1);
	}
}

/* Without blanks at its ends, and with one for several. */
static void put_value(const char *line, struct buffer *out)
{
	const char *at = line + strcspn(line, ":;") + 1;
	bool begun = false;

	while (*(at += strspn(at, " \t"))) {
		struct piece word = piece_until(at, " \t");

		buffer_text(out, begun ? " " : "");
		buffer_append(out, word.at, word.size);
		at += word.size;
		begun = true;
	}
}

static void put_headers(const struct curl_slist *headers, struct buffer *out)
{
	for (const struct curl_slist *node = NULL; (node = next_header(headers, node));) {
		put_name(node->data, out);
		buffer_text(out, ":");
		put_value(node->data, out);
		buffer_text(out, "\n");
	}
}

static void put_names(const struct curl_slist *headers, struct buffer *out)
{
	const struct curl_slist *last = NULL;

	for (const struct curl_slist *node; (node = next_header(headers, last)); last = node) {
		buffer_text(out, last ? ";" : "");
		put_name(node->data, out);
	}
}

/* ---- The signature ---- */

static void put_hash(const void *data, size_t size, struct buffer *out)
{
	char text[SHA256_TEXT_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_add(&hash, data, size);
	sha256_done(&hash, digest);
	sha256_text(digest, text);
	buffer_text(out, text);
}

static void put_request(const struct aws_request *request, const struct curl_slist *headers,
			struct buffer *out)
{
	buffer_text(out, "POST\n");
	put_path(request->url, out);
	buffer_text(out, "\n");
	put_query(request->url, out);
	buffer_text(out, "\n");
	put_headers(headers, out);
	buffer_text(out, "\n");
	put_names(headers, out);
	buffer_text(out, "\n");
	put_hash(request->body, request->size, out);
}

static void put_scope(const struct aws_credentials *credentials, const char *time, struct buffer *out)
{
	buffer_append(out, time, DATE_DIGITS);
	buffer_text(out, "/");
	buffer_text(out, credentials->region);
	buffer_text(out, "/");
	buffer_text(out, credentials->service);
	buffer_text(out, "/aws4_request");
}

/* By a key that is good for that day, region and service alone. */
static void put_signature(const struct aws_credentials *credentials, const char *time,
			  const struct buffer *what, struct buffer *out)
{
	const struct piece steps[] = {
		{ time, DATE_DIGITS },
		{ credentials->region, strlen(credentials->region) },
		{ credentials->service, strlen(credentials->service) },
		{ "aws4_request", strlen("aws4_request") },
		{ what->data, what->size },
	};
	char text[SHA256_TEXT_SIZE];
	struct buffer secret = { 0 };
	uint8_t key[SHA256_SIZE];

	buffer_text(&secret, "AWS4");
	buffer_text(&secret, credentials->secret_key);
	out->failed |= secret.failed || what->failed;
	if (!out->failed) {
		sha256_hmac(secret.data, secret.size, steps[0].at, steps[0].size, key);
		for (size_t i = 1; i < sizeof(steps) / sizeof(*steps); i++)
			sha256_hmac(key, sizeof(key), steps[i].at, steps[i].size, key);
		sha256_text(key, text);
		buffer_text(out, text);
	}
	explicit_bzero(key, sizeof(key));
	if (secret.data)
		explicit_bzero(secret.data, secret.size);
	buffer_done(&secret);
}

/* With the two headers that are not among the target's. */
static void sign(const struct aws_credentials *credentials, const struct aws_request *request,
		 const char *time, struct buffer *lines)
{
	char date_line[sizeof(DATE_PREFIX) + TIME_SIZE];
	struct buffer host_line = { 0 }, whole = { 0 }, what = { 0 };
	struct piece host = host_of(request->url);
	struct curl_slist date = { date_line, (struct curl_slist *)request->headers };
	struct curl_slist first = { NULL, &date };

	snprintf(date_line, sizeof(date_line), DATE_PREFIX "%s", time);
	buffer_text(&host_line, HOST_PREFIX);
	buffer_append(&host_line, host.at, host.size);
	buffer_append(&host_line, "", 1);
	first.data = host_line.failed ? date_line : host_line.data;
	put_request(request, &first, &whole);
	buffer_text(&what, "AWS4-HMAC-SHA256\n");
	buffer_text(&what, time);
	buffer_text(&what, "\n");
	put_scope(credentials, time, &what);
	buffer_text(&what, "\n");
	if (!whole.failed)
		put_hash(whole.data, whole.size, &what);

	buffer_append(lines, date_line, strlen(date_line) + 1);
	buffer_text(lines, "Authorization: AWS4-HMAC-SHA256 Credential=");
	buffer_text(lines, credentials->access_key);
	buffer_text(lines, "/");
	put_scope(credentials, time, lines);
	buffer_text(lines, ", SignedHeaders=");
	put_names(&first, lines);
	buffer_text(lines, ", Signature=");
	lines->failed |= host_line.failed || whole.failed;
	put_signature(credentials, time, &what, lines);
	buffer_append(lines, "", 1);
	/* They may hold the session's token. */
	if (whole.data)
		explicit_bzero(whole.data, whole.size);
	buffer_done(&host_line);
	buffer_done(&whole);
	buffer_done(&what);
}

void aws_sigv4_sign(const struct aws_credentials *credentials, const struct aws_request *request,
		    int64_t wall_usec, struct buffer *lines)
{
	time_t seconds = (time_t)(wall_usec / USEC_PER_SEC);
	char time[TIME_SIZE];
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) || strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &parts) == 0)
		lines->failed = true;
	else
		sign(credentials, request, time, lines);
}
