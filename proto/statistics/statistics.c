#include "proto/statistics/statistics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/statistics/distributions.h"

#define RANKING_STEPS_MAX 100000
#define RANKING_CLOSE 1e-13
#define RANKING_ALIKE 1e-9 // of a strength: rounding, and no difference

/* The value up to which the probability is the confidence, and half of what is missing to 1. */
static double upper(double confidence)
{
	return (1 + confidence) / 2;
}

/* ---- Means ---- */

static void clusters_move(struct clusters *clusters, double sum, int64_t size, int by)
{
	double n = (double)size;

	if (size <= 0)
		return;
	clusters->n += by;
	clusters->n_values += by * size;
	clusters->sum += by * sum;
	clusters->sum_squared += by * sum * sum;
	clusters->sum_size += by * sum * n;
	clusters->size_squared += by * n * n;
}

void clusters_add(struct clusters *clusters, double sum, int64_t size)
{
	clusters_move(clusters, sum, size, 1);
}

void clusters_remove(struct clusters *clusters, double sum, int64_t size)
{
	clusters_move(clusters, sum, size, -1);
}

static struct estimate unknown(void)
{
	return (struct estimate){ NAN, NAN, NAN, NAN };
}

/* The squared error of the mean, by how the clusters' sums lie about their sizes' part. */
static double squared_error(const struct clusters *clusters, double mean)
{
	double n = (double)clusters->n, n_values = (double)clusters->n_values;
	double spread = clusters->sum_squared - 2 * mean * clusters->sum_size +
			mean * mean * clusters->size_squared;

	return clusters->n < 2 ? NAN : fmax(0, spread) / (n_values * n_values) * n / (n - 1);
}

static struct estimate wilson(double p, double n, double z)
{
	double z2 = z * z / n, middle = (p + z2 / 2) / (1 + z2);
	double half = z / (1 + z2) * sqrt(p * (1 - p) / n + z2 / (4 * n));

	/* Rounding must not carry the ends past what a proportion can be. */
	return (struct estimate){
		.value = p,
		.error = sqrt(p * (1 - p) / n),
		.low = p == 0 ? 0 : fmax(0, middle - half),
		.high = p == 1 ? 1 : fmin(1, middle + half),
	};
}

struct estimate clusters_proportion(const struct clusters *clusters, double confidence)
{
	double n = (double)clusters->n_values, z = normal_quantile(upper(confidence));
	double p = clusters->sum / n, error, effective;

	if (clusters->n_values == 0)
		return unknown();
	if (clusters->n == clusters->n_values)
		return wilson(p, n, z);
	error = squared_error(clusters, p);
	/* One cluster, or values that are all alike, say no more than one value each. */
	effective = error > 0 ? p * (1 - p) / error : (double)clusters->n;
	if (clusters->n > 1)
		z = t_quantile(upper(confidence), (double)clusters->n - 1);
	return wilson(p, fmin(effective, n), z);
}

static struct estimate interval_of(double value, double error, int64_t n, double confidence)
{
	double half = n < 2 ? NAN : error * t_quantile(upper(confidence), (double)n - 1);

	return (struct estimate){ value, error, value - half, value + half };
}

struct estimate clusters_mean(const struct clusters *clusters, double confidence)
{
	double mean = clusters->sum / (double)clusters->n_values;

	if (clusters->n_values == 0)
		return unknown();
	return interval_of(mean, sqrt(squared_error(clusters, mean)), clusters->n, confidence);
}

static double mean_of(const double *values, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return n ? sum / (double)n : NAN;
}

double pass_at_k(int64_t n, int64_t c, int64_t k)
{
	double none = 1;

	if (k > n || k < 1 || c < 0 || c > n)
		return NAN;
	if (n - c < k)
		return 1;
	for (int64_t i = n - c + 1; i <= n; i++)
		none *= 1 - (double)k / (double)i;
	return 1 - none;
}

/* ---- Two of the same rows ---- */

double sign_test(int64_t up, int64_t down)
{
	return fmin(1, 2 * binomial_cdf(up < down ? up : down, up + down, 0.5));
}

static double deviation_of(const double *values, size_t n, double mean)
{
	double spread = 0;

	for (size_t i = 0; i < n; i++)
		spread += (values[i] - mean) * (values[i] - mean);
	return n < 2 ? NAN : sqrt(spread / (double)(n - 1));
}

/* Source: B. P. Welford, Technometrics 4 (1962). */
void differences_add(struct differences *differences, double difference)
{
	double from = difference - differences->mean;

	differences->n++;
	differences->n_up += difference > 0;
	differences->n_down += difference < 0;
	differences->mean += from / (double)differences->n;
	differences->spread += from * (difference - differences->mean);
}

static double differences_deviation(const struct differences *differences)
{
	return differences->n < 2 ? NAN : sqrt(differences->spread / (double)(differences->n - 1));
}

struct estimate differences_mean(const struct differences *differences, double confidence)
{
	double error = differences_deviation(differences) / sqrt((double)differences->n);

	if (differences->n == 0)
		return unknown();
	return interval_of(differences->mean, error, differences->n, confidence);
}

double differences_effect(const struct differences *differences)
{
	double deviation = differences_deviation(differences);

	return deviation > 0 ? differences->mean / deviation : NAN;
}

/* SplitMix64. Source: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Between the two that are next to it. */
static double sorted_quantile(const double *sorted, size_t n, double p)
{
	double at = p * (double)(n - 1);
	size_t i = (size_t)at;

	return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

struct estimate bootstrap_difference(const double *differences, size_t n, double confidence,
				     uint64_t seed, double *scratch, size_t n_samples)
{
	double mean = mean_of(differences, n);

	if (n < 2 || n_samples < 2)
		return (struct estimate){ mean, NAN, NAN, NAN };
	for (size_t i = 0; i < n_samples; i++) {
		double sum = 0;

		for (size_t j = 0; j < n; j++)
			sum += differences[next_random(&seed) % n];
		scratch[i] = sum / (double)n;
	}
	qsort(scratch, n_samples, sizeof(*scratch), compare_doubles);
	return (struct estimate){
		.value = mean,
		.error = deviation_of(scratch, n_samples, mean_of(scratch, n_samples)),
		.low = sorted_quantile(scratch, n_samples, 1 - upper(confidence)),
		.high = sorted_quantile(scratch, n_samples, upper(confidence)),
	};
}

/* The places of the p-values that are known, from the smallest to the largest; returns how many. */
static size_t order_of(const double *p, size_t n, size_t *order)
{
	size_t n_known = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = n_known;

		if (isnan(p[i]))
			continue;
		for (; at > 0 && p[order[at - 1]] > p[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n_known++;
	}
	return n_known;
}

void correct_holm(double *p, size_t n, size_t *scratch)
{
	size_t n_known = order_of(p, n, scratch);
	double largest = 0;

	for (size_t i = 0; i < n_known; i++) {
		largest = fmin(1, fmax(largest, p[scratch[i]] * (double)(n_known - i)));
		p[scratch[i]] = largest;
	}
}

void correct_benjamini_hochberg(double *p, size_t n, size_t *scratch)
{
	size_t n_known = order_of(p, n, scratch);
	double smallest = 1;

	for (size_t i = n_known; i-- > 0;) {
		smallest = fmin(smallest, p[scratch[i]] * (double)n_known / (double)(i + 1));
		p[scratch[i]] = smallest;
	}
}

/* ---- How many rows ---- */

double rows_for_difference(double difference, double discordant, double confidence, double power)
{
	double d = fabs(difference), root;

	if (!(d > 0) || discordant < d || discordant > 1)
		return NAN;
	root = normal_quantile(upper(confidence)) * sqrt(discordant) +
	       normal_quantile(power) * sqrt(discordant - d * d);
	return ceil(root * root / (d * d));
}

double difference_of_rows(double n, double deviation, double confidence, double power)
{
	double sum = normal_quantile(upper(confidence)) + normal_quantile(power);

	return n > 0 ? sum * deviation / sqrt(n) : NAN;
}

/* ---- Agreement ---- */

#define WITHIN_CLOSE 1e-12 // of a value: rounding, and no difference

void reliability_add(struct reliability *reliability, const double *values, size_t n)
{
	double sum = 0, squared = 0;

	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++) {
		sum += values[i];
		squared += values[i] * values[i];
	}
	reliability->n += (int64_t)n;
	reliability->sum += sum;
	reliability->sum_squared += squared;
	reliability->within += fmax(0, 2 * ((double)n * squared - sum * sum)) / (double)(n - 1);
}

static void reliability_join(struct reliability *all, const struct reliability *one, int sign)
{
	all->n += sign * one->n;
	all->sum += sign * one->sum;
	all->sum_squared += sign * one->sum_squared;
	all->within += sign * one->within;
}

static double alpha_of(const struct reliability *all)
{
	double n = (double)all->n, between = 2 * (n * all->sum_squared - all->sum * all->sum);

	if (all->n < 2)
		return NAN;
	if (all->within <= n * WITHIN_CLOSE)
		return 1;
	return 1 - (n - 1) * all->within / between;
}

struct estimate reliability_alpha(const struct reliability *groups, size_t n_groups, double confidence)
{
	struct reliability all = { 0 };
	double mean = 0, spread = 0, alpha;
	int64_t n = 0;

	for (size_t i = 0; i < n_groups; i++) {
		reliability_join(&all, &groups[i], 1);
		n += groups[i].n > 0;
	}
	alpha = alpha_of(&all);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n_groups; i++) {
			struct reliability rest = all;
			double without;

			if (groups[i].n == 0)
				continue;
			reliability_join(&rest, &groups[i], -1);
			without = alpha_of(&rest);
			if (pass == 0)
				mean += without / (double)n;
			else
				spread += (without - mean) * (without - mean);
		}
	return interval_of(alpha, sqrt(spread * (double)(n - 1) / (double)n), n, confidence);
}

static double confusion_total(const struct confusion *confusion)
{
	return (double)(confusion->yes_yes + confusion->yes_no + confusion->no_yes +
			confusion->no_no);
}

double confusion_accuracy(const struct confusion *confusion)
{
	double n = confusion_total(confusion);

	return n > 0 ? (double)(confusion->yes_yes + confusion->no_no) / n : NAN;
}

double confusion_kappa(const struct confusion *confusion)
{
	double n = confusion_total(confusion);
	double says_yes = (double)(confusion->yes_yes + confusion->yes_no);
	double is_yes = (double)(confusion->yes_yes + confusion->no_yes);
	double chance = (says_yes * is_yes + (n - says_yes) * (n - is_yes)) / (n * n);

	return n > 0 && chance < 1 ? (confusion_accuracy(confusion) - chance) / (1 - chance) : NAN;
}

struct estimate confusion_kappa_estimate(const struct confusion *confusion, double confidence)
{
	double kappa = confusion_kappa(confusion), n = confusion_total(confusion), left = 1 - kappa;
	double yes = (double)(confusion->yes_yes + confusion->yes_no) / n; // as the judge says, below as it is
	double is_yes = (double)(confusion->yes_yes + confusion->no_yes) / n;
	double chance = yes * is_yes + (1 - yes) * (1 - is_yes);
	double alike = (double)confusion->yes_yes / n * pow(1 - (yes + is_yes) * left, 2) +
		       (double)confusion->no_no / n * pow(1 - (2 - yes - is_yes) * left, 2);
	double unlike = (double)confusion->yes_no / n * pow(is_yes + 1 - yes, 2) +
			(double)confusion->no_yes / n * pow(1 - is_yes + yes, 2);
	double error, half;

	if (isnan(kappa))
		return unknown();
	error = sqrt(fmax(0, alike + left * left * unlike - pow(kappa - chance * left, 2)) / n) / (1 - chance);
	half = error * normal_quantile(upper(confidence));
	return (struct estimate){ kappa, error, fmax(-1, kappa - half), fmin(1, kappa + half) };
}

/* The largest score first. */
static int compare_points(const void *a, const void *b)
{
	const struct labelled_score *x = a, *y = b;

	return (x->score < y->score) - (x->score > y->score);
}

double threshold_of_labels(struct labelled_score *points, size_t n, double *ret_j)
{
	double n_yes = 0, n_no = 0, right = 0, wrong = 0, best = -INFINITY, threshold = NAN;

	for (size_t i = 0; i < n; i++) {
		n_yes += (double)points[i].yes;
		n_no += (double)points[i].no;
	}
	*ret_j = NAN;
	if (n_yes == 0 || n_no == 0)
		return NAN;
	qsort(points, n, sizeof(*points), compare_points);
	for (size_t i = 0; i < n; i++) {
		double j;

		right += (double)points[i].yes;
		wrong += (double)points[i].no;
		if (i + 1 < n && points[i + 1].score == points[i].score)
			continue;
		j = right / n_yes - wrong / n_no;
		if (j > best) {
			best = j;
			threshold = points[i].score;
		}
	}
	*ret_j = best;
	return threshold;
}

/* ---- Rankings ---- */

/* One step towards the likeliest strengths, which are no logarithms here. Returns the largest change. */
static double ranking_step(const double *wins, size_t n, double prior, double *strengths)
{
	double change = 0;

	for (size_t i = 0; i < n; i++) {
		double won = prior / 2, met = prior / (strengths[i] + 1), next;

		for (size_t j = 0; j < n; j++) {
			if (j == i)
				continue;
			won += wins[i * n + j];
			met += (wins[i * n + j] + wins[j * n + i]) / (strengths[i] + strengths[j]);
		}
		next = won / met;
		change = fmax(change, fabs(log(next) - log(strengths[i])));
		strengths[i] = next;
	}
	return change;
}

bool bradley_terry(const double *wins, size_t n, double prior, double *ret_strengths)
{
	double change = INFINITY;

	for (size_t i = 0; i < n; i++)
		ret_strengths[i] = 1;
	for (int i = 0; i < RANKING_STEPS_MAX && change > RANKING_CLOSE && !isnan(change); i++)
		change = ranking_step(wins, n, prior, ret_strengths);
	for (size_t i = 0; i < n; i++)
		ret_strengths[i] = log(ret_strengths[i]);
	return change <= RANKING_CLOSE;
}

static void wins_join(double *all, const double *group, size_t n, double sign)
{
	for (size_t i = 0; i < n * n; i++)
		all[i] += sign * group[i];
}

static bool wins_are_none(const double *group, size_t n)
{
	for (size_t i = 0; i < n * n; i++)
		if (group[i] > 0)
			return false;
	return true;
}

/* Values of all groups but one, one after the other, in `without`: how far they lie from their mean. */
static double jackknife_error(const double *without, size_t stride, size_t n)
{
	double mean = 0, spread = 0;

	for (size_t i = 0; i < n; i++)
		mean += without[i * stride] / (double)n;
	for (size_t i = 0; i < n; i++)
		spread += (without[i * stride] - mean) * (without[i * stride] - mean);
	return sqrt(spread * (double)(n - 1) / (double)n);
}

bool bradley_terry_estimates(const double *groups, size_t n_groups, size_t n, double prior, double confidence,
			     struct estimate *ret_strengths, double *scratch)
{
	double *all = scratch, *strengths = all + n * n, *without = strengths + n;
	size_t n_left_out = 0;

	memset(all, 0, n * n * sizeof(*all));
	for (size_t i = 0; i < n_groups; i++)
		wins_join(all, groups + i * n * n, n, 1);
	if (!bradley_terry(all, n, prior, strengths))
		return false;
	for (size_t i = 0; i < n_groups; i++) {
		const double *group = groups + i * n * n;

		if (wins_are_none(group, n))
			continue;
		wins_join(all, group, n, -1);
		if (!bradley_terry(all, n, prior, without + n_left_out++ * n))
			return false;
		wins_join(all, group, n, 1);
	}
	for (size_t i = 0; i < n; i++) {
		double error = jackknife_error(without + i, n, n_left_out);

		ret_strengths[i] = interval_of(strengths[i], error > RANKING_ALIKE ? error : NAN,
					       (int64_t)n_left_out, confidence);
	}
	return true;
}
