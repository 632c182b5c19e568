/*
 * Reading verdicts. Models put the object into fences, talk around it, or leave it out; what they
 * mean is taken only where there is no second reading.
 */
#include <errno.h>
#include <json.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "daemon/work/conversation/thought.h"
#include "daemon/work/judging/judge.h"

/* An answer that is longer, or has more opening braces, holds no verdict worth finding. */
#define ANSWER_BYTES_MAX (256u << 10)
#define OBJECTS_MAX 64

enum reading {
	READ_NO = 0,
	READ_YES = 1,
	READ_NOTHING, // no word of a verdict
	READ_UNCLEAR, // something else, or both
};

static bool is_word(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') ||
	       u >= 0x80;
}

static bool same_word(const char *word, size_t size, const char *other)
{
	return strlen(other) == size && strncasecmp(word, other, size) == 0;
}

static enum reading both(enum reading a, enum reading b)
{
	if (a == READ_NOTHING || a == b)
		return b;
	return b == READ_NOTHING ? a : READ_UNCLEAR;
}

/* A text whose words are one YES or NO and at most what introduces it. */
static enum reading read_bare(const char *text)
{
	static const char *const around[] = { "rating", "verdict", "answer", "final",
					      "the",	"my",	   "is",     "json" };
	enum reading reading = READ_NOTHING;

	while (*text) {
		size_t size = 0, i = 0;

		while (is_word(text[size]))
			size++;
		if (size == 0) {
			text++;
			continue;
		}
		if (same_word(text, size, "yes")) {
			reading = both(reading, READ_YES);
		} else if (same_word(text, size, "no")) {
			reading = both(reading, READ_NO);
		} else {
			while (i < sizeof(around) / sizeof(*around) &&
			       !same_word(text, size, around[i]))
				i++;
			if (i == sizeof(around) / sizeof(*around))
				return READ_UNCLEAR;
		}
		text += size;
	}
	return reading;
}

/* How often `rating` stands as a key. Quotes inside of strings are escaped, so no string is
 * taken for one. json-c would silently keep the last of two. */
static size_t count_keys(const char *text, size_t size)
{
	static const char key[] = "\"rating\"";
	const size_t key_size = sizeof(key) - 1;
	size_t n = 0;

	for (size_t i = 0; i + key_size < size; i++) {
		if (text[i] != '"' || strncasecmp(text + i, key, key_size) != 0)
			continue;
		i += key_size;
		while (i < size && strchr(" \t\r\n", text[i]))
			i++;
		n += i < size && text[i] == ':';
	}
	return n;
}

static enum reading read_object(json_object *object, const char *text, size_t size,
				const char **ret_reasoning)
{
	enum reading reading = READ_NOTHING;
	const char *reasoning = NULL;

	json_object_object_foreach(object, key, value) {
		bool is_string = json_object_is_type(value, json_type_string);

		if (strcasecmp(key, "reasoning") == 0 && is_string)
			reasoning = json_object_get_string(value);
		if (strcasecmp(key, "rating") != 0)
			continue;
		if (!is_string)
			return READ_UNCLEAR;
		reading = both(reading, read_bare(json_object_get_string(value)));
		if (reading == READ_NOTHING)
			return READ_UNCLEAR;
	}
	if (reading == READ_NOTHING)
		return READ_NOTHING;
	if (count_keys(text, size) > 1)
		return READ_UNCLEAR;
	*ret_reasoning = reasoning;
	return reading;
}

/* Every object at the top of the text that states a rating has to state the same, and the text
 * has to be looked at as a whole. What only looked like an object is looked into again, as long
 * as no more is read than the text twice. */
static int read_objects(json_tokener *tokener, const char *text, struct arena *arena,
			enum reading *ret_reading, const char **ret_reasoning)
{
	const size_t left = strlen(text);
	const char *at = text;
	size_t read = 0;

	*ret_reading = left > ANSWER_BYTES_MAX ? READ_UNCLEAR : READ_NOTHING;
	for (unsigned i = 0; *ret_reading != READ_UNCLEAR && (at = strchr(at, '{')); i++) {
		const char *reasoning = NULL;
		json_object *object;
		size_t size = left - (size_t)(at - text);

		if (i == OBJECTS_MAX || read > left) {
			*ret_reading = READ_UNCLEAR;
			break;
		}
		json_tokener_reset(tokener);
		object = json_tokener_parse_ex(tokener, at, (int)size);
		if (!object && json_tokener_get_error(tokener) == json_tokener_continue)
			break; // cut off: what is left is inside of it
		size = json_tokener_get_parse_end(tokener);
		read += size;
		if (!object) {
			at++;
			continue;
		}
		*ret_reading = both(*ret_reading, read_object(object, at, size, &reasoning));
		if (reasoning)
			*ret_reasoning = arena_strdup(arena, reasoning);
		json_object_put(object);
		if (reasoning && !*ret_reasoning)
			return -ENOMEM;
		at += size;
	}
	return 0;
}

int judge_parse(const char *answer, struct arena *arena, struct judge_verdict *ret_verdict)
{
	json_tokener *tokener = json_tokener_new();
	const char *reasoning = NULL;
	enum reading reading;
	int r;

	if (!tokener)
		return -ENOMEM;
	answer = thought_skip(answer);
	r = read_objects(tokener, answer, arena, &reading, &reasoning);
	json_tokener_free(tokener);
	if (r < 0)
		return r;
	if (reading == READ_NOTHING)
		reading = read_bare(answer);
	if (reading != READ_YES && reading != READ_NO)
		return -EBADMSG;
	*ret_verdict = (struct judge_verdict){
		.value = reading == READ_YES,
		.reasoning = reasoning,
	};
	return 0;
}
