#include "tests/harness/bus_client.h"

#include "tests/harness/harness.h"

sd_bus *bus_client_new(const char *address)
{
	sd_bus *client = NULL;

	if (sd_bus_new(&client) < 0 || sd_bus_set_address(client, address) < 0 ||
	    sd_bus_set_bus_client(client, 1) < 0 || sd_bus_start(client) < 0)
		die("the bus cannot be reached");
	return client;
}
