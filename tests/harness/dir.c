#include "tests/harness/dir.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static char *root;
static pid_t root_owner;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

void dir_remove(const char *dir)
{
	(void)nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void remove_root(void)
{
	if (root_owner != getpid())
		return;
	if (getenv("ELLU_TEST_KEEP"))
		fprintf(stderr, "kept: %s\n", root);
	else
		dir_remove(root);
}

void dir_prepare(void)
{
	const char *parent = getenv("TMPDIR");

	if (root)
		return;
	root = text("%s/ellu-test-XXXXXX", parent && parent[0] ? parent : "/tmp");
	if (!mkdtemp(root))
		die("%s: %s", root, strerror(errno));
	root_owner = getpid();
	(void)atexit(remove_root);
}

const char *dir_new(void)
{
	char *path;

	dir_prepare();
	path = text("%s/XXXXXX", root);
	if (!mkdtemp(path))
		die("%s: %s", path, strerror(errno));
	return path;
}

const char *dir_path(const char *dir, const char *name)
{
	return text("%s/%s", dir, name);
}

bool dir_each_file(const char *dir, bool (*visit)(const char *path, void *userdata),
		   void *userdata)
{
	DIR *folder = opendir(dir);
	const struct dirent *entry;
	bool more = true;

	if (!folder)
		die("%s: %s", dir, strerror(errno));
	while (more && (entry = readdir(folder))) {
		const char *path = dir_path(dir, entry->d_name);
		struct stat status;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    lstat(path, &status) < 0)
			continue;
		if (S_ISDIR(status.st_mode))
			more = dir_each_file(path, visit, userdata);
		else if (S_ISREG(status.st_mode))
			more = visit(path, userdata);
	}
	closedir(folder);
	return more;
}
