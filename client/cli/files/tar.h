/*
 * Archives as tar has them (ustar): files one after the other, written and read as a stream. What is read may
 * come from anywhere: names and sizes are looked at, and nothing is put anywhere but where the caller says.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "client/cli/view/text.h"

#define TAR_NAME_SIZE 101

struct tar_entry {
	char name[TAR_NAME_SIZE];
	uint64_t size;
};

/* All of the content, which is a file of its own. -EFBIG: more than a tar takes; or -errno. */
int tar_add(FILE *archive, const char *name, FILE *content);
int tar_end(FILE *archive);

/* 1 with the next file, of which tar_extract() has to get the content; 0: there is none. -EINVAL with a
 * complaint, in which `path` is what the archive is called. */
int tar_next(FILE *archive, const char *path, struct tar_entry *ret_entry, struct complaint *complaint);
int tar_extract(FILE *archive, const char *path, const struct tar_entry *entry, FILE *into,
		struct complaint *complaint);
