/*
 * What the steps of the dialect's routes have in common: the project of the path, references in it, the
 * query, lists in pages, and what experiments and responses are shown with.
 */
#pragma once

#include "daemon/front/http/ask.h"
#include "daemon/front/sdk/request.h"
#include "daemon/front/sdk/shape.h"
#include "daemon/front/sdk/whole.h"
#include "proto/limits.h"

/* ---- The request ---- */

/* The name of the project in the path; NULL: the step returns. */
const char *step_project(struct asking *asking);
/* Parameters with that project. */
json_object *step_parameters(struct asking *asking, const char *project);
/* The key that the caller gave the request, for a method that makes a task. */
void step_put_key(struct asking *asking, json_object *parameters);
/* The id at that place of the path; 0: it is none, which has been answered. */
int64_t step_id(struct asking *asking, unsigned place);
/* Text of the query, or NULL. */
const char *step_query(const struct asking *asking, const char *name);
/* Whether that of the query is in `name`, however either is written; or there is none. */
bool step_searches(const struct asking *asking, const char *parameter, const char *name);
/* 0 where there is none; what is no id has been answered, and is -1. */
int64_t step_query_id(struct asking *asking, const char *name);
/* The list of that name in the request; NULL: it has none, which has been answered. */
json_object *step_array(struct asking *asking, const char *name);
/* Answered with the fault if it has a code, or for lack of memory: the step returns. */
bool step_fails(struct asking *asking, struct fault *fault);
void step_refuse(struct asking *asking, const char *field, const char *why); // Unsupported

/* ---- Lists ---- */

/* Beyond so many items nothing is looked for, and beyond so many bytes of those that fit nothing is kept:
 * TooLarge. */
#define WALK_ITEMS_MAX 100000
#define WALK_BYTES_MAX (2 * MESSAGE_SIZE_MAX)

/* The items of the page that the query asks for, to be put, and how many there are in all; pages are as
 * long as the first one, which `size` bounds. With `fits`, all that fit, as one page. Takes the
 * parameters. NULL: the step returns. What of an item is not needed `fits` may remove. */
typedef bool step_fits_fn(struct asking *asking, json_object *item);
json_object *step_list(struct asking *asking, const char *method, json_object *parameters, int64_t size,
		       step_fits_fn *fits, int64_t *ret_count);
/* The one of that number, from 0 on, in `*ret_item`, borrowed; NULL: there are not so many. False: the step
 * returns. */
bool step_item(struct asking *asking, const char *method, json_object *parameters, int64_t number,
	       json_object **ret_item);
/* Removes all other members. */
void step_keep(json_object *object, const char *const names[], size_t n);
/* {"items": items, "count": count} as the answer; takes the items. */
void step_answer_list(struct asking *asking, json_object *items, int64_t count);

/* ---- Resources ---- */

#define STEP_ITEMS 1000 // of a page

/* Parameters with that project and a reference to the one of that id. */
json_object *step_of(struct asking *asking, const char *project, const char *field, int64_t id);
/* That of the path. NULL: the step returns. */
json_object *step_get(struct asking *asking, const char *project, const char *method, const char *field);
void step_delete(struct asking *asking, const char *method, const char *field);
/* A version that is asked for, or NULL for the latest. */
const char *step_version(const struct asking *asking);
/* A list of the one of that name, or of none. */
json_object *step_list_named(struct asking *asking, const char *project, const char *method,
			     const char *field, const char *name, int64_t *ret_count);

/* ---- What is shown together ---- */

/* NULL: the step returns. */
json_object *step_experiment(struct asking *asking, const char *project, int64_t id);
/* False: the step returns. */
bool step_parts(struct asking *asking, const char *project, json_object *experiment,
		struct sdk_parts *ret_parts);
/* Whether the experiment is of the part whose id the query says, if it does. */
bool step_is_of(struct asking *asking, json_object *experiment, const char *query, const char *method,
		const char *field);

/* ---- Rows ---- */

/* Adds rows, however many, and answers those that were added in that shape. */
void step_add_rows(struct asking *asking, const char *project, json_object *collection, json_object *rows,
		   bool skip_existing, shape_item_fn *shape);
/* The row that the path says, to be put. NULL: the step returns. */
json_object *step_find_row(struct asking *asking, const char *project, int64_t collection_id);

/* What the query says of responses, as ListResponses has it. */
void step_put_filters(struct asking *asking, json_object *parameters);

/* ---- Routes ---- */

ask_step_fn step_list_projects, step_get_project, step_create_project;
ask_step_fn step_list_templates, step_create_template, step_get_template, step_delete_template;
ask_step_fn step_list_collections, step_create_collection, step_get_collection,
	step_update_collection, step_delete_collection;
ask_step_fn step_list_entries, step_add_entry, step_clear_entries, step_get_entry, step_delete_entry,
	step_add_entries;
ask_step_fn step_list_scenario_sets, step_create_scenario_set, step_get_scenario_set, step_update_scenario_set,
	step_delete_scenario_set, step_add_field, step_rename_field, step_delete_field;
ask_step_fn step_list_scenarios, step_add_scenario, step_add_scenarios, step_get_scenario, step_update_scenario,
	step_delete_scenario;
ask_step_fn step_list_sets, step_create_set, step_get_set, step_delete_set, step_link_set,
	step_unlink_set;
ask_step_fn step_list_criteria, step_add_criteria, step_get_criterion, step_delete_criterion;
ask_step_fn step_list_configs, step_create_config, step_get_config, step_delete_config;
ask_step_fn step_list_experiments, step_create_experiment, step_get_experiment,
	step_delete_experiment, step_run_experiment, step_retry_experiment, step_get_task;
ask_step_fn step_get_definition, step_match_trials, step_add_trials;
ask_step_fn step_list_responses, step_add_response, step_add_responses, step_get_response,
	step_annotate_response, step_get_batch, step_list_samples, step_compare_samples, step_sum_responses;
ask_step_fn step_list_ratings, step_rate_response, step_rate_responses;
