#include "daemon/front/http/http_route.h"

#include <string.h>

#include "daemon/front/http/http_exchange.h"

/* A segment of a pattern: 1 it fits, with the value where it stands for any; 0. */
static bool fits_segment(const char *pattern, size_t pattern_size, char *segment, size_t size)
{
	if (pattern_size >= 2 && pattern[0] == '{')
		return size > 0;
	return pattern_size == size && memcmp(pattern, segment, size) == 0;
}

/* Whether the path fits; `values` are copied into the arena, unescaped. */
static bool fits(struct http_exchange *exchange, const char *pattern)
{
	char *path = exchange->head.path;
	size_t n = 0;

	while (*pattern == '/' && *path == '/') {
		size_t pattern_size = strcspn(++pattern, "/"), size = strcspn(++path, "/");
		bool is_rest = pattern_size > 4 && strncmp(pattern + pattern_size - 4, "...}", 4) == 0;

		if (is_rest)
			size = strlen(path);
		if (!fits_segment(pattern, pattern_size, path, size))
			return false;
		if (pattern[0] == '{') {
			char *value = n < HTTP_VALUES_MAX ? arena_strndup(&exchange->arena, path, size) : NULL;

			if (!value || http_unescape(value, false) < 0)
				return false;
			exchange->values[n++] = value;
		}
		pattern += pattern_size;
		path += size;
	}
	return !*pattern && !*path;
}

const struct http_route *http_route_find(const struct http_routes *const *tables,
					 struct http_exchange *exchange, int *ret_status,
					 unsigned *ret_verbs)
{
	unsigned verb = exchange->head.verb == HTTP_HEAD ? HTTP_GET : exchange->head.verb;

	*ret_verbs = 0;
	for (const struct http_routes *const *table = tables; *table; table++)
		for (size_t j = 0; j < (*table)->n; j++) {
			const struct http_route *route = &(*table)->routes[j];

			if (!fits(exchange, route->path))
				continue;
			if (route->verbs & verb)
				return route;
			*ret_verbs |= route->verbs | (route->verbs & HTTP_GET ? HTTP_HEAD : 0);
		}
	*ret_status = *ret_verbs ? 405 : 404;
	return NULL;
}
