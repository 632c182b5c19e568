#include "daemon/front/http/http_head.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proto/text/utf8.h"

#define LENGTH_DIGITS_MAX 15
#define CHUNK_DIGITS_MAX 8
#define CHUNK_LINE_MAX 256 // extensions, which mean nothing to us

static int refuse(struct http_refusal *refusal, int status, const char *reason)
{
	*refusal = (struct http_refusal){ status, reason };
	return -EBADMSG;
}

/* ---- Characters ---- */

static bool is_token(unsigned char c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_visible(unsigned char c)
{
	return c > 0x20 && c < 0x7f;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static int hex_digit(unsigned char c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* ---- The head ---- */

size_t http_head_end(const char *text, size_t size, size_t *scanned)
{
	size_t at = *scanned > 3 ? *scanned - 3 : 0;
	const char *end = size > at ? memmem(text + at, size - at, "\r\n\r\n", 4) : NULL;

	*scanned = size;
	return end ? (size_t)(end - text) + 4 : 0;
}

/* Cuts the line that begins at `*text` off; it ends with CR LF, and has no other control characters than
 * tabs. NULL: it has. */
static char *take_line(char **text, char *end)
{
	char *line = *text;
	char *at = line;

	while (at < end && *at != '\r') {
		unsigned char c = (unsigned char)*at;

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return NULL;
		at++;
	}
	if (end - at < 2 || at[1] != '\n')
		return NULL;
	*at = '\0';
	*text = at + 2;
	return line;
}

enum http_verb http_verb_of(const char *word)
{
	static const struct {
		const char *word;
		enum http_verb verb;
	} verbs[] = {
		{ "GET", HTTP_GET }, { "HEAD", HTTP_HEAD },   { "POST", HTTP_POST },
		{ "PUT", HTTP_PUT }, { "PATCH", HTTP_PATCH }, { "DELETE", HTTP_DELETE },
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].word, word) == 0)
			return verbs[i].verb;
	return HTTP_OTHER;
}

void http_verbs_text(unsigned verbs, char *ret_text, size_t size)
{
	static const struct {
		enum http_verb verb;
		const char *word;
	} words[] = {
		{ HTTP_GET, "GET" }, { HTTP_HEAD, "HEAD" },   { HTTP_POST, "POST" },
		{ HTTP_PUT, "PUT" }, { HTTP_PATCH, "PATCH" }, { HTTP_DELETE, "DELETE" },
	};
	size_t used = 0;

	*ret_text = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && used < size; i++)
		if (verbs & words[i].verb)
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "",
						 words[i].word);
}

/* A segment that leads elsewhere than it says. */
static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/.")); at++) {
		size_t dots = strspn(at + 1, ".");

		if (dots <= 2 && (at[1 + dots] == '/' || at[1 + dots] == '\0'))
			return true;
	}
	return false;
}

static int parse_target(char *target, struct http_head *head, struct http_refusal *refusal)
{
	if (target[0] != '/')
		return refuse(refusal, 400, "the target is not a path");
	for (const char *at = target; *at; at++)
		if (!is_visible((unsigned char)*at) || *at == '#')
			return refuse(refusal, 400, "the target has a character that must be escaped");
	head->path = target;
	head->query = strchr(target, '?');
	if (head->query)
		*head->query++ = '\0';
	return climbs(head->path) ? refuse(refusal, 400, "the path has a segment of dots") : 0;
}

static int parse_request_line(char *line, struct http_head *head, struct http_refusal *refusal)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version || target == line || strchr(version + 1, ' '))
		return refuse(refusal, 400, "the first line is not: verb, target, version");
	*target++ = *version++ = '\0';
	for (const char *at = line; *at; at++)
		if (!is_token((unsigned char)*at))
			return refuse(refusal, 400, "the verb is not a word");
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return strncmp(version, "HTTP/", 5) == 0 ?
			       refuse(refusal, 505, "only HTTP/1.1 and HTTP/1.0 are spoken") :
			       refuse(refusal, 400, "the first line has no version");
	head->is_old = version[7] == '0';
	head->verb = http_verb_of(line);
	return parse_target(target, head, refusal);
}

static int parse_header(char *line, struct http_head *head, struct http_refusal *refusal)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (is_blank((unsigned char)line[0]))
		return refuse(refusal, 400, "a header goes on in another line");
	if (!colon || colon == line)
		return refuse(refusal, 400, "a header has no name");
	for (char *at = line; at < colon; at++) {
		if (!is_token((unsigned char)*at))
			return refuse(refusal, 400, "a header's name is not a word");
		*at = (char)tolower((unsigned char)*at);
	}
	if (head->n_headers == HTTP_HEADERS_MAX)
		return refuse(refusal, 431, "too many headers");
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && is_blank((unsigned char)end[-1]))
		*--end = '\0';
	if (!utf8_valid(value, (size_t)(end - value), NULL))
		return refuse(refusal, 400, "a header is not UTF-8");
	head->headers[head->n_headers++] = (struct http_header){ line, value };
	return 0;
}

/* Those that must not come twice: who reads the first and who reads the last would disagree. */
static int check_single(const struct http_head *head, struct http_refusal *refusal)
{
	static const char *const singles[] = { "host", "content-length", "transfer-encoding",
					       "authorization", "x-api-key", "content-type", "origin",
					       "expect", "last-event-id" };

	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++) {
		size_t n = 0;

		for (size_t j = 0; j < head->n_headers; j++)
			n += strcmp(head->headers[j].name, singles[i]) == 0;
		if (n > 1)
			return refuse(refusal, 400, "a header comes twice that may come once");
	}
	return 0;
}

static int read_length(struct http_head *head, const char *text, struct http_refusal *refusal)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits])
		return refuse(refusal, 400, "Content-Length is not a number");
	if (digits > LENGTH_DIGITS_MAX)
		return refuse(refusal, 413, "Content-Length is too large");
	for (; *text; text++)
		head->content_length = head->content_length * 10 + (*text - '0');
	return 0;
}

/* Where the body ends. */
static int read_framing(struct http_head *head, struct http_refusal *refusal)
{
	const char *length = http_header(head, "content-length");
	const char *encoding = http_header(head, "transfer-encoding");
	const char *expect = http_header(head, "expect");
	const char *connection = http_header(head, "connection");

	if (encoding && (length || head->is_old))
		return refuse(refusal, 400, "Transfer-Encoding does not go with the rest");
	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return refuse(refusal, 501, "the only transfer encoding is chunked");
	head->chunked = encoding;
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return refuse(refusal, 417, "only 100-continue can be expected");
	head->expects = expect && !head->is_old;
	head->keeps = head->is_old ? http_header_lists(connection, "keep-alive") :
				     !http_header_lists(connection, "close");
	return length ? read_length(head, length, refusal) : 0;
}

int http_head_parse(char *text, size_t size, struct http_head *ret_head,
		    struct http_refusal *ret_refusal)
{
	char *end = text + size, *line;
	int r;

	*ret_head = (struct http_head){ 0 };
	line = take_line(&text, end);
	if (!line)
		return refuse(ret_refusal, 400, "a line has control characters, or does not end with CR LF");
	r = parse_request_line(line, ret_head, ret_refusal);
	while (r == 0) {
		line = take_line(&text, end);
		if (!line)
			return refuse(ret_refusal, 400,
				      "a line has control characters, or does not end with CR LF");
		if (!line[0])
			break;
		r = parse_header(line, ret_head, ret_refusal);
	}
	if (r == 0)
		r = check_single(ret_head, ret_refusal);
	if (r < 0)
		return r;
	ret_head->host = http_header(ret_head, "host");
	if (!ret_head->host)
		return refuse(ret_refusal, 400, "there is no Host");
	return read_framing(ret_head, ret_refusal);
}

const char *http_header(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n_headers; i++)
		if (strcmp(head->headers[i].name, name) == 0)
			return head->headers[i].value;
	return NULL;
}

bool http_header_lists(const char *value, const char *item)
{
	size_t size = strlen(item);

	while (value && *value) {
		value += strspn(value, " \t,");
		if (strncasecmp(value, item, size) == 0 && strchr(" \t,;", value[size]))
			return true;
		value += strcspn(value, ",");
	}
	return false;
}

/* ---- The target ---- */

int http_unescape(char *text, bool plus)
{
	char *begin = text, *to = text;

	for (; *text; text++) {
		int high, low;

		if (*text != '%') {
			*to++ = *text == '+' && plus ? ' ' : *text;
			continue;
		}
		high = hex_digit((unsigned char)text[1]);
		low = high < 0 ? -1 : hex_digit((unsigned char)text[2]);
		if (low < 0 || high + low == 0)
			return -EBADMSG;
		*to++ = (char)(high << 4 | low);
		text += 2;
	}
	*to = '\0';
	return utf8_valid(begin, (size_t)(to - begin), NULL) ? 0 : -EBADMSG;
}

int http_query_next(char **query, char **ret_name, char **ret_value)
{
	char *name, *value;

	do {
		name = *query;
		if (!name || !*name)
			return 0;
		*query = strchr(name, '&');
		if (*query)
			*(*query)++ = '\0';
	} while (!*name);
	value = strchr(name, '=');
	if (value)
		*value++ = '\0';
	*ret_name = name;
	*ret_value = value ? value : name + strlen(name);
	if (http_unescape(*ret_name, true) < 0 || http_unescape(*ret_value, true) < 0)
		return -EBADMSG;
	return 1;
}

/* ---- Chunks ---- */

enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_END_CR, CHUNK_END_LF };

/* What is in the line of a chunk's size. */
static int take_size(struct http_chunks *chunks, unsigned char c)
{
	int digit = hex_digit(c);

	if (++chunks->line > CHUNK_LINE_MAX)
		return -EBADMSG;
	if (chunks->state == CHUNK_SIZE && digit >= 0) {
		chunks->left = chunks->left << 4 | digit;
		return ++chunks->digits > CHUNK_DIGITS_MAX ? -EBADMSG : 0;
	}
	if (!chunks->digits || (c < 0x20 && c != '\r') || c == 0x7f)
		return -EBADMSG;
	if (c == '\r')
		chunks->state = CHUNK_SIZE_LF;
	else if (chunks->state == CHUNK_SIZE && c != ';')
		return -EBADMSG;
	else
		chunks->state = CHUNK_EXTENSION;
	return 0;
}

/* 1: that was the end. */
static int take_end(struct http_chunks *chunks, unsigned char c)
{
	static const unsigned char wanted[] = { [CHUNK_SIZE_LF] = '\n', [CHUNK_CR] = '\r',
						[CHUNK_LF] = '\n', [CHUNK_END_CR] = '\r',
						[CHUNK_END_LF] = '\n' };
	int state = chunks->state;

	if (c != wanted[state])
		return -EBADMSG; // also what follows the last chunk: trailers mean nothing here
	if (state == CHUNK_END_LF)
		return 1;
	chunks->state = state == CHUNK_SIZE_LF ? (chunks->left ? CHUNK_DATA : CHUNK_END_CR) :
			state == CHUNK_CR      ? CHUNK_LF :
			state == CHUNK_END_CR  ? CHUNK_END_LF :
						 CHUNK_SIZE;
	chunks->line = chunks->digits = 0;
	return 0;
}

int http_chunks_take(struct http_chunks *chunks, char *data, size_t size, size_t *ret_size,
		     size_t *ret_used)
{
	size_t at = 0, kept = 0;
	int r = 0;

	while (r == 0 && at < size) {
		if (chunks->state == CHUNK_DATA) {
			size_t n = size - at;

			if ((int64_t)n > chunks->left)
				n = (size_t)chunks->left;
			memmove(data + kept, data + at, n);
			kept += n;
			at += n;
			chunks->left -= (int64_t)n;
			if (!chunks->left)
				chunks->state = CHUNK_CR;
		} else if (chunks->state == CHUNK_SIZE || chunks->state == CHUNK_EXTENSION) {
			r = take_size(chunks, (unsigned char)data[at++]);
		} else {
			r = take_end(chunks, (unsigned char)data[at++]);
		}
	}
	*ret_size = kept;
	*ret_used = at;
	return r;
}
