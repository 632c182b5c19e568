/* What a message shows beside text: images and documents, from files or where a URL says. */
#pragma once

#include <json.h>

#include "client/cli/view/text.h"

/* Of a file: in base64 it and a text make a request. */
#define ATTACHMENT_BYTES_MAX (3u * 1024 * 1024)

/* Adds a part to `parts`: `kind` is `image` or `document`, `place` a file or a URL. -EINVAL with a
 * complaint, -ENOMEM. */
int attachment_add(json_object *parts, const char *kind, const char *place, struct complaint *complaint);
