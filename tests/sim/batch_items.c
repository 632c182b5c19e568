#include "tests/sim/batch_items.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "tests/sim/chat.h"
#include "tests/sim/chat_call.h"
#include "tests/sim/chat_reply.h"
#include "tests/sim/simulator.h"

static void reverse(struct bytes *lines, const struct bytes *line)
{
	struct bytes joined = { 0 };

	bytes_append(&joined, line->data, line->size);
	bytes_append(&joined, lines->data, lines->size);
	bytes_done(lines);
	*lines = joined;
}

static void write_openai_line(struct bytes *line, const char *custom_id, const struct chat_reply *reply, bool asked)
{
	bytes_text(line, "{\"id\":\"batch_req_1\",\"custom_id\":");
	bytes_json(line, span_of(custom_id));
	if (asked) {
		bytes_printf(line, ",\"response\":{\"status_code\":%d,\"request_id\":\"r\",\"body\":", reply->status);
		bytes_append(line, reply->out.data + reply->head_size, reply->out.size - reply->head_size);
		bytes_text(line, "},\"error\":null}\n");
	} else {
		bytes_text(line, ",\"response\":null,\"error\":{\"code\":\"batch_expired\",\"message\":"
				 "\"This request could not be executed in time.\"}}\n");
	}
}

static void write_anthropic_line(struct bytes *line, const char *custom_id, const struct chat_reply *reply,
				 bool asked)
{
	bytes_text(line, "{\"custom_id\":");
	bytes_json(line, span_of(custom_id));
	if (asked) {
		bytes_printf(line, ",\"result\":{\"type\":\"%s\",\"%s\":", reply->status == 200 ? "succeeded" : "errored",
			     reply->status == 200 ? "message" : "error");
		bytes_append(line, reply->out.data + reply->head_size, reply->out.size - reply->head_size);
		bytes_text(line, "}}\n");
	} else {
		bytes_text(line, ",\"result\":{\"type\":\"expired\"}}\n");
	}
}

/* As a single call would be, but for what happens to its connection. */
static void make_reply(struct simulator *simulator, const struct chat_wanted *wanted, struct span body,
		       uint64_t number, struct chat_reply *reply)
{
	const struct behaviour *behaviour = &simulator->behaviour;
	struct chat_request chat = { 0 };
	enum fault fault = behaviour_fault(behaviour, number);

	reply->dialect = wanted->dialect;
	if (chat_reply_accepts(reply, behaviour, body, wanted, &chat)) {
		if (behaviour->refused_text && memmem(body.data, body.size, behaviour->refused_text,
						      strlen(behaviour->refused_text)))
			chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_RATE, NULL);
		else
			chat_reply_make(reply, behaviour, &chat, number, fault);
	}
	chat_request_done(&chat);
}

static void write_line(struct bytes *line, bool is_openai, const char *custom_id, const struct chat_reply *reply,
		       bool asked)
{
	if (is_openai)
		write_openai_line(line, custom_id, reply, asked);
	else
		write_anthropic_line(line, custom_id, reply, asked);
}

/* Of items that nobody gave: of another row, and of another end. */
static void forge(struct batch *batch, const char *custom_id, const struct chat_reply *reply)
{
	static const size_t mark_size = 16;
	char *forged = must_have(strdup(custom_id));
	char *digits[] = { forged + mark_size + 1, forged + strlen(forged) - 1 };

	for (size_t i = 0; i < sizeof(digits) / sizeof(*digits); i++) {
		const char was = *digits[i];

		*digits[i] = was == '3' ? '4' : '3';
		write_line(&batch->output, batch->is_openai, forged, reply, true);
		*digits[i] = was;
	}
	free(forged);
}

/* As long as no answer is. */
static void lengthen(struct bytes *line)
{
	static const size_t longer = 9 * 1024 * 1024;
	char *spaces = must_have(malloc(longer));

	memset(spaces, ' ', longer);
	line->size--; /* its newline */
	bytes_append(line, spaces, longer);
	bytes_text(line, "\n");
	free(spaces);
}

static void take_item(struct simulator *simulator, struct batch *batch, const char *custom_id,
		      struct json_object *params)
{
	const char *text = json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN);
	struct span body = span_of(text);
	const struct chat_wanted wanted = { .dialect = batch->is_openai ? &chat_openai : &chat_anthropic };
	struct call_identity identity = { .body_hash = hash_bytes(0, body.data, body.size) };
	struct bytes line = { 0 };
	struct chat_reply reply = { 0 };
	bool asked = simulator->batches.n_items >= simulator->behaviour.batch_expire_first;

	simulator->batches.n_items++;
	batch->n_items++;
	if (asked) {
		counters_call(&simulator->counters, &identity);
		make_reply(simulator, &wanted, body, simulator->counters.calls, &reply);
		counters_status(&simulator->counters, reply.status);
		if (reply.correct)
			counters_answered(&simulator->counters, &identity, 0);
	}
	batch->n_succeeded += asked && reply.status == 200;
	batch->n_errored += asked && reply.status != 200;
	batch->n_expired += !asked;
	write_line(&line, batch->is_openai, custom_id, &reply, asked);
	if (simulator->batches.n_items <= simulator->behaviour.batch_oversize_first)
		lengthen(&line);
	if (simulator->behaviour.batch_strangers && asked)
		forge(batch, custom_id, &reply);
	/* In no order that one may rely on. */
	reverse(batch->is_openai && reply.status != 200 ? &batch->errors : &batch->output, &line);
	bytes_done(&line);
	chat_reply_done(&reply);
}

static void add_strangers(struct batch *batch)
{
	static const char *const strangers[] = {
		"no JSON\n", "[]\n", "{\"custom_id\":\"somebody-1-1-1\",\"result\":{\"type\":\"succeeded\"}}\n",
		"{\"custom_id\":7}\n", "\n",
	};

	for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
		bytes_text(&batch->output, strangers[i]);
}

struct json_object *batch_parse(const char *data, size_t size)
{
	struct json_tokener *tokener = must_have(json_tokener_new());
	struct json_object *json = json_tokener_parse_ex(tokener, data, (int) size);

	json_tokener_free(tokener);
	return json;
}

static void end_items(struct simulator *simulator, struct batch *batch)
{
	batch->expired = batch->n_expired > 0;
	if (simulator->behaviour.batch_strangers)
		add_strangers(batch);
}

void batch_take_lines(struct simulator *simulator, struct batch *batch, struct span text)
{
	while (text.size > 0 && !batch->failed) {
		const char *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t) (end - text.data) + 1 : text.size;
		struct json_object *line = batch_parse(text.data, size);
		const char *custom_id = chat_text_member(line, "custom_id");

		if (custom_id)
			take_item(simulator, batch, custom_id, chat_member(line, "body"));
		json_object_put(line);
		text.data += size;
		text.size -= size;
	}
	end_items(simulator, batch);
}

void batch_take_requests(struct simulator *simulator, struct batch *batch, struct json_object *requests)
{
	for (size_t i = 0; i < json_object_array_length(requests); i++) {
		struct json_object *item = json_object_array_get_idx(requests, i);
		const char *custom_id = chat_text_member(item, "custom_id");

		if (custom_id)
			take_item(simulator, batch, custom_id, chat_member(item, "params"));
	}
	end_items(simulator, batch);
}
