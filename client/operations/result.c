#include "client/operations/result.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"

struct result {
	struct arena arena; // of what the record points to
	atomic_uint references;
	_Alignas(max_align_t) unsigned char record[];
};

static struct result *result_of(const void *record)
{
	return (struct result *) ((uintptr_t) record - offsetof(struct result, record));
}

/* Takes the arena in any case. NULL without memory, and where `complete` says that there was none before. */
static const void *result_new(struct arena *arena, const void *record, size_t size, bool complete)
{
	struct result *result = complete ? calloc(1, sizeof(*result) + size) : NULL;

	if (!result) {
		arena_done(arena);
		return NULL;
	}
	result->arena = arena_take(arena);
	atomic_init(&result->references, 1);
	memcpy(result->record, record, size);
	return result->record;
}

int result_decode(const struct record_type *type, json_object *parameters, const void **ret_result,
		  struct fault *fault)
{
	struct arena arena;
	void *record = NULL;
	int r;

	arena_init(&arena);
	r = record_decode(type, parameters, FROM_DAEMON, "", &arena, &record, fault);
	*ret_result = result_new(&arena, record, type->size, r >= 0);
	if (*ret_result)
		return 0;
	return r < 0 && fault->code != ELLU_E_INTERNAL ? -EPROTO : -ENOMEM;
}

int result_raw(json_object *parameters, const void **ret_result)
{
	struct ellu_raw_reply reply = ELLU_RECORD(struct ellu_raw_reply);
	struct arena arena;

	arena_init(&arena);
	reply.parameters = arena_strdup(&arena, json_text(parameters, NULL));
	*ret_result = result_new(&arena, &reply, sizeof(reply), reply.parameters);
	return *ret_result ? 0 : -ENOMEM;
}

const struct ellu_error *result_error(const struct fault *fault)
{
	const struct ellu_error *error = NULL;
	struct arena arena;
	int r;

	arena_init(&arena);
	r = fault_to_error(fault, &arena, &error);
	return result_new(&arena, error, sizeof(*error), r >= 0);
}

const struct ellu_error *result_bad_field(int code, const char *field, const char *message)
{
	struct ellu_error error = ELLU_RECORD(struct ellu_error);
	struct arena arena;

	arena_init(&arena);
	error.code = strerrorname_np(-code);
	if (!error.code)
		error.code = "EIO";
	error.message = arena_strdup(&arena, message ? message : ellu_strerror(code));
	error.field = field ? arena_strdup(&arena, field) : NULL;
	return result_new(&arena, &error, sizeof(error), error.message && (!field || error.field));
}

int result_fail(int code, const char *message, const struct ellu_error **ret_error)
{
	if (ret_error)
		*ret_error = result_errno(code, message);
	return code;
}

const struct ellu_error *result_unknown(const char *name, json_object *parameters)
{
	struct ellu_error error = ELLU_RECORD(struct ellu_error);
	struct arena arena;

	arena_init(&arena);
	error.code = arena_strdup(&arena, name);
	error.message = arena_printf(&arena, "an error that this library does not know: %s", name);
	error.parameters = arena_strdup(&arena, json_text(parameters, NULL));
	return result_new(&arena, &error, sizeof(error), error.code && error.message && error.parameters);
}

void ellu_free(const void *record)
{
	struct result *result;

	if (!record)
		return;
	result = result_of(record);
	if (atomic_fetch_sub_explicit(&result->references, 1, memory_order_acq_rel) > 1)
		return;
	arena_done(&result->arena);
	free(result);
}

const void *ellu_keep(const void *record)
{
	if (record)
		atomic_fetch_add_explicit(&result_of(record)->references, 1, memory_order_relaxed);
	return record;
}
