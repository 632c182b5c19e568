#include "daemon/front/sdk/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/openai/form.h"
#include "elluminate-types.h"
#include "proto/task_status.h"

/* What the SDK's models say where a config says nothing. */
#define CONNECTIONS_UNSAID 10

/* ---- Small ones ---- */

json_object *ref_id(struct json_maker *maker, int64_t id)
{
	json_object *ref = make_object(maker);

	put_int(maker, ref, "id", id);
	return ref;
}

json_object *ref_name(struct json_maker *maker, const char *name)
{
	json_object *ref = make_object(maker);

	put_text(maker, ref, "name", name);
	return ref;
}

/* A text that their models want to be there. */
static void put_said(struct json_maker *maker, json_object *object, const char *name, json_object *from)
{
	const char *text = member_text(from, name);

	put_text(maker, object, name, text ? text : "");
}

static void put_times(struct json_maker *maker, json_object *object, json_object *from)
{
	put_copy(maker, object, "created_at", from, "created_at");
	put_copy(maker, object, "updated_at", from, "updated_at");
}

static json_object *money(struct json_maker *maker, json_object *from, const char *name)
{
	const char *text = member_text(from, name);

	return text ? make_float(maker, strtod(text, NULL)) : NULL;
}

/* ---- Resources ---- */

json_object *sdk_project(struct json_maker *maker, json_object *project)
{
	json_object *to = make_object(maker), *organization = make_object(maker);

	put_copy(maker, to, "id", project, "id");
	put_copy(maker, to, "name", project, "name");
	put_said(maker, to, "description", project);
	put_times(maker, to, project);
	put_bool(maker, to, "public_in_org", false);
	/* There are none here: all projects are of one. */
	put_int(maker, organization, "id", 1);
	put_text(maker, organization, "name", "local");
	put_text(maker, organization, "domain", "localhost");
	put(maker, organization, "stripe_subscription_id", NULL);
	put_times(maker, organization, project);
	put(maker, to, "organization", organization);
	return to;
}

json_object *sdk_prompt_template(struct json_maker *maker, json_object *template)
{
	json_object *to, *messages;

	if (!template)
		return NULL;
	to = make_object(maker);
	put_copy(maker, to, "id", template, "id");
	put_copy(maker, to, "name", template, "name");
	put_int(maker, to, "version", member_int(template, "version", 1));
	messages = messages_to_openai(maker, member(template, "messages"));
	put(maker, to, "messages", messages);
	/* The documentation calls them so. */
	put(maker, to, "template", json_object_get(messages));
	put(maker, to, "placeholders",
	    member(template, "placeholders") ? json_object_get(member(template, "placeholders")) :
					       make_array(maker));
	put(maker, to, "response_format_json_schema",
	    schema_to_openai(maker, member(template, "response_format")));
	put(maker, to, "tools", array_length(member(template, "tools")) > 0 ?
					tools_to_openai(maker, member(template, "tools")) : NULL);
	put(maker, to, "tool_choice", tool_choice_to_openai(maker, member_text(template, "tool_choice")));
	put_copy(maker, to, "criterion_set_id", template, "criterion_set_id");
	put_times(maker, to, template);
	return to;
}

static json_object *column_to_sdk(struct json_maker *maker, json_object *column, size_t position)
{
	json_object *to = make_object(maker);

	/* Ours have no ids: a column is known by its place. */
	put_int(maker, to, "id", (int64_t)position + 1);
	put_copy(maker, to, "name", column, "name");
	put_copy(maker, to, "column_type", column, "type");
	put_said(maker, to, "default_value", column);
	put_int(maker, to, "column_position", (int64_t)position);
	return to;
}

json_object *sdk_collection(struct json_maker *maker, json_object *collection)
{
	json_object *to = make_object(maker), *columns = make_array(maker);
	json_object *given = member(collection, "columns");
	char version[24];

	put_copy(maker, to, "id", collection, "id");
	put_copy(maker, to, "name", collection, "name");
	put_said(maker, to, "description", collection);
	for (size_t i = 0; i < array_length(given); i++)
		append(maker, columns, column_to_sdk(maker, json_object_array_get_idx(given, i), i));
	put(maker, to, "columns", columns);
	put_int(maker, to, "variables_count", member_int(collection, "variables_count", 0));
	put_bool(maker, to, "read_only", member_bool(collection, "read_only"));
	put_times(maker, to, collection);
	snprintf(version, sizeof(version), "%lld", (long long)member_int(collection, "version", 0));
	put_text(maker, to, "version", member(collection, "version") ? version : NULL);
	put_text(maker, to, "collection_type", "STANDARD");
	return to;
}

json_object *sdk_row(struct json_maker *maker, json_object *row, int64_t collection_id, const char *name)
{
	json_object *to = make_object(maker), *collection = ref_id(maker, collection_id);

	put_copy(maker, to, "id", row, "id");
	put_copy(maker, to, "input_values", row, "input_values");
	put_text(maker, collection, "name", name ? name : "");
	put(maker, to, "collection", collection);
	put_copy(maker, to, "created_at", row, "created_at");
	return to;
}

/* What a run is pinned to does not say when it was made: no later than what `beside` it was. */
static json_object *criterion_of(struct json_maker *maker, json_object *criterion, json_object *beside)
{
	json_object *to = make_object(maker);

	put_int(maker, to, "id", member_int(criterion, "id", 0));
	put_copy(maker, to, "criterion_str", criterion, "criterion_str");
	put_copy(maker, to, "label", criterion, "label");
	put(maker, to, "prompt_template", NULL);
	put(maker, to, "template_variables", NULL);
	put_copy(maker, to, "created_at", member(criterion, "created_at") ? criterion : beside,
		 "created_at");
	return to;
}

static json_object *criteria_of(struct json_maker *maker, json_object *criteria, json_object *beside)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(criteria); i++)
		append(maker, list,
		       criterion_of(maker, json_object_array_get_idx(criteria, i), beside));
	return list;
}

json_object *sdk_criterion(struct json_maker *maker, json_object *criterion)
{
	return criterion_of(maker, criterion, NULL);
}

json_object *sdk_criteria(struct json_maker *maker, json_object *criteria)
{
	return criteria_of(maker, criteria, NULL);
}

static json_object *set_of(struct json_maker *maker, json_object *set, json_object *templates,
			   json_object *beside)
{
	json_object *to = make_object(maker), *linked = templates ? make_array(maker) : NULL;

	put_int(maker, to, "id", member_int(set, "id", 0));
	put_said(maker, to, "name", set);
	for (size_t i = 0; i < array_length(templates); i++)
		append(maker, linked,
		       sdk_prompt_template(maker, json_object_array_get_idx(templates, i)));
	put(maker, to, "linked_prompt_templates", linked);
	put(maker, to, "criteria", criteria_of(maker, member(set, "criteria"), beside));
	return to;
}

json_object *sdk_criterion_set(struct json_maker *maker, json_object *set, json_object *templates)
{
	return set_of(maker, set, templates, NULL);
}

json_object *sdk_llm_config(struct json_maker *maker, json_object *config)
{
	static const char *const same[] = { "id", "name", "llm_model_name", "llm_base_url", "api_version",
					    "max_retries", "system_message", "max_tokens", "top_p",
					    "temperature", "top_k", "logprobs", "verbosity" };
	static const char *const none[] = { "best_of", "top_logprobs", "custom_response_parser" };
	bool is_custom = member_says(config, "provider", "custom");
	json_object *to, *timeout = member(config, "timeout_seconds");

	if (!config)
		return NULL;
	to = make_object(maker);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		put_copy(maker, to, same[i], config, same[i]);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		put(maker, to, none[i], NULL);
	put_said(maker, to, "description", config);
	put_text(maker, to, "api_key", member_bool(config, "has_api_key") ? "***" : NULL);
	put_int(maker, to, "max_connections", member_int(config, "max_connections", CONNECTIONS_UNSAID));
	put(maker, to, "timeout",
	    timeout ? make_int(maker, (int64_t)(json_object_get_double(timeout) + 0.5)) : NULL);
	put(maker, to, "reasoning_effort", member_says(config, "reasoning_effort", "none") ?
						   NULL : json_object_get(member(config, "reasoning_effort")));
	put_text(maker, to, "inference_type", is_custom ? "custom_api" : "openai");
	put(maker, to, "custom_api_config", is_custom ? json_object_get(member(config, "custom")) : NULL);
	put(maker, to, "input_price_per_mtok", money(maker, config, "price_input"));
	put(maker, to, "output_price_per_mtok", money(maker, config, "price_output"));
	return to;
}

/* ---- Results ---- */

static json_object *yes_no(struct json_maker *maker, json_object *mean)
{
	json_object *to = make_object(maker);

	put_copy(maker, to, "yes", mean, "yes");
	put_copy(maker, to, "no", mean, "no");
	return to;
}

/* What each response took that says it. */
static void put_numbers(struct json_maker *maker, json_object *to, json_object *responses)
{
	static const char *const numbers[] = { "input_tokens", "output_tokens", "reasoning_tokens",
					       "duration_seconds" };
	json_object *list, *number;
	char name[64];

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		list = make_array(maker);
		for (size_t j = 0; j < array_length(responses); j++) {
			json_object *response = json_object_array_get_idx(responses, j);

			number = member(response, "error") ? NULL : member(response, numbers[i]);
			if (number)
				append(maker, list, json_object_get(number));
		}
		snprintf(name, sizeof(name), "%s_per_response", numbers[i]);
		put(maker, to, name, list);
	}
}

/* NULL where nothing was decided yet. */
static json_object *results_of(struct json_maker *maker, const struct sdk_parts *parts, int64_t n_epochs)
{
	json_object *results = member(parts->experiment, "results");
	json_object *all = member(results, "mean_all_ratings"), *criteria = member(results, "criteria");
	json_object *to, *by_id, *cost = money(maker, results, "cost");
	int64_t failed = member_int(results, "failed_responses", 0);
	char id[24];

	if (!member(all, "yes") || !member(all, "no")) {
		json_object_put(cost);
		return NULL;
	}
	to = make_object(maker);
	by_id = make_object(maker);
	put(maker, to, "mean_all_ratings", yes_no(maker, all));
	for (size_t i = 0; i < array_length(criteria); i++) {
		json_object *one = json_object_array_get_idx(criteria, i);

		snprintf(id, sizeof(id), "%lld", (long long)member_int(one, "criterion_id", 0));
		if (member(member(one, "mean"), "yes"))
			put(maker, by_id, id, yes_no(maker, member(one, "mean")));
	}
	put(maker, to, "mean_rating_by_criterion_id", by_id);
	put_copy(maker, to, "mean_duration_seconds", member(results, "duration_seconds"), "mean");
	put_copy(maker, to, "mean_input_tokens", member(results, "input_tokens"), "mean");
	put_copy(maker, to, "mean_output_tokens", member(results, "output_tokens"), "mean");
	put_numbers(maker, to, parts->responses);
	put_int(maker, to, "num_rated_responses", member_int(results, "responses", 0) - failed -
						  member_int(results, "undecided_responses", 0));
	put_int(maker, to, "num_failed_responses", failed);
	put_int(maker, to, "completed_epochs", n_epochs);
	if (cost)
		put(maker, to, "estimated_total_cost_usd", cost);
	return to;
}

/* ---- Experiments ---- */

static json_object *generation_params(struct json_maker *maker, json_object *params)
{
	json_object *to;

	if (!params)
		return NULL;
	to = make_object(maker);
	json_object_object_foreach (params, name, value)
		put(maker, to, name, json_object_get(value));
	if (!member(params, "max_connections"))
		put_int(maker, to, "max_connections", CONNECTIONS_UNSAID);
	return to;
}

/* Where the column of that name is. */
static json_object *column_id(struct json_maker *maker, json_object *collection, const char *name)
{
	json_object *columns = member(collection, "columns");

	for (size_t i = 0; name && i < array_length(columns); i++)
		if (member_says(json_object_array_get_idx(columns, i), "name", name))
			return make_int(maker, (int64_t)i + 1);
	return NULL;
}

json_object *sdk_experiment(struct json_maker *maker, const struct sdk_parts *parts, json_object *responses)
{
	json_object *experiment = parts->experiment, *to = make_object(maker);
	json_object *collection = parts->collection ? parts->collection : member(experiment, "collection");
	int64_t task_id = member_int(experiment, "task_id", 0);
	int64_t n_epochs = member_int(experiment, "n_epochs", 1);
	char id[24];

	put_copy(maker, to, "id", experiment, "id");
	put_copy(maker, to, "name", experiment, "name");
	put_said(maker, to, "description", experiment);
	put(maker, to, "prompt_template", sdk_prompt_template(maker, parts->prompt_template));
	put(maker, to, "collection", sdk_collection(maker, collection));
	put(maker, to, "criterion_set",
	    set_of(maker, member(experiment, "criterion_set"), NULL, experiment));
	put(maker, to, "llm_config", sdk_llm_config(maker, parts->llm_config));
	put_copy(maker, to, "rating_version", experiment, "rating_version");
	put(maker, to, "rated_responses", responses ? responses : make_array(maker));
	snprintf(id, sizeof(id), "%lld", (long long)task_id);
	put_text(maker, to, "generation_task_id", task_id ? id : NULL);
	put(maker, to, "generation_params",
	    generation_params(maker, member(experiment, "generation_params")));
	put_int(maker, to, "n_epochs", n_epochs);
	put(maker, to, "response_column_id",
	    column_id(maker, collection, member_text(experiment, "response_column")));
	put(maker, to, "results", results_of(maker, parts, n_epochs));
	put(maker, to, "logs", NULL);
	put_text(maker, to, "evaluation_mode", "STANDARD");
	put_times(maker, to, experiment);
	return to;
}

/* ---- Responses ---- */

static json_object *sdk_rating(struct json_maker *maker, json_object *rating)
{
	json_object *to = make_object(maker), *metadata = make_object(maker);

	put_copy(maker, to, "id", rating, "id");
	put(maker, to, "criterion", criterion_of(maker, member(rating, "criterion"), rating));
	put_copy(maker, to, "rating", rating, "rating");
	put_copy(maker, to, "reasoning", rating, "reasoning");
	put(maker, metadata, "llm_model_config", NULL);
	put_copy(maker, metadata, "duration_seconds", rating, "duration_seconds");
	put_copy(maker, metadata, "input_tokens", rating, "input_tokens");
	put_copy(maker, metadata, "output_tokens", rating, "output_tokens");
	put(maker, to, "generation_metadata", metadata);
	put_copy(maker, to, "created_at", rating, "created_at");
	return to;
}

/* Those that could be decided: theirs are YES or NO. */
static json_object *ratings_of(struct json_maker *maker, json_object *ratings)
{
	json_object *list = make_array(maker);

	for (size_t i = 0; i < array_length(ratings); i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);

		if (member_text(rating, "rating"))
			append(maker, list, sdk_rating(maker, rating));
	}
	return list;
}

static json_object *prompt_of(struct json_maker *maker, const struct sdk_parts *parts,
			      json_object *response, json_object *row)
{
	json_object *prompt = make_object(maker);

	put_copy(maker, prompt, "id", member(response, "template_variables"), "id");
	put(maker, prompt, "prompt_template", sdk_prompt_template(maker, parts->prompt_template));
	put(maker, prompt, "template_variables", json_object_get(row));
	put(maker, prompt, "messages", messages_to_openai(maker, member(response, "messages")));
	put_copy(maker, prompt, "created_at", response, "created_at");
	return prompt;
}

static json_object *answer_messages(struct json_maker *maker, json_object *response)
{
	json_object *list = make_array(maker), *message, *calls = member(response, "tool_calls");

	if (!member(response, "response_text") && array_length(calls) == 0)
		return list;
	message = make_object(maker);
	put_text(maker, message, "role", "assistant");
	put_copy(maker, message, "content", response, "response_text");
	put(maker, message, "tool_calls", tool_calls_to_openai(maker, calls));
	append(maker, list, message);
	return list;
}

static json_object *metadata_of(struct json_maker *maker, const struct sdk_parts *parts,
				json_object *response)
{
	static const char *const same[] = { "duration_seconds", "input_tokens", "output_tokens",
					    "reasoning_tokens", "cached_tokens" };
	json_object *metadata = make_object(maker);

	put(maker, metadata, "llm_model_config", sdk_llm_config(maker, parts->llm_config));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		put_copy(maker, metadata, same[i], response, same[i]);
	return metadata;
}

json_object *sdk_response(struct json_maker *maker, const struct sdk_parts *parts, json_object *response)
{
	json_object *collection = parts->collection ? parts->collection :
						      member(parts->experiment, "collection");
	json_object *to = make_object(maker);
	json_object *row = sdk_row(maker, member(response, "template_variables"),
				   member_int(collection, "id", 0), member_text(collection, "name"));

	put_copy(maker, to, "id", response, "id");
	put(maker, to, "prompt", prompt_of(maker, parts, response, row));
	put(maker, to, "template_variables", row);
	put(maker, to, "messages", answer_messages(maker, response));
	put_copy(maker, to, "response_text", response, "response_text");
	put(maker, to, "generation_metadata", metadata_of(maker, parts, response));
	put_copy(maker, to, "error", member(response, "error"), "message");
	put_int(maker, to, "epoch", member_int(response, "epoch", 1));
	put(maker, to, "ratings", ratings_of(maker, member(response, "ratings")));
	put_said(maker, to, "annotation", response);
	put_copy(maker, to, "created_at", response, "created_at");
	return to;
}

/* ---- Tasks ---- */

json_object *sdk_progress(struct json_maker *maker, json_object *task, bool poll)
{
	json_object *to = make_object(maker), *progress = member(task, "progress");
	const char *status = member_text(task, "status"), *message;
	char ended[64];
	int known = task_status_from_name(status ? status : "");
	bool failed = known >= 0 && task_status_is_terminal(known) && known != TASK_SUCCESS;

	message = member_text(member(task, "error"), "message");
	snprintf(ended, sizeof(ended), "the task is %s", status ? status : "unknown");
	put_text(maker, to, "status", poll && failed ? "FAILURE" : status);
	put_text(maker, to, "error_msg", failed && !message ? ended : message);
	put_copy(maker, to, "logs_delta", task, "logs_delta");
	put_copy(maker, to, "completed_responses", progress, "responses_generated");
	put_copy(maker, to, "completed_ratings", progress, "responses_rated");
	put_copy(maker, to, "total_responses", progress, "total_responses");
	return to;
}
