/*
 * A connection over D-Bus: it takes one call as Varlink would carry it, makes it over the link, and
 * gives its replies as Varlink would. What has many replies, which no call of D-Bus has, is made of
 * several calls: pages are asked for one by one, tasks are followed, and the next is asked for when
 * what came was read.
 */
#pragma once

#include "client/bus/link.h"
#include "client/transport/connection.h"

/* -ENOENT, -ECONNREFUSED: there is no bus. Whether there is a daemon shows with the call. */
int bus_channel_open(struct bus_link *link, struct connection **ret);
