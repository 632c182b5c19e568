/*
 * The annotations in comments: constraints behind a field, keys above a type, method or error.
 * Their form is described at the top of proto/interface/common.varlink.
 */
#pragma once

#include "proto/idl/model.h"

/* What the comment lines above a member say, docs and keys apart. */
struct idl_notes {
	char *doc;
	const char *file;
	int line; // of the last comment
	struct idl_choices choices;
	char *access;
	char *replies;
	bool safe;
	bool idempotent;
	char *number;
	char *http;
	char *since;
};

void notes_clear(struct idl_notes *notes);
void notes_add(struct idl_notes *notes, const char *file, int line, const char *comment);

/* Reads the comment behind a field; dies on what it does not know. */
void constraint_parse(const struct idl_interface *interface, struct idl_field *field,
		      const char *comment);

/* A comment `enum NAME: VALUE...`: an enumeration for the fields behind it, or more of its values.
 * False: it is none. */
bool enumeration_parse(struct idl_interface *interface, const char *file, int line,
		       const char *comment);
/* Dies when the field's constraints do not fit its type or each other; says then whether it is plain. */
void constraint_check(struct idl_field *field);
