#include "tests/bench/bench.h"

#include <json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/limits.h"
#include "tests/harness/harness.h"
#include "tests/harness/json.h"

bool bench_figure(const char *name, double measured, enum bench_kind kind, double bound,
		  const char *format, ...)
{
	bool ok = kind == BENCH_AT_MOST ? measured <= bound : measured >= bound;
	va_list arguments;

	printf("%-18s %8.3f  %s %-6.4g %-5s  ", name, measured,
	       kind == BENCH_AT_MOST ? "<=" : ">=", bound, ok ? "ok" : "short");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	return ok;
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

double bench_median(double *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_slowest_hundredth(double *values, size_t n)
{
	if (n == 0)
		return 0;
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[n - 1 - n / 100];
}

double bench_cpu_seconds(pid_t pid)
{
	struct timespec used;
	clockid_t clock;
	int r = clock_getcpuclockid(pid, &clock);

	if (r != 0)
		die("process %d: %s", (int)pid, strerror(r));
	if (clock_gettime(clock, &used) < 0)
		die("process %d has ended", (int)pid);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

#define YARDSTICK_VALUES 2000 // about a millisecond

double bench_yardstick_seconds(void)
{
	static char *work;
	struct timespec begin, end;

	if (!work) {
		size_t size;
		FILE *out = open_memstream(&work, &size);

		if (!out)
			die("out of memory");
		for (int i = 0; i < YARDSTICK_VALUES; i++)
			fprintf(out, "%s{\"number\":%d,\"text\":\"text %d\"}", i ? "," : "[", i, i);
		fputc(']', out);
		fclose(out);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	json_object_put(json_tokener_parse(work));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

struct bench_wall bench_least(struct bench_wall (*measure)(void))
{
	struct bench_wall least = measure();

	for (int i = 1; i < BENCH_RUNS; i++) {
		struct bench_wall run = measure();

		if (run.wall / run.ideal < least.wall / least.ideal)
			least = run;
	}
	return least;
}

void bench_upload_rows(struct wire *wire, const char *collection, unsigned n_rows)
{
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'%s'}}",
				  collection));
	for (unsigned i = 0; i < n_rows;) {
		size_t size;
		char *rows;
		FILE *out = open_memstream(&rows, &size);

		if (!out)
			die("out of memory");
		for (unsigned k = 0; k < ROWS_MAX && i < n_rows; k++, i++)
			fprintf(out, "%s{\"topic\":\"topic %u\",\"number\":%u}", k ? "," : "", i, i);
		fclose(out);
		json_object_put(wire_call(wire, "AddTemplateVariables",
					  "{'collection':{'name':'%s'},'variables':[%s],"
					  "'upload_id':'rows','commit':%s}",
					  collection, rows, i == n_rows ? "true" : "false"));
		free(rows);
	}
}

char *bench_experiment(const char *collection, const char *url, unsigned n_connections,
		       const char *config)
{
	return quoted("{'name':'%s','prompt_template':{'content':{'name':'Haiku','messages':["
		      "{'role':'user','content':'Write a haiku about {{topic}}.'}]}},"
		      "'collection':{'ref':{'name':'%s'}},"
		      "'criteria':['Is it a haiku of three lines?','Is it about {{topic}}?'],"
		      "'llm_config':{'content':{'name':'endpoint','provider':'openai',"
		      "'llm_model_name':'model','llm_base_url':'%s','max_connections':%u%s}}}",
		      collection, collection, url, n_connections, config);
}

void bench_run_experiment(struct wire *wire, const char *parameters)
{
	json_object *reply;
	bool continues;

	wire_start(wire, "'more':true", "RunExperiment", "%s", parameters);
	do {
		reply = wire_next(wire);
		continues = at_has(reply, "continues") && at_bool(reply, "continues");
		if (!continues && !at_is(reply, "parameters.event.status", "SUCCESS"))
			die("the experiment ended: %s", json_object_to_json_string(reply));
		json_object_put(reply);
	} while (continues);
}

void bench_shared_parts(const struct daemon *daemon, const char *name, const char *url,
			unsigned n_connections, unsigned n_rows)
{
	struct wire *wire = daemon_connect(daemon);

	bench_upload_rows(wire, name, n_rows);
	bench_run_experiment(wire,
			     quoted("{'name':'%s','prompt_template':{'content':{'name':'%s','messages':["
				    "{'role':'user','content':'Write a haiku about {{topic}}.'}]}},"
				    "'collection':{'ref':{'name':'%s'}},'criteria':['Is it a haiku?'],"
				    "'llm_config':{'content':{'name':'%s','provider':'openai',"
				    "'llm_model_name':'model','llm_base_url':'%s',"
				    "'max_connections':%u}},'row_limit':1}",
				    name, name, name, name, url, n_connections));
	wire_close(wire);
}
