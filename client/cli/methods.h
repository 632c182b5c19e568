/* What the command makes of the interface: its methods by their short names, and what their requests are about. */
#pragma once

#include "proto/wire/method.h"

/* The method of the interface, by its short name. */
const struct method *method_named(const char *name);

/* The method that lists a project's resources of that type, by name. Or NULL. */
const struct method *method_that_lists(const char *resource_type);

/* The field that the operand of a command stands for: an `id`, or the first reference. Or NULL. */
const struct record_field *method_operand(const struct method *method);
/* The field that says the id where `field` says the name: `project_id` beside `project`. Or NULL. */
const struct record_field *method_id_beside(const struct method *method, const struct record_field *field);
/* The field whose content a method makes or changes: a record of its own. Or NULL. */
const struct record_field *method_content(const struct method *method);
/* A thing that exists, or the content of one. */
bool field_is_ref_or_content(const struct record_field *field);
