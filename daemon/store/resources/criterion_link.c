/* What sets of criteria are linked to: prompt templates, by their names, so in all their versions. */
#include <errno.h>

#include "daemon/store/resources/criterion.h"
#include "daemon/store/resources/prompt_template.h"
#include "proto/generated/interface.h"

#define LINKS_MAX 1000 // prompt templates of one set

static int count_links(struct tx *tx, int64_t id, int64_t *ret_n)
{
	return db_int(tx->db, ret_n, "SELECT count(*) FROM criterion_set_links"
				     " WHERE criterion_set_id = ?1", "i", id);
}

int criterion_set_links_read(struct tx *tx, int64_t id, struct ellu_criterion_set *set)
{
	int64_t n = 0, *ids;
	QUERY q = NULL;
	int r;

	r = count_links(tx, id, &n);
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

struct linking {
	int64_t set_id;
	int64_t template_id;
};

static int resolve_both(struct tx *tx, const struct method_run *op, const struct ellu_ref *set,
			const struct ellu_ref *template, struct linking *ret_linking)
{
	struct place place;
	int64_t one;
	int r;

	r = resource_resolve_own(tx, &resource_criterion_set, &op->scope, set, &ret_linking->set_id,
				 &place);
	if (r >= 0)
		r = resource_resolve(tx, &resource_prompt_template, &op->scope, template,
				     &ret_linking->template_id);
	if (r >= 0)
		r = db_int(tx->db, &one, "SELECT 1 FROM prompt_templates WHERE id = ?1"
					 " AND project_id = ?2", "ii", ret_linking->template_id,
			   place.project_id);
	if (r == 0)
		return fault_invalid(tx->fault, "prompt_template",
				     "a prompt template of the set's project");
	return r < 0 ? r : 0;
}

static int check_links(struct tx *tx, int64_t set_id)
{
	int64_t n = 0;
	int r;

	r = count_links(tx, set_id, &n);
	if (r >= 0 && n > LINKS_MAX)
		return fault_invalid(tx->fault, "prompt_template",
				     "a link less; %d are linked to the set already", LINKS_MAX);
	return r < 0 ? r : 0;
}

int criterion_set_link(struct tx *tx, struct method_run *op)
{
	const struct ellu_link_criterion_set_request *request = op->arguments;
	struct ellu_link_criterion_set_reply *reply = method_reply(tx, op);
	struct linking linking;
	int r = reply ? resolve_both(tx, op, request->criterion_set, request->prompt_template,
				     &linking) : -ENOMEM;

	if (r >= 0)
		r = criterion_set_put_link(tx, linking.template_id, linking.set_id);
	if (r >= 0)
		r = check_links(tx, linking.set_id);
	return r < 0 ? r : resource_criterion_set.load(tx, linking.set_id, &reply->criterion_set);
}

int criterion_set_unlink(struct tx *tx, struct method_run *op)
{
	const struct ellu_unlink_criterion_set_request *request = op->arguments;
	struct ellu_unlink_criterion_set_reply *reply = method_reply(tx, op);
	struct linking linking;
	int r = reply ? resolve_both(tx, op, request->criterion_set, request->prompt_template,
				     &linking) : -ENOMEM;

	if (r >= 0)
		r = db_run(tx->db, "DELETE FROM criterion_set_links WHERE criterion_set_id = ?2"
				   " AND (project_id, template_name) IN (SELECT project_id, name"
				   "  FROM prompt_templates WHERE id = ?1)",
			   "ii", linking.template_id, linking.set_id);
	return r < 0 ? r : resource_criterion_set.load(tx, linking.set_id, &reply->criterion_set);
}

int criteria_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_criteria_request *request = op->arguments;
	struct ellu_list_criteria_reply *reply = method_reply(tx, op);
	struct criteria criteria;
	int64_t template_id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = resource_resolve(tx, &resource_prompt_template, &op->scope, request->prompt_template,
				     &template_id);
	if (r >= 0)
		r = criteria_linked(tx, template_id, &criteria);
	if (r < 0)
		return r;
	reply->criteria = criteria.n > 0 ? criteria.items : tx_list_items(tx, &(struct tx_list){ 0 });
	reply->n_criteria = criteria.n;
	return 0;
}
