#include "daemon/store/resources/evaluators/judge.h"

#include <string.h>

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/projects/project.h"
#include "proto/generated/interface.h"

static int load(struct tx *tx, int64_t id, void *ret_judge)
{
	struct ellu_judge *judge;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT content, created_at, updated_at FROM evaluator_sets WHERE id = ?1",
		   "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "judge", NULL, id);
	r = tx_decode(tx, &ellu_judge_type, column_peek(q, 0), &judge);
	if (r < 0)
		return r;
	judge->id = tx_int_value(tx, id);
	judge->created_at = tx_int(tx, q, 1);
	judge->updated_at = tx_int(tx, q, 2);
	memcpy(ret_judge, &judge, sizeof(judge));
	return 0;
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	const struct ellu_judge *judge = content;
	const struct ellu_evaluator *evaluator;
	struct scope scope;
	size_t bytes = 0;
	int r = scope_of_project(tx, place->project_id, &scope);

	(void)id;
	(void)path;
	for (size_t i = 0; r >= 0 && i < judge->n_evaluators; i++)
		r = evaluator_resolve_next(tx, &scope, judge->evaluators[i], &bytes, &evaluator);
	return r;
}

static int text_of(struct tx *tx, const struct ellu_judge *judge, const char **ret_text)
{
	struct ellu_judge copy = *judge;

	copy.id = copy.created_at = copy.updated_at = NULL;
	return tx_encode(tx, &ellu_judge_type, &copy, ret_text);
}

static int insert(struct tx *tx, const struct place *place, const void *judge, void *prepared,
		  struct notes *notes, int64_t *ret_id)
{
	const struct ellu_judge *content = judge;
	const char *text;
	int r = text_of(tx, content, &text);

	(void)prepared;
	(void)notes;
	return r < 0 ? r : db_insert(tx->db, ret_id,
				     "INSERT INTO evaluator_sets (owner_uid, project_id, name, content,"
				     " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)", "iissi",
				     place->owner_uid, place->project_id, content->name, text, tx->now);
}

static int differs(struct tx *tx, int64_t id, const void *content, void *prepared)
{
	const char *was, *is;
	struct ellu_judge *judge;
	int r = load(tx, id, &judge);

	(void)prepared;
	if (r >= 0)
		r = text_of(tx, judge, &was);
	if (r >= 0)
		r = text_of(tx, content, &is);
	if (r >= 0)
		r = identity_json_equal(was, is);
	return r < 0 ? r : !r;
}

static int update(struct tx *tx, int64_t id, const void *judge, void *prepared, const char *path,
		  struct notes *notes)
{
	const struct ellu_judge *content = judge;
	const char *text;
	int r = text_of(tx, content, &text);

	(void)prepared;
	(void)path;
	(void)notes;
	return r < 0 ? r : db_run(tx->db, "UPDATE evaluator_sets SET name = ?2, content = ?3, updated_at = ?4"
					  " WHERE id = ?1", "issi", id, content->name, text, tx->now);
}

/* A task is pinned to its evaluators. */
const struct resource resource_judge = {
	.name = "judge",
	.noun = "a judge",
	.type = &ellu_judge_type,
	.letter = 'g',
	RESOURCE_STATEMENTS("evaluator_sets"),
	.load = load,
	.check = check,
	.insert = insert,
	.differs = differs,
	.update = update,
};

int evaluators_find(struct tx *tx, const struct scope *scope, const struct ellu_ref *evaluator,
		    const struct ellu_ref *judge, struct evaluator_list *ret_list)
{
	const struct ellu_ref *const *refs = &evaluator;
	struct ellu_judge *found;
	size_t bytes = 0;
	int r = 0;

	*ret_list = (struct evaluator_list){ .n = 1 };
	if (judge) {
		r = resource_resolve(tx, &resource_judge, scope, judge, &ret_list->judge_id);
		if (r >= 0)
			r = load(tx, ret_list->judge_id, &found);
		if (r < 0)
			return r;
		refs = found->evaluators;
		ret_list->n = found->n_evaluators;
	}
	ret_list->items = tx_array(tx, ret_list->n, sizeof(*ret_list->items));
	if (!ret_list->items)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < ret_list->n; i++)
		r = evaluator_resolve_next(tx, scope, refs[i], &bytes, &ret_list->items[i]);
	return r;
}
