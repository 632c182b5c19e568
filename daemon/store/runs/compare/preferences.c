/* Which answers were preferred: what a run compares, what that comes to, and what was said of each row. */
#include "daemon/store/runs/compare/preferences.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <stdint.h>

#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/runs/evaluators.h"
#include "daemon/store/runs/statistics/proportion.h"
#include "proto/generated/interface.h"
#include "proto/statistics/statistics.h"

#define GROUPS 20 // of rows, one of which is left out at a time
#define PRIOR 1 // ties with an average one that each is held to have had

/* ---- What is compared ---- */

bool compared_has(const struct compared *compared, const char *const *answers, size_t part)
{
	const struct compared_part pair = compared_part(compared->sides.n, part);

	answers += pair.epoch * compared->sides.n;
	return answers[pair.first] && answers[pair.other];
}

int compared_load(struct tx *tx, const struct run_row *run, struct compared *ret_compared)
{
	json_object *request = tx_parse(run->request);
	json_object *list = json_object_object_get(request, "experiments");
	size_t n = list ? json_object_array_length(list) : 0;
	int64_t ids[COMPARED_MAX];
	int r = n < 2 || n > COMPARED_MAX ? -EBADMSG : 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		ids[i] = json_object_get_int64(json_object_array_get_idx(list, i));
	*ret_compared = (struct compared){
		.n_epochs = (size_t)json_object_get_int64(json_object_object_get(request, "n_epochs")),
	};
	json_object_put(request);
	if (r >= 0)
		r = sides_load_ids(tx, ids, n, &ret_compared->sides);
	ret_compared->n_parts = ret_compared->n_epochs * compared_parts(n);
	return r;
}

const char compared_too_large[] = "";

/* `bytes` are those of the row. */
static int read_answer(struct tx *tx, const struct side *side, const char **ret_answer, size_t *bytes)
{
	QUERY q = NULL;
	size_t size;
	int r;

	*ret_answer = NULL;
	if (!side->response_id || side->failed)
		return 0;
	r = db_row(tx->db, &q, "SELECT coalesce(response_text, tool_calls) FROM responses WHERE id = ?1", "i",
		   side->response_id);
	if (r <= 0 || column_null(q, 0))
		return r < 0 ? r : 0;
	size = (size_t)sqlite3_column_bytes(q, 0);
	if (*bytes + size > COMPARED_BYTES_MAX) {
		*ret_answer = compared_too_large;
		return 0;
	}
	*bytes += size;
	*ret_answer = tx_text(tx, q, 0);
	return *ret_answer ? 0 : -ENOMEM;
}

int compared_answers(struct tx *tx, struct compared *compared, int64_t row_id,
		     const char *const **ret_answers, size_t *bytes)
{
	struct sides *sides = &compared->sides;
	const char **answers = tx_array(tx, compared->n_epochs * sides->n, sizeof(*answers));
	size_t of_row = 0;
	int r = answers ? 0 : -ENOMEM;

	for (size_t epoch = 0; r >= 0 && epoch < compared->n_epochs; epoch++) {
		r = sides_find(tx, sides, row_id, (int64_t)epoch + 1);
		for (size_t i = 0; r >= 0 && i < sides->n; i++)
			r = read_answer(tx, &sides->items[i], &answers[epoch * sides->n + i], &of_row);
	}
	*bytes += of_row;
	*ret_answers = answers;
	return r;
}

/* ---- What came of two orders ---- */

static int preference_of(double score)
{
	return (score > 0.5) - (score < 0.5);
}

/* By both, each NAN where it is not known: 1 for the first of the pair, -1 for the other, 0 for none. False:
 * nothing came out. */
static bool decide(double score, double swapped, int *ret_preferred, bool *ret_contradicted)
{
	int one = isnan(score) ? 0 : preference_of(score), two = isnan(swapped) ? 0 : -preference_of(swapped);

	*ret_contradicted = one * two < 0;
	*ret_preferred = (one + two > 0) - (one + two < 0);
	return !isnan(score) && !isnan(swapped);
}

/* ---- The sums ---- */

struct pair_tally {
	int64_t n_total, n_scored, preferred, other_preferred, contradicted;
	double row_sum; // of the row at hand, a tie half
	int64_t row_n;
	struct clusters rows;
	struct differences differences;
};

/* Of an experiment, in all its pairs. */
struct rank_tally {
	double row_sum;
	int64_t row_n;
	struct clusters rows;
};

/* Of a request, while it walks. */
struct tallies {
	struct run_row run;
	struct compared compared;
	int64_t row_id, part; // looked at last
	size_t row_number;
	double *scores; // of the row at hand, by part; NAN: none
	bool *asked; // by part
	struct pair_tally *pairs;
	size_t n_pairs;
	struct rank_tally ranks[COMPARED_MAX];
	double *wins; // GROUPS matrices
};

static void clear_row(struct tallies *tallies)
{
	for (size_t i = 0; i < tallies->compared.n_parts; i++) {
		tallies->scores[i] = NAN;
		tallies->asked[i] = false;
	}
}

static int begin(struct tx *tx, int64_t run_id, struct tallies **ret_tallies)
{
	struct tallies *tallies = tx_alloc(tx, sizeof(*tallies));
	size_t n;
	int r = tallies ? run_row_load(tx, run_id, &tallies->run) : -ENOMEM;

	if (r >= 0)
		r = compared_load(tx, &tallies->run, &tallies->compared);
	if (r < 0)
		return r;
	*ret_tallies = tallies;
	n = tallies->compared.sides.n;
	tallies->n_pairs = compared_parts(n) / 2;
	tallies->part = -1;
	tallies->scores = tx_array(tx, tallies->compared.n_parts, sizeof(*tallies->scores));
	tallies->asked = tx_array(tx, tallies->compared.n_parts, sizeof(*tallies->asked));
	tallies->pairs = tx_array(tx, tallies->n_pairs, sizeof(*tallies->pairs));
	tallies->wins = tx_array(tx, GROUPS * n * n, sizeof(*tallies->wins));
	if (!tallies->scores || !tallies->asked || !tallies->pairs || !tallies->wins)
		return -ENOMEM;
	clear_row(tallies);
	return 0;
}

static void add_pair(struct tallies *tallies, size_t part)
{
	const size_t n = tallies->compared.sides.n;
	const struct compared_part places = compared_part(n, part);
	struct pair_tally *pair = &tallies->pairs[part / 2 % tallies->n_pairs];
	double *wins = tallies->wins + tallies->row_number % GROUPS * n * n;
	bool contradicted;
	int preferred;

	pair->n_total++;
	if (!decide(tallies->scores[part], tallies->scores[part + 1], &preferred, &contradicted))
		return;
	pair->n_scored++;
	pair->preferred += preferred > 0;
	pair->other_preferred += preferred < 0;
	pair->contradicted += contradicted;
	pair->row_sum += (preferred + 1) / 2.0;
	pair->row_n++;
	tallies->ranks[places.first].row_sum += (preferred + 1) / 2.0;
	tallies->ranks[places.first].row_n++;
	tallies->ranks[places.other].row_sum += (1 - preferred) / 2.0;
	tallies->ranks[places.other].row_n++;
	wins[places.first * n + places.other] += (preferred + 1) / 2.0;
	wins[places.other * n + places.first] += (1 - preferred) / 2.0;
}

static void end_row(struct tallies *tallies)
{
	for (size_t part = 0; part < tallies->compared.n_parts; part += 2)
		if (tallies->asked[part] || tallies->asked[part + 1])
			add_pair(tallies, part);
	for (size_t i = 0; i < tallies->n_pairs; i++) {
		struct pair_tally *pair = &tallies->pairs[i];

		clusters_add(&pair->rows, pair->row_sum, pair->row_n);
		if (pair->row_n > 0)
			differences_add(&pair->differences, pair->row_sum / (double)pair->row_n - 0.5);
		pair->row_sum = 0;
		pair->row_n = 0;
	}
	for (size_t i = 0; i < tallies->compared.sides.n; i++) {
		struct rank_tally *rank = &tallies->ranks[i];

		clusters_add(&rank->rows, rank->row_sum, rank->row_n);
		rank->row_sum = 0;
		rank->row_n = 0;
	}
	tallies->row_number++;
	clear_row(tallies);
}

/* 1: there is more to look at. */
static int step(struct tx *tx, struct tallies *tallies)
{
	int64_t left = RUN_STEP;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT template_variables_id, part, score FROM evaluations WHERE run_id = ?1"
				 " AND (template_variables_id, part) > (?2, ?3)"
				 " ORDER BY template_variables_id, part LIMIT ?4", "iiii", tallies->run.id,
		     tallies->row_id, tallies->part, left);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		left--;
		if (tallies->row_id && column_int(q, 0) != tallies->row_id)
			end_row(tallies);
		tallies->row_id = column_int(q, 0);
		tallies->part = column_int(q, 1);
		if (tallies->part >= (int64_t)tallies->compared.n_parts)
			return -EBADMSG;
		tallies->asked[tallies->part] = true;
		if (!column_null(q, 2))
			tallies->scores[tallies->part] = column_double(q, 2);
	}
	if (r >= 0 && left > 0 && tallies->row_id)
		end_row(tallies);
	return r < 0 ? r : left == 0;
}

/* ---- What they come to ---- */

static int tell_pair(struct tx *tx, const struct tallies *tallies, size_t i, struct tx_list *pairs)
{
	const struct sides *sides = &tallies->compared.sides;
	const struct compared_part places = compared_part(sides->n, 2 * i);
	struct ellu_preference_pair *record = TX_RECORD(tx, struct ellu_preference_pair);
	const struct pair_tally *pair = &tallies->pairs[i];
	const struct clusters *rows = &pair->rows;

	if (!record)
		return -ENOMEM;
	record->experiment_id = sides->items[places.first].experiment_id;
	record->other_experiment_id = sides->items[places.other].experiment_id;
	record->n_total = pair->n_total;
	record->n_scored = pair->n_scored;
	record->preferred = pair->preferred;
	record->other_preferred = pair->other_preferred;
	record->tied = pair->n_scored - pair->preferred - pair->other_preferred;
	record->contradicted = pair->contradicted;
	record->share = proportion_make(tx, rows->sum, rows->n_values, pair->n_scored, pair->n_total,
					tallies->compared.n_epochs > 1 ? rows : NULL);
	record->p = sign_test(pair->differences.n_up, pair->differences.n_down);
	return record->share ? tx_append(tx, pairs, record) : -ENOMEM;
}

static void count_preferred(const struct tallies *tallies, size_t place, struct ellu_preference_rank *rank)
{
	for (size_t i = 0; i < tallies->n_pairs; i++) {
		const struct compared_part places = compared_part(tallies->compared.sides.n, 2 * i);
		const struct pair_tally *pair = &tallies->pairs[i];
		const bool is_first = places.first == place;

		if (!is_first && places.other != place)
			continue;
		rank->preferred += is_first ? pair->preferred : pair->other_preferred;
		rank->not_preferred += is_first ? pair->other_preferred : pair->preferred;
		rank->tied += pair->n_scored - pair->preferred - pair->other_preferred;
	}
}

static int tell_rank(struct tx *tx, const struct tallies *tallies, size_t place, const struct estimate *strength,
		     struct tx_list *ranking)
{
	struct ellu_preference_rank *rank = TX_RECORD(tx, struct ellu_preference_rank);
	const struct clusters *rows = &tallies->ranks[place].rows;
	struct experiment_row row;
	int r;

	if (!rank)
		return -ENOMEM;
	rank->experiment_id = tallies->compared.sides.items[place].experiment_id;
	count_preferred(tallies, place, rank);
	rank->share = proportion_make(tx, rows->sum, rows->n_values, rows->n_values, rows->n_values,
				      rows->n < rows->n_values ? rows : NULL);
	if (!rank->share)
		return -ENOMEM;
	if (rows->n > 0) {
		rank->strength = tx_known(tx, strength->value);
		rank->low = tx_known(tx, strength->low);
		rank->high = tx_known(tx, strength->high);
	}
	r = experiment_row_load(tx, rank->experiment_id, &row);
	rank->experiment_name = row.name;
	return r < 0 ? r : tx_append(tx, ranking, rank);
}

/* The strongest first. */
static int compare_ranks(const void *a, const void *b)
{
	const struct ellu_preference_rank *const *x = a, *const *y = b;
	double one = (*x)->strength ? *(*x)->strength : -INFINITY;
	double other = (*y)->strength ? *(*y)->strength : -INFINITY;

	return (one < other) - (one > other);
}

static int tell_ranking(struct tx *tx, const struct tallies *tallies, struct tx_list *ranking)
{
	static const struct estimate unknown = { NAN, NAN, NAN, NAN };
	const size_t n = tallies->compared.sides.n;
	struct estimate strengths[COMPARED_MAX];
	double scratch[COMPARED_MAX * (COMPARED_MAX + 1 + GROUPS)];
	int r = 0;

	if (!bradley_terry_estimates(tallies->wins, GROUPS, n, PRIOR, CONFIDENCE, strengths, scratch))
		for (size_t i = 0; i < n; i++)
			strengths[i] = unknown;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = tell_rank(tx, tallies, i, &strengths[i], ranking);
	if (r >= 0)
		qsort(ranking->items, ranking->n, sizeof(*ranking->items), compare_ranks);
	return r;
}

static int tell_evaluator(struct tx *tx, int64_t run_id, struct ellu_preference_result *result)
{
	const struct ellu_evaluator *evaluator;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT e.evaluator_id, e.name, o.generated, o.failed FROM run_evaluators e"
			       " CROSS JOIN run_epochs o ON o.run_id = e.run_id WHERE e.run_id = ?1"
			       " AND e.position = 0", "i", run_id);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	result->cases = column_int(q, 2);
	result->failed = column_int(q, 3);
	r = evaluator_load(tx, column_int(q, 0), column_peek(q, 1), &evaluator);
	if (r < 0)
		return r;
	result->evaluator_id = evaluator->id;
	result->evaluator_name = evaluator->name;
	result->version = evaluator->version;
	return 0;
}

static int tell(struct tx *tx, const struct tallies *tallies, const struct ellu_preference_result **ret_result)
{
	struct ellu_preference_result *result = TX_RECORD(tx, struct ellu_preference_result);
	struct tx_list pairs = { 0 }, ranking = { 0 };
	int r = result ? tell_evaluator(tx, tallies->run.id, result) : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < tallies->n_pairs; i++)
		r = tell_pair(tx, tallies, i, &pairs);
	if (r >= 0)
		r = tell_ranking(tx, tallies, &ranking);
	if (r < 0)
		return r;
	result->pairs = tx_list_items(tx, &pairs);
	result->n_pairs = pairs.n;
	result->ranking = tx_list_items(tx, &ranking);
	result->n_ranking = ranking.n;
	*ret_result = result;
	return 0;
}

static int preference_results_run(struct tx *tx, struct evaluation_results *op)
{
	struct tallies *tallies = op->request.state;
	int r = tallies ? 0 : begin(tx, op->run_id, &tallies);

	op->request.state = tallies;
	if (r >= 0)
		r = step(tx, tallies);
	op->request.again = r > 0;
	if (r < 0)
		op->request.state = NULL; // counted in half: from the beginning, when it is tried again
	if (r != 0)
		return r < 0 ? r : 0;
	return tell(tx, tallies, &op->ret_preference);
}

STORE_OPERATION_OF(evaluation_results, preference_results, STORE_SCAN, true)

/* ---- Row by row ---- */

struct preference_listing {
	struct evaluations_listing base;
	struct compared compared;
};

static int load_compared(struct tx *tx, struct evaluations_listing *listing)
{
	return compared_load(tx, &listing->run, &((struct preference_listing *)listing)->compared);
}

static struct ellu_preference *preference_new(struct tx *tx, const struct preference_listing *listing, size_t part)
{
	const struct sides *sides = &listing->compared.sides;
	const struct compared_part places = compared_part(sides->n, part - part % 2);
	struct ellu_preference *record = TX_RECORD(tx, struct ellu_preference);

	if (!record)
		return NULL;
	record->experiment_id = sides->items[places.first].experiment_id;
	record->other_experiment_id = sides->items[places.other].experiment_id;
	record->epoch = (int64_t)places.epoch + 1;
	return record;
}

static void tell_outcome(struct ellu_preference *record, const double scores[2])
{
	bool contradicted;
	int preferred;

	if (decide(scores[0], scores[1], &preferred, &contradicted))
		record->outcome = preferred > 0 ? "preferred" : preferred < 0 ? "other_preferred" : "tied";
}

/* What was said in both orders, which follow each other. */
static int read_preferences(struct tx *tx, const struct preference_listing *listing,
			    struct ellu_preferred_row *row)
{
	struct ellu_preference *record = NULL;
	struct tx_list list = { 0 }, results = { 0 };
	double scores[2] = { NAN, NAN };
	size_t pair = SIZE_MAX;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT part, score, result FROM evaluations WHERE run_id = ?1"
				 " AND template_variables_id = ?2 ORDER BY part", "ii", listing->base.run.id,
		     row->template_variables_id);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const size_t part = (size_t)column_int(q, 0);
		const struct ellu_evaluator_result *result;

		if (part / 2 != pair) {
			pair = part / 2;
			scores[0] = scores[1] = NAN;
			results = (struct tx_list){ 0 };
			record = preference_new(tx, listing, part);
			r = record ? tx_append(tx, &list, record) : -ENOMEM;
		}
		if (r >= 0)
			r = tx_decode(tx, &ellu_evaluator_result_type, column_peek(q, 2), &result);
		if (r >= 0)
			r = tx_append(tx, &results, result);
		if (r < 0)
			return r;
		if (!column_null(q, 1))
			scores[part % 2] = column_double(q, 1);
		record->results = tx_list_items(tx, &results);
		record->n_results = results.n;
		tell_outcome(record, scores);
	}
	row->preferences = tx_list_items(tx, &list);
	row->n_preferences = list.n;
	return r;
}

static int add_row(struct tx *tx, struct evaluations_listing *listing, int64_t row_id, const char *values)
{
	struct ellu_preferred_row *row = TX_RECORD(tx, struct ellu_preferred_row);
	int r;

	if (!row)
		return -ENOMEM;
	row->template_variables_id = row_id;
	row->input_values = values;
	r = read_preferences(tx, (struct preference_listing *)listing, row);
	if (r >= 0)
		r = page_try(tx, &listing->page, &ellu_preferred_row_type, row);
	if (r != -E2BIG)
		return r;
	row->preferences = tx_array(tx, 0, sizeof(*row->preferences));
	row->n_preferences = 0;
	row->left_out = page_left_out(tx, "preferences", "row", row_id);
	return page_add(tx, &listing->page, &ellu_preferred_row_type, row, "row", row_id);
}

int preferences_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_preferences_request *request = op->arguments;
	struct preference_listing listing = {
		.base = { .kind = TASK_KIND_PREFERENCE, .expected = "a task that compares experiments", .letter = 'p',
			  .begin = load_compared, .add = add_row },
	};

	return evaluations_list(tx, op, request->id, &listing.base);
}
