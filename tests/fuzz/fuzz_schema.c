/* A schema and, behind the first line, a text: what does not fit is told in valid UTF-8, what fits fits
 * again, and nothing takes longer or goes deeper than it may. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/json/json_schema.h"
#include "proto/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size > 0 ? memchr(text, '\n', size) : NULL, *found;
	json_object *schema = NULL, *value = NULL;
	struct schema_problem problem;
	struct fault fault = { 0 };
	size_t found_size;

	if (!line)
		return 0;
	schema_find_value(line + 1, (size_t)(text + size - line - 1), &found, &found_size);
	require(found >= line + 1 && found + found_size <= text + size);
	if (json_parse_strict(text, (size_t)(line - text), &schema, &fault) == 0 &&
	    json_parse_strict(found, found_size, &value, &fault) == 0) {
		enum schema_verdict verdict = schema_check(schema, value, &problem);

		require((verdict == SCHEMA_MISFITS) == (problem.text[0] != '\0') || verdict == SCHEMA_GIVEN_UP);
		require(utf8_valid(problem.text, strlen(problem.text), NULL));
		require(schema_check(schema, value, &problem) == verdict);
	}
	json_object_put(schema);
	json_object_put(value);
	return 0;
}
