/* Experiment files and their rows, for `elluminate run` and a daemon of the test's own. */
#pragma once

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

/* Of the test that runs. */
extern struct daemon *server;
extern struct wire *wire;
extern const char *folder;

void begin_runs(void);
/* An experiment file; `more` as in quoted(). Its path. */
const char *make_file(const char *name, const char *more);
/* A file of rows "topic": "NAME 0", "NAME 1", ... */
void make_rows(const char *name, unsigned n);
/* The rows of the collection C are all those of that file. */
bool holds_rows_of(const char *name, unsigned n);
