/*
 * YAML, as people keep it in a file, read as JSON: mappings, sequences and the scalars that JSON has, by the
 * rules of YAML 1.2 (`no` is a text), with anchors, aliases and merge keys. What stands for more than it
 * says is bounded: aliases count as what they stand for.
 */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/cli/view/text.h"

#define YAML_BYTES_MAX (16u << 20) // with aliases written out; a value counts 64 and its text

struct yaml_place {
	int line, column; // both from 1
};

/* The only document of the text. -EINVAL with where and why, -ENOMEM. */
int yaml_text_parse(const char *text, size_t size, json_object **ret_value, struct yaml_place *ret_place,
		    struct complaint *complaint);

/* Where the field at `path` (`a.b[2].c`) is, or its innermost parent that is there. False when not even the
 * first part is. The text must have parsed. */
bool yaml_text_locate(const char *text, size_t size, const char *path, struct yaml_place *ret_place);
