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
#include "tests/unit/suite.h"

#define KEY "sk-0123456789abcdef"
#define PATH_MAX_BYTES 512

static const char *const files[] = { "anthropic", "bedrock", "cohere", "custom", "gemini", "openai" };

static json_object *read_file(const char *name)
{
	char path[512];
	json_object *json;

	snprintf(path, sizeof(path), "%s/%s.json", GOLDEN_FOLDER, name);
	json = json_object_from_file(path);
	ck_assert_msg(json != NULL, "%s: %s", path, json_util_get_last_err());
	return json;
}

static json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, name, &value);
	return value;
}

static const char *text_of(json_object *object, const char *name)
{
	return json_object_get_string(member(object, name));
}

static void expect_equal(const char *dialect, const char *name, json_object *expected,
			 json_object *found)
{
	ck_assert_msg(json_object_equal(expected, found), "%s, %s: expected\n%s\nfound\n%s", dialect,
		      name, json_object_to_json_string_ext(expected, JSON_C_TO_STRING_PLAIN),
		      json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN));
}

static json_object *parsed(const char *text, size_t size)
{
	json_tokener *tokener = json_tokener_new();
	json_object *json = json_tokener_parse_ex(tokener, text, (int)size);

	json_tokener_free(tokener);
	ck_assert_msg(json != NULL, "%.*s", (int)size, text);
	return json;
}

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
	config.provider = text_of(golden, "provider");
	config.llm_model_name = "m";
	config.llm_base_url = text_of(golden, "base");
	config.api_key = KEY;
	config.extra_body = extra_body;
	config.custom = text_of(golden, "custom");
	ck_assert_msg(llm_target_new(&config, &target, &fault) == 0, "%s", fault.message);
	return target;
}

/* What a config must have, wherever it is for. */
static void name_config(json_object *golden, json_object *content)
{
	json_object_object_add(content, "name", json_object_new_string("c"));
	json_object_object_add(content, "llm_model_name", json_object_new_string("m"));
	json_object_object_add(content, "provider", json_object_get(member(golden, "provider")));
}

static void question_make(struct question *question, json_object *golden, json_object *neutral,
			  json_object *wanted)
{
	json_object *content = member(member(neutral, "llm_config"), "content");
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
				       text_of(wanted, "extra_body"));
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
	json_object *golden = read_file(file), *calls = read_file("calls");
	json_object *all = member(golden, "requests");

	json_object_object_foreach(calls, name, neutral) {
		json_object *wanted = member(all, name);
		struct chat_request seen;
		struct buffer body = { 0 };
		struct question question;
		json_object *found;

		ck_assert_msg(wanted != NULL, "%s lacks %s", file, name);
		question_make(&question, golden, neutral, wanted);
		question.call.stream = strcmp(name, "stream") == 0 ? (struct llm_stream *)&question : NULL;
		question.target->dialect->request(&question.call, &question.target->dialect->form, &body);
		ck_assert(!body.failed);
		found = parsed(body.data, body.size);
		expect_equal(file, name, member(wanted, "body"), found);
		if (member(wanted, "url"))
			ck_assert_str_eq(text_of(wanted, "url"), target_url_of(&question.call)->text);
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

static void add_text(json_object *to, const char *name, const char *value)
{
	if (value)
		json_object_object_add(to, name, json_object_new_string(value));
}

static void add_count(json_object *to, const char *name, int64_t value)
{
	if (value >= 0)
		json_object_object_add(to, name, json_object_new_int64(value));
}

/* What became of it, as the golden data have it. */
static json_object *result_of(const struct llm_call *call, const struct attempt *attempt)
{
	static const char *const classes[] = {
		[ATTEMPT_RETRY] = "retry", [ATTEMPT_WAIT] = "wait", [ATTEMPT_ITEM] = "item",
		[ATTEMPT_CONFIG] = "config",
	};
	json_object *result = json_object_new_object();

	if (attempt->class != ATTEMPT_ANSWERED) {
		add_text(result, "class", attempt->code == ELLU_E_BACKEND_AUTHENTICATION ?
						  "key" : classes[attempt->class]);
		add_text(result, "message", attempt->message);
		if (attempt->wait_usec >= 0)
			json_object_object_add(result, "wait_seconds",
					       json_object_new_double((double)attempt->wait_usec / 1e6));
		return result;
	}
	add_text(result, "text", call->text);
	if (call->tool_calls)
		json_object_object_add(result, "tool_calls",
				       parsed(call->tool_calls, strlen(call->tool_calls)));
	add_text(result, "finish_reason", call->finish_reason);
	add_count(result, "input_tokens", call->input_tokens);
	add_count(result, "output_tokens", call->output_tokens);
	add_count(result, "reasoning_tokens", call->reasoning_tokens);
	add_count(result, "cached_tokens", call->cached_tokens);
	return result;
}

/* Reads a body with that status; events if it is framed. */
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
	result = result_of(&call, &attempt);
	arena_done(&call.arena);
	json_reader_done(&reader);
	return result;
}

/* How streams come. */
static const struct framing *framing_of(json_object *golden)
{
	return framing_find(member(golden, "stream_type") ? text_of(golden, "stream_type") :
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
	json_object *status = member(answer, "status"), *events = member(answer, "events");
	json_object *body = member(answer, "body"), *result;
	struct buffer text = { 0 };

	for (size_t i = 0; events && i < json_object_array_length(events); i++)
		(framing == &framing_aws ? put_message : put_event)(json_object_array_get_idx(events, i),
								    &text);
	if (!events)
		buffer_text(&text, json_object_to_json_string(body));
	result = read_answer(target, status ? json_object_get_int(status) : 200, text_of(answer, "type"),
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
				      member(member(golden, "answers"), answers[i]) != NULL,
			      "%s: no answer of '%s'", file, answers[i]);
}

static void check_answers(const char *file)
{
	json_object *golden = read_file(file);
	struct llm_target *target = make_target(golden, NULL, NULL);

	must_be_complete(file, golden);
	json_object_object_foreach(member(golden, "answers"), name, answer) {
		json_object *result = read_golden(target, framing_of(golden), answer);

		expect_equal(file, name, member(answer, "then"), result);
		json_object_put(result);
	}
	llm_target_unref(target);
	json_object_put(golden);
}

/* ---- What the simulated endpoint answers ---- */

/* Adds the place of each value, without numbers of elements, to what is there, or looks for it. */
static void walk(json_object *value, const char *path, json_object *places, const char *look)
{
	char below[PATH_MAX_BYTES];

	if (json_object_is_type(value, json_type_array)) {
		snprintf(below, sizeof(below), "%s[]", path);
		for (size_t i = 0; i < json_object_array_length(value); i++)
			walk(json_object_array_get_idx(value, i), below, places, look);
	} else if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, part) {
			snprintf(below, sizeof(below), "%s.%s", path, name);
			if (!look)
				json_object_object_add(places, below, NULL);
			else if (!strstr(below, "input.") && !strstr(below, "args."))
				ck_assert_msg(json_object_object_get_ex(places, below, NULL),
					      "%s: no golden answer has %s", look, below);
			walk(part, below, places, look);
		}
	}
}

static json_object *places_of(json_object *golden)
{
	json_object *places = json_object_new_object();

	json_object_object_foreach(member(golden, "answers"), name, answer) {
		json_object *events = member(answer, "events");

		(void)name;
		walk(member(answer, "body"), "", places, NULL);
		for (size_t i = 0; events && i < json_object_array_length(events); i++) {
			json_object *event = json_object_array_get_idx(events, i);

			walk(event, "", places, NULL);
			if (!member(golden, "stream_type"))
				continue;
			json_object_object_foreach(event, type, data) {
				(void)type;
				walk(data, "", places, NULL);
			}
		}
	}
	return places;
}

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
			json_object *json = parsed(event.data, event.size);

			walk(json, "", places, dialect);
			json_object_put(json);
		}
		framing->done(&state);
	}
	bytes_done(stream);
	*stream = out;
}

static void expect_of_sim(const char *dialect, const struct chat_answer *said, json_object *result)
{
	const char *reason = text_of(result, "finish_reason");

	if (said->tool) {
		json_object *tool_call = json_object_array_get_idx(member(result, "tool_calls"), 0);

		ck_assert_str_eq(text_of(tool_call, "name"), said->tool);
		ck_assert_int_eq(said->arguments.size, strlen(text_of(tool_call, "arguments")));
		ck_assert_str_eq(reason, "tool_calls");
	} else {
		ck_assert_msg(span_is(said->text, text_of(result, "text")), "%s: %s", dialect,
			      json_object_to_json_string(result));
	}
	if (said->finish == CHAT_STOP)
		ck_assert_str_eq(reason, "stop");
	if (said->finish == CHAT_LENGTH)
		ck_assert_str_eq(reason, "length");
	if (said->finish == CHAT_FILTER)
		ck_assert_msg(strcmp(reason, "content_filter") == 0 || strcmp(reason, "refusal") == 0,
			      "%s: %s", dialect, reason);
	ck_assert_int_eq(json_object_get_int(member(result, "input_tokens")), said->usage ? 12 : 0);
	ck_assert_int_eq(json_object_get_int(member(result, "output_tokens")), said->usage ? 34 : 0);
}

static void check_simulated(const char *file)
{
	json_object *golden = read_file(file), *places = places_of(golden);
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
				json = parsed(body.data, body.size);
				walk(json, "", places, file);
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
	json_object *result = read_golden(target, framing_of(golden), member(member(golden, "answers"), name));
	const char *text = json_object_to_json_string(member(result, "tool_calls"));
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
	request = parsed(body.data, body.size);
	parts = member(json_object_array_get_idx(member(request, "contents"), 0), "parts");
	ck_assert_str_eq(text_of(json_object_array_get_idx(parts, 0), "thoughtSignature"), "c2lnbmVk");
	ck_assert_ptr_null(member(json_object_array_get_idx(parts, 1), "thoughtSignature"));
	json_object_put(request);
	json_object_put(result);
	buffer_done(&body);
	arena_done(&arena);
}

START_TEST(signatures)
{
	json_object *golden = read_file("gemini");
	struct llm_target *target = make_target(golden, NULL, NULL);

	check_signed(golden, target, "signed tools");
	check_signed(golden, target, "stream of signed tools");
	llm_target_unref(target);
	json_object_put(golden);
}
END_TEST

/* ---- Vectors ---- */

static const char vectors_key[] = "vectors";

static struct llm_target *vectors_target(json_object *golden, json_object *wanted)
{
	struct ellu_llm_config config = ELLU_RECORD(struct ellu_llm_config);
	struct llm_target *target;
	struct fault fault = { 0 };

	config.name = "c";
	config.provider = text_of(golden, "provider");
	config.llm_model_name = member(golden, "model") ? text_of(golden, "model") : "m";
	config.llm_base_url = text_of(golden, "base");
	config.api_key = KEY;
	config.extra_body = text_of(wanted, "extra_body");
	ck_assert_msg(llm_target_new(&config, &target, &fault) == 0, "%s", fault.message);
	return target;
}

/* As many of the texts as go into one request. */
static void ask_vectors(struct llm_target *target, const struct ellu_embed_request *request,
			struct llm_embedding *embedding, struct llm_call *call)
{
	size_t max;
	struct fault fault = { 0 };

	ck_assert_int_eq(llm_target_texts_max(target, &max, &fault), 0);
	*embedding = (struct llm_embedding){ request->texts, request->n_texts < max ? request->n_texts : max,
					     request->dimensions, request->purpose };
	*call = (struct llm_call){ .target = target, .embedding = embedding, .input_tokens = -1,
				   .output_tokens = -1, .reasoning_tokens = -1, .cached_tokens = -1,
				   .cost_nanodollars = -1 };
}

static json_object *read_vectors(struct llm_call *call, int status, char *body, size_t size)
{
	struct attempt attempt = { .status = status, .wait_usec = -1 };
	json_object *result, *vectors;
	struct json_reader reader = { 0 };
	struct answer answer;

	if (status >= 300) {
		refusal_read(call->target, &reader, NULL, body, size, &attempt);
	} else {
		answer_begin(&answer, call, &reader, NULL, &attempt);
		answer_end(&answer, body, size);
		answer_done(&answer);
	}
	result = result_of(call, &attempt);
	if (attempt.class == ATTEMPT_ANSWERED) {
		vectors = json_object_new_array();
		for (size_t i = 0; i < call->embedding->n_texts; i++) {
			json_object *vector = json_object_new_array();

			for (size_t k = 0; k < call->n_dimensions; k++)
				json_object_array_add(vector, json_object_new_double(
								      call->vectors[i * call->n_dimensions + k]));
			json_object_array_add(vectors, vector);
		}
		json_object_object_add(result, vectors_key, vectors);
	}
	arena_done(&call->arena);
	json_reader_done(&reader);
	return result;
}

static const struct ellu_embed_request *embed_request(json_object *neutral, struct arena *arena)
{
	const char *text = json_object_to_json_string(neutral);
	struct fault fault = { 0 };
	void *record;

	ck_assert_msg(record_from_text(&ellu_embed_request_type, text, strlen(text), FROM_CLIENT, arena,
				       &record, &fault) >= 0, "%s", fault.message);
	return record;
}

/* What the simulated endpoint makes of the request, and we of its answer. */
static void ask_sim(const char *name, struct llm_call *call, struct span body, json_object *places)
{
	const char *url = call->target->urls[URL_EMBEDDING].text, *path = strchr(strstr(url, "://") + 3, '/');
	const struct llm_embedding *embedding = call->embedding;
	struct chat_vectors vectors = { .n_dimensions = 3, .usage = true, .input_tokens = 12 };
	struct chat_request request;
	struct chat_wanted wanted;
	struct bytes error = { 0 }, answer = { 0 };
	json_object *result, *json;

	ck_assert_msg(chat_find((struct span){ path, strcspn(path, "?") }, &wanted) && wanted.vectors, "%s", url);
	if (!chat_request_parse(body, &wanted, &request, &error))
		ck_abort_msg("%s, %s: %.*s", url, name, (int)error.size, error.data);
	ck_assert_uint_eq(request.n_contents, embedding->n_texts);
	ck_assert_int_eq(request.n_dimensions, embedding->dimensions ? *embedding->dimensions : 0);
	vectors.model = request.model;
	vectors.texts = request.contents;
	vectors.n_texts = request.n_contents;
	wanted.dialect->vectors->write(&answer, &vectors);
	json = parsed(answer.data, answer.size);
	walk(json, "", places, url);
	result = read_vectors(call, 200, answer.data, answer.size);
	ck_assert_msg(member(result, vectors_key) != NULL, "%s", json_object_to_json_string(result));
	for (size_t i = 0; i < embedding->n_texts; i++) {
		json_object *vector = json_object_array_get_idx(member(result, vectors_key), i);
		double expected[3];

		simulated_vector(embedding->texts[i], 0, expected, 3);
		for (size_t k = 0; k < 3; k++)
			ck_assert_double_eq(json_object_get_double(json_object_array_get_idx(vector, k)),
					    answer_rounded(expected[k]));
	}
	json_object_put(json);
	json_object_put(result);
	bytes_done(&answer);
	chat_request_done(&request);
}

static void check_vector_requests(json_object *golden, json_object *questions)
{
	json_object *places = places_of(golden);

	json_object_object_foreach(questions, name, neutral) {
		json_object *wanted = member(member(golden, "requests"), name), *found;
		struct llm_target *target = vectors_target(golden, wanted);
		struct llm_embedding embedding;
		struct buffer body = { 0 };
		struct arena arena;
		struct llm_call call;

		arena_init(&arena);
		ck_assert_msg(wanted != NULL, "%s lacks %s", text_of(golden, "provider"), name);
		ask_vectors(target, embed_request(neutral, &arena), &embedding, &call);
		target->dialect->embedding->request(&call, &body);
		ck_assert(!body.failed);
		found = parsed(body.data, body.size);
		expect_equal(text_of(golden, "provider"), name, member(wanted, "body"), found);
		if (member(wanted, "url"))
			ck_assert_str_eq(text_of(wanted, "url"), target_url_of(&call)->text);
		if (!member(wanted, "extra_body"))
			ask_sim(name, &call, (struct span){ body.data, body.size }, places);
		json_object_put(found);
		buffer_done(&body);
		llm_target_unref(target);
		arena_done(&arena);
	}
	json_object_put(places);
}

static void check_vector_answers(json_object *golden, json_object *questions)
{
	struct llm_target *target = vectors_target(golden, NULL);
	struct arena arena;
	const struct ellu_embed_request *request;

	arena_init(&arena);
	request = embed_request(member(questions, "texts"), &arena);
	json_object_object_foreach(member(golden, "answers"), name, answer) {
		json_object *status = member(answer, "status"), *result;
		struct llm_embedding embedding;
		struct buffer body = { 0 };
		struct llm_call call;

		ask_vectors(target, request, &embedding, &call);
		buffer_text(&body, json_object_to_json_string(member(answer, "body")));
		result = read_vectors(&call, status ? json_object_get_int(status) : 200, body.data, body.size);
		expect_equal(text_of(golden, "provider"), name, member(answer, "then"), result);
		json_object_put(result);
		buffer_done(&body);
	}
	arena_done(&arena);
	llm_target_unref(target);
}

START_TEST(vectors)
{
	json_object *file = read_file(vectors_key), *all = member(file, "dialects");

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *golden = json_object_array_get_idx(all, i);

		check_vector_requests(golden, member(file, "questions"));
		check_vector_answers(golden, member(file, "questions"));
	}
	json_object_put(file);
}
END_TEST

/* A vector is no longer than it may be, whatever a provider sends. */
START_TEST(a_long_vector)
{
	json_object *file = read_file(vectors_key);
	json_object *golden = json_object_array_get_idx(member(file, "dialects"), 0), *result;
	struct llm_target *target = vectors_target(golden, NULL);
	struct buffer body = { 0 };
	struct llm_embedding embedding;
	struct llm_call call;
	struct arena arena;

	arena_init(&arena);
	ask_vectors(target, embed_request(member(member(file, "questions"), "query"), &arena), &embedding, &call);
	buffer_text(&body, "{\"data\":[{\"embedding\":[0");
	for (int i = 0; i < EMBEDDING_DIMENSIONS_MAX; i++)
		buffer_text(&body, ",0");
	buffer_text(&body, "]}]}");
	result = read_vectors(&call, 200, body.data, body.size);
	ck_assert_str_eq(text_of(result, "class"), "item");
	ck_assert_str_eq(text_of(result, "message"), "a vector: more than 4096 numbers");
	json_object_put(result);
	buffer_done(&body);
	arena_done(&arena);
	llm_target_unref(target);
	json_object_put(file);
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
	return RUN_TESTS(requests, answers, simulated, signatures, vectors, a_long_vector);
}
