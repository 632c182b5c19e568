/*
 * What commands have in common that call a method: operand and options are its request, and its reply
 * is printed as the command's row in the table says.
 */
#pragma once

#include "client/cli/methods.h"
#include "client/cli/options.h"
#include "client/cli/refuse.h"
#include "proto/arena.h"

/* The request that the arguments describe, over what `json` has (taken; NULL: nothing). 0, or the exit
 * status after saying what is wrong. */
int call_request(struct cli *cli, const struct method *method, json_object *json, struct arena *arena,
		 void **ret_request);

/* Calls it; the daemon is connected. 0 with the reply to free, or the exit status. */
int call_reply(struct cli *cli, const struct method *method, const void *request,
	       const void **ret_reply);

/* The same with `json` (taken) for the request, without the arguments but for the project; connects. */
int call_json(struct cli *cli, const struct method *method, json_object *json, const void **ret_reply);
/* The same, connected, where an error of that code is an answer too: 1 with it. Minus the exit status. */
int call_expecting(struct cli *cli, const char *name, json_object *json, const void **ret_reply,
		   int expected, const struct ellu_error **ret_error);

/* As JSON, or as a row of CSV below one header. */
int call_print_data(const struct record_type *type, const void *record);

/* Calls it and prints the reply, as the command's row says. */
int call_and_print(struct cli *cli, const struct method *method, const void *request);
/* The same of what call_request() makes of `json`, with the arguments over it. */
int call_json_and_print(struct cli *cli, const struct method *method, json_object *json);

/* Prints the list of the command at hand. `json` as in call_request(). */
int call_list_asked(struct cli *cli, json_object *json);
/* Prints all of a list. `json` as in call_json(). */
int call_list(struct cli *cli, const struct command *list, json_object *json);

/* The experiment of that id or name, with the reply to free; connected. 0, or the exit status. */
int call_experiment(struct cli *cli, const char *operand,
		    const struct ellu_get_experiment_reply **ret_reply);
int call_experiment_by_id(struct cli *cli, int64_t id, const struct ellu_get_experiment_reply **ret_reply);

/* ---- What a row of the table may run ---- */

int command_call(struct cli *cli); // one reply
int command_list(struct cli *cli); // pages
int command_submit(struct cli *cli); // a task, seen through
int command_write(struct cli *cli); // one reply, of content from a file and from options
