/* What the daemon is called on a message bus, and where the buses are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_NAME "org.elluminate.Elluminate1"
#define BUS_PATH "/org/elluminate/Elluminate1"
#define BUS_TASKS_PATH BUS_PATH "/task"
#define BUS_MANAGER BUS_NAME ".Manager"
#define BUS_TASK BUS_NAME ".Task"
#define BUS_ACTION BUS_NAME ".administer" // of polkit

/* Before what introspection answers. */
#define BUS_DOCTYPE                                                                          \
	"<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n" \
	" \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"

/* A task's path to its id, 0 when it is none; and back. */
int64_t bus_task_id(const char *path);
#define BUS_TASK_PATH_SIZE 64
const char *bus_task_path(char *buffer, int64_t id);

/* The system's bus, or the session's; NULL: there is no session. */
#define BUS_ADDRESS_SIZE 256
const char *bus_address(bool system, char buffer[static BUS_ADDRESS_SIZE]);
