#include "daemon/front/sdk/request.h"

#include <stdio.h>
#include <string.h>

#include "daemon/front/openai/form.h"
#include "elluminate-types.h"

static int refuse(struct fault *fault, const char *field, const char *what)
{
	fault_set(fault, ELLU_E_UNSUPPORTED, "%s: %s", field, what);
	snprintf(fault->field, sizeof(fault->field), "%s", field);
	return fault->code;
}

static json_object *unless_wrong(struct json_maker *maker, json_object *made, const struct fault *fault)
{
	if (!maker->failed && !fault->code)
		return made;
	json_object_put(made);
	return NULL;
}

json_object *our_prompt_template(struct json_maker *maker, json_object *given, struct fault *fault)
{
	json_object *to = make_object(maker);

	put_copy(maker, to, "name", given, "name");
	asked_from_openai(maker, given, "response_format_json_schema", to, fault);
	return unless_wrong(maker, to, fault);
}

json_object *our_collection(struct json_maker *maker, json_object *given, struct fault *fault)
{
	json_object *to = make_object(maker), *columns = member_array(given, "columns");
	json_object *list = columns ? make_array(maker) : NULL;

	if (member_says(given, "collection_type", "PERSONA"))
		refuse(fault, "collection_type", "what has goals is a set of scenarios");
	else if (member(given, "environment_config"))
		refuse(fault, "environment_config", "collections have no environment here");
	put_copy(maker, to, "name", given, "name");
	put_present(maker, to, "description", given, "description");
	put_present(maker, to, "read_only", given, "read_only");
	for (size_t i = 0; i < array_length(columns); i++) {
		json_object *one = json_object_array_get_idx(columns, i), *column = make_object(maker);

		put_copy(maker, column, "name", one, "name");
		put_present(maker, column, "type", one, "column_type");
		if (member_text(one, "default_value") && *member_text(one, "default_value"))
			put_copy(maker, column, "default_value", one, "default_value");
		append(maker, list, column);
	}
	if (list)
		put(maker, to, "columns", list);
	return unless_wrong(maker, to, fault);
}

json_object *our_criteria(struct json_maker *maker, json_object *given)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(given); i++) {
		json_object *one = json_object_array_get_idx(given, i), *criterion = make_object(maker);

		if (json_object_is_type(one, json_type_string))
			put(maker, criterion, "criterion_str", json_object_get(one));
		else
			put_copy(maker, criterion, "criterion_str", one, "criterion_str");
		put_present(maker, criterion, "label", one, "label");
		append(maker, list, criterion);
	}
	return list;
}

void put_price(struct json_maker *maker, json_object *to, const char *name, json_object *given,
	       const char *theirs)
{
	json_object *price = member(given, theirs);
	char text[400]; // the largest number

	bool is_number = json_object_is_type(price, json_type_double) || json_object_is_type(price, json_type_int);

	/* What is none is refused as what it is. */
	if (!price || !is_number) {
		put_present(maker, to, name, given, theirs);
		return;
	}
	snprintf(text, sizeof(text), "%.9f", json_object_get_double(price));
	put_text(maker, to, name, text);
}

json_object *our_llm_config(struct json_maker *maker, json_object *given, struct fault *fault)
{
	static const char *const same[] = { "name", "llm_model_name", "llm_base_url", "api_key",
					    "api_version", "max_connections", "max_retries",
					    "system_message", "max_tokens", "top_p", "temperature", "top_k",
					    "logprobs", "reasoning_effort", "verbosity" };
	static const char *const unknown[] = { "best_of", "top_logprobs", "custom_response_parser" };
	bool is_custom = member_says(given, "inference_type", "custom_api");
	json_object *to = make_object(maker);

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (member(given, unknown[i]) && !fault->code)
			refuse(fault, unknown[i], "configs have no such setting here");
	if (!fault->code && member_says(given, "inference_type", "botario"))
		refuse(fault, "inference_type", "openai or custom_api");
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		put_present(maker, to, same[i], given, same[i]);
	if (member_text(given, "description") && *member_text(given, "description"))
		put_copy(maker, to, "description", given, "description");
	put_present(maker, to, "timeout_seconds", given, "timeout");
	put_text(maker, to, "provider",
		 is_custom ? "custom" : member(given, "api_version") ? "azure" : "openai");
	put_present(maker, to, "custom", given, "custom_api_config");
	put_price(maker, to, "price_input", given, "input_price_per_mtok");
	put_price(maker, to, "price_output", given, "output_price_per_mtok");
	return unless_wrong(maker, to, fault);
}

json_object *our_generation_params(struct json_maker *maker, json_object *given)
{
	json_object *to;

	if (!json_object_is_type(given, json_type_object))
		return json_object_get(given);
	to = make_object(maker);
	json_object_object_foreach (given, name, value)
		if (value)
			put(maker, to, name, json_object_get(value));
	return to;
}

json_object *our_response(struct json_maker *maker, json_object *given, const char *path,
			  struct fault *fault)
{
	static const char *const taken[] = { "duration_seconds", "input_tokens", "output_tokens",
					     "reasoning_tokens", "cached_tokens" };
	json_object *to = make_object(maker), *metadata = member(given, "metadata"), *last = NULL;
	json_object *messages = messages_from_openai(maker, member(given, "messages"), path, fault);

	for (size_t i = 0; i < array_length(messages); i++)
		if (member_says(json_object_array_get_idx(messages, i), "role", "assistant"))
			last = json_object_array_get_idx(messages, i);
	if (!fault->code && !last)
		fault_invalid(fault, path, "a message of the assistant");
	put_copy(maker, to, "template_variables_id", given, "template_variables_id");
	put_present(maker, to, "epoch", given, "epoch");
	put_present(maker, to, "response_text", last, "content");
	if (array_length(member(last, "tool_calls")) > 0)
		put_copy(maker, to, "tool_calls", last, "tool_calls");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		put_present(maker, to, taken[i], metadata, taken[i]);
	json_object_put(messages);
	return unless_wrong(maker, to, fault);
}
