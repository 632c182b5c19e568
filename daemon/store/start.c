#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/store/engine/backup.h"
#include "daemon/store/engine/schema.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/sweep.h"
#include "daemon/store/restore.h"
#include "daemon/store/runs/responses/experiment_sweep.h"
#include "daemon/store/runs/responses/response_order.h"
#include "daemon/store/runs/spending.h"
#include "daemon/store/store.h"

#define WRITER_CACHE_KIB 4096
#define READER_CACHE_KIB 1024
#define MIGRATION_STEPS 1000 // of SQLite's machine

/* The release that mended the last known corruption of logs with several connections. */
#define SQLITE_WITHOUT_WAL_DEFECT 3051003

void store_hurry(struct store *store)
{
	atomic_store(&store->hurried, true);
}

void store_leave_off(struct store *store)
{
	atomic_store(&store->leaving, true);
}

/* With the mode it keeps; SQLite's other files take theirs from it. */
static int make_database_file(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fault_set(fault,
				 errno == ENOSPC ? ELLU_E_STORAGE_FULL : ELLU_E_PERMISSION_DENIED,
				 "%s cannot be opened: %s.", path, strerror(errno));
	close(fd);
	return 0;
}

static int on_migration(void *userdata)
{
	const struct store *store = userdata;

	store->options.migrating(store->options.userdata, 0);
	return 0; // go on
}

static int open_database(struct store *store, struct fault *fault)
{
	const struct schema_watch watch = {
		.silent = store->options.migrating,
		.userdata = store->options.userdata,
	};
	struct db *db = &store->writer.db;
	int r;

	r = make_database_file(store->database_path, fault);
	if (r < 0)
		return r;
	r = db_open(store->database_path, /* writable= */ true, WRITER_CACHE_KIB, db);
	db_check(db, store->options.check_statements);
	if (r < 0 && db->trouble == DB_DAMAGED)
		return store_damaged_fault(store, fault);
	if (r < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "%s cannot be opened: %s.",
				 store->database_path, db->trouble_text);
	if (store->options.migrating)
		sqlite3_progress_handler(db->handle, MIGRATION_STEPS, on_migration, store);
	r = schema_migrate(db, store->database_path, &schema_present, &watch, fault);
	if (r < 0)
		return r;
	r = recover(store, db);
	if (r < 0 && db->trouble == DB_DAMAGED) {
		store_set_damaged(store, db); // what can be read of it is served
		db_forgive(db);
		return 0;
	}
	if (r == -ENOSPC)
		return fault_set(fault, ELLU_E_STORAGE_FULL, "The disk has no room to start: %s.",
				 store->options.state_dir);
	if (r < 0)
		return fault_set(fault, ELLU_E_INTERNAL, "%s cannot be recovered: %s.",
				 store->database_path,
				 db->trouble_text[0] ? db->trouble_text : strerror(-r));
	return 0;
}

static int start_threads(struct store *store)
{
	int r;

	r = writer_init(&store->writer);
	if (r >= 0)
		r = reader_init(&store->readers[0], store, "store-reader", READER_CACHE_KIB);
	if (r >= 0)
		r = reader_init(&store->readers[1], store, "store-scan", READER_CACHE_KIB);
	if (r >= 0)
		r = reader_init(&store->readers[2], store, "store-keep", READER_CACHE_KIB);
	if (r >= 0)
		r = loop_start(store->writer.loop);
	if (r >= 0)
		r = loop_start(store->readers[0].loop);
	if (r >= 0)
		r = loop_start_behind(store->readers[1].loop);
	if (r >= 0)
		r = loop_start_behind(store->readers[2].loop);
	return r;
}

static int sweep(struct db *db, struct secret_changes *secrets, int64_t now, int64_t *ret_next_usec)
{
	int r = sweep_step(db, secrets, now, ret_next_usec);

	if (r >= 0 && *ret_next_usec != SWEEP_PAUSE_USEC)
		r = experiments_sweep(db);
	if (r == 0 && *ret_next_usec != SWEEP_PAUSE_USEC)
		r = response_order_sweep(db);
	if (r > 0)
		*ret_next_usec = SWEEP_PAUSE_USEC;
	return r < 0 ? r : 0;
}

int store_open(const struct store_options *options, struct store **ret_store, struct fault *fault)
{
	struct store *store = calloc(1, sizeof(*store));
	char *state_dir = strdup(options->state_dir);
	int r;

	if (!store || !state_dir ||
	    asprintf(&store->database_path, "%s/elluminate.db", state_dir) < 0) {
		free(state_dir);
		free(store);
		return fault_oom(fault);
	}
	store->options = *options;
	store->options.state_dir = state_dir;
	store->writer.store = store;
	store->lock_fd = -1;
	store->secrets.folder_fd = -1;
	notices_init(store);
	store->writer.sweep_step = sweep;
	store->writer.settle = spending_settle;
	/* Nobody asks how much memory SQLite has, and counting it takes a lock for each piece. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	if (sqlite3_libversion_number() < SQLITE_WITHOUT_WAL_DEFECT)
		log_debug("store: SQLite %s; only one connection writes and checkpoints",
			  sqlite3_libversion());
	r = lock_state_dir(state_dir, &store->lock_fd, fault);
	if (r >= 0)
		r = restore_finish(state_dir, fault);
	if (r >= 0) {
		backups_sweep(state_dir);
		r = secrets_open(state_dir, &store->secrets);
		if (r < 0)
			r = fault_set(fault, ELLU_E_PERMISSION_DENIED,
				      "The folder %s/secrets cannot be used: %s.", state_dir,
				      strerror(-r));
	}
	if (r >= 0)
		r = open_database(store, fault);
	if (r >= 0) {
		r = start_threads(store);
		if (r < 0)
			r = fault_set(fault, ELLU_E_INTERNAL, "The store cannot start: %s.",
				      strerror(-r));
	}
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

unsigned store_loops(struct store *store, struct loop **ret_loops)
{
	ret_loops[0] = store->readers[0].loop;
	ret_loops[1] = store->readers[1].loop;
	ret_loops[2] = store->writer.loop;
	return STORE_LOOPS;
}

struct store *store_close(struct store *store)
{
	struct loop *loops[STORE_LOOPS + 1];

	if (!store)
		return NULL;
	loops[0] = store->readers[2].loop;
	(void)store_loops(store, loops + 1); // readers first
	for (int i = 0; i <= STORE_LOOPS; i++) {
		if (!loops[i])
			continue;
		loop_stop(loops[i]);
		loop_join(loops[i]);
	}
	/* Readers first: the last connection removes the log. */
	for (size_t i = 0; i < sizeof(store->readers) / sizeof(store->readers[0]); i++)
		reader_done(&store->readers[i]);
	writer_done(&store->writer);
	secrets_close(&store->secrets);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free((char *)store->options.state_dir);
	free(store->database_path);
	free(store);
	return NULL;
}
