/*
 * What the library hands to its caller: a record with everything it points to, freed by
 * ellu_free(). Results are counted, so that a reply can be kept beyond a callback; the count may
 * be changed from any thread.
 */
#pragma once

#include "client/elluminate.h"
#include "proto/record/record.h"

/* Decodes the parameters of a reply. -EPROTO, with the fault, when they are not what the type says. */
int result_decode(const struct record_type *type, json_object *parameters, const void **ret_result,
		  struct fault *fault);

/* A struct ellu_raw_reply. */
int result_raw(json_object *parameters, const void **ret_result);

/* NULL without memory. An error that the daemon or the contract knows. */
const struct ellu_error *result_error(const struct fault *fault);

/* One that the daemon answered with, and nobody here knows. */
const struct ellu_error *result_unknown(const char *name, json_object *parameters);

/* An error of the library's own, by errno, about a field of the request or NULL. `message` NULL: the
 * errno's. */
const struct ellu_error *result_bad_field(int code, const char *field, const char *message);
static inline const struct ellu_error *result_errno(int code, const char *message)
{
	return result_bad_field(code, NULL, message);
}
/* Gives the caller, who may not want it, such an error. Returns the code. */
int result_fail(int code, const char *message, const struct ellu_error **ret_error);
