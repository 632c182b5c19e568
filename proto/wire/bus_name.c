#include "proto/wire/bus_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bus_task_path(char *buffer, int64_t id)
{
	snprintf(buffer, BUS_TASK_PATH_SIZE, BUS_TASKS_PATH "/%" PRId64, id);
	return buffer;
}

int64_t bus_task_id(const char *path)
{
	static const char prefix[] = BUS_TASKS_PATH "/";
	char again[BUS_TASK_PATH_SIZE];
	int64_t id;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	id = strtoll(path + sizeof(prefix) - 1, NULL, 10);
	/* Each task has one path: no leading zeros, signs or blanks. */
	return id > 0 && strcmp(bus_task_path(again, id), path) == 0 ? id : 0;
}

const char *bus_address(bool system, char buffer[static BUS_ADDRESS_SIZE])
{
	const char *address = secure_getenv(system ? "DBUS_SYSTEM_BUS_ADDRESS" :
						     "DBUS_SESSION_BUS_ADDRESS");
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

	if (address && address[0])
		return address;
	if (system)
		return "unix:path=/run/dbus/system_bus_socket";
	if (!runtime || runtime[0] != '/')
		return NULL;
	snprintf(buffer, BUS_ADDRESS_SIZE, "unix:path=%s/bus", runtime);
	return buffer;
}
