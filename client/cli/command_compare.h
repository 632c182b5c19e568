/* What the comparison of experiments runs and prints. */
#pragma once

#include "client/cli/cli.h"

int command_compare(struct cli *cli);
void print_comparison(const struct cli *cli, const void *reply);
