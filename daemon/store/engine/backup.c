/*
 * A backup is copied page by page on the writer's connection, between its transactions: pages that it
 * writes meanwhile go to both files, so the copy is never begun again, and in the end is the database as
 * it is at that moment. A step takes a few milliseconds, and three times as long nothing is copied.
 * All that takes longer is done by the keeping reader's thread: what was copied is read back whole, synced,
 * and only then gets its name. Keys are in files of their own, none of which is copied.
 */
#include "daemon/store/engine/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/soundness.h"
#include "daemon/store/engine/store_internal.h"
#include "proto/generated/interface.h"

#define FOLDER "backups"
#define PART ".part" // of a name, until it is whole
#define CACHE_KIB 256
#define STEP_PAGES 16
#define STEP_USEC 2000
#define NAMES_MAX 100 // within a second

struct backup {
	struct db copy;
	sqlite3_backup *handle; // NULL before the first step, and after the last
	const char *name;
	const char *path;
	const char *part;
};

static int file_fault(struct tx *tx, const char *path)
{
	if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
		return fault_set(tx->fault, ELLU_E_STORAGE_FULL, NULL);
	return fault_set(tx->fault, ELLU_E_INTERNAL, "%s: %s.", path, strerror(errno));
}

/* Of the copy's own connection; the database's has nothing to do with it. */
static int copy_fault(struct tx *tx, const struct db *copy, const char *path)
{
	if (copy->trouble == DB_FULL)
		return fault_set(tx->fault, ELLU_E_STORAGE_FULL, NULL);
	return fault_set(tx->fault, ELLU_E_INTERNAL, "%s cannot be written: %s.", path,
			 copy->trouble_text);
}

static int leaves(struct tx *tx)
{
	return fault_set(tx->fault, ELLU_E_SHUTTING_DOWN, NULL);
}

/* ---- Its end ---- */

/* On any of the two threads, whoever has the request. */
static void give_up(struct tx *tx, struct backup *backup)
{
	if (backup->handle)
		(void)sqlite3_backup_finish(backup->handle);
	backup->handle = NULL;
	db_close(&backup->copy);
	(void)unlink(backup->part);
	atomic_store(&tx->store->backing_up, false);
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | flags);
	int r = fd < 0 || fsync(fd) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* The file alone is the whole of it from now on: no log, and nothing beside it. */
static int settle(struct tx *tx, struct backup *backup)
{
	const char *problem = NULL;
	int r = db_script(&backup->copy, "PRAGMA journal_mode = DELETE");

	if (r < 0)
		return copy_fault(tx, &backup->copy, backup->path);
	db_count_turns(&backup->copy, tx->store->readers[2].loop);
	r = soundness_check(&backup->copy, tx->arena, &problem);
	if (r < 0)
		return copy_fault(tx, &backup->copy, backup->path);
	if (r > 0) {
		log_error("store: a backup does not read back: %s", problem);
		return fault_set(tx->fault, ELLU_E_STORAGE_DAMAGED, "The copy does not read back: %s.",
				 problem);
	}
	return 0;
}

static int finish(struct tx *tx, struct method_run *op, struct backup *backup)
{
	struct ellu_backup_reply *reply = method_reply(tx, op);
	const char *folder = tx_printf(tx, "%s/" FOLDER, tx->store->options.state_dir);
	struct stat file;
	int r = reply && folder ? settle(tx, backup) : -ENOMEM;

	if (r < 0)
		return r;
	db_close(&backup->copy);
	if (sync_path(backup->part, 0) < 0 || stat(backup->part, &file) < 0 ||
	    rename(backup->part, backup->path) < 0 || sync_path(folder, O_DIRECTORY) < 0)
		return file_fault(tx, backup->path);
	reply->name = backup->name;
	reply->path = backup->path;
	reply->size_bytes = (int64_t)file.st_size;
	log_notice("store: backup %s, %" PRId64 " bytes", backup->path, reply->size_bytes);
	atomic_store(&tx->store->backing_up, false);
	return 0;
}

/* ---- Copying, on the writer's thread ---- */

static int begin_copy(struct tx *tx, struct backup *backup)
{
	backup->handle = sqlite3_backup_init(backup->copy.handle, "main", tx->db->handle, "main");
	if (backup->handle)
		return 0;
	(void)db_failed(&backup->copy, sqlite3_errcode(backup->copy.handle));
	return copy_fault(tx, &backup->copy, backup->path);
}

/* The reason of a step is that of whichever file it was about; only what says so is the database's. */
static int step_failed(struct tx *tx, struct backup *backup, int code)
{
	if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
		return db_failed(tx->db, code);
	(void)db_failed(&backup->copy, code);
	return copy_fault(tx, &backup->copy, backup->path);
}

static int copy_step(struct tx *tx, struct method_run *op, struct backup *backup)
{
	int64_t until = clock_monotonic_usec() + STEP_USEC;
	int code = SQLITE_OK, r = backup->handle ? 0 : begin_copy(tx, backup);

	if (r < 0)
		return r;
	if (atomic_load(&tx->store->leaving))
		return leaves(tx);
	if (store_free_bytes(tx->store) < STORE_FREE_BYTES_MIN)
		return fault_set(tx->fault, ELLU_E_STORAGE_FULL, NULL);
	while (code == SQLITE_OK && clock_monotonic_usec() < until)
		code = sqlite3_backup_step(backup->handle, STEP_PAGES);
	if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
		op->request.again = true;
		return 0;
	}
	if (code != SQLITE_DONE)
		return step_failed(tx, backup, code);
	code = sqlite3_backup_finish(backup->handle);
	backup->handle = NULL;
	if (code != SQLITE_OK)
		return step_failed(tx, backup, code);
	op->request.lane = STORE_KEEP;
	return 0;
}

/* ---- Its beginning ---- */

static int64_t size_of(const char *path)
{
	struct stat file;

	return path && stat(path, &file) == 0 ? (int64_t)file.st_size : 0;
}

static int check_room(struct tx *tx)
{
	const char *log = tx_printf(tx, "%s-wal", tx->store->database_path);
	int64_t size = size_of(tx->store->database_path) + size_of(log);

	if (store_free_bytes(tx->store) - size >= STORE_FREE_BYTES_MIN)
		return 0;
	return fault_set(tx->fault, ELLU_E_STORAGE_FULL,
			 "A copy of %" PRId64 " MiB does not fit on the disk of %s.", size >> 20,
			 tx->store->options.state_dir);
}

/* Another one of the same second has another name. */
static int make_names(struct tx *tx, const char *folder, struct backup *backup)
{
	time_t seconds = (time_t)(tx->now / USEC_PER_SEC);
	char when[32];
	struct tm tm;
	int fd;

	(void)strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &tm));
	for (int i = 1; i <= NAMES_MAX; i++) {
		backup->name = i == 1 ? tx_printf(tx, "elluminate-%s.db", when) :
					tx_printf(tx, "elluminate-%s-%d.db", when, i);
		backup->path = tx_printf(tx, "%s/%s", folder, backup->name);
		backup->part = tx_printf(tx, "%s" PART, backup->path);
		if (!backup->part)
			return -ENOMEM;
		if (access(backup->path, F_OK) == 0)
			continue;
		fd = open(backup->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			break;
		close(fd);
		return 0;
	}
	return file_fault(tx, folder);
}

static int open_copy(struct tx *tx, struct backup *backup)
{
	const char *folder = tx_printf(tx, "%s/" FOLDER, tx->store->options.state_dir);
	int r;

	if (!folder)
		return -ENOMEM;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return file_fault(tx, folder);
	r = make_names(tx, folder, backup);
	if (r < 0)
		return r;
	/* It is synced once, when it is whole; until then it is nobody's. */
	r = db_open(backup->part, /* writable= */ true, CACHE_KIB, &backup->copy);
	if (r >= 0)
		r = db_script(&backup->copy, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;");
	if (r >= 0)
		return 0;
	r = copy_fault(tx, &backup->copy, backup->path);
	db_close(&backup->copy);
	(void)unlink(backup->part);
	return r;
}

static int begin(struct tx *tx, struct method_run *op)
{
	struct backup *backup;
	int r = check_room(tx);

	if (r < 0)
		return r;
	if (atomic_exchange(&tx->store->backing_up, true))
		return fault_conflict(tx->fault, "backup", NULL, 0, "a backup is being made already");
	backup = tx_alloc(tx, sizeof(*backup));
	if (backup)
		memset(backup, 0, sizeof(*backup));
	r = backup ? open_copy(tx, backup) : -ENOMEM;
	if (r < 0) {
		atomic_store(&tx->store->backing_up, false);
		return r;
	}
	op->request.state = backup;
	op->request.lane = STORE_COPY;
	return 0;
}

int backup_run(struct tx *tx, struct method_run *op)
{
	struct backup *backup = op->request.state;
	int r;

	if (!backup)
		return begin(tx, op);
	r = op->request.lane == STORE_COPY ? copy_step(tx, op, backup) : finish(tx, op, backup);
	if (r < 0)
		give_up(tx, backup);
	return r;
}

/* ---- After a crash ---- */

static bool is_part(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(PART) && strcmp(name + length - strlen(PART), PART) == 0;
}

void backups_sweep(const char *state_dir)
{
	char path[4096];
	struct dirent *entry;
	DIR *folder;

	if (snprintf(path, sizeof(path), "%s/" FOLDER, state_dir) >= (int)sizeof(path))
		return;
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		if (is_part(entry->d_name))
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
}

/* ---- Whether it is sound ---- */

int storage_check_run(struct tx *tx, struct method_run *op)
{
	struct soundness *state = op->request.state;
	struct ellu_check_storage_reply *reply;
	int r;

	if (atomic_load(&tx->store->leaving))
		return leaves(tx);
	if (!state)
		op->request.state = state = tx_alloc(tx, sizeof(*state));
	if (!state)
		return -ENOMEM;
	r = soundness_check_next(tx, state);
	if (r != 0) {
		op->request.again = r > 0;
		return r < 0 ? r : 0;
	}
	reply = method_reply(tx, op);
	if (!reply)
		return -ENOMEM;
	reply->problems = tx_list_items(tx, &state->problems);
	reply->n_problems = state->problems.n;
	reply->tables = state->n_tables;
	return 0;
}
