#include "daemon/store/resources/versions.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int version_content_read(struct tx *tx, const struct versioned *versioned, const void *record,
			 struct version_content *ret_content)
{
	struct identity identity;
	int r = tx_encode(tx, versioned->resource->type, record, &ret_content->text);

	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, ret_content->text);
	identity_done(&identity, ret_content->identity);
	return r;
}

static void set_int(const struct record_type *type, void *record, const char *name,
		    const int64_t *value)
{
	memcpy((char *)record + record_field_find(type, name)->offset, &value, sizeof(value));
}

int version_load(struct tx *tx, const struct versioned *versioned, int64_t id, void *ret_record)
{
	const struct record_type *type = versioned->resource->type;
	void *record;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, versioned->load, "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, versioned->resource->name, NULL, id);
	r = tx_decode(tx, type, column_peek(q, 0), &record);
	if (r < 0)
		return r;
	set_int(type, record, "id", tx_int_value(tx, id));
	set_int(type, record, "version", tx_int(tx, q, 1));
	set_int(type, record, "created_at", tx_int(tx, q, 2));
	set_int(type, record, "updated_at", tx_int(tx, q, 3));
	memcpy(ret_record, &record, sizeof(record));
	return 0;
}

int version_find_ref(struct tx *tx, const struct versioned *versioned, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id)
{
	struct place place;
	int r;

	if (ref->id && ref->version)
		return db_int(tx->db, ret_id, versioned->by_id_version, "iibi", *ref->id, scope->uid,
			      (int)scope->all, *ref->version);
	if (ref->id)
		return db_int(tx->db, ret_id, versioned->resource->by_id, "iib", *ref->id, scope->uid,
			      (int)scope->all);
	r = place_resolve(tx, scope, &place);
	if (r >= 0 && !ref->version)
		return resource_find(tx, versioned->resource, place.project_id, ref->name, ret_id);
	return r < 0 ? r : db_int(tx->db, ret_id, versioned->by_name_version, "isi", place.project_id,
				  ref->name, *ref->version);
}

int version_find(struct tx *tx, const struct versioned *versioned, const struct place *place,
		 const char *name, const struct version_content *content, int64_t *ret_id)
{
	return db_int(tx->db, ret_id, versioned->by_content, "iss", place->project_id, name,
		      content->identity);
}

int version_insert(struct tx *tx, const struct versioned *versioned, const struct place *place,
		   const char *name, const struct version_content *content, struct notes *notes,
		   int64_t *ret_id)
{
	const char *noun = strchr(versioned->resource->noun, ' ') + 1; // without its article
	int64_t last = 0;
	int r;

	r = db_int(tx->db, &last, versioned->last, "is", place->project_id, name);
	if (r >= 0)
		r = db_insert(tx->db, ret_id, versioned->insert, "iisissi", place->owner_uid,
			      place->project_id, name, last + 1, content->identity, content->text,
			      tx->now);
	if (r < 0 || last == 0)
		return r;
	return notes_add(tx, notes, "%s '%s': version %" PRId64, noun, name, last + 1);
}

static int gone(struct tx *tx, const struct versioned *versioned, int64_t id)
{
	return versioned->gone ? versioned->gone(tx, id) : 0;
}

/* What is before it takes its place; which number was the last is known to that one, then. */
int version_discard(struct tx *tx, const struct versioned *versioned, int64_t id)
{
	int r = gone(tx, versioned, id);

	return r < 0 ? r : db_run(tx->db, versioned->step_back, "i", id);
}

/* ---- Lists ---- */

int versions_list(struct tx *tx, struct method_run *op, const struct versioned *versioned)
{
	struct ellu_ref ref = { .struct_size = sizeof(ref) };
	int64_t id;
	int r;

	ref.name = record_member(op->method->request, op->arguments, "name");
	if (!ref.name || op->request.state)
		return resource_list(tx, op);
	r = resource_resolve(tx, op->resource, &op->scope, &ref, &id);
	return r < 0 ? r : resource_list_of(tx, op, &versioned->versions, id);
}

/* ---- Deleting ---- */

/* Versions that one transaction hides. */
#define HIDDEN_MAX 1000

static int check_unused(struct tx *tx, const struct versioned *versioned, const struct place *place,
			const char *name, int64_t id)
{
	int64_t task_id;
	int r = db_int(tx->db, &task_id, versioned->live, "is", place->project_id, name);

	return r <= 0 ? r : fault_conflict(tx->fault, versioned->resource->name, name, id,
					   "the task %" PRId64 " uses it", task_id);
}

/* The oldest first: under its name the latest is found until all are gone. */
static int hide_all(struct tx *tx, struct method_run *op, const struct versioned *versioned,
		    const struct ellu_ref *ref)
{
	const char *name = ref->name;
	struct place place;
	int64_t id;
	int r;

	r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = resource_find(tx, op->resource, place.project_id, name, &id);
	if (r == 0 && op->request.state)
		return 0; // the last of them went before
	if (r == 0)
		r = resource_none_own(tx, op->resource, ref);
	if (r > 0)
		r = check_unused(tx, versioned, &place, name, id);
	if (r < 0)
		return r;
	op->request.state = op;
	r = db_run(tx->db, versioned->hide_some, "isii", place.project_id, name, tx->now,
		   (int64_t)HIDDEN_MAX);
	op->request.again = r == HIDDEN_MAX;
	return r < 0 ? r : gone(tx, versioned, id);
}

int versions_delete(struct tx *tx, struct method_run *op, const struct versioned *versioned)
{
	const struct ellu_ref *ref =
		record_member(op->method->request, op->arguments, op->resource->name);

	if (ref->id || ref->version)
		return resource_delete(tx, op);
	if (!op->request.state && !method_reply(tx, op))
		return -ENOMEM;
	return hide_all(tx, op, versioned, ref);
}
