#include "daemon/backend/dialect/target.h"

#include <ctype.h>
#include <string.h>

#include "daemon/backend/dialect/batch_form.h"
#include "daemon/backend/dialect/dialect.h"

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

/* Whether the last part of the base's path is one, such as `v1` or `v1beta`. */
static bool ends_in_version(CURLU *url)
{
	char *path = NULL, *last;
	size_t size;
	bool ends;

	if (curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return false;
	size = strlen(path);
	while (size > 0 && path[size - 1] == '/')
		path[--size] = '\0';
	last = strrchr(path, '/');
	ends = last && last[1] == 'v' && isdigit((unsigned char)last[2]);
	curl_free(path);
	return ends;
}

/* The model's name in place of where the path has room for it. */
static const char *name_model(const char *path, const char *model, struct arena *arena)
{
	static const char place[] = "{model}";
	const char *at = strstr(path, place);
	char *escaped;

	if (!at)
		return path;
	escaped = curl_easy_escape(NULL, model, 0);
	path = escaped ? arena_printf(arena, "%.*s%s%s", (int)(at - path), path, escaped,
				      at + sizeof(place) - 1) :
			 NULL;
	curl_free(escaped);
	return path;
}

static bool add_query(CURLU *url, const char *query)
{
	return curl_url_set(url, CURLUPART_QUERY, query, CURLU_APPENDQUERY) == CURLUE_OK;
}

/* Of the dialect; NULL: it has none of its own for that. */
static const char *path_of(const struct dialect *dialect, enum target_url_kind kind, bool behind_version)
{
	const struct embedding_form *embedding = dialect->embedding;

	switch (kind) {
	case URL_STREAM:
		if (!dialect->stream_path)
			return path_of(dialect, URL_ANSWER, behind_version);
		return behind_version ? dialect->stream_version_path : dialect->stream_path;
	case URL_EMBEDDING:
		return behind_version ? embedding->version_path : embedding->path;
	case URL_BATCH:
		return behind_version ? dialect->batch->version_path : dialect->batch->path;
	case URL_BATCH_FILE:
		return behind_version ? dialect->batch->file_version_path : dialect->batch->file_path;
	default:
		return behind_version ? dialect->version_path : dialect->path;
	}
}

/* Puts the dialect's path behind the base's own, and before its query. */
static bool add_path(CURLU *url, const struct dialect *dialect, enum target_url_kind kind,
		     const char *model, struct arena *arena)
{
	bool has_version = path_of(dialect, kind, true) && ends_in_version(url);
	const char *path = name_model(path_of(dialect, kind, has_version), model, arena);

	if (!has_version && dialect->query && !has_part(url, CURLUPART_QUERY) &&
	    !add_query(url, dialect->query))
		return false;
	if (kind == URL_STREAM && dialect->stream_query && !add_query(url, dialect->stream_query))
		return false;
	return path && (!*path || append_path(url, path, arena));
}

/* Escapes as RFC 3986 wants them, and those who sign: curl makes small letters of their digits where
 * it is given a path. */
static bool set_digits(CURLU *url, char *text)
{
	for (char *at = text; at && *at && *at != '?'; at++) {
		if (*at != '%' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
			continue;
		at[1] = (char)toupper((unsigned char)at[1]);
		at[2] = (char)toupper((unsigned char)at[2]);
	}
	return text && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
}

/* One of the addresses that calls go to. */
static int make_url(struct llm_target *target, const char *base, enum target_url_kind kind,
		    struct fault *fault)
{
	CURLU *url = target->urls[kind].parsed = curl_url();
	char *text = NULL, *copy;

	if (!url)
		return fault_oom(fault);
	if (!base || curl_url_set(url, CURLUPART_URL, base, 0) != CURLUE_OK ||
	    !is_acceptable(url))
		return fault_invalid(fault, "llm_config.llm_base_url",
				     "an http or https URL without user, password and fragment");
	if (add_path(url, target->dialect, kind, target->model, &target->arena) &&
	    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
		copy = arena_strdup(&target->arena, text);
		target->urls[kind].text = set_digits(url, copy) ? copy : NULL;
	}
	curl_free(text);
	return target->urls[kind].text ? 0 : fault_oom(fault);
}

int target_make_urls(struct llm_target *target, const char *base, struct fault *fault)
{
	const struct dialect *dialect = target->dialect;
	int r = make_url(target, base, URL_ANSWER, fault);

	if (r >= 0 && (dialect->stream_path || dialect->stream_query))
		r = make_url(target, base, URL_STREAM, fault);
	if (r >= 0 && dialect->embedding)
		r = make_url(target, base, URL_EMBEDDING, fault);
	if (r >= 0 && dialect->batch)
		r = make_url(target, base, URL_BATCH, fault);
	if (r >= 0 && dialect->batch && dialect->batch->file_path)
		r = make_url(target, base, URL_BATCH_FILE, fault);
	if (r < 0)
		return r;
	target->origin = origin_of(target->urls[URL_ANSWER].parsed, &target->arena);
	return target->origin ? 0 : fault_oom(fault);
}

CURLU *target_url_below(const struct llm_target *target, enum target_url_kind kind, const char *path,
			const char *query)
{
	CURLU *url = curl_url_dup(target->urls[kind].parsed);
	struct arena arena;
	bool ok;

	arena_init(&arena);
	ok = url && (!*path || append_path(url, path, &arena)) && (!query || add_query(url, query));
	arena_done(&arena);
	if (!ok)
		curl_url_cleanup(url);
	return ok ? url : NULL;
}

const struct target_url *target_url_of(const struct llm_call *call)
{
	const struct target_url *urls = call->target->urls;
	enum target_url_kind kind = call->embedding ? URL_EMBEDDING : call->stream ? URL_STREAM : URL_ANSWER;

	return urls[kind].text ? &urls[kind] : &urls[URL_ANSWER];
}
