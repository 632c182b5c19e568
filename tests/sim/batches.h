/*
 * The batch endpoints of OpenAI and Anthropic: files and batches, kept until the program ends. The items of a
 * batch count as calls when it is taken, and are answered then; what came of them can be had once it has ended.
 */
#pragma once

#include <stdbool.h>

#include "tests/sim/bytes.h"

struct http_conn;
struct http_request;
struct simulator;

/* False: the request is for nobody here. */
bool batches_request(struct simulator *simulator, struct http_conn *conn, const struct http_request *request);
void batches_done(struct simulator *simulator);

/* Members of the /stats object, with a comma behind each. */
void batches_print(const struct simulator *simulator, struct bytes *out);
