/* What sets of criteria are linked to: prompt templates, by their names, so in all their versions. */
#include <errno.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "proto/generated/interface.h"

#define LINKS_MAX 1000 // prompt templates of one set

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

	r = criterion_set_count_links(tx, set_id, &n);
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
