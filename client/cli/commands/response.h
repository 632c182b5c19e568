/* What the commands of responses run and print. */
#pragma once

#include "client/cli/cli.h"

int command_responses(struct cli *cli);
int command_case(struct cli *cli);
int command_get_response(struct cli *cli);
int command_annotate(struct cli *cli);
int command_edit_rating(struct cli *cli);

void print_case(const struct cli *cli, const void *item);
void print_response(const struct cli *cli, const void *reply);
void print_edited(const struct cli *cli, const void *reply);
