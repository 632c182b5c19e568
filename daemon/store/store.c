#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/store/engine/lock.h"
#include "daemon/store/engine/schema.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/recover.h"

#define WRITER_CACHE_KIB 2048
#define READER_CACHE_KIB 1024
#define MIGRATION_STEPS 1000 // of SQLite's machine

/* The release that mended the last known corruption of logs with several connections. */
#define SQLITE_WITHOUT_WAL_DEFECT 3051003

int64_t store_instance(const struct store *store)
{
	return store->instance;
}

int64_t store_free_bytes(const struct store *store)
{
	struct statvfs fs;

	if (statvfs(store->options.state_dir, &fs) < 0)
		return -1;
	return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

int store_damaged_fault(struct store *store, struct fault *fault)
{
	int r = fault_set(fault, ELLU_E_STORAGE_DAMAGED,
			  "The database %s is damaged; nothing is written any more.",
			  store->database_path);

	snprintf(fault->field, sizeof(fault->field), "%s", store->database_path);
	return r;
}

const char *store_trouble_text(enum store_trouble trouble)
{
	switch (trouble) {
	case STORE_BUSY:
		return "The database cannot be written just now (no memory, or another program has "
		       "it); it is tried again.";
	case STORE_FULL:
		return "The disk is full; what waits goes on when there is room.";
	case STORE_DAMAGED:
		return "The database is damaged, or its disk fails; it is only read from now on.";
	default:
		return NULL;
	}
}

static void on_trouble_notice(struct message *message)
{
	struct trouble_notice *notice = (struct trouble_notice *)message;
	struct store *store =
		(struct store *)((char *)notice - offsetof(struct store, trouble_notice));
	enum store_trouble trouble;

	/* Before the state is read: a change after this posts again. */
	atomic_store(&notice->posted, false);
	trouble = atomic_load(&store->trouble);
	if (trouble == notice->reported)
		return;
	notice->reported = trouble;
	store->options.trouble(store->options.userdata, trouble);
}

static void tell_trouble(struct store *store)
{
	if (store->options.trouble && !atomic_exchange(&store->trouble_notice.posted, true))
		loop_post(store->options.reply_to, &store->trouble_notice.message);
}

void store_set_trouble(struct store *store, enum store_trouble trouble)
{
	enum store_trouble before = atomic_load(&store->trouble);

	while (before != STORE_DAMAGED && before != trouble)
		if (atomic_compare_exchange_weak(&store->trouble, &before, trouble)) {
			tell_trouble(store);
			return;
		}
}

bool store_is_damaged(const struct store *store)
{
	return atomic_load(&store->trouble) == STORE_DAMAGED;
}

void store_set_damaged(struct store *store, const struct db *db)
{
	if (atomic_exchange(&store->trouble, STORE_DAMAGED) == STORE_DAMAGED)
		return;
	log_about(LOG_ERR, ABOUT(.message = LOG_STORAGE_DAMAGED),
		  "store: %s cannot be trusted any more and is only read from now on: %s",
		  store->database_path, db->trouble_text);
	tell_trouble(store);
}

void store_hurry(struct store *store)
{
	atomic_store(&store->hurried, true);
}

static void on_event_notice(struct message *message)
{
	struct event_notice *notice = (struct event_notice *)message;
	struct store *store =
		(struct store *)((char *)notice - offsetof(struct store, event_notice));

	atomic_store(&notice->posted, false);
	store->options.events_added(store->options.userdata, atomic_load(&notice->number));
}

void store_tell_events(struct store *store, int64_t number)
{
	struct event_notice *notice = &store->event_notice;

	atomic_store(&notice->number, number);
	if (store->options.events_added && !atomic_exchange(&notice->posted, true))
		loop_post(store->options.reply_to, &notice->message);
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

	store->options.migrating(store->options.userdata);
	return 0; // go on
}

static int open_database(struct store *store, struct fault *fault)
{
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
	r = schema_migrate(db, store->database_path, fault);
	if (r < 0)
		return r;
	r = recover(store, db);
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
		r = loop_start(store->writer.loop);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = loop_start(store->readers[i].loop);
	return r;
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
	store->trouble_notice.message.deliver = on_trouble_notice;
	store->event_notice.message.deliver = on_event_notice;
	if (sqlite3_libversion_number() < SQLITE_WITHOUT_WAL_DEFECT)
		log_debug("store: SQLite %s; only one connection writes and checkpoints",
			  sqlite3_libversion());
	r = lock_state_dir(state_dir, &store->lock_fd, fault);
	if (r >= 0) {
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
	struct loop *loops[STORE_LOOPS];

	if (!store)
		return NULL;
	(void)store_loops(store, loops); // readers first
	for (int i = 0; i < STORE_LOOPS; i++) {
		if (!loops[i])
			continue;
		loop_stop(loops[i]);
		loop_join(loops[i]);
	}
	/* Readers first: the last connection removes the log. */
	reader_done(&store->readers[0]);
	reader_done(&store->readers[1]);
	writer_done(&store->writer);
	secrets_close(&store->secrets);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free((char *)store->options.state_dir);
	free(store->database_path);
	free(store);
	return NULL;
}
