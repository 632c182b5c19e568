#include "client/cli/verdicts.h"

#include <stdio.h>

#include "client/cli/listing.h"
#include "client/cli/results.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

LISTING_NEXT(list_ratings)

static void add_rating(struct table *table, const void *item)
{
	const struct ellu_rating *rating = item;

	table_printf(table, "%lld", (long long) rating->response_id);
	table_text(table, rating->rating ? rating->rating : rating->error ? "failed" : "-");
	table_text(table, rating->criterion->criterion_str);
	table_text(table, rating->error ? rating->error->message : rating->reasoning);
}

int verdicts_print(struct cli *cli, int64_t task_id, const struct ellu_rating_results *results)
{
	static const char *const titles[] = { ">RESPONSE", "RATING", "CRITERION", "REASONING", NULL };
	static const struct listing listing = { .type = &ellu_rating_type,
						.titles = titles,
						.add = add_rating,
						.next = list_ratings_next };
	struct ellu_list_ratings_request request = ELLU_RECORD(struct ellu_list_ratings_request);
	const int64_t limit = PAGE_MAX;
	struct ellu_stream *stream;
	int r, status;

	request.project = cli->arguments.project;
	request.task_id = &task_id;
	request.limit = &limit;
	r = ellu_list_ratings_stream(cli->daemon, &request, &stream);
	if (r < 0)
		return cli_fail(r, NULL);
	status = listing_print(cli, &listing, stream, INTEGER_MAX);
	if (status == 0 && results && !cli->arguments.json)
		results_print_ratings(stdout, results, cli->color);
	return status;
}
