#include "client/cli/view/show.h"

#include <math.h>
#include <string.h>

#include "client/cli/view/progress_bar.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/text.h"
#include "proto/provider.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"

void proportion_add_numbers(struct table *table, const struct ellu_proportion *proportion)
{
	table_known(table, proportion->value);
	table_known(table, proportion->low);
	table_known(table, proportion->high);
	table_printf(table, "%lld", (long long) proportion->n_scored);
	table_printf(table, "%lld", (long long) proportion->n_total);
}

const char *proportion_text(char buffer[static 64], const struct ellu_proportion *share)
{
	if (!share || !share->value)
		return "-";
	if (share->low && share->high)
		snprintf(buffer, 64, "%.1f %% (%.1f to %.1f)", *share->value * 100, *share->low * 100,
			 *share->high * 100);
	else
		snprintf(buffer, 64, "%.1f %%", *share->value * 100);
	return buffer;
}

/* The ends of the interval are rounded away from the value, which has more digits: it lies between them. */
const char *proportion_brief(char buffer[static 64], const struct ellu_proportion *share)
{
	const double whole = 1e-6; // what 0.07 * 100 has more than 7

	if (!share || !share->value || !share->low || !share->high)
		return proportion_text(buffer, share);
	snprintf(buffer, 64, "%.1f %% (%.0f-%.0f)", *share->value * 100, floor(*share->low * 100 + whole),
		 ceil(*share->high * 100 - whole));
	return buffer;
}

#define BAR_WIDTH 20

static bool has_bars(void)
{
	return output.terminal && output.format == FORMAT_TABLE;
}

/* Full up to the interval's low end, half full within it. */
static void add_bar(struct table *table, const struct ellu_proportion *proportion)
{
	static const char *const cells[2][3] = { { "#", "+", "." }, { "█", "▒", "░" } };
	const char *const *cell = cells[progress_bar_has_unicode()];
	char text[BAR_WIDTH * 4 + 1] = "";

	for (int i = 0; proportion->low && proportion->high && i < BAR_WIDTH; i++) {
		double share = (i + 0.5) / BAR_WIDTH;

		strcat(text, cell[share < *proportion->low ? 0 : share < *proportion->high ? 1 : 2]);
	}
	table_text(table, text);
}

static void add_proportion(struct table *table, const struct ellu_proportion *proportion)
{
	char scored[32], total[32];

	if (output.format == FORMAT_CSV) {
		proportion_add_numbers(table, proportion);
		return;
	}
	if (proportion->value)
		table_printf(table, "%.1f %%", *proportion->value * 100);
	else
		table_text(table, "-");
	if (proportion->low && proportion->high)
		table_printf(table, "%.1f to %.1f %%", *proportion->low * 100,
			     *proportion->high * 100);
	else
		table_text(table, "-");
	if (has_bars())
		add_bar(table, proportion);
	table_printf(table, "%s/%s", number_text(scored, proportion->n_scored),
		     number_text(total, proportion->n_total));
}

static struct table *criteria_table(const struct ellu_criterion_result *const *criteria, size_t n)
{
	static const char *const titles[] = { ">YES", ">95 % INTERVAL", ">RATED", "CRITERION", NULL };
	static const char *const bars[] = { ">YES", ">95 % INTERVAL", "", ">RATED", "CRITERION", NULL };
	static const char *const names[] = { "yes", "low", "high", "n_scored", "n_total", "criterion", NULL };
	struct table *table = table_new();

	for (const char *const *title = output.format == FORMAT_CSV ? names : has_bars() ? bars : titles; *title;
	     title++)
		table_column(table, *title);
	for (size_t i = 0; i < n; i++) {
		add_proportion(table, criteria[i]->yes);
		table_text(table, criteria[i]->criterion);
	}
	return table;
}

const char *success_name(const struct ellu_experiment_results *results)
{
	return results->n_criteria > 0 ? ALL_CRITERIA : "answered (success rate)";
}

static void print_criterion_shares(FILE *out, const struct ellu_experiment_results *results)
{
	struct table *table = criteria_table(results->criteria, results->n_criteria);
	char name[SCORE_NAME_SIZE];

	add_proportion(table, results->success_rate);
	table_text(table, success_name(results));
	for (size_t i = 0; output.format == FORMAT_CSV && i < results->n_evaluators; i++) {
		score_table_add_numbers(table, results->evaluators[i]);
		table_text(table, score_name(name, results, i));
	}
	table_print(table, out);
	table_free(table);
	if (output.format != FORMAT_CSV)
		score_table_print(out, results);
}

static void print_count(FILE *out, const char *what, int64_t count, int64_t failed)
{
	char a[32], b[32];

	fprintf(out, "%s %s%s", number_text(a, count), what, plural_s(count));
	if (failed > 0)
		fprintf(out, " (%s failed)", number_text(b, failed));
}

/* Which of several configs answered, and how well. */
static void print_answered_by(FILE *out, const struct ellu_experiment_results *results)
{
	char count[32];

	for (size_t i = 0; i < results->n_answered_by; i++) {
		const struct ellu_answered_by *by = results->answered_by[i];

		fprintf(out, "%-14s ", i == 0 ? "Answers of" : "");
		text_print(out, by->llm_config);
		fprintf(out, ": %s", number_text(count, by->responses));
		if (by->success_rate->value)
			fprintf(out, ", success rate %.1f %%", *by->success_rate->value * 100);
		fputc('\n', out);
	}
}

#define ERRORS_SHOWN 10 // the commonest

/* What says nothing of the model, and why. */
static void print_errors(FILE *out, int64_t undecided, const struct ellu_error_count *const *errors,
			 size_t n)
{
	const char *on = meaning_on(&output, MEANING_BAD), *off = meaning_off(&output, MEANING_BAD);
	char text[32];

	if (undecided > 0)
		fprintf(out, "%s%s response%s undecided: not all of their ratings came out.%s\n", on,
			number_text(text, undecided), undecided == 1 ? " is" : "s are", off);
	for (size_t i = 0; i < n && i < ERRORS_SHOWN; i++) {
		fprintf(out, "%s%s %s%s failed: ", on, number_text(text, errors[i]->count),
			errors[i]->item, plural_s(errors[i]->count));
		text_print(out, errors[i]->error->message);
		fprintf(out, "%s\n", off);
	}
}

/* A column for each bin, as high as its share of the largest. */
static void print_bins(FILE *out, const struct ellu_spread *spread, int digits, const char *unit)
{
	static const char *const cells[2][9] = {
		{ " ", ".", ".", ":", ":", "|", "|", "#", "#" },
		{ " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
	};
	const char *const *cell = cells[progress_bar_has_unicode()];
	int64_t most = 1;

	if (!has_bars() || spread->n_bins < 2)
		return;
	for (size_t i = 0; i < spread->n_bins; i++)
		most = spread->bins[i]->count > most ? spread->bins[i]->count : most;
	fprintf(out, "%-14s %.*f%s ", "", digits, spread->bins[0]->low, unit);
	for (size_t i = 0; i < spread->n_bins; i++)
		fputs(cell[(spread->bins[i]->count * 8 + most - 1) / most], out);
	fprintf(out, " %.*f%s\n", digits, spread->bins[spread->n_bins - 1]->high, unit);
}

static void print_spread(FILE *out, const char *name, const struct ellu_spread *spread,
			 const char *unit)
{
	const int digits = *unit ? 2 : 0;

	if (!spread->mean || !spread->p50 || !spread->p95)
		return;
	/* The mean has the digits of its interval. */
	fprintf(out, "%-14s p50 %.*f, p95 %.*f, mean %.*f", name, digits, *spread->p50, digits, *spread->p95,
		digits + 1, *spread->mean);
	if (spread->low && spread->high)
		fprintf(out, " (%.*f to %.*f)", digits + 1, *spread->low, digits + 1, *spread->high);
	fprintf(out, "%s\n", unit);
	print_bins(out, spread, digits, unit);
}

static void print_use(FILE *out, int64_t input_tokens, int64_t cached_tokens, int64_t output_tokens,
		      const int64_t *cost)
{
	char in[32], cached[32], answered[32], money[MONEY_TEXT_SIZE];

	fprintf(out, ", %s tokens in", number_text(in, input_tokens));
	if (cached_tokens > 0)
		fprintf(out, " (%s of them cached)", number_text(cached, cached_tokens));
	fprintf(out, ", %s out", number_text(answered, output_tokens));
	if (cost) {
		money_format(*cost, money);
		fprintf(out, ", $%s", money);
	}
	fputc('\n', out);
}

static void print_share(FILE *out, const char *title, const char *what, const struct ellu_proportion *share)
{
	char text[64];

	if (share->value)
		fprintf(out, "%-14s %-11s %s\n", title, what, proportion_text(text, share));
}

/* What several epochs of a row come to together. */
static void print_rows(FILE *out, const struct ellu_experiment_results *results)
{
	const struct ellu_row_shares *shares = results->row_shares;
	char number[32];

	if (!shares)
		return;
	print_share(out, "Rows met in", "any epoch", shares->any);
	print_share(out, "", "most epochs", shares->majority);
	print_share(out, "", "all epochs", shares->all);
	for (size_t i = 1; i + 1 < shares->n_pass_at; i++) {
		snprintf(number, sizeof(number), "one of %lld", (long long) shares->pass_at[i]->k);
		print_share(out, "", number, shares->pass_at[i]->rows);
	}
	if (results->flaky_rows && *results->flaky_rows > 0)
		fprintf(out, "               %s differ between epochs; `elluminate experiment flaky` lists them\n",
			number_text(number, *results->flaky_rows));
}

static void print_results(FILE *out, const struct ellu_experiment_results *results)
{
	char number[32];

	print_criterion_shares(out, results);
	if (output.format == FORMAT_CSV)
		return;
	fputc('\n', out);
	output_fence(out);
	print_count(out, "response", results->responses, results->failed_responses);
	fputs(", ", out);
	print_count(out, "rating", results->ratings, results->failed_ratings);
	print_use(out, results->total_input_tokens, results->total_cached_tokens,
		  results->total_output_tokens, results->cost);
	print_errors(out, results->undecided_responses, results->errors, results->n_errors);
	print_rows(out, results);
	print_answered_by(out, results);
	if (results->cached_responses)
		fprintf(out, "%-14s %s answer%s\n", "From the cache", number_text(number, *results->cached_responses),
			plural_s(*results->cached_responses));
	print_spread(out, "Duration", results->duration_seconds, " s");
	print_spread(out, "Input tokens", results->input_tokens, "");
	print_spread(out, "Output tokens", results->output_tokens, "");
	output_fence(out);
}

void results_print_simulated(FILE *out, const char *what)
{
	fprintf(out, "%sSimulated: %s come from the built-in simulated model.%s\n",
		meaning_on(&output, MEANING_WARNING), what, meaning_off(&output, MEANING_WARNING));
}

static bool is_simulated(const struct ellu_model *model)
{
	return model && provider_is_simulated(model->provider);
}

static void print_what_is_simulated(FILE *out, const struct ellu_experiment *experiment)
{
	bool answers = is_simulated(experiment->model);
	bool verdicts = is_simulated(experiment->rating_model) && experiment->results->ratings > 0;

	if (experiment->results->simulated)
		results_print_simulated(out,
				answers && verdicts ? "these answers and verdicts"
				: verdicts	    ? "these verdicts"
						    : "these answers");
}

/* "openai llama-3.2"; the simulated one has nothing to add to that. */
const char *model_text(const struct ellu_model *model, char *buffer, size_t size)
{
	bool named = strcmp(model->provider, model->llm_model_name) != 0;

	snprintf(buffer, size, "%s%s%s", model->provider, named ? " " : "",
		 named ? model->llm_model_name : "");
	return buffer;
}

static void print_model(FILE *out, const char *what, const struct ellu_model *model,
			const struct ellu_ref *config)
{
	char text[600];

	if (!model)
		return;
	fprintf(out, "%-14s ", what);
	text_print(out, model_text(model, text, sizeof(text)));
	if (config && config->name) {
		fputs(" (config ", out);
		text_print(out, config->name);
		fputc(')', out);
	}
	fputc('\n', out);
}

static void print_panel(FILE *out, const struct ellu_experiment *experiment)
{
	if (experiment->n_rating_llm_configs == 0)
		return;
	fprintf(out, "%-14s %s of", "Judged by", experiment->rating_reduction);
	for (size_t i = 0; i < experiment->n_rating_llm_configs; i++) {
		fputs(i > 0 ? ", " : " ", out);
		text_print(out, experiment->rating_llm_configs[i]->name);
	}
	fputc('\n', out);
}

static void print_fallbacks(FILE *out, const struct ellu_experiment *experiment)
{
	if (experiment->n_fallback_llm_configs == 0)
		return;
	fprintf(out, "%-14s", "or else by");
	for (size_t i = 0; i < experiment->n_fallback_llm_configs; i++) {
		fputs(i > 0 ? ", " : " ", out);
		text_print(out, experiment->fallback_llm_configs[i]->name);
	}
	fputc('\n', out);
}

void results_print_models(FILE *out, const struct ellu_experiment *experiment)
{
	print_model(out, "Answered by", experiment->model, experiment->llm_config);
	print_fallbacks(out, experiment);
	print_model(out, "Judged by", experiment->rating_model, experiment->rating_llm_config);
	print_panel(out, experiment);
}

/* What was asked, how it is judged, and when it was made. */
static void print_parts(FILE *out, const struct ellu_experiment *experiment)
{
	const struct ellu_ref *template = experiment->prompt_template;
	char made[32];

	if (template && template->name) {
		fprintf(out, "%-14s ", "Prompt");
		text_print(out, template->name);
		if (template->version)
			fprintf(out, ", version %lld", (long long) *template->version);
		fputc('\n', out);
	}
	if (experiment->collection->name) {
		fprintf(out, "%-14s ", "Collection");
		text_print(out, experiment->collection->name);
		fputc('\n', out);
	}
	results_print_models(out, experiment);
	if (experiment->rating_model)
		fprintf(out, "%-14s %s\n", "Mode", experiment->rating_mode);
	fprintf(out, "%-14s %s\n", "Made", time_local_text(made, experiment->created_at));
}

static void print_head(FILE *out, const struct ellu_experiment *experiment)
{
	char cases[32], epochs[32];

	fputs(meaning_on(&output, MEANING_TITLE), out);
	text_print(out, experiment->name);
	fprintf(out, "%s  (experiment %lld, %s case%s", meaning_off(&output, MEANING_TITLE),
		(long long) experiment->id, number_text(cases, experiment->total_cases),
		plural_s(experiment->total_cases));
	if (experiment->n_epochs > 1)
		fprintf(out, ", %s epochs", number_text(epochs, experiment->n_epochs));
	fputs(")\n", out);
	print_parts(out, experiment);
	if (experiment->results)
		print_what_is_simulated(out, experiment);
	if (experiment->taken_over_responses > 0)
		fprintf(out, "%s answer%s and %s verdict%s taken over from earlier runs.\n",
			number_text(cases, experiment->taken_over_responses),
			plural_s(experiment->taken_over_responses),
			number_text(epochs, experiment->taken_over_ratings),
			plural_s(experiment->taken_over_ratings));
}

void results_print(FILE *out, const struct ellu_experiment *experiment)
{
	if (output.format != FORMAT_CSV) {
		output_fence(out);
		print_head(out, experiment);
		output_fence(out);
		fputc('\n', out);
	}
	if (experiment->results)
		print_results(out, experiment->results);
	else if (output.format != FORMAT_CSV)
		fputs("No results yet.\n", out);
}

void results_print_csv(FILE *out, const struct ellu_experiment *const *experiments, size_t n)
{
	static const char *const titles[] = { "id", "experiment", "yes", "low", "high", "n_scored", "n_total",
					      "criterion" };
	struct table *table = table_new();
	char name[SCORE_NAME_SIZE];

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		table_column(table, titles[i]);
	for (size_t i = 0; i < n; i++) {
		const struct ellu_experiment_results *results = experiments[i]->results;

		for (size_t k = 0; results && k <= results->n_criteria; k++) {
			bool is_last = k == results->n_criteria;

			table_printf(table, "%lld", (long long) experiments[i]->id);
			table_text(table, experiments[i]->name);
			proportion_add_numbers(table, is_last ? results->success_rate : results->criteria[k]->yes);
			table_text(table, is_last ? ALL_CRITERIA : results->criteria[k]->criterion);
		}
		for (size_t k = 0; results && k < results->n_evaluators; k++) {
			table_printf(table, "%lld", (long long) experiments[i]->id);
			table_text(table, experiments[i]->name);
			score_table_add_numbers(table, results->evaluators[k]);
			table_text(table, score_name(name, results, k));
		}
	}
	table_print(table, out);
	table_free(table);
}

void results_print_ratings(FILE *out, const struct ellu_rating_results *results)
{
	struct table *table = criteria_table(results->criteria, results->n_criteria);

	fputc('\n', out);
	if (results->simulated)
		results_print_simulated(out, "these verdicts, or the answers,");
	table_print(table, out);
	table_free(table);
	fputc('\n', out);
	print_count(out, "response", results->responses, 0);
	fputs(", ", out);
	print_count(out, "rating", results->ratings, results->failed_ratings);
	print_use(out, results->total_input_tokens, results->total_cached_tokens,
		  results->total_output_tokens, results->cost);
	print_errors(out, 0, results->errors, results->n_errors);
}
