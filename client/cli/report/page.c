/*
 * A report as one HTML page: readable without script, which only filters and sorts. Answers are hostile
 * input: all text is escaped, and nothing runs, or is styled or fetched, that does not carry the page's own
 * nonce.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/cli/report/charts.h"
#include "client/cli/report/parts.h"
#include "client/cli/view/score_table.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/json/json_build.h"
#include "proto/text/money.h"
#include "proto/text/plural.h"
#include "report_page_css.h"
#include "report_page_js.h"

#define FIRST_LINE_BYTES 300
/* What a case shows once it is opened. A browser that runs scripts takes it for one text, which costs nothing;
 * the page's script makes it what it is when it is needed. */
#define INSIDE "<noscript><div class=inside>"
#define INSIDE_END "</div></noscript></details>\n"

static const char *const outcome_classes[_OUTCOME_MAX] = {
	[OUTCOME_NO_ANSWER] = "bad",
	[OUTCOME_NOT_MET] = "bad",
	[OUTCOME_UNDECIDED] = "warn",
	[OUTCOME_MET] = "good",
};

/* ---- Cases ---- */

static void write_first_line(FILE *out, const char *text)
{
	char line[FIRST_LINE_BYTES + 1];

	text += strspn(text, " \t\r\n");
	snprintf(line, sizeof(line), "%.*s", (int) strcspn(text, "\n"), text);
	line[text_cut(line, FIRST_LINE_BYTES)] = '\0';
	report_escape(out, line);
}

static void write_text(FILE *out, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	fputs("<h4>", out);
	report_escape(out, title);
	fputs("</h4><pre>", out);
	report_escape(out, text);
	fputs("</pre>", out);
}

static const char *verdict_class(const char *rating)
{
	return !rating ? "warn" : strcmp(rating, "YES") == 0 ? "good" : "bad";
}

static void write_verdicts(FILE *out, const struct ellu_response *response)
{
	char score[SCORE_TEXT_SIZE];

	if (response->n_ratings == 0)
		return;
	fputs("<h4>Verdicts</h4><table><tbody>", out);
	for (size_t i = 0; i < response->n_ratings; i++) {
		const struct ellu_rating *rating = response->ratings[i];

		fprintf(out, "<tr><td class=\"%s\">%s</td><td>",
			rating->score && !rating->rating ? "score" : verdict_class(rating->rating),
			rating_text(score, rating, "?"));
		report_escape(out, rating->criterion->criterion_str);
		if (rating->error || rating->reasoning) {
			fputs("<br><span class=soft>", out);
			report_escape(out, rating->error ? rating->error->message : rating->reasoning);
			fputs("</span>", out);
		}
		if (rating->edited)
			fputs("<br><span class=soft>a person's verdict</span>", out);
		fputs("</td></tr>", out);
	}
	fputs("</tbody></table>", out);
}

/* A letter for each criterion: what a script filters by. */
static void write_letters(FILE *out, const struct reported *reported, const struct ellu_response *response)
{
	const struct ellu_experiment_results *results = reported->experiment->results;

	for (size_t i = 0; i < results->n_criteria; i++) {
		char letter = '-';

		for (size_t k = 0; k < response->n_ratings; k++) {
			const struct ellu_rating *rating = response->ratings[k];

			if (rating->rating && rating->criterion->id &&
			    *rating->criterion->id == results->criteria[i]->criterion_id)
				letter = rating->rating[0];
		}
		fputc(letter, out);
	}
}

static void write_calls(FILE *out, const struct ellu_tool_call *const *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		write_text(out, "Calls", calls[i]->name);
		write_text(out, "with", calls[i]->arguments);
	}
}

static void write_messages(FILE *out, const struct ellu_message *const *messages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		write_text(out, messages[i]->role, messages[i]->content);
		write_calls(out, messages[i]->tool_calls, messages[i]->n_tool_calls);
	}
}

static void write_case(const struct report *report, const struct reported *reported,
		       const struct ellu_response *response, enum outcome outcome, FILE *out)
{
	const double *seconds = response->duration_seconds;

	(void) report;
	fprintf(out, "<details class=case data-o=%d data-r=%" PRId64 " data-e=%" PRId64 " data-d=%.6f"
		     " data-t=%" PRId64 " data-v=\"", (int) outcome, response->template_variables->id,
		response->epoch, seconds ? *seconds : 0,
		response->output_tokens ? *response->output_tokens : 0);
	write_letters(out, reported, response);
	fprintf(out, "\"><summary><span class=\"outcome %s\">%s</span><span class=first>",
		outcome_classes[outcome], outcome_names[outcome]);
	write_first_line(out, response->error	      ? response->error->message :
			      response->response_text ? response->response_text :
							"");
	fprintf(out, "</span><span class=where>row %" PRId64, response->template_variables->id);
	if (reported->experiment->n_epochs > 1)
		fprintf(out, ", epoch %" PRId64, response->epoch);
	if (seconds)
		fprintf(out, ", %.2f s", *seconds);
	fputs("</span></summary>" INSIDE, out);
	write_text(out, "Values", response->template_variables->input_values);
	write_messages(out, response->messages, response->n_messages);
	write_messages(out, response->transcript, response->n_transcript);
	write_text(out, "Answered by", response->llm_config);
	write_text(out, "Given before", response->cached && *response->cached ? "from the cache" : NULL);
	write_text(out, response->error ? "Error" : "Answer",
		   response->error ? response->error->message : response->response_text);
	write_calls(out, response->tool_calls, response->n_tool_calls);
	write_verdicts(out, response);
	write_text(out, "Annotation", response->annotation);
	if (response->left_out)
		write_text(out, "Left out", response->left_out->message);
	fputs(INSIDE_END, out);
}

static void write_change(const struct report *report, const struct ellu_compared_case *compared, FILE *out)
{
	const bool worse = *compared->responses[1]->success < *compared->responses[0]->success;

	(void) report;
	fprintf(out, "<details class=case><summary><span class=\"outcome %s\">%s</span><span class=first>",
		worse ? "bad" : "good", worse ? "worse" : "better");
	write_first_line(out, compared->template_variables->input_values);
	fprintf(out, "</span><span class=where>row %" PRId64 ", epoch %" PRId64
		     "</span></summary>" INSIDE,
		compared->template_variables->id, compared->epoch);
	write_text(out, "Values", compared->template_variables->input_values);
	for (size_t i = 0; i < compared->n_responses; i++) {
		const struct ellu_compared_response *response = compared->responses[i];
		char title[64];

		snprintf(title, sizeof(title), "Experiment %" PRId64, response->experiment_id);
		write_text(out, title, response->error	       ? response->error->message :
				       response->response_text ? response->response_text :
								 "no answer");
	}
	fputs(INSIDE_END, out);
}

/* ---- An experiment ---- */

static void write_fact(FILE *out, const char *name, const char *text)
{
	fprintf(out, "<dt>%s</dt><dd>", name);
	report_escape(out, text);
	fputs("</dd>", out);
}

static void write_model(FILE *out, const char *name, const struct ellu_model *model)
{
	char text[600];

	if (model)
		write_fact(out, name, model_text(model, text, sizeof(text)));
}

static void write_facts(FILE *out, const struct reported *reported)
{
	const struct ellu_experiment *experiment = reported->experiment;
	const struct ellu_experiment_results *results = experiment->results;
	char text[256], number[32], other[32], money[MONEY_TEXT_SIZE], *sources = report_sources(results);

	fputs("<dl>", out);
	if (experiment->prompt_template && experiment->prompt_template->name) {
		snprintf(text, sizeof(text), "%s, version %" PRId64, experiment->prompt_template->name,
			 experiment->prompt_template->version ? *experiment->prompt_template->version : 1);
		write_fact(out, "Prompt", text);
	}
	if (experiment->collection->name)
		write_fact(out, "Collection", experiment->collection->name);
	write_model(out, "Answered by", experiment->model);
	write_model(out, "Judged by", experiment->rating_model);
	write_fact(out, "Made", time_local_text(number, experiment->created_at));
	snprintf(text, sizeof(text), "%s (%s without an answer)", number_text(number, results->responses),
		 number_text(other, results->failed_responses));
	write_fact(out, "Responses", text);
	if (sources)
		write_fact(out, "Answers", sources);
	free(sources);
	snprintf(text, sizeof(text), "%s in, %s out", number_text(number, results->total_input_tokens),
		 number_text(other, results->total_output_tokens));
	write_fact(out, "Tokens", text);
	if (results->flaky_rows) {
		snprintf(text, sizeof(text), "%s, whose epochs disagree", number_text(number, *results->flaky_rows));
		write_fact(out, "Flaky rows", text);
	}
	if (results->cost) {
		money_format(*results->cost, money);
		snprintf(text, sizeof(text), "$%s", money);
		write_fact(out, "Cost", text);
	}
	fputs("</dl>", out);
}

static void write_criteria(FILE *out, const struct reported *reported)
{
	const struct ellu_experiment_results *results = reported->experiment->results;
	char text[64];

	if (results->n_criteria == 0)
		return;
	fputs("<h3>Criteria</h3><table><thead><tr><th>Criterion</th><th class=number>YES</th><th>95 % interval</th>"
	      "<th class=\"number rated\">rated</th></tr></thead><tbody>", out);
	for (size_t i = 0; i < results->n_criteria; i++) {
		const struct estimate estimate = estimate_of(results->criteria[i]->yes);

		fputs("<tr><td>", out);
		report_escape(out, results->criteria[i]->criterion);
		fprintf(out, "</td><td class=number>%s</td><td>", share_text(text, estimate.value));
		chart_bar(out, &estimate);
		fprintf(out, "<span class=soft>%s</span></td><td class=\"number rated\">%" PRId64 "/%" PRId64 "</td></tr>",
			interval_text(text, &estimate), results->criteria[i]->yes->n_scored,
			results->criteria[i]->yes->n_total);
	}
	fputs("</tbody></table>", out);
}

static void write_score(FILE *out, const char *between, const double *score)
{
	fputs(between, out);
	if (score)
		fprintf(out, "%.2f", *score);
	else
		fputs("-", out);
}

static void write_scores(FILE *out, const struct ellu_experiment_results *results)
{
	char name[SCORE_NAME_SIZE];

	if (results->n_evaluators == 0)
		return;
	fputs("<h3>Scores</h3><table><thead><tr><th>Evaluator</th><th class=number>mean</th><th>from 0 to 1</th>"
	      "<th class=\"number rated\">scored</th></tr></thead><tbody>", out);
	for (size_t i = 0; i < results->n_evaluators; i++) {
		const struct ellu_evaluator_scores *scores = results->evaluators[i];

		fputs("<tr><td>", out);
		report_escape(out, score_name(name, results, i));
		write_score(out, "</td><td class=number>", scores->mean);
		fputs("</td><td>", out);
		chart_distribution(out, scores);
		fputs("<span class=soft>", out);
		if (scores->low && scores->high) {
			write_score(out, "", scores->low);
			write_score(out, " to ", scores->high);
		}
		fprintf(out, "</span></td><td class=\"number rated\">%" PRId64 "/%" PRId64 "</td></tr>",
			scores->n_scored, scores->n_total);
	}
	fputs("</tbody></table>", out);
}

static void write_agreement(FILE *out, const struct ellu_agreement *agreement)
{
	const struct estimate accuracy = estimate_of(agreement->accuracy);
	char text[64];

	fputs("<tr><td>", out);
	report_escape(out, agreement->criterion ? agreement->criterion : "all of them");
	fprintf(out, "</td><td class=number>%" PRId64 "</td><td>%s", agreement->accuracy->n_total,
		share_text(text, accuracy.value));
	fprintf(out, " <span class=soft>%s</span></td>", interval_text(text, &accuracy));
	fprintf(out, "<td>%s</td>", coefficient_text(text, agreement->kappa, agreement->kappa_low, agreement->kappa_high));
	fprintf(out, "<td class=number>%" PRId64 "</td><td class=number>%" PRId64 "</td><td class=number>",
		agreement->yes_no, agreement->no_yes);
	if (agreement->threshold)
		fprintf(out, "%.3g", *agreement->threshold);
	else
		fputs("-", out);
	fprintf(out, "</td><td>%s</td></tr>",
		coefficient_text(text, agreement->alpha, agreement->alpha_low, agreement->alpha_high));
}

static void write_agreed_scores(FILE *out, const struct ellu_evaluator_agreement *agreement)
{
	char text[64];

	fputs("<tr><td>", out);
	report_escape(out, agreement->evaluator->name);
	fprintf(out, "</td><td class=number>-</td><td>-</td><td>-</td><td class=number>-</td><td class=number>-</td>"
		"<td class=number>-</td><td>%s</td></tr>",
		coefficient_text(text, agreement->alpha, agreement->alpha_low, agreement->alpha_high));
}

/* How far its judge agrees with people, and several judges among each other. */
static void write_trust(FILE *out, const struct ellu_get_judge_agreement_reply *trust)
{
	if (!trust)
		return;
	fputs("<h3>How far to trust the judge</h3><div class=scrolled tabindex=0 role=region aria-label=\"Agreement\"><table>"
	      "<thead><tr><th>Criterion</th><th class=number>labels</th>"
	      "<th>like people</th><th>kappa (95 %)</th><th class=number>wrong YES</th><th class=number>wrong NO</th>"
	      "<th class=number>threshold</th><th>judges' alpha (95 %)</th></tr></thead><tbody>", out);
	for (size_t i = 0; i < trust->n_criteria; i++)
		write_agreement(out, trust->criteria[i]);
	write_agreement(out, trust->all);
	for (size_t i = 0; i < trust->n_evaluators; i++)
		write_agreed_scores(out, trust->evaluators[i]);
	fputs("</tbody></table></div>", out);
}

static void write_experiment(FILE *out, const struct reported *reported)
{
	const struct ellu_experiment *experiment = reported->experiment;
	const struct estimate success = estimate_of(experiment->results->success_rate);
	char share[32], interval[64];

	fprintf(out, "<section class=experiment><h2>");
	report_escape(out, experiment->name);
	fprintf(out, "</h2><p class=soft>Experiment %" PRId64 ", %" PRId64 " case%s", experiment->id,
		experiment->total_cases, plural_s(experiment->total_cases));
	if (experiment->n_epochs > 1)
		fprintf(out, ", %" PRId64 " epochs", experiment->n_epochs);
	fputs("</p>", out);
	if (experiment->description) {
		fputs("<p>", out);
		report_escape(out, experiment->description);
		fputs("</p>", out);
	}
	if (experiment->results->simulated)
		fputs("<p class=warning>Simulated: not from a real model.</p>", out);
	fprintf(out, "<p class=big>%s</p><p>of all responses %s; 95 %% interval %s</p>", share_text(share, success.value),
		report_success(experiment->results), interval_text(interval, &success));
	chart_bar(out, &success);
	write_facts(out, reported);
	write_criteria(out, reported);
	write_scores(out, experiment->results);
	write_trust(out, reported->trust);
	fputs("<h3>How long, and how much</h3><div class=charts>", out);
	chart_histogram(out, experiment->results->duration_seconds, "Duration of answers", " s");
	chart_histogram(out, experiment->results->input_tokens, "Tokens of requests", "");
	chart_histogram(out, experiment->results->output_tokens, "Tokens of answers", "");
	fputs("</div></section>\n", out);
}

/* ---- Lists of cases ---- */

static void write_json_names(FILE *out, const struct reported *reported)
{
	json_object *names = json_object_new_array(), *criteria = json_object_new_array();
	const struct ellu_experiment_results *results = reported->experiment->results;

	for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
		json_object_array_add(names, json_object_new_string(outcome_names[outcome]));
	for (size_t i = 0; i < results->n_criteria; i++)
		json_object_array_add(criteria, json_object_new_string(results->criteria[i]->criterion));
	fputs("<div class=cases data-outcomes=\"", out);
	report_escape(out, json_object_to_json_string(names));
	fputs("\" data-criteria=\"", out);
	report_escape(out, json_object_to_json_string(criteria));
	fputs("\">\n", out);
	json_object_put(names);
	json_object_put(criteria);
}

static void write_cases(FILE *out, const struct report *report, const struct reported *reported)
{
	int64_t left_out = 0, room = report->limit;

	fputs("<h2>Cases", out);
	if (report->n > 1) {
		fputs(" of ", out);
		report_escape(out, reported->experiment->name);
	}
	fputs("</h2>", out);
	for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
		left_out += reported->counts[outcome] - reported->n_shown[outcome];
	write_json_names(out, reported);
	for (enum outcome outcome = 0; outcome < _OUTCOME_MAX && room > 0; outcome++) {
		report_copy(reported->cases[outcome], out);
		room -= reported->n_shown[outcome];
	}
	fputs("</div>", out);
	if (left_out > 0)
		fprintf(out, "<p class=soft>%" PRId64 " more case%s left out; --limit shows %s.</p>", left_out,
			left_out == 1 ? " is" : "s are", left_out == 1 ? "it" : "them");
}

static const char compared_criteria_head[] =
	"<div class=scrolled tabindex=0 role=region aria-label=\"Criteria side by side\">"
	"<table><thead><tr><th>Criterion</th><th class=number>points more</th><th class=number>rows better</th>"
	"<th class=number>worse</th><th class=number>p</th></tr></thead><tbody>";
static const char compared_scores_head[] =
	"<div class=scrolled tabindex=0 role=region aria-label=\"Scores side by side\">"
	"<table><thead><tr><th>Evaluator</th><th class=number>score more</th><th class=number>rows better</th>"
	"<th class=number>worse</th><th class=number>p</th></tr></thead><tbody>";

static void write_compared(FILE *out, const char *name, const char *difference,
			   const struct ellu_paired_difference *paired)
{
	fputs("<tr><td>", out);
	report_escape(out, name);
	fprintf(out, "</td><td class=number>%s</td><td class=number>%" PRId64 "</td><td class=number>%" PRId64
		     "</td><td class=number>%.2g</td></tr>", difference, paired->better, paired->worse,
		paired->p_holm);
}

static void write_compared_all(FILE *out, const struct ellu_compare_experiments_reply *compared, size_t i)
{
	if (pairs_write_criteria(out, compared, i, compared_criteria_head, write_compared))
		fputs("</tbody></table></div><p class=soft>With 95 % intervals; p as of one of so many criteria (Holm).</p>",
		      out);
	if (pairs_write_scores(out, compared, i, compared_scores_head, write_compared))
		fputs("</tbody></table></div>", out);
}

static void write_comparison(FILE *out, const struct report *report, size_t i)
{
	fputs("<section><h2>", out);
	report_escape(out, report->experiments[i].experiment->name);
	fputs(" beside ", out);
	report_escape(out, report->experiments[0].experiment->name);
	fputs("</h2><p>", out);
	pairs_print(out, report->compared->success_rate[i]->paired);
	fputs(".</p>", out);
	write_compared_all(out, report->compared, i);
	report_copy(report->worse[i], out);
	report_copy(report->better[i], out);
	fputs("</section>\n", out);
}

/* ---- The page ---- */

/* What the page's own styles and script carry. */
static void make_nonce(char nonce[static 33])
{
	unsigned char bytes[16] = { 0 };

	(void) getrandom(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

static void write(const struct report *report)
{
	FILE *out = stdout;
	char nonce[33];

	make_nonce(nonce);
	fprintf(out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport"
		     " content=\"width=device-width,initial-scale=1\">\n<meta http-equiv=Content-Security-Policy"
		     " content=\"default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; base-uri 'none';"
		     " form-action 'none'\">\n<title>", nonce, nonce);
	report_escape(out, report->experiments[0].experiment->name);
	fprintf(out, "</title>\n<style nonce=%s>%s</style></head>\n<body><header><h1>", nonce, report_page_css);
	report_escape(out, report->experiments[0].experiment->name);
	fputs("</h1><p class=soft>A report of elluminate</p></header>\n<main>\n", out);
	for (size_t i = 0; i < report->n; i++)
		write_experiment(out, &report->experiments[i]);
	for (size_t i = 1; i < report->n; i++)
		write_comparison(out, report, i);
	for (size_t i = 0; i < report->n; i++)
		write_cases(out, report, &report->experiments[i]);
	fprintf(out, "</main>\n<script nonce=%s>%s</script></body></html>\n", nonce, report_page_js);
}

const struct report_writer report_page = {
	.write_case = write_case,
	.write_change = write_change,
	.write = write,
};
