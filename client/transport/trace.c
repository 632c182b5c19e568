#include "client/transport/trace.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/wire/method.h"

#define REDACTED "(redacted)"

/* Looked up once. */
static bool is_on(void)
{
	static atomic_int on = -1;
	const char *value = on < 0 ? secure_getenv("ELLUMINATE_DEBUG") : NULL;

	if (on < 0)
		on = value && strcmp(value, "1") == 0;
	return on > 0;
}

static bool is_secret(const char *name)
{
	for (const char *const *secret = interface_secrets; *secret; secret++)
		if (strcmp(*secret, name) == 0)
			return true;
	return false;
}

/* Wherever it stands, so that what a program puts into the wrong place is not printed either. False
 * without memory. */
static bool redact(json_object *json)
{
	size_t n = json_object_is_type(json, json_type_array) ? json_object_array_length(json) : 0;
	bool done = true;

	for (size_t i = 0; i < n; i++)
		done &= redact(json_object_array_get_idx(json, i));
	if (!json_object_is_type(json, json_type_object))
		return done;
	json_object_object_foreach(json, name, value)
		if (!is_secret(name))
			done &= redact(value);
		else if (value)
			done &= json_object_object_add(json, name,
						       json_object_new_string(REDACTED)) == 0;
	return done;
}

void trace_frame(int fd, bool sent, const char *text, size_t size)
{
	_cleanup_json_ json_object *json = NULL;
	size_t length = is_on() ? strnlen(text, size) : 0;
	const char *sign = sent ? ">" : "<", *clean = NULL;
	struct fault fault;

	if (length == 0)
		return;
	if (json_parse_strict(text, length, &json, &fault) == 0 && redact(json))
		clean = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	if (clean)
		fprintf(stderr, "elluminate[%d] %d %s %s\n", (int) getpid(), fd, sign, clean);
	else
		fprintf(stderr, "elluminate[%d] %d %s %zu bytes\n", (int) getpid(), fd, sign, length);
}
