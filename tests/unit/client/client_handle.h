/* A handle for event use, on a stand-in that answers, and what its callbacks were told. */
#pragma once

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"

extern struct standin standin;
extern struct ellu *handle;
extern int n_told, last_result;

void handle_open(void);
void handle_close(void);
struct ellu_op *handle_start_task(int64_t id, ellu_reply_fn *callback);
/* The callback that counts. */
void handle_told(struct ellu_op *op, int result, const void *reply, const struct ellu_error *error,
		 void *userdata);
