/* Where the daemon's socket is. */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

/* Is it one of a message bus; then which. */
bool address_is_bus(const char *address, bool *ret_system);
/* Any other form of address that ellu_open() takes. */
int address_resolve(const char *address, struct sockaddr_un *ret_address);
