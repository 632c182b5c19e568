#include <errno.h>

#include "daemon/store/resources/rows.h"
#include "daemon/store/runs/submit.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"

/* Whether the collection shows these rows is asked again in the writer, which then finds the
 * answer unless somebody changed them meanwhile. What is wrong here is told there. */
static int compare_rows(struct tx *tx, const struct scope *scope, const char *name,
			struct row_set *rows)
{
	const struct scope own = { .uid = scope->uid, .project = scope->project };
	struct collection_state state;
	struct place place;
	int64_t id;
	int r;

	r = place_resolve(tx, &own, &place);
	if (r >= 0)
		r = resource_find(tx, RESOURCE_COLLECTION, place.project_id, name, &id);
	if (r > 0)
		r = collection_state(tx, id, &state);
	else
		return 0;
	return r < 0 ? 0 : row_set_equal(tx, rows, &state);
}

int submit_read(struct tx *tx, const struct scope *scope,
		const struct ellu_run_experiment_request *arguments,
		struct submit_input **ret_input)
{
	const struct ellu_collection_in *in = arguments->collection;
	const struct ellu_collection *content = in ? in->content : NULL;
	struct submit_input *input = tx_alloc(tx, sizeof(*input));
	int r = 0;

	if (!input)
		return -ENOMEM;
	*ret_input = input;
	if (arguments->idempotency_key)
		r = task_submit_hash(tx, &ellu_run_experiment_request_type, arguments, input->hash);
	if (r < 0 || !content)
		return r;
	r = row_set_read(tx, content->variables, content->n_variables,
			 "collection.content.variables", &input->rows);
	if (r >= 0 && content->n_variables > 0)
		r = compare_rows(tx, scope, content->name, &input->rows);
	return r < 0 ? r : 0;
}
