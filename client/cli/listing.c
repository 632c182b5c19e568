#include "client/cli/listing.h"

#include <stdio.h>

#include "proto/limits.h"

int64_t listing_page_limit(int64_t limit)
{
	return limit < PAGE_MAX ? limit : PAGE_MAX;
}

static int print_page(const struct cli *cli, const struct listing *listing, const struct page *page,
		      int64_t *left, bool *first)
{
	struct table *table = NULL;
	int status = 0;

	if (!cli->arguments.json && listing->titles && (*first || page->n_items > 0))
		table = table_new(listing->titles);
	for (size_t i = 0; status == 0 && i < page->n_items && *left > 0; i++, (*left)--)
		if (cli->arguments.json)
			status = cli_print_item(listing->type, page->items[i], first);
		else if (listing->titles)
			listing->add(table, page->items[i]);
		else
			listing->print(page->items[i]);
	table_print(table, stdout, cli->color);
	table_free(table);
	*first = *first && cli->arguments.json;
	return status;
}

int listing_print(struct cli *cli, const struct listing *listing, struct ellu_stream *stream,
		  int64_t limit)
{
	const struct ellu_error *error = NULL;
	int64_t left = limit;
	struct page page;
	bool first = true;
	int r = 0, status = 0;

	while (status == 0 && left > 0 && (r = listing->next(stream, &page, &error)) > 0) {
		status = print_page(cli, listing, &page, &left, &first);
		ellu_free(page.reply);
	}
	ellu_stream_close(stream);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		cli_end_items(first);
	return status;
}
