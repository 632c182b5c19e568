#include "daemon/store/engine/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/small_file.h"

#define SALT_NAME ".salt" // no file of a key: these are swept

void secrets_close(struct secrets *secrets)
{
	if (secrets->folder_fd >= 0)
		close(secrets->folder_fd);
	secrets->folder_fd = -1;
}

static int changes_add(struct secret_changes *changes, const char *name, bool created)
{
	struct secret_change *items;

	if (changes->n == changes->capacity) {
		size_t capacity = changes->capacity ? changes->capacity * 2 : 8;

		items = realloc(changes->items, capacity * sizeof(*items));
		if (!items)
			return -ENOMEM;
		changes->items = items;
		changes->capacity = capacity;
	}
	snprintf(changes->items[changes->n].name, SECRET_NAME_SIZE, "%s", name);
	changes->items[changes->n++].created = created;
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int random_name(char ret_name[static SECRET_NAME_SIZE])
{
	unsigned char random[SECRET_NAME_SIZE / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < SECRET_NAME_SIZE / 2; i++)
		snprintf(ret_name + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static int read_salt(struct secrets *secrets)
{
	int fd = openat(secrets->folder_fd, SALT_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, secrets->salt, SECRETS_SALT_SIZE - 1);
	close(fd);
	return n < 0 ? -errno : n == SECRETS_SALT_SIZE - 1 ? 0 : -EBADMSG;
}

/* Whole, or not there. */
static int make_salt(struct secrets *secrets)
{
	int fd, r = random_name(secrets->salt);

	if (r < 0)
		return r;
	fd = openat(secrets->folder_fd, SALT_NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, secrets->salt, SECRETS_SALT_SIZE - 1);
	close(fd);
	if (r == 0 && (renameat(secrets->folder_fd, SALT_NAME ".new", secrets->folder_fd, SALT_NAME) < 0 ||
		       fsync(secrets->folder_fd) < 0))
		r = -errno;
	return r;
}

int secrets_open(const char *state_dir, struct secrets *secrets)
{
	char path[4096];
	int r;

	if (snprintf(path, sizeof(path), "%s/secrets", state_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	secrets->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (secrets->folder_fd < 0)
		return -errno;
	if (fchmod(secrets->folder_fd, 0700) < 0)
		return -errno;
	r = read_salt(secrets);
	return r == -ENOENT ? make_salt(secrets) : r;
}

int secrets_store(struct secrets *secrets, struct secret_changes *changes, const char *value,
		  char ret_name[static SECRET_NAME_SIZE])
{
	int fd, r = random_name(ret_name);

	if (r < 0)
		return r;
	fd = openat(secrets->folder_fd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, value, strlen(value));
	close(fd);
	if (r == 0 && fsync(secrets->folder_fd) < 0)
		r = -errno;
	if (r == 0)
		r = changes_add(changes, ret_name, /* created= */ true);
	if (r < 0)
		(void)unlinkat(secrets->folder_fd, ret_name, 0);
	return r == -EDQUOT || r == -EFBIG ? -ENOSPC : r;
}

int secrets_forget(struct secret_changes *changes, const char *name)
{
	return name ? changes_add(changes, name, /* created= */ false) : 0;
}

static int read_text(int folder_fd, const char *path, size_t max, struct arena *arena,
		     const char **ret_value)
{
	size_t size;
	char *text;
	int r = small_file_read(folder_fd, path, max, arena, &text, &size);

	if (r < 0)
		return r;
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		text[--size] = '\0';
	*ret_value = text;
	return size > 0 ? 0 : -ENODATA;
}

int secrets_read(const struct secrets *secrets, const char *name, struct arena *arena,
		 const char **ret_value)
{
	return read_text(secrets->folder_fd, name, SECRET_OWN_SIZE_MAX, arena, ret_value);
}

void secrets_rollback(struct secrets *secrets, struct secret_changes *changes, size_t keep)
{
	for (; changes->n > keep; changes->n--) {
		const struct secret_change *change = &changes->items[changes->n - 1];

		if (change->created)
			(void)unlinkat(secrets->folder_fd, change->name, 0);
	}
}

void secrets_commit(struct secrets *secrets, struct secret_changes *changes)
{
	for (; changes->n > 0; changes->n--) {
		const struct secret_change *change = &changes->items[changes->n - 1];

		if (!change->created)
			(void)unlinkat(secrets->folder_fd, change->name, 0);
	}
}

int secrets_sweep(struct secrets *secrets, int (*is_used)(void *userdata, const char *name),
		  void *userdata)
{
	int fd = openat(secrets->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!folder) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r >= 0 && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		r = is_used(userdata, entry->d_name);
		if (r == 0)
			(void)unlinkat(secrets->folder_fd, entry->d_name, 0);
	}
	closedir(folder);
	return r < 0 ? r : 0;
}

static int resolve_credential(const char *name, struct arena *arena, const char **ret_value)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	int fd, r;

	if (!folder)
		return -ENOENT;
	if (!*name || strchr(name, '/') || name[0] == '.')
		return -EINVAL;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = read_text(fd, name, SECRET_SIZE_MAX, arena, ret_value);
	close(fd);
	return r;
}

static int resolve(const char *reference, struct arena *arena, const char **ret_value)
{
	const char *value;

	if (strncmp(reference, "env:", 4) == 0) {
		value = getenv(reference + 4);
		if (!value)
			return -ENOENT;
		*ret_value = arena_strdup(arena, value);
		return !*ret_value ? -ENOMEM : **ret_value ? 0 : -ENODATA;
	}
	if (strncmp(reference, "file:/", 6) == 0)
		return read_text(AT_FDCWD, reference + 5, SECRET_SIZE_MAX, arena, ret_value);
	if (strncmp(reference, "credential:", 11) == 0)
		return resolve_credential(reference + 11, arena, ret_value);
	return -EINVAL;
}

/* It can stand in a header, or is a key file, which never does. */
static bool is_clean(const char *value)
{
	bool is_file = *value == '{';

	for (const char *at = value; *at; at++)
		if (((unsigned char)*at < 0x20 && !(is_file && strchr("\t\n\r", *at))) || *at == 0x7f)
			return false;
	return *value != '\0';
}

int secret_resolve(const char *reference, const char *field, struct arena *arena,
		   const char **ret_value, struct fault *fault)
{
	int r = resolve(reference, arena, ret_value);

	if (r == -ENOMEM)
		return fault_oom(fault);
	if (r == -ENOENT)
		return fault_invalid(fault, field, "a key that exists; there is none at %s", reference);
	if (r == -ENODATA)
		return fault_invalid(fault, field, "a key that is not empty, as %s is", reference);
	if (r < 0)
		return fault_invalid(fault, field, "a key that can be read; at %s: %s", reference,
				     strerror(-r));
	if (!is_clean(*ret_value))
		return fault_invalid(fault, field, "a key of printable characters at %s", reference);
	return 0;
}
