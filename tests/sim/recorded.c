#include "tests/sim/recorded.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/chat.h"

void recorded_id(const struct chat_request *chat, char ret_id[static SHA256_TEXT_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	for (size_t i = 0; i < chat->n_contents; i++)
		sha256_add(&hash, chat->contents[i], strlen(chat->contents[i]) + 1);
	if (chat->schema) {
		const char *schema = json_object_to_json_string_ext(chat->schema, JSON_C_TO_STRING_PLAIN);

		sha256_add(&hash, schema, strlen(schema));
	}
	sha256_done(&hash, digest);
	sha256_text(digest, ret_id);
}

/* The reply of a line, if that is the one of the id. */
static char *read_line(const char *line, const char *id)
{
	struct json_object *json = strstr(line, id) ? json_tokener_parse(line) : NULL;
	const char *found = chat_text_member(json, "id"), *reply = chat_text_member(json, "reply");
	char *answer = found && reply && strcmp(found, id) == 0 ? must_have(strdup(reply)) : NULL;

	json_object_put(json);
	return answer;
}

char *recorded_answer(const char *path, const char *id)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *answer = NULL;
	size_t size = 0;

	while (file && !answer && getline(&line, &size, file) >= 0)
		answer = read_line(line, id);
	free(line);
	if (file)
		fclose(file);
	return answer;
}
