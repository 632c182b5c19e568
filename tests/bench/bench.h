/*
 * What benchmarks share: a line for each figure, medians, the processor time of a process, and
 * experiments of many rows.
 *
 * Figures are ratios of two things measured in the same run, so that they hold on any machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/harness/daemon.h"
#include "tests/harness/wire.h"

enum bench_kind { BENCH_AT_MOST, BENCH_AT_LEAST };

/* Prints the figure with its bound, ok or short, and how it came about. True when it is ok. */
bool bench_figure(const char *name, double measured, enum bench_kind kind, double bound,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Sorts the values. */
double bench_median(double *values, size_t n);
/* The least of them; of few values it is the largest. Sorts them, too. */
double bench_slowest_hundredth(double *values, size_t n);

/* User and system time that all threads of the process have used; 0 is the calling process. */
double bench_cpu_seconds(pid_t pid);

/* Processor time that a fixed piece of work takes now, on this thread: what is measured some time
 * apart is divided by it, since other work on the machine makes that slower or faster. */
double bench_yardstick_seconds(void);

/* ceil(a / b) for the rounds that `a` calls need at `b` at once. */
static inline uint64_t bench_rounds(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* How long something took, and what the endpoint's latency and the allowed concurrency dictate. */
struct bench_wall {
	double wall, ideal, latency; // seconds; a call's latency as the endpoint measured it
	double cpu; // that the daemon took meanwhile
	uint64_t n_calls;
};

/* The one of a few that came nearest to what is dictated: other work on the machine only adds to it. */
#define BENCH_RUNS 3
struct bench_wall bench_least(struct bench_wall (*measure)(void));

/* A collection of rows {"topic": "topic N", "number": N}, uploaded in one go. */
void bench_upload_rows(struct wire *wire, const char *collection, unsigned n_rows);

#define BENCH_CRITERIA 2

/* Further members of a config: limits that are far away, and prices. */
#define BENCH_LIMITS                                                                     \
	",\"requests_per_minute\":1000000000,\"tokens_per_minute\":1000000000,"           \
	"\"requests_per_day\":1000000000,\"tokens_per_day\":1000000000000,"               \
	"\"price_input\":\"1\",\"price_output\":\"2\""

/* Parameters of RunExperiment: a haiku for each row of the collection, judged by BENCH_CRITERIA
 * criteria, at the endpoint by so many connections. `config` is empty, or further members of it. */
char *bench_experiment(const char *collection, const char *url, unsigned n_connections,
		       const char *config);

/* Runs an experiment and watches it to its end, which must be SUCCESS. */
void bench_run_experiment(struct wire *wire, const char *parameters);

/* What many experiments may refer to by `name`: a template, a collection of so many rows and a
 * config of the endpoint; and a set of one criterion, "NAME criteria". */
void bench_shared_parts(const struct daemon *daemon, const char *name, const char *url,
			unsigned n_connections, unsigned n_rows);
