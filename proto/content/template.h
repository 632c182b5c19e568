/* Rendering: placeholders `{{name}}`, inner blanks allowed, names of letters, digits, underscore. */
#pragma once

#include <json.h>
#include <stdbool.h>

#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

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

/* ---- What a row brings itself ----
 *
 * A column of type `conversation` holds messages, one of type `raw_input` a text that a user says.
 * Nothing in them is a placeholder. */

bool column_is_input(const char *type);

/* InvalidParameter of `path`, or of a field below it, or Internal without memory. */
int conversation_check(json_object *value, const char *path, struct fault *fault);

struct prompt {
	const struct ellu_prompt_template *template; // NULL: none
	const char *input; // such a column, whose messages follow the template's; NULL: none
	bool literal; // it is a `raw_input`
};

static inline bool prompt_is_empty(const struct prompt *prompt)
{
	return !prompt->template && !prompt->input;
}

/* A template that has the column for a placeholder says itself where it goes. Faults as those above;
 * a row without a value in the column is InvalidParameter of its name. */
int prompt_render(const struct prompt *prompt, json_object *values, struct arena *arena,
		  const struct ellu_message *const **ret_messages, size_t *ret_n_messages,
		  struct fault *fault);
