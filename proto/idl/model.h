/*
 * The parsed interface files: what the emitters read. Everything is checked when idl_parse() has
 * returned: names resolve, constraints fit their types, every method has its access and replies,
 * every error its numbers. An emitter only walks and prints.
 *
 * The model lives until the program ends; nothing in it is freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define EXIT_STATUS_END 126 // from which on shells have theirs

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_TIME, // a string on the wire, microseconds since the epoch in C
	IDL_MONEY, // a string on the wire, nanodollars in C
	IDL_OBJECT, // any JSON object; its text in C
	IDL_STRUCT,
	_IDL_KIND_MAX,
};

enum idl_container {
	IDL_SINGLE,
	IDL_ARRAY,
	IDL_MAP, // [string]string
};

/* Where it stands. */
struct idl_place {
	const char *file;
	int line;
};

struct idl_words {
	char **items;
	size_t n;
};

struct idl_field {
	char *name;
	char *doc; // comment lines above the field joined by '\n'; "" without
	const char *file;
	int line;
	const char *start; // in the file's text
	enum idl_kind kind;
	enum idl_container container;
	bool nullable;
	bool plain; // nullable, and yet no pointer: 0 is no value of it, or its default, so 0 is absent
	char *type_name; // of IDL_STRUCT
	const struct idl_type *type; // of IDL_STRUCT

	bool name_rule;
	bool read_only;
	bool write_only;
	bool unversioned; // a Ref to what has no versions
	bool has_range;
	double low;
	double high;
	bool has_length;
	long length_low;
	long length_high;
	struct idl_words one_of;
	char *enumeration; // whose values `one_of` are, in capitals; NULL: they have no name
	char *since; // the release; NULL: the first
	char *default_text; // as written, valid for the kind; NULL without
};

/* Names of a record's fields, of which so many are given; empty without. */
struct idl_choices {
	struct idl_words exactly_one;
	struct idl_words at_most_one;
	struct idl_words at_least_one;
};

struct idl_record {
	char *name; // in C, without the prefix `ellu_`: `get_task_request`
	struct idl_field *fields;
	size_t n_fields;
	struct idl_choices choices;
};

/* Values that fields share, under a name. */
struct idl_enumeration {
	char *name; // TaskStatus
	struct idl_place place;
	char *upper; // TASK_STATUS
	struct idl_words values;
	int *exits; // of each value: the command's exit status, or -1
	size_t n_exits;
	struct idl_words ephemeral; // those of the values that are
	bool is_used; // so that it has all its values
};

struct idl_type {
	char *name; // LLMConfig
	struct idl_place place;
	char *doc;
	char *since; // the release; NULL: the first
	struct idl_record record;
};

struct idl_method {
	char *name; // GetTask
	struct idl_place place;
	char *snake; // get_task
	char *upper; // GET_TASK
	char *doc;
	char *since; // the release; NULL: the first
	char *access; // anyone, own, self, administrator
	char *replies; // one, late, pages, events
	char *verb; // GET; of HTTP, with the path; NULL: it has none of its own
	char *path; // /tasks/{id}
	bool safe; // it changes nothing
	bool idempotent; // twice is as good as once
	bool is_long; // its answer waits for something, so that it keeps its connection
	bool follows_task; // with `more` it tells of a task until that has ended
	struct idl_record request;
	struct idl_record reply;
};

struct idl_error {
	char *name; // NotFound
	struct idl_place place;
	char *upper; // NOT_FOUND
	char *doc;
	char *since; // the release; NULL: the first
	int number; // the exit status; -(1000 + number) in C
	int http;
	struct idl_record record; // its parameters
};

struct idl_interface {
	char *name; // org.elluminate
	char *snake; // elluminate: the last part of the name
	char *upper;
	char *text; // as it is printed: the files joined, each constraint above its field
	struct idl_enumeration *enumerations;
	size_t n_enumerations;
	struct idl_type *types;
	size_t n_types;
	struct idl_method *methods;
	size_t n_methods;
	struct idl_error *errors;
	size_t n_errors;
};

struct idl_model {
	struct idl_interface *interfaces;
	size_t n_interfaces;
	struct idl_words taken; // functions, types and constants that are there already
};

/* Reads `files` in order. A file that says `interface` starts a new one, the others go on with
 * the one before. A C header (`.h`) declares names that are taken. Prints FILE:LINE: what is wrong,
 * and exits, on anything it does not understand. */
void idl_parse(struct idl_model *model, char *const *files, size_t n_files);

/* TaskStatus as task_status or TASK_STATUS. */
char *name_convert(const char *name, bool upper);

/* Dies when a path is none, or two methods fit one. */
void paths_check(const struct idl_interface *interface);

/* Dies when two things would have one name in C or C++. */
void names_check(const struct idl_model *model);

/* ---- Emitters ---- */

void emit_types(FILE *out, const struct idl_model *model);
void emit_interface_header(FILE *out, const struct idl_model *model);
void emit_interface_source(FILE *out, const struct idl_model *model);
void emit_client_header(FILE *out, const struct idl_model *model);
void emit_model(FILE *out, const struct idl_model *model);
void emit_schema(FILE *out, const struct idl_model *model);
void emit_schema_source(FILE *out, const struct idl_model *model);
void emit_manual(FILE *out, const struct idl_model *model);
void emit_experiment_page(FILE *out, const struct idl_model *model);
void emit_text(FILE *out, const struct idl_model *model); // of the first interface

/* ---- What emitters share ---- */

/* A C comment of `doc` lines at `indent`; nothing for "". */
void emit_doc(FILE *out, const char *indent, const char *doc);
void emit_since(FILE *out, const char *indent, const char *since);
/* `text` as a C string literal, without a line break. */
void emit_string(FILE *out, const char *text);
/* The member of a C record. */
void emit_declaration(FILE *out, const struct idl_field *field, const char *indent);
/* What its type does not say, between the two; nothing where there is nothing. */
void emit_constraints(FILE *out, const struct idl_field *field, bool in_c, const char *before,
		      const char *after);
/* What the forms of methods are called and do. */
extern const char client_manual[];
const char *list_item_type(const struct idl_method *method);
/* Whether an experiment file may say it. */
bool experiment_file_has(const struct idl_field *field);
/* What ends a header that C++ may include. */
void emit_header_end(FILE *out);
