#include "daemon/store/resources/prompt_template.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collection.h"
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

static int find_version(struct tx *tx, int64_t project_id, const char *name,
			const int64_t *version, int64_t *ret_id)
{
	if (version)
		return db_int(tx->db, ret_id,
			      "SELECT id FROM prompt_templates"
			      " WHERE project_id = ?1 AND name = ?2 AND version = ?3",
			      "isi", project_id, name, *version);
	return db_int(tx->db, ret_id, "SELECT id FROM prompt_templates"
				      " WHERE project_id = ?1 AND name = ?2"
				      " ORDER BY version DESC LIMIT 1", "is", project_id, name);
}

static int find_by_id(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		      int64_t *ret_id)
{
	if (ref->version)
		return db_int(tx->db, ret_id,
			      "SELECT v.id FROM prompt_templates t JOIN prompt_templates v"
			      " ON v.project_id = t.project_id AND v.name = t.name AND v.version = ?4"
			      " WHERE t.id = ?1 AND (t.owner_uid = ?2 OR ?3)",
			      "iibi", *ref->id, scope->uid, (int)scope->all, *ref->version);
	return db_int(tx->db, ret_id, "SELECT id FROM prompt_templates"
				      " WHERE id = ?1 AND (owner_uid = ?2 OR ?3)",
		      "iib", *ref->id, scope->uid, (int)scope->all);
}

static int find_ref(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		    int64_t *ret_id)
{
	struct place place;
	int r;

	if (ref->id)
		return find_by_id(tx, scope, ref, ret_id);
	r = place_resolve(tx, scope, &place);
	return r < 0 ? r : find_version(tx, place.project_id, ref->name, ref->version, ret_id);
}

/* The content as the store keeps it, and its hash. */
static int content_of(struct tx *tx, const struct ellu_prompt_template *template,
		      const char **ret_text, char ret_identity[static IDENTITY_SIZE])
{
	struct ellu_prompt_template copy = *template;
	const char *const *names;
	struct identity identity;
	size_t n_names;
	int r;

	copy.id = copy.version = copy.created_at = copy.updated_at = NULL;
	copy.placeholders = NULL;
	copy.n_placeholders = 0;
	/* No tools and an empty list of them are the same. */
	copy.tools = copy.n_tools > 0 ? copy.tools : NULL;
	if (record_text_bytes(&ellu_prompt_template_type, &copy) > TEMPLATE_BYTES_MAX)
		return fault_too_large(tx->fault, TEMPLATE_BYTES_MAX, "prompt_template.content");
	r = template_placeholders(copy.messages, copy.n_messages, tx->arena, &names, &n_names);
	if (r >= 0 && n_names > COLUMNS_MAX)
		r = fault_invalid(tx->fault, "prompt_template.content",
				  "at most %d different placeholders", COLUMNS_MAX);
	if (r < 0)
		return r;
	r = tx_encode(tx, &ellu_prompt_template_type, &copy, ret_text);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, *ret_text);
	identity_done(&identity, ret_identity);
	return r;
}

int prompt_template_put(struct tx *tx, const struct place *place,
			const struct ellu_prompt_template *content, bool update,
			struct notes *notes, int64_t *ret_id)
{
	char identity[IDENTITY_SIZE];
	int64_t version = 0;
	const char *text;
	int r;

	r = content_of(tx, content, &text, identity);
	if (r < 0)
		return r;
	r = db_int(tx->db, ret_id, "SELECT id FROM prompt_templates"
				   " WHERE project_id = ?1 AND name = ?2 AND identity = ?3",
		   "iss", place->project_id, content->name, identity);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_int(tx->db, &version, "SELECT max(version) FROM prompt_templates"
				     " WHERE project_id = ?1 AND name = ?2",
		   "is", place->project_id, content->name);
	if (r < 0)
		return r;
	if (r > 0 && !update) {
		r = find_version(tx, place->project_id, content->name, NULL, ret_id);
		return r < 0 ? r :
			       fault_conflict(tx->fault, "prompt_template", content->name, *ret_id,
					      "a prompt template of that name exists and differs");
	}
	r = db_insert(tx->db, ret_id,
		      "INSERT INTO prompt_templates (owner_uid, project_id, name, version,"
		      " identity, content, created_at, updated_at)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
		      "iisissi", place->owner_uid, place->project_id, content->name, version + 1,
		      identity, text, tx->now);
	if (r < 0 || version == 0)
		return r;
	return notes_add(tx, notes, "prompt template '%s': version %" PRId64, content->name,
			 version + 1);
}

const struct resource resource_prompt_template = {
	.name = "prompt_template",
	.find_ref = find_ref,
	.load = prompt_template_load,
};
