/*
 * The schema, as the migrations that lead to it. `user_version` counts the migrations a file
 * has seen; each runs in one transaction with the raise of that number. Forward only: a file
 * from a newer version is refused before anything is written.
 */
#pragma once

#include "daemon/store/engine/statement.h"
#include "proto/fault.h"

#define SCHEMA_APPLICATION_ID 0x456c6c75 // "Ellu"

/* Brings a writable connection's file to the present version. `path` is for messages. */
int schema_migrate(struct db *db, const char *path, struct fault *fault);
