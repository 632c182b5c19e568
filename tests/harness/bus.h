/*
 * A message bus of the test's own: Debian's dbus-daemon on a private address. It never outlives the
 * test.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct message_bus;

/* Whether dbus-daemon is installed. */
bool message_bus_is_there(void);
/* A bus of type session, or of type system with the project's policy file. */
struct message_bus *message_bus_start(bool system);
void message_bus_kill(struct message_bus *bus);
/* On the same address, after message_bus_kill(). */
void message_bus_restart(struct message_bus *bus);
/* SIGSTOP and SIGCONT: it hangs, and goes on. */
void message_bus_hang(struct message_bus *bus, bool hangs);
/* From now on it tells when it would start the daemon: message_bus_wants_daemon() waits for that, and
 * who starts one then is whom it waits for. */
void message_bus_activate(struct message_bus *bus);
void message_bus_wants_daemon(struct message_bus *bus);
const char *message_bus_address(const struct message_bus *bus);
/* "DBUS_SESSION_BUS_ADDRESS=..." or the system's, for the daemon's environment. */
const char *message_bus_variable(const struct message_bus *bus);
