#include "tests/sim/http_request.h"

#include <stdint.h>
#include <string.h>

static struct span take_until(struct span *rest, char separator)
{
	const char *end = memchr(rest->data, separator, rest->size);
	struct span taken = { rest->data, end ? (size_t) (end - rest->data) : rest->size };
	size_t skip = taken.size + (end ? 1 : 0);

	rest->data += skip;
	rest->size -= skip;
	return taken;
}

static struct span trimmed(struct span span)
{
	while (span.size > 0 && (*span.data == ' ' || *span.data == '\t')) {
		span.data++;
		span.size--;
	}
	while (span.size > 0 && strchr(" \t\r", span.data[span.size - 1]))
		span.size--;
	return span;
}

struct span http_request_header(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (span_is_nocase(request->headers[i].name, name))
			return request->headers[i].value;
	return (struct span) { NULL, 0 };
}

long http_request_query_number(const struct http_request *request, const char *name, long fallback)
{
	struct span rest = request->query;

	while (rest.size > 0) {
		struct span value = take_until(&rest, '&'), key = take_until(&value, '=');
		long number = 0;

		if (!span_is(key, name) || value.size == 0 || value.size > 9)
			continue;
		for (size_t i = 0; i < value.size; i++) {
			if (value.data[i] < '0' || value.data[i] > '9')
				return fallback;
			number = number * 10 + (value.data[i] - '0');
		}
		return number;
	}
	return fallback;
}

static bool parse_length(struct span value, size_t *ret_length)
{
	size_t length = 0;

	if (value.size == 0 || value.size > 18)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		length = length * 10 + (size_t) (value.data[i] - '0');
	}
	*ret_length = length;
	return true;
}

static bool parse_head(struct span head, struct http_request *request)
{
	struct span line = take_until(&head, '\n'), target, version;

	request->method = take_until(&line, ' ');
	target = take_until(&line, ' ');
	version = trimmed(line);
	/* A proxy is asked for the whole address. */
	if (target.size > 7 && memcmp(target.data, "http://", 7) == 0) {
		const char *path = memchr(target.data + 7, '/', target.size - 7);

		if (!path)
			return false;
		target.size -= (size_t) (path - target.data);
		target.data = path;
	}
	request->path = take_until(&target, '?');
	request->query = target;
	if (request->method.size == 0 || request->path.size == 0 || *request->path.data != '/')
		return false;
	if (!span_is(version, "HTTP/1.1") && !span_is(version, "HTTP/1.0"))
		return false;
	request->keep_alive = span_is(version, "HTTP/1.1");

	while (head.size > 0) {
		struct http_header *header = &request->headers[request->n_headers];

		line = trimmed(take_until(&head, '\n'));
		if (line.size == 0)
			break;
		if (request->n_headers == HTTP_HEADERS_MAX || !memchr(line.data, ':', line.size))
			return false;
		header->name = take_until(&line, ':');
		header->value = trimmed(line);
		request->n_headers++;
	}
	return true;
}

enum http_request_outcome http_request_parse(struct span input, struct http_request *ret_request)
{
	const char *end = input.size > 0 ? memmem(input.data, input.size, "\r\n\r\n", 4) : NULL;
	struct span head = { input.data, end ? (size_t) (end - input.data) + 4 : 0 }, value;
	struct http_request *request = ret_request;
	size_t length = 0;

	if (!end)
		return input.size > HTTP_HEAD_SIZE_MAX ? HTTP_REQUEST_TOO_LARGE :
							 HTTP_REQUEST_HEAD_INCOMPLETE;
	request->n_headers = 0;
	request->body = (struct span) { NULL, 0 };
	request->head_size = head.size;
	if (!parse_head(head, request))
		return HTTP_REQUEST_MALFORMED;

	value = http_request_header(request, "Connection");
	if (value.data)
		request->keep_alive = !span_is_nocase(value, "close") &&
				      (request->keep_alive || span_is_nocase(value, "keep-alive"));
	request->expect_continue =
		span_is_nocase(http_request_header(request, "Expect"), "100-continue");
	value = http_request_header(request, "Content-Length");
	if (http_request_header(request, "Transfer-Encoding").data)
		return HTTP_REQUEST_LENGTH_REQUIRED;
	if (value.data && !parse_length(value, &length))
		return HTTP_REQUEST_MALFORMED;
	if (length > HTTP_BODY_SIZE_MAX)
		return HTTP_REQUEST_TOO_LARGE;
	request->total_size = head.size + length;
	if (input.size < request->total_size)
		return HTTP_REQUEST_BODY_INCOMPLETE;
	request->body = (struct span) { input.data + head.size, length };
	return HTTP_REQUEST_COMPLETE;
}
