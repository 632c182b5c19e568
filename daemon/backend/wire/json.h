/*
 * What a provider sent, read where it lies: values point into the text, of which nothing is copied.
 * Texts are decoded in place when somebody wants them. What is no JSON by the letter, but json-c
 * understands it, is read as that writes it.
 *
 * A zeroed reader is valid. Values live until it reads again, and as long as the text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* Where one stands in the text; a text without its quotes. */
struct json_piece {
	char *at;
	uint32_t size;
	bool escaped; // still
};

struct json_value {
	enum json_kind kind;
	uint32_t span; // how many values it is, with all that are in it: they follow it
	struct json_piece name; // of a member
	struct json_piece piece;
};

#define JSON_READ_VALUES_MAX (256u * 1024) // of a text

struct json_reader {
	struct json_value *values;
	size_t n_values, capacity;
	char *rewritten; // by json-c
	size_t n_rewritten; // values, about; whoever begins another answer resets it
};

void json_reader_done(struct json_reader *reader);

/* What came with all that is no UTF-8 replaced, of which json-c would pass it on. *ret_copy is freed by the
 * caller; it stays NULL where nothing was to be done. -ENOMEM. */
int json_clean(char **body, size_t *size, char **ret_copy, size_t *ret_replaced);

/* The one value that the text is. -EBADMSG: it is none; -E2BIG: it holds too many, or that and what
 * was rewritten before it do; -ENOMEM. */
int json_read(struct json_reader *reader, char *text, size_t size, struct json_value **ret_value);

bool json_is(const struct json_value *value, enum json_kind kind); // NULL is nothing
/* The last member of that name, unless it is null; or NULL. */
struct json_value *json_member(struct json_value *object, const char *name);
/* The elements of an array one by one, those that are null too, then NULL. What else there is has
 * none. */
struct json_value *json_first(struct json_value *array);
struct json_value *json_next(struct json_value *array, struct json_value *element);
#define JSON_EACH(element, array)                                                                  \
	for ((element) = json_first(array); (element); (element) = json_next((array), (element)))

/* What a text says, or how any other member or element is written, with a NUL behind it; NULL of
 * none. */
const char *json_words(struct json_value *value);
size_t json_words_size(struct json_value *value); // a text may hold NUL itself
/* Of a text alone, else NULL. */
const char *json_text_member(struct json_value *object, const char *name);
double json_number(const struct json_value *number);
/* How json-c writes it, freed by the caller, or NULL without memory. Nothing in it was asked for. */
char *json_compact(const struct json_value *value);
