/*
 * An archive holds a collection, or an experiment with all that it is made of and came of it, as three
 * files: what they are called and made of, the cases, and the answers with what was said of them, each in
 * the form in which the interface takes it.
 */
#pragma once

#include "client/cli/cli.h"

#define ARCHIVE_MANIFEST "elluminate.json"
#define ARCHIVE_ROWS "rows.jsonl" // a case a line
#define ARCHIVE_RESPONSES "responses.jsonl" // an answer a line, as AddResponses takes it

#define ARCHIVE_MARK "elluminate_archive" // in the manifest, with the version of its form
#define ARCHIVE_VERSION 1

/* Members of an object, by their names with blanks between them, into another one; where they are null they
 * are left out. -ENOMEM. */
int members_copy(json_object *to, json_object *from, const char *names);

/* What of a config means something elsewhere: no key, nor where one is, nor files and proxies of a machine.
 * NULL: it is no object, or there is no memory. */
json_object *config_portable(json_object *config);

/* The collection that the operand names, onto standard output. Returns the exit status. */
int archive_export_collection(struct cli *cli);

/* By its name. */
bool archive_is(const char *path);
int archive_import(struct cli *cli, const char *path);
