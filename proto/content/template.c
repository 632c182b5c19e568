/* What does not look like a placeholder stays as it is, single braces and `{{two words}}` too. */
#include "proto/content/template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/generated/interface.h"
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

static int add_names(struct names *names, const char *text)
{
	return text ? template_scan(text, add_name, names) : 0;
}

static int add_names_of_media(struct names *names, const struct ellu_media *media)
{
	const char *const texts[] = { media->data, media->url, media->media_type, media->name };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		r = add_names(names, texts[i]);
	return r;
}

static int add_names_of_part(struct names *names, const struct ellu_message_part *part)
{
	int r = add_names(names, part->text);

	if (r >= 0 && part->image)
		r = add_names_of_media(names, part->image);
	if (r >= 0 && part->document)
		r = add_names_of_media(names, part->document);
	return r;
}

int template_placeholders(const struct ellu_message *const *messages, size_t n_messages,
			  struct arena *arena, const char *const **ret_names, size_t *ret_n_names)
{
	struct names names = { .arena = arena, .seen = json_object_new_object() };
	int r = names.seen ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n_messages; i++) {
		r = add_names(&names, messages[i]->content);
		for (size_t k = 0; r >= 0 && k < messages[i]->n_parts; k++)
			r = add_names_of_part(&names, messages[i]->parts[k]);
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

static int write_value(struct writer *writer, const struct placeholder *place,
		       json_object *values, struct fault *fault)
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
	return write_bytes(writer, text, size, fault);
}

static int write_rendered(struct writer *writer, const char *text, json_object *values,
			  struct fault *fault)
{
	struct placeholder place;

	while (next_placeholder(text, &place)) {
		int r;

		r = write_bytes(writer, text, (size_t)(place.start - text), fault);
		if (r >= 0)
			r = write_value(writer, &place, values, fault);
		if (r < 0)
			return r;
		text = place.end;
	}
	return write_bytes(writer, text, strlen(text) + 1, fault);
}

/* `*left` bytes may still be written. */
static int render(const char *text, json_object *values, size_t *left, struct arena *arena,
		  const char **ret_text, struct fault *fault)
{
	struct writer writer = { .size_max = *left };
	int r = write_rendered(&writer, text, values, fault);

	if (r < 0)
		return r;
	writer.out = arena_alloc(arena, writer.size);
	if (!writer.out)
		return fault_oom(fault);
	writer.size = 0;
	r = write_rendered(&writer, text, values, fault);
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

	return render(text, values, &left, arena, ret_text, fault);
}

/* In place. NULL: there is none. */
static int render_field(const char **text, json_object *values, size_t *left, struct arena *arena,
			struct fault *fault)
{
	return *text ? render(*text, values, left, arena, text, fault) : 0;
}

static int render_media(const struct ellu_media **media, json_object *values, size_t *left,
			struct arena *arena, struct fault *fault)
{
	struct ellu_media *copy;
	int r;

	if (!*media)
		return 0;
	copy = arena_alloc(arena, sizeof(*copy));
	if (!copy)
		return fault_oom(fault);
	*copy = **media;
	*media = copy;
	r = render_field(&copy->data, values, left, arena, fault);
	if (r >= 0)
		r = render_field(&copy->url, values, left, arena, fault);
	if (r >= 0)
		r = render_field(&copy->media_type, values, left, arena, fault);
	return r < 0 ? r : render_field(&copy->name, values, left, arena, fault);
}

static int render_parts(struct ellu_message *message, json_object *values, size_t *left,
			struct arena *arena, struct fault *fault)
{
	struct ellu_message_part *parts = arena_array(arena, message->n_parts, sizeof(*parts));
	const struct ellu_message_part **list = arena_array(arena, message->n_parts, sizeof(*list));
	int r = parts && list ? 0 : fault_oom(fault);

	for (size_t i = 0; r >= 0 && i < message->n_parts; i++) {
		parts[i] = *message->parts[i];
		list[i] = &parts[i];
		r = render_field(&parts[i].text, values, left, arena, fault);
		if (r >= 0)
			r = render_media(&parts[i].image, values, left, arena, fault);
		if (r >= 0)
			r = render_media(&parts[i].document, values, left, arena, fault);
	}
	message->parts = list;
	return r;
}

static int render_message(const struct ellu_message *message, json_object *values, size_t *left,
			  struct arena *arena, struct ellu_message *ret_message,
			  struct fault *fault)
{
	int r;

	*ret_message = *message;
	r = render_field(&ret_message->content, values, left, arena, fault);
	if (r < 0 || message->n_parts == 0)
		return r;
	return render_parts(ret_message, values, left, arena, fault);
}

/* Behind what `list` has. */
static int render_into(const struct ellu_message *const *messages, size_t n_messages,
		       json_object *values, size_t *left, struct arena *arena,
		       const struct ellu_message **list, struct fault *fault)
{
	struct ellu_message *rendered = arena_array(arena, n_messages, sizeof(*rendered));

	if (!rendered)
		return fault_oom(fault);
	for (size_t i = 0; i < n_messages; i++) {
		int r = render_message(messages[i], values, left, arena, &rendered[i], fault);

		if (r < 0)
			return r;
		list[i] = &rendered[i];
	}
	return 0;
}

int template_render_messages(const struct ellu_message *const *messages, size_t n_messages,
			     json_object *values, struct arena *arena,
			     const struct ellu_message *const **ret_messages, struct fault *fault)
{
	const struct ellu_message **list = arena_array(arena, n_messages, sizeof(*list));
	size_t left = RENDERED_BYTES_MAX;

	if (!list)
		return fault_oom(fault);
	*ret_messages = list;
	return render_into(messages, n_messages, values, &left, arena, list, fault);
}

/* ---- What a row brings itself ---- */

bool column_is_input(const char *type)
{
	return strcmp(type, "conversation") == 0 || strcmp(type, "raw_input") == 0;
}

static int decode_message(json_object *value, size_t i, enum record_source source, const char *path,
			  struct arena *arena, void *ret_message, struct fault *fault)
{
	const char *item = arena_printf(arena, "%s[%zu]", path, i);
	void *message;
	int r;

	if (!item)
		return fault_oom(fault);
	r = record_decode(&ellu_message_type, json_object_array_get_idx(value, i), source, item, arena,
			  &message, fault);
	if (r >= 0)
		memcpy(ret_message, &message, sizeof(message));
	return r;
}

int conversation_check(json_object *value, const char *path, struct fault *fault)
{
	size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
	struct ellu_message *message;
	struct arena arena;
	int r = 0;

	if (n < 1 || n > CONVERSATION_MAX)
		return fault_invalid(fault, path, "a list of 1 to %d messages", CONVERSATION_MAX);
	arena_init(&arena);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = decode_message(value, i, FROM_CLIENT, path, &arena, &message, fault);
	arena_done(&arena);
	return r;
}

/* True when it stands in the template already. */
static bool names_input(const struct prompt *prompt)
{
	for (size_t i = 0; prompt->template && i < prompt->template->n_placeholders; i++)
		if (strcmp(prompt->template->placeholders[i], prompt->input) == 0)
			return true;
	return false;
}

/* How many messages the row brings; InvalidParameter without any. */
static int find_input(const struct prompt *prompt, json_object *values, json_object **ret_value,
		      size_t *ret_n, struct fault *fault)
{
	json_object *value = NULL;

	*ret_n = 0;
	if (!prompt->input || names_input(prompt))
		return 0;
	if (!json_object_object_get_ex(values, prompt->input, &value) ||
	    !json_object_is_type(value, prompt->literal ? json_type_string : json_type_array))
		return fault_invalid(fault, prompt->input, "a value in this column");
	*ret_value = value;
	*ret_n = prompt->literal ? 1 : json_object_array_length(value);
	return 0;
}

static int add_literal(json_object *value, struct arena *arena, const struct ellu_message **list)
{
	struct ellu_message *message = arena_alloc(arena, sizeof(*message));

	if (!message)
		return -ENOMEM;
	*message = ELLU_RECORD(struct ellu_message);
	message->role = "user";
	message->content = arena_strdup(arena, json_object_get_string(value));
	*list = message;
	return message->content ? 0 : -ENOMEM;
}

static int add_input(const struct prompt *prompt, json_object *value, size_t n, size_t left,
		     struct arena *arena, const struct ellu_message **list, struct fault *fault)
{
	const char *text;
	size_t size;
	int r = 0;

	if (value_text(value, &text, &size) < 0)
		return fault_oom(fault);
	if (size > left) {
		fault_too_large(fault, RENDERED_BYTES_MAX, prompt->input);
		snprintf(fault->field, sizeof(fault->field), "%s", prompt->input);
		return fault->code;
	}
	if (prompt->literal)
		return add_literal(value, arena, list) < 0 ? fault_oom(fault) : 0;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = decode_message(value, i, FROM_STORE, prompt->input, arena, &list[i], fault);
	return r;
}

int prompt_render(const struct prompt *prompt, json_object *values, struct arena *arena,
		  const struct ellu_message *const **ret_messages, size_t *ret_n_messages,
		  struct fault *fault)
{
	const struct ellu_prompt_template *template = prompt->template;
	size_t n_template = template ? template->n_messages : 0, left = RENDERED_BYTES_MAX, n;
	const struct ellu_message **list;
	json_object *value = NULL;
	int r = find_input(prompt, values, &value, &n, fault);

	if (r < 0)
		return r;
	list = arena_array(arena, n_template + n, sizeof(*list));
	if (!list)
		return fault_oom(fault);
	if (template)
		r = render_into(template->messages, n_template, values, &left, arena, list, fault);
	if (r >= 0 && n > 0)
		r = add_input(prompt, value, n, left, arena, list + n_template, fault);
	*ret_messages = list;
	*ret_n_messages = n_template + n;
	return r;
}
