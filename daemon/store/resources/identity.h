/*
 * What makes two things the same: a SHA-256 over values that are told apart by kind and length.
 * JSON counts by value: the order of keys and blanks do not matter.
 */
#pragma once

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/sha256.h"

#define IDENTITY_SIZE SHA256_TEXT_SIZE

struct identity {
	struct sha256 hash;
};

void identity_init(struct identity *identity);
void identity_text(struct identity *identity, const char *text); // NULL is a value of its own
void identity_int(struct identity *identity, int64_t value);
int identity_json(struct identity *identity, const char *text); // -ENOMEM
int identity_value(struct identity *identity, json_object *json); // -ENOMEM
/* Whether two JSON texts are the same by value; -ENOMEM. */
int identity_json_equal(const char *a, const char *b);
void identity_done(struct identity *identity, char ret_text[static IDENTITY_SIZE]);
/* Of what was there and what came behind it. */
void identity_chain(const char *before, const char *next, char ret_text[static IDENTITY_SIZE]);
/* The first 64 bits of one: for looking up, what is found has to be compared. */
int64_t identity_hash(const char *text);
