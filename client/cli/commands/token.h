/* elluminate token create: what stands for its user over HTTP. */
#pragma once

struct cli;

int command_token_create(struct cli *cli);
/* The secret alone, so that a script can take it; what it is worth goes to standard error. */
void print_created_token(const struct cli *cli, const void *reply);
