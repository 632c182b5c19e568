#include "client/transport/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/elluminate.h"

static int set_path(struct sockaddr_un *address, const char *folder, const char *name)
{
	int n = snprintf(address->sun_path, sizeof(address->sun_path), "%s%s", folder, name);

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
	static const char *const folders[][2] = {
		{ "XDG_RUNTIME_DIR", "/elluminate/socket" },
		{ "XDG_STATE_HOME", "/elluminate/socket" },
		{ "HOME", "/.local/state/elluminate/socket" },
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char *folder = absolute_from_environment(folders[i][0]);

		if (folder)
			return set_path(address, folder, folders[i][1]);
	}
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
		r = set_path(&resolved.socket, address + 5, "");
	else if (strchr(address, '/') || !strchr(address, ':'))
		r = set_path(&resolved.socket, address, "");
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
	int r = ret_path ? address_resolve(address, &resolved) : -EINVAL;

	if (r < 0 || resolved.kind != ADDRESS_SOCKET)
		return r < 0 ? r : -EINVAL;
	path = strdup(resolved.socket.sun_path);
	if (path)
		*ret_path = path;
	return path ? 0 : -ENOMEM;
}
