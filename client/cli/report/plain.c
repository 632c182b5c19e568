/* Reports for programs, and for where others are: Markdown, JUnit's XML, CSV and JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/report/parts.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/text/plural.h"

#define MARKDOWN_CASES 20 // that went wrong, of each experiment
#define MARKDOWN_BYTES 200 // of an answer

/* The first criterion that is not met, or NULL. */
static const struct ellu_rating *first_no(const struct ellu_response *response)
{
	for (size_t i = 0; i < response->n_ratings; i++)
		if (response->ratings[i]->rating && strcmp(response->ratings[i]->rating, "NO") == 0)
			return response->ratings[i];
	return NULL;
}

/* ---- Markdown ---- */

/* In a cell of a table, where it must be one line. */
static const char *cell_escape(char c)
{
	switch (c) {
	case '|':
		return "\\|";
	case '\n':
	case '\r':
		return " ";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '`':
		return "\\`";
	case '*':
		return "\\*";
	case '_':
		return "\\_";
	case '[':
		return "\\[";
	case ']':
		return "\\]";
	case '~':
		return "\\~";
	case '\\':
		return "\\\\";
	default:
		return NULL;
	}
}

static void write_cell(FILE *out, const char *text)
{
	char cut[MARKDOWN_BYTES + 8];
	bool is_long = strlen(text) > MARKDOWN_BYTES;

	snprintf(cut, sizeof(cut), "%.*s", MARKDOWN_BYTES, text);
	text_escape(out, cut, cell_escape, /* guarded= */ true);
	if (is_long)
		fputs("…", out);
}

static void markdown_case(const struct report *report, const struct reported *reported,
			  const struct ellu_response *response, enum outcome outcome, FILE *out)
{
	const struct ellu_rating *no = first_no(response);

	(void) report;
	if (reported->n_shown[outcome] > MARKDOWN_CASES || outcome == OUTCOME_MET)
		return;
	fprintf(out, "| %" PRId64 " | %" PRId64 " | %s | ", response->template_variables->id, response->epoch,
		outcome_names[outcome]);
	write_cell(out, no ? no->criterion->criterion_str : "");
	fputs(" | ", out);
	fputs("<code>", out); // nobody is mentioned, and nothing linked, in there
	write_cell(out, response->error	      ? response->error->message :
			response->response_text ? response->response_text :
						  "");
	fputs("</code> |\n", out);
}

static void markdown_row(FILE *out, const char *name, const struct ellu_proportion *proportion)
{
	const struct estimate estimate = estimate_of(proportion);
	char share[32], interval[64];

	fputs("| ", out);
	write_cell(out, name);
	fprintf(out, " | %s | %s |\n", share_text(share, estimate.value), interval_text(interval, &estimate));
}

static void markdown_scores(FILE *out, const struct ellu_experiment_results *results)
{
	char bars[SCORE_BARS_SIZE], name[SCORE_NAME_SIZE];

	if (results->n_evaluators == 0)
		return;
	fputs("\n| evaluator | mean | 95 % interval | scored | 0 to 1 |\n| --- | ---: | ---: | ---: | --- |\n", out);
	for (size_t i = 0; i < results->n_evaluators; i++) {
		const struct ellu_evaluator_scores *scores = results->evaluators[i];

		fputs("| ", out);
		write_cell(out, score_name(name, results, i));
		fputs(" | ", out);
		if (scores->mean)
			fprintf(out, "%.2f", *scores->mean);
		fputs(" | ", out);
		if (scores->low && scores->high)
			fprintf(out, "%.2f to %.2f", *scores->low, *scores->high);
		fprintf(out, " | %" PRId64 "/%" PRId64 " | %s |\n", scores->n_scored, scores->n_total,
			score_bars(bars, scores, true));
	}
}

static void markdown_experiment(FILE *out, const struct reported *reported)
{
	const struct ellu_experiment_results *results = reported->experiment->results;
	const struct estimate success = estimate_of(results->success_rate);
	char share[32], interval[64], *sources = report_sources(results);

	fputs("## ", out);
	write_cell(out, reported->experiment->name);
	fprintf(out, "\n\n**%s** of %" PRId64 " response%s %s (95 %% interval %s).%s\n\n",
		share_text(share, success.value), results->responses, plural_s(results->responses), report_success(results),
		interval_text(interval, &success),
		results->simulated ? " *Simulated: not from a real model.*" : "");
	fputs("| criterion | YES | 95 % interval |\n| --- | ---: | ---: |\n", out);
	for (size_t i = 0; i < results->n_criteria; i++)
		markdown_row(out, results->criteria[i]->criterion, results->criteria[i]->yes);
	markdown_row(out, success_name(results), results->success_rate);
	markdown_scores(out, results);
	if (sources) {
		fputs("\nAnswers: ", out);
		write_cell(out, sources);
		fputs(".\n", out);
	}
	free(sources);
}

static void markdown_trust(FILE *out, const struct ellu_get_judge_agreement_reply *trust)
{
	char share[32], text[64];

	if (!trust)
		return;
	if (trust->all->accuracy->n_total > 0) {
		const struct estimate accuracy = estimate_of(trust->all->accuracy);

		fprintf(out, "\nThe judge says what people say in %s of %" PRId64 " verdict%s (95 %% interval %s)",
			share_text(share, accuracy.value), trust->all->accuracy->n_total,
			plural_s(trust->all->accuracy->n_total),
			interval_text(text, &accuracy));
		fprintf(out, "; kappa %s, %" PRId64 " wrong YES, %" PRId64 " wrong NO.\n",
			coefficient_text(text, trust->all->kappa, trust->all->kappa_low, trust->all->kappa_high),
			trust->all->yes_no, trust->all->no_yes);
	}
	if (trust->all->alpha)
		fprintf(out, "\nThe judges agree with Krippendorff's alpha of %s.\n",
			coefficient_text(text, trust->all->alpha, trust->all->alpha_low, trust->all->alpha_high));
	for (size_t i = 0; i < trust->n_evaluators; i++) {
		const struct ellu_evaluator_agreement *agreement = trust->evaluators[i];

		fputs("\nOn scores by ", out);
		write_cell(out, agreement->evaluator->name);
		fprintf(out, " they agree with an alpha of %s.\n",
			coefficient_text(text, agreement->alpha, agreement->alpha_low, agreement->alpha_high));
	}
}

static void markdown_cases(FILE *out, const struct reported *reported)
{
	int64_t wrong = reported->counts[OUTCOME_NO_ANSWER] + reported->counts[OUTCOME_NOT_MET] +
			reported->counts[OUTCOME_UNDECIDED];

	if (wrong == 0)
		return;
	fprintf(out, "\n<details><summary>%" PRId64 " case%s went wrong</summary>\n\n"
		     "| row | epoch | outcome | criterion | answer |\n| ---: | ---: | --- | --- | --- |\n", wrong, plural_s(wrong));
	for (enum outcome outcome = 0; outcome < OUTCOME_MET; outcome++)
		report_copy(reported->cases[outcome], out);
	fputs("\n</details>\n", out);
}

static void markdown_compared(FILE *out, const char *name, const char *difference,
			      const struct ellu_paired_difference *paired)
{
	fputs("| ", out);
	write_cell(out, name);
	fprintf(out, " | %s | %" PRId64 " | %" PRId64 " | %.2g |\n", difference, paired->better, paired->worse,
		paired->p_holm);
}

#define COMPARED_HEAD(measure, unit)                                  \
	"\n| " measure " | " unit " | better | worse | p (Holm) |\n" \
	"| --- | ---: | ---: | ---: | ---: |\n"

static void markdown_comparison(FILE *out, const struct report *report, size_t i)
{
	fprintf(out, "\nBeside experiment %" PRId64 ": ", report->experiments[0].experiment->id);
	pairs_print(out, report->compared->success_rate[i]->paired);
	fputs(".\n", out);
	pairs_write_criteria(out, report->compared, i, COMPARED_HEAD("criterion", "points more"), markdown_compared);
	pairs_write_scores(out, report->compared, i, COMPARED_HEAD("evaluator", "score more"), markdown_compared);
}

static void markdown(const struct report *report)
{
	FILE *out = stdout;

	for (size_t i = 0; i < report->n; i++) {
		if (i > 0)
			putchar('\n');
		markdown_experiment(out, &report->experiments[i]);
		if (i > 0)
			markdown_comparison(out, report, i);
		markdown_trust(out, report->experiments[i].trust);
		markdown_cases(out, &report->experiments[i]);
	}
}

const struct report_writer report_markdown = {
	.write_case = markdown_case,
	.write = markdown,
};

/* ---- JUnit ---- */

static void junit_case(const struct report *report, const struct reported *reported,
		       const struct ellu_response *response, enum outcome outcome, FILE *out)
{
	const struct ellu_rating *no = first_no(response);

	(void) report;
	fputs("    <testcase classname=\"", out);
	report_escape(out, reported->experiment->name);
	fprintf(out, "\" name=\"row %" PRId64 ", epoch %" PRId64 "\" time=\"%.3f\"", response->template_variables->id,
		response->epoch, response->duration_seconds ? *response->duration_seconds : 0);
	if (outcome == OUTCOME_MET) {
		fputs("/>\n", out);
		return;
	}
	fputs(outcome == OUTCOME_NO_ANSWER  ? ">\n      <error message=\"" :
	      outcome == OUTCOME_UNDECIDED ? ">\n      <skipped message=\"" :
					     ">\n      <failure message=\"", out);
	report_escape(out, outcome == OUTCOME_NO_ANSWER	 ? response->error->message :
			   outcome == OUTCOME_UNDECIDED ? "undecided" :
							  no->criterion->criterion_str);
	if (outcome == OUTCOME_UNDECIDED) {
		fputs("\"/>\n    </testcase>\n", out);
		return;
	}
	fputs("\">", out);
	report_escape(out, response->response_text);
	fprintf(out, "</%s>\n    </testcase>\n", outcome == OUTCOME_NO_ANSWER ? "error" : "failure");
}

/* JUnit knows no scores: a suite's properties are their means. */
static void junit_scores(FILE *out, const struct ellu_experiment_results *results)
{
	char name[SCORE_NAME_SIZE];

	if (results->n_evaluators > 0)
		fputs("    <properties>\n", out);
	for (size_t i = 0; i < results->n_evaluators; i++) {
		fputs("      <property name=\"mean score: ", out);
		report_escape(out, score_name(name, results, i));
		fputs("\" value=\"", out);
		if (results->evaluators[i]->mean)
			fprintf(out, "%.10g", *results->evaluators[i]->mean);
		fputs("\"/>\n", out);
	}
	if (results->n_evaluators > 0)
		fputs("    </properties>\n", out);
}

static void junit(const struct report *report)
{
	FILE *out = stdout;

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
	for (size_t i = 0; i < report->n; i++) {
		const struct reported *reported = &report->experiments[i];
		int64_t n = 0;

		for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
			n += reported->n_shown[outcome];
		fputs("  <testsuite name=\"", out);
		report_escape(out, reported->experiment->name);
		fprintf(out, "\" tests=\"%" PRId64 "\" failures=\"%" PRId64 "\" errors=\"%" PRId64 "\" skipped=\"%" PRId64
			     "\">\n", n, reported->n_shown[OUTCOME_NOT_MET], reported->n_shown[OUTCOME_NO_ANSWER],
			reported->n_shown[OUTCOME_UNDECIDED]);
		junit_scores(out, reported->experiment->results);
		for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
			report_copy(reported->cases[outcome], out);
		fputs("  </testsuite>\n", out);
	}
	fputs("</testsuites>\n", out);
}

const struct report_writer report_junit = { .write_case = junit_case, .write = junit };

/* ---- CSV ---- */

/* "Faithfulness=0.75 Regex=" */
static void csv_scores(struct table *table, const struct ellu_response *response)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && i < response->n_ratings; i++) {
		const struct ellu_rating *rating = response->ratings[i];

		if (!rating->evaluator)
			continue;
		fprintf(out, "%s%s=", ftell(out) > 0 ? " " : "", rating->evaluator->name);
		if (rating->score)
			fprintf(out, "%.10g", *rating->score);
	}
	if (out)
		fclose(out);
	table_text(table, text);
	free(text);
}

static void csv_case(const struct report *report, const struct reported *reported,
		     const struct ellu_response *response, enum outcome outcome, FILE *out)
{
	const struct output as = { .format = FORMAT_CSV };
	struct table *table = table_new_as(&as);
	const struct ellu_rating *no = first_no(response);

	(void) report;
	for (int i = 0; i < 12; i++)
		table_column(table, "");
	table_printf(table, "%" PRId64, reported->experiment->id);
	table_printf(table, "%" PRId64, response->id);
	table_printf(table, "%" PRId64, response->template_variables->id);
	table_printf(table, "%" PRId64, response->epoch);
	table_text(table, outcome_names[outcome]);
	table_text(table, no ? no->criterion->criterion_str : NULL);
	if (response->duration_seconds)
		table_printf(table, "%.6f", *response->duration_seconds);
	else
		table_text(table, NULL);
	table_text(table, response->error ? response->error->message : NULL);
	table_text(table, response->response_text);
	csv_scores(table, response);
	table_text(table, response->llm_config);
	table_text(table, response->cached && *response->cached ? "yes" : NULL);
	table_print(table, out);
	table_free(table);
}

static void csv(const struct report *report)
{
	puts("experiment,response,row,epoch,outcome,not_met,duration_seconds,error,answer,scores,answered_by,cached");
	for (size_t i = 0; i < report->n; i++)
		for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
			report_copy(report->experiments[i].cases[outcome], stdout);
}

const struct report_writer report_csv = { .write_case = csv_case, .write = csv };

/* ---- JSON ---- */

static void json_case(const struct report *report, const struct reported *reported,
		      const struct ellu_response *response, enum outcome outcome, FILE *out)
{
	char *text;

	(void) report;
	(void) reported;
	if (record_to_text(&ellu_response_type, response, TO_CLIENT, &text, NULL) < 0)
		return;
	fprintf(out, "%s{\"outcome\":\"%s\",\"response\":%s}", ftell(out) > 0 ? ",\n" : "",
		outcome_names[outcome], text);
	free(text);
}

static void json_experiment(FILE *out, const struct reported *reported)
{
	char *text = NULL;
	int n = 0;

	if (record_to_text(&ellu_experiment_type, reported->experiment, TO_CLIENT, &text, NULL) < 0)
		text = NULL;
	fprintf(out, "{\"experiment\":%s,", text ? text : "null");
	free(text);
	text = NULL;
	if (reported->trust && record_to_text(method_named("GetJudgeAgreement")->reply, reported->trust, TO_CLIENT, &text,
					      NULL) >= 0)
		fprintf(out, "\"agreement\":%s,", text);
	fputs("\"cases\":[", out);
	for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++) {
		if (reported->n_shown[outcome] > 0 && n++ > 0)
			fputs(",\n", out);
		report_copy(reported->cases[outcome], out);
	}
	fputs("]}", out);
	free(text);
}

static json_object *json_paired(const struct ellu_paired_difference *paired)
{
	json_object *json = NULL;
	char *text;

	if (!paired || record_to_text(&ellu_paired_difference_type, paired, TO_CLIENT, &text, NULL) < 0)
		return NULL;
	json = json_tokener_parse(text);
	free(text);
	return json;
}

static void json_comparison(FILE *out, const struct report *report, size_t i)
{
	const struct ellu_compare_experiments_reply *compared = report->compared;
	json_object *json = json_object_new_object(), *criteria = json_object_new_array();

	json_object_object_add(json, "base_id", json_object_new_int64(compared->experiments[0]->id));
	json_object_object_add(json, "experiment_id", json_object_new_int64(compared->experiments[i]->id));
	json_object_object_add(json, "success_rate", json_paired(compared->success_rate[i]->paired));
	for (size_t k = 0; k < compared->n_criteria; k++) {
		const struct ellu_compared_criterion *criterion = compared->criteria[k];
		json_object *one = json_object_new_object();

		json_object_object_add(one, "criterion", json_object_new_string(criterion->criterion));
		json_object_object_add(one, "difference", json_paired(criterion->rates[i]->paired));
		json_object_array_add(criteria, one);
	}
	json_object_object_add(json, "criteria", criteria);
	fprintf(out, "%s%s", i > 1 ? "," : "", json_object_to_json_string(json));
	json_object_put(json);
}

static void json(const struct report *report)
{
	FILE *out = stdout;

	fputs("{\"experiments\":[", out);
	for (size_t i = 0; i < report->n; i++) {
		fputs(i > 0 ? "," : "", out);
		json_experiment(out, &report->experiments[i]);
	}
	fputs("],\"comparisons\":[", out);
	for (size_t i = 1; i < report->n; i++)
		json_comparison(out, report, i);
	fputs("]}\n", out);
}

const struct report_writer report_json = { .write_case = json_case, .write = json };
