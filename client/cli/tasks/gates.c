#include "client/cli/tasks/gates.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/report/pairs.h"
#include "client/cli/view/show.h"
#include "proto/text/plural.h"

#define CHANCE_MAX 0.05 // a regression that chance alone brings more often is none

bool gates_are_given(const struct arguments *arguments)
{
	return arguments->n_gates > 0 || arguments->fail_under_low > 0 || arguments->base;
}

/* On stderr, and where a CI reads what is printed, as its annotation. */
__attribute__((format(printf, 1, 2))) static int below(const char *format, ...)
{
	const char *actions = getenv("GITHUB_ACTIONS");
	va_list arguments;

	if (actions && strcmp(actions, "true") == 0)
		fputs("::error title=elluminate::", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return EXIT_BELOW;
}

/* ---- Criteria ---- */

static bool is_said(const struct gate *gate, const char *text)
{
	return text && strlen(text) == gate->length && memcmp(text, gate->criterion, gate->length) == 0;
}

/* By its id, its label, its text, or a part of that which no other has. */
static const struct ellu_criterion_result *find_criterion(const struct ellu_experiment_results *results,
							   const struct gate *gate)
{
	const struct ellu_criterion_result *found = NULL;
	char *part = strndup(gate->criterion, gate->length);
	bool several = false;
	int64_t id = 0;

	if (!part || !cli_is_id(part, &id))
		id = 0;
	for (size_t i = 0; part && i < results->n_criteria; i++) {
		const struct ellu_criterion_result *criterion = results->criteria[i];

		if (criterion->criterion_id == id || is_said(gate, criterion->label) ||
		    is_said(gate, criterion->criterion)) {
			found = criterion;
			several = false;
			break;
		}
		if (!strcasestr(criterion->criterion, part))
			continue;
		several = found != NULL;
		found = criterion;
	}
	free(part);
	return several ? NULL : found;
}

static int check_criterion(const struct ellu_experiment_results *results, const struct gate *gate)
{
	const struct ellu_criterion_result *criterion = results ? find_criterion(results, gate) : NULL;
	char text[64];

	if (!criterion) {
		cli_error("--fail-under criterion=%.*s: expected an id, a label or a text that one criterion of the "
			  "experiment has", (int) gate->length, gate->criterion);
		return EXIT_USAGE;
	}
	if (!criterion->yes->value)
		return below("Nothing was decided by: %s", criterion->criterion);
	if (*criterion->yes->value < gate->share)
		return below("%s meet a criterion that is to be met by %.4g %%: %s",
			     proportion_text(text, criterion->yes), gate->share * 100, criterion->criterion);
	return 0;
}

/* ---- Evaluators ---- */

static int check_scores(const struct ellu_evaluator_scores *scores, double wanted)
{
	const char *name = scores->evaluator->name;

	if (!scores->mean)
		return below("Nothing was scored by %s.", name);
	if (*scores->mean < wanted)
		return below("The mean score by %s is %.4g, which is below %.4g.", name, *scores->mean, wanted);
	return 0;
}

/* Each that has the name: it may be there with several sets of variables. */
static int check_evaluator(const struct ellu_experiment_results *results, const struct gate *gate)
{
	bool found = false;
	int status = 0;

	for (size_t i = 0; results && i < results->n_evaluators; i++) {
		if (!is_said(gate, results->evaluators[i]->evaluator->name))
			continue;
		found = true;
		status = status ? status : check_scores(results->evaluators[i], gate->share);
	}
	if (found)
		return status;
	cli_error("--fail-under evaluator=%.*s: expected the name of an evaluator that the experiment has",
		  (int) gate->length, gate->criterion);
	return EXIT_USAGE;
}

/* ---- Rates ---- */

static int check_rate(const struct ellu_experiment_results *results, double wanted)
{
	const double *rate = results ? results->success_rate->value : NULL;

	if (!rate)
		return below("Nothing was decided: no success rate is at least %.4g %%.", wanted * 100);
	return *rate >= wanted ? 0 : below("The success rate is below %.4g %%.", wanted * 100);
}

static int check_low(const struct ellu_experiment_results *results, double wanted)
{
	const double *low = results ? results->success_rate->low : NULL;

	if (wanted <= 0)
		return 0;
	if (!low)
		return below("Nothing was decided: no success rate is at least %.4g %%.", wanted * 100);
	if (*low >= wanted)
		return 0;
	return below("The success rate may be as low as %.4g %% (95 %% interval), which is below %.4g %%.", *low * 100,
		     wanted * 100);
}

/* ---- An earlier experiment ---- */

static int refuse_base(const char *operand, const char *reason)
{
	cli_error("--fail-on-regression %s: %s", operand, reason);
	return EXIT_USAGE;
}

static int check_paired(const char *name, const struct ellu_paired_difference *paired)
{
	fprintf(stderr, "Beside %s, ", name);
	pairs_print(stderr, paired);
	fputs(".\n", stderr);
	if (paired->worse <= paired->better || paired->p >= CHANCE_MAX)
		return 0;
	return below("This is a regression from %s (p = %.2g, below %g).", name, paired->p, CHANCE_MAX);
}

/* Of scores, all of which were looked at: so the p is the corrected one. */
static int check_scored(const char *name, const struct ellu_compared_evaluator *evaluator)
{
	const struct ellu_paired_difference *paired = evaluator->scores[1]->paired;

	if (!paired || paired->worse <= paired->better || paired->p_holm >= CHANCE_MAX)
		return 0;
	return below("By %s this is a regression from %s: of %lld row%s %lld have a lower score, %lld a higher one "
		     "(p = %.2g, below %g).", evaluator->evaluator, name, (long long) paired->rows, plural_s(paired->rows),
		     (long long) paired->worse, (long long) paired->better, paired->p_holm, CHANCE_MAX);
}

static int check_regression(struct cli *cli, const struct ellu_experiment *experiment)
{
	const char *operand = cli->arguments.base;
	const struct ellu_compare_experiments_reply *reply;
	const struct ellu_get_experiment_reply *base;
	const struct ellu_paired_difference *paired;
	int64_t ids[2] = { 0, experiment->id };
	int status = operand ? call_experiment(cli, operand, &base) : 0;

	if (!operand || status != 0)
		return status;
	ids[0] = base->experiment->id;
	status = ids[0] == ids[1] ? refuse_base(operand, "is the experiment itself") :
				    pairs_read(cli, ids, 2, &reply);
	if (status == 0) {
		paired = reply->success_rate[1]->paired;
		status = paired ? check_paired(base->experiment->name, paired) :
				  refuse_base(operand, "no row was decided in both");
		for (size_t i = 0; paired && i < reply->n_evaluators; i++) {
			int one = check_scored(base->experiment->name, reply->evaluators[i]);

			status = status ? status : one;
		}
		ellu_free(reply);
	}
	ellu_free(base);
	return status;
}

int gates_check(struct cli *cli, const struct ellu_experiment *experiment)
{
	const struct arguments *arguments = &cli->arguments;
	int status = 0, one;

	for (size_t i = 0; i < arguments->n_gates; i++) {
		const struct gate *gate = &arguments->gates[i];

		if (gate->of_evaluator)
			one = check_evaluator(experiment->results, gate);
		else
			one = gate->criterion ? check_criterion(experiment->results, gate) :
						check_rate(experiment->results, gate->share);
		status = status ? status : one;
	}
	one = check_low(experiment->results, arguments->fail_under_low);
	status = status ? status : one;
	one = check_regression(cli, experiment);
	return status ? status : one;
}
