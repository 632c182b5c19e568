#include "daemon/store/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/engine/soundness.h"
#include "daemon/store/engine/store_internal.h"

#define DATABASE "elluminate.db"
#define PART "restore.part" // until it is known to be sound
#define CACHE_KIB 4096
#define BLOCK_BYTES 1048576

static int file_fault(struct fault *fault, const char *what, int error)
{
	if (error == ENOSPC || error == EDQUOT || error == EFBIG)
		return fault_set(fault, ELLU_E_STORAGE_FULL, "There is no room for %s.", what);
	return fault_set(fault, ELLU_E_PERMISSION_DENIED, "%s: %s.", what, strerror(error));
}

static int open_folder(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? file_fault(fault, path, errno) : fd;
}

/* ---- What was there before ---- */

/* A second name for it; having that already is as good, and so is there being nothing. */
static int keep(int from, int to, const char *name)
{
	if (linkat(from, name, to, name, 0) < 0 && errno != ENOENT && errno != EEXIST)
		return -errno;
	return 0;
}

static int keep_secrets(int state, int kept)
{
	int from = openat(state, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = from < 0 ? NULL : fdopendir(from);
	struct dirent *entry;
	int to, r = 0;

	if (!folder)
		return from < 0 && errno == ENOENT ? 0 : -errno;
	if (mkdirat(kept, "secrets", 0700) < 0 && errno != EEXIST)
		r = -errno;
	to = openat(kept, "secrets", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (r == 0 && to < 0)
		r = -errno;
	while (r == 0 && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = keep(from, to, entry->d_name);
	if (r == 0 && fsync(to) < 0)
		r = -errno;
	if (to >= 0)
		close(to);
	closedir(folder);
	return r;
}

/* Named by what replaces it, so that who does this again finds the same. */
static int keep_all(int state, const struct stat *restored, char name[static 64])
{
	struct stat database;
	struct tm tm;
	int kept, r = 0;

	*name = '\0';
	if (fstatat(state, DATABASE, &database, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	(void)strftime(name, 64, "replaced-%Y%m%dT%H%M%SZ", gmtime_r(&restored->st_mtime, &tm));
	if (mkdirat(state, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	kept = openat(state, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (kept < 0)
		return -errno;
	/* As root's, it is to be the daemon's all the same. */
	if (fchown(kept, database.st_uid, database.st_gid) < 0 && errno != EPERM)
		r = -errno;
	if (r == 0)
		r = keep(state, kept, DATABASE);
	if (r == 0)
		r = keep(state, kept, DATABASE "-wal");
	if (r == 0)
		r = keep_secrets(state, kept);
	if (r == 0 && (fsync(kept) < 0 || fsync(state) < 0))
		r = -errno;
	close(kept);
	return r;
}

static int forget(int state, const char *name)
{
	return unlinkat(state, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The log goes before the file that it is of: what follows would take it for its own. */
static int replace(int state, char kept[static 64])
{
	struct stat restored;
	int r;

	*kept = '\0';
	if (fstatat(state, RESTORED, &restored, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = keep_all(state, &restored, kept);
	if (r == 0)
		r = forget(state, DATABASE "-wal");
	if (r == 0)
		r = forget(state, DATABASE "-shm");
	if (r == 0 && (fsync(state) < 0 || renameat(state, RESTORED, state, DATABASE) < 0 ||
		       fsync(state) < 0))
		r = -errno;
	return r;
}

int restore_finish(const char *state_dir, struct fault *fault)
{
	int state = open_folder(state_dir, fault), r;
	char kept[64];

	if (state < 0)
		return state;
	r = replace(state, kept);
	close(state);
	return r < 0 ? file_fault(fault, state_dir, -r) : 0;
}

/* ---- The copy ---- */

static int copy_bytes(int from, int to)
{
	char *block = malloc(BLOCK_BYTES);
	ssize_t n = block ? 1 : 0, written;
	int r = block ? 0 : -ENOMEM;

	while (r == 0 && (n = read(from, block, BLOCK_BYTES)) != 0) {
		if (n < 0) {
			r = errno == EINTR ? 0 : -errno;
			continue;
		}
		for (ssize_t at = 0; r == 0 && at < n; at += written > 0 ? written : 0) {
			written = write(to, block + at, (size_t)(n - at));
			if (written < 0 && errno != EINTR)
				r = -errno;
		}
	}
	free(block);
	return r;
}

static int check_room(int state, const struct stat *backup, struct fault *fault)
{
	struct statvfs fs;

	if (fstatvfs(state, &fs) == 0 && (int64_t)fs.f_bavail * (int64_t)fs.f_frsize - backup->st_size <
						 STORE_FREE_BYTES_MIN)
		return fault_set(fault, ELLU_E_STORAGE_FULL, "There is no room for a copy of %" PRId64
						     " MiB.", (int64_t)backup->st_size >> 20);
	return 0;
}

static int copy_file(int state, const char *path, struct fault *fault)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to = -1, r;
	struct stat backup, folder;

	if (from < 0 || fstat(from, &backup) < 0 || fstat(state, &folder) < 0)
		r = file_fault(fault, path, errno);
	else if (!S_ISREG(backup.st_mode))
		r = fault_set(fault, ELLU_E_UNSUPPORTED, "%s is no backup: it is no file.", path);
	else
		r = check_room(state, &backup, fault);
	if (r == 0) {
		(void)unlinkat(state, PART, 0);
		to = openat(state, PART, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = to < 0 ? -errno : copy_bytes(from, to);
		if (r == 0 && fchown(to, folder.st_uid, folder.st_gid) < 0 && errno != EPERM)
			r = -errno;
		r = r < 0 ? file_fault(fault, "the copy", -r) : 0;
	}
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return r;
}

/* ---- Whose it is ---- */

static int give_table(struct db *db, const char *table, int64_t uid)
{
	char *script = sqlite3_mprintf("UPDATE \"%w\" SET owner_uid = %lld", table, (long long)uid);
	int r = script ? db_script(db, script) : -ENOMEM;

	sqlite3_free(script);
	return r;
}

/* All tables say whose their rows are. */
static int give_all(struct db *db, int64_t uid)
{
	QUERY tables = NULL;
	int r = db_query(db, &tables, "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c"
				      " WHERE t.type = 'table' AND c.name = 'owner_uid'", "");

	while (r >= 0 && (r = db_next(db, tables)) > 0)
		r = give_table(db, column_peek(tables, 0), uid);
	return r;
}

/* On another machine one has another number. */
static int make_own(struct db *db, const char *path, struct fault *fault)
{
	const int64_t uid = (int64_t)geteuid();
	int64_t first = uid, last = uid;
	int r = db_int(db, &first, "SELECT min(owner_uid) FROM projects", "");

	if (r >= 0)
		r = db_int(db, &last, "SELECT max(owner_uid) FROM projects", "");
	if (r >= 0 && first != last)
		return fault_set(fault, ELLU_E_UNSUPPORTED,
				 "%s is of a daemon that serves several users; it is restored with --system.",
				 path);
	if (r >= 0 && first != uid) {
		r = db_script(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
				  "PRAGMA foreign_keys = OFF; BEGIN");
		if (r >= 0)
			r = give_all(db, uid);
		if (r >= 0)
			r = db_script(db, "COMMIT");
	}
	return r < 0 ? fault_set(fault, r == -ENOSPC ? ELLU_E_STORAGE_FULL : ELLU_E_INTERNAL,
				 "%s cannot be made your own: %s.", path, db->trouble_text) : 0;
}

static int prepare(struct store_restore *restore, const char *part, struct fault *fault)
{
	struct db db;
	int r = soundness_check_file(part, restore->path, fault);

	if (r < 0 || restore->system)
		return r;
	r = db_open(part, /* writable= */ true, CACHE_KIB, &db);
	r = r < 0 ? fault_set(fault, ELLU_E_INTERNAL, "%s: %s.", part, db.trouble_text) :
		    make_own(&db, restore->path, fault);
	db_close(&db);
	return r;
}

/* ---- All of it ---- */

static int sync_and_name(int state)
{
	int fd = openat(state, PART, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 || fsync(fd) < 0 || renameat(state, PART, state, RESTORED) < 0 || fsync(state) < 0 ?
			-errno : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

static int restore_locked(struct store_restore *restore, int state, struct fault *fault)
{
	char part[4096];
	int r;

	if (snprintf(part, sizeof(part), "%s/" PART, restore->state_dir) >= (int)sizeof(part))
		return fault_set(fault, ELLU_E_INTERNAL, "The path of the state folder is too long.");
	r = replace(state, restore->kept); // one that was interrupted
	if (r < 0)
		return file_fault(fault, restore->state_dir, -r);
	r = soundness_check_alone(restore->path, fault);
	if (r == 0)
		r = copy_file(state, restore->path, fault);
	if (r == 0)
		r = prepare(restore, part, fault);
	if (r == 0) {
		r = sync_and_name(state);
		if (r == 0)
			r = replace(state, restore->kept);
		r = r < 0 ? file_fault(fault, restore->state_dir, -r) : 0;
	}
	(void)unlinkat(state, PART, 0);
	return r;
}

int store_restore(struct store_restore *restore, struct fault *fault)
{
	int lock = -1, state, r = lock_state_dir(restore->state_dir, &lock, fault);
	struct stat folder;

	if (r < 0)
		return r;
	state = open_folder(restore->state_dir, fault);
	r = state;
	/* Root may have made it; the daemon opens it as whose the folder is. */
	if (r >= 0 && (fstat(state, &folder) < 0 ||
		       (fchown(lock, folder.st_uid, folder.st_gid) < 0 && errno != EPERM)))
		r = file_fault(fault, restore->state_dir, errno);
	if (r >= 0)
		r = restore_locked(restore, state, fault);
	if (state >= 0)
		close(state);
	close(lock);
	return r;
}

int store_check_backup(const char *path, struct fault *fault)
{
	int r = soundness_check_alone(path, fault);

	return r < 0 ? r : soundness_check_file(path, path, fault);
}
