/* What the comparison of experiments, by results and by preference, and of a judge and people runs and prints. */
#pragma once

#include "client/cli/cli.h"
#include "client/cli/view/table.h"

int command_compare(struct cli *cli);
void print_comparison(const struct cli *cli, const void *reply);
void print_agreement(const struct cli *cli, const void *reply);
