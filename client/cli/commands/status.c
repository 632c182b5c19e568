/* What elluminate status says. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/view/show.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/text/plural.h"

static const struct column endpoint_columns[] = {
	{ ">IN FLIGHT", "in_flight", NULL }, { ">WAITING", "waiting", NULL },
	{ ">LIMIT", "working_concurrency", NULL }, { ">CALLS", "calls", NULL },
	{ ">RETRIES", "retries", NULL }, { ">WAITS", "waits", NULL }, { ">ERRORS", "errors", NULL },
	{ "BREAKER", "breaker", NULL }, { ">WAIT", "wait_seconds", NULL },
	{ "MODEL", "llm_model_name", NULL }, { "ENDPOINT", "origin", NULL }, { NULL, NULL, NULL },
};

/* What is there only now and then: what is left, at what rate calls go, what they wait for. */
static void print_limits(const struct ellu_endpoint_status *endpoint)
{
	const struct {
		const int64_t *n;
		const char *what;
	} counts[] = {
		{ endpoint->requests_left, "requests left" },
		{ endpoint->tokens_left, "tokens left" },
		{ endpoint->requests_left_today, "requests left today" },
		{ endpoint->tokens_left_today, "tokens left today" },
	};
	const size_t n_counts = sizeof(counts) / sizeof(*counts);
	bool any = endpoint->waits_for || endpoint->calls_per_second;
	const char *separator = ": ";
	char text[32];

	for (size_t i = 0; i < n_counts; i++)
		any = any || counts[i].n;
	if (!any)
		return;
	text_print(stdout, endpoint->origin);
	for (size_t i = 0; i < n_counts; i++) {
		if (!counts[i].n)
			continue;
		printf("%s%s %s", separator, number_text(text, *counts[i].n), counts[i].what);
		separator = ", ";
	}
	if (endpoint->calls_per_second) {
		printf("%sabout %.3g calls a second", separator, *endpoint->calls_per_second);
		separator = ", ";
	}
	if (endpoint->waits_for) {
		fputs(separator, stdout);
		text_print(stdout, endpoint->waits_for);
	}
	putchar('\n');
}

static void print_endpoints(const struct ellu_get_status_reply *status)
{
	struct table *table;

	if (status->n_endpoints == 0)
		return;
	table = table_new();
	show_columns(table, endpoint_columns);
	for (size_t i = 0; i < status->n_endpoints; i++)
		show_row(table, endpoint_columns, &ellu_endpoint_status_type, status->endpoints[i]);
	putchar('\n');
	table_print(table, stdout);
	table_free(table);
	for (size_t i = 0; i < status->n_endpoints; i++)
		print_limits(status->endpoints[i]);
}

void print_status(const struct cli *cli, const void *reply)
{
	const struct ellu_get_status_reply *status = reply;
	const struct ellu_queue_status *queue = status->queue;
	const struct ellu_storage_status *storage = status->storage;
	long long tasks = 0, cases = 0;
	char uptime[32], a[32], b[32];

	(void) cli;
	for (size_t i = 0; i < status->n_workers; i++) {
		tasks += status->workers[i]->tasks;
		cases += status->workers[i]->cases;
	}
	printf("Daemon     elluminated %s, up %s, process %lld\n"
	       "           with libcurl %s, SQLite %s, libevent %s\n",
	       status->versions->daemon, duration_text(uptime, status->uptime_seconds), (long long) status->pid,
	       status->versions->libcurl, status->versions->sqlite, status->versions->libevent);
	printf("Queue      %lld of %lld started (%lld a user), %lld of %lld pending, %lld on "
	       "hold%s\n",
	       (long long) queue->started, (long long) queue->max_running,
	       (long long) queue->max_running_per_user, (long long) queue->pending,
	       (long long) queue->max_pending, (long long) queue->on_hold,
	       queue->draining ? ", DRAINING: none is started" : "");
	printf("Workers    %zu, with %lld task%s and %lld case%s\n", status->n_workers, tasks, plural_s(tasks),
	       cases, plural_s(cases));
	printf("Storage    ");
	text_print(stdout, storage->state_dir);
	printf(", %.1f MiB, %s MiB free%s\n", (double) storage->database_bytes / 1048576,
	       number_text(a, storage->free_bytes / 1048576), storage->full ? ", FULL" : "");
	printf("           %s operation%s in %s commit%s, the slowest %.1f ms and %.1f ms\n",
	       number_text(a, storage->operations), plural_s(storage->operations),
	       number_text(b, storage->commits), plural_s(storage->commits),
	       storage->slowest_operation_seconds * 1e3, storage->slowest_commit_seconds * 1e3);
	if (status->response_cache->answers > 0)
		printf("Cache      %s answer%s of yours, %.1f of %.0f MiB, given again %s time%s\n",
		       number_text(a, status->response_cache->answers), plural_s(status->response_cache->answers),
		       (double) status->response_cache->size_bytes / 1048576,
		       (double) status->response_cache->limit_bytes / 1048576,
		       number_text(b, status->response_cache->hits), plural_s(status->response_cache->hits));
	printf("Socket     ");
	text_print(stdout, status->front->socket);
	printf("%s%s%s\n", status->front->bus ? ", and the " : "", status->front->bus ? status->front->bus : "",
	       status->front->bus ? " bus" : "");
	if (status->front->http)
		printf("%-11s%s\n", "HTTP", status->front->http);
	printf("Clients    %lld connection%s, %lld watcher%s\n", (long long) status->front->connections,
	       plural_s(status->front->connections), (long long) status->front->watchers,
	       plural_s(status->front->watchers));
	if (status->prices_date)
		printf("Prices     list prices of %s\n", status->prices_date);
	printf("Log        ");
	text_print(stdout, status->log);
	if (status->log_lines_dropped > 0)
		printf(", %s lines dropped", number_text(a, status->log_lines_dropped));
	putchar('\n');
	print_endpoints(status);
}
