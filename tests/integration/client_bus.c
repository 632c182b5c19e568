#include <stdint.h>
#include <stdlib.h>

#include "tests/integration/client_bus.h"

struct message_bus *message_bus;
struct daemon *server;

void start_bus(bool system)
{
	message_bus = message_bus_start(system);
	ck_assert_int_eq(setenv(system ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS",
				message_bus_address(message_bus), 1), 0);
}

void start(bool system)
{
	start_bus(system);
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.arguments = (const char *[]) { system ? "--system" : NULL, NULL },
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

struct ellu *open_handle(unsigned mode)
{
	struct ellu *handle;

	ck_assert_int_eq(ellu_open(ELLU_SESSION_BUS_ADDRESS, mode, &handle), 0);
	return handle;
}

void *run_op(void *op)
{
	return (void *)(intptr_t)ellu_op_wait(op, WAIT_SECONDS);
}
