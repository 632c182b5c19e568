/*
 * Folders for tests: all in one that is made for the program and removed at its end, unless
 * ELLU_TEST_KEEP is set.
 */
#pragma once

#include <stdbool.h>

/* Makes the program's own folder; to be called before a process is forked that uses dir_new(). */
void dir_prepare(void);
/* A new empty folder. */
const char *dir_new(void);
/* The path of `name` in the folder. */
const char *dir_path(const char *dir, const char *name);
/* Calls `visit` for every file below the folder, until it returns false; its answer. */
bool dir_each_file(const char *dir, bool (*visit)(const char *path, void *userdata),
		   void *userdata);
void dir_remove(const char *dir);
