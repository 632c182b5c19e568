/* A YAML file as the command reads it: what it makes of it is JSON within the bounds, or has a place. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/files/yaml_text.h"
#include "proto/json/json_check.h"
#include "proto/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaint complaint = { { 0 } };
	struct json_problem problem;
	struct yaml_place at;
	json_object *value;
	const char *text;
	size_t length;
	int r = yaml_text_parse((const char *) data, size, &value, &at, &complaint);

	if (r < 0) {
		require(r == -EINVAL && complaint.text[0] && at.line > 0 && at.column > 0);
		return 0;
	}
	text = json_text(value, &length);
	require(text && json_check(text, length, &problem) == 0);
	if (yaml_text_locate((const char *) data, size, "a.b[1].c", &at))
		require(at.line > 0 && at.column > 0);
	json_object_put(value);
	return 0;
}
