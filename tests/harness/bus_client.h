/* One who calls over a message bus. */
#pragma once

#include <systemd/sd-bus.h>

/* At the address; who cannot reach it dies. */
sd_bus *bus_client_new(const char *address);
