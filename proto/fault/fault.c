#include "proto/fault/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "proto/cleanup.h"
#include "proto/fault/error_info.h"
#include "proto/text/float_text.h"
#include "proto/text/utf8.h"

/* Where the parameters of all errors live in a fault, by name. */
static const struct detail {
	const char *name;
	enum field_kind kind;
	size_t offset;
	size_t size; // of FIELD_STRING
} details[] = {
#define TEXT(name, member) \
	{ name, FIELD_STRING, offsetof(struct fault, member), sizeof(((struct fault *) 0)->member) }
	TEXT("resource_type", resource_type),
	TEXT("name", name),
	TEXT("resource_name", name),
	TEXT("reason", message),
	TEXT("message", message),
	TEXT("incident", message),
	TEXT("parameter", field),
	TEXT("method", field),
	TEXT("interface", field),
	TEXT("file", field),
	{ "id", FIELD_INT, offsetof(struct fault, id), 0 },
	{ "resource_id", FIELD_INT, offsetof(struct fault, id), 0 },
	{ "offset", FIELD_INT, offsetof(struct fault, number), 0 },
	{ "limit_bytes", FIELD_INT, offsetof(struct fault, number), 0 },
	{ "status", FIELD_INT, offsetof(struct fault, status), 0 },
	{ "retry_after_seconds", FIELD_FLOAT, offsetof(struct fault, retry_after_seconds), 0 },
#undef TEXT
};

static const struct detail *detail_find(const char *name)
{
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++)
		if (strcmp(details[i].name, name) == 0)
			return &details[i];
	return NULL;
}

/* ---- Texts ---- */

/* Makes valid UTF-8 of what may be none, or was cut inside a character. */
static void make_valid(char *text, bool cut)
{
	size_t size = strlen(text);
	uint32_t code;

	for (size_t i = 0; i < size;) {
		size_t length = utf8_next(text + i, size - i, &code);

		if (length == 0 && cut && size - i < 4 && (unsigned char) text[i] >= 0xc2) {
			text[i] = '\0';
			return;
		}
		if (length == 0)
			text[i] = '?';
		i += length ? length : 1;
	}
}

static void set_text(char *to, size_t size, const char *text)
{
	int n = snprintf(to, size, "%s", text ? text : "");

	make_valid(to, n >= (int) size);
}

static void set_message(struct fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void set_message_v(struct fault *fault, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void set_message_v(struct fault *fault, const char *format, va_list arguments)
{
	int n = vsnprintf(fault->message, sizeof(fault->message), format, arguments);

	make_valid(fault->message, n >= (int) sizeof(fault->message));
}

static void set_message(struct fault *fault, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_message_v(fault, format, arguments);
	va_end(arguments);
}

/* What is to be left out expects "nothing, " and why, which reads oddly of an option. */
static void compose_expected(struct fault *fault)
{
	static const char nothing[] = "nothing, ";
	const bool is_none = strncmp(fault->expected, nothing, strlen(nothing)) == 0;

	set_message(fault, is_none ? "%s: must be left out %s" : "%s: expected %s", fault->field,
		    fault->expected + (is_none ? strlen(nothing) : 0));
}

/* A sentence out of the parts, for an error whose parameters carry none. */
static void compose_message(struct fault *fault)
{
	const struct error_info *info = error_find(fault->code);
	const char *text = info ? info->text : "An error that is not known.";
	int length = (int) strlen(text) - (info && strchr(text, '\0')[-1] == '.');

	if (fault->code == ELLU_E_INVALID_PARAMETER && fault->expected[0])
		compose_expected(fault);
	else if (fault->code == ELLU_E_NOT_FOUND && fault->name[0])
		set_message(fault, "no %s named '%s'", fault->resource_type, fault->name);
	else if (fault->code == ELLU_E_NOT_FOUND && fault->has_id)
		set_message(fault, "no %s with the id %" PRId64, fault->resource_type, fault->id);
	else if (fault->code == ELLU_E_NOT_FOUND)
		set_message(fault, "no such %s", fault->resource_type);
	else if (fault->code == ELLU_E_TOO_LARGE)
		set_message(fault, "%.*s: %" PRId64 " bytes", length, text, fault->number);
	else if (fault->code == ELLU_E_TOO_MANY_REQUESTS && fault->retry_after_seconds > 0)
		set_message(fault, "%.*s; try again in %g s", length, text,
			    fault->retry_after_seconds);
	else if (fault->field[0])
		set_message(fault, "%.*s: %s", length, text, fault->field);
	else
		set_message(fault, "%s", text);
}

/* ---- Making ---- */

static int fault_vset(struct fault *fault, int code, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));
static int fault_vset(struct fault *fault, int code, const char *format, va_list arguments)
{
	*fault = (struct fault) { .code = code };
	if (format)
		set_message_v(fault, format, arguments);
	else
		compose_message(fault);
	return code;
}

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fault_vset(fault, code, format, arguments);
	va_end(arguments);
	return code;
}

int fault_invalid(struct fault *fault, const char *path, const char *expected, ...)
{
	va_list arguments;
	int n;

	*fault = (struct fault) { .code = ELLU_E_INVALID_PARAMETER };
	set_text(fault->field, sizeof(fault->field), path);
	va_start(arguments, expected);
	n = vsnprintf(fault->expected, sizeof(fault->expected), expected, arguments);
	va_end(arguments);
	make_valid(fault->expected, n >= (int) sizeof(fault->expected));
	compose_message(fault);
	return fault->code;
}

int fault_message(struct fault *fault, size_t offset, const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	fault_vset(fault, ELLU_E_INVALID_MESSAGE, reason, arguments);
	va_end(arguments);
	fault->number = (int64_t) offset;
	return fault->code;
}

static void set_resource(struct fault *fault, const char *type, const char *name, int64_t id)
{
	set_text(fault->resource_type, sizeof(fault->resource_type), type);
	set_text(fault->name, sizeof(fault->name), name);
	fault->has_id = id != 0;
	fault->id = id;
}

int fault_not_found(struct fault *fault, const char *resource_type, const char *name, int64_t id)
{
	*fault = (struct fault) { .code = ELLU_E_NOT_FOUND };
	set_resource(fault, resource_type, name, id);
	compose_message(fault);
	return fault->code;
}

int fault_conflict(struct fault *fault, const char *resource_type, const char *name, int64_t id,
		   const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	fault_vset(fault, ELLU_E_CONFLICT, reason, arguments);
	va_end(arguments);
	set_resource(fault, resource_type, name, id);
	return fault->code;
}

int fault_too_large(struct fault *fault, int64_t limit_bytes, const char *what)
{
	fault_set(fault, ELLU_E_TOO_LARGE, "%s: more than %" PRId64 " bytes", what, limit_bytes);
	fault->number = limit_bytes;
	return fault->code;
}

int fault_oom(struct fault *fault)
{
	return fault_set(fault, ELLU_E_INTERNAL, "out of memory");
}

/* ---- On the wire ---- */

static int64_t get_int(const struct fault *fault, const struct detail *detail)
{
	const char *at = (const char *) fault + detail->offset;

	return detail->offset == offsetof(struct fault, status) ? *(const int *) at
								: *(const int64_t *) at;
}

/* *ret_json stays NULL for what is absent. */
static int parameter_encode(const struct fault *fault, const struct error_parameter *parameter,
			    json_object **ret_json)
{
	const struct detail *detail = detail_find(parameter->name);
	const void *at = detail ? (const char *) fault + detail->offset : NULL;
	bool is_id = detail && detail->offset == offsetof(struct fault, id);

	if (!detail || detail->kind != parameter->kind)
		return -EINVAL;
	if (parameter->nullable &&
	    (is_id ? !fault->has_id
		   : detail->kind == FIELD_STRING && *(const char *) at == '\0'))
		return 0;
	if (detail->kind == FIELD_STRING)
		*ret_json = json_object_new_string(at);
	else if (detail->kind == FIELD_INT)
		*ret_json = json_object_new_int64(get_int(fault, detail));
	else
		*ret_json = json_float(*(const double *) at);
	return *ret_json ? 0 : -ENOMEM;
}

static int add(json_object *object, const char *name, json_object *value)
{
	if (!value || json_object_object_add(object, name, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

/* What a fault says beyond what varlink's own definition of its error has: an offset, and the name
 * of its parameter; NULL: nothing. */
static const char *extra_of(int code, size_t *ret_offset)
{
	switch (code) {
	case ELLU_E_INVALID_PARAMETER:
		*ret_offset = offsetof(struct fault, expected);
		return "expected";
	case ELLU_E_PERMISSION_DENIED:
		*ret_offset = offsetof(struct fault, message);
		return "message";
	default:
		return NULL;
	}
}

int fault_parameters(const struct fault *fault, json_object **ret_parameters)
{
	_cleanup_json_ json_object *parameters = json_object_new_object();
	const struct error_info *info = error_find(fault->code);
	int r = parameters ? 0 : -ENOMEM;
	const char *extra;
	size_t offset;

	for (size_t i = 0; info && i < info->n_parameters && r == 0; i++) {
		json_object *value = NULL;

		r = parameter_encode(fault, &info->parameters[i], &value);
		if (r == 0 && value)
			r = add(parameters, info->parameters[i].name, value);
	}
	extra = extra_of(fault->code, &offset);
	if (r == 0 && extra && ((const char *) fault)[offset])
		r = add(parameters, extra, json_object_new_string((const char *) fault + offset));
	if (r == 0)
		*ret_parameters = TAKE_PTR(parameters);
	return r;
}

static void parameter_decode(struct fault *fault, const char *name, json_object *json)
{
	const struct detail *detail = detail_find(name);
	char *at = detail ? (char *) fault + detail->offset : NULL;

	if (!detail)
		return;
	if (detail->kind == FIELD_STRING && json_object_is_type(json, json_type_string)) {
		set_text(at, detail->size, json_object_get_string(json));
	} else if (detail->kind == FIELD_INT && json_object_is_type(json, json_type_int)) {
		if (detail->offset == offsetof(struct fault, status))
			fault->status = json_object_get_int(json);
		else
			*(int64_t *) at = json_object_get_int64(json);
		fault->has_id |= detail->offset == offsetof(struct fault, id);
	} else if (detail->kind == FIELD_FLOAT && (json_object_is_type(json, json_type_double) ||
						   json_object_is_type(json, json_type_int))) {
		double value = json_object_get_double(json);

		fault->retry_after_seconds = isfinite(value) ? value : 0;
	}
}

int fault_from_parameters(const char *qualified_name, json_object *parameters,
			  struct fault *fault)
{
	const struct error_info *info = error_find_name(qualified_name);
	json_object *text = NULL;
	const char *extra;
	size_t offset;

	if (!info)
		return fault_set(fault, ELLU_E_INTERNAL, "unknown error %s", qualified_name);
	*fault = (struct fault) { .code = info->code };
	for (size_t i = 0; parameters && i < info->n_parameters; i++) {
		json_object *value = NULL;

		json_object_object_get_ex(parameters, info->parameters[i].name, &value);
		parameter_decode(fault, info->parameters[i].name, value);
	}
	extra = extra_of(info->code, &offset);
	if (extra && parameters && json_object_object_get_ex(parameters, extra, &text) &&
	    json_object_is_type(text, json_type_string))
		set_text((char *) fault + offset,
			 offset == offsetof(struct fault, expected) ? sizeof(fault->expected) :
								      sizeof(fault->message),
			 json_object_get_string(text));
	if (fault->message[0] == '\0')
		compose_message(fault);
	return fault->code;
}

/* ---- As a record ---- */

static const char *text_or_null(struct arena *arena, const char *text, bool *oom)
{
	const char *copy = text[0] ? arena_strdup(arena, text) : NULL;

	*oom |= text[0] && !copy;
	return copy;
}

int fault_to_error(const struct fault *fault, struct arena *arena,
		   const struct ellu_error **ret_error)
{
	const struct error_info *info = error_find(fault->code);
	struct ellu_error *error = arena_alloc(arena, sizeof(*error));
	bool oom = false;

	if (!error)
		return -ENOMEM;
	error->struct_size = sizeof(*error);
	error->code = info ? info->name : "Internal";
	error->message = arena_strdup(arena, fault->message);
	error->first_message = text_or_null(arena, fault->first_message, &oom);
	error->field = text_or_null(arena, fault->field, &oom);
	error->resource_type = text_or_null(arena, fault->resource_type, &oom);
	error->name = text_or_null(arena, fault->name, &oom);
	if (fault->has_id)
		oom |= !(error->id = arena_int(arena, fault->id));
	if (fault->status != 0)
		oom |= !(error->status = arena_int(arena, fault->status));
	if (fault->retry_after_seconds > 0)
		oom |= !(error->retry_after_seconds =
				 arena_float(arena, fault->retry_after_seconds));
	if (oom || !error->message)
		return -ENOMEM;
	*ret_error = error;
	return 0;
}

void fault_from_error(const struct ellu_error *error, struct fault *fault)
{
	const struct error_info *info = error_find_name(error->code);

	*fault = (struct fault) { .code = info ? info->code : ELLU_E_INTERNAL };
	set_text(fault->message, sizeof(fault->message), error->message);
	set_text(fault->first_message, sizeof(fault->first_message), error->first_message);
	set_text(fault->field, sizeof(fault->field), error->field);
	set_resource(fault, error->resource_type, error->name, error->id ? *error->id : 0);
	fault->has_id = error->id != NULL;
	fault->status = error->status ? (int) *error->status : 0;
	fault->retry_after_seconds = error->retry_after_seconds ? *error->retry_after_seconds : 0;
}
