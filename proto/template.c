/*
 * What does not look like a placeholder stays as it is, single braces and `{{two words}}` too.
 *
 * A part of a message is JSON text. `{{` stands nowhere in JSON but inside a string, so parts
 * are rendered like any text, with the values escaped as the inside of a JSON string.
 */
#include "proto/template.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"

#define NAME_MAX_BYTES 255
#define JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

struct placeholder {
	const char *start; // of the `{{`
	const char *name;
	size_t name_size;
	const char *end; // behind the `}}`
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

static bool next_placeholder(const char *at, struct placeholder *ret_found)
{
	while ((at = strstr(at, "{{"))) {
		struct placeholder found = { .start = at, .name = skip_blanks(at + 2) };
		const char *end = found.name;

		while (is_name(*end))
			end++;
		found.name_size = (size_t)(end - found.name);
		end = skip_blanks(end);
		if (found.name_size > 0 && end[0] == '}' && end[1] == '}') {
			found.end = end + 2;
			*ret_found = found;
			return true;
		}
		at++;
	}
	return false;
}

int template_scan(const char *text, int (*found)(void *userdata, const char *name, size_t size),
		  void *userdata)
{
	struct placeholder place;

	while (next_placeholder(text, &place)) {
		int r = found(userdata, place.name, place.name_size);

		if (r < 0)
			return r;
		text = place.end;
	}
	return 0;
}

/* ---- The names ---- */

struct names {
	struct arena *arena;
	json_object *seen;
	const char **items;
	size_t n;
	size_t room;
};

static int add_name(void *userdata, const char *name, size_t size)
{
	struct names *names = userdata;
	char *copy = arena_alloc(names->arena, size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, name, size);
	copy[size] = '\0';
	if (json_object_object_get_ex(names->seen, copy, NULL))
		return 0;
	if (json_object_object_add(names->seen, copy, NULL) < 0)
		return -ENOMEM;
	if (names->n == names->room) {
		size_t room = names->room ? names->room * 2 : 8;
		const char **items = arena_array(names->arena, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		if (names->n > 0)
			memcpy(items, names->items, names->n * sizeof(*items));
		names->items = items;
		names->room = room;
	}
	names->items[names->n++] = copy;
	return 0;
}

int template_placeholders(const struct ellu_message *const *messages, size_t n_messages,
			  struct arena *arena, const char *const **ret_names, size_t *ret_n_names)
{
	struct names names = { .arena = arena, .seen = json_object_new_object() };
	int r = names.seen ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n_messages; i++) {
		if (messages[i]->content)
			r = template_scan(messages[i]->content, add_name, &names);
		for (size_t k = 0; r >= 0 && k < messages[i]->n_parts; k++)
			r = template_scan(messages[i]->parts[k], add_name, &names);
	}
	json_object_put(names.seen);
	if (r < 0)
		return r;
	*ret_names = names.items;
	*ret_n_names = names.n;
	return 0;
}

/* ---- Rendering ---- */

/* Counts where `out` is NULL, so that the same code sizes and fills a text. What is counted ends at
 * the limit, so that nothing larger is ever filled. */
struct writer {
	char *out;
	size_t size;
	size_t size_max;
	char last[NAME_MAX_BYTES + 1]; // placeholder
};

static int too_large(const struct writer *writer, struct fault *fault)
{
	fault_set(fault, ELLU_E_TOO_LARGE, "with the placeholder '%s' the text takes more than %u bytes",
		  writer->last, RENDERED_BYTES_MAX);
	fault->number = RENDERED_BYTES_MAX;
	snprintf(fault->field, sizeof(fault->field), "%s", writer->last);
	return fault->code;
}

static int write_bytes(struct writer *writer, const char *bytes, size_t size, struct fault *fault)
{
	if (size > writer->size_max - writer->size)
		return too_large(writer, fault);
	if (writer->out)
		memcpy(writer->out + writer->size, bytes, size);
	writer->size += size;
	return 0;
}

/* The text lies in `value` and lives as long as it is not changed. */
static int value_text(json_object *value, const char **ret_text, size_t *ret_size)
{
	if (json_object_is_type(value, json_type_string)) {
		*ret_text = json_object_get_string(value);
		*ret_size = (size_t)json_object_get_string_len(value);
		return 0;
	}
	*ret_text = json_object_to_json_string_length(value, JSON_FLAGS, ret_size);
	return *ret_text ? 0 : -ENOMEM;
}

static int write_escaped(struct writer *writer, const char *text, size_t text_size,
			 struct fault *fault)
{
	json_object *string;
	const char *json = NULL;
	size_t size;
	int r;

	if (text_size > writer->size_max - writer->size)
		return too_large(writer, fault);
	string = json_object_new_string_len(text, (int)text_size);
	if (string)
		json = json_object_to_json_string_length(string, JSON_FLAGS, &size);
	r = json ? write_bytes(writer, json + 1, size - 2, fault) : fault_oom(fault);
	json_object_put(string);
	return r;
}

static int write_value(struct writer *writer, const struct placeholder *place,
		       json_object *values, bool escaped, struct fault *fault)
{
	char *name = writer->last;
	json_object *value = NULL;
	const char *text;
	size_t size;

	size = place->name_size <= NAME_MAX_BYTES ? place->name_size : NAME_MAX_BYTES;
	memcpy(name, place->name, size);
	name[size] = '\0';
	if (place->name_size != size || !json_object_object_get_ex(values, name, &value) || !value)
		return fault_invalid(fault, name, "a value for this placeholder");
	if (value_text(value, &text, &size) < 0)
		return fault_oom(fault);
	return escaped ? write_escaped(writer, text, size, fault) :
			 write_bytes(writer, text, size, fault);
}

static int write_rendered(struct writer *writer, const char *text, json_object *values,
			  bool escaped, struct fault *fault)
{
	struct placeholder place;

	while (next_placeholder(text, &place)) {
		int r;

		r = write_bytes(writer, text, (size_t)(place.start - text), fault);
		if (r >= 0)
			r = write_value(writer, &place, values, escaped, fault);
		if (r < 0)
			return r;
		text = place.end;
	}
	return write_bytes(writer, text, strlen(text) + 1, fault);
}

/* `*left` bytes may still be written. */
static int render(const char *text, json_object *values, bool escaped, size_t *left,
		  struct arena *arena, const char **ret_text, struct fault *fault)
{
	struct writer writer = { .size_max = *left };
	int r = write_rendered(&writer, text, values, escaped, fault);

	if (r < 0)
		return r;
	writer.out = arena_alloc(arena, writer.size);
	if (!writer.out)
		return fault_oom(fault);
	writer.size = 0;
	r = write_rendered(&writer, text, values, escaped, fault);
	if (r < 0)
		return r;
	*left -= writer.size;
	*ret_text = writer.out;
	return 0;
}

int template_render(const char *text, json_object *values, struct arena *arena,
		    const char **ret_text, struct fault *fault)
{
	size_t left = RENDERED_BYTES_MAX;

	return render(text, values, false, &left, arena, ret_text, fault);
}

static int render_message(const struct ellu_message *message, json_object *values, size_t *left,
			  struct arena *arena, struct ellu_message *ret_message,
			  struct fault *fault)
{
	const char **parts = NULL;
	int r = 0;

	*ret_message = *message;
	if (message->content)
		r = render(message->content, values, false, left, arena, &ret_message->content, fault);
	if (r < 0 || message->n_parts == 0)
		return r;
	parts = arena_array(arena, message->n_parts, sizeof(*parts));
	if (!parts)
		return fault_oom(fault);
	for (size_t i = 0; r >= 0 && i < message->n_parts; i++)
		r = render(message->parts[i], values, true, left, arena, &parts[i], fault);
	ret_message->parts = parts;
	return r;
}

int template_render_messages(const struct ellu_message *const *messages, size_t n_messages,
			     json_object *values, struct arena *arena,
			     const struct ellu_message *const **ret_messages, struct fault *fault)
{
	const struct ellu_message **list = arena_array(arena, n_messages, sizeof(*list));
	struct ellu_message *rendered = arena_array(arena, n_messages, sizeof(*rendered));
	size_t left = RENDERED_BYTES_MAX;

	if (!list || !rendered)
		return fault_oom(fault);
	for (size_t i = 0; i < n_messages; i++) {
		int r = render_message(messages[i], values, &left, arena, &rendered[i], fault);

		if (r < 0)
			return r;
		list[i] = &rendered[i];
	}
	*ret_messages = list;
	return 0;
}
