#!/usr/bin/env python3
"""Makes statistics_reference.json: what other implementations say to the inputs of statistics_test.

    python3 -m venv VENV && VENV/bin/pip install scipy statsmodels krippendorff
    VENV/bin/python tests/unit/proto/statistics_reference.py > tests/unit/proto/statistics_reference.json
"""

import json
import math
import random

import krippendorff
import numpy as np
from scipy import optimize, stats
from statsmodels.api import OLS
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

cases = []
draw = random.Random(7)


def case(function, expected, **inputs):
    expected = expected if isinstance(expected, (list, tuple, np.ndarray)) else [expected]
    known = [None if math.isnan(x) else float(x) for x in expected]
    cases.append({"function": function, **inputs, "expected": known})


def distributions():
    for z in (-37, -8.2, -3, -1.96, -0.1, 0, 0.5, 2.3, 7):
        case("normal_cdf", stats.norm.cdf(z), values=[z])
    for p in (1e-12, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999):
        case("normal_quantile", stats.norm.ppf(p), values=[p])
        for df in (1, 2, 4.5, 29, 1000):
            case("t_quantile", stats.t.ppf(p, df), values=[p, df])
    for t, df in ((-4, 3), (-0.2, 1), (0, 7), (1.5, 12), (30, 2), (2, 1e6)):
        case("t_cdf", stats.t.cdf(t, df), values=[t, df])
    for k, n, p in ((-1, 5, 0.5), (0, 5, 0.5), (3, 10, 0.2), (480, 1000, 0.5), (7, 7, 0.9), (40, 5000, 0.01)):
        case("binomial_cdf", stats.binom.cdf(k, n, p), values=[k, n, p])


def proportions():
    for yes, n in ((0, 1), (1, 1), (7, 10), (0, 20), (333, 1000), (999999, 1000000)):
        low, high = proportion_confint(yes, n, alpha=0.05, method="wilson")
        p = yes / n
        case("clusters_proportion", [p, math.sqrt(p * (1 - p) / n), low, high],
             clusters=[[1, 1]] * yes + [[0, 1]] * (n - yes) if n <= 1000 else None,
             yes=yes, n=n, confidence=0.95)


def clustered(rows, function, confidence):
    y = np.array([v for row in rows for v in row], dtype=float)
    group = np.array([i for i, row in enumerate(rows) for _ in row])
    fit = OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": group})
    mean, error, n_rows = fit.params[0], fit.bse[0], len(rows)
    t = stats.t.ppf((1 + confidence) / 2, n_rows - 1)
    if function == "clusters_mean":
        expected = [mean, error, mean - t * error, mean + t * error]
    else:
        n = min(mean * (1 - mean) / error**2, len(y)) if error > 1e-12 else n_rows
        low, high = proportion_confint(mean * n, n, alpha=2 * stats.norm.sf(t), method="wilson")
        expected = [mean, math.sqrt(mean * (1 - mean) / n), low, high]
    case(function, expected, clusters=[[float(sum(row)), len(row)] for row in rows], confidence=confidence)


def clusters():
    for n_rows in (3, 20, 150):
        rows = []
        for _ in range(n_rows):
            p = draw.betavariate(2, 1)
            rows.append([int(draw.random() < p) for _ in range(draw.choice((1, 3, 5, 5)))])
        clustered(rows, "clusters_proportion", 0.95)
        clustered(rows, "clusters_mean", 0.9)
        clustered([[draw.gauss(v, 0.1) for v in row] for row in rows], "clusters_mean", 0.95)
    clustered([[1, 1, 1], [0, 0, 0], [1, 1, 1]], "clusters_proportion", 0.95)  # three times the same
    single = [[draw.random()] for _ in range(12)]
    clustered(single, "clusters_mean", 0.99)


def passes():
    for n, c, k in ((5, 0, 1), (5, 2, 1), (10, 3, 5), (10, 6, 5), (200, 17, 100), (3, 3, 3)):
        case("pass_at_k", 1 - math.comb(n - c, k) / math.comb(n, k), values=[n, c, k])
    case("pass_at_k", math.nan, values=[3, 1, 4])


def paired():
    for up, down in ((0, 0), (1, 0), (5, 5), (3, 12), (59, 6), (400, 451), (0, 40)):
        p = mcnemar([[0, up], [down, 0]], exact=True).pvalue if up + down else 1
        case("sign_test", p, values=[up, down])
        if up + down:
            assert abs(p - stats.binomtest(up, up + down).pvalue) < 1e-12
    for n in (2, 9, 60):
        values = [draw.choice((-1, 0, 0, 1)) + draw.random() / 8 for _ in range(n)]
        mean, error = np.mean(values), stats.sem(values)
        low, high = stats.t.interval(0.95, n - 1, mean, error)
        case("differences_mean", [mean, error, low, high], values=values, confidence=0.95)
        case("differences_effect", mean / np.std(values, ddof=1), values=values)
        bootstrap(values, 12345 + n, 400, 0.9)


def splitmix(state):
    mask = 2**64 - 1
    while True:
        state = state + 0x9E3779B97F4A7C15 & mask
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        yield z ^ z >> 31


def bootstrap(values, seed, n_samples, confidence):
    random64 = splitmix(seed)
    means = [np.mean([values[next(random64) % len(values)] for _ in values]) for _ in range(n_samples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    case("bootstrap_difference", [np.mean(values), np.std(means, ddof=1), low, high], values=values,
         seed=seed, n_samples=n_samples, confidence=confidence)


def corrections():
    for p in ([0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.9, 0.0001, 0.02, 0.021, 0.6], [1, 1, 0.4]):
        case("correct_holm", multipletests(p, method="holm")[1], values=p)
        case("correct_benjamini_hochberg", multipletests(p, method="fdr_bh")[1], values=p)
    case("correct_holm", [0.02, math.nan, 0.03], values=[0.01, None, 0.03])


def powers():
    for d, discordant, power in ((0.1, 0.3, 0.8), (-0.05, 0.2, 0.9), (0.2, 0.2, 0.8)):
        z, b = stats.norm.ppf(0.975), stats.norm.ppf(power)
        n = (z * math.sqrt(discordant) + b * math.sqrt(discordant - d * d)) ** 2 / d**2
        case("rows_for_difference", math.ceil(n), values=[d, discordant, 0.95, power])
    case("rows_for_difference", math.nan, values=[0.3, 0.2, 0.95, 0.8])
    for d, deviation, power in ((0.1, 0.4, 0.8), (0.02, 0.25, 0.95)):
        # Without the other tail, which statsmodels has.
        shown = (stats.norm.ppf(0.975) + stats.norm.ppf(power)) * deviation / 10
        case("difference_of_rows", shown, values=[100, deviation, 0.95, power])


def agreement():
    # K. Krippendorff's example of three coders; nominal 0.691, interval 0.811 as published.
    published = [
        "*    *    *    *    *    3    4    1    2    1    1    3    3    *    3",
        "1    *    2    1    3    3    4    3    *    *    *    *    *    *    *",
        "*    *    2    1    3    4    4    *    2    1    1    3    3    *    4"]
    coders = [[math.nan if v == "*" else float(v) for v in line.split()] for line in published]
    random_ones = [[draw.choice((0.0, 0.25, 0.5, 0.75, 1.0, math.nan)) for _ in range(40)] for _ in range(4)]
    verdicts = [[float(draw.random() < 0.3 + 0.5 * (i % 2)) for i in range(30)] for _ in range(2)]
    for data in (coders, random_ones, verdicts):
        units = [[None if math.isnan(v) else v for v in unit] for unit in zip(*data)]
        alpha = krippendorff.alpha(reliability_data=data, level_of_measurement="interval")
        if data is coders:
            assert round(alpha, 3) == 0.811
        if data is verdicts:
            assert alpha == krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
        left = [krippendorff.alpha(reliability_data=[[v for i, v in enumerate(judge) if i % 4 != group]
                                                     for judge in data], level_of_measurement="interval")
                for group in range(4)]
        error = math.sqrt(3 / 4 * sum((a - np.mean(left)) ** 2 for a in left))
        half = stats.t.ppf(0.975, 3) * error
        case("reliability_alpha", [alpha, error, alpha - half, alpha + half], units=units, confidence=0.95)
    case("reliability_alpha", [math.nan] * 4, units=[[1, None], [None, 2]], confidence=0.95)
    case("reliability_alpha", [1, 0, 1, 1], units=[[2, 2], [2, 2]], confidence=0.95)
    # J. Cohen's measure in the usual worked example of 50 proposals: 0.7 and 0.4.
    for table in ((20, 5, 10, 15), (45, 15, 25, 15), (9, 0, 0, 9), (0, 8, 8, 0), (100, 3, 1, 7)):
        a, b, c, d = table
        accuracy = (a + d) / sum(table)
        kappa = cohens_kappa([[a, b], [c, d]])
        case("confusion", [accuracy, kappa.kappa], values=list(table))
        case("confusion_kappa_estimate",
             [kappa.kappa, kappa.std_kappa, max(-1, kappa.kappa_low), min(1, kappa.kappa_upp)],
             values=list(table), confidence=0.95)
    case("confusion", [math.nan, math.nan], values=[0, 0, 0, 0])
    case("confusion", [1, math.nan], values=[5, 0, 0, 0])


def thresholds():
    for n in (2, 7, 80):
        labels = [i % 3 == 0 for i in range(n)]
        scores = [round(draw.gauss(0.6 if yes else 0.4, 0.2), 2) for yes in labels]
        best = max(sorted(set(scores), reverse=True), key=lambda t: youden(scores, labels, t))
        case("threshold_of_labels", [best, youden(scores, labels, best)], values=scores,
             labels=[int(yes) for yes in labels])
    case("threshold_of_labels", [math.nan, math.nan], values=[0.1, 0.9], labels=[1, 1])


def youden(scores, labels, threshold):
    right = sum(s >= threshold for s, yes in zip(scores, labels) if yes) / sum(labels)
    wrong = sum(s >= threshold for s, yes in zip(scores, labels) if not yes) / (len(labels) - sum(labels))
    return right - wrong


def some_wins(n):
    wins = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                wins[i, j] = draw.randrange(10) + draw.choice((0, 0.5))
    return wins


def strengths_of(wins, prior):
    def slope(strengths):
        won = wins.sum(axis=1) + prior / 2
        chance = 1 / (1 + np.exp(-(strengths[:, None] - strengths[None, :])))
        alone = 1 / (1 + np.exp(-strengths))
        return won - ((wins + wins.T) * chance).sum(axis=1) - prior * alone

    found = optimize.root(slope, np.zeros(len(wins)), tol=1e-14)
    assert np.abs(slope(found.x)).max() < 1e-11
    return found.x


def rankings():
    for n, prior in ((2, 1), (4, 0.5), (7, 2)):
        wins = some_wins(n)
        case("bradley_terry", strengths_of(wins, prior), values=wins.flatten().tolist(), prior=prior)
    for n, n_groups in ((2, 20), (3, 7), (4, 1), (2, 5)):
        groups = [some_wins(n) for _ in range(n_groups)] + [np.zeros((n, n))]
        if n_groups == 5:  # all alike
            groups[:5] = [np.array([[0, 2], [2, 0]])] * 5
        strengths = strengths_of(sum(groups), 1)
        without = np.array([strengths_of(sum(groups) - group, 1) for group in groups if group.any()])
        error = np.sqrt(((without - without.mean(axis=0)) ** 2).sum(axis=0) * (n_groups - 1) / n_groups)
        error = np.where(error > 1e-9, error, math.nan)
        half = stats.t.ppf(0.975, n_groups - 1) * error if n_groups > 1 else np.full(n, math.nan)
        case("bradley_terry_estimates",
             [x for found in zip(strengths, error, strengths - half, strengths + half) for x in found],
             values=np.array(groups).flatten().tolist(), players=n, prior=1, confidence=0.95)


for part in (distributions, proportions, clusters, passes, paired, corrections, powers, agreement, thresholds,
             rankings):
    part()
print("[")
print(",\n".join(json.dumps(c) for c in cases))
print("]")
