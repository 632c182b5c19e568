/* What patterns are made into (regex_program.c), for who runs it (regex.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/text/regex_limits.h"
#include "proto/text/utf8.h"

enum op {
	OP_CHAR,
	OP_CLASS,
	OP_SPLIT,
	OP_JUMP,
	OP_BEGIN,
	OP_END,
	OP_WORD_EDGE,
	OP_NO_WORD_EDGE,
	OP_MATCH,
};

/* Where it goes is relative, so that a piece of a program can be moved and copied. */
struct instruction {
	enum op op;
	int32_t a; // a character; the number of a class; where to
	int32_t b; // the character in its other case; where else to
};

struct range {
	uint32_t low, high;
};

/* ASCII is looked up, negated and in both cases already; beyond are the ranges, as written. */
struct class {
	uint32_t ascii[4];
	int first_range, n_ranges;
	bool negated;
};

struct regex_program {
	struct instruction code[REGEX_CODE_MAX];
	struct class classes[REGEX_CHARS_MAX];
	struct range ranges[REGEX_CHARS_MAX];
	int n, n_classes, n_ranges;
};

/* -EINVAL: *ret_expected says what the pattern is not. */
int regex_parse(const char *pattern, struct regex_program *program, const char **ret_expected);

static inline bool is_letter(uint32_t code)
{
	return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
}

static inline bool is_word(uint32_t code)
{
	return is_letter(code) || (code >= '0' && code <= '9') || code == '_';
}

/* What is no character of UTF-8 is one of its own. */
static inline uint32_t next_code(const char **at)
{
	uint32_t code = 0xfffd;
	size_t length = utf8_next(*at, strnlen(*at, 4), &code);

	*at += length ? length : 1;
	return code;
}

static inline bool ascii_has(const uint32_t ascii[static 4], uint32_t code)
{
	return ascii[code / 32] >> (code % 32) & 1;
}
