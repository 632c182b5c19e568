#include "tests/harness/way.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness/bus.h"
#include "tests/harness/harness.h"

static struct message_bus *bus;

bool way_is_bus(void)
{
	const char *way = getenv("ELLU_TEST_WAY");

	return way && strcmp(way, "bus") == 0;
}

bool way_is_there(void)
{
	return !way_is_bus() || message_bus_is_there();
}

struct daemon *way_start(const struct daemon_options *options)
{
	struct daemon_options with_bus = { 0 };

	if (!way_is_bus())
		return daemon_start(options);
	if (options)
		with_bus = *options;
	bus = message_bus_start(/* system= */ false);
	if (setenv("DBUS_SESSION_BUS_ADDRESS", message_bus_address(bus), 1) < 0)
		die("out of memory");
	with_bus.bus = true;
	with_bus.environment = (const char *[]) { message_bus_variable(bus), NULL };
	return daemon_start(&with_bus);
}

const char *way_address(const struct daemon *daemon)
{
	return way_is_bus() ? "bus:session" : daemon_socket(daemon);
}

struct message_bus *way_bus(void)
{
	return bus;
}
