#include "client/cli/report/charts.h"

#include <inttypes.h>
#include <math.h>

#include "client/cli/report/parts.h"

#define BAR_WIDTH 200
#define CHART_WIDTH 360
#define CHART_HEIGHT 120

static double end_of(double value, double otherwise)
{
	return (isnan(value) ? otherwise : value) * BAR_WIDTH;
}

void chart_bar(FILE *out, const struct estimate *estimate)
{
	char share[32], interval[64];

	fprintf(out, "<svg class=bar viewBox=\"0 0 %d 16\" preserveAspectRatio=none role=img aria-label=\"%s, 95 %% "
		     "interval %s\"><rect class=track width=%d height=16 rx=3 />",
		BAR_WIDTH, share_text(share, estimate->value), interval_text(interval, estimate), BAR_WIDTH);
	if (!isnan(estimate->value))
		fprintf(out, "<rect class=fill width=%.1f height=16 rx=3 /><path class=whisker"
			     " d=\"M%.1f 4v8m0-4H%.1fm0-4v8\" />",
			end_of(estimate->value, 0), end_of(estimate->low, estimate->value),
			end_of(estimate->high, estimate->value));
	fputs("</svg>", out);
}

void chart_histogram(FILE *out, const struct ellu_spread *spread, const char *title, const char *unit)
{
	const int digits = *unit ? 3 : 6;
	int64_t most = 1;
	double width;

	if (spread->n_bins == 0)
		return;
	for (size_t i = 0; i < spread->n_bins; i++)
		most = spread->bins[i]->count > most ? spread->bins[i]->count : most;
	width = (double) CHART_WIDTH / (double) spread->n_bins;
	fprintf(out, "<figure><figcaption>%s", title);
	if (spread->low && spread->high)
		fprintf(out, ": mean %.*g%s (95 %%: %.*g to %.*g)", digits, *spread->mean, unit, digits, *spread->low,
			digits, *spread->high);
	fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %d\" role=img aria-label=\"%s, of %" PRId64 " answers\">",
		CHART_WIDTH, CHART_HEIGHT + 16, title, spread->n_scored);
	for (size_t i = 0; i < spread->n_bins; i++) {
		const struct ellu_bin *bin = spread->bins[i];
		double height = (double) bin->count / (double) most * CHART_HEIGHT;

		fprintf(out, "<rect class=fill x=%.1f y=%.1f width=%.1f height=%.1f><title>%.*g to %.*g%s: %" PRId64
			     "</title></rect>", (double) i * width, CHART_HEIGHT - height, width - 1, height, digits,
			bin->low, digits, bin->high, unit, bin->count);
	}
	fprintf(out, "<text class=axis x=0 y=%d>%.*g%s</text><text class=axis x=%d y=%d text-anchor=end>%.*g%s</text>"
		     "</svg></figure>", CHART_HEIGHT + 13, digits, spread->bins[0]->low, unit, CHART_WIDTH,
		CHART_HEIGHT + 13, digits, spread->bins[spread->n_bins - 1]->high, unit);
}

void chart_distribution(FILE *out, const struct ellu_evaluator_scores *scores)
{
	const double width = (double) BAR_WIDTH / (double) scores->n_distribution;
	int64_t most = 1;

	for (size_t i = 0; i < scores->n_distribution; i++)
		most = scores->distribution[i] > most ? scores->distribution[i] : most;
	fprintf(out, "<svg class=bar viewBox=\"0 0 %d 16\" preserveAspectRatio=none role=img"
		     " aria-label=\"distribution from 0 to 1\">", BAR_WIDTH);
	for (size_t i = 0; i < scores->n_distribution; i++) {
		double height = (double) scores->distribution[i] / (double) most * 16;

		fprintf(out, "<rect class=fill x=%.1f y=%.1f width=%.1f height=%.1f><title>%.1f to %.1f: %" PRId64
			     "</title></rect>", (double) i * width, 16 - height, width - 1, height,
			(double) i / (double) scores->n_distribution,
			(double) (i + 1) / (double) scores->n_distribution, scores->distribution[i]);
	}
	fputs("</svg>", out);
}
