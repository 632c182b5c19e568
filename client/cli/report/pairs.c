#include "client/cli/report/pairs.h"
#include "proto/text/plural.h"

#include <errno.h>
#include <stdlib.h>

int pairs_read(struct cli *cli, const int64_t *ids, size_t n,
	       const struct ellu_compare_experiments_reply **ret_reply)
{
	struct ellu_compare_experiments_request request =
		ELLU_RECORD(struct ellu_compare_experiments_request);
	const struct ellu_ref **pointers = calloc(n, sizeof(*pointers));
	struct ellu_ref *refs = calloc(n, sizeof(*refs));
	const struct ellu_error *error = NULL;
	int r = refs && pointers ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		refs[i] = ELLU_RECORD(struct ellu_ref);
		refs[i].id = &ids[i];
		pointers[i] = &refs[i];
	}
	request.project = cli->arguments.project;
	request.experiments = pointers;
	request.n_experiments = n;
	if (r == 0)
		r = ellu_compare_experiments(cli->daemon, &request, ret_reply, &error);
	if (r < 0)
		r = cli_fail(r, error);
	free(pointers);
	free(refs);
	return r;
}

void pairs_print(FILE *out, const struct ellu_paired_difference *paired)
{
	if (!paired) {
		fputs("no row was decided in both", out);
		return;
	}
	fprintf(out, "of %lld row%s that both have decided %lld came out better, %lld worse (p = %.2g",
		(long long) paired->rows, plural_s(paired->rows), (long long) paired->better, (long long) paired->worse, paired->p);
	if (paired->p_holm > paired->p)
		fprintf(out, "; %.2g among all that are compared", paired->p_holm);
	fputc(')', out);
	if (paired->low && paired->high)
		fprintf(out, "; the success rate differs by %+.1f points (%+.1f to %+.1f)",
			paired->value * 100, *paired->low * 100, *paired->high * 100);
}

const char *difference_text(char buffer[static 64], const struct ellu_paired_difference *paired)
{
	if (!paired)
		return "-";
	if (paired->low && paired->high)
		snprintf(buffer, 64, "%+.1f (%+.1f to %+.1f)", paired->value * 100, *paired->low * 100,
			 *paired->high * 100);
	else
		snprintf(buffer, 64, "%+.1f", paired->value * 100);
	return buffer;
}

const char *score_difference_text(char buffer[static 64], const struct ellu_paired_difference *paired)
{
	if (paired->low && paired->high)
		snprintf(buffer, 64, "%+.3f (%+.3f to %+.3f)", paired->value, *paired->low, *paired->high);
	else
		snprintf(buffer, 64, "%+.3f", paired->value);
	return buffer;
}

/* Ahead of the first one the head is written, which is NULL from then on. */
static void write_head(FILE *out, const char **head)
{
	if (*head)
		fputs(*head, out);
	*head = NULL;
}

bool pairs_write_criteria(FILE *out, const struct ellu_compare_experiments_reply *compared, size_t place,
			  const char *head, pair_write_fn *write)
{
	char text[64];

	for (size_t i = 0; i < compared->n_criteria; i++) {
		const struct ellu_paired_difference *paired = compared->criteria[i]->rates[place]->paired;

		if (!paired)
			continue;
		write_head(out, &head);
		write(out, compared->criteria[i]->criterion, difference_text(text, paired), paired);
	}
	return !head;
}

bool pairs_write_scores(FILE *out, const struct ellu_compare_experiments_reply *compared, size_t place,
			const char *head, pair_write_fn *write)
{
	char text[64];

	for (size_t i = 0; i < compared->n_evaluators; i++) {
		const struct ellu_paired_difference *paired = compared->evaluators[i]->scores[place]->paired;

		if (!paired)
			continue;
		write_head(out, &head);
		write(out, compared->evaluators[i]->evaluator, score_difference_text(text, paired), paired);
	}
	return !head;
}
