/* A system's daemon on a bus of type system, and who asks it there. */
#pragma once

#include <systemd/sd-bus.h>

#include "tests/harness/bus.h"
#include "tests/harness/bus_client.h"
#include "tests/harness/suite.h"

#define NAME "org.elluminate.Elluminate1"
#define PATH "/org/elluminate/Elluminate1"
#define MANAGER NAME ".Manager"

/* Of the test that runs. */
extern struct message_bus *message_bus;
extern struct daemon *server;

void start(const char *config);
sd_bus *connect_bus(void);

/* A text answer of the manager; NULL with the error's name in *ret_error. */
const char *ask(sd_bus *client, const char *method, const char *parameters, const char **ret_error);
struct wire *take_socket(sd_bus_message *reply);
struct wire *open_socket(sd_bus *client);
/* Whether a call on it has an answer; else its error must be this. */
bool answers(struct wire *wire, const char *error, const char *method, const char *parameters);
/* Over a socket that was handed over: what the caller may is what it may over the bus. */
void ask_on_socket(sd_bus *client, int64_t id, bool may_see, bool may_administer);

/* The request of an experiment, each call of which takes so long. */
char *simulated(const char *name, int seconds);
int64_t task_of_root(sd_bus *client); // that it submits
