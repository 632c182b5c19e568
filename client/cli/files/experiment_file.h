/*
 * An experiment file: JSON with comments, turned into the request that RunExperiment takes. The
 * records themselves check it, so that the file and the interface cannot disagree; what they
 * refuse is told with file, line and column.
 *
 * The collection is kept apart: its rows are brought into the daemon before the run, and the
 * request only refers to it.
 */
#pragma once

#include <json.h>
#include <stddef.h>

#include "client/cli/files/json_file.h"
#include "client/cli/files/rows.h"
#include "client/cli/view/text.h"
#include "client/elluminate.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

#define PAIRS_MAX 60 // of templates and configs

struct experiment_file {
	struct json_file json;
	char *name; // as the file has it, or NULL
	json_object *request;
	json_object *collection; // its content without rows; NULL when it only refers to one
	struct rows *rows; // with `collection`
	json_object *templates; // of `prompt_templates`, as the request takes each; or NULL
	json_object *configs; // the same of `llm_configs`
	json_object *notes; // texts: what the user should know about the keys
	int at_template, at_config; // those that the request has now; -1: they are none of a list
};

/* Reads it. -EINVAL with a complaint, -ENOMEM. */
int experiment_file_load(const char *path, struct experiment_file *ret_file,
			 struct complaint *complaint);
void experiment_file_done(struct experiment_file *file);

/* Sets a field of the request, overruling the file. Takes the value. */
int experiment_file_set(struct experiment_file *file, const char *name, json_object *value);

/* The run is to have the rows of that version of `collection`. */
void experiment_file_set_version(struct experiment_file *file, int64_t version);

/* Makes the request that of one of its templates and one of its configs (-1: it has no list of them), under a
 * name that says which. -EINVAL with a complaint, -ENOMEM. */
int experiment_file_choose(struct experiment_file *file, int at_template, int at_config,
			   struct complaint *complaint);

/* What is wrong with a field of the request, as a decoder or the daemon says it, in the words of
 * the file: with its place there, and without what is no part of it. */
void experiment_file_complain(const struct experiment_file *file, const char *field,
			      const char *message, struct complaint *complaint);

/* Checks everything. Negative: the fault's code. */
int experiment_file_request(const struct experiment_file *file, struct arena *arena,
			    const struct ellu_run_experiment_request **ret_request,
			    const struct ellu_collection **ret_collection, struct fault *ret_fault);

struct cli;

/* What the daemon would do with the file, by its own checks, and whether every case can be rendered.
 * Returns the exit status. */
int run_dry(struct cli *cli, struct experiment_file *file, const struct ellu_run_experiment_request *request,
	    const struct ellu_collection *collection);

/* ---- Keys of configs, from the environment of the command ---- */

/* Takes the value of `"api_key": "$NAME"`. -EINVAL with a complaint: there is none; -ENOMEM. */
int api_key_resolve(json_object *config, struct complaint *complaint);

/* Without any key, that of the provider's usual variable, but only towards the provider itself. 1 with the
 * variable's name, 0 when there is nothing to take; -ENOMEM. */
int api_key_usual(json_object *config, const char **ret_variable);
