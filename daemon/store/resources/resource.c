#include "daemon/store/resources/resource.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- Finding one ---- */

int resource_find(struct tx *tx, const struct resource *resource, int64_t project_id,
		  const char *name, int64_t *ret_id)
{
	return db_int(tx->db, ret_id, resource->by_name, "is", project_id, name);
}

static int find_ref(struct tx *tx, const struct resource *resource, const struct scope *scope,
		    const struct ellu_ref *ref, int64_t *ret_id)
{
	struct place place;
	int r;

	if (resource->find_ref)
		return resource->find_ref(tx, scope, ref, ret_id);
	if (ref->id)
		return db_int(tx->db, ret_id, resource->by_id, "iib", *ref->id, scope->uid,
			      (int)scope->all);
	r = place_resolve(tx, scope, &place);
	return r < 0 ? r : resource_find(tx, resource, place.project_id, ref->name, ret_id);
}

int resource_resolve(struct tx *tx, const struct resource *resource, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id)
{
	int r = find_ref(tx, resource, scope, ref, ret_id);

	if (r == 0)
		return fault_not_found(tx->fault, resource->name, ref->name,
				       ref->id ? *ref->id : 0);
	return r < 0 ? r : 0;
}

/* ---- Get, Create ---- */

/* The record in the request that the resource's name calls: its Ref, or its content. */
static const void *named(const struct method_run *op)
{
	return record_member(op->method->request, op->arguments, op->resource->name);
}

static int answer(struct tx *tx, struct method_run *op, int64_t id)
{
	const struct record_field *field = record_field_find(op->method->reply, op->resource->name);
	char *reply = method_reply(tx, op);
	const void *record;
	int r;

	if (!reply)
		return -ENOMEM;
	r = op->resource->load(tx, id, &record);
	if (r >= 0)
		memcpy(reply + field->offset, &record, sizeof(record));
	return r;
}

int resource_get(struct tx *tx, struct method_run *op)
{
	int64_t id;
	int r = resource_resolve(tx, op->resource, &op->scope, named(op), &id);

	return r < 0 ? r : answer(tx, op, id);
}

int resource_create(struct tx *tx, struct method_run *op)
{
	const struct resource *resource = op->resource;
	const void *content = named(op);
	const char *name;
	struct place place;
	int64_t id;
	int r;

	if (resource->prepare && !op->request.state) {
		op->request.lane = STORE_WRITE;
		return resource->prepare(tx, content, &op->request.state);
	}
	r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = resource->check(tx, &place, content, resource->name);
	if (r < 0)
		return r;
	name = record_member(resource->type, content, "name");
	r = resource_find(tx, resource, place.project_id, name, &id);
	if (r > 0)
		return fault_conflict(tx->fault, resource->name, name, id,
				      "%s of that name exists", resource->noun);
	if (r >= 0)
		r = resource->insert(tx, &place, content, op->request.state, &id);
	return r < 0 ? r : answer(tx, op, id);
}

int resource_delete(struct tx *tx, struct method_run *op)
{
	const struct resource *resource = op->resource;
	const struct ellu_ref *ref = named(op);
	int64_t id, task_id = 0;
	int r;

	if (!method_reply(tx, op))
		return -ENOMEM;
	r = resource_resolve(tx, resource, &op->scope, ref, &id);
	if (r >= 0)
		r = db_int(tx->db, &task_id, resource->live, "i", id);
	if (r > 0)
		return fault_conflict(tx->fault, resource->name, ref->name, id,
				      "the task %" PRId64 " uses it", task_id);
	if (r >= 0)
		r = resource->discard(tx, id);
	return r < 0 ? r : db_run(tx->db, resource->hide, "ii", id, tx->now);
}

/* ---- Lists ---- */

struct listing {
	int64_t project_id; // -1: everybody's
	struct page page;
	struct count count;
};

static int read_page(struct tx *tx, const struct resource *resource, struct listing *listing)
{
	struct page *page = &listing->page;
	int64_t id = page->resumed ? page->major : INT64_MAX, last = id;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, listing->project_id < 0 ? resource->page_all : resource->page_own,
		     "iii", id, listing->project_id, (int64_t)page->limit + 1);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const void *item;

		id = column_int(q, 0);
		if (page_full(page))
			return page_continues(tx, page, last, 0);
		r = resource->load(tx, id, &item);
		if (r >= 0)
			r = page_add(tx, page, resource->type, item, resource->name, id);
		if (r == 0)
			return page_continues(tx, page, last, 0);
		last = id;
	}
	return r;
}

static int begin(struct tx *tx, struct method_run *op)
{
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	listing->count = (struct count){ 0 };
	r = place_filter(tx, &op->scope, &listing->project_id);
	if (r >= 0)
		r = page_begin(tx, op, op->resource->letter, &listing->page);
	if (r >= 0)
		r = read_page(tx, op->resource, listing);
	op->request.state = listing;
	return r;
}

int resource_list(struct tx *tx, struct method_run *op)
{
	const struct resource *resource = op->resource;
	int r = op->request.state ? 0 : begin(tx, op);
	struct listing *listing = op->request.state;

	return r < 0 ? r : page_count(tx, &listing->page,
				      listing->project_id < 0 ? resource->count_all :
								resource->count_own,
				      listing->project_id, &listing->count);
}
