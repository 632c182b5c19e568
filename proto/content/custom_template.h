/*
 * What a config of the provider `custom` is made of (type Custom): places in the body of a request, which
 * are strings that hold nothing but `{{NAME}}`, and paths into answers, which are JSON pointers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "elluminate-types.h"
#include "proto/arena.h"

#define CUSTOM_KEY "key"
#define CUSTOM_STEPS_MAX 32 // of a path

/* The name of the place that a text is, or NULL: it is none, or there is no memory. */
char *custom_place_of(const char *text, struct arena *arena);
/* Whether places have such a name. */
bool custom_place_is_known(const char *name);
/* Whether the body has that place. */
bool custom_has_place(const char *body, const char *name);

/* Takes a JSON pointer apart. -EINVAL: it is none, or has too many steps; -ENOMEM. */
int custom_path_take(const char *pointer, struct arena *arena, const char *const **ret_steps,
		     size_t *ret_n_steps);
