/*
 * How standard output is written: in which format, on a terminal, through a pager, into a file or a pipe,
 * and what its colours mean. Set once, before a command runs.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct arguments;

enum format {
	FORMAT_TABLE,
	FORMAT_JSON,
	FORMAT_JSONL, // of a list: an item a line
	FORMAT_CSV,
	FORMAT_MD,
	FORMAT_HTML, // of reports alone, and so is the next
	FORMAT_JUNIT,
	_FORMAT_MAX,
};

#define FORMAT_NAMES "table json jsonl csv md html junit" // in this order

enum meaning {
	MEANING_NONE,
	MEANING_TITLE,
	MEANING_GOOD,
	MEANING_WARNING,
	MEANING_BAD,
	_MEANING_MAX,
};

struct output {
	enum format format;
	bool header; // of tables and CSV
	bool terminal; // that is where it is read, if through a pager
	bool color;
	int width; // of lines, where longer ones are cut; 0: nowhere
	bool flat; // a row of a table is never more than a line
};

extern struct output output; // standard output
extern struct output error_output; // standard error; never more than lines

/* Into the file at `path` where that is one, whose name says the format unless an option does. 0, or negative
 * where it cannot be opened. */
int output_open(const struct arguments *arguments, const char *path);

/* As --format says, or what the file is called. */
enum format output_format_of(const struct arguments *arguments, const char *path);

/* What follows is read through the pager, where there is a terminal. */
void output_page(void);

/* Hands over what was printed. 0, or the exit status; that it could not be written is said in the end. */
int output_flush(void);

/* The same at the end, and waits for the pager; `keep`: the file takes its place, with `unless_empty` only if
 * something was printed. 0, or negative: what was printed did not all get out. */
int output_close(bool keep, bool unless_empty);

/* A document, or a document a line. */
bool output_is_json(void);
bool output_is_data(void); // that, or CSV: what programs read

/* Before and after lines that stay lines in Markdown; nothing in other formats. Longer than what an answer has. */
void output_fence(FILE *out);

/* What begins a text that has this meaning, and what ends it: "" without colours. */
const char *meaning_on(const struct output *output, enum meaning meaning);
const char *meaning_off(const struct output *output, enum meaning meaning);

/* Of the status of a task. */
enum meaning meaning_of_status(const char *status);
