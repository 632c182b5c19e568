#include "daemon/front/openai/chat.h"

#include <stdio.h>
#include <string.h>

#include "daemon/front/openai/form.h"
#include "elluminate-types.h"
#include "proto/generated/interface.h"
#include "proto/wire/method.h"

/* ---- Requests ---- */

enum {
	IGNORED = 1, // says nothing about the answer
	REFUSED, // unless it says what is so anyway
};

/* What is neither here nor read below is unknown. */
static const struct {
	const char *name;
	int treatment;
} others[] = {
	{ "user", IGNORED },
	{ "metadata", IGNORED },
	{ "store", IGNORED },
	{ "service_tier", IGNORED },
	{ "safety_identifier", IGNORED },
	{ "prompt_cache_key", IGNORED },
	{ "prompt_cache_retention", IGNORED },
	{ "parallel_tool_calls", IGNORED }, // a model's answer may hold several in any case
	{ "n", REFUSED },
	{ "audio", REFUSED },
	{ "modalities", REFUSED },
	{ "logit_bias", REFUSED },
	{ "top_logprobs", REFUSED },
	{ "prediction", REFUSED },
	{ "web_search_options", REFUSED },
	{ "functions", REFUSED },
	{ "function_call", REFUSED },
};

/* As Call has them, by the same names. */
static const char *const parameters[] = { "temperature", "top_p", "max_tokens", "frequency_penalty",
					  "presence_penalty", "seed", "top_k", "reasoning_effort",
					  "verbosity", "logprobs" };
static const char *const read_here[] = { "model", "messages", "stream", "stream_options", "tools",
					 "tool_choice", "response_format", "stop",
					 "max_completion_tokens" };

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Says only what holds in any case: one answer, of text, none of its tokens favoured. */
static bool says_nothing(const char *name, json_object *value)
{
	if (!value || json_object_is_type(value, json_type_object))
		return !value || json_object_object_length(value) == 0;
	if (strcmp(name, "n") == 0)
		return json_object_is_type(value, json_type_int) && json_object_get_int64(value) == 1;
	if (strcmp(name, "modalities") == 0 && array_length(value) == 1) {
		json_object *only = json_object_array_get_idx(value, 0);

		return json_object_is_type(only, json_type_string) &&
		       strcmp(json_object_get_string(only), "text") == 0;
	}
	return false;
}

static int check_member(const char *name, json_object *value, struct fault *fault)
{
	if (is_one_of(name, parameters, N_OF(parameters)) || is_one_of(name, read_here, N_OF(read_here)))
		return 0;
	for (size_t i = 0; i < N_OF(others); i++) {
		if (strcmp(others[i].name, name) != 0)
			continue;
		if (others[i].treatment == IGNORED || says_nothing(name, value))
			return 0;
		fault_set(fault, ELLU_E_UNSUPPORTED, "%s: this cannot be passed on", name);
		snprintf(fault->field, sizeof(fault->field), "%s", name);
		return fault->code;
	}
	return fault_invalid(fault, name, "nothing: it is not known here");
}

static json_object *config_of(struct json_maker *maker, const char *model)
{
	json_object *config = make_object(maker), *ref = make_object(maker);

	put_text(maker, ref, "name", model);
	put(maker, config, "ref", ref);
	return config;
}

static json_object *stop_of(struct json_maker *maker, json_object *stop)
{
	json_object *list;

	if (!json_object_is_type(stop, json_type_string))
		return json_object_get(stop);
	list = make_array(maker);
	append(maker, list, json_object_get(stop));
	return list;
}

static json_object *generation_params(struct json_maker *maker, json_object *body)
{
	json_object *params = make_object(maker), *stop = member(body, "stop");

	for (size_t i = 0; i < N_OF(parameters); i++)
		if (strcmp(parameters[i], "max_tokens") != 0)
			put_present(maker, params, parameters[i], body, parameters[i]);
	put_present(maker, params, "max_tokens", body,
		    member(body, "max_completion_tokens") ? "max_completion_tokens" : "max_tokens");
	if (stop)
		put(maker, params, "stop", stop_of(maker, stop));
	return params;
}

static bool flag_of(json_object *object, const char *name, const char *path, struct fault *fault)
{
	json_object *value = member(object, name);

	if (value && !json_object_is_type(value, json_type_boolean))
		fault_invalid(fault, path, "true or false");
	return member_bool(object, name);
}

static void read_body(json_object *body, struct json_maker *maker, struct chat_request *request,
		      struct fault *fault)
{
	json_object *to = request->parameters;

	if (!member_text(body, "model")) {
		fault_invalid(fault, "model", "the name of a config, as /v1/models lists them");
		return;
	}
	put(maker, to, "llm_config", config_of(maker, member_text(body, "model")));
	request->whole = asked_from_openai(maker, body, "response_format", to, fault);
	put(maker, to, "generation_params", generation_params(maker, body));
	if (fault->code)
		return;
	request->stream = flag_of(body, "stream", "stream", fault);
	request->include_usage = !fault->code && flag_of(member(body, "stream_options"), "include_usage",
							 "stream_options.include_usage", fault);
}

int chat_request_read(json_object *body, struct chat_request *ret_request, struct fault *fault)
{
	struct json_maker maker = { 0 };

	*ret_request = (struct chat_request){ .parameters = make_object(&maker) };
	fault->code = 0;
	if (!json_object_is_type(body, json_type_object)) {
		fault_message(fault, 0, "expected a JSON object");
	} else {
		json_object_object_foreach (body, name, value)
			if (!fault->code)
				(void)check_member(name, value, fault);
	}
	if (!fault->code)
		read_body(body, &maker, ret_request, fault);
	if (!fault->code && maker.failed)
		fault_oom(fault);
	if (fault->code) {
		json_object_put(ret_request->parameters);
		ret_request->parameters = NULL;
	}
	return fault->code;
}

/* ---- Answers ---- */

static json_object *frame(struct chat_answer *answer, const char *object)
{
	struct json_maker *maker = &answer->maker;
	json_object *json = make_object(maker);

	put_text(maker, json, "id", answer->id);
	put_text(maker, json, "object", object);
	put_int(maker, json, "created", answer->created);
	put_text(maker, json, "model", answer->model);
	return json;
}

static void put_choice(struct chat_answer *answer, json_object *json, const char *name,
		       json_object *content, const char *finish_reason)
{
	struct json_maker *maker = &answer->maker;
	json_object *choices = make_array(maker), *choice = make_object(maker);

	put_int(maker, choice, "index", 0);
	put(maker, choice, name, content);
	put(maker, choice, "logprobs", NULL);
	put_text(maker, choice, "finish_reason", finish_reason);
	append(maker, choices, choice);
	put(maker, json, "choices", choices);
}

static json_object *usage_of(struct json_maker *maker, json_object *result)
{
	json_object *usage = member(result, "usage"), *to, *details;
	int64_t input = member_int(usage, "input_tokens", 0);
	int64_t output = member_int(usage, "output_tokens", 0);

	/* Not known is not nothing. */
	if (!member(usage, "input_tokens") && !member(usage, "output_tokens"))
		return NULL;
	to = make_object(maker);
	put_int(maker, to, "prompt_tokens", input);
	put_int(maker, to, "completion_tokens", output);
	put_int(maker, to, "total_tokens", input + output);
	if (member(usage, "cached_tokens")) {
		details = make_object(maker);
		put_copy(maker, details, "cached_tokens", usage, "cached_tokens");
		put(maker, to, "prompt_tokens_details", details);
	}
	if (member(usage, "reasoning_tokens")) {
		details = make_object(maker);
		put_copy(maker, details, "reasoning_tokens", usage, "reasoning_tokens");
		put(maker, to, "completion_tokens_details", details);
	}
	return to;
}

/* One that was not told ended as most do. */
static const char *finish_reason_of(json_object *result)
{
	const char *reason = member_text(result, "finish_reason");

	if (reason)
		return reason;
	return array_length(member(result, "tool_calls")) > 0 ? "tool_calls" : "stop";
}

json_object *chat_completion(struct chat_answer *answer, json_object *result)
{
	struct json_maker *maker = &answer->maker;
	json_object *json = frame(answer, "chat.completion"), *message = make_object(maker);
	json_object *calls = member(result, "tool_calls");

	put_text(maker, message, "role", "assistant");
	put_copy(maker, message, "content", result, "text");
	put(maker, message, "refusal", NULL);
	if (array_length(calls) > 0)
		put(maker, message, "tool_calls", tool_calls_to_openai(maker, calls));
	put_choice(answer, json, "message", message, finish_reason_of(result));
	put(maker, json, "usage", usage_of(maker, result));
	return json;
}

/* ---- Chunks ---- */

/* Which of the calls that the stream has begun this one is. `*ret_begins`: it is a new one. */
static int64_t tool_index(struct chat_answer *answer, json_object *call, bool *ret_begins)
{
	const char *id = member_text(call, "id");
	size_t n = array_length(answer->tool_ids);

	*ret_begins = false;
	for (size_t i = 0; i < n && id; i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(answer->tool_ids, i)), id) == 0)
			return (int64_t)i;
	*ret_begins = true;
	if (!answer->tool_ids)
		answer->tool_ids = make_array(&answer->maker);
	append(&answer->maker, answer->tool_ids, make_text(&answer->maker, id ? id : ""));
	return (int64_t)n;
}

static json_object *tool_deltas(struct chat_answer *answer, json_object *calls)
{
	struct json_maker *maker = &answer->maker;
	json_object *list = make_array(maker);
	bool begins;

	for (size_t i = 0; i < array_length(calls); i++) {
		json_object *one = json_object_array_get_idx(calls, i), *call = make_object(maker);
		json_object *function = make_object(maker);

		put_int(maker, call, "index", tool_index(answer, one, &begins));
		if (begins) {
			put_copy(maker, call, "id", one, "id");
			put_text(maker, call, "type", "function");
		}
		put_present(maker, function, "name", one, "name");
		put_copy(maker, function, "arguments", one, "arguments");
		put(maker, call, "function", function);
		append(maker, list, call);
	}
	return list;
}

json_object *chat_delta_chunk(struct chat_answer *answer, json_object *delta, bool first)
{
	struct json_maker *maker = &answer->maker;
	json_object *json = frame(answer, "chat.completion.chunk"), *to = make_object(maker);
	json_object *calls = member(delta, "tool_calls");

	if (first)
		put_text(maker, to, "role", "assistant");
	put_present(maker, to, "content", delta, "text");
	if (array_length(calls) > 0)
		put(maker, to, "tool_calls", tool_deltas(answer, calls));
	put_choice(answer, json, "delta", to, NULL);
	return json;
}

json_object *chat_whole_chunk(struct chat_answer *answer, json_object *result)
{
	return chat_delta_chunk(answer, result, /* first= */ true);
}

json_object *chat_last_chunk(struct chat_answer *answer, json_object *result)
{
	json_object *json = frame(answer, "chat.completion.chunk");

	put_choice(answer, json, "delta", make_object(&answer->maker), finish_reason_of(result));
	return json;
}

json_object *chat_usage_chunk(struct chat_answer *answer, json_object *result)
{
	struct json_maker *maker = &answer->maker;
	json_object *json = frame(answer, "chat.completion.chunk");

	put(maker, json, "choices", make_array(maker));
	put(maker, json, "usage", usage_of(maker, result));
	return json;
}

/* ---- Errors ---- */

static const char *error_type(int status)
{
	switch (status) {
	case 401:
		return "authentication_error";
	case 403:
		return "permission_error";
	case 429:
		return "rate_limit_error";
	default:
		return status < 500 ? "invalid_request_error" : "server_error";
	}
}

/* The fields of Call that have another place in what these clients send. */
static const char *param_of(const char *field)
{
	static const char inner[] = "generation_params.";

	if (strncmp(field, inner, strlen(inner)) == 0)
		field += strlen(inner);
	return strncmp(field, "llm_config", 10) == 0 ? "model" : field[0] ? field : NULL;
}

json_object *chat_error(struct json_maker *maker, int status, const struct fault *fault)
{
	json_object *json = make_object(maker), *error = make_object(maker);
	const struct error_info *info = error_find(fault->code);
	bool no_model = fault->code == ELLU_E_NOT_FOUND && strcmp(fault->resource_type, "llm_config") == 0;
	const char *param = no_model ? "model" : param_of(fault->field);
	char message[sizeof(fault->message)];

	if (fault->code == ELLU_E_INVALID_PARAMETER && param)
		snprintf(message, sizeof(message), "%s: expected %s", param, fault->expected);
	else
		snprintf(message, sizeof(message), "%s", fault->message);
	put_text(maker, error, "message", message);
	put_text(maker, error, "type", error_type(status));
	put_text(maker, error, "param", param);
	put_text(maker, error, "code", no_model ? "model_not_found" : info ? info->name : NULL);
	put(maker, json, "error", error);
	return json;
}

void chat_task_fault(json_object *task, struct fault *fault, int *ret_status)
{
	json_object *error = member(task, "error");
	const struct error_info *info =
		error_find_name(member_text(error, "code") ? member_text(error, "code") : "");
	const char *message = member_text(error, "message"), *field = member_text(error, "field");
	int64_t status = member_int(error, "status", 0);
	json_object *wait = member(error, "retry_after_seconds");

	fault_set(fault, info ? info->code : ELLU_E_CANCELLED, "%s",
		  message ? message : "the call was ended");
	if (field)
		snprintf(fault->field, sizeof(fault->field), "%s", field);
	fault->retry_after_seconds = wait ? json_object_get_double(wait) : 0;
	*ret_status = info && info->http_status ? info->http_status : 500;
	/* What the provider said of the request is for who made it; of a key that is the daemon's, it is not. */
	if (fault->code == ELLU_E_BACKEND_REJECTED && status >= 400 && status < 500)
		*ret_status = (int)status;
}
