/* Where the daemon is. */
#pragma once

#include <sys/un.h>

struct address {
	enum { ADDRESS_SOCKET, ADDRESS_SESSION_BUS, ADDRESS_SYSTEM_BUS } kind;
	struct sockaddr_un socket; // of ADDRESS_SOCKET
};

/* Any form of address that ellu_open() takes. */
int address_resolve(const char *address, struct address *ret_address);
