/*
 * Our records in the shapes that the SDK's models have: pure, JSON to JSON.
 * What a record only refers to is handed in beside it; NULL where it is no more, and then what the
 * reference says stands for it.
 */
#pragma once

#include "daemon/front/http/json_maker.h"

json_object *sdk_project(struct json_maker *maker, json_object *project);
json_object *sdk_prompt_template(struct json_maker *maker, json_object *template);
json_object *sdk_collection(struct json_maker *maker, json_object *collection);
/* A row, of the collection of that id and name. */
json_object *sdk_row(struct json_maker *maker, json_object *row, int64_t collection_id, const char *name);
json_object *sdk_criterion(struct json_maker *maker, json_object *criterion);
json_object *sdk_criteria(struct json_maker *maker, json_object *criteria);
/* `templates`: a list in our form, of those that it is linked to; NULL: not asked for. */
json_object *sdk_criterion_set(struct json_maker *maker, json_object *set, json_object *templates);
json_object *sdk_llm_config(struct json_maker *maker, json_object *config);

/* What an experiment is made of, each in our form, or NULL. */
struct sdk_parts {
	json_object *experiment;
	json_object *prompt_template;
	json_object *collection;
	json_object *llm_config;
	json_object *responses; // all of them
};

/* `responses` NULL: none were asked for. */
json_object *sdk_experiment(struct json_maker *maker, const struct sdk_parts *parts, json_object *responses);
json_object *sdk_response(struct json_maker *maker, const struct sdk_parts *parts, json_object *response);
/* Status and counts of a task, or of an event of one. A `poll` says FAILURE for whatever ended without
 * success, since who polls knows no other end. */
json_object *sdk_progress(struct json_maker *maker, json_object *task, bool poll);

/* {"id": ID} */
json_object *ref_id(struct json_maker *maker, int64_t id);
json_object *ref_name(struct json_maker *maker, const char *name);
