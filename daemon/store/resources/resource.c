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

/* Ids are of all projects. What another user shares is of none. */
static int is_covered(struct tx *tx, const struct resource *resource, const struct scope *scope, int64_t id)
{
	QUERY q = NULL;
	int r = scope->only_project_id && resource->place ? db_row(tx->db, &q, resource->place, "i", id) : 0;

	if (r <= 0)
		return r < 0 ? r : 1;
	return column_int(q, 0) != scope->uid || scope_covers(scope, column_int(q, 1));
}

int resource_resolve(struct tx *tx, const struct resource *resource, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id)
{
	int r = find_ref(tx, resource, scope, ref, ret_id);

	if (r > 0)
		r = is_covered(tx, resource, scope, *ret_id);
	if (r == 0)
		return fault_not_found(tx->fault, resource->name, ref->name,
				       ref->id ? *ref->id : 0);
	if (r > 0 && ref->version && resource->check_version)
		r = resource->check_version(tx, *ret_id, *ref->version);
	return r < 0 ? r : 0;
}

int resource_none_own(struct tx *tx, const struct resource *resource, const struct ellu_ref *ref)
{
	if (resource->is_built_in && resource->is_built_in(tx, ref))
		return fault_set(tx->fault, ELLU_E_READ_ONLY, "The %s '%s' is built in: it can be neither "
				 "changed nor deleted.", resource->name, ref->name);
	return fault_not_found(tx->fault, resource->name, ref->name, ref->id ? *ref->id : 0);
}

int resource_resolve_own(struct tx *tx, const struct resource *resource, const struct scope *scope,
			 const struct ellu_ref *ref, int64_t *ret_id, struct place *ret_place)
{
	QUERY q = NULL;
	int r = resource_resolve(tx, resource, scope, ref, ret_id);

	if (r == ELLU_E_NOT_FOUND)
		return resource_none_own(tx, resource, ref);
	if (r >= 0)
		r = db_row(tx->db, &q, resource->place, "i", *ret_id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, resource->name, NULL, *ret_id);
	*ret_place = (struct place){
		.owner_uid = column_int(q, 0),
		.project_id = column_int(q, 1),
		.administers = scope->administers,
	};
	if (ret_place->owner_uid == scope->uid || scope->all)
		return 0;
	return fault_set(tx->fault, ELLU_E_PERMISSION_DENIED,
			 "Only its owner may change or delete what is shared.");
}

/* ---- Content ---- */

struct content {
	const struct resource *resource;
	const void *record;
	const char *name; // its own
	const char *path;
	void *prepared;
};

static struct content content_of(const struct resource *resource, const void *record,
				 const char *path, void *prepared)
{
	const char *name = record_member(resource->type, record, "name");

	return (struct content){ resource, record, name, path, prepared };
}

/* Of the request's member. What is prepared is kept for when the writer goes on. */
static int content_read(struct tx *tx, struct method_run *op, const char *member,
			struct content *ret_content)
{
	const struct resource *resource = op->resource;
	const void *record = record_member(op->method->request, op->arguments, member);
	int r = 0;

	if (resource->prepare && !op->request.state)
		r = resource->prepare(tx, record, member, &op->request.state);
	*ret_content = content_of(resource, record, member, op->request.state);
	return r;
}

static int content_check(struct tx *tx, const struct content *content, const struct place *place,
			 int64_t id)
{
	return content->resource->check ?
		       content->resource->check(tx, place, id, content->record, content->path) : 0;
}

static int content_insert(struct tx *tx, const struct content *content, const struct place *place,
			  struct notes *notes, int64_t *ret_id)
{
	return content->resource->insert(tx, place, content->record, content->prepared, notes, ret_id);
}

static int content_differs(struct tx *tx, const struct content *content, int64_t id)
{
	return content->resource->find ? 0 : content->resource->differs(tx, id, content->record,
									content->prepared);
}

static int content_update(struct tx *tx, const struct content *content, int64_t id,
			  struct notes *notes)
{
	return content->resource->update(tx, id, content->record, content->prepared, content->path,
					 notes);
}

/* What has the name already, if anything; and what the content shows wrong beside it. */
static int content_find(struct tx *tx, const struct content *content, const struct place *place,
			int64_t *ret_id)
{
	const struct resource *resource = content->resource;
	int r, found;

	found = resource->find ?
			resource->find(tx, place, content->record, content->prepared, ret_id) :
			resource_find(tx, resource, place->project_id, content->name, ret_id);
	r = found < 0 ? found : content_check(tx, content, place, found ? *ret_id : 0);
	return r < 0 ? r : found;
}

static int name_taken(struct tx *tx, const struct content *content, int64_t id, const char *more)
{
	return fault_conflict(tx->fault, content->resource->name, content->name, id,
			      "%s of that name exists%s", content->resource->noun, more);
}

int resource_put(struct tx *tx, const struct resource *resource, const struct place *place,
		 const void *record, void *prepared, const char *path, bool update,
		 struct notes *notes, int64_t *ret_id)
{
	const struct content content = content_of(resource, record, path, prepared);
	int r = content_find(tx, &content, place, ret_id);

	if (r == 0 && resource->find && !update) {
		r = resource_find(tx, resource, place->project_id, content.name, ret_id);
		if (r > 0)
			return name_taken(tx, &content, *ret_id, " and differs");
	}
	if (r == 0)
		return content_insert(tx, &content, place, notes, ret_id);
	if (r > 0)
		r = content_differs(tx, &content, *ret_id);
	if (r <= 0)
		return r;
	return update ? content_update(tx, &content, *ret_id, notes) :
			name_taken(tx, &content, *ret_id, " and differs");
}

/* ---- Get, Create, Update ---- */

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

/* A reader has looked at it; the writer looks again. */
static int go_on_writing(struct method_run *op)
{
	op->request.lane = STORE_WRITE;
	return 0;
}

static int create(struct tx *tx, struct method_run *op, const struct content *content,
		  const struct place *place, int64_t *ret_id)
{
	struct notes notes = { 0 };
	int r = content_insert(tx, content, place, &notes, ret_id);

	if (r < 0)
		return r;
	notes_warn(&notes);
	return answer(tx, op, *ret_id);
}

int resource_create(struct tx *tx, struct method_run *op)
{
	struct content content;
	struct place place;
	int64_t id;
	int r = content_read(tx, op, op->resource->name, &content);

	if (r >= 0)
		r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = content_find(tx, &content, &place, &id);
	if (r > 0)
		return name_taken(tx, &content, id,
				  op->resource->find ? ", and this is its content" : "");
	if (r < 0)
		return r;
	return op->request.lane == STORE_WRITE ? create(tx, op, &content, &place, &id) :
						 go_on_writing(op);
}

static void answer_bool(struct method_run *op, const char *member, bool value)
{
	const struct record_field *field = record_field_find(op->method->reply, member);

	memcpy((char *)op->ret_reply + field->offset, &(int){ value }, sizeof(int));
}

int resource_get_or_create(struct tx *tx, struct method_run *op)
{
	struct content content;
	struct place place;
	int r, differs = 0, found = 0;
	int64_t id;

	r = content_read(tx, op, op->resource->name, &content);
	if (r >= 0)
		r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = found = content_find(tx, &content, &place, &id);
	if (r == 0 && op->request.lane != STORE_WRITE)
		return go_on_writing(op);
	if (r == 0)
		r = create(tx, op, &content, &place, &id);
	else if (r > 0)
		r = differs = content_differs(tx, &content, id);
	if (r >= 0 && found)
		r = answer(tx, op, id);
	if (r < 0)
		return r;
	answer_bool(op, "created", !found);
	answer_bool(op, "differs", differs);
	return 0;
}

/* Where it is to have another name, that is free. */
static int check_name(struct tx *tx, const struct content *content, const struct place *place,
		      int64_t id)
{
	int64_t other;
	int r = resource_find(tx, content->resource, place->project_id, content->name, &other);

	return r > 0 && other != id ? name_taken(tx, content, other, "") : r;
}

/* The content is that of the latest version, or makes the next one. */
static int update_version(struct tx *tx, struct method_run *op, const struct content *content,
			  const struct place *place, int64_t id)
{
	const struct resource *resource = op->resource;
	struct notes notes = { 0 };
	const void *was;
	const char *name;
	int64_t latest = 0;
	int r;

	r = resource->load(tx, id, &was);
	if (r < 0)
		return r;
	name = record_member(resource->type, was, "name");
	if (strcmp(name, content->name) != 0)
		return fault_invalid(tx->fault, "content.name", "'%s', which all its versions have", name);
	r = content_check(tx, content, place, id);
	if (r >= 0)
		r = resource_find(tx, resource, place->project_id, name, &latest);
	if (r >= 0)
		r = resource->find(tx, place, content->record, content->prepared, &id);
	if (r > 0 && id != latest)
		return fault_conflict(tx->fault, resource->name, name, id, "an earlier version has that content");
	if (r == 0 && op->request.lane != STORE_WRITE)
		return go_on_writing(op);
	if (r == 0)
		r = content_insert(tx, content, place, &notes, &id);
	return r < 0 ? r : answer(tx, op, id);
}

int resource_update(struct tx *tx, struct method_run *op)
{
	struct notes notes = { 0 };
	struct content content;
	struct place place;
	int64_t id;
	int r;

	r = resource_resolve_own(tx, op->resource, &op->scope, named(op), &id, &place);
	if (r >= 0)
		r = content_read(tx, op, "content", &content);
	if (r >= 0 && op->resource->find)
		return update_version(tx, op, &content, &place, id);
	if (r >= 0)
		r = content_check(tx, &content, &place, id);
	if (r >= 0)
		r = check_name(tx, &content, &place, id);
	if (r >= 0)
		r = content_differs(tx, &content, id);
	if (r > 0 && op->request.lane != STORE_WRITE)
		return go_on_writing(op);
	if (r > 0)
		r = content_update(tx, &content, id, &notes);
	if (r < 0)
		return r;
	notes_warn(&notes);
	return answer(tx, op, id);
}

int resource_delete(struct tx *tx, struct method_run *op)
{
	const struct resource *resource = op->resource;
	const struct ellu_ref *ref = named(op);
	int64_t id, task_id = 0;
	struct place place;
	int r;

	if (!method_reply(tx, op))
		return -ENOMEM;
	r = resource_resolve_own(tx, resource, &op->scope, ref, &id, &place);
	if (r >= 0 && resource->live)
		r = db_int(tx->db, &task_id, resource->live, "i", id);
	if (r > 0)
		return fault_conflict(tx->fault, resource->name, ref->name, id,
				      "the task %" PRId64 " uses it", task_id);
	if (r >= 0 && resource->discard)
		r = resource->discard(tx, id);
	return r < 0 ? r : db_run(tx->db, resource->hide, "ii", id, tx->now);
}

/* ---- Lists ---- */

struct listing {
	const struct resource *resource;
	int64_t of; // the project; -1: everybody's
	struct page page;
	struct count count;
};

/* From that number on. */
static int read_built_in(struct tx *tx, struct listing *listing, size_t number)
{
	const struct resource *resource = listing->resource;
	const void *item;
	int r = 0;

	while (resource->built_in && (r = resource->built_in(tx, number, &item)) > 0) {
		r = page_add(tx, &listing->page, resource->type, item, resource->name, 0);
		if (r <= 0)
			return r < 0 ? r : page_continues(tx, &listing->page, 0, (int64_t)number + 1);
		number++;
	}
	return r;
}

static int read_page(struct tx *tx, struct listing *listing)
{
	const struct resource *resource = listing->resource;
	struct page *page = &listing->page;
	int64_t id = page->resumed ? page->major : INT64_MAX, last = id;
	QUERY q = NULL;
	int r;

	if (page->minor > 0)
		return read_built_in(tx, listing, (size_t)page->minor - 1);
	r = db_query(tx->db, &q, listing->of < 0 ? resource->page_all : resource->page_own, "iii", id,
		     listing->of, (int64_t)page->limit + 1);
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
	return r < 0 ? r : read_built_in(tx, listing, 0);
}

static int begin(struct tx *tx, struct method_run *op, const struct resource *resource, int64_t of)
{
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .resource = resource, .of = of };
	r = page_begin(tx, op, resource->letter, &listing->page);
	if (r >= 0)
		r = read_page(tx, listing);
	while (r >= 0 && resource->built_in &&
	       (r = resource->built_in(tx, (size_t)listing->count.n, &(const void *){ NULL })) > 0)
		listing->count.n++;
	op->request.state = listing;
	return r;
}

static int go_on(struct tx *tx, struct listing *listing)
{
	const struct resource *resource = listing->resource;

	return page_count(tx, &listing->page,
			  listing->of < 0 ? resource->count_all : resource->count_own, listing->of,
			  &listing->count);
}

int resource_list_of(struct tx *tx, struct method_run *op, const struct resource *resource,
		     int64_t of)
{
	int r = begin(tx, op, resource, of);

	return r < 0 ? r : go_on(tx, op->request.state);
}

int resource_list(struct tx *tx, struct method_run *op)
{
	int64_t project_id;
	int r;

	if (op->request.state)
		return go_on(tx, op->request.state);
	r = place_filter(tx, &op->scope, &project_id);
	return r < 0 ? r : resource_list_of(tx, op, op->resource, project_id);
}
