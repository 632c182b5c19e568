#include "daemon/store/runs/statistics/spread.h"

#include <errno.h>
#include <math.h>

#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"

int spread_add(struct tx *tx, struct spread *spread, int64_t value)
{
	spread->row_sum += (double)value;
	spread->row_n++;
	return quantity_add(&spread->values, tx->arena, value);
}

void spread_end_row(struct spread *spread)
{
	clusters_add(&spread->rows, spread->row_sum, spread->row_n);
	spread->row_sum = 0;
	spread->row_n = 0;
}

static int tell_bins(struct tx *tx, const struct quantity *quantity, double unit, struct ellu_spread *record)
{
	int64_t counts[QUANTITY_BINS];
	struct tx_list bins = { 0 };
	double low, ratio;
	size_t n = quantity_bins(quantity, &low, &ratio, counts);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++, low *= ratio) {
		struct ellu_bin *bin = TX_RECORD(tx, struct ellu_bin);

		if (!bin)
			return -ENOMEM;
		bin->low = low / unit;
		bin->high = low * ratio / unit;
		bin->count = counts[i];
		r = tx_append(tx, &bins, bin);
	}
	record->bins = tx_list_items(tx, &bins);
	record->n_bins = bins.n;
	return r;
}

const struct ellu_spread *spread_tell(struct tx *tx, struct spread *spread, double unit)
{
	struct ellu_spread *record = TX_RECORD(tx, struct ellu_spread);
	struct quantity *quantity = &spread->values;
	struct estimate mean;

	if (!record)
		return NULL;
	record->n_scored = quantity->n;
	if (quantity->n == 0)
		return record;
	mean = clusters_mean(&spread->rows, CONFIDENCE);
	record->mean = tx_double_value(tx, quantity->sum / (double)quantity->n / unit);
	record->low = tx_known(tx, fmax(mean.low, 0) / unit);
	record->high = tx_known(tx, mean.high / unit);
	if (isnan(mean.low))
		record->low = NULL;
	record->p50 = tx_double_value(tx, (double)quantity_percentile(quantity, 50) / unit);
	record->p95 = tx_double_value(tx, (double)quantity_percentile(quantity, 95) / unit);
	return tell_bins(tx, quantity, unit, record) < 0 ? NULL : record;
}
