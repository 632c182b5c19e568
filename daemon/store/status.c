#include <errno.h>
#include <sys/stat.h>

#include "daemon/base/clock.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs/recording/answer_cache.h"
#include "daemon/store/store.h"

/* Never opened here: closing it would drop the locks that SQLite holds on it. */
static int64_t size_of(struct tx *tx, const char *suffix)
{
	const char *path = tx_printf(tx, "%s%s", tx->store->database_path, suffix);
	struct stat file;

	return path && stat(path, &file) == 0 ? (int64_t)file.st_size : 0;
}

const char *store_sqlite_version(void)
{
	return sqlite3_libversion();
}

static int status_get_run(struct tx *tx, struct status_get *op)
{
	struct ellu_storage_status *storage = TX_RECORD(tx, struct ellu_storage_status);
	int r;

	if (!storage)
		return -ENOMEM;
	storage->state_dir = tx_strdup(tx, tx->store->options.state_dir);
	storage->database_bytes = size_of(tx, "") + size_of(tx, "-wal");
	storage->free_bytes = store_free_bytes(tx->store);
	storage->commits = atomic_load(&tx->store->commits);
	storage->operations = atomic_load(&tx->store->operations);
	storage->slowest_operation = atomic_load(&tx->store->stopwatch.slowest);
	storage->slowest_operation_seconds =
		(double)atomic_load(&tx->store->stopwatch.slowest_usec) / USEC_PER_SEC;
	storage->slowest_commit_seconds =
		(double)atomic_load(&tx->store->stopwatch.slowest_commit_usec) / USEC_PER_SEC;
	storage->full = atomic_load(&tx->store->trouble) == STORE_FULL;
	storage->trouble = store_trouble_text(atomic_load(&tx->store->trouble));
	op->ret_storage = storage;
	r = answer_cache_status(tx, op->request.uid, &op->ret_response_cache);
	if (r >= 0)
		r = db_int(tx->db, &op->ret_pending, "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
						     " AND status = 'PENDING'", "");
	if (r >= 0)
		r = db_int(tx->db, &op->ret_started, "SELECT count(*) FROM tasks"
						     " WHERE finished_at IS NULL AND status = 'STARTED'",
			   "");
	return r;
}

STORE_OPERATION(status_get, STORE_POINT, false)
