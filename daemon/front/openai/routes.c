/*
 * OpenAI's API for whoever speaks that: a chat completion is a `Call`, vectors are an `Embed`, so that they
 * share the pool's limits, retries and prices; a model is a config, by its name. A client that goes away
 * cancels the call, which closes the provider's connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/front/http/ask.h"
#include "daemon/front/http/http_tables.h"
#include "daemon/front/openai/chat.h"
#include "daemon/front/openai/embeddings.h"
#include "elluminate-types.h"
#include "proto/text/time_text.h"

#define EVENT_STREAM "text/event-stream"
#define HEARTBEAT ": still here\n\n"
#define STREAM_END "data: [DONE]\n\n"
#define MODELS_MAX 1000
#define EMBEDDED_AT_ONCE 32 // texts that Embed takes

struct chat {
	struct chat_request request;
	struct chat_answer answer;
	bool begun; // the client has a chunk
};

static void fail(struct http_exchange *exchange, int status, const struct fault *fault)
{
	struct json_maker maker = { 0 };

	/* Their word for whatever is wrong with a request. */
	if (fault->code == ELLU_E_INVALID_PARAMETER || fault->code == ELLU_E_UNSUPPORTED)
		status = 400;
	http_answer_json(exchange, status, chat_error(&maker, status, fault));
}

/* ---- Streams ---- */

/* Takes the JSON; returns whether there is room for more. */
static int send_json(struct http_exchange *exchange, struct json_maker *maker, json_object *json)
{
	const char *body = maker->failed ? NULL : json_text(json, NULL);
	size_t size = body ? strlen(body) + 16 : 0;
	char *text = body ? malloc(size) : NULL;
	int room = -ENOMEM, n;

	if (text) {
		n = snprintf(text, size, "data: %s\n\n", body);
		room = http_stream_send(exchange, text, (size_t)n);
	}
	free(text);
	json_object_put(json);
	return room;
}

/* What it failed by when the client has some of it already. */
static void break_off(struct http_exchange *exchange, int status, const struct fault *fault)
{
	struct json_maker maker = { 0 };

	(void)send_json(exchange, &maker, chat_error(&maker, status, fault));
	http_stream_end(exchange);
}

static void fail_chat(struct http_exchange *exchange, int status, const struct fault *fault)
{
	const struct chat *chat = exchange->data;

	if (chat->begun)
		break_off(exchange, status, fault);
	else
		http_fail_as(exchange, status, fault);
}

static void on_failure(struct http_call *call, const struct fault *fault)
{
	fail_chat(call->exchange, http_status_of(fault->code), fault);
}

static void begin_stream(struct http_exchange *exchange, struct chat *chat)
{
	if (!chat->begun)
		http_stream_begin(exchange, 200, EVENT_STREAM, HEARTBEAT);
	chat->begun = true;
}

static int end_stream(struct http_exchange *exchange, struct chat *chat, json_object *result)
{
	struct chat_answer *answer = &chat->answer;
	int r = 0;

	if (!chat->begun) {
		begin_stream(exchange, chat);
		r = send_json(exchange, &answer->maker, chat_whole_chunk(answer, result));
	}
	if (r >= 0)
		r = send_json(exchange, &answer->maker, chat_last_chunk(answer, result));
	if (r >= 0 && chat->request.include_usage)
		r = send_json(exchange, &answer->maker, chat_usage_chunk(answer, result));
	if (r < 0)
		return r;
	(void)http_stream_send(exchange, STREAM_END, strlen(STREAM_END));
	http_stream_end(exchange);
	return true;
}

static int send_delta(struct http_exchange *exchange, struct chat *chat, json_object *delta)
{
	bool first = !chat->begun;

	begin_stream(exchange, chat);
	return send_json(exchange, &chat->answer.maker, chat_delta_chunk(&chat->answer, delta, first));
}

/* ---- Completions ---- */

/* The task's end, or an event that has it. */
static int finish(struct http_exchange *exchange, struct chat *chat, json_object *task)
{
	json_object *result = member(member(task, "result"), "call");
	const char *status = member_text(task, "status");
	struct fault fault = { 0 };
	int http_status;

	if (!status || strcmp(status, "SUCCESS") != 0 || !result) {
		chat_task_fault(task, &fault, &http_status);
		fail_chat(exchange, http_status, &fault);
		return true;
	}
	if (chat->request.stream)
		return end_stream(exchange, chat, result);
	http_answer_json(exchange, 200, chat_completion(&chat->answer, result));
	return true;
}

static int on_answer(struct http_call *call, struct answer *answer, bool continues)
{
	struct http_exchange *exchange = call->exchange;
	struct chat *chat = exchange->data;
	json_object *reply = NULL, *task, *delta;
	int r = http_answer_object(answer, &reply);

	if (r < 0)
		return r;
	task = member(reply, "event") ? member(reply, "event") : member(reply, "task");
	delta = member(reply, "delta");
	if (task && !chat->answer.id[0])
		snprintf(chat->answer.id, sizeof(chat->answer.id), "chatcmpl-%lld",
			 (long long)member_int(task, member(task, "task_id") ? "task_id" : "id", 0));
	if (delta)
		r = send_delta(exchange, chat, delta);
	else if (!continues)
		r = finish(exchange, chat, task);
	else
		r = true;
	json_object_put(reply);
	return r;
}

static void on_free(struct http_exchange *exchange)
{
	struct chat *chat = exchange->data;

	json_object_put(chat->request.parameters);
	json_object_put(chat->answer.tool_ids);
	free(chat);
}

static void serve_chat(struct http_exchange *exchange)
{
	const char *key = http_header(&exchange->head, "idempotency-key");
	struct http_call how = { .answered = on_answer, .failed = on_failure, .passes_on = true };
	struct chat *chat = calloc(1, sizeof(*chat));
	struct fault fault = { 0 };

	if (!chat) {
		http_fail(exchange, (fault_oom(&fault), &fault));
		return;
	}
	exchange->data = chat;
	exchange->on_free = on_free;
	exchange->on_writable = http_calls_writable;
	if (chat_request_read(exchange->json, &chat->request, &fault) != 0) {
		http_fail(exchange, &fault);
		return;
	}
	if (key)
		put_text(&chat->answer.maker, chat->request.parameters, "idempotency_key", key);
	chat->answer.model = member_text(exchange->json, "model");
	chat->answer.created = clock_wall_usec() / USEC_PER_SEC;
	/* What may be asked for again is sent when it is known to hold. */
	how.more = chat->request.stream && !chat->request.whole;
	http_call(exchange, method_find("org.elluminate.Call"), chat->request.parameters, &how);
}

/* ---- Models ---- */

static json_object *model_of(struct json_maker *maker, json_object *config)
{
	json_object *model = make_object(maker);
	const char *created = member_text(config, "created_at");
	int64_t usec = 0;

	put_copy(maker, model, "id", config, "name");
	put_text(maker, model, "object", "model");
	if (created)
		(void)time_parse(created, &usec);
	put_int(maker, model, "created", usec / USEC_PER_SEC);
	put_copy(maker, model, "owned_by", config, "provider");
	return model;
}

static int on_models(struct http_call *call, struct answer *answer, bool continues)
{
	struct json_maker maker = { 0 };
	json_object *reply = NULL, *json, *list, *items;
	int r = http_answer_object(answer, &reply);

	(void)continues; // nobody asked for more
	if (r < 0)
		return r;
	json = make_object(&maker);
	list = make_array(&maker);
	items = member(reply, "items");
	for (size_t i = 0; i < array_length(items); i++)
		append(&maker, list, model_of(&maker, json_object_array_get_idx(items, i)));
	put_text(&maker, json, "object", "list");
	put(&maker, json, "data", list);
	http_answer_json(call->exchange, 200, json);
	json_object_put(reply);
	return true;
}

static int on_model(struct http_call *call, struct answer *answer, bool continues)
{
	struct json_maker maker = { 0 };
	json_object *reply = NULL;
	int r = http_answer_object(answer, &reply);

	(void)continues;
	if (r < 0)
		return r;
	http_answer_json(call->exchange, 200, model_of(&maker, member(reply, "llm_config")));
	json_object_put(reply);
	return true;
}

static void serve_models(struct http_exchange *exchange)
{
	static const struct http_call how = { .answered = on_models };
	struct json_maker maker = { 0 };
	json_object *parameters = make_object(&maker);

	put_int(&maker, parameters, "limit", MODELS_MAX);
	http_call(exchange, method_find("org.elluminate.ListLLMConfigs"), parameters, &how);
	json_object_put(parameters);
}

static void serve_model(struct http_exchange *exchange)
{
	static const struct http_call how = { .answered = on_model };
	struct json_maker maker = { 0 };
	json_object *parameters = make_object(&maker), *ref = make_object(&maker);

	put_text(&maker, ref, "name", exchange->values[0]);
	put(&maker, parameters, "llm_config", ref);
	http_call(exchange, method_find("org.elluminate.GetLLMConfig"), parameters, &how);
	json_object_put(parameters);
}

/* ---- Embeddings ---- */

/* Texts from `at` on, as many as a method takes. */
static json_object *embedding(struct asking *asking, const struct embeddings_request *request, size_t at)
{
	struct json_maker *maker = &asking->maker;
	json_object *parameters = make_object(maker), *texts = make_array(maker), *config, *ref;

	for (size_t i = at; i < array_length(request->texts) && i < at + EMBEDDED_AT_ONCE; i++)
		append(maker, texts, json_object_get(json_object_array_get_idx(request->texts, i)));
	ref = make_object(maker);
	put_text(maker, ref, "name", request->model);
	config = make_object(maker);
	put(maker, config, "ref", ref);
	put(maker, parameters, "texts", texts);
	put(maker, parameters, "llm_config", config);
	if (request->dimensions)
		put(maker, parameters, "dimensions", json_object_get(request->dimensions));
	return parameters;
}

/* What came of one piece: NULL, and not waiting, where its task failed, which has been answered. */
static json_object *embedded(struct asking *asking, json_object *answer)
{
	json_object *task = member(answer, "task");
	json_object *result = member(member(task, "result"), "embedding");
	const char *status = member_text(task, "status");
	struct fault fault = { 0 };
	int http_status;

	if (!answer || (result && status && strcmp(status, "SUCCESS") == 0))
		return result;
	chat_task_fault(task, &fault, &http_status);
	http_fail_as(asking->exchange, http_status, &fault);
	return NULL;
}

static void answer_embeddings(struct asking *asking, const struct embeddings_request *request)
{
	struct json_maker *maker = &asking->maker;
	json_object *json = make_object(maker), *list = make_array(maker), *usage = make_object(maker);
	json_object *result;
	int64_t tokens = 0;
	bool whole = true;

	put_text(maker, json, "object", "list");
	put(maker, json, "data", list);
	put_text(maker, json, "model", request->model);
	for (size_t at = 0; at < array_length(request->texts); at += EMBEDDED_AT_ONCE) {
		result = embedded(asking, ask(asking, "Embed", embedding(asking, request, at)));
		whole = whole && result;
		tokens += member_int(member(result, "usage"), "input_tokens", 0);
		embeddings_add(maker, request, result, (int64_t)at, list);
	}
	put_int(maker, usage, "prompt_tokens", tokens);
	put_int(maker, usage, "total_tokens", tokens);
	put(maker, json, "usage", usage);
	if (whole)
		ask_answer(asking, 200, json);
	else
		json_object_put(json);
}

static void step_embed(struct asking *asking)
{
	struct embeddings_request request;
	struct fault fault = { 0 };

	if (embeddings_request_read(asking->exchange->json, &request, &fault) == 0)
		answer_embeddings(asking, &request);
	else
		ask_fail(asking, &fault);
	json_object_put(request.texts);
}

static void serve_embeddings(struct http_exchange *exchange)
{
	ask_begin(exchange, step_embed);
}

/* ---- The table ---- */

static const struct http_route routes[] = {
	{ "/v1/embeddings", HTTP_POST, HTTP_TOKEN, serve_embeddings, NULL, fail, NULL },
	{ "/v1/chat/completions", HTTP_POST, HTTP_TOKEN, serve_chat, NULL, fail, NULL },
	{ "/v1/models", HTTP_GET, HTTP_TOKEN, serve_models, NULL, fail, NULL },
	{ "/v1/models/{model...}", HTTP_GET, HTTP_TOKEN, serve_model, NULL, fail, NULL },
};

const struct http_routes openai_routes = HTTP_ROUTES(routes);
