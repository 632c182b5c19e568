/*
 * Which of an experiment's criteria is meant: by its id, its label, its text, or a part of that which no other has.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cli;
struct ellu_experiment;

/* 0, or the exit status; what is wrong is said of the option. */
int criterion_find(const struct ellu_experiment *experiment, const char *option, const char *wanted, int64_t *ret_id);

/* Whether --where says one that has to be found. */
bool criterion_where_is_text(const struct cli *cli);

/* Puts its id in the place of what --where says, if it was given. 0, or the exit status. */
int criterion_take_where(const struct cli *cli, const struct ellu_experiment *experiment);
