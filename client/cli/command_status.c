/* What elluminate status says. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/table.h"
#include "proto/generated/interface.h"

static void print_endpoints(const struct cli *cli, const struct ellu_get_status_reply *status)
{
	static const char *const titles[] = { ">IN FLIGHT", ">WAITING", ">LIMIT", ">CALLS",
					      ">RETRIES",   ">WAITS",	">ERRORS", "BREAKER",
					      ">WAIT",	    "MODEL",	"ENDPOINT", NULL };
	struct table *table;
	char wait[32];

	if (status->n_endpoints == 0)
		return;
	table = table_new(titles);
	for (size_t i = 0; i < status->n_endpoints; i++) {
		const struct ellu_endpoint_status *endpoint = status->endpoints[i];
		const int64_t numbers[] = {
			endpoint->in_flight, endpoint->waiting, endpoint->working_concurrency,
			endpoint->calls,     endpoint->retries, endpoint->waits,
			endpoint->errors,
		};

		for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
			table_printf(table, "%lld", (long long) numbers[k]);
		table_text(table, endpoint->breaker);
		table_text(table, endpoint->wait_seconds
					  ? duration_text(wait, *endpoint->wait_seconds)
					  : "");
		table_text(table, endpoint->llm_model_name);
		table_text(table, endpoint->origin);
	}
	putchar('\n');
	table_print(table, stdout, cli->color);
	table_free(table);
	for (size_t i = 0; i < status->n_endpoints; i++) {
		if (!status->endpoints[i]->waits_for)
			continue;
		text_print(stdout, status->endpoints[i]->origin);
		fputs(": ", stdout);
		text_print(stdout, status->endpoints[i]->waits_for);
		putchar('\n');
	}
}

void print_status(const struct cli *cli, const void *reply)
{
	const struct ellu_get_status_reply *status = reply;
	const struct ellu_queue_status *queue = status->queue;
	const struct ellu_storage_status *storage = status->storage;
	long long tasks = 0, cases = 0;
	char uptime[32], a[32], b[32];

	for (size_t i = 0; i < status->n_workers; i++) {
		tasks += status->workers[i]->tasks;
		cases += status->workers[i]->cases;
	}
	printf("Daemon     elluminated %s, up %s (libcurl %s, SQLite %s, libevent %s)\n",
	       status->versions->daemon, duration_text(uptime, status->uptime_seconds),
	       status->versions->libcurl, status->versions->sqlite, status->versions->libevent);
	printf("Queue      %lld of %lld started (%lld a user), %lld of %lld pending, %lld on "
	       "hold%s\n",
	       (long long) queue->started, (long long) queue->max_running,
	       (long long) queue->max_running_per_user, (long long) queue->pending,
	       (long long) queue->max_pending, (long long) queue->on_hold,
	       queue->draining ? ", DRAINING: none is started" : "");
	printf("Workers    %zu, with %lld tasks and %lld cases\n", status->n_workers, tasks, cases);
	printf("Storage    ");
	text_print(stdout, storage->state_dir);
	printf(", %.1f MiB, %s MiB free%s\n", (double) storage->database_bytes / 1048576,
	       number_text(a, storage->free_bytes / 1048576), storage->full ? ", FULL" : "");
	printf("           %s operations in %s commits, the slowest %.1f ms and %.1f ms\n",
	       number_text(a, storage->operations), number_text(b, storage->commits),
	       storage->slowest_operation_seconds * 1e3, storage->slowest_commit_seconds * 1e3);
	printf("Clients    %lld connections, %lld watchers\n",
	       (long long) status->front->connections, (long long) status->front->watchers);
	if (status->log_lines_dropped > 0)
		printf("Log        %s lines dropped\n",
		       number_text(a, status->log_lines_dropped));
	print_endpoints(cli, status);
}
