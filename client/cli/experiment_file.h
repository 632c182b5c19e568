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

#include "client/cli/json_file.h"
#include "client/cli/rows.h"
#include "client/cli/text.h"
#include "client/elluminate.h"
#include "proto/arena.h"
#include "proto/fault.h"

struct experiment_file {
	struct json_file json;
	json_object *request;
	json_object *collection; // its content without rows; NULL when it only refers to one
	struct rows *rows; // with `collection`
	char notes[2][256]; // what the user should know about the keys; "" for nothing
};

/* Reads it. -EINVAL with a complaint, -ENOMEM. */
int experiment_file_load(const char *path, struct experiment_file *ret_file,
			 struct complaint *complaint);
void experiment_file_done(struct experiment_file *file);

/* Sets a field of the request, overruling the file. Takes the value. */
int experiment_file_set(struct experiment_file *file, const char *name, json_object *value);

/* The run is to have the rows of that version of `collection`. */
void experiment_file_set_version(struct experiment_file *file, int64_t version);

/* What is wrong with a field of the request, as a decoder or the daemon says it, in the words of
 * the file: with its place there, and without what is no part of it. */
void experiment_file_complain(const struct experiment_file *file, const char *field,
			      const char *message, struct complaint *complaint);

/* Checks everything. Negative: the fault's code. */
int experiment_file_request(const struct experiment_file *file, struct arena *arena,
			    const struct ellu_run_experiment_request **ret_request,
			    const struct ellu_collection **ret_collection, struct fault *ret_fault);

/* ---- Keys of configs, from the environment of the command ---- */

/* Takes the value of `"api_key": "$NAME"`. -EINVAL with a complaint: there is none; -ENOMEM. */
int api_key_resolve(json_object *config, struct complaint *complaint);

/* Without any key, that of the provider's usual variable, but only towards the provider itself. 1 with the
 * variable's name, 0 when there is nothing to take; -ENOMEM. */
int api_key_usual(json_object *config, const char **ret_variable);
