/*
 * What somebody meant who wrote a name that there is not: one with a slip of the pen, a part of one
 * (`model` for llm_model_name), or one that goes on (`temp` for temperature).
 */
#pragma once

#include <limits.h>
#include <stddef.h>

/* The nearest of the names that are shown to it. */
struct near_name {
	const char *given;
	const char *nearest; // NULL: none is near
	unsigned distance;
};
#define NEAR_NAME(given) ((struct near_name) { (given), NULL, UINT_MAX })
void near_name_show(struct near_name *search, const char *name);
