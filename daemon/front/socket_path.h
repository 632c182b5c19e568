/* The path of a listening Unix socket, before it is bound. */
#pragma once

#include <sys/un.h>

/* Makes its folder, for all or for the owner as `mode` says, and removes a socket that nobody answers on.
 * -EADDRINUSE: somebody does. */
int socket_path_clear(const struct sockaddr_un *address, unsigned mode);
