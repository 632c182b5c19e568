/* Sets of criteria: what they hold, and the families that inline ones are in. What measures use stays when
 * it leaves its set; its position is NULL. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define FAMILY_BYTES_MAX 180 // of a name that " criteria #N" goes behind

/* ---- Rows ---- */

/* NAME #N is number N of NAME's family; any other name begins one. */
static int family_of(struct tx *tx, const char *name, const char **ret_family, int64_t *ret_number)
{
	const char *mark = strrchr(name, '#');
	int64_t number = 0;
	int end = -1;

	*ret_family = name;
	*ret_number = 1;
	if (!mark || mark - name < 2 || mark[-1] != ' ' || mark[1] < '1' || mark[1] > '9' ||
	    sscanf(mark + 1, "%18" SCNd64 "%n", &number, &end) != 1 || mark[1 + end] || number < 2)
		return 0;
	*ret_family = tx_printf(tx, "%.*s", (int)(mark - 1 - name), name);
	*ret_number = number;
	return *ret_family ? 0 : -ENOMEM;
}

static int set_insert(struct tx *tx, const struct place *place, const char *name,
		      const char *identity, int64_t *ret_id)
{
	const char *family;
	int64_t number;
	int r;

	r = family_of(tx, name, &family, &number);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO criterion_sets (owner_uid, project_id, name, family,"
			      " family_number, identity, created_at, updated_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
			      "iissisi", place->owner_uid, place->project_id, name, family, number,
			      identity, tx->now);
	return r;
}

#define RETIRE(which)                                                                             \
	{ "DELETE FROM criteria WHERE criterion_set_id = ?1 AND position IS NOT NULL AND " which  \
	  " AND NOT EXISTS (SELECT 1 FROM measures m WHERE m.criterion_id = criteria.id)",        \
	  "UPDATE criteria SET position = NULL WHERE criterion_set_id = ?1"                       \
	  " AND position IS NOT NULL AND " which }

/* One leaves the set, or all but those of these texts. How many there were. */
static int retire(struct tx *tx, int64_t set_id, int64_t id, const char *kept)
{
	static const char *const one[] = RETIRE("id = ?2");
	static const char *const others[] = RETIRE("criterion_str NOT IN (SELECT value FROM json_each(?2))");
	int n = 0, r = 0;

	for (size_t i = 0; r >= 0 && i < 2; i++) {
		r = kept ? db_run(tx->db, others[i], "is", set_id, kept) :
			   db_run(tx->db, one[i], "ii", set_id, id);
		n += r;
	}
	return r < 0 ? r : n;
}

static int retire_all(struct tx *tx, int64_t set_id)
{
	return retire(tx, set_id, 0, "[]");
}

/* As a JSON array. */
static const char *texts_of(struct tx *tx, const struct criteria *criteria)
{
	json_object *texts = json_object_new_array();
	const char *text = NULL;
	int r = texts ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < criteria->n; i++) {
		json_object *one = json_object_new_string(criteria->items[i]->criterion_str);

		r = one ? json_object_array_add(texts, one) : -ENOMEM;
	}
	if (r >= 0)
		text = tx_strdup(tx, json_text(texts, NULL));
	json_object_put(texts);
	return text;
}

static int put_criterion(struct tx *tx, const struct place *place, int64_t set_id, int64_t position,
			 const struct ellu_criterion *criterion)
{
	const char *check;
	int r = tx_encode(tx, &ellu_check_type, criterion->check, &check);

	return r < 0 ? r : db_run(tx->db,
		      "INSERT INTO criteria (owner_uid, project_id, criterion_set_id,"
		      " position, criterion_str, label, rule, created_at)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		      " ON CONFLICT (criterion_set_id, criterion_str) DO UPDATE SET"
		      " position = excluded.position, label = excluded.label, rule = excluded.rule"
		      " WHERE position IS NOT excluded.position OR label IS NOT excluded.label"
		      " OR rule IS NOT excluded.rule",
		      "iiiisssi", place->owner_uid, place->project_id, set_id, position,
		      criterion->criterion_str, criterion->label, check, tx->now);
}

static int set_fill(struct tx *tx, const struct place *place, int64_t id,
		    const struct criteria *criteria)
{
	const char *texts = texts_of(tx, criteria);
	int r = texts ? retire(tx, id, 0, texts) : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < criteria->n; i++)
		r = put_criterion(tx, place, id, (int64_t)i, criteria->items[i]);
	return r;
}

#define CRITERION_COLUMNS "SELECT id, criterion_str, label, created_at, rule FROM criteria"

static const struct ellu_criterion *read_criterion(struct tx *tx, sqlite3_stmt *q)
{
	struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);

	if (!criterion)
		return NULL;
	criterion->id = tx_int(tx, q, 0);
	criterion->criterion_str = tx_text(tx, q, 1);
	criterion->label = tx_text(tx, q, 2);
	criterion->created_at = tx_int(tx, q, 3);
	if (check_read(tx, q, 4, &criterion->check) < 0)
		tx->oom = true; // it was checked when it came in
	return criterion;
}

int criterion_set_criteria(struct tx *tx, int64_t set_id, struct criteria *ret_criteria)
{
	struct tx_list list = { 0 };
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, CRITERION_COLUMNS " WHERE criterion_set_id = ?1"
						   " AND position IS NOT NULL ORDER BY position",
		     "i", set_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		r = tx_append(tx, &list, read_criterion(tx, q));
	*ret_criteria = (struct criteria){ tx_list_items(tx, &list), list.n };
	return r < 0 ? r : tx->oom ? -ENOMEM : 0;
}

/* After a change of what it holds. */
static int set_changed(struct tx *tx, int64_t id)
{
	char identity[IDENTITY_SIZE];
	struct criteria criteria;
	int r;

	r = criterion_set_criteria(tx, id, &criteria);
	if (r >= 0)
		r = criteria_check_bytes(tx, &criteria);
	if (r < 0)
		return r;
	if (criteria.n > CRITERIA_MAX)
		return fault_invalid(tx->fault, "criteria", "as many as make %d in the set at the most",
				     CRITERIA_MAX);
	criteria_identity(&criteria, identity);
	r = db_run(tx->db, "UPDATE criterion_sets SET updated_at = ?2, identity = ?3 WHERE id = ?1",
		   "iis", id, tx->now, (const char *)identity);
	return r < 0 ? r : 0;
}

/* ---- The prompt templates that it is linked to, by their names, so in all their versions ---- */

int criterion_set_count_links(struct tx *tx, int64_t id, int64_t *ret_n)
{
	return db_int(tx->db, ret_n, "SELECT count(*) FROM criterion_set_links"
				     " WHERE criterion_set_id = ?1", "i", id);
}

/* The latest versions of them, into its record. */
static int links_read(struct tx *tx, int64_t id, struct ellu_criterion_set *set)
{
	int64_t n = 0, *ids;
	QUERY q = NULL;
	int r;

	r = criterion_set_count_links(tx, id, &n);
	ids = r < 0 ? NULL : tx_array(tx, (size_t)n, sizeof(*ids));
	if (!ids)
		return r < 0 ? r : -ENOMEM;
	set->linked_prompt_templates = ids;
	r = db_query(tx->db, &q, "SELECT (SELECT t.id FROM prompt_templates t"
				 "  WHERE t.project_id = l.project_id AND t.name = l.template_name"
				 "  AND t.deleted_at IS NULL ORDER BY t.version DESC LIMIT 1) FROM criterion_set_links l"
				 " WHERE l.criterion_set_id = ?1", "i", id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		ids[set->n_linked_prompt_templates++] = column_int(q, 0);
	return r;
}

int criterion_set_linked(struct tx *tx, int64_t template_id, int64_t *ret_set_id)
{
	return db_int(tx->db, ret_set_id,
		      "SELECT l.criterion_set_id FROM prompt_templates t CROSS JOIN criterion_set_links l"
		      " ON l.project_id = t.project_id AND l.template_name = t.name WHERE t.id = ?1",
		      "i", template_id);
}

int criteria_linked(struct tx *tx, int64_t template_id, struct criteria *ret_criteria)
{
	int64_t set_id;
	int r = criterion_set_linked(tx, template_id, &set_id);

	*ret_criteria = (struct criteria){ 0 };
	return r > 0 ? criterion_set_criteria(tx, set_id, ret_criteria) : r;
}

int criterion_set_put_link(struct tx *tx, int64_t template_id, int64_t set_id)
{
	return db_run(tx->db, "INSERT INTO criterion_set_links (project_id, template_name, owner_uid,"
			      " criterion_set_id) SELECT project_id, name, owner_uid, ?2"
			      " FROM prompt_templates WHERE id = ?1"
			      " ON CONFLICT DO UPDATE SET criterion_set_id = excluded.criterion_set_id",
		      "ii", template_id, set_id);
}

/* ---- The resource ---- */

static int load(struct tx *tx, int64_t id, void *ret_set)
{
	struct ellu_criterion_set *set = TX_RECORD(tx, struct ellu_criterion_set);
	struct criteria criteria;
	QUERY q = NULL;
	int r;

	if (!set)
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT name, created_at, updated_at FROM criterion_sets WHERE id = ?1",
		   "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "criterion_set", NULL, id);
	set->id = tx_int_value(tx, id);
	set->name = tx_text(tx, q, 0);
	set->created_at = tx_int(tx, q, 1);
	set->updated_at = tx_int(tx, q, 2);
	r = criterion_set_criteria(tx, id, &criteria);
	if (r >= 0)
		r = links_read(tx, id, set);
	set->criteria = criteria.items;
	set->n_criteria = criteria.n;
	memcpy(ret_set, &set, sizeof(set));
	return r;
}

static struct criteria content_of(const struct ellu_criterion_set *set)
{
	return (struct criteria){ set->criteria, set->n_criteria };
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	struct criteria criteria = content_of(content), unique;
	int r;

	(void)place;
	(void)id;
	path = tx_printf(tx, "%s.criteria", path);
	r = path ? criteria_check_records(tx, &criteria, path) : -ENOMEM;
	return r < 0 ? r : criteria_distinct(tx, &criteria, path, &unique);
}

/* Each once, and the hash of them. */
static int read_content(struct tx *tx, const struct ellu_criterion_set *set,
			struct criteria *ret_criteria, char ret_identity[static IDENTITY_SIZE])
{
	struct criteria criteria = content_of(set);
	int r = criteria_distinct(tx, &criteria, "criterion_set.criteria", ret_criteria);

	if (r >= 0)
		criteria_identity(ret_criteria, ret_identity);
	return r;
}

static int insert(struct tx *tx, const struct place *place, const void *content, void *prepared,
		  struct notes *notes, int64_t *ret_id)
{
	const struct ellu_criterion_set *set = content;
	char identity[IDENTITY_SIZE];
	struct criteria criteria;
	int r;

	(void)prepared;
	(void)notes;
	r = read_content(tx, set, &criteria, identity);
	if (r >= 0)
		r = set_insert(tx, place, set->name, identity, ret_id);
	return r < 0 ? r : set_fill(tx, place, *ret_id, &criteria);
}

/* A list that is left out stays. */
static int differs(struct tx *tx, int64_t id, const void *content, void *prepared)
{
	const struct ellu_criterion_set *set = content;
	char identity[IDENTITY_SIZE];
	struct criteria criteria;
	int64_t other = 0;
	int r;

	(void)prepared;
	r = read_content(tx, set, &criteria, identity);
	if (r >= 0)
		r = db_int(tx->db, &other, "SELECT name <> ?3 OR (?4 AND identity <> ?2)"
					   " FROM criterion_sets WHERE id = ?1",
			   "issb", id, (const char *)identity, set->name, set->criteria != NULL);
	return r < 0 ? r : other != 0;
}

static int place_of(struct tx *tx, int64_t set_id, struct place *ret_place)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT owner_uid, project_id FROM criterion_sets WHERE id = ?1", "i",
		   set_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	*ret_place = (struct place){ .owner_uid = column_int(q, 0), .project_id = column_int(q, 1) };
	return 0;
}

static int update(struct tx *tx, int64_t id, const void *content, void *prepared, const char *path,
		  struct notes *notes)
{
	const struct ellu_criterion_set *set = content;
	char identity[IDENTITY_SIZE];
	struct criteria criteria;
	const char *family;
	struct place place;
	int64_t number;
	int r;

	(void)prepared;
	(void)path;
	r = read_content(tx, set, &criteria, identity);
	if (r >= 0)
		r = place_of(tx, id, &place);
	if (r >= 0 && set->criteria)
		r = set_fill(tx, &place, id, &criteria);
	if (r >= 0)
		r = family_of(tx, set->name, &family, &number);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE criterion_sets SET name = ?2, family = ?3, family_number = ?4,"
				   " identity = iif(?5, ?6, identity), updated_at = ?7 WHERE id = ?1",
			   "issibsi", id, set->name, family, number, set->criteria != NULL,
			   (const char *)identity, tx->now);
	return r < 0 ? r : notes_add(tx, notes, "criterion set '%s': updated", set->name);
}

static int discard(struct tx *tx, int64_t id)
{
	int r = retire_all(tx, id);

	return r < 0 ? r : db_run(tx->db, "DELETE FROM criterion_set_links WHERE criterion_set_id = ?1",
				  "i", id);
}

const struct resource resource_criterion_set = {
	.name = "criterion_set",
	.noun = "a criterion set",
	.type = &ellu_criterion_set_type,
	.letter = 's',
	RESOURCE_STATEMENTS("criterion_sets"),
	.load = load,
	.check = check,
	.insert = insert,
	.differs = differs,
	.update = update,
	RESOURCE_LIVE("criterion_set_id"),
	.discard = discard,
};

/* ---- Inline criteria ---- */

int criterion_set_put(struct tx *tx, const struct place *place, const char *name,
		      const struct criteria *criteria, bool update, struct notes *notes,
		      int64_t *ret_id)
{
	struct ellu_criterion_set *set = TX_RECORD(tx, struct ellu_criterion_set);

	if (!set || !name)
		return -ENOMEM;
	set->name = name;
	set->criteria = criteria->items;
	set->n_criteria = criteria->n;
	return resource_put(tx, &resource_criterion_set, place, set, NULL, "criterion_set", update,
			    notes, ret_id);
}

int criterion_set_fit(struct tx *tx, const struct place *place, const char *name,
		      const struct criteria *criteria, int64_t *ret_id)
{
	int shown = (int)utf8_cut(name, strlen(name), FAMILY_BYTES_MAX);
	const char *family = tx_printf(tx, "%.*s criteria", shown, name), *set = family;
	char identity[IDENTITY_SIZE];
	struct criteria unique;
	int64_t newest = 0;
	int r;

	r = family ? criteria_distinct(tx, criteria, "criteria", &unique) : -ENOMEM;
	if (r < 0)
		return r;
	criteria_identity(&unique, identity);
	r = db_int(tx->db, ret_id, "SELECT id FROM criterion_sets WHERE project_id = ?1 AND family = ?2"
				   " AND identity = ?3 AND deleted_at IS NULL"
				   " ORDER BY family_number LIMIT 1",
		   "iss", place->project_id, family, (const char *)identity);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_int(tx->db, &newest, "SELECT max(family_number) FROM criterion_sets"
				    " WHERE project_id = ?1 AND family = ?2 AND deleted_at IS NULL",
		   "is", place->project_id, family);
	if (r > 0)
		set = tx_printf(tx, "%s #%" PRId64, family, newest + 1);
	if (r < 0 || !set)
		return r < 0 ? r : -ENOMEM;
	r = set_insert(tx, place, set, identity, ret_id);
	return r < 0 ? r : set_fill(tx, place, *ret_id, &unique);
}

/* ---- Criteria one by one ---- */

/* 1 and what has the text in the set, or 0. */
static int find_criterion(struct tx *tx, int64_t set_id, const char *text,
			  const struct ellu_criterion **ret_criterion)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, CRITERION_COLUMNS " WHERE criterion_set_id = ?1 AND criterion_str = ?2"
						 " AND position IS NOT NULL",
		   "is", set_id, text);
	if (r <= 0)
		return r;
	*ret_criterion = read_criterion(tx, q);
	return *ret_criterion ? 1 : -ENOMEM;
}

static int add_one(struct tx *tx, const struct place *place, int64_t set_id, int64_t *position,
		   const struct ellu_criterion *wanted, const struct ellu_criterion **ret_criterion)
{
	int r = find_criterion(tx, set_id, wanted->criterion_str, ret_criterion);

	if (r > 0 && !criterion_is_same(*ret_criterion, wanted))
		return fault_conflict(tx->fault, "criterion", (*ret_criterion)->label,
				      *(*ret_criterion)->id,
				      "a criterion of that text exists and differs");
	if (r != 0)
		return r;
	r = put_criterion(tx, place, set_id, ++*position, wanted);
	return r < 0 ? r : find_criterion(tx, set_id, wanted->criterion_str, ret_criterion);
}

int criteria_add(struct tx *tx, struct method_run *op)
{
	const struct ellu_add_criteria_request *request = op->arguments;
	const struct criteria criteria = { request->criteria, request->n_criteria };
	struct ellu_add_criteria_reply *reply = method_reply(tx, op);
	const struct ellu_criterion **added = tx_array(tx, criteria.n, sizeof(*added));
	int64_t id, position = -1;
	struct place place;
	int r = reply && added ? criteria_check_records(tx, &criteria, "criteria") : -ENOMEM;

	if (r >= 0)
		r = resource_resolve_own(tx, &resource_criterion_set, &op->scope, request->criterion_set,
					 &id, &place);
	if (r >= 0)
		r = db_int(tx->db, &position, "SELECT max(position) FROM criteria"
					      " WHERE criterion_set_id = ?1 AND position IS NOT NULL",
			   "i", id);
	for (size_t i = 0; r >= 0 && i < criteria.n; i++)
		r = add_one(tx, &place, id, &position, criteria.items[i], &added[i]);
	if (r < 0)
		return r;
	reply->criteria = added;
	reply->n_criteria = criteria.n;
	return set_changed(tx, id);
}

int criterion_delete(struct tx *tx, struct method_run *op)
{
	const struct ellu_delete_criterion_request *request = op->arguments;
	int64_t set_id;
	QUERY q = NULL;
	int r;

	if (!method_reply(tx, op))
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT criterion_set_id, project_id FROM criteria WHERE id = ?1"
			       " AND (owner_uid = ?2 OR ?3) AND position IS NOT NULL",
		   "iib", request->id, op->scope.uid, (int)op->scope.all);
	if (r == 0 || (r > 0 && !scope_covers(&op->scope, column_int(q, 1))))
		return fault_not_found(tx->fault, "criterion", NULL, request->id);
	if (r < 0)
		return r;
	set_id = column_int(q, 0);
	r = retire(tx, set_id, request->id, NULL);
	return r < 0 ? r : set_changed(tx, set_id);
}

int criterion_set_clear(struct tx *tx, struct method_run *op)
{
	const struct ellu_clear_criterion_set_request *request = op->arguments;
	struct ellu_clear_criterion_set_reply *reply = method_reply(tx, op);
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = resource_resolve(tx, &resource_criterion_set, &op->scope, request->criterion_set, &id);
	if (r >= 0)
		r = retire_all(tx, id);
	if (r < 0)
		return r;
	reply->removed = r;
	return set_changed(tx, id);
}

/* ---- What was made up for a prompt template ---- */

/* The set that the template's criteria are in, made and linked where there is none. */
static int find_linked(struct tx *tx, int64_t template_id, int64_t *ret_set_id, struct place *ret_place)
{
	char identity[IDENTITY_SIZE];
	const char *name;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT owner_uid, project_id, name FROM prompt_templates WHERE id = ?1",
		   "i", template_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	*ret_place = (struct place){ .owner_uid = column_int(q, 0), .project_id = column_int(q, 1) };
	name = tx_text(tx, q, 2);
	if (!name)
		return -ENOMEM;
	r = criterion_set_linked(tx, template_id, ret_set_id);
	if (r != 0)
		return r < 0 ? r : 0;
	criteria_identity(&(struct criteria){ 0 }, identity);
	r = resource_find(tx, &resource_criterion_set, ret_place->project_id, name, ret_set_id);
	if (r == 0)
		r = set_insert(tx, ret_place, name, identity, ret_set_id);
	return r < 0 ? r : criterion_set_put_link(tx, template_id, *ret_set_id);
}

int criterion_set_extend(struct tx *tx, int64_t template_id, const struct criteria *criteria,
			 bool replace, int64_t *ret_set_id)
{
	const struct ellu_criterion *added;
	int64_t position = -1;
	struct place place;
	int r;

	r = find_linked(tx, template_id, ret_set_id, &place);
	if (r >= 0 && replace)
		r = retire_all(tx, *ret_set_id);
	if (r >= 0)
		r = db_int(tx->db, &position, "SELECT max(position) FROM criteria"
					      " WHERE criterion_set_id = ?1 AND position IS NOT NULL",
			   "i", *ret_set_id);
	for (size_t i = 0; r >= 0 && i < criteria->n; i++)
		r = add_one(tx, &place, *ret_set_id, &position, criteria->items[i], &added);
	return r < 0 ? r : set_changed(tx, *ret_set_id);
}
