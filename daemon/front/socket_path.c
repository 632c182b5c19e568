#include "daemon/front/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folder(const char *socket_path, unsigned mode)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", socket_path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	/* The process's umask would shut everybody else out. */
	return chmod(folder, mode) < 0 ? -errno : 0;
}

static int remove_dead_socket(const struct sockaddr_un *address)
{
	struct stat status;
	int fd, r;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			    errno == EAGAIN ?
		    -EADDRINUSE :
		    0;
	close(fd);
	if (r == 0 && unlink(address->sun_path) < 0)
		r = -errno;
	return r;
}

int socket_path_clear(const struct sockaddr_un *address, unsigned mode)
{
	int r = make_folder(address->sun_path, mode & 077 ? 0755 : 0700);

	return r < 0 ? r : remove_dead_socket(address);
}
