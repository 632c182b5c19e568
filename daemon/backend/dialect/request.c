#include "daemon/backend/dialect/request.h"

#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "proto/json_check.h"

bool request_replaced(const struct llm_target *target, unsigned field)
{
	return target->extra_fields & (UINT64_C(1) << field);
}

bool request_begin(const struct llm_target *target, unsigned field, struct buffer *body)
{
	if (request_replaced(target, field))
		return false;
	buffer_member(body, target->dialect->fields[field]);
	return true;
}

void request_int(const struct llm_target *target, unsigned field, const int64_t *value,
		 struct buffer *body)
{
	if (value && request_begin(target, field, body))
		buffer_int(body, *value);
}

void request_float(const struct llm_target *target, unsigned field, const double *value,
		   struct buffer *body)
{
	if (value && request_begin(target, field, body))
		buffer_float(body, *value);
}

void request_text(const struct llm_target *target, unsigned field, const char *value,
		  struct buffer *body)
{
	if (value && request_begin(target, field, body))
		buffer_json(body, value);
}

void request_texts(const struct llm_target *target, unsigned field, const char *const *values,
		   size_t n, struct buffer *body)
{
	if (!values || !request_begin(target, field, body))
		return;
	buffer_text(body, "[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buffer_text(body, ",");
		buffer_json(body, values[i]);
	}
	buffer_text(body, "]");
}

struct ellu_generation_params request_params(const struct llm_call *call)
{
	const struct ellu_generation_params *over = call->plain ? NULL : call->params;
	struct ellu_generation_params params = call->target->params;

	if (!over)
		return params;
	/* These two exclude each other, so that setting one unsets the other. */
	if (over->temperature)
		params.reasoning_effort = NULL;
	if (over->reasoning_effort)
		params.temperature = NULL;
#define OVERRULE(field) params.field = over->field ? over->field : params.field
	OVERRULE(max_tokens);
	OVERRULE(top_p);
	OVERRULE(temperature);
	OVERRULE(top_k);
	OVERRULE(frequency_penalty);
	OVERRULE(presence_penalty);
	OVERRULE(seed);
	OVERRULE(reasoning_effort);
	OVERRULE(verbosity);
	OVERRULE(logprobs);
#undef OVERRULE
	if (over->stop) {
		params.stop = over->stop;
		params.n_stop = over->n_stop;
	}
	return params;
}

const char *request_system(const struct llm_call *call)
{
	if (call->plain)
		return NULL;
	return call->system_message ? call->system_message : call->target->system_message;
}

void request_arguments(const char *arguments, size_t *left, struct buffer *body)
{
	const size_t weight = json_weight(arguments);
	json_object *json = NULL;

	if (weight <= *left) {
		*left -= weight;
		json = json_tokener_parse(arguments);
	}
	if (json_object_is_type(json, json_type_object)) {
		buffer_text(body, json_object_to_json_string_ext(json,
								 JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
	} else {
		buffer_text(body, "{\"arguments\":");
		buffer_json(body, arguments);
		buffer_text(body, "}");
	}
	json_object_put(json);
}

static void take_member(struct llm_target *target, const char *name, json_object *value,
			struct buffer *text)
{
	const struct dialect *dialect = target->dialect;

	for (size_t i = 0; i < dialect->n_fields; i++) {
		if (strcmp(name, dialect->fields[i]) == 0)
			target->extra_fields |= UINT64_C(1) << i;
	}
	buffer_text(text, ",");
	buffer_json(text, name);
	buffer_text(text, ":");
	buffer_text(text, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
								JSON_C_TO_STRING_NOSLASHESCAPE));
}

int request_take_extra(struct llm_target *target, const char *extra_body, struct fault *fault)
{
	struct buffer text = { 0 };
	json_object *json;
	int r;

	target->extra_json = "";
	if (!extra_body)
		return 0;
	r = json_parse_strict(extra_body, strlen(extra_body), &json, fault);
	if (r < 0)
		return r;
	json_object_object_foreach(json, name, value)
		take_member(target, name, value, &text);
	target->extra_json = arena_strndup(&target->arena, text.data ? text.data : "", text.size);
	if (!target->extra_json || text.failed)
		r = fault_oom(fault);
	json_object_put(json);
	buffer_done(&text);
	return r;
}
