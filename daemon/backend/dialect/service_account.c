#include "daemon/backend/dialect/service_account.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/rs256.h"

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
#define ASSERTION_SECONDS 3600 // the most that is taken
#define TOKEN_SECONDS 3600 // where it is not said how long it lasts
#define TOKEN_SECONDS_MAX 86400

/* In base64 as it stands in a URL. */
static void put_base64(const void *data, size_t size, struct buffer *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)(n > 1 ? bytes[i + 1] : 0) << 8 |
				(n > 2 ? bytes[i + 2] : 0);
		char text[] = { letters[bits >> 18], letters[bits >> 12 & 63], letters[bits >> 6 & 63],
				letters[bits & 63] };

		buffer_append(out, text, n + 1);
	}
}

static void put_claims(const struct service_account *account, int64_t wall_usec, struct buffer *json)
{
	int64_t now = wall_usec / USEC_PER_SEC;

	buffer_text(json, "{\"iss\":");
	buffer_json(json, account->email);
	buffer_text(json, ",\"scope\":\"" SCOPE "\",\"aud\":");
	buffer_json(json, account->token_uri);
	buffer_text(json, ",\"iat\":");
	buffer_int(json, now);
	buffer_text(json, ",\"exp\":");
	buffer_int(json, now + ASSERTION_SECONDS);
	buffer_text(json, "}");
}

static void put_header(const struct service_account *account, struct buffer *json)
{
	buffer_text(json, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
	if (account->key_id) {
		buffer_text(json, ",\"kid\":");
		buffer_json(json, account->key_id);
	}
	buffer_text(json, "}");
}

int service_account_sign(const struct service_account *account, int64_t wall_usec,
			 struct buffer *form, size_t *ret_assertion)
{
	uint8_t signature[RS256_SIZE_MAX];
	struct buffer json = { 0 };
	size_t start, size;
	int r;

	buffer_text(form, GRANT);
	start = form->size;
	put_header(account, &json);
	put_base64(json.data, json.size, form);
	buffer_text(form, ".");
	buffer_clear(&json);
	put_claims(account, wall_usec, &json);
	put_base64(json.data, json.size, form);
	if (json.failed || form->failed)
		r = -ENOMEM;
	else
		r = rs256_sign(account->private_key, form->data + start, form->size - start, signature, &size);
	buffer_done(&json);
	if (r < 0)
		return r;
	buffer_text(form, ".");
	put_base64(signature, size, form);
	*ret_assertion = start;
	return form->failed ? -ENOMEM : 0;
}

/* It will stand in a header. */
static bool is_token(const char *text)
{
	size_t size = 0;

	for (; text && text[size]; size++)
		if ((unsigned char)text[size] <= ' ' || (unsigned char)text[size] >= 0x7f)
			return false;
	return size > 0 && size <= SERVICE_ACCOUNT_TOKEN_MAX;
}

int service_account_read(struct json_reader *reader, char *text, size_t size, const char **ret_token,
			 int64_t *ret_usec)
{
	struct json_value *json, *lasts;
	double seconds;

	reader->n_rewritten = 0;
	if (size == 0 || json_read(reader, text, size, &json) < 0)
		return -EBADMSG;
	*ret_token = json_text_member(json, "access_token");
	lasts = json_member(json, "expires_in");
	seconds = json_is(lasts, JSON_NUMBER) ? json_number(lasts) : TOKEN_SECONDS;
	if (!is_token(*ret_token) || !(seconds > 0))
		return -EBADMSG;
	*ret_usec = (int64_t)((seconds < TOKEN_SECONDS_MAX ? seconds : TOKEN_SECONDS_MAX) * USEC_PER_SEC);
	return 0;
}

const char *service_account_refusal(struct json_reader *reader, char *text, size_t size)
{
	struct json_value *json;
	const char *words;

	reader->n_rewritten = 0;
	if (size == 0 || json_read(reader, text, size, &json) < 0)
		return NULL;
	words = json_text_member(json, "error_description");
	return words ? words : json_text_member(json, "error");
}
