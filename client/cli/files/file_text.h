/*
 * Texts that stand in files of their own: `file:PATH` in the place of messages, of a message's content, and of
 * criteria, where the path is relative to the file that says it.
 */
#pragma once

#include <json.h>

#include "client/cli/view/text.h"

/* What `name` is in the file at `of`; free() it. NULL without memory. */
char *path_beside(const char *of, const char *name);

/* Of what a resource is made of: `messages`, where a text is one of the user, and their contents; `criteria`.
 * -EINVAL with a complaint, -ENOMEM. */
int content_expand(json_object *content, const char *of, struct complaint *complaint);

/* Criteria alone: `file:PATH` is one a line, as an item it is one. Replaces `*value`. */
int criteria_expand(json_object **value, const char *of, struct complaint *complaint);
