/*
 * The D-Bus front: the name org.elluminate.Elluminate1 on the session or the system bus, a manager
 * object with every method of the table, and an object for each task. It decodes, says who calls,
 * hands the call to its method and encodes what comes back, as the socket's front does.
 *
 * The bus may be absent, hang, go away and come back: the front connects again by itself, exports
 * everything anew, and nothing else of the daemon notices. It lives on one loop and never waits.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "daemon/front/bus/bus_options.h"

struct bus;

int bus_new(const struct bus_options *options, struct bus **ret_bus);
/* Before the loop sleeps, each turn: what sd-bus waits for may have changed. */
void bus_prepare(struct bus *bus);
/* Gives the name back for the moment; `left` is called when everything that was sent to it before
 * has arrived, at once without a bus. bus_stay() takes the name again. */
void bus_leave(struct bus *bus, void (*left)(void *userdata), void *userdata);
void bus_stay(struct bus *bus);
/* Gives the name back and takes no further call; those under way are answered. */
void bus_release(struct bus *bus);
/* Drops every caller. */
void bus_close(struct bus *bus);
struct bus *bus_free(struct bus *bus);
/* What introspection says of one of the interfaces. */
void bus_write_interface(FILE *out, const char *name);
