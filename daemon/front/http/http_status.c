/* How the daemon is, for programs that watch it: /healthz, and /metrics as Prometheus reads them. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/http/http_tables.h"
#include "proto/generated/interface.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static void serve_health(struct http_exchange *exchange)
{
	const char *text = exchange->service->stopping ? "stopping\n" : "ok\n";

	http_answer(exchange, exchange->service->stopping ? 503 : 200, "text/plain; charset=utf-8", text,
		    strlen(text));
}

/* ---- Metrics ---- */

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP elluminate_%s %s\n# TYPE elluminate_%s %s\n", name, help, name, type);
}

static void put_number(FILE *out, const char *name, const char *type, const char *help, double value)
{
	put_head(out, name, type, help);
	fprintf(out, "elluminate_%s %.17g\n", name, value);
}

static void put_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

static const struct endpoint_metric {
	const char *name;
	const char *type;
	const char *help;
	size_t offset; // of an int64_t
} endpoint_metrics[] = {
#define METRIC(field, suffix, type, help) \
	{ "endpoint_" #field suffix, type, help, offsetof(struct ellu_endpoint_status, field) }
	METRIC(in_flight, "", "gauge", "Calls that are being answered."),
	METRIC(waiting, "", "gauge", "Calls that wait for their turn."),
	METRIC(working_concurrency, "", "gauge", "Calls that may be in flight at once now."),
	METRIC(calls, "_total", "counter", "Calls that were made."),
	METRIC(retries, "_total", "counter", "Calls that were made again."),
	METRIC(waits, "_total", "counter", "Answers that said to wait."),
	METRIC(errors, "_total", "counter", "Calls that failed."),
#undef METRIC
};

static bool is_same(const struct ellu_endpoint_status *a, const struct ellu_endpoint_status *b)
{
	return strcmp(a->origin, b->origin) == 0 && strcmp(a->llm_model_name, b->llm_model_name) == 0;
}

/* Endpoints that differ by user or key alone are one here: a series comes once. */
static void put_endpoints(FILE *out, const struct endpoint_metric *metric,
			  const struct ellu_endpoint_status *const *endpoints, size_t n)
{
	put_head(out, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < n; i++) {
		int64_t sum = 0;
		bool is_first = true;

		for (size_t j = 0; j < n; j++) {
			if (!is_same(endpoints[i], endpoints[j]))
				continue;
			is_first = is_first && j >= i;
			sum += *(const int64_t *)((const char *)endpoints[j] + metric->offset);
		}
		if (!is_first)
			continue;
		fprintf(out, "elluminate_%s{", metric->name);
		put_label(out, "origin", endpoints[i]->origin);
		fputc(',', out);
		put_label(out, "model", endpoints[i]->llm_model_name);
		fprintf(out, "} %" PRId64 "\n", sum);
	}
}

static void put_metrics(FILE *out, const struct ellu_get_status_reply *status)
{
	int64_t cases = 0;

	for (size_t i = 0; i < status->n_workers; i++)
		cases += status->workers[i]->cases;
	put_head(out, "build_info", "gauge", "What runs.");
	fputs("elluminate_build_info{", out);
	put_label(out, "version", status->versions->daemon);
	fputs("} 1\n", out);
	put_number(out, "uptime_seconds", "gauge", "Since the daemon started.", status->uptime_seconds);
	put_head(out, "tasks", "gauge", "Tasks that are not over.");
	fprintf(out, "elluminate_tasks{status=\"PENDING\"} %" PRId64 "\nelluminate_tasks{status=\"STARTED\"} %" PRId64 "\n",
		status->queue->pending, status->queue->started);
	put_number(out, "tasks_on_hold", "gauge", "Tasks of these that are held.", (double)status->queue->on_hold);
	put_number(out, "tasks_pending_max", "gauge", "Tasks that may wait.", (double)status->queue->max_pending);
	put_number(out, "tasks_running_max", "gauge", "Tasks that may run at once.",
		   (double)status->queue->max_running);
	put_number(out, "draining", "gauge", "1 while no task is started.", status->queue->draining);
	put_number(out, "cases", "gauge", "Cases that are being worked on.", (double)cases);
	for (size_t i = 0; i < sizeof(endpoint_metrics) / sizeof(endpoint_metrics[0]); i++)
		put_endpoints(out, &endpoint_metrics[i], status->endpoints, status->n_endpoints);
	put_number(out, "database_bytes", "gauge", "Bytes of the database and its log.",
		   (double)status->storage->database_bytes);
	put_number(out, "storage_free_bytes", "gauge", "Bytes that are free on its disk.",
		   (double)status->storage->free_bytes);
	put_number(out, "storage_full", "gauge", "1 while the disk has no room.", status->storage->full);
	put_number(out, "commits_total", "counter", "Commits of the database.", (double)status->storage->commits);
	put_number(out, "operations_total", "counter", "Operations that shared them.",
		   (double)status->storage->operations);
	put_number(out, "connections", "gauge", "Connections of clients.", (double)status->front->connections);
	put_number(out, "watchers", "gauge", "Calls that follow tasks.", (double)status->front->watchers);
	put_number(out, "log_lines_dropped_total", "counter", "Lines that the log had no room for.",
		   (double)status->log_lines_dropped);
}

static int answer_metrics(struct http_call *call, struct answer *answer, bool continues)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)continues;
	if (!out)
		return -ENOMEM;
	put_metrics(out, answer->record);
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	http_answer(call->exchange, 200, METRICS_TYPE, text, size);
	free(text);
	return true;
}

static void serve_metrics(struct http_exchange *exchange)
{
	static const struct http_call how = { .answered = answer_metrics };

	http_call(exchange, &elluminate_interface.methods[METHOD_GET_STATUS], NULL, &how);
}

static const struct http_route routes[] = {
	{ "/healthz", HTTP_GET, HTTP_ANYONE, .serve = serve_health },
	{ "/metrics", HTTP_GET, HTTP_TOKEN, .serve = serve_metrics },
};
const struct http_routes http_status_routes = HTTP_ROUTES(routes);
