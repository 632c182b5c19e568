/* Forms with files, multipart/form-data, as clients upload rows: pure. */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "proto/fault/fault.h"

/* The content of the field of that name. 0; -EBADMSG: the body is no such form; -ENOENT: the form has no
 * such field. `content_type` is that of the body. */
int multipart_find(const char *content_type, const char *body, size_t size, const char *field,
		   const char **ret_data, size_t *ret_size);

/* Lines with a JSON object each, as a list; blank ones are none. 0, or the fault's code, which names the
 * line. */
int json_lines_read(const char *text, size_t size, json_object **ret_list, struct fault *fault);
