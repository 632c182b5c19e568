/*
 * How sure figures are. Pure functions of their arguments; memory is the caller's, who also may
 * call them on any thread. Where something cannot be known it is NAN, never 0.
 *
 * Rows are what experiments draw at random. Several epochs of one row are one cluster: they say
 * less than as many rows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct estimate {
	double value;
	double error; // standard error
	double low, high; // of the interval
};

/* ---- Means ---- */

/* What is known of clusters once each was counted; it can be added up in any order. */
struct clusters {
	int64_t n; // that have a value
	int64_t n_values;
	double sum; // of the values
	double sum_squared; // of clusters' sums, squared
	double sum_size; // of clusters' sums times their sizes
	double size_squared; // of clusters' sizes, squared
};
/* A cluster of `size` values with that sum; one without any says nothing. */
void clusters_add(struct clusters *clusters, double sum, int64_t size);
/* Takes back one that was added. */
void clusters_remove(struct clusters *clusters, double sum, int64_t size);

/* The share of values that are 1, where values are 0 or 1, with the interval of that confidence, by
 * Wilson's score. Where clusters have several values: with as many values as would say the same if
 * they were independent, and Student's t in place of the normal distribution.
 * Source: E. B. Wilson, JASA 22 (1927); L. Kish, Survey Sampling (1965), on design effects; E. L. Korn,
 * B. I. Graubard, Survey Methodology 24 (1998). */
struct estimate clusters_proportion(const struct clusters *clusters, double confidence);
/* The mean of values, with Student's t and the error of a ratio. Source: W. G. Cochran, Sampling
 * Techniques (1977), 6.4. One cluster has no error. */
struct estimate clusters_mean(const struct clusters *clusters, double confidence);

/* The probability that at least one of k tries succeeds, when c of n did; NAN for k > n.
 * Source: M. Chen et al., Evaluating Large Language Models Trained on Code (2021). */
double pass_at_k(int64_t n, int64_t c, int64_t k);

/* ---- Two of the same rows ---- */

/* The two-sided p-value of McNemar's exact test, which is that of a sign test: so many rows went
 * up, so many down. 1 where none went anywhere. */
double sign_test(int64_t up, int64_t down);
/* What is known of rows' differences once each was added. */
struct differences {
	int64_t n;
	int64_t n_up, n_down;
	double mean;
	double spread; // squares of what lies between them and their mean
};
void differences_add(struct differences *differences, double difference);
/* Their mean, with the error of independent rows and Student's t. */
struct estimate differences_mean(const struct differences *differences, double confidence);
/* The mean over the standard deviation: Cohen's d of paired values. NAN where all are alike. */
double differences_effect(const struct differences *differences);
/* The same with the interval's ends taken from so many samples of rows, drawn with replacement by a
 * generator that begins at `seed`. `scratch` has room for n_samples. Source: B. Efron, R. Tibshirani,
 * An Introduction to the Bootstrap (1993), 13.3. */
struct estimate bootstrap_difference(const double *differences, size_t n, double confidence,
				     uint64_t seed, double *scratch, size_t n_samples);

/* Makes p-values, all of one question, what they are when so many were looked at; NAN stays.
 * `scratch` has room for n. Sources: S. Holm, Scand. J. Statist. 6 (1979); Y. Benjamini, Y. Hochberg,
 * J. R. Statist. Soc. B 57 (1995). */
void correct_holm(double *p, size_t n, size_t *scratch);
void correct_benjamini_hochberg(double *p, size_t n, size_t *scratch);

/* ---- How many rows ---- */

/* So many rows are needed to see, with that power, a difference of two proportions on the same rows,
 * of which the share `discordant` goes up or down: a two-sided test at 1 - confidence. NAN where that
 * cannot be. Source: R. J. Connor, Biometrics 43 (1987). */
double rows_for_difference(double difference, double discordant, double confidence, double power);
/* The difference of means of paired values, with that standard deviation of the differences, that so
 * many rows show. */
double difference_of_rows(double n, double deviation, double confidence, double power);

/* ---- Agreement ---- */


/* What is known of units, each of which several judges gave a value; it can be added up in any order. */
struct reliability {
	int64_t n; // values that can be compared: of units that have two at least
	double sum, sum_squared; // of those
	double within; // squared differences within units, each over its number of values less one
};
void reliability_add(struct reliability *reliability, const double *values, size_t n);
/* Krippendorff's alpha of values on a scale, or that are 0 or 1; with several groups of units its error by
 * leaving out one group after the other, and Student's t. NAN where no two can be compared; 1 where all are
 * one value. Sources: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011); P. S. Kott, J.
 * Official Statist. 17 (2001), on the delete-a-group jackknife. */
struct estimate reliability_alpha(const struct reliability *groups, size_t n_groups, double confidence);

/* Verdicts of a judge beside those that hold. */
struct confusion {
	int64_t yes_yes; // the judge says YES, and it holds
	int64_t yes_no;
	int64_t no_yes;
	int64_t no_no;
};
double confusion_accuracy(const struct confusion *confusion);
/* Cohen's kappa: agreement beyond what chance gives. Source: J. Cohen, Educational and Psychological
 * Measurement 20 (1960). */
double confusion_kappa(const struct confusion *confusion);
/* Its standard error in large samples, and the interval by the normal distribution, within what it can
 * be. Source: J. L. Fleiss, J. Cohen, B. S. Everitt, Psychological Bulletin 72 (1969). */
struct estimate confusion_kappa_estimate(const struct confusion *confusion, double confidence);

/* The score from which on things are to count as YES, so that most of both labels are right (Youden's
 * J, of which the largest score is taken where several do as well). NAN without both labels. Sorts
 * the points. */
struct labelled_score {
	double score;
	int64_t yes, no; // so many have it
};
double threshold_of_labels(struct labelled_score *points, size_t n, double *ret_j);

/* ---- Rankings ---- */

/* Strengths of n players of the Bradley-Terry model, as natural logarithms: wins[i * n + j] is how
 * often i was preferred to j, a tie half for each. Each also has met one of strength 0, `prior` > 0
 * times, with a tie: so whoever won or lost all has a strength, and those who never met can be
 * compared. False: it did not converge. Source: D. R. Hunter, Annals of Statistics 32 (2004). */
bool bradley_terry(const double *wins, size_t n, double prior, double *ret_strengths);
/* The same of groups of what the players met in, a matrix of wins each, with the error by leaving out one
 * of them after the other, and Student's t; NAN where all groups say the same. `scratch` has room for n * (n + 1 + n_groups). Source: P. S.
 * Kott, see reliability_alpha(). */
bool bradley_terry_estimates(const double *groups, size_t n_groups, size_t n, double prior, double confidence,
			     struct estimate *ret_strengths, double *scratch);
