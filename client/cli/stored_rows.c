#include "client/cli/stored_rows.h"

#include <errno.h>

#include "proto/limits.h"

int stored_rows_open(const struct cli *cli, const struct ellu_ref *collection,
		     struct stored_rows *ret_rows)
{
	struct ellu_list_template_variables_request request =
		ELLU_RECORD(struct ellu_list_template_variables_request);
	const int64_t limit = PAGE_MAX;

	*ret_rows = (struct stored_rows){ 0 };
	request.project = cli->arguments.project;
	request.collection = collection;
	request.limit = &limit;
	return ellu_list_template_variables_stream(cli->daemon, &request, &ret_rows->stream);
}

int stored_rows_next(struct stored_rows *rows, json_object **ret_row,
		     const struct ellu_error **ret_error)
{
	while (!rows->page || rows->next == rows->page->n_items) {
		const struct ellu_list_template_variables_reply *page;
		int r = ellu_list_template_variables_next(rows->stream, &page, ret_error);

		if (r <= 0)
			return r;
		ellu_free(rows->page);
		rows->page = page;
		rows->next = 0;
	}
	*ret_row = json_tokener_parse(rows->page->items[rows->next++]->input_values);
	return *ret_row ? 1 : -EPROTO;
}

void stored_rows_close(struct stored_rows *rows)
{
	ellu_free(rows->page);
	ellu_stream_close(rows->stream);
}
