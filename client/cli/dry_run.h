/*
 * What `run --dry-run` says: what the daemon would do with the file, by the daemon's own checks,
 * and whether every case can be rendered.
 */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/experiment_file.h"

/* `collection` as experiment_file_request() gave it. Returns the exit status. */
int dry_run(struct cli *cli, struct experiment_file *file,
	    const struct ellu_run_experiment_request *request,
	    const struct ellu_collection *collection);
