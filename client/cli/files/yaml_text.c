#include "client/cli/files/yaml_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/text/float_text.h"

#define VALUE_WEIGHT 64
#define ANCHORS_MAX 1000

struct anchor {
	char *name;
	json_object *value;
	size_t weight;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; // the one at hand
	bool has_event;
	struct anchor anchors[ANCHORS_MAX];
	size_t n_anchors;
	size_t weight; // of all that was read, with aliases written out
	const char *text;
	const char *wanted; // the path to locate, or NULL
	bool located;
	struct yaml_place place; // of the innermost part met so far, or of what is wrong
	struct complaint *complaint;
};

static struct yaml_place place_of(const yaml_mark_t *mark)
{
	return (struct yaml_place){ (int) mark->line + 1, (int) mark->column + 1 };
}

static int refuse(struct reader *reader, const char *why)
{
	reader->place = place_of(&reader->event.start_mark);
	return complain(reader->complaint, "%s", why);
}

/* ---- Events ---- */

static int next_event(struct reader *reader)
{
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = yaml_parser_parse(&reader->parser, &reader->event);
	if (reader->has_event)
		return 0;
	if (reader->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	reader->place = place_of(&reader->parser.problem_mark);
	if (reader->parser.error == YAML_READER_ERROR)
		text_position(reader->text, reader->parser.problem_offset, &reader->place.line,
				   &reader->place.column);
	return complain(reader->complaint, "%s%s%s", reader->parser.context ? reader->parser.context : "",
			reader->parser.context ? ": " : "",
			reader->parser.problem ? reader->parser.problem : "not YAML");
}

/* What a value, or an alias of it, adds to the whole. */
static int weigh(struct reader *reader, size_t weight)
{
	reader->weight += weight;
	return reader->weight > YAML_BYTES_MAX ? refuse(reader, "larger than 16 MiB, with aliases written out")
					       : 0;
}

/* ---- Scalars ---- */

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* [-+]? ( digits [. digits] | . digits ) ( [eE] [-+]? digits )? */
static bool is_number(const char *text, bool *ret_whole)
{
	const char *at = text + (*text == '-' || *text == '+');
	size_t digits = strspn(at, "0123456789"), behind = 0;

	at += digits;
	*ret_whole = !*at;
	if (*at == '.') {
		behind = strspn(at + 1, "0123456789");
		at += 1 + behind;
	}
	if (digits + behind == 0)
		return false;
	if (*at == 'e' || *at == 'E') {
		at += 1 + (at[1] == '-' || at[1] == '+');
		digits = strspn(at, "0123456789");
		at += digits;
		if (digits == 0)
			return false;
	}
	return !*at;
}

static int read_number(struct reader *reader, const char *text, bool whole, json_object **ret_value)
{
	const double number = strtod(text, NULL);
	const long long integer = strtoll(text, NULL, 10);

	if (!isfinite(number) || (whole && (integer > INTEGER_MAX || integer < -INTEGER_MAX)))
		return refuse(reader, "a number that is too large");
	*ret_value = whole ? json_object_new_int64(integer) : json_float(number);
	return *ret_value ? 0 : -ENOMEM;
}

/* What stands without quotation marks may be more than a text. */
static int read_plain(struct reader *reader, const char *text, json_object **ret_value)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const endless[] = { ".inf", "-.inf", "+.inf", ".nan", ".Inf", "-.Inf", ".NaN", NULL };
	bool whole;

	*ret_value = NULL;
	if (is_one_of(text, nulls))
		return 0;
	if (is_one_of(text, endless))
		return refuse(reader, "a number that is not finite");
	if (is_number(text, &whole))
		return read_number(reader, text, whole, ret_value);
	if (is_one_of(text, trues) || is_one_of(text, falses))
		*ret_value = json_object_new_boolean(is_one_of(text, trues));
	else
		*ret_value = json_object_new_string(text);
	return *ret_value ? 0 : -ENOMEM;
}

/* A tag that says what is the case anyway, or none. */
static int check_tag(struct reader *reader, const yaml_char_t *tag, const char *usual)
{
	return tag && strcmp((const char *) tag, usual) != 0 && strcmp((const char *) tag, "!") != 0
		       ? refuse(reader, "tags have no meaning here")
		       : 0;
}

static int read_scalar(struct reader *reader, json_object **ret_value)
{
	const char *text = (const char *) reader->event.data.scalar.value;
	const size_t size = reader->event.data.scalar.length;
	const bool plain = reader->event.data.scalar.plain_implicit;
	int r = plain ? 0 : check_tag(reader, reader->event.data.scalar.tag, YAML_STR_TAG);

	if (r == 0)
		r = weigh(reader, VALUE_WEIGHT + size);
	if (r == 0 && memchr(text, 0, size))
		r = refuse(reader, "a NUL within a text");
	if (r < 0)
		return r;
	if (plain)
		return read_plain(reader, text, ret_value);
	*ret_value = json_object_new_string(text);
	return *ret_value ? 0 : -ENOMEM;
}

/* ---- Anchors ---- */

static int keep_anchor(struct reader *reader, const char *name, json_object *value, size_t weight)
{
	struct anchor *anchor = &reader->anchors[reader->n_anchors];

	if (reader->n_anchors == ANCHORS_MAX)
		return refuse(reader, "more than 1,000 anchors");
	*anchor = (struct anchor){ strdup(name), json_object_get(value), weight };
	reader->n_anchors++;
	return anchor->name ? 0 : -ENOMEM;
}

static int read_alias(struct reader *reader, json_object **ret_value)
{
	const char *name = (const char *) reader->event.data.alias.anchor;
	int r;

	for (size_t i = reader->n_anchors; i-- > 0;) {
		struct anchor *anchor = &reader->anchors[i];

		if (strcmp(anchor->name, name) != 0)
			continue;
		r = weigh(reader, anchor->weight);
		*ret_value = NULL;
		if (r == 0 && anchor->value && json_object_deep_copy(anchor->value, ret_value, NULL) < 0)
			r = -ENOMEM;
		return r;
	}
	return refuse(reader, "an alias of what has no anchor before");
}

/* ---- Collections ---- */

static int read_value(struct reader *reader, unsigned depth, const char *wanted, json_object **ret_value);

/* What is left of the wanted path below `part`, or NULL when it goes elsewhere. */
static const char *descend(struct reader *reader, const char *wanted, const char *part)
{
	const size_t length = strlen(part);

	if (!wanted)
		return NULL;
	wanted += *wanted == '.';
	if (strncmp(wanted, part, length) != 0 || !strchr(".[", wanted[length]))
		return NULL;
	reader->located = true;
	reader->place = place_of(&reader->event.start_mark);
	return wanted + length;
}

static int read_sequence(struct reader *reader, unsigned depth, const char *wanted, json_object *array)
{
	int r = next_event(reader);

	while (r == 0 && reader->event.type != YAML_SEQUENCE_END_EVENT) {
		json_object *item = NULL;
		char part[32];

		snprintf(part, sizeof(part), "[%zu]", json_object_array_length(array));
		r = read_value(reader, depth, descend(reader, wanted, part), &item);
		if (r == 0 && json_object_array_add(array, item) < 0)
			r = -ENOMEM;
		if (r < 0)
			json_object_put(item);
		else
			r = next_event(reader);
	}
	return r;
}

/* `<<`: what the mapping, or each of the mappings, has and this one does not. */
static int merge(struct reader *reader, json_object *object, json_object *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && json_object_is_type(from, json_type_array) && i < json_object_array_length(from); i++)
		r = merge(reader, object, json_object_array_get_idx(from, i));
	if (json_object_is_type(from, json_type_array))
		return r;
	if (!json_object_is_type(from, json_type_object))
		return refuse(reader, "expected a mapping behind <<");
	json_object_object_foreach(from, name, value)
		if (r == 0 && !json_object_object_get_ex(object, name, NULL) &&
		    json_object_object_add(object, name, json_object_get(value)) < 0)
			r = -ENOMEM;
	return r;
}

static int read_key(struct reader *reader, json_object *object, char **ret_key)
{
	const char *text = (const char *) reader->event.data.scalar.value;
	const size_t size = reader->event.data.scalar.length;

	if (reader->event.type != YAML_SCALAR_EVENT)
		return refuse(reader, "expected a name before the colon");
	if (memchr(text, 0, size))
		return refuse(reader, "a NUL within a name");
	if (json_object_object_get_ex(object, text, NULL))
		return refuse(reader, "the same name again");
	*ret_key = strdup(text);
	return *ret_key ? weigh(reader, VALUE_WEIGHT + size) : -ENOMEM;
}

static int read_member(struct reader *reader, unsigned depth, const char *wanted, json_object *object,
		       json_object **merged)
{
	json_object *value = NULL;
	const char *below;
	char *key = NULL;
	int r = read_key(reader, object, &key);

	if (r == 0) {
		below = descend(reader, wanted, key);
		r = next_event(reader);
	}
	if (r == 0)
		r = read_value(reader, depth, below, &value);
	if (r == 0 && strcmp(key, "<<") == 0 && *merged)
		r = refuse(reader, "the same name again");
	if (r == 0 && strcmp(key, "<<") == 0) {
		*merged = value;
	} else if (r < 0 || json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		r = r < 0 ? r : -ENOMEM;
	}
	free(key);
	return r;
}

static int read_mapping(struct reader *reader, unsigned depth, const char *wanted, json_object *object)
{
	json_object *merged = NULL;
	int r = next_event(reader);

	while (r == 0 && reader->event.type != YAML_MAPPING_END_EVENT) {
		r = read_member(reader, depth, wanted, object, &merged);
		if (r == 0)
			r = next_event(reader);
	}
	if (r == 0 && merged)
		r = merge(reader, object, merged);
	json_object_put(merged);
	return r;
}

static int read_collection(struct reader *reader, unsigned depth, const char *wanted, json_object **ret_value)
{
	const bool is_mapping = reader->event.type == YAML_MAPPING_START_EVENT;
	json_object *value = is_mapping ? json_object_new_object() : json_object_new_array();
	int r = !value ? -ENOMEM
		: depth == JSON_DEPTH_MAX
			? refuse(reader, "nested too deeply")
			: check_tag(reader, is_mapping ? reader->event.data.mapping_start.tag
						       : reader->event.data.sequence_start.tag,
				    is_mapping ? YAML_MAP_TAG : YAML_SEQ_TAG);

	if (r == 0)
		r = weigh(reader, VALUE_WEIGHT);
	if (r == 0)
		r = (is_mapping ? read_mapping : read_sequence)(reader, depth + 1, wanted, value);
	*ret_value = value;
	return r;
}

/* The value that the event at hand begins; afterwards its last event is at hand. On an error `*ret_value`
 * may hold a part, which is the caller's, too. */
static int read_value(struct reader *reader, unsigned depth, const char *wanted, json_object **ret_value)
{
	const size_t before = reader->weight;
	const yaml_char_t *anchor = NULL;
	char *name;
	int r;

	if (reader->event.type == YAML_ALIAS_EVENT)
		return read_alias(reader, ret_value);
	if (reader->event.type == YAML_SCALAR_EVENT)
		anchor = reader->event.data.scalar.anchor;
	else if (reader->event.type == YAML_MAPPING_START_EVENT)
		anchor = reader->event.data.mapping_start.anchor;
	else if (reader->event.type == YAML_SEQUENCE_START_EVENT)
		anchor = reader->event.data.sequence_start.anchor;
	name = anchor ? strdup((const char *) anchor) : NULL;
	if (anchor && !name)
		return -ENOMEM;
	r = reader->event.type == YAML_SCALAR_EVENT ? read_scalar(reader, ret_value)
						    : read_collection(reader, depth, wanted, ret_value);
	if (r == 0 && name)
		r = keep_anchor(reader, name, *ret_value, reader->weight - before);
	free(name);
	return r;
}

/* ---- The whole ---- */

static int read_document(struct reader *reader, json_object **ret_value)
{
	int r = next_event(reader); // the stream's start

	if (r == 0)
		r = next_event(reader);
	if (r == 0 && reader->event.type == YAML_STREAM_END_EVENT)
		return refuse(reader, "nothing in it");
	if (r == 0)
		r = next_event(reader);
	if (r == 0)
		r = read_value(reader, 0, reader->wanted, ret_value);
	if (r == 0)
		r = next_event(reader); // the document's end
	if (r == 0)
		r = next_event(reader);
	if (r == 0 && reader->event.type != YAML_STREAM_END_EVENT)
		return refuse(reader, "a second document");
	return r;
}

static int run(struct reader *reader, const char *text, size_t size, json_object **ret_value)
{
	int r;

	*ret_value = NULL;
	if (!yaml_parser_initialize(&reader->parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *) text, size);
	r = read_document(reader, ret_value);
	if (r < 0) {
		json_object_put(*ret_value);
		*ret_value = NULL;
	}
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	for (size_t i = 0; i < reader->n_anchors; i++) {
		free(reader->anchors[i].name);
		json_object_put(reader->anchors[i].value);
	}
	yaml_parser_delete(&reader->parser);
	return r;
}

int yaml_text_parse(const char *text, size_t size, json_object **ret_value, struct yaml_place *ret_place,
		    struct complaint *complaint)
{
	struct reader reader = { .text = text, .complaint = complaint };
	int r;

	if (size > YAML_BYTES_MAX) {
		*ret_place = (struct yaml_place){ 1, 1 };
		return complain(complaint, "larger than 16 MiB");
	}
	r = run(&reader, text, size, ret_value);
	*ret_place = reader.place;
	return r;
}

bool yaml_text_locate(const char *text, size_t size, const char *path, struct yaml_place *ret_place)
{
	struct complaint complaint;
	struct reader reader = { .text = text, .wanted = path, .complaint = &complaint };
	json_object *value;

	if (run(&reader, text, size, &value) < 0)
		return false;
	json_object_put(value);
	*ret_place = reader.place;
	return reader.located;
}
