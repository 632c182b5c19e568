#include "client/transport/address.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/elluminate.h"

__attribute__((format(printf, 2, 3))) static int set_path(struct sockaddr_un *address,
							  const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(address->sun_path, sizeof(address->sun_path), format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t) n >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	return n > 0 ? 0 : -EINVAL;
}

/* As the XDG base directories want it, what is not absolute counts as unset. */
static const char *absolute_from_environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value == '/' ? value : NULL;
}

static int resolve_default(struct sockaddr_un *address)
{
	const char *folder;

	folder = absolute_from_environment("XDG_RUNTIME_DIR");
	if (folder)
		return set_path(address, "%s/elluminate/socket", folder);
	folder = absolute_from_environment("XDG_STATE_HOME");
	if (folder)
		return set_path(address, "%s/elluminate/socket", folder);
	folder = absolute_from_environment("HOME");
	if (folder)
		return set_path(address, "%s/.local/state/elluminate/socket", folder);
	return -ENOENT;
}

int address_resolve(const char *address, struct address *ret_address)
{
	struct address resolved = { .socket.sun_family = AF_UNIX };
	int r = 0;

	if (!address || !*address)
		address = secure_getenv("ELLUMINATE_SOCKET");
	if (!address || !*address)
		r = resolve_default(&resolved.socket);
	else if (strcmp(address, ELLU_SESSION_BUS_ADDRESS) == 0)
		resolved.kind = ADDRESS_SESSION_BUS;
	else if (strcmp(address, ELLU_SYSTEM_BUS_ADDRESS) == 0)
		resolved.kind = ADDRESS_SYSTEM_BUS;
	else if (strncmp(address, "unix:", 5) == 0)
		r = set_path(&resolved.socket, "%s", address + 5);
	else if (strchr(address, '/') || !strchr(address, ':'))
		r = set_path(&resolved.socket, "%s", address);
	else
		r = -EINVAL;
	if (r == 0)
		*ret_address = resolved;
	return r;
}

int ellu_address_path(const char *address, char **ret_path)
{
	struct address resolved;
	char *path;
	int r;

	if (!ret_path)
		return -EINVAL;
	r = address_resolve(address, &resolved);
	if (r == 0 && resolved.kind != ADDRESS_SOCKET)
		r = -EINVAL;
	if (r < 0)
		return r;
	path = strdup(resolved.socket.sun_path);
	if (!path)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}
