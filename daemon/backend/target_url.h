/* What a config's base URL is turned into: the address that calls go to, and its origin. */
#pragma once

#include "proto/arena.h"
#include "proto/fault.h"

/* `path` is put behind the base's own path, before its query. */
int target_url(const char *base, const char *path, struct arena *arena, const char **ret_url,
	       const char **ret_origin, struct fault *fault);
