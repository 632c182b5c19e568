#include "daemon/front/sdk/whole.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/record/record.h"
#include "proto/wire/method.h"

#define ITEMS_MAX 1000 // of a page

/* What the pages need that is sent. */
struct sending {
	const char *head;
	const char *tail;
	shape_item_fn *shape;
	const void *of;
};

static int write_items(FILE *out, const struct sending *sending, json_object *items, bool first)
{
	struct json_maker maker = { 0 };

	for (size_t i = 0; i < array_length(items) && !maker.failed; i++) {
		json_object *shown = sending->shape(&maker, json_object_array_get_idx(items, i), sending->of);
		const char *text = shown ? json_text(shown, NULL) : NULL;

		if (text)
			fprintf(out, "%s%s", first && i == 0 ? "" : ",", text);
		maker.failed |= !text;
		json_object_put(shown);
	}
	return maker.failed ? -ENOMEM : 0;
}

static int send_page(struct http_exchange *exchange, const struct sending *sending, json_object *items)
{
	bool first = !exchange->begun;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r, room = true;

	if (!out)
		return -ENOMEM;
	if (first)
		fputs(sending->head, out);
	r = write_items(out, sending, items, first);
	if (fclose(out) != 0)
		r = -ENOMEM;
	if (r == 0 && first)
		http_stream_begin(exchange, 200, "application/json", NULL);
	if (r == 0)
		room = http_stream_send(exchange, text, size);
	free(text);
	return r < 0 ? r : room;
}

static int on_page(struct http_call *call, struct answer *answer, bool continues)
{
	struct http_exchange *exchange = call->exchange;
	const struct sending *sending = call->data;
	json_object *reply = NULL;
	int r = http_answer_object(answer, &reply);

	if (r < 0)
		return r;
	r = send_page(exchange, sending, member(reply, "items"));
	json_object_put(reply);
	if (r < 0 || continues)
		return r;
	(void)http_stream_send(exchange, sending->tail, strlen(sending->tail));
	http_stream_end(exchange);
	return true;
}

static void on_failure(struct http_call *call, const struct fault *fault)
{
	if (call->exchange->begun)
		http_stream_break(call->exchange);
	else
		http_fail(call->exchange, fault);
}

/* An object's last brace is sent behind the list. NULL: no memory. */
static const char *head_of(struct asking *asking, const struct whole *whole)
{
	struct arena *arena = &asking->exchange->arena;
	size_t size = 0;
	const char *text = whole->object ? json_text(whole->object, &size) : NULL;
	char *head;

	if (!whole->object)
		return "[";
	head = text ? arena_alloc(arena, size + strlen(whole->member) + 8) : NULL;
	if (head)
		sprintf(head, "%.*s,\"%s\":[", (int)size - 1, text, whole->member);
	return head;
}

void step_answer_whole(struct asking *asking, const struct whole *whole)
{
	struct http_exchange *exchange = asking->exchange;
	struct sending *sending = arena_alloc(&exchange->arena, sizeof(*sending));
	struct http_call how = { .more = true, .answered = on_page, .failed = on_failure, .data = sending };
	struct fault fault = { 0 };

	if (sending)
		*sending = (struct sending){ .head = head_of(asking, whole), .tail = whole->object ? "]}" : "]",
					     .shape = whole->shape, .of = whole->of };
	put_int(&asking->maker, whole->parameters, "limit", ITEMS_MAX);
	if (!sending || !sending->head || asking->maker.failed) {
		ask_fail(asking, (fault_oom(&fault), &fault));
	} else {
		exchange->on_writable = http_calls_writable;
		/* Who takes it slowly holds no place meanwhile. */
		ask_settle(asking);
		http_call(exchange, method_find(whole->method), whole->parameters, &how);
	}
	json_object_put(whole->object);
	json_object_put(whole->parameters);
}
