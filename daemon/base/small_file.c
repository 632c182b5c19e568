#include "daemon/base/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_open(int fd, size_t max, struct arena *arena, char **ret_text, size_t *ret_size)
{
	struct stat status;
	size_t size = 0;
	ssize_t n;
	char *text;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > (off_t)max)
		return -EFBIG;
	/* Files of the kernel's have no size. */
	max = status.st_size > 0 ? (size_t)status.st_size : max;
	text = arena_alloc(arena, max + 1);
	if (!text)
		return -ENOMEM;
	do {
		n = read(fd, text + size, max + 1 - size);
		if (n > 0)
			size += (size_t)n;
	} while ((n > 0 && size <= max) || (n < 0 && errno == EINTR));
	if (n < 0 || size > max) {
		n = n < 0 ? -errno : -EFBIG;
		explicit_bzero(text, size);
		return (int)n;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_size = size;
	return 0;
}

int small_file_read(int folder_fd, const char *path, size_t max, struct arena *arena,
		    char **ret_text, size_t *ret_size)
{
	int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = read_open(fd, max, arena, ret_text, ret_size);
	close(fd);
	return r;
}
