/*
 * The file of --output: what is printed goes into another one, which takes its place once all of it is there.
 * A command that is refused, Ctrl-C and kill -9 leave the file that was there before; where the file system
 * has no files without a name, kill -9 leaves a hidden one beside it, too.
 */
#pragma once

#include <stdbool.h>

/* Standard output goes there from now on; `at_once`: into the file itself, as it always does where that is
 * no plain file, or one that no other of the same owner can take the place of. 0, or negative. */
int output_file_open(const char *path, bool at_once);

/* After all is written: it takes the place of the file, or is dropped. 0, or negative. */
int output_file_close(bool keep);
