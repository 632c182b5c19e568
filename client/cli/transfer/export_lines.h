/*
 * Exports that other programs read: JSON a line, as it comes. What is changed meanwhile may be there or not; who
 * wants all of one moment makes a backup.
 */
#pragma once

#include "client/cli/cli.h"

/* Everything: whatever the interface lists, by projects, and below it rows, answers and logs. Returns the
 * exit status. */
int export_everything(struct cli *cli);

/* An experiment in the form that OpenAI's evals logs a run: its spec, a final report, then an event for
 * each answer and each verdict. The same. */
int export_evals(struct cli *cli);
