/*
 * Answers that were given before, and are given again: to the same config, messages, tools, form, parameters
 * and epoch, in the same project. One that is found took nothing. Only what its kind has taken for an answer is
 * kept.
 */
#pragma once

#include "daemon/work/run/run.h"

/* As run_call_submit(), or with an answer that was kept: then call.cached. `identity` is the config's; NULL:
 * the run keeps none. */
void cache_ask(struct run_call *call, const char *identity);
/* Of an answer that has just come. Does nothing for one that was found, or where none are kept. */
void cache_keep_answer(struct run_call *call);
