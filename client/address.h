/* SPDX-License-Identifier: MIT */
/* Where the daemon's socket is. */
#pragma once

#include <sys/un.h>

/* Any form of address that ellu_open() takes. */
int address_resolve(const char *address, struct sockaddr_un *ret_address);
