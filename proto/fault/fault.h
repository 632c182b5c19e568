/*
 * Why something failed, in full: the code and every detail that an error of the interface can
 * carry. A fault is self-contained and copied by value, so that it crosses threads freely; texts
 * that do not fit are cut at a character.
 *
 * `message` is always a sentence for people. Where the wire carries only its parts
 * (InvalidParameter, NotFound) it is made of them.
 */
#pragma once

#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "elluminate-types.h"
#include "proto/arena.h"

struct fault {
	int code; // ELLU_E_*, negative; 0: no fault
	int status; // HTTP status of an endpoint; 0: none
	bool has_id;
	int64_t id;
	int64_t number; // limit_bytes, offset
	double retry_after_seconds; // 0: none
	char resource_type[32];
	char name[256];
	char field[256]; // path of a parameter; also a method, interface or file
	char expected[256];
	char message[1024];
	char first_message[512]; // of the first attempt, where it is another; may be empty
};

/* All return the code. `format` may be NULL: the error's own sentence. */
int fault_set(struct fault *fault, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* InvalidParameter: "PATH: expected ...". Of "nothing, WHY": "PATH: must be left out WHY". */
int fault_invalid(struct fault *fault, const char *path, const char *expected, ...)
	__attribute__((format(printf, 3, 4)));
/* InvalidMessage. */
int fault_message(struct fault *fault, size_t offset, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));
/* NULL and 0 for what there is not. */
int fault_not_found(struct fault *fault, const char *resource_type, const char *name, int64_t id);
/* `reason` is a sentence of its own: the wire carries the resource beside it. */
int fault_conflict(struct fault *fault, const char *resource_type, const char *name, int64_t id,
		   const char *reason, ...) __attribute__((format(printf, 5, 6)));
int fault_too_large(struct fault *fault, int64_t limit_bytes, const char *what);
/* Internal, for lack of memory. */
int fault_oom(struct fault *fault);

/* The parameters of the error on the wire; *ret_parameters belongs to the caller. -ENOMEM. */
int fault_parameters(const struct fault *fault, json_object **ret_parameters);
/* From an error reply. An error that is not known becomes Internal and keeps its name in the
 * message. `parameters` may be NULL. */
int fault_from_parameters(const char *qualified_name, json_object *parameters,
			  struct fault *fault);

/* As the record inside tasks and items. -ENOMEM. */
int fault_to_error(const struct fault *fault, struct arena *arena,
		   const struct ellu_error **ret_error);
void fault_from_error(const struct ellu_error *error, struct fault *fault);
