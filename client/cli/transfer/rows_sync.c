#include "client/cli/transfer/rows_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/cli/cli.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/text/plural.h"

#define TELL_ROWS 50000 // how often an upload says how far it is

struct sync {
	struct cli *cli;
	const char *name;
	struct ellu_ref ref;
	struct rows *rows;
	const struct ellu_collection *stored; // columns and count; NULL: there is none yet
	const struct ellu_column **columns; // the user's, then those
	int64_t n_rows; // that the user keeps
	bool equal;
	int64_t n_stored; // after the upload
	int64_t version; // that has the user's rows
};

/* ---- Comparing ---- */

static json_object *default_of(const struct sync *sync, const char *name)
{
	for (size_t i = 0; i < sync->stored->n_columns; i++) {
		const struct ellu_column *column = sync->stored->columns[i];

		if (strcmp(column->name, name) == 0 && column->default_value)
			return column_fallback(column);
	}
	return NULL;
}

/* What a row lacks, the daemon may give as null or as the column's default. */
static bool rows_equal(const struct sync *sync, json_object *kept, json_object *stored)
{
	json_object *other;

	json_object_object_foreach(stored, name, value)
	{
		json_object *fallback;
		bool equal;

		if (json_object_object_get_ex(kept, name, &other)) {
			if (!json_object_equal(value, other))
				return false;
			continue;
		}
		if (!value)
			continue;
		fallback = default_of(sync, name);
		equal = fallback && json_object_equal(value, fallback);
		json_object_put(fallback);
		if (!equal)
			return false;
	}
	json_object_object_foreach(kept, kept_name, kept_value)
	{
		if (kept_value && !json_object_object_get_ex(stored, kept_name, &other))
			return false;
	}
	return true;
}

static int open_stored(const struct sync *sync, struct ellu_stream **ret_stream)
{
	struct ellu_list_template_variables_request request =
		ELLU_RECORD(struct ellu_list_template_variables_request);

	request.project = sync->cli->arguments.project;
	request.collection = &sync->ref;
	request.limit = PAGE_MAX;
	return ellu_list_template_variables_stream(sync->cli->daemon, &request, ret_stream, NULL);
}

/* The next of the daemon's rows beside one of the user's; NULL: there should be none left. As
 * ellu_stream_next() while they are equal. */
static int compare_next(struct sync *sync, struct ellu_stream *stored, json_object *row,
			const struct ellu_error **ret_error)
{
	const struct ellu_template_variables *item;
	json_object *other;
	int r = ellu_list_template_variables_next_item(stored, &item, ret_error);

	if (r <= 0 || !row) {
		sync->equal = r == 0 && !row;
		return r < 0 ? r : 0;
	}
	other = json_stored(item->input_values);
	sync->equal = other && rows_equal(sync, row, other);
	json_object_put(other);
	return 0;
}

/* Reads all rows that the user keeps, so that a mistake shows before anything is changed. */
static int compare(struct sync *sync)
{
	const struct ellu_error *error = NULL;
	struct ellu_stream *stored = NULL;
	struct complaint complaint;
	json_object *row;
	int kept = 0, r = sync->stored ? open_stored(sync, &stored) : 0;

	if (r < 0)
		return cli_fail(r, NULL);
	sync->equal = sync->stored != NULL;
	while (r == 0 && (kept = rows_next(sync->rows, &row, &complaint)) > 0) {
		sync->n_rows++;
		if (sync->equal)
			r = compare_next(sync, stored, row, &error);
		json_object_put(row);
	}
	if (r == 0 && kept == 0 && sync->equal)
		r = compare_next(sync, stored, NULL, &error);
	ellu_stream_close(stored);
	if (r < 0)
		return cli_fail(r, error);
	return kept < 0 ? cli_fail_file(kept, &complaint) : 0;
}

/* ---- Uploading ---- */

#define IN_FLIGHT 2 // one is written, and the next one read and checked, by the daemon meanwhile

struct chunk {
	char *texts[ROWS_MAX];
	long lines[ROWS_MAX];
	size_t n;
	size_t size;
	struct ellu_op *op; // its answer is awaited; or NULL
};

/* What goes to the daemon while the next chunk is read: a ring, in which those in flight come before
 * the one that is filled. */
struct sending {
	struct cli *cli;
	struct ellu *daemon; // for events
	const struct ellu_ref *ref;
	struct rows *rows;
	struct rows_upload *upload;
	char upload_id[40];
	struct chunk chunks[IN_FLIGHT + 1];
	size_t filling;
	int64_t n_sent;
};

static void chunk_clear(struct chunk *chunk)
{
	while (chunk->n > 0)
		free(chunk->texts[--chunk->n]);
	chunk->size = 0;
}

/* Which row of the user's it is, and what of it. */
static int fail_chunk(const struct sending *sending, const struct chunk *chunk, int result,
		      const struct ellu_error *error)
{
	const char *message = error ? error->message : "";
	int length = 0, status;
	size_t i;

	if (sscanf(message, "variables[%zu]%n", &i, &length) == 1 && length > 0 && i < chunk->n) {
		message += length;
		message += message[0] == '.' ? 1 : message[0] == ':' ? 2 : 0;
		cli_error("%s: %s", rows_place_of(sending->rows, chunk->lines[i]), message);
		status = ellu_error_exit_status(result);
		ellu_free(error);
		return status;
	}
	if (chunk->n > 0)
		cli_error("the rows from %s on:", rows_place_of(sending->rows, chunk->lines[0]));
	return cli_fail(result, error);
}

static void tell(struct sending *sending, int64_t n)
{
	char sent[32];

	if ((sending->n_sent + n) / TELL_ROWS > sending->n_sent / TELL_ROWS)
		cli_note(sending->cli, "%s row%s uploaded.", number_text(sent, sending->n_sent + n),
			 plural_s(sending->n_sent + n));
	sending->n_sent += n;
}

static void note_added(struct sending *sending, const struct ellu_add_template_variables_reply *added)
{
	sending->upload->added += added->added;
	sending->upload->dropped += added->dropped;
	sending->upload->variables_count = added->variables_count;
	sending->upload->version = added->version;
}

/* Awaits the answer to a chunk, if it was sent. 0, or the exit status. */
static int await_sent(struct sending *sending, struct chunk *chunk)
{
	const struct ellu_error *error = NULL;
	const void *reply = NULL;
	int r, status = 0;

	if (!chunk->op)
		return 0;
	while ((r = ellu_op_wait(chunk->op, 3600)) == 0)
		;
	if (r > 0)
		r = ellu_op_result(chunk->op, &reply, &error);
	if (r < 0) {
		status = fail_chunk(sending, chunk, r, error);
	} else {
		note_added(sending, reply);
		tell(sending, (int64_t) chunk->n);
		ellu_free(reply);
	}
	chunk->op = ellu_op_free(chunk->op);
	chunk_clear(chunk);
	return status;
}

/* Of all that are in flight, the oldest first. */
static int await_all(struct sending *sending)
{
	int status = 0;

	for (size_t i = 1; i <= IN_FLIGHT && status == 0; i++)
		status = await_sent(sending, &sending->chunks[(sending->filling + i) % (IN_FLIGHT + 1)]);
	return status;
}

/* What makes the rows visible goes alone: a part of them that failed must not be left out. */
static int send_filled(struct sending *sending, bool commit)
{
	struct ellu_add_template_variables_request request =
		ELLU_RECORD(struct ellu_add_template_variables_request);
	struct chunk *chunk = &sending->chunks[sending->filling];
	int r, status = commit ? await_all(sending) : 0;

	if (status != 0)
		return status;
	request.project = sending->cli->arguments.project;
	request.collection = sending->ref;
	request.variables = (const char *const *) chunk->texts;
	request.n_variables = chunk->n;
	request.upload_id = sending->upload_id;
	request.commit = commit;
	request.replace = sending->upload->replace;
	request.deduplicate = sending->upload->deduplicate;
	r = ellu_add_template_variables_async(sending->daemon, &request, NULL, NULL, &chunk->op);
	if (r < 0)
		return cli_fail(r, NULL);
	if (commit)
		return await_sent(sending, chunk);
	sending->filling = (sending->filling + 1) % (IN_FLIGHT + 1);
	return await_sent(sending, &sending->chunks[sending->filling]);
}

static int take_row(struct sending *sending, json_object *row)
{
	struct chunk *chunk = &sending->chunks[sending->filling];
	size_t size;
	const char *text = json_text(row, &size);
	int status = 0;

	if (!text)
		return cli_fail(-ENOMEM, NULL);
	if (chunk->n == ROWS_MAX || (chunk->n > 0 && chunk->size + size > ROWS_BYTES_MAX))
		status = send_filled(sending, /* commit= */ false);
	if (status != 0)
		return status;
	chunk = &sending->chunks[sending->filling];
	chunk->texts[chunk->n] = strdup(text);
	chunk->lines[chunk->n] = rows_line(sending->rows);
	if (!chunk->texts[chunk->n])
		return cli_fail(-ENOMEM, NULL);
	chunk->n++;
	chunk->size += size + 1;
	return 0;
}

static int send_rows(struct sending *sending)
{
	struct complaint complaint;
	json_object *row = NULL;
	int kept, status = 0;

	while (status == 0 && (kept = rows_next(sending->rows, &row, &complaint)) > 0) {
		status = take_row(sending, row);
		json_object_put(row);
	}
	if (status != 0)
		return status;
	return kept < 0 ? cli_fail_file(kept, &complaint) : send_filled(sending, /* commit= */ true);
}

int rows_upload(struct cli *cli, const struct ellu_ref *ref, struct rows *rows,
		struct rows_upload *upload)
{
	struct sending *sending = calloc(1, sizeof(*sending));
	uint64_t random[2];
	int status;

	if (!sending || getrandom(random, sizeof(random), 0) != sizeof(random)) {
		free(sending);
		return cli_fail(-ENOMEM, NULL);
	}
	sending->cli = cli;
	sending->ref = ref;
	sending->rows = rows;
	sending->upload = upload;
	snprintf(sending->upload_id, sizeof(sending->upload_id), "%016llx%016llx",
		 (unsigned long long) random[0], (unsigned long long) random[1]);
	status = cli_connect_event(cli, &sending->daemon);
	if (status == 0) {
		(void) ellu_set_in_order(sending->daemon, true);
		status = send_rows(sending);
	}
	for (size_t i = 0; i <= IN_FLIGHT; i++) {
		ellu_op_free(sending->chunks[i].op);
		chunk_clear(&sending->chunks[i]);
	}
	ellu_close(sending->daemon);
	free(sending);
	return status;
}

static int upload(struct sync *sync)
{
	struct rows_upload all = { .replace = true };
	struct complaint complaint;
	int r = rows_rewind(sync->rows, &complaint);
	int status = r < 0 ? cli_fail_file(r, &complaint) : rows_upload(sync->cli, &sync->ref, sync->rows, &all);

	sync->n_stored = all.variables_count;
	sync->version = all.version;
	return status;
}

/* ---- The whole ---- */

/* Columns that the user wants otherwise than they are cannot be brought about by rows. */
static int check_columns(const struct sync *sync, const struct ellu_collection *wanted)
{
	for (size_t i = 0; i < wanted->n_columns; i++) {
		const struct ellu_column *column = wanted->columns[i], *found = NULL;

		for (size_t k = 0; k < sync->stored->n_columns; k++)
			if (strcmp(sync->stored->columns[k]->name, column->name) == 0)
				found = sync->stored->columns[k];
		if (found && strcmp(found->type, column->type) == 0 &&
		    !found->default_value == !column->default_value &&
		    (!found->default_value ||
		     strcmp(found->default_value, column->default_value) == 0))
			continue;
		cli_error("collection %s exists and its column %s is another; give the collection "
			  "another name",
			  sync->name, column->name);
		return EXIT_USAGE;
	}
	return 0;
}

/* 0 as well when another command was quicker. */
static int create(struct sync *sync, const struct ellu_collection *wanted)
{
	struct ellu_create_collection_request request =
		ELLU_RECORD(struct ellu_create_collection_request);
	const struct ellu_create_collection_reply *reply;
	const struct ellu_error *error;
	int r;

	request.project = sync->cli->arguments.project;
	request.collection = wanted;
	r = ellu_create_collection(sync->cli->daemon, &request, &reply, &error);
	if (r == ELLU_E_CONFLICT) {
		ellu_free(error);
		return 0;
	}
	if (r < 0)
		return cli_fail(r, error);
	sync->version = *reply->collection->version;
	ellu_free(reply);
	return 0;
}

/* 1: it exists, with the reply to free; 0: it does not. Negative: the exit status. */
static int get(struct sync *sync, const struct ellu_get_collection_reply **ret_reply)
{
	struct ellu_get_collection_request request = ELLU_RECORD(struct ellu_get_collection_request);
	const struct ellu_error *error;
	int r;

	request.project = sync->cli->arguments.project;
	request.collection = &sync->ref;
	r = ellu_get_collection(sync->cli->daemon, &request, ret_reply, &error);
	if (r == ELLU_E_NOT_FOUND) {
		ellu_free(error);
		return 0;
	}
	return r < 0 ? -cli_fail(r, error) : 1;
}

static int set_columns(struct sync *sync, const struct ellu_collection *wanted)
{
	size_t n = wanted->n_columns, n_stored = sync->stored ? sync->stored->n_columns : 0;

	sync->columns = calloc(n + n_stored + 1, sizeof(*sync->columns));
	if (!sync->columns)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sync->columns[i] = wanted->columns[i];
	for (size_t i = 0; i < n_stored; i++)
		sync->columns[n + i] = sync->stored->columns[i];
	rows_set_columns(sync->rows, sync->columns, n + n_stored);
	return 0;
}

/* The rows go on without what is freed here. */
static void done(struct sync *sync, const struct ellu_collection *wanted,
		 const struct ellu_get_collection_reply *reply)
{
	rows_set_columns(sync->rows, wanted->columns, wanted->n_columns);
	free(sync->columns);
	ellu_free(reply);
}

/* What is stored, if anything, and whether it is what the user keeps; free the reply. */
static int look(struct sync *sync, const struct ellu_collection *wanted,
		const struct ellu_get_collection_reply **ret_reply)
{
	const struct ellu_get_collection_reply *reply = NULL;
	struct complaint complaint;
	int r, found, status;

	sync->ref = ELLU_RECORD(struct ellu_ref);
	sync->ref.name = wanted->name;
	found = get(sync, &reply);
	if (found < 0)
		return -found;
	*ret_reply = reply;
	sync->stored = found ? reply->collection : NULL;
	sync->version = found ? *reply->collection->version : 0;
	r = set_columns(sync, wanted);
	if (r >= 0)
		r = rows_rewind(sync->rows, &complaint);
	status = r < 0 ? cli_fail_file(r, &complaint) : 0;
	if (status == 0 && found)
		status = check_columns(sync, wanted);
	return status == 0 ? compare(sync) : status;
}

static int bring_rows(struct sync *sync, const struct ellu_collection *wanted)
{
	char now[32], before[32];
	int status = sync->stored ? 0 : create(sync, wanted);

	if (status != 0 || sync->equal || (!sync->stored && sync->n_rows == 0))
		return status;
	if (sync->n_rows == 0 && sync->stored->variables_count && *sync->stored->variables_count > 0) {
		cli_error("collection %s: no rows in the place of its %s", sync->name,
			  number_text(before, *sync->stored->variables_count));
		return EXIT_USAGE;
	}
	status = upload(sync);
	if (status != 0)
		return status;
	number_text(now, sync->n_stored);
	if (!sync->stored)
		cli_note(sync->cli, "Collection %s: new, %s row%s.", sync->name, now, plural_s(sync->n_stored));
	else if (sync->stored->variables_count)
		cli_note(sync->cli, "Collection %s: %s row%s instead of %s.", sync->name, now, plural_s(sync->n_stored),
			 number_text(before, *sync->stored->variables_count));
	return 0;
}

int rows_sync(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		    int64_t *ret_version)
{
	struct sync sync = { .cli = cli, .name = collection->name, .rows = rows };
	const struct ellu_get_collection_reply *reply = NULL;
	int status = look(&sync, collection, &reply);

	if (status == 0)
		status = bring_rows(&sync, collection);
	*ret_version = sync.version;
	done(&sync, collection, reply);
	return status;
}

int rows_compare(struct cli *cli, const struct ellu_collection *collection, struct rows *rows,
		       bool *ret_equal, int64_t *ret_n_rows)
{
	struct sync sync = { .cli = cli, .name = collection->name, .rows = rows };
	const struct ellu_get_collection_reply *reply = NULL;
	int status = look(&sync, collection, &reply);

	*ret_equal = sync.equal;
	*ret_n_rows = sync.n_rows;
	done(&sync, collection, reply);
	return status;
}
