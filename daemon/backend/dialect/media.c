#include "daemon/backend/dialect/media.h"

#include <stdio.h>
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/target.h"

#define PDF "application/pdf"

/* Base64 of the first bytes. */
static const struct {
	const char *begins, *type;
} types[] = {
	{ "iVBORw0KGgo", "image/png" }, { "/9j/", "image/jpeg" },  { "R0lGODdh", "image/gif" },
	{ "R0lGODlh", "image/gif" },	 { "UklGR", "image/webp" }, { "JVBERi", PDF },
};

const char *media_type(const struct ellu_media *media)
{
	if (media->media_type)
		return media->media_type;
	for (size_t i = 0; media->data && i < sizeof(types) / sizeof(types[0]); i++)
		if (strncmp(media->data, types[i].begins, strlen(types[i].begins)) == 0)
			return types[i].type;
	return NULL;
}

void media_put_url(const struct ellu_media *media, struct buffer *body)
{
	if (media->url) {
		buffer_json(body, media->url);
		return;
	}
	buffer_text(body, "\"data:");
	buffer_text(body, media_type(media));
	buffer_text(body, ";base64,");
	buffer_text(body, media->data);
	buffer_text(body, "\"");
}

void media_put(const char *name, const char *value, struct buffer *body)
{
	buffer_text(body, ",\"");
	buffer_text(body, name);
	buffer_text(body, "\":");
	buffer_json(body, value);
}

/* ---- What can be shown ---- */

struct place {
	const struct dialect *dialect;
	size_t message, part;
	const char *what; // the part's member
};

static int say(const struct place *place, int code, const char *member, const char *expected,
	       struct fault *fault)
{
	char path[sizeof(fault->field)];

	snprintf(path, sizeof(path), "messages[%zu].parts[%zu].%s%s%s", place->message, place->part,
		 place->what, *member ? "." : "", member);
	if (code == ELLU_E_INVALID_PARAMETER)
		return fault_invalid(fault, path, "%s", expected);
	fault_set(fault, code, "%s: the provider %s does not take %s", path, place->dialect->name, expected);
	snprintf(fault->field, sizeof(fault->field), "%s", path);
	return code;
}

static bool is_base64(const char *text)
{
	size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	size_t padding = strspn(text + size, "=");

	return size > 0 && padding <= 2 && !text[size + padding] && (size + padding) % 4 == 0;
}

static bool is_media_type(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && slash > text && slash[1] &&
	       !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.+-")];
}

static int check_data(const struct place *place, const struct ellu_media *media, bool image,
		      struct fault *fault)
{
	const char *type = media_type(media);
	int form = image ? MEDIA_IMAGE_DATA :
		   type && strcmp(type, PDF) == 0 ? MEDIA_PDF_DATA : MEDIA_DOCUMENT_DATA;
	bool pdf_alone = !image && (place->dialect->media & MEDIA_PDF_DATA);

	if (!is_base64(media->data))
		return say(place, ELLU_E_INVALID_PARAMETER, "data", "base64", fault);
	if (!type || !is_media_type(type) || (image && strncmp(type, "image/", 6) != 0))
		return say(place, ELLU_E_INVALID_PARAMETER, "media_type",
			   image ? "that of an image, as image/png" : "one, as application/pdf", fault);
	if ((place->dialect->media & form) == form)
		return 0;
	return say(place, ELLU_E_UNSUPPORTED, pdf_alone ? "media_type" : "data",
		   image ? "images as data" :
		   pdf_alone ? "documents as data but of " PDF : "documents as data", fault);
}

static int check_url(const struct place *place, const struct ellu_media *media, bool image,
		     struct fault *fault)
{
	if (!strstr(media->url, "://"))
		return say(place, ELLU_E_INVALID_PARAMETER, "url",
			   "a URL that the provider fetches; bytes are `data`", fault);
	if (place->dialect->media & (image ? MEDIA_IMAGE_URL : MEDIA_DOCUMENT_URL))
		return 0;
	return say(place, ELLU_E_UNSUPPORTED, "url", image ? "images by URL" : "documents by URL", fault);
}

static int check_media(const struct place *place, const struct ellu_media *media, bool image,
		       struct fault *fault)
{
	return media->data ? check_data(place, media, image, fault) :
			     check_url(place, media, image, fault);
}

int llm_target_check(const struct llm_target *target, const struct ellu_message *const *messages,
		     size_t n_messages, struct fault *fault)
{
	struct place place = { .dialect = target->dialect };
	int r = 0;

	for (place.message = 0; r >= 0 && place.message < n_messages; place.message++) {
		const struct ellu_message *message = messages[place.message];

		for (place.part = 0; r >= 0 && place.part < message->n_parts; place.part++) {
			const struct ellu_message_part *part = message->parts[place.part];

			place.what = part->image ? "image" : "document";
			if (!part->text)
				r = check_media(&place, part->image ? part->image : part->document,
						part->image, fault);
		}
	}
	return r;
}
