/*
 * The rules of an LLM config's requests that go beyond one field: the store takes what keeps them,
 * so that the backend can send it.
 */
#pragma once

#include "elluminate-types.h"
#include "proto/fault.h"

/* `path` is the record's, for the fault's field. Headers, extra_body, the key, parameters that
 * exclude each other. */
int llm_config_check_request(const struct ellu_llm_config *config, const char *path,
			     struct fault *fault);
