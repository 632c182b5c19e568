/*
 * The request layer of HTTP: heads, targets, queries and chunked bodies out of any bytes. The first byte
 * says in what pieces a body comes. What is accepted must say clearly where the request ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/http/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void try_query(char *query)
{
	char *name, *value;
	int r;

	while ((r = http_query_next(&query, &name, &value)) > 0)
		require(name && value);
}

static void check_head(struct http_head *head)
{
	require(head->path[0] == '/' && head->host && head->n_headers <= HTTP_HEADERS_MAX);
	require(head->content_length >= 0 && !(head->chunked && head->content_length));
	require(!head->chunked || !http_header(head, "content-length"));
	for (size_t i = 0; i < head->n_headers; i++) {
		require(!strpbrk(head->headers[i].name, " \t\r\n:"));
		require(!strpbrk(head->headers[i].value, "\r\n"));
	}
	(void)http_header_lists(http_header(head, "accept"), "text/event-stream");
	try_query(head->query);
	(void)http_unescape(head->path, false);
}

/* The same bytes say the same, in whatever pieces they come. */
static void try_chunks(const uint8_t *data, size_t size, size_t slice)
{
	struct http_chunks chunks = { 0 }, whole = { 0 };
	size_t kept, used, total = 0, whole_kept;
	char *copy = malloc(size + 1), *body = malloc(size + 1), *piece = malloc(slice);
	int r = 0, whole_r;

	for (size_t at = 0; at < size && r == 0; at += used) {
		size_t n = size - at < slice ? size - at : slice;

		memcpy(piece, data + at, n);
		r = http_chunks_take(&chunks, piece, n, &kept, &used);
		require(kept <= n && used <= n && (r != 0 || used == n));
		memcpy(body + total, piece, kept);
		total += kept;
	}
	memcpy(copy, data, size);
	whole_r = http_chunks_take(&whole, copy, size, &whole_kept, &used);
	require(whole_r == r && whole_kept == total && memcmp(copy, body, total) == 0);
	free(copy);
	free(body);
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_refusal refusal = { 0 };
	struct http_head head;
	size_t scanned = 0, end = 0;
	char *text;

	if (size < 2)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	for (size_t n = 1; n < size && !end; n++)
		end = http_head_end(text, n, &scanned);
	if (end) {
		if (http_head_parse(text, end, &head, &refusal) == 0)
			check_head(&head);
		else
			require(refusal.status >= 400 && refusal.status < 600 && refusal.reason);
	}
	free(text);
	if (end)
		try_chunks(data + 1 + end, size - 1 - end, data[0] + 1u);
	return 0;
}
