/*
 * UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of two texts that may be absent: NULL is like NULL alone. */
static inline bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Bytes of the character at `text`, its code in *ret_code; 0 when it is not valid. */
size_t utf8_next(const char *text, size_t size, uint32_t *ret_code);

/* C0, DEL or C1: what might command a terminal. */
bool utf8_is_control(uint32_t code);

/* True when all is valid; otherwise *ret_offset (may be NULL) says where it is not. */
bool utf8_valid(const char *text, size_t size, size_t *ret_offset);

/* Number of characters; invalid bytes count one each. */
size_t utf8_length(const char *text, size_t size);

/* The largest length of at most `limit` bytes that cuts no character. */
size_t utf8_cut(const char *text, size_t size, size_t limit);

/* A copy where each NUL and each invalid sequence is U+FFFD, NUL-terminated; free() it.
 * *ret_replaced counts them. -ENOMEM. */
int utf8_clean(const char *text, size_t size, char **ret_text, size_t *ret_size,
	       size_t *ret_replaced);
