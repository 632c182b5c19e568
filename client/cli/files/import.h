/*
 * What the parts of `elluminate import` have in common: the configuration and what is made of it, places in
 * it, and what is told of them.
 */
#pragma once

#include <errno.h>
#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "client/cli/files/json_file.h"
#include "client/cli/view/text.h"
#include "proto/arena.h"

#define PATH_SIZE 300
#define SLOTS_MAX 200 // assertions of a test by their kinds
#define RUBRIC "llm_rubric"

/* Where something stands: a path in the configuration, or below a test in a file of its own. */
struct at {
	const char *place; // of that test; NULL: in the configuration
	char path[PATH_SIZE];
};

struct assertion {
	const char *kind; // of a check, or RUBRIC
	const char *value;
	struct at at;
	struct slot *slot;
	struct assertion *next;
};

struct test {
	json_object *row;
	struct assertion *assertions;
	struct test *next;
};

/* The first, second, ... assertion of its kind in the tests. */
struct slot {
	const char *kind;
	unsigned nth;
	unsigned n_tests; // that have it
	const char *value; // of the first of them
	bool differs; // in others
	char column[64]; // where the values stand; "": nowhere
};

struct import {
	struct json_file file;
	json_object *out;
	json_object *templates, *configs, *criteria, *rows, *columns;
	struct assertion *of_all;
	struct test *tests, **last;
	unsigned n_tests;
	struct slot slots[SLOTS_MAX];
	size_t n_slots;
	size_t size; // of the rows
	unsigned n_left;
	size_t n_placeholders; // of the text at hand
	json_object *usual; // variables of all tests
	bool expands; // a list as the value of a variable stands for each of its items
	struct arena arena;
	struct complaint *complaint;
	int error; // the first
};

/* ---- Places, and what is left ---- */

__attribute__((format(printf, 2, 3))) struct at at_below(const struct at *at, const char *format, ...);
const char *import_place(struct import *in, const struct at *at, char *buffer, size_t size);

/* A line of its own on stderr for what has no counterpart. */
__attribute__((format(printf, 3, 4))) void import_leave(struct import *in, const struct at *at,
							const char *format, ...);

/* All members but those of `known`. */
void leave_members(struct import *in, const struct at *at, json_object *object, const char *known);

/* Ends the import. */
void import_fail(struct import *in, int r);
#define REFUSE(in, at, format, ...)                                                                     \
	import_fail(in, complain((in)->complaint, "%s: %s: " format,                                    \
				 import_place(in, at, (char[512]){ 0 }, 512), (at)->path, ##__VA_ARGS__))

/* ---- Values ---- */

static inline void put(struct import *in, json_object *object, const char *name, json_object *value)
{
	if (!value || json_object_object_add(object, name, value) < 0)
		import_fail(in, -ENOMEM);
}

static inline void append(struct import *in, json_object *array, json_object *value)
{
	if (!value || json_object_array_add(array, value) < 0)
		import_fail(in, -ENOMEM);
}

static inline json_object *member(json_object *object, const char *name)
{
	return json_object_is_type(object, json_type_object) ? json_object_object_get(object, name) : NULL;
}

static inline const char *text_in(json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static inline bool is_array(json_object *value)
{
	return json_object_is_type(value, json_type_array);
}

/* A list, or one thing in its place. */
static inline size_t items_of(json_object *value)
{
	return is_array(value) ? json_object_array_length(value) : value != NULL;
}

static inline json_object *item_of(json_object *value, size_t i)
{
	return is_array(value) ? json_object_array_get_idx(value, i) : value;
}

static inline struct at item_at(const struct at *at, json_object *value, size_t i)
{
	return is_array(value) ? at_below(at, "[%zu]", i) : *at;
}

/* The path in `file://PATH`, or NULL. */
static inline const char *file_in(json_object *value)
{
	const char *text = text_in(value);

	return text && strncmp(text, "file://", 7) == 0 ? text + 7 : NULL;
}

static inline bool ends_in(const char *path, const char *endings)
{
	const char *ending = strrchr(path, '.');

	return ending && text_is_listed(endings, ending + 1);
}

/* What the file beside the configuration says; the caller puts it. NULL: it has been said why not. */
json_object *read_beside(struct import *in, const struct at *at, const char *path);

/* Its placeholders become columns; what is more than they stays as it is. */
void import_scan(struct import *in, const struct at *at, const char *text);

/* ---- Parts ---- */

void import_prompts(struct import *in, json_object *prompts);
void import_providers(struct import *in, const char *name, json_object *providers);

/* NULL: it is none that is mapped. */
json_object *import_config(struct import *in, const struct at *at, json_object *from);

/* Cases, and criteria. */
void import_tests(struct import *in, json_object *defaults, json_object *tests);

/* ---- Samples of OpenAI's evals ---- */

/* An experiment file of the samples at `path`, for the caller to put. -EINVAL with a complaint, -ENOMEM. */
int import_samples(const char *path, json_object **ret_file, struct complaint *complaint);
