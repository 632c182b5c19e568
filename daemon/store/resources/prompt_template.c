#include "daemon/store/resources/prompt_template.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/identity.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/template.h"

int prompt_template_load(struct tx *tx, int64_t id, void *ret_template)
{
	struct ellu_prompt_template *template;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT content, version, created_at, updated_at"
			       " FROM prompt_templates WHERE id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "prompt_template", NULL, id);
	r = tx_decode(tx, &ellu_prompt_template_type, column_peek(q, 0), &template);
	if (r < 0)
		return r;
	template->id = tx_int_value(tx, id);
	template->version = tx_int(tx, q, 1);
	template->created_at = tx_int(tx, q, 2);
	template->updated_at = tx_int(tx, q, 3);
	r = template_placeholders(template->messages, template->n_messages, tx->arena,
				  &template->placeholders, &template->n_placeholders);
	memcpy(ret_template, &template, sizeof(template));
	return r;
}

/* As it is shown. */
static int load_linked(struct tx *tx, int64_t id, void *ret_template)
{
	struct ellu_prompt_template *template;
	int64_t set_id;
	int r = prompt_template_load(tx, id, &template);

	if (r >= 0)
		r = criterion_set_linked(tx, id, &set_id);
	if (r < 0)
		return r;
	template->criterion_set_id = r > 0 ? tx_int_value(tx, set_id) : NULL;
	memcpy(ret_template, &template, sizeof(template));
	return tx->oom ? -ENOMEM : 0;
}

static int find_ref(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		    int64_t *ret_id)
{
	struct place place;
	int r;

	if (ref->id && ref->version)
		return db_int(tx->db, ret_id,
			      "SELECT v.id FROM prompt_templates t JOIN prompt_templates v"
			      " ON v.project_id = t.project_id AND v.name = t.name AND v.version = ?4"
			      " WHERE t.id = ?1 AND (t.owner_uid = ?2 OR ?3)"
			      " AND t.deleted_at IS NULL AND v.deleted_at IS NULL",
			      "iibi", *ref->id, scope->uid, (int)scope->all, *ref->version);
	if (ref->id)
		return db_int(tx->db, ret_id, resource_prompt_template.by_id, "iib", *ref->id,
			      scope->uid, (int)scope->all);
	r = place_resolve(tx, scope, &place);
	if (r >= 0 && !ref->version)
		return resource_find(tx, &resource_prompt_template, place.project_id, ref->name, ret_id);
	return r < 0 ? r :
		       db_int(tx->db, ret_id,
			      "SELECT id FROM prompt_templates WHERE project_id = ?1 AND name = ?2"
			      " AND version = ?3 AND deleted_at IS NULL",
			      "isi", place.project_id, ref->name, *ref->version);
}

/* ---- Content ---- */

/* What makes a version the one it is. */
struct content {
	const char *text; // as the store keeps it
	char identity[IDENTITY_SIZE];
};

static int content_read(struct tx *tx, const struct ellu_prompt_template *template,
			const char *path, struct content *ret_content)
{
	struct ellu_prompt_template copy = *template;
	const char *const *names;
	struct identity identity;
	size_t n_names;
	int r;

	copy.id = copy.version = copy.created_at = copy.updated_at = copy.criterion_set_id = NULL;
	copy.placeholders = NULL;
	copy.n_placeholders = 0;
	/* No tools and an empty list of them are the same. */
	copy.tools = copy.n_tools > 0 ? copy.tools : NULL;
	if (record_text_bytes(&ellu_prompt_template_type, &copy) > TEMPLATE_BYTES_MAX)
		return fault_too_large(tx->fault, TEMPLATE_BYTES_MAX, path);
	r = template_placeholders(copy.messages, copy.n_messages, tx->arena, &names, &n_names);
	if (r >= 0 && n_names > COLUMNS_MAX)
		r = fault_invalid(tx->fault, path, "at most %d different placeholders", COLUMNS_MAX);
	if (r < 0)
		return r;
	r = tx_encode(tx, &ellu_prompt_template_type, &copy, &ret_content->text);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, ret_content->text);
	identity_done(&identity, ret_content->identity);
	return r;
}

/* 1 and the version that has the content, or 0. */
static int content_find(struct tx *tx, const struct place *place, const char *name,
			const struct content *content, int64_t *ret_id)
{
	return db_int(tx->db, ret_id,
		      "SELECT id FROM prompt_templates WHERE project_id = ?1 AND name = ?2"
		      " AND identity = ?3 AND deleted_at IS NULL",
		      "iss", place->project_id, name, content->identity);
}

/* The next version. */
static int content_insert(struct tx *tx, const struct place *place, const char *name,
			  const struct content *content, struct notes *notes, int64_t *ret_id)
{
	int64_t last = 0;
	int r;

	r = db_int(tx->db, &last, "SELECT last_version FROM prompt_templates WHERE project_id = ?1"
				  " AND name = ?2 AND deleted_at IS NULL"
				  " ORDER BY version DESC LIMIT 1", "is", place->project_id, name);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO prompt_templates (owner_uid, project_id, name, version,"
			      " last_version, identity, content, created_at, updated_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?7)",
			      "iisissi", place->owner_uid, place->project_id, name, last + 1,
			      content->identity, content->text, tx->now);
	if (r < 0 || last == 0)
		return r;
	return notes_add(tx, notes, "prompt template '%s': version %" PRId64, name, last + 1);
}

static int prepare(struct tx *tx, const void *template, const char *path, void **ret_content)
{
	struct content *content = tx_alloc(tx, sizeof(*content));

	*ret_content = content;
	return content ? content_read(tx, template, path, content) : -ENOMEM;
}

static int find(struct tx *tx, const struct place *place, const void *template, void *content,
		int64_t *ret_id)
{
	const struct ellu_prompt_template *wanted = template;

	return content_find(tx, place, wanted->name, content, ret_id);
}

static int insert(struct tx *tx, const struct place *place, const void *template, void *content,
		  struct notes *notes, int64_t *ret_id)
{
	const struct ellu_prompt_template *wanted = template;

	return content_insert(tx, place, wanted->name, content, notes, ret_id);
}

/* A name without versions is linked to no set of criteria; one that is made of it later is another. */
static int drop_link(struct tx *tx, int64_t id)
{
	return db_run(tx->db, "DELETE FROM criterion_set_links WHERE (project_id, template_name) ="
			      " (SELECT project_id, name FROM prompt_templates WHERE id = ?1)"
			      " AND NOT EXISTS (SELECT 1 FROM prompt_templates v"
			      "  WHERE v.project_id = criterion_set_links.project_id"
			      "  AND v.name = template_name AND v.deleted_at IS NULL AND v.id <> ?1)",
		      "i", id);
}

/* What is before it takes its place; which number was the last is known to that one, then. */
static int discard(struct tx *tx, int64_t id)
{
	int r = drop_link(tx, id);

	return r < 0 ? r : db_run(tx->db, "UPDATE prompt_templates SET last_version ="
			      " max(last_version, (SELECT last_version FROM prompt_templates"
			      "  WHERE id = ?1)) WHERE id = (SELECT v.id FROM prompt_templates t"
			      "  JOIN prompt_templates v ON v.project_id = t.project_id"
			      "  AND v.name = t.name AND v.version < t.version"
			      "  AND v.deleted_at IS NULL WHERE t.id = ?1"
			      "  ORDER BY v.version DESC LIMIT 1)", "i", id);
}

/* ---- Lists ---- */

/* The latest version of each name, in the order of the names: a seek each. `first` is what the
 * last page ended with, or no id. */
#define LATEST(first, behind, order, limit)                                                 \
	"WITH RECURSIVE latest (n, id) AS (SELECT 0, " first " UNION ALL SELECT n + 1,"     \
	" (SELECT v.id FROM prompt_templates v WHERE " behind " AND v.deleted_at IS NULL"   \
	"  ORDER BY " order ", v.version DESC LIMIT 1)"                                     \
	" FROM latest WHERE id IS NOT NULL LIMIT " limit " + 1) "
#define LATEST_NAME "coalesce((SELECT name FROM prompt_templates WHERE id = latest.id), '')"
#define LATEST_PROJECT "coalesce((SELECT project_id FROM prompt_templates WHERE id = latest.id), 0)"
#define LATEST_OWN(first, of) \
	LATEST(first, "v.project_id = " of " AND v.name > " LATEST_NAME, "v.name", "?3")
#define LATEST_ALL(first)                                                                   \
	LATEST(first, "(v.project_id, v.name) > (" LATEST_PROJECT ", " LATEST_NAME ")",     \
	       "v.project_id, v.name", "?3")
#define LATEST_PAGE "SELECT id FROM latest WHERE n > 0 AND id IS NOT NULL"
#define LATEST_COUNT \
	"SELECT count(*), id, count(*), max(n) FROM latest WHERE n > 0 AND id IS NOT NULL"

/* The versions of the name that ?of has. */
#define VERSIONS(columns, of, behind)                                                       \
	"SELECT " columns " FROM prompt_templates t JOIN prompt_templates v"                \
	" ON v.project_id = t.project_id AND v.name = t.name AND v.deleted_at IS NULL"      \
	" AND v.version < coalesce((SELECT version FROM prompt_templates WHERE id = " behind ")," \
	" 9007199254740992) WHERE t.id = " of " ORDER BY v.version DESC LIMIT ?3"

const struct resource resource_prompt_template = {
	.name = "prompt_template",
	.noun = "a prompt template",
	.type = &ellu_prompt_template_type,
	.letter = 'p',
	.by_id = "SELECT id FROM prompt_templates WHERE id = ?1 AND (owner_uid = ?2 OR ?3)"
		 " AND deleted_at IS NULL",
	.by_name = "SELECT id FROM prompt_templates WHERE project_id = ?1 AND name = ?2"
		   " AND deleted_at IS NULL ORDER BY version DESC LIMIT 1",
	.place = "SELECT owner_uid, project_id FROM prompt_templates WHERE id = ?1",
	.page_own = LATEST_OWN("?1", "?2") LATEST_PAGE,
	.page_all = LATEST_ALL("?1") LATEST_PAGE,
	.count_own = LATEST_OWN("?2", "?1") LATEST_COUNT,
	.count_all = LATEST_ALL("?2") LATEST_COUNT,
	.hide = "UPDATE prompt_templates SET deleted_at = ?2 WHERE id = ?1",
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		" WHERE t.finished_at IS NULL AND r.prompt_template_id = ?1 LIMIT 1",
	.find_ref = find_ref,
	.load = load_linked,
	.prepare = prepare,
	.find = find,
	.insert = insert,
	.discard = discard,
};

static const struct resource versions = {
	.name = "prompt_template",
	.type = &ellu_prompt_template_type,
	.letter = 'v',
	.page_own = VERSIONS("v.id", "?2", "?1"),
	.count_own = "SELECT count(*), id, count(*), min(version) FROM ("
		     VERSIONS("v.id, v.version", "?1", "?2") ")",
	.load = load_linked,
};

int prompt_templates_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_prompt_templates_request *request = op->arguments;
	const struct ellu_ref ref = { .struct_size = sizeof(ref), .name = request->name };
	int64_t id;
	int r;

	if (!request->name || op->request.state)
		return resource_list(tx, op);
	r = resource_resolve(tx, op->resource, &op->scope, &ref, &id);
	return r < 0 ? r : resource_list_of(tx, op, &versions, id);
}

/* ---- Versions ---- */

/* What is there but empty takes away. */
static void inherit(struct ellu_prompt_template *template,
		    const struct ellu_new_prompt_template_version_request *request)
{
	if (request->messages) {
		template->messages = request->messages;
		template->n_messages = request->n_messages;
	}
	if (request->tools) {
		template->tools = request->tools;
		template->n_tools = request->n_tools;
	}
	if (request->response_format)
		template->response_format = strcmp(request->response_format, "{}") != 0 ?
						    request->response_format : NULL;
	if (request->tool_choice)
		template->tool_choice = *request->tool_choice ? request->tool_choice : NULL;
}

int prompt_template_new_version(struct tx *tx, struct method_run *op)
{
	const struct ellu_new_prompt_template_version_request *request = op->arguments;
	struct ellu_new_prompt_template_version_reply *reply = method_reply(tx, op);
	struct ellu_prompt_template *template;
	struct notes notes = { 0 };
	struct content content;
	struct place place;
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = resource_resolve_own(tx, op->resource, &op->scope, request->prompt_template, &id,
					 &place);
	if (r >= 0)
		r = prompt_template_load(tx, id, &template);
	if (r < 0)
		return r;
	inherit(template, request);
	r = content_read(tx, template, "prompt_template", &content);
	if (r >= 0)
		r = content_find(tx, &place, template->name, &content, &id);
	if (r > 0)
		return fault_conflict(tx->fault, "prompt_template", template->name, id,
				      "a version has that content already");
	if (r >= 0)
		r = content_insert(tx, &place, template->name, &content, &notes, &id);
	return r < 0 ? r : load_linked(tx, id, &reply->prompt_template);
}

/* ---- Deleting ---- */

/* Versions that one transaction hides. */
#define HIDDEN_MAX 1000

static int check_unused(struct tx *tx, const struct place *place, const char *name, int64_t id)
{
	int64_t task_id;
	int r;

	r = db_int(tx->db, &task_id,
		   "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		   " CROSS JOIN prompt_templates p ON p.id = r.prompt_template_id"
		   " WHERE t.finished_at IS NULL AND p.project_id = ?1 AND p.name = ?2 LIMIT 1",
		   "is", place->project_id, name);
	return r <= 0 ? r : fault_conflict(tx->fault, "prompt_template", name, id,
					   "the task %" PRId64 " uses it", task_id);
}

/* The oldest first: under its name the latest is found until all are gone. */
static int hide_versions(struct tx *tx, struct method_run *op, const char *name)
{
	struct place place;
	int64_t id;
	int r;

	r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = resource_find(tx, op->resource, place.project_id, name, &id);
	if (r == 0 && op->request.state)
		return 0; // the last of them went before
	if (r == 0)
		r = fault_not_found(tx->fault, "prompt_template", name, 0);
	if (r > 0)
		r = check_unused(tx, &place, name, id);
	if (r < 0)
		return r;
	op->request.state = op;
	r = db_run(tx->db, "UPDATE prompt_templates SET deleted_at = ?3 WHERE id IN ("
			   "SELECT id FROM prompt_templates WHERE project_id = ?1 AND name = ?2"
			   " AND deleted_at IS NULL ORDER BY version LIMIT ?4)",
		   "isii", place.project_id, name, tx->now, (int64_t)HIDDEN_MAX);
	op->request.again = r == HIDDEN_MAX;
	return r < 0 ? r : drop_link(tx, id);
}

int prompt_template_delete(struct tx *tx, struct method_run *op)
{
	const struct ellu_delete_prompt_template_request *request = op->arguments;
	const struct ellu_ref *ref = request->prompt_template;

	if (ref->id || ref->version)
		return resource_delete(tx, op);
	if (!op->request.state && !method_reply(tx, op))
		return -ENOMEM;
	return hide_versions(tx, op, ref->name);
}

/* ---- Rendering ---- */

int prompt_template_render(struct tx *tx, struct method_run *op)
{
	const struct ellu_render_prompt_template_request *request = op->arguments;
	struct ellu_render_prompt_template_reply *reply = method_reply(tx, op);
	const struct ellu_template_in *in = request->prompt_template;
	const struct ellu_prompt_template *template = in->content;
	json_object *values;
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0 && in->ref) {
		r = resource_resolve(tx, &resource_prompt_template, &op->scope, in->ref, &id);
		if (r >= 0)
			r = prompt_template_load(tx, id, &template);
	}
	if (r < 0)
		return r;
	values = tx_parse(request->variables ? request->variables : "{}");
	if (!values)
		return -ENOMEM;
	reply->n_messages = template->n_messages;
	r = template_render_messages(template->messages, template->n_messages, values, tx->arena,
				     &reply->messages, tx->fault);
	json_object_put(values);
	if (r == ELLU_E_INVALID_PARAMETER)
		return fault_invalid(tx->fault, tx_printf(tx, "variables.%s", tx->fault->field),
				     "a value for this placeholder");
	return r;
}
