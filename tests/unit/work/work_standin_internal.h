/* What the two halves of the stand-in share. */
#pragma once

#include <stddef.h>

#include "daemon/base/loop.h"
#include "tests/unit/work/work_standin.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#define STANDIN_CALLS_MAX 1024

extern struct loop *standin_loop;
extern struct ellu_llm_config standin_configs[2]; // the main one, and the judge's own

__attribute__((format(printf, 1, 2))) void standin_wrong(const char *format, ...);

/* True where the request is answered later. */
bool standin_look(enum standin_moment moment, int64_t index, struct store_request *request);
/* Runs an operation and answers it. */
void standin_commit(struct store_request *request);
/* Whether records wait; those that do are committed when they no longer have to. */
void standin_set_hold(bool hold);
/* For a start from nothing. */
void standin_reset_store(void);
void standin_reset_backend(void);
/* After each answer. */
void standin_look_for_stall(void);
