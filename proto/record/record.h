/*
 * Records of the interface, driven by generated tables: JSON to C structs with validation, and
 * back. Decoded records lie in an arena; everything they point to does as well, or is constant.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/record/record_type.h"

/* Who made the JSON. */
enum record_source {
	FROM_CLIENT, // every constraint holds, unknown fields are refused, defaults are filled in
	FROM_DIALECT, // the same, but what at most one of is given of may go together, as in another interface
	FROM_DAEMON, // unknown fields are ignored, types must fit
	FROM_STORE, // like FROM_DAEMON, and defaults are filled in
};

/* Who reads the JSON. */
enum record_sink {
	TO_CLIENT, // without write-only fields
	/* Without read-only ones, so that a record that came from there can go back; texts of objects are
	 * checked; what is missing is left to the daemon to say. */
	TO_DAEMON,
	TO_STORE, // without write-only fields
};

/* Returns 0, or the fault's code: InvalidParameter with the path of the field behind
 * `path_prefix` ("" at the top), or Internal without memory. */
int record_decode(const struct record_type *type, json_object *json, enum record_source source,
		  const char *path_prefix, struct arena *arena, void **ret_record,
		  struct fault *fault);
/* The same from text, which must be strict JSON. */
int record_from_text(const struct record_type *type, const char *text, size_t size,
		     enum record_source source, struct arena *arena, void **ret_record,
		     struct fault *fault);

/* An array of records that was encoded before: *ret_items is one of pointers to them, NULL without
 * a text. -ENOMEM, or -EBADMSG for what does not read back. */
int record_list_from_text(const struct record_type *type, const char *text,
			  enum record_source source, struct arena *arena, void *ret_items,
			  size_t *ret_n);

/* -E2BIG: a newer program's record holds more than this library knows. -EDOM: a number that is not finite. -EILSEQ: a string that is not UTF-8. -EINVAL: a required
 * pointer is NULL, a record has no size, or an object's text is none. -ENOMEM. */
int record_encode(const struct record_type *type, const void *record, enum record_sink sink,
		  json_object **ret_json);
/* What stood in the way of encoding a request. */
struct record_problem {
	char path[256]; // of the field; "": the request itself
	const char *reason; // NULL without memory
};
/* The same to the daemon, and says what was wrong where. */
int record_encode_request(const struct record_type *type, const void *record,
			  json_object **ret_json, struct record_problem *ret_problem);
/* The same as text without blanks; free() it. `ret_size` may be NULL. */
int record_to_text(const struct record_type *type, const void *record, enum record_sink sink,
		   char **ret_text, size_t *ret_size);

/* A deep copy, in the arena, of a record of this program's own size. -ENOMEM. */
int record_copy(const struct record_type *type, const void *record, struct arena *arena, const void **ret_copy);

/* How long its texts are, those of all records in it included: what its size may grow with. No item
 * of a list and no JSON value counts for less than VALUE_BYTES. */
size_t record_text_bytes(const struct record_type *type, const void *record);

/* A JSON value whose text is `text` as it stands. NULL without memory. */
json_object *json_raw(const char *text);
/* The compact text, owned by `json`. NULL without memory. */
const char *json_text(json_object *json, size_t *ret_size);

/* The field of that name, or NULL. */
const struct record_field *record_field_find(const struct record_type *type, const char *name);
/* What the pointer of that name in a record points to, or the number that may be absent; NULL also when
 * the type has none. */
const void *record_member(const struct record_type *type, const void *record, const char *name);

/* Lends what both types have by the same name and kind to another record, as far as that is absent there. */
void record_lend(const struct record_type *type, const void *record,
		 const struct record_type *to_type, void *to);

/* What a field wants, for people: "an integer, 1 to 256". */
void record_expected(const struct record_field *field, char *ret_text, size_t size);
