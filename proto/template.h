/* Rendering: placeholders `{{name}}`, inner blanks allowed, names of letters, digits, underscore. */
#pragma once

#include <json.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault.h"

/* Calls `found` for each placeholder in the text, in order, repeated ones too. */
int template_scan(const char *text, int (*found)(void *userdata, const char *name, size_t size),
		  void *userdata);

/* The distinct placeholders of all messages, in the order of their first appearance. */
int template_placeholders(const struct ellu_message *const *messages, size_t n_messages,
			  struct arena *arena, const char *const **ret_names, size_t *ret_n_names);

/* Fills placeholders from `values`; non-strings are rendered as JSON, extra values ignored. A
 * missing or null value is InvalidParameter with the placeholder's name as the parameter. What
 * takes more than RENDERED_BYTES_MAX, all messages together, is TooLarge before it is made, with
 * the placeholder that goes beyond as the fault's field. */
int template_render(const char *text, json_object *values, struct arena *arena,
		    const char **ret_text, struct fault *fault);

int template_render_messages(const struct ellu_message *const *messages, size_t n_messages,
			     json_object *values, struct arena *arena,
			     const struct ellu_message *const **ret_messages, struct fault *fault);
