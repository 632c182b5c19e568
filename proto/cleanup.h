/*
 * Locals that free themselves: `_cleanup_free_ char *text = NULL;`.
 */
#pragma once

#include <json-c/json.h>
#include <stdlib.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **) pointer);
}

static inline void cleanup_json(json_object **json)
{
	json_object_put(*json);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Hands a pointer over: gives its value and leaves NULL behind. */
#define TAKE_PTR(pointer) \
	({ \
		__typeof__(pointer) *_source = &(pointer); \
		__typeof__(pointer) _taken = *_source; \
		*_source = NULL; \
		_taken; \
	})
