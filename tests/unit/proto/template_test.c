/* Placeholders: what is one, which there are, and what stands in their place. */
#include "proto/content/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/unit/suite.h"

static struct arena arena;
static json_object *values;

static void setup(void)
{
	arena_init(&arena);
	values = json_tokener_parse("{\"topic\": \"tea\", \"n\": 3, \"pi\": 3.140, \"list\": [1, \"a/b\"],"
				    " \"yes\": true, \"quote\": \"say \\\"hi\\\"\\n\", \"nested\": \"{{n}}\","
				    " \"none\": null, \"empty\": \"\"}");
	ck_assert_ptr_nonnull(values);
}

static void teardown(void)
{
	json_object_put(values);
	arena_done(&arena);
}

START_TEST(rendering)
{
	static const struct {
		const char *text;
		const char *expected;
	} table[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "{{topic}}", "tea" },
		{ "a {{ topic }} b", "a tea b" },
		{ "{{\ttopic\n}}", "tea" },
		{ "{{topic}}{{topic}}", "teatea" },
		{ "{{n}} {{pi}} {{yes}}", "3 3.140 true" },
		{ "{{list}}", "[1,\"a/b\"]" },
		{ "{{quote}}", "say \"hi\"\n" },
		{ "{{nested}}", "{{n}}" },
		{ "<{{empty}}>", "<>" },
		{ "{topic} {{ }} {{two words}} {{a-b}} {{topic}", "{topic} {{ }} {{two words}} {{a-b}} {{topic}" },
		{ "{{{topic}}}", "{tea}" },
		{ "{{ {{topic}} }}", "{{ tea }}" },
		{ "{{", "{{" },
		{ "}}{{topic", "}}{{topic" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct fault fault = { 0 };
		const char *text;

		ck_assert_int_eq(template_render(table[i].text, values, &arena, &text, &fault), 0);
		ck_assert_str_eq(text, table[i].expected);
	}
}
END_TEST

START_TEST(missing_values)
{
	static const char *const names[] = { "missing", "none", "Topic" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct fault fault = { 0 };
		const char *text = "untouched";
		char source[64];

		snprintf(source, sizeof(source), "{{topic}} {{ %s }}", names[i]);
		ck_assert_int_eq(template_render(source, values, &arena, &text, &fault),
				 ELLU_E_INVALID_PARAMETER);
		ck_assert_str_eq(fault.field, names[i]);
		ck_assert_str_eq(text, "untouched");
	}
}
END_TEST

START_TEST(long_name_is_missing)
{
	struct fault fault = { 0 };
	const char *text;
	char source[1005] = "{{";

	memset(source + 2, 'x', 1000);
	strcpy(source + 1002, "}}");
	ck_assert_int_eq(template_render(source, values, &arena, &text, &fault),
			 ELLU_E_INVALID_PARAMETER);
	ck_assert_int_eq(strncmp(fault.field, "xxxx", 4), 0);
}
END_TEST

static struct ellu_message message(const char *content)
{
	struct ellu_message made = ELLU_RECORD(struct ellu_message);

	made.role = "user";
	made.content = content;
	return made;
}

START_TEST(names_of_messages)
{
	static const struct ellu_media photo = { sizeof(photo), .url = "http://{{host}}/", .name = "{{a}}" };
	static const struct ellu_message_part text = { sizeof(text), .text = "{{c}} {{a}}" };
	static const struct ellu_message_part image = { sizeof(image), .image = &photo };
	static const struct ellu_message_part *const parts[] = { &text, &image };
	struct ellu_message one = message("{{b}} {{a}} {{ b }} {{ab}}"), two = message(NULL);
	const struct ellu_message *const list[] = { &one, &two };
	const char *const *names;
	size_t n;

	two.parts = parts;
	two.n_parts = 2;
	ck_assert_int_eq(template_placeholders(list, 2, &arena, &names, &n), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(names[0], "b");
	ck_assert_str_eq(names[1], "a");
	ck_assert_str_eq(names[2], "ab");
	ck_assert_str_eq(names[3], "c");
	ck_assert_str_eq(names[4], "host");
	ck_assert_int_eq(template_placeholders(list, 0, &arena, &names, &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(many_names)
{
	struct ellu_message one = message(NULL);
	const struct ellu_message *const list[] = { &one };
	const char *const *names;
	char text[4096] = "";
	size_t n;

	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "{{v%d}}{{v%d}}", i, i / 2);
	one.content = text;
	ck_assert_int_eq(template_placeholders(list, 1, &arena, &names, &n), 0);
	ck_assert_uint_eq(n, 100);
	ck_assert_str_eq(names[99], "v99");
}
END_TEST

static int stop_at_b(void *userdata, const char *name, size_t size)
{
	int *n = userdata;

	(*n)++;
	return size == 1 && *name == 'b' ? -ECANCELED : 0;
}

START_TEST(scan_stops)
{
	int n = 0;

	ck_assert_int_eq(template_scan("{{a}} {{a}} {{b}} {{c}}", stop_at_b, &n), -ECANCELED);
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(template_scan("nothing", stop_at_b, &n), 0);
}
END_TEST

START_TEST(messages_and_parts)
{
	static const struct ellu_media photo = { sizeof(photo), .data = "{{topic}}", .media_type = "image/{{topic}}" };
	static const struct ellu_media paper = { sizeof(paper), .url = "http://{{topic}}/", .name = "{{topic}}" };
	static const struct ellu_message_part text = { sizeof(text), .text = "{{quote}} {{list}}" };
	static const struct ellu_message_part image = { sizeof(image), .image = &photo };
	static const struct ellu_message_part document = { sizeof(document), .document = &paper };
	static const struct ellu_message_part *const parts[] = { &text, &image, &document };
	struct ellu_message one = message("About {{topic}}"), two = message(NULL);
	const struct ellu_message *const list[] = { &one, &two };
	const struct ellu_message *const *rendered;
	struct fault fault = { 0 };

	two.parts = parts;
	two.n_parts = 3;
	ck_assert_int_eq(template_render_messages(list, 2, values, &arena, &rendered, &fault), 0);
	ck_assert_str_eq(rendered[0]->content, "About tea");
	ck_assert_str_eq(rendered[0]->role, "user");
	ck_assert_ptr_null(rendered[1]->content);
	ck_assert_str_eq(rendered[1]->parts[0]->text, "say \"hi\"\n [1,\"a/b\"]");
	ck_assert_ptr_null(rendered[1]->parts[0]->image);
	ck_assert_str_eq(rendered[1]->parts[1]->image->data, "tea");
	ck_assert_str_eq(rendered[1]->parts[1]->image->media_type, "image/tea");
	ck_assert_ptr_null(rendered[1]->parts[1]->image->url);
	ck_assert_str_eq(rendered[1]->parts[2]->document->url, "http://tea/");
	ck_assert_str_eq(rendered[1]->parts[2]->document->name, "tea");
	ck_assert_str_eq(photo.data, "{{topic}}");

	one.content = "{{absent}}";
	ck_assert_int_eq(template_render_messages(list, 2, values, &arena, &rendered, &fault),
			 ELLU_E_INVALID_PARAMETER);
	ck_assert_str_eq(fault.field, "absent");
}
END_TEST

/* All messages together, and their parts. */
START_TEST(what_is_too_large)
{
	struct ellu_message one = message("{{cell}}{{cell}}"), two = message("{{cell}}{{ topic }}");
	const struct ellu_message *const list[] = { &one, &two };
	static const struct ellu_media photo = { sizeof(photo), .data = "{{topic}}{{cell}}" };
	static const struct ellu_message_part image = { sizeof(image), .image = &photo };
	static const struct ellu_message_part *const parts[] = { &image, &image };
	const struct ellu_message *const *rendered;
	size_t size = RENDERED_BYTES_MAX / 3 - 1;
	struct fault fault = { 0 };
	char *cell = calloc(1, size + 1);

	memset(cell, '\n', size);
	json_object_object_add(values, "cell", json_object_new_string(cell));
	json_object_object_add(values, "topic", json_object_new_string(""));
	ck_assert_int_eq(template_render_messages(list, 2, values, &arena, &rendered, &fault), 0);
	ck_assert_uint_eq(strlen(rendered[0]->content), 2 * size);

	json_object_object_add(values, "topic", json_object_new_string("four"));
	ck_assert_int_eq(template_render_messages(list, 2, values, &arena, &rendered, &fault),
			 ELLU_E_TOO_LARGE);
	ck_assert_str_eq(fault.field, "topic");
	ck_assert_int_eq(fault.number, RENDERED_BYTES_MAX);

	two.content = NULL;
	two.parts = parts;
	two.n_parts = 2;
	ck_assert_int_eq(template_render_messages(list, 2, values, &arena, &rendered, &fault),
			 ELLU_E_TOO_LARGE);
	ck_assert_str_eq(fault.field, "cell");
	free(cell);
}
END_TEST

static int allocations_left;

static void *malloc_failing(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

START_TEST(lack_of_memory)
{
	struct ellu_message one = message("{{topic}} {{list}}");
	const struct ellu_message *const list[] = { &one };
	const struct ellu_message *const *rendered;
	const char *const *names;
	struct fault fault = { 0 };
	size_t n;

	arena_malloc = malloc_failing;
	allocations_left = 0;
	ck_assert_int_eq(template_render_messages(list, 1, values, &arena, &rendered, &fault),
			 ELLU_E_INTERNAL);
	ck_assert_int_eq(template_placeholders(list, 1, &arena, &names, &n), -ENOMEM);
	arena_malloc = malloc;
}
END_TEST

int main(void)
{
	return RUN_TESTS_WITH(setup, teardown, rendering, missing_values, long_name_is_missing,
			      names_of_messages, many_names, scan_stops, messages_and_parts,
			      what_is_too_large, lack_of_memory);
}
