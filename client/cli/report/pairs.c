#include "client/cli/report/pairs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CONFIDENCE 0.95
#define PAGE_MAX 1000

static int compare_rows(const void *a, const void *b)
{
	const struct row_pair *x = a, *y = b;

	return (x->row_id > y->row_id) - (x->row_id < y->row_id);
}

/* The epochs of a row come one after the other, but for those of which only some have changed. */
static int add_case(struct pairs *pairs, const struct ellu_compared_case *compared)
{
	const struct ellu_compared_response *base = compared->responses[0];
	const struct ellu_compared_response *other = compared->responses[1];
	struct row_pair *row = pairs->n_rows ? &pairs->rows[pairs->n_rows - 1] : NULL;

	if (!base->success || !other->success)
		return 0;
	if (!row || row->row_id != compared->template_variables->id) {
		if (pairs->n_rows == pairs->capacity) {
			size_t capacity = pairs->capacity ? 2 * pairs->capacity : 1024;

			row = realloc(pairs->rows, capacity * sizeof(*row));
			if (!row)
				return cli_fail(-ENOMEM, NULL);
			pairs->rows = row;
			pairs->capacity = capacity;
		}
		row = &pairs->rows[pairs->n_rows++];
		*row = (struct row_pair){ .row_id = compared->template_variables->id };
	}
	row->n++;
	row->sum += *other->success - *base->success;
	return 0;
}

static void join_rows(struct pairs *pairs)
{
	size_t n = 0;

	qsort(pairs->rows, pairs->n_rows, sizeof(*pairs->rows), compare_rows);
	for (size_t i = 0; i < pairs->n_rows; i++) {
		if (n > 0 && pairs->rows[n - 1].row_id == pairs->rows[i].row_id) {
			pairs->rows[n - 1].n += pairs->rows[i].n;
			pairs->rows[n - 1].sum += pairs->rows[i].sum;
		} else {
			pairs->rows[n++] = pairs->rows[i];
		}
	}
	pairs->n_rows = n;
}

static int judge(struct pairs *pairs)
{
	double *differences = malloc((pairs->n_rows + 1) * sizeof(*differences));

	if (!differences)
		return cli_fail(-ENOMEM, NULL);
	for (size_t i = 0; i < pairs->n_rows; i++) {
		differences[i] = pairs->rows[i].sum / pairs->rows[i].n;
		pairs->n_better += differences[i] > 0;
		pairs->n_worse += differences[i] < 0;
	}
	pairs->difference = paired_difference(differences, pairs->n_rows, CONFIDENCE);
	pairs->p = sign_test(pairs->n_better, pairs->n_worse);
	free(differences);
	return 0;
}

int pairs_read(struct cli *cli, int64_t base_id, int64_t other_id, struct pairs *ret_pairs,
	       void (*told)(void *userdata, const struct ellu_compared_case *compared), void *userdata)
{
	struct ellu_list_compared_cases_request request =
		ELLU_RECORD(struct ellu_list_compared_cases_request);
	struct ellu_ref base = ELLU_RECORD(struct ellu_ref), other = ELLU_RECORD(struct ellu_ref);
	const struct ellu_ref *const refs[] = { &base, &other };
	const struct ellu_compared_case *compared;
	const struct ellu_error *error = NULL;
	const int64_t limit = PAGE_MAX;
	struct ellu_stream *stream;
	int r, status = 0;

	*ret_pairs = (struct pairs){ 0 };
	base.id = &base_id;
	other.id = &other_id;
	request.project = cli->arguments.project;
	request.experiments = refs;
	request.n_experiments = 2;
	request.limit = &limit;
	r = ellu_list_compared_cases_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	while (status == 0 && (r = ellu_list_compared_cases_next_item(stream, &compared, &error)) > 0) {
		status = add_case(ret_pairs, compared);
		if (told && status == 0)
			told(userdata, compared);
	}
	ellu_stream_close(stream);
	if (r < 0)
		return cli_fail(r, error);
	join_rows(ret_pairs);
	return status ? status : judge(ret_pairs);
}

void pairs_done(struct pairs *pairs)
{
	free(pairs->rows);
	*pairs = (struct pairs){ 0 };
}

void pairs_print(FILE *out, const struct pairs *pairs)
{
	const struct estimate *difference = &pairs->difference;

	fprintf(out, "of %zu rows that both have decided %lld came out better, %lld worse (p = %.2g)",
		pairs->n_rows, (long long) pairs->n_better, (long long) pairs->n_worse, pairs->p);
	if (!isnan(difference->low))
		fprintf(out, "; the success rate differs by %+.1f points (%+.1f to %+.1f)",
			difference->value * 100, difference->low * 100, difference->high * 100);
}
