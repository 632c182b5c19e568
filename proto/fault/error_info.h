/* Errors of the interfaces as a table, which is generated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/field_kind.h"

struct error_parameter {
	const char *name;
	enum field_kind kind; // FIELD_INT, FIELD_FLOAT or FIELD_STRING
	bool nullable;
};

struct error_info {
	const char *name; // NotFound
	const char *qualified_name;
	const char *dbus_name;
	const char *text; // a sentence
	int code; // ELLU_E_*
	int exit_status;
	int http_status;
	const struct error_parameter *parameters;
	size_t n_parameters;
};

/* Those of the main interface first. */
extern const struct error_info error_infos[];
extern const size_t n_error_infos;

/* Both give NULL for what they do not know. */
const struct error_info *error_find(int code);
/* By qualified name, or the short name of any interface. */
const struct error_info *error_find_name(const char *name);
