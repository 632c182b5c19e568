/*
 * Statistics beside what other implementations say (statistics_reference.py), and intervals beside
 * the truth of simulated experiments.
 */
#include <json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/statistics/distributions.h"
#include "proto/statistics/statistics.h"
#include "tests/unit/suite.h"

#define CLOSE 1e-9
#define VALUES_MAX 4096
#define RESULTS_MAX 16

/* ---- Against references ---- */

struct inputs {
	json_object *json;
	double values[VALUES_MAX]; // `values`, or `units` one after the other
	size_t n;
	double confidence;
	double results[RESULTS_MAX];
};

static json_object *member(const struct inputs *inputs, const char *name)
{
	json_object *found = NULL;

	(void)json_object_object_get_ex(inputs->json, name, &found);
	return found;
}

static double number(json_object *json)
{
	return json ? json_object_get_double(json) : NAN;
}

static void read_values(struct inputs *inputs, json_object *array)
{
	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		json_object *value = json_object_array_get_idx(array, i);

		if (json_object_is_type(value, json_type_array))
			read_values(inputs, value);
		else
			inputs->values[inputs->n++] = number(value);
		ck_assert_uint_lt(inputs->n, VALUES_MAX);
	}
}

static void take(struct inputs *inputs, struct estimate estimate)
{
	inputs->results[0] = estimate.value;
	inputs->results[1] = estimate.error;
	inputs->results[2] = estimate.low;
	inputs->results[3] = estimate.high;
}

#define TAKE_1(function) \
	static void run_##function(struct inputs *inputs) \
	{ \
		inputs->results[0] = function(inputs->values[0]); \
	}
#define TAKE_2(function) \
	static void run_##function(struct inputs *inputs) \
	{ \
		inputs->results[0] = function(inputs->values[0], inputs->values[1]); \
	}
#define TAKE_COUNTS(function, ...) \
	static void run_##function(struct inputs *inputs) \
	{ \
		const double *v = inputs->values; \
\
		inputs->results[0] = function(__VA_ARGS__); \
	}
TAKE_1(normal_cdf)
TAKE_1(normal_quantile)
TAKE_2(t_cdf)
TAKE_2(t_quantile)
TAKE_COUNTS(binomial_cdf, (int64_t)v[0], (int64_t)v[1], v[2])
TAKE_COUNTS(pass_at_k, (int64_t)v[0], (int64_t)v[1], (int64_t)v[2])
TAKE_COUNTS(sign_test, (int64_t)v[0], (int64_t)v[1])
TAKE_COUNTS(rows_for_difference, v[0], v[1], v[2], v[3])
TAKE_COUNTS(difference_of_rows, v[0], v[1], v[2], v[3])

static struct clusters read_clusters(const struct inputs *inputs)
{
	json_object *list = member(inputs, "clusters"), *yes = member(inputs, "yes");
	struct clusters clusters = { 0 };

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		json_object *pair = json_object_array_get_idx(list, i);

		clusters_add(&clusters, number(json_object_array_get_idx(pair, 0)),
			     json_object_get_int64(json_object_array_get_idx(pair, 1)));
	}
	for (int64_t i = 0; !list && i < json_object_get_int64(member(inputs, "n")); i++)
		clusters_add(&clusters, i < json_object_get_int64(yes), 1);
	return clusters;
}

static void run_clusters_proportion(struct inputs *inputs)
{
	const struct clusters clusters = read_clusters(inputs);

	take(inputs, clusters_proportion(&clusters, inputs->confidence));
}

static void run_clusters_mean(struct inputs *inputs)
{
	const struct clusters clusters = read_clusters(inputs);

	take(inputs, clusters_mean(&clusters, inputs->confidence));
}

static struct differences read_differences(const struct inputs *inputs)
{
	struct differences differences = { 0 };

	for (size_t i = 0; i < inputs->n; i++)
		differences_add(&differences, inputs->values[i]);
	return differences;
}

static void run_differences_mean(struct inputs *inputs)
{
	const struct differences differences = read_differences(inputs);

	take(inputs, differences_mean(&differences, inputs->confidence));
}

static void run_differences_effect(struct inputs *inputs)
{
	const struct differences differences = read_differences(inputs);

	inputs->results[0] = differences_effect(&differences);
}

static void run_bootstrap_difference(struct inputs *inputs)
{
	static double scratch[VALUES_MAX];

	take(inputs, bootstrap_difference(inputs->values, inputs->n, inputs->confidence,
					  (uint64_t)json_object_get_int64(member(inputs, "seed")), scratch,
					  (size_t)json_object_get_int64(member(inputs, "n_samples"))));
}

static void run_correct_holm(struct inputs *inputs)
{
	size_t scratch[RESULTS_MAX];

	memcpy(inputs->results, inputs->values, inputs->n * sizeof(double));
	correct_holm(inputs->results, inputs->n, scratch);
}

static void run_correct_benjamini_hochberg(struct inputs *inputs)
{
	size_t scratch[RESULTS_MAX];

	memcpy(inputs->results, inputs->values, inputs->n * sizeof(double));
	correct_benjamini_hochberg(inputs->results, inputs->n, scratch);
}

static size_t n_units(const struct inputs *inputs)
{
	return json_object_array_length(member(inputs, "units"));
}

static void run_reliability_alpha(struct inputs *inputs)
{
	const size_t n_judges = inputs->n / n_units(inputs);
	struct reliability groups[4] = { { 0 } };

	for (size_t i = 0; i < n_units(inputs); i++) {
		double known[VALUES_MAX];
		size_t n = 0;

		for (size_t k = 0; k < n_judges; k++)
			if (!isnan(inputs->values[i * n_judges + k]))
				known[n++] = inputs->values[i * n_judges + k];
		reliability_add(&groups[i % 4], known, n);
	}
	take(inputs, reliability_alpha(groups, 4, inputs->confidence));
}

static void run_confusion(struct inputs *inputs)
{
	const double *v = inputs->values;
	const struct confusion confusion = { (int64_t)v[0], (int64_t)v[1], (int64_t)v[2], (int64_t)v[3] };

	inputs->results[0] = confusion_accuracy(&confusion);
	inputs->results[1] = confusion_kappa(&confusion);
}

static void run_confusion_kappa_estimate(struct inputs *inputs)
{
	const double *v = inputs->values;
	const struct confusion confusion = { (int64_t)v[0], (int64_t)v[1], (int64_t)v[2], (int64_t)v[3] };

	take(inputs, confusion_kappa_estimate(&confusion, inputs->confidence));
}

static void run_threshold_of_labels(struct inputs *inputs)
{
	struct labelled_score points[VALUES_MAX];

	for (size_t i = 0; i < inputs->n; i++) {
		int yes = json_object_get_int(json_object_array_get_idx(member(inputs, "labels"), i));

		points[i] = (struct labelled_score){ inputs->values[i], yes, !yes };
	}
	inputs->results[0] = threshold_of_labels(points, inputs->n, &inputs->results[1]);
}

static void run_bradley_terry(struct inputs *inputs)
{
	size_t n = (size_t)lround(sqrt((double)inputs->n));

	ck_assert(bradley_terry(inputs->values, n, number(member(inputs, "prior")), inputs->results));
}

static void run_bradley_terry_estimates(struct inputs *inputs)
{
	size_t n = (size_t)number(member(inputs, "players")), n_groups = inputs->n / (n * n);
	struct estimate strengths[RESULTS_MAX];
	double scratch[VALUES_MAX];

	ck_assert(bradley_terry_estimates(inputs->values, n_groups, n, number(member(inputs, "prior")),
					  inputs->confidence, strengths, scratch));
	for (size_t i = 0; i < n; i++) {
		double *results = inputs->results + 4 * i;

		results[0] = strengths[i].value;
		results[1] = strengths[i].error;
		results[2] = strengths[i].low;
		results[3] = strengths[i].high;
	}
}

static const struct {
	const char *name;
	void (*run)(struct inputs *inputs);
} functions[] = {
#define FUNCTION(name) { #name, run_##name }
	FUNCTION(normal_cdf), FUNCTION(normal_quantile), FUNCTION(t_cdf), FUNCTION(t_quantile),
	FUNCTION(binomial_cdf), FUNCTION(clusters_proportion), FUNCTION(clusters_mean),
	FUNCTION(pass_at_k), FUNCTION(sign_test), FUNCTION(differences_mean),
	FUNCTION(bootstrap_difference), FUNCTION(differences_effect),
	FUNCTION(correct_holm), FUNCTION(correct_benjamini_hochberg), FUNCTION(rows_for_difference),
	FUNCTION(difference_of_rows), FUNCTION(reliability_alpha),
	FUNCTION(confusion), FUNCTION(confusion_kappa_estimate), FUNCTION(threshold_of_labels),
	FUNCTION(bradley_terry), FUNCTION(bradley_terry_estimates),
};
#define N_FUNCTIONS (sizeof(functions) / sizeof(*functions))

static bool is_close(double found, double expected)
{
	if (isnan(expected))
		return isnan(found);
	return fabs(found - expected) <= CLOSE * fmax(fabs(expected), expected == 0 ? 1 : 0);
}

static void check_case(json_object *json, size_t *ret_function)
{
	struct inputs *inputs = calloc(1, sizeof(*inputs));
	const char *name;
	json_object *expected;

	inputs->json = json;
	name = json_object_get_string(member(inputs, "function"));
	expected = member(inputs, "expected");
	inputs->confidence = number(member(inputs, "confidence"));
	read_values(inputs, member(inputs, "values"));
	read_values(inputs, member(inputs, "units"));
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		if (strcmp(functions[i].name, name) == 0)
			*ret_function = i;
	ck_assert_uint_lt(*ret_function, N_FUNCTIONS);
	functions[*ret_function].run(inputs);
	ck_assert_uint_le(json_object_array_length(expected), RESULTS_MAX);
	for (size_t i = 0; i < json_object_array_length(expected); i++)
		ck_assert_msg(is_close(inputs->results[i],
				       number(json_object_array_get_idx(expected, i))),
			      "%.17g in place %zu of %s", inputs->results[i], i,
			      json_object_to_json_string(json));
	free(inputs);
}

START_TEST(references)
{
	json_object *cases = json_object_from_file(ELLU_REFERENCE);
	bool checked[N_FUNCTIONS] = { false };

	ck_assert_msg(cases != NULL, "%s", json_util_get_last_err());
	for (size_t i = 0; i < json_object_array_length(cases); i++) {
		size_t function = N_FUNCTIONS;

		check_case(json_object_array_get_idx(cases, i), &function);
		checked[function] = true;
	}
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		ck_assert_msg(checked[i], "%s", functions[i].name);
	json_object_put(cases);
}
END_TEST

START_TEST(nothing_is_known_of_nothing)
{
	const struct differences no_difference = { 0 };
	const struct clusters none = { 0 };
	struct clusters one = { 0 };

	ck_assert(isnan(clusters_proportion(&none, 0.95).value));
	ck_assert(isnan(clusters_mean(&none, 0.95).low));
	clusters_add(&one, 0.7, 1);
	ck_assert_double_eq(clusters_mean(&one, 0.95).value, 0.7);
	ck_assert(isnan(clusters_mean(&one, 0.95).error));
	ck_assert(isnan(differences_mean(&no_difference, 0.95).value));
	ck_assert(isnan(differences_effect(&no_difference)));
}
END_TEST

/* Whoever runs three rows three times, with the same answers, knows no more than of three rows. */
START_TEST(epochs_are_no_rows)
{
	struct clusters once = { 0 }, thrice = { 0 };
	struct estimate a, b;

	for (int i = 0; i < 3; i++) {
		clusters_add(&once, i > 0, 1);
		clusters_add(&thrice, i > 0 ? 3 : 0, 3);
	}
	a = clusters_proportion(&once, 0.95);
	b = clusters_proportion(&thrice, 0.95);
	ck_assert_double_eq(a.value, b.value);
	ck_assert_double_ge(b.high - b.low, a.high - a.low);
}
END_TEST

/* ---- Against the truth ---- */

#define EXPERIMENTS 10000

static uint64_t state;

static double draw(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* Rows differ: some are nearly always answered well, others nearly never. Their mean is `p`. */
static double draw_row(double p, double spread)
{
	return draw() < p ? 1 - spread * (1 - p) : spread * p;
}

/* Of experiments of 20 to 200 rows, whose truth lies anywhere but where next to all are right. */
static void check_coverage(int n_epochs, struct estimate (*estimate)(const struct clusters *, double))
{
	int covered = 0;

	state = (uint64_t)n_epochs;
	for (int i = 0; i < EXPERIMENTS; i++) {
		int n_rows = 20 + (int)(draw() * 181);
		double p = 0.05 + draw() * 0.9, spread = draw();
		struct clusters clusters = { 0 };
		struct estimate found;

		for (int row = 0; row < n_rows; row++) {
			double own = draw_row(p, spread), sum = 0;

			for (int epoch = 0; epoch < n_epochs; epoch++)
				sum += draw() < own;
			clusters_add(&clusters, sum, n_epochs);
		}
		found = estimate(&clusters, 0.95);
		covered += found.low <= p && p <= found.high;
	}
	ck_assert_msg(covered >= 0.93 * EXPERIMENTS && covered <= 0.97 * EXPERIMENTS,
		      "in %d epochs: %d of %d intervals have it", n_epochs, covered, EXPERIMENTS);
}

START_TEST(intervals_cover_the_truth)
{
	check_coverage(1, clusters_proportion);
	check_coverage(5, clusters_proportion);
	check_coverage(5, clusters_mean);
}
END_TEST

int main(void)
{
	return RUN_TESTS(references, nothing_is_known_of_nothing, epochs_are_no_rows,
			 intervals_cover_the_truth);
}
