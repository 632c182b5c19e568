#include "tests/fault/traced_disk.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/sim/disk_trace.h"

#define SECTOR_SIZE 512 // written whole or not at all
#define FILES_MAX 4096
#define NAMINGS_MAX 4096

struct change {
	enum disk_op op; // DISK_WRITE or DISK_TRUNCATE
	int64_t offset, size;
	const char *data; // of the trace
};

struct file {
	char *content; // as of its last sync
	int64_t size;
	struct change *changes; // since
	size_t n_changes, changes_capacity;
	unsigned syncs;
};

/* A change of names: the file goes by `path`; `gone`: it went by that before. */
struct naming {
	const char *folder, *gone, *path;
	struct file *file; // NULL: only `gone`
	bool synced;
};

struct traced_disk {
	const char *folder;
	char *trace;
	size_t size, at;
	struct file files[FILES_MAX];
	size_t n_files;
	struct naming namings[NAMINGS_MAX]; // all of them, in order
	size_t n_namings;
};

struct traced_disk *traced_disk_new(const char *trace_path, const char *folder)
{
	struct traced_disk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		die("out of memory");
	disk->folder = folder;
	disk->trace = file_read(trace_path, &disk->size);
	if (!disk->trace)
		die("no trace at %s", trace_path);
	return disk;
}

void traced_disk_rewind(struct traced_disk *disk)
{
	for (size_t i = 0; i < disk->n_files; i++) {
		free(disk->files[i].content);
		free(disk->files[i].changes);
	}
	memset(disk->files, 0, sizeof(disk->files));
	disk->n_files = disk->n_namings = disk->at = 0;
}

int64_t traced_disk_at(const struct traced_disk *disk)
{
	return (int64_t)disk->at;
}

/* The file of this name after the first `n` changes of names. */
static struct file *named(const struct traced_disk *disk, const char *path, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		const struct naming *naming = &disk->namings[i];

		if (naming->path && strcmp(naming->path, path) == 0)
			return naming->file;
		if (naming->gone && strcmp(naming->gone, path) == 0)
			return NULL;
	}
	return NULL;
}

unsigned traced_disk_syncs(const struct traced_disk *disk, const char *name)
{
	const struct file *file = named(disk, dir_path(disk->folder, name), disk->n_namings);

	return file ? file->syncs : 0;
}

static void add_naming(struct traced_disk *disk, const char *gone, const char *path,
		       struct file *file)
{
	if (disk->n_namings == NAMINGS_MAX)
		die("too many changes of names");
	disk->namings[disk->n_namings++] = (struct naming) {
		.folder = dirname(text("%s", path ? path : gone)), .gone = gone, .path = path,
		.file = file };
}

static struct file *add_file(struct traced_disk *disk)
{
	if (disk->n_files == FILES_MAX)
		die("too many files");
	return &disk->files[disk->n_files++];
}

static void add_change(struct file *file, const struct change *change)
{
	if (file->n_changes == file->changes_capacity) {
		file->changes_capacity = file->changes_capacity ? 2 * file->changes_capacity : 64;
		file->changes = reallocarray(file->changes, file->changes_capacity,
					     sizeof(*file->changes));
		if (!file->changes)
			die("out of memory");
	}
	file->changes[file->n_changes++] = *change;
}

/* What was never written reads as zeros. */
static void resize(char **content, int64_t *size, int64_t wanted)
{
	if (wanted > 0)
		*content = realloc(*content, (size_t)wanted);
	if (wanted > 0 && !*content)
		die("out of memory");
	if (wanted > *size)
		memset(*content + *size, 0, (size_t)(wanted - *size));
	*size = wanted;
}

static bool is_kept(double probability)
{
	return (double)random() / ((double)RAND_MAX + 1) < probability;
}

static void apply(const struct change *change, double kept, char **content, int64_t *size)
{
	if (change->op == DISK_TRUNCATE) {
		if (is_kept(kept))
			resize(content, size, change->offset);
		return;
	}
	for (int64_t done = 0, n; done < change->size; done += n) {
		int64_t at = change->offset + done;

		n = SECTOR_SIZE - at % SECTOR_SIZE;
		if (n > change->size - done)
			n = change->size - done;
		if (!is_kept(kept))
			continue;
		if (at + n > *size)
			resize(content, size, at + n);
		memcpy(*content + at, change->data + done, (size_t)n);
	}
}

/* A file's content, or the names in a folder. */
static void sync_path(struct traced_disk *disk, const char *path)
{
	struct file *file = named(disk, path, disk->n_namings);

	for (size_t i = 0; i < disk->n_namings; i++)
		if (strcmp(disk->namings[i].folder, path) == 0)
			disk->namings[i].synced = true;
	if (!file)
		return;
	for (size_t i = 0; i < file->n_changes; i++)
		apply(&file->changes[i], 1, &file->content, &file->size);
	file->n_changes = 0;
	file->syncs++;
}

static void play(struct traced_disk *disk, const struct disk_record *record, const char *path,
		 const char *data)
{
	struct file *file = named(disk, path, disk->n_namings);

	switch ((enum disk_op)record->op) {
	case DISK_CREATE:
		add_naming(disk, NULL, path, add_file(disk));
		break;
	case DISK_WRITE:
	case DISK_TRUNCATE:
		if (!file)
			die("a change of %s, which is not there", path);
		add_change(file, &(struct change) { .op = (enum disk_op)record->op,
						    .offset = record->offset,
						    .size = record->data_size, .data = data });
		break;
	case DISK_SYNC:
		sync_path(disk, path);
		break;
	case DISK_UNLINK:
		add_naming(disk, path, NULL, NULL);
		break;
	case DISK_RENAME:
		add_naming(disk, path, text("%.*s", (int)record->data_size, data), file);
		break;
	case _DISK_OP_MAX:
	default:
		die("the trace is broken");
	}
}

bool traced_disk_step(struct traced_disk *disk, bool *ret_was_sync)
{
	struct disk_record record;
	const char *path;

	if (disk->at + sizeof(record) > disk->size)
		return false;
	memcpy(&record, disk->trace + disk->at, sizeof(record));
	path = disk->trace + disk->at + sizeof(record);
	if (disk->at + sizeof(record) + (size_t)record.path_size + (size_t)record.data_size > disk->size)
		return false; // the last, cut by a kill
	play(disk, &record, text("%.*s", record.path_size, path), path + record.path_size);
	disk->at += sizeof(record) + (size_t)record.path_size + (size_t)record.data_size;
	*ret_was_sync = record.op == DISK_SYNC;
	return true;
}

static void write_out(const struct file *file, double kept, const char *path)
{
	char *content = NULL;
	int64_t size = 0;
	FILE *out = fopen(path, "we");

	resize(&content, &size, file->size);
	if (size > 0)
		memcpy(content, file->content, (size_t)size);
	for (size_t i = 0; i < file->n_changes; i++)
		apply(&file->changes[i], kept, &content, &size);
	if (!out || (size > 0 && fwrite(content, 1, (size_t)size, out) != (size_t)size) ||
	    fclose(out) != 0)
		die("%s: %s", path, strerror(errno));
	free(content);
}

void traced_disk_lose_power(const struct traced_disk *disk, double kept, const char *folder)
{
	struct traced_disk *left = calloc(1, sizeof(*left));
	bool lost = false;

	if (!left)
		die("out of memory");
	/* Names change one after another on a disk: what follows the first that is lost is lost. */
	for (size_t i = 0; i < disk->n_namings; i++) {
		lost = lost || (!disk->namings[i].synced && !is_kept(kept));
		if (!lost || disk->namings[i].synced)
			left->namings[left->n_namings++] = disk->namings[i];
	}
	for (size_t i = 0; i < left->n_namings; i++) {
		const struct naming *naming = &left->namings[i];
		char *path;

		if (!naming->path || named(left, naming->path, left->n_namings) != naming->file)
			continue;
		path = text("%s%s", folder, naming->path + strlen(disk->folder));
		if (mkdir(dirname(text("%s", path)), 0700) < 0 && errno != EEXIST)
			die("%s: %s", path, strerror(errno));
		write_out(naming->file, kept, path);
	}
	free(left);
}
