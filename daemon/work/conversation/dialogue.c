#include "daemon/work/conversation/dialogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text/utf8.h"

#define KEPT_ANSWER_BYTES (64u << 10)

int dialogue_go_on(const struct ellu_message *const *messages, size_t n_messages, const char *answer,
		   const char *reply, struct arena *arena,
		   const struct ellu_message *const **ret_messages, size_t *ret_n_messages)
{
	const struct ellu_message **list = arena_array(arena, n_messages + 2, sizeof(*list));
	struct ellu_message *made = arena_array(arena, 2, sizeof(*made));

	if (!list || !made)
		return -ENOMEM;
	for (size_t i = 0; i < n_messages; i++)
		list[i] = messages[i];
	for (size_t i = 0; i < 2; i++) {
		made[i] = ELLU_RECORD(struct ellu_message);
		made[i].role = i == 0 ? "assistant" : "user";
		list[n_messages + i] = &made[i];
	}
	made[0].content = arena_strndup(arena, answer, utf8_cut(answer, strlen(answer), KEPT_ANSWER_BYTES));
	made[1].content = reply;
	if (!made[0].content || !made[1].content)
		return -ENOMEM;
	*ret_messages = list;
	*ret_n_messages = n_messages + 2;
	return 0;
}

/* ---- As one text ---- */

struct text {
	char *out; // NULL: it is only counted
	size_t size;
};

static void add(struct text *text, const char *more)
{
	size_t size = strlen(more);

	if (text->out)
		memcpy(text->out + text->size, more, size);
	text->size += size;
}

static void add_message(struct text *text, const struct ellu_message *message)
{
	if (message->content)
		add(text, message->content);
	for (size_t i = 0; i < message->n_parts; i++)
		add(text, message->parts[i]->text ? message->parts[i]->text :
			  message->parts[i]->image ? "[image]" : "[document]");
	for (size_t i = 0; i < message->n_tool_calls; i++) {
		add(text, "\n");
		add(text, message->tool_calls[i]->name);
		add(text, " ");
		add(text, message->tool_calls[i]->arguments);
	}
}

static void add_messages(struct text *text, const struct ellu_message *const *messages, size_t n_messages)
{
	text->size = 0;
	for (size_t i = 0; i < n_messages; i++) {
		if (n_messages > 1) {
			add(text, i > 0 ? "\n\n" : "");
			add(text, messages[i]->role);
			add(text, ": ");
		}
		add_message(text, messages[i]);
	}
}

json_object *dialogue_text(const struct ellu_message *const *messages, size_t n_messages)
{
	struct text text = { 0 };
	json_object *json;

	add_messages(&text, messages, n_messages);
	text.out = malloc(text.size + 1);
	if (!text.out)
		return NULL;
	add_messages(&text, messages, n_messages);
	json = json_object_new_string_len(text.out, (int)text.size);
	free(text.out);
	return json;
}
