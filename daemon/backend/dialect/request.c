#include "daemon/backend/dialect/request.h"

#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/record/record.h"

bool request_replaced(const struct llm_target *target, unsigned field)
{
	return target->extra_fields & (UINT64_C(1) << field);
}

bool request_begin(const struct llm_target *target, unsigned field, struct buffer *body)
{
	if (!target->dialect->fields[field] || request_replaced(target, field))
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

void request_open(const struct llm_target *target, struct buffer *body)
{
	buffer_text(body, "{");
	request_text(target, REQUEST_MODEL, target->model, body);
}

void request_close(const struct llm_target *target, struct buffer *body)
{
	buffer_text(body, target->extra_json);
	buffer_text(body, "}");
}

void request_sampling(const struct llm_target *target, const struct ellu_generation_params *params,
		      struct buffer *body)
{
	request_float(target, REQUEST_TEMPERATURE, params->temperature, body);
	request_float(target, REQUEST_TOP_P, params->top_p, body);
	request_int(target, REQUEST_TOP_K, params->top_k, body);
	request_int(target, REQUEST_SEED, params->seed, body);
	request_texts(target, REQUEST_STOP, params->stop, params->n_stop, body);
	request_float(target, REQUEST_FREQUENCY_PENALTY, params->frequency_penalty, body);
	request_float(target, REQUEST_PRESENCE_PENALTY, params->presence_penalty, body);
	if (params->logprobs && request_begin(target, REQUEST_LOGPROBS, body))
		buffer_text(body, *params->logprobs ? "true" : "false");
}

void request_element(struct buffer *body)
{
	char last = body->size > 0 ? body->data[body->size - 1] : '[';

	if (last != '[' && last != '{')
		buffer_text(body, ",");
}

static void leave_out(const char *const *lacks, struct ellu_generation_params *params)
{
	for (; lacks && *lacks; lacks++) {
		const struct record_field *field =
			record_field_find(&ellu_generation_params_type, *lacks);

		if (field)
			*(void **)((char *)params + field->offset) = NULL;
	}
}

void request_end(const struct llm_call *call, const struct request_form *form,
		 void (*put)(const struct llm_call *call, const struct request_form *form,
			     struct buffer *body),
		 struct buffer *body)
{
	const struct llm_target *target = call->target;
	size_t before, inside;

	buffer_text(body, target->extra_json);
	before = body->size;
	buffer_member(body, target->dialect->params_object);
	buffer_text(body, "{");
	inside = body->size;
	put(call, form, body);
	if (body->size > inside || *target->extra_params) {
		/* Its members begin with a comma. */
		buffer_text(body, target->extra_params + (body->size == inside));
		buffer_text(body, "}");
	} else {
		body->size = before;
	}
	buffer_text(body, "}");
}

struct ellu_generation_params request_params(const struct llm_call *call)
{
	struct ellu_generation_params params = call->target->params, own;
	const struct ellu_generation_params *over = &own;

	if (call->plain || !call->params)
		return params;
	own = *call->params;
	leave_out(call->target->lacks, &own);
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

int64_t request_effort_tokens(const char *effort)
{
	static const struct {
		const char *effort;
		int64_t tokens;
	} efforts[] = {
		{ "none", 0 }, { "minimal", 1024 }, { "low", 1024 }, { "medium", 8192 },
	};

	for (size_t i = 0; i < sizeof(efforts) / sizeof(*efforts); i++)
		if (strcmp(effort, efforts[i].effort) == 0)
			return efforts[i].tokens;
	return 24576;
}

const char *request_system(const struct llm_call *call)
{
	if (call->plain)
		return NULL;
	return call->system_message ? call->system_message : call->target->system_message;
}

bool request_is_system(const struct ellu_message *message)
{
	return strcmp(message->role, "system") == 0 || strcmp(message->role, "developer") == 0;
}

bool request_begin_system(const struct llm_call *call, unsigned field, struct buffer *body)
{
	const char *system_message = request_system(call);
	bool has = system_message && *system_message;

	for (size_t i = 0; i < call->n_messages && !has; i++)
		has = request_is_system(call->messages[i]);
	return has && request_begin(call->target, field, body);
}

void request_arguments(const char *arguments, size_t *left, struct buffer *body)
{
	const size_t weight = json_weight(arguments);
	json_object *json = NULL;
	struct fault fault;

	if (weight <= *left) {
		*left -= weight;
		(void)json_parse_strict(arguments, strlen(arguments), &json, &fault);
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

bool request_step_down(const struct llm_call *call, enum error_hint hint,
		       const struct request_form *used, struct request_form *form)
{
	if (hint != HINT_RESPONSE_FORMAT || !call->response_format ||
	    call->target->structured_fixed || used->structured_output == STRUCTURED_NONE)
		return false;
	/* Another call may have stepped down further meanwhile. */
	if (form->structured_output == used->structured_output)
		form->structured_output++;
	return true;
}

/* `,"NAME":VALUE` for each member of the object, but for that which holds the parameters. */
static void take_members(struct llm_target *target, json_object *json, struct buffer *text)
{
	const struct dialect *dialect = target->dialect;

	json_object_object_foreach(json, name, value)
	{
		if (dialect->params_object && strcmp(name, dialect->params_object) == 0 &&
		    json_object_is_type(value, json_type_object))
			continue;
		for (size_t i = 0; dialect->fields && i < _REQUEST_MAX; i++) {
			if (dialect->fields[i] && strcmp(name, dialect->fields[i]) == 0)
				target->extra_fields |= UINT64_C(1) << i;
		}
		buffer_text(text, ",");
		buffer_json(text, name);
		buffer_text(text, ":");
		buffer_text(text, json_object_to_json_string_ext(value,
								 JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

/* As a text of the target's. NULL: no memory. */
static const char *members_text(struct llm_target *target, json_object *json)
{
	struct buffer text = { 0 };
	const char *copy;

	if (json_object_is_type(json, json_type_object))
		take_members(target, json, &text);
	copy = text.failed ? NULL : arena_strndup(&target->arena, text.data ? text.data : "", text.size);
	buffer_done(&text);
	return copy;
}

int request_take_extra(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault)
{
	const char *extra_body = config->extra_body;
	json_object *json, *params = NULL;
	int r = 0;

	target->extra_json = target->extra_params = "";
	if (!extra_body)
		return 0;
	r = json_parse_strict(extra_body, strlen(extra_body), &json, fault);
	if (r < 0)
		return r;
	if (target->dialect->params_object)
		json_object_object_get_ex(json, target->dialect->params_object, &params);
	target->extra_json = members_text(target, json);
	target->extra_params = members_text(target, params);
	if (!target->extra_json || !target->extra_params)
		r = fault_oom(fault);
	json_object_put(json);
	return r;
}
