/* Requests that the tables of the interface make: whatever method there is, one that it takes. */
#pragma once

#include "proto/record/record.h"

/* A value that the field takes. */
const char *request_value(const struct record_field *field);
/* All that the type must have, without the member `but` (or NULL). */
const char *request_record(const struct record_type *type, const char *but);
/* The same with a member more, which takes the place of what excludes it. */
const char *request_with(const struct record_type *type, const char *name, const char *value);
/* Whether a record must have it. */
bool request_needs(const struct record_field *field);
