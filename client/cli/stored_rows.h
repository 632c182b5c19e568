/* The rows of a collection as the daemon has them, one by one and in constant memory. */
#pragma once

#include <json.h>
#include <stddef.h>

#include "client/cli/cli.h"

struct stored_rows {
	struct ellu_stream *stream;
	const struct ellu_list_template_variables_reply *page;
	size_t next;
};

int stored_rows_open(const struct cli *cli, const struct ellu_ref *collection,
		     struct stored_rows *ret_rows);

/* 1 with the next row, an object that the caller puts; 0 at the end. */
int stored_rows_next(struct stored_rows *rows, json_object **ret_row,
		     const struct ellu_error **ret_error);

void stored_rows_close(struct stored_rows *rows);
