/*
 * Text for people: aligned columns, numbers, times. Whatever came from elsewhere is printed
 * without control characters, so that no answer of a model can command the terminal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table;

/* A title that starts with '>' aligns its column to the right. The titles end with NULL. */
struct table *table_new(const char *const *titles);

/* The next cell, row by row; NULL is an empty one. Without memory the table prints nothing. */
void table_text(struct table *table, const char *text);
__attribute__((format(printf, 2, 3))) void table_printf(struct table *table, const char *format,
							...);
void table_time(struct table *table, int64_t usec);

/* On a terminal the last column is cut at its edge. */
void table_print(const struct table *table, FILE *out, bool color);

/* The same for a terminal that is `width` columns wide; 0: nothing is cut. */
void table_print_within(const struct table *table, FILE *out, bool color, int width);

struct table *table_free(struct table *table); // accepts NULL, returns NULL

bool text_is_control(uint32_t code);

/* Prints text with control characters replaced; line breaks stay. */
void text_print(FILE *out, const char *text);

/* Makes a single line of it: control characters become blanks. */
void text_flatten(char *text);

/* The bytes of at most `width` columns. */
size_t text_cut(const char *text, int width);

/* Columns that text takes on a terminal. */
int text_width(const char *text);

/* Columns of the terminal behind `file`, or 0 when it is none. */
int terminal_width(FILE *file);

/* "1,234,567" in a buffer of at least 32 bytes, which is returned. */
const char *number_text(char *buffer, int64_t number);

/* "2026-01-31 12:00:00", local time, in a buffer of at least 32 bytes, which is returned. */
const char *time_local_text(char *buffer, int64_t usec);

/* "0.5 s", "2:05", "1:02:05" in a buffer of at least 32 bytes, which is returned. */
const char *duration_text(char *buffer, double seconds);
