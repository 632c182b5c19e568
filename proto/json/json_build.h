/*
 * JSON trees without json-c's own parser: that one, and adding a member, lose memory or follow
 * NULL when an allocation fails.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

/* The tree of a text that json_check() has accepted. -ENOMEM. *ret_json is NULL for `null`. */
int json_build(const char *text, size_t size, json_object **ret_json);

/* Adds a member that is not there yet. Takes the value in any case. -ENOMEM. */
int json_add_member(json_object *object, const char *name, json_object *value);
