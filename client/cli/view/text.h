/*
 * Text for people: what is wrong and where, numbers, times. Whatever came from elsewhere is printed
 * without control characters, so that no answer of a model can command the terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What is wrong with something that the user gave, to be printed: what and where. */
struct complaint {
	char text[1000];
};

/* Writes the text, replacing control characters. Returns -EINVAL, for `return complain(…)`. */
__attribute__((format(printf, 2, 3))) int complain(struct complaint *complaint, const char *format,
						   ...);

/* Prints text with control characters replaced; line breaks stay. */
void text_print(FILE *out, const char *text);

/* The same, with other words in the place of some characters (NULL: as they are); control characters are
 * replaced where it is guarded. */
void text_escape(FILE *out, const char *text, const char *(*escape)(char c), bool guarded);

/* One of the words in `list`, between which there are blanks; where it is NULL, any. */
bool text_is_listed(const char *list, const char *word);

/* Whether it ends so, and begins with something else. */
bool text_ends(const char *text, const char *with);

/* Makes a single line of it: control characters become blanks. */
void text_flatten(char *text);

/* The bytes of at most `width` columns. */
size_t text_cut(const char *text, int width);

/* Prints what a line of `width` columns (0: however long) has room for, and dots where that is not all. */
void text_print_line(FILE *out, const char *text, int width);

/* Columns that text takes on a terminal. */
int text_width(const char *text);

/* Prints text of our own that begins at that column, in lines of at most `width` (0: as it is), which are broken at
 * blanks and all begin there. */
void text_wrap(FILE *out, const char *text, int column, int width);

/* Columns of the terminal behind `file`, or 0 when it is none. */
int terminal_width(FILE *file);
int terminal_lines(FILE *file); // of a terminal

/* Adds to a text as much as its buffer has room for. */
__attribute__((format(printf, 3, 4))) void text_append(char *text, size_t size, const char *format, ...);

/* "1,234,567" in a buffer of at least 32 bytes, which is returned. */
const char *number_text(char *buffer, int64_t number);

/* "2026-01-31 12:00:00", local time, in a buffer of at least 32 bytes, which is returned. */
const char *time_local_text(char *buffer, int64_t usec);

/* "0.5 s", "2:05", "1:02:05" in a buffer of at least 32 bytes, which is returned. */
const char *duration_text(char *buffer, double seconds);

/* Line and column (in characters) of an offset, both from 1. */
void text_position(const char *text, size_t offset, int *ret_line, int *ret_column);
