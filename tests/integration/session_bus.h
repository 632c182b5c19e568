/* A user's daemon on a bus of type session, and who asks it there. */
#pragma once

#include <systemd/sd-bus.h>

#include "tests/harness/bus.h"
#include "tests/harness/bus_client.h"
#include "tests/harness/suite.h"

#define NAME "org.elluminate.Elluminate1"
#define PATH "/org/elluminate/Elluminate1"
#define MANAGER NAME ".Manager"
#define TASK NAME ".Task"

/* Of the test that runs. */
extern struct message_bus *message_bus;
extern struct daemon *server;
extern sd_bus *client;

/* The bus, the daemon and the client; and the last two by themselves. */
void start(void);
void start_daemon(const char *config);
void connect_client(void);

/* A call that must succeed. */
sd_bus_message *call(const char *path, const char *interface, const char *method, const char *types, ...);
/* A call that must fail with this error. */
void refused(const char *name, const char *path, const char *interface, const char *method,
	     const char *types, ...);
/* What a method of the manager fails with: the sentence and, behind a blank, the parameters. */
const char *error_of(const char *method, const char *called, const char *parameters);
