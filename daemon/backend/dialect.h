/*
 * What lies between a neutral call and an endpoint's own way to say it. A dialect turns a call
 * into the body of a request, and the body of an answer into the call's results or into an
 * attempt that failed; it knows nothing of connections, retries or limits.
 *
 * Called on the backend's loop, but for openai_prepare_target(): any thread.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/backend/backend.h"
#include "daemon/backend/buffer.h"
#include "daemon/backend/retry.h"
#include "daemon/backend/target.h"

#define RESPONSE_BODY_MAX (8u * 1024 * 1024) // RESPONSE_TEXT_MAX escaped, and what surrounds it

/* What an endpoint and model turned out to want; learnt from its refusals. */
struct request_form {
	enum structured_output structured_output;
	bool max_completion_tokens; // instead of max_tokens
};

#define OPENAI_PATH "/chat/completions"

/* Writes out the part of requests that the config alone decides. */
int openai_prepare_target(struct llm_target *target, const char *extra_body,
			  struct fault *fault);

/* The body goes behind what the buffer holds; a failure sticks there. */
void openai_write_request(const struct llm_call *call, const struct request_form *form,
			  struct buffer *body);

/* Reads the body of a 2xx: the call's results, or an attempt to be made again. */
void openai_read_answer(struct llm_call *call, json_tokener *tokener, const char *body,
			size_t size, struct attempt *attempt);

/* Reads the body of an error: the provider's own words, and what they mean. */
void openai_read_error(json_tokener *tokener, const char *body, size_t size,
		       struct attempt *attempt);

/* True when a refused request should be made in another form, which *form then is. */
bool openai_change_form(const struct llm_call *call, const struct attempt *attempt,
			const struct request_form *used, struct request_form *form);
