/* The first migration: scripts to run in order, NULL at the end. */
#pragma once

extern const char *const schema_v1[];
