/*
 * Requests and answers of each dialect as its provider documents them, which are data
 * (tests/samples/dialects): what is asked comes out as its request, and what is answered is read as it
 * was meant. The simulated endpoint takes the same requests, and answers in the same shapes.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/request.h"
#include "daemon/backend/dialect/simulated_text.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "tests/sim/chat.h"
#include "tests/unit/backend/golden.h"
#include "tests/unit/suite.h"

static const char *const files[] = { "anthropic", "bedrock", "cohere", "custom", "gemini", "openai" };

/* ---- What is asked ---- */

struct question {
	struct arena arena;
	const struct ellu_call_request *request;
	struct llm_target *target;
	struct llm_call call;
};

/* The target of the dialect; `content` is of the config, or NULL. */
static struct llm_target *make_target(json_object *golden, const struct ellu_llm_config *content,
				      const char *extra_body)
{
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	struct llm_target *target;
	struct fault fault = { 0 };

	if (content)
		config = *content;
	config.name = "c";
	config.provider = golden_text(golden, "provider");
	config.llm_model_name = "m";
	config.llm_base_url = golden_text(golden, "base");
	config.api_key = KEY;
	config.extra_body = extra_body;
	config.custom = golden_text(golden, "custom");
	ck_assert_msg(llm_target_new(&config, &target, &fault) == 0, "%s", fault.message);
	return target;
}

/* What a config must have, wherever it is for. */
static void name_config(json_object *golden, json_object *content)
{
	json_object_object_add(content, "name", json_object_new_string("c"));
	json_object_object_add(content, "llm_model_name", json_object_new_string("m"));
	json_object_object_add(content, "provider", json_object_get(golden_member(golden, "provider")));
}

static void question_make(struct question *question, json_object *golden, json_object *neutral,
			  json_object *wanted)
{
	json_object *content = golden_member(golden_member(neutral, "llm_config"), "content");
	const struct ellu_call_request *request;
	struct fault fault = { 0 };
	const char *text;
	void *record;

	if (content)
		name_config(golden, content);
	text = json_object_to_json_string(neutral);

	*question = (struct question){ 0 };
	arena_init(&question->arena);
	ck_assert_msg(record_from_text(&ellu_call_request_type, text, strlen(text), FROM_DAEMON,
				       &question->arena, &record, &fault) >= 0, "%s", fault.message);
	question->request = request = record;
	question->target = make_target(golden, request->llm_config ? request->llm_config->content : NULL,
				       golden_text(wanted, "extra_body"));
	question->call = (struct llm_call){
		.target = question->target,
		.messages = request->messages,
		.n_messages = request->n_messages,
		.params = request->generation_params,
		.tools = request->tools,
		.n_tools = request->n_tools,
		.tool_choice = request->tool_choice,
		.response_format = request->response_format,
	};
}

static void question_done(struct question *question)
{
	llm_target_unref(question->target);
	arena_done(&question->arena);
}

/* What the simulated endpoint makes of it; the caller ends it. */
static void let_sim_read(const char *url, struct span body, const char *name,
			 struct chat_request *ret_request)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');
	struct chat_wanted wanted;
	struct bytes error = { 0 };

	ck_assert_msg(chat_find((struct span){ path, strcspn(path, "?") }, &wanted), "%s", url);
	if (!chat_request_parse(body, &wanted, ret_request, &error))
		ck_abort_msg("%s, %s: %.*s", url, name, (int)error.size, error.data);
	ck_assert_str_eq(ret_request->model, "m");
}

static void check_requests(const char *file)
{
	json_object *golden = golden_read(file), *calls = golden_read("calls");
	json_object *all = golden_member(golden, "requests");

	json_object_object_foreach(calls, name, neutral) {
		json_object *wanted = golden_member(all, name);
		struct chat_request seen;
		struct buffer body = { 0 };
		struct question question;
		json_object *found;

		ck_assert_msg(wanted != NULL, "%s lacks %s", file, name);
		question_make(&question, golden, neutral, wanted);
		question.call.stream = strcmp(name, "stream") == 0 ? (struct llm_stream *)&question : NULL;
		question.target->dialect->request(&question.call, &question.target->dialect->form, &body);
		ck_assert(!body.failed);
		found = golden_parse(body.data, body.size);
		golden_expect(file, name, golden_member(wanted, "body"), found);
		if (golden_member(wanted, "url"))
			ck_assert_str_eq(golden_text(wanted, "url"), target_url_of(&question.call)->text);
		let_sim_read(question.target->urls[URL_ANSWER].text, (struct span){ body.data, body.size }, name,
			     &seen);
		ck_assert_uint_eq(seen.n_tools > 0, question.call.n_tools > 0);
		ck_assert_int_eq(seen.format == CHAT_JSON_SCHEMA, question.call.response_format != NULL);
		chat_request_done(&seen);
		json_object_put(found);
		buffer_done(&body);
		question_done(&question);
	}
	json_object_put(calls);
	json_object_put(golden);
}

/* ---- What is answered ---- */

static json_object *read_answer(struct llm_target *target, int status, const char *type,
				const struct framing *framing, char *body, size_t size)
{
	struct attempt attempt = { .status = status, .wait_usec = -1 };
	struct llm_call call = { .target = target, .input_tokens = -1, .output_tokens = -1,
				 .reasoning_tokens = -1, .cached_tokens = -1, .cost_nanodollars = -1 };
	struct json_reader reader = { 0 };
	struct answer answer;
	json_object *result;

	if (status >= 300) {
		refusal_read(target, &reader, type, body, size, &attempt);
	} else {
		answer_begin(&answer, &call, &reader, framing, &attempt);
		/* In pieces of any size. */
		for (size_t at = 0; framing && at < size; at += 7)
			answer_take(&answer, body + at, size - at < 7 ? size - at : 7);
		answer_end(&answer, body, framing ? 0 : size);
		answer_done(&answer);
	}
	result = golden_result(&call, &attempt);
	arena_done(&call.arena);
	json_reader_done(&reader);
	return result;
}

/* How streams come. */
static const struct framing *framing_of(json_object *golden)
{
	return framing_find(golden_member(golden, "stream_type") ? golden_text(golden, "stream_type") :
							    "text/event-stream");
}

/* Amazon's have a name: the event's only member's. */
static void put_message(json_object *event, struct buffer *stream)
{
	struct bytes message = { 0 }, data = { 0 };

	json_object_object_foreach(event, name, value) {
		bytes_text(&data, json_object_to_json_string(value));
		chat_bedrock.write_event(&message, name, &data);
		buffer_append(stream, strstr(message.data, "\r\n") + 2, strtoul(message.data, NULL, 16));
	}
	bytes_done(&message);
	bytes_done(&data);
}

static void put_event(json_object *event, struct buffer *stream)
{
	buffer_text(stream, "data: ");
	buffer_text(stream, json_object_is_type(event, json_type_string) ?
				    json_object_get_string(event) : json_object_to_json_string(event));
	buffer_text(stream, "\n\n");
}

static json_object *read_golden(struct llm_target *target, const struct framing *framing,
				json_object *answer)
{
	json_object *status = golden_member(answer, "status"), *events = golden_member(answer, "events");
	json_object *body = golden_member(answer, "body"), *result;
	struct buffer text = { 0 };

	for (size_t i = 0; events && i < json_object_array_length(events); i++)
		(framing == &framing_aws ? put_message : put_event)(json_object_array_get_idx(events, i),
								    &text);
	if (!events)
		buffer_text(&text, json_object_to_json_string(body));
	result = read_answer(target, status ? json_object_get_int(status) : 200, golden_text(answer, "type"),
			     events ? framing : NULL, text.data, text.size);
	buffer_done(&text);
	return result;
}

/* What each dialect must show. The answers of a custom one come whole. */
static void must_be_complete(const char *file, json_object *golden)
{
	static const char *const answers[] = { "text", "tools", "refusal", "truncation", "filter",
					       "usage missing", "stream", "stream of tools",
					       "stream that ends in an error" };
	bool whole = strcmp(file, "custom") == 0;

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		ck_assert_msg((whole && strncmp(answers[i], "stream", 6) == 0) ||
				      golden_member(golden_member(golden, "answers"), answers[i]) != NULL,
			      "%s: no answer of '%s'", file, answers[i]);
}

static void check_answers(const char *file)
{
	json_object *golden = golden_read(file);
	struct llm_target *target = make_target(golden, NULL, NULL);

	must_be_complete(file, golden);
	json_object_object_foreach(golden_member(golden, "answers"), name, answer) {
		json_object *result = read_golden(target, framing_of(golden), answer);

		golden_expect(file, name, golden_member(answer, "then"), result);
		json_object_put(result);
	}
	llm_target_unref(target);
	json_object_put(golden);
}

/* ---- What the simulated endpoint answers ---- */

/* Takes the chunks of HTTP off, and looks at each event. */
static void unchunk(struct bytes *stream, const struct framing *framing, json_object *places,
		    const char *dialect)
{
	struct bytes out = { 0 };
	char *at = stream->data, *end;

	for (size_t size; (size = strtoul(at, &end, 16)) > 0; at = end + 2 + size + 2) {
		union framing_state state = { 0 };
		struct framed_event event;

		bytes_append(&out, end + 2, size);
		ck_assert_int_eq(framing->take(&state, end + 2, size, &event), size);
		if (*event.data == '{') {
			json_object *json = golden_parse(event.data, event.size);

			golden_walk(json, "", places, dialect);
			json_object_put(json);
		}
		framing->done(&state);
	}
	bytes_done(stream);
	*stream = out;
}

static void expect_of_sim(const char *dialect, const struct chat_answer *said, json_object *result)
{
	const char *reason = golden_text(result, "finish_reason");

	if (said->tool) {
		json_object *tool_call = json_object_array_get_idx(golden_member(result, "tool_calls"), 0);

		ck_assert_str_eq(golden_text(tool_call, "name"), said->tool);
		ck_assert_int_eq(said->arguments.size, strlen(golden_text(tool_call, "arguments")));
		ck_assert_str_eq(reason, "tool_calls");
	} else {
		ck_assert_msg(span_is(said->text, golden_text(result, "text")), "%s: %s", dialect,
			      json_object_to_json_string(result));
	}
	if (said->finish == CHAT_STOP)
		ck_assert_str_eq(reason, "stop");
	if (said->finish == CHAT_LENGTH)
		ck_assert_str_eq(reason, "length");
	if (said->finish == CHAT_FILTER)
		ck_assert_msg(strcmp(reason, "content_filter") == 0 || strcmp(reason, "refusal") == 0,
			      "%s: %s", dialect, reason);
	ck_assert_int_eq(json_object_get_int(golden_member(result, "input_tokens")), said->usage ? 12 : 0);
	ck_assert_int_eq(json_object_get_int(golden_member(result, "output_tokens")), said->usage ? 34 : 0);
}

static void check_simulated(const char *file)
{
	json_object *golden = golden_read(file), *places = golden_places(golden);
	struct llm_target *target = make_target(golden, NULL, NULL);
	const struct chat_dialect *dialect;
	struct chat_wanted wanted;

	ck_assert(chat_find(span_of(strchr(strstr(target->urls[URL_ANSWER].text, "://") + 3, '/')), &wanted));
	dialect = wanted.dialect;
	for (int finish = CHAT_STOP; finish <= CHAT_TOOLS; finish++) {
		for (int way = 0; way < 4; way++) {
			bool streamed = dialect->write_stream && (way & 1);
			struct chat_answer said = {
				.number = 5, .model = "m", .finish = (enum chat_finish)finish,
				.text = span_of("Words that are as many as a piece of a stream takes, and more."),
				.tool = finish == CHAT_TOOLS ? "weather" : NULL,
				.arguments = span_of("{\"place\":\"Rome, where it is warm\"}"),
				.usage = way & 2, .input_tokens = 12, .output_tokens = 34,
			};
			struct bytes body = { 0 };
			json_object *result, *json;

			if (streamed) {
				dialect->write_stream(&body, &said, /* include_usage= */ true);
				bytes_append(&body, "", 1);
				unchunk(&body, framing_of(golden), places, file);
			} else {
				dialect->write(&body, &said);
				json = golden_parse(body.data, body.size);
				golden_walk(json, "", places, file);
				json_object_put(json);
			}
			result = read_answer(target, 200, NULL, streamed ? framing_of(golden) : NULL,
					     body.data, body.size);
			expect_of_sim(file, &said, result);
			json_object_put(result);
			bytes_done(&body);
		}
	}
	llm_target_unref(target);
	json_object_put(places);
	json_object_put(golden);
}

/* ---- What goes back as it came ---- */

/* A call of a tool that the provider signed, whole or in a stream, is signed when it is told what came
 * of it. */
static void check_signed(json_object *golden, struct llm_target *target, const char *name)
{
	json_object *result = read_golden(target, framing_of(golden), golden_member(golden_member(golden, "answers"), name));
	const char *text = json_object_to_json_string(golden_member(result, "tool_calls"));
	struct ellu_message message = ELLU_RECORD(struct ellu_message);
	const struct ellu_message *const messages[] = { &message };
	struct llm_call call = { .target = target, .messages = messages, .n_messages = 1 };
	struct buffer body = { 0 };
	json_object *request, *parts;
	struct arena arena;

	arena_init(&arena);
	message.role = "assistant";
	ck_assert_int_eq(record_list_from_text(&ellu_tool_call_type, text, FROM_STORE, &arena,
					       &message.tool_calls, &message.n_tool_calls), 0);
	ck_assert_str_eq(message.tool_calls[0]->signature, "c2lnbmVk");
	ck_assert_ptr_null(message.tool_calls[1]->signature);
	target->dialect->request(&call, &target->dialect->form, &body);
	request = golden_parse(body.data, body.size);
	parts = golden_member(json_object_array_get_idx(golden_member(request, "contents"), 0), "parts");
	ck_assert_str_eq(golden_text(json_object_array_get_idx(parts, 0), "thoughtSignature"), "c2lnbmVk");
	ck_assert_ptr_null(golden_member(json_object_array_get_idx(parts, 1), "thoughtSignature"));
	json_object_put(request);
	json_object_put(result);
	buffer_done(&body);
	arena_done(&arena);
}

START_TEST(signatures)
{
	json_object *golden = golden_read("gemini");
	struct llm_target *target = make_target(golden, NULL, NULL);

	check_signed(golden, target, "signed tools");
	check_signed(golden, target, "stream of signed tools");
	llm_target_unref(target);
	json_object_put(golden);
}
END_TEST

#define EACH_FILE(name, check)                                                                     \
	START_TEST(name)                                                                           \
	{                                                                                          \
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)                        \
			check(files[i]);                                                           \
	}                                                                                          \
	END_TEST

EACH_FILE(requests, check_requests)
EACH_FILE(answers, check_answers)
EACH_FILE(simulated, check_simulated)

int main(void)
{
	return RUN_TESTS(requests, answers, simulated, signatures);
}
