/*
 * Images and documents inside of messages: what of them a dialect can say, and what dialects say
 * alike. Whoever asks looks at the messages first (llm_target_check()), so that what writes a
 * request finds only what its dialect has bits for, and a media type with all data.
 */
#pragma once

#include "daemon/backend/call.h"
#include "daemon/backend/wire/buffer.h"

enum media_forms {
	MEDIA_IMAGE_DATA = 1 << 0,
	MEDIA_IMAGE_URL = 1 << 1,
	MEDIA_PDF_DATA = 1 << 2,
	MEDIA_DOCUMENT_DATA = MEDIA_PDF_DATA | 1 << 3, // of whatever type
	MEDIA_DOCUMENT_URL = 1 << 4,
	MEDIA_ALL = MEDIA_IMAGE_DATA | MEDIA_IMAGE_URL | MEDIA_DOCUMENT_DATA | MEDIA_DOCUMENT_URL,
};

/* What it says, or what its data begins with tells; NULL: neither does. */
const char *media_type(const struct ellu_media *media);

/* As a JSON string: the URL, or the data as one, `data:TYPE;base64,…`. */
void media_put_url(const struct ellu_media *media, struct buffer *body);

/* `,"NAME":VALUE` behind what is there. */
void media_put(const char *name, const char *value, struct buffer *body);
