#include "daemon/store/runs/statistics/row_shares.h"

#include <errno.h>

#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

static const int64_t pass_at[PASS_AT_MAX] = { 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000 };

void row_shares_add(struct row_shares *shares, int64_t yes, int64_t n)
{
	shares->n++;
	shares->any += yes > 0;
	shares->all += yes == n;
	shares->majority += row_majority(yes, n);
	for (size_t i = 0; i < PASS_AT_MAX && pass_at[i] <= n; i++) {
		shares->passed[i] += pass_at_k(n, yes, pass_at[i]);
		shares->n_tried[i]++;
	}
}

int row_shares_tell(struct tx *tx, const struct row_shares *shares, const struct ellu_row_shares **ret_record)
{
	struct ellu_row_shares *record = TX_RECORD(tx, struct ellu_row_shares);
	struct tx_list passed = { 0 };
	int r = record ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < PASS_AT_MAX && shares->n_tried[i] > 0; i++) {
		struct ellu_pass_at *one = TX_RECORD(tx, struct ellu_pass_at);

		if (!one)
			return -ENOMEM;
		one->k = pass_at[i];
		one->rows = proportion_share(tx, shares->passed[i], shares->n_tried[i]);
		r = tx_append(tx, &passed, one);
	}
	if (r < 0)
		return r;
	record->any = proportion_share(tx, shares->any, shares->n);
	record->all = proportion_share(tx, shares->all, shares->n);
	record->majority = proportion_share(tx, shares->majority, shares->n);
	record->pass_at = tx_list_items(tx, &passed);
	record->n_pass_at = passed.n;
	*ret_record = record;
	return 0;
}
