/*
 * What a run would do: the first prompts as they would be sent, and how many calls that makes.
 * Nothing is stored and no model is called; a daemon that runs is only asked for what the file
 * refers to.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/rows.h"

/* `rows` is NULL when the file refers to a collection. Returns the exit status. */
int dry_run(struct cli *cli, const struct ellu_run_experiment_request *request, struct rows *rows);
