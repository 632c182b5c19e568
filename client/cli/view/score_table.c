#include "client/cli/view/score_table.h"

#include <math.h>
#include <string.h>

#include "client/cli/view/progress_bar.h"
#include "client/cli/view/text.h"
#include "proto/text/utf8.h"

const char *rating_text(char buffer[static SCORE_TEXT_SIZE], const struct ellu_rating *rating,
			const char *nothing)
{
	if (rating->rating)
		return rating->rating;
	if (!rating->score)
		return nothing;
	snprintf(buffer, SCORE_TEXT_SIZE, "%.2f", *rating->score);
	return buffer;
}

static const char *score_text(char buffer[static 32], const double *score)
{
	if (!score)
		return "-";
	snprintf(buffer, 32, "%.2f", *score);
	return buffer;
}

const char *score_bars(char buffer[static SCORE_BARS_SIZE], const struct ellu_evaluator_scores *scores,
		       bool unicode)
{
	static const char *const bars[2][8] = { { ".", ".", ":", ":", "+", "+", "#", "#" },
						{ "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" } };
	const int64_t n_bars = sizeof(bars[0]) / sizeof(bars[0][0]);
	int64_t most = 1;
	size_t size = 0;

	for (size_t i = 0; i < scores->n_distribution; i++)
		if (scores->distribution[i] > most)
			most = scores->distribution[i];
	buffer[0] = '\0';
	for (size_t i = 0; i < scores->n_distribution && size + 4 < SCORE_BARS_SIZE; i++) {
		double share = (double) scores->distribution[i] / (double) most;
		/* What is there is seen. */
		const char *bar = share > 0 ? bars[unicode][(int) ceil(share * (double) (n_bars - 1))] : " ";

		size += (size_t) snprintf(buffer + size, SCORE_BARS_SIZE - size, "%s", bar);
	}
	return buffer;
}

const char *score_name(char buffer[static SCORE_NAME_SIZE], const struct ellu_experiment_results *results,
		       size_t number)
{
	const struct ellu_evaluator_scores *scores = results->evaluators[number];
	const char *name = scores->evaluator->name;
	size_t n = 0;

	for (size_t i = 0; i < results->n_evaluators; i++)
		n += strcmp(results->evaluators[i]->evaluator->name, name) == 0;
	if (n < 2 || !scores->variables)
		return name;
	snprintf(buffer, SCORE_NAME_SIZE, "%s %s", name, scores->variables);
	buffer[utf8_cut(buffer, strlen(buffer), SCORE_NAME_SIZE - 1)] = '\0';
	return buffer;
}

void score_table_print(FILE *out, const struct ellu_experiment_results *results)
{
	struct table *table;
	char a[32], b[32], bars[SCORE_BARS_SIZE], name[SCORE_NAME_SIZE];

	if (results->n_evaluators == 0)
		return;
	table = table_new();
	table_column(table, ">MEAN");
	table_column(table, ">95 % INTERVAL");
	table_column(table, ">SCORED");
	table_column(table, "0 TO 1");
	table_column(table, "EVALUATOR");
	for (size_t i = 0; i < results->n_evaluators; i++) {
		const struct ellu_evaluator_scores *scores = results->evaluators[i];

		table_text(table, score_text(a, scores->mean));
		if (scores->low && scores->high)
			table_printf(table, "%s to %s", score_text(a, scores->low), score_text(b, scores->high));
		else
			table_text(table, "-");
		table_printf(table, "%s/%s", number_text(a, scores->n_scored), number_text(b, scores->n_total));
		table_text(table, score_bars(bars, scores, progress_bar_has_unicode()));
		table_text(table, score_name(name, results, i));
	}
	fputc('\n', out);
	table_print(table, out);
	table_free(table);
}

void score_table_add_numbers(struct table *table, const struct ellu_evaluator_scores *scores)
{
	table_known(table, scores->mean);
	table_known(table, scores->low);
	table_known(table, scores->high);
	table_printf(table, "%lld", (long long) scores->n_scored);
	table_printf(table, "%lld", (long long) scores->n_total);
}
