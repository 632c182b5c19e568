#include "daemon/backend/target_url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

/* http or https, and nothing secret: a base URL can be read back, and is shown in errors. */
static bool is_acceptable(CURLU *url)
{
	char *scheme = NULL;
	bool ok = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return ok && !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_PASSWORD) &&
	       !has_part(url, CURLUPART_FRAGMENT);
}

static bool append_path(CURLU *url, const char *path, struct arena *arena)
{
	char *base = NULL, *whole;
	size_t size;
	bool ok;

	if (curl_url_get(url, CURLUPART_PATH, &base, 0) != CURLUE_OK)
		return false;
	size = strlen(base);
	while (size > 0 && base[size - 1] == '/')
		size--;
	whole = arena_printf(arena, "%.*s%s", (int)size, base, path);
	ok = whole && curl_url_set(url, CURLUPART_PATH, whole, 0) == CURLUE_OK;
	curl_free(base);
	return ok;
}

static const char *origin_of(CURLU *url, struct arena *arena)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *origin = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
			origin = arena_printf(arena, "%s://%s:%s", scheme, host, port);
		else
			origin = arena_printf(arena, "%s://%s", scheme, host);
	}
	for (char *c = origin; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return origin;
}

int target_url(const char *base, const char *path, struct arena *arena, const char **ret_url,
	       const char **ret_origin, struct fault *fault)
{
	CURLU *url = curl_url();
	const char *origin;
	char *text = NULL;
	int r = 0;

	if (!url)
		return fault_oom(fault);
	if (curl_url_set(url, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    !is_acceptable(url)) {
		r = fault_invalid(fault, "llm_config.llm_base_url",
				  "an http or https URL without user, password and fragment");
		goto out;
	}
	if (!append_path(url, path, arena) ||
	    curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK) {
		r = fault_oom(fault);
		goto out;
	}
	origin = origin_of(url, arena);
	*ret_url = arena_strdup(arena, text);
	*ret_origin = origin;
	if (!*ret_url || !origin)
		r = fault_oom(fault);
out:
	curl_free(text);
	curl_url_cleanup(url);
	return r;
}
