/*
 * The service manager's side of the daemon: the listening socket that it hands over, and what it is
 * told of our state (sd_notify(3)). Without a manager all of it does nothing. Main thread only.
 */
#pragma once

#include <stdint.h>

#include "proto/fault/fault.h"

/* The one socket that the manager listens on for us (sd_listen_fds(3)); -1: none. More than one, or
 * one of another kind, is -EINVAL with the fault saying so. Call it once, before any child. */
int service_manager_take_listener(struct fault *fault, int *ret_fd);

/* How often the watchdog wants to be fed, in microseconds; 0: never. Call it once. */
uint64_t service_manager_watchdog_usec(void);

void service_manager_ready(void);
void service_manager_reloading(void);
void service_manager_stopping(void);
/* The start takes longer than usual, but goes on: by so much more. */
void service_manager_extend_start(int64_t usec);
void service_manager_feed_watchdog(void);
/* A line for `systemctl status`. */
__attribute__((format(printf, 1, 2))) void service_manager_status(const char *format, ...);
