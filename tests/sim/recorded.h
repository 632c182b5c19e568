/*
 * Answers that a model once gave, by what it was asked: another question has none.
 */
#pragma once

#include "daemon/base/sha256.h"

struct chat_request;

/* Of the texts of its messages and the form that the answer is to have. */
void recorded_id(const struct chat_request *chat, char ret_id[static SHA256_TEXT_SIZE]);

/* From a file with a line {"id", "reply"} for each; others are comments. NULL: it has none. The caller frees. */
char *recorded_answer(const char *path, const char *id);
