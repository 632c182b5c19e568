/*
 * Readers run each request in a read transaction of its own, so that all its statements see
 * one state, and the log can be reset soon after. A request that turns out to have something to
 * write changes its lane, and moves on to the writer; one that has more to read than a short
 * transaction may asks for another turn.
 */
#include "daemon/clock.h"
#include "daemon/store/store_internal.h"

int reader_init(struct reader *reader, struct store *store, const char *name, int cache_kib)
{
	int r;

	reader->store = store;
	r = db_open(store->database_path, /* writable= */ false, cache_kib, &reader->db);
	db_check(&reader->db, store->options.check_statements);
	if (r >= 0)
		r = loop_new(name, &reader->loop);
	if (r >= 0)
		db_count_turns(&reader->db, reader->loop);
	return r;
}

void reader_done(struct reader *reader)
{
	reader->loop = loop_free(reader->loop);
	db_close(&reader->db);
}

void reader_run(struct reader *reader, struct store_request *request)
{
	struct db *db = &reader->db;
	int r;

	r = db_run(db, "BEGIN", "");
	if (r >= 0)
		r = tx_run(reader->store, db, clock_wall_usec(), request);
	tx_result(request, db, r);
	if (db->trouble == DB_DAMAGED)
		store_set_damaged(reader->store, db);
	if (!sqlite3_get_autocommit(db->handle))
		(void)db_run(db, "COMMIT", "");
	db_forgive(db);
	if (request->result == 0 && (request->lane == STORE_WRITE || request->again))
		tx_post_as(reader->store, request, request->lane, request->run, request->name);
	else
		tx_reply(request);
}
