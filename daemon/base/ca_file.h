/* The file of certificates that a config names, read when it is saved and when it is used. */
#pragma once

#include <stddef.h>

#include "proto/arena.h"
#include "proto/fault/fault.h"

/* Certificates in PEM form, or InvalidParameter at `field`. Any thread. */
int ca_file_read(const char *path, const char *field, struct arena *arena, char **ret_text,
		 size_t *ret_size, struct fault *fault);
