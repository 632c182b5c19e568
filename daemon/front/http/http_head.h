/*
 * What a request says: the head, parsed strictly, and the chunks of a body. Whatever another reader of
 * the same bytes may take for something else (blanks before a colon, folded lines, bare line ends, a
 * length twice or beside chunks, other encodings) is refused, so that nothing can be smuggled past a proxy.
 * Pure: no sockets, no state but what is handed in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384 // bytes, with the empty line
#define HTTP_HEADERS_MAX 100

enum http_verb {
	HTTP_GET = 1 << 0,
	HTTP_HEAD = 1 << 1,
	HTTP_POST = 1 << 2,
	HTTP_PUT = 1 << 3,
	HTTP_PATCH = 1 << 4,
	HTTP_DELETE = 1 << 5,
	HTTP_OTHER = 1 << 6, // nothing is served by it
};

struct http_header {
	const char *name; // in lower case
	const char *value; // without blanks around it
};

/* Points into the text it was parsed of. */
struct http_head {
	enum http_verb verb;
	char *path; // as it came, from the first slash on
	char *query; // as it came, without the question mark; or NULL
	const char *host;
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t n_headers;
	int64_t content_length; // 0 without one
	bool chunked;
	bool keeps; // the connection, for further requests
	bool expects; // to be told to go on
	bool is_old; // HTTP/1.0: no chunks
};

/* Why a request is refused. */
struct http_refusal {
	int status; // of HTTP
	const char *reason; // constant
};

/* The size of the head that `text` begins with; 0: it has not ended. `*scanned` is where the last look
 * ended; 0 before the first. */
size_t http_head_end(const char *text, size_t size, size_t *scanned);
/* Changes the text. 0, or -EBADMSG with the refusal. */
int http_head_parse(char *text, size_t size, struct http_head *ret_head,
		    struct http_refusal *ret_refusal);
enum http_verb http_verb_of(const char *word);
/* "GET, HEAD" */
void http_verbs_text(unsigned verbs, char *ret_text, size_t size);
/* NULL: there is none. `name` in lower case. */
const char *http_header(const struct http_head *head, const char *name);
/* Whether a header that lists things has this one. */
bool http_header_lists(const char *value, const char *item);

/* Decodes %XX in place; `plus` says that + is a blank. -EBADMSG: no hexadecimal digits, a NUL, or what is no
 * UTF-8. */
int http_unescape(char *text, bool plus);
/* The next `name=value` of a query, unescaped. 1, 0 at the end, -EBADMSG. `*query` goes on. */
int http_query_next(char **query, char **ret_name, char **ret_value);

/* ---- Chunks ---- */

struct http_chunks {
	int state;
	int64_t left; // of the chunk
	size_t line; // bytes of a line so far
	unsigned digits;
};

/* Takes chunks out of `size` bytes: what they hold is moved to the front, `*ret_size` bytes; `*ret_used`
 * are those that were looked at. 1: the last one was there; 0: more must come; -EBADMSG. */
int http_chunks_take(struct http_chunks *chunks, char *data, size_t size, size_t *ret_size,
		     size_t *ret_used);
