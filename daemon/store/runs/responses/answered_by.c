#include "daemon/store/runs/responses/answered_by.h"

#include <errno.h>
#include <math.h>

#include "daemon/store/runs/run_walk.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"

int answered_by_begin(struct tx *tx, const struct run_row *run, struct answered_by *ret_answered_by)
{
	struct run_fallback fallbacks[FALLBACKS_MAX];
	struct ellu_llm_config *own;
	size_t n;
	int r = run_fallbacks_list(tx, run->id, fallbacks, &n);

	*ret_answered_by = (struct answered_by){ 0 };
	if (r < 0 || n == 0 || !run->config_snapshot)
		return r;
	r = tx_decode(tx, &ellu_llm_config_type, run->config_snapshot, &own);
	if (r < 0)
		return r;
	ret_answered_by->items[0] = (struct answerer){ .name = own->name, .model = own->llm_model_name };
	for (size_t i = 0; i < n; i++)
		ret_answered_by->items[1 + i] =
			(struct answerer){ .name = fallbacks[i].name, .model = fallbacks[i].model };
	ret_answered_by->n = 1 + n;
	return 0;
}

void answered_by_count(struct answered_by *answered_by, sqlite3_stmt *q, bool success, bool decided)
{
	size_t i = (size_t)(column_int_or(q, WALK_FALLBACK, -1) + 1);

	if (i >= answered_by->n)
		return;
	answered_by->items[i].responses++;
	answered_by->items[i].decided += decided;
	answered_by->items[i].successes += success;
}

int answered_by_tell(struct tx *tx, const struct answered_by *answered_by, struct ellu_experiment_results *results)
{
	struct tx_list list = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < answered_by->n; i++) {
		const struct answerer *item = &answered_by->items[i];
		struct ellu_answered_by *record = TX_RECORD(tx, struct ellu_answered_by);

		if (!record)
			return -ENOMEM;
		record->llm_config = item->name;
		record->model = item->model;
		record->responses = item->responses;
		record->success_rate = proportion_make(tx, (double)item->successes, item->responses, item->decided,
						       item->responses, /* rows= */ NULL);
		r = tx_append(tx, &list, record);
	}
	results->answered_by = list.n ? tx_list_items(tx, &list) : NULL;
	results->n_answered_by = list.n;
	return r;
}

int answered_by_adjust(struct tx *tx, struct ellu_experiment_results *results, const struct standing *before,
		       const struct standing *after)
{
	size_t i = (size_t)before->answered_by;
	const struct ellu_proportion *was;
	struct ellu_answered_by *record;
	double successes;

	if (i >= results->n_answered_by)
		return 0;
	record = (struct ellu_answered_by *)results->answered_by[i];
	was = record->success_rate;
	successes = was->value ? round(*was->value * (double)record->responses) : 0;
	record->success_rate = proportion_make(tx, successes + after->meets_all - before->meets_all,
					       record->responses, was->n_scored + after->decided - before->decided,
					       record->responses, /* rows= */ NULL);
	return tx->oom ? -ENOMEM : 0;
}
