/*
 * A real daemon on a private folder and socket. It never outlives the test.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/harness/wire.h"

struct daemon_options {
	const char *path; // NULL: the daemon of this build
	const char *state_dir; // NULL: a new folder
	bool bus; // it looks for a message bus: see the environment
	const char *config; // the text of its configuration file, or NULL
	const char *const *arguments; // further ones, ends with NULL; or NULL
	const char *const *environment; // NAME=VALUE, ends with NULL; or NULL
};

struct daemon;

/* The daemon of this build. */
const char *daemon_program(void);

/* Starts it and waits until it serves. NULL: the defaults. */
struct daemon *daemon_start(const struct daemon_options *options);
/* Starts it; it must not come to serve. Its exit status; what it said is in daemon_log(). */
int daemon_start_failing(const struct daemon_options *options, struct daemon **ret_daemon);
/* Starts it again where it was, once it has ended. */
void daemon_restart(struct daemon *daemon);

/* SIGTERM, and its exit status. */
int daemon_stop(struct daemon *daemon);
/* SIGKILL. */
void daemon_kill(struct daemon *daemon);
void daemon_signal(struct daemon *daemon, int signal);
/* Its exit status, or 128 + signal; -1: it still runs after so many seconds. */
int daemon_wait(struct daemon *daemon, double seconds);

pid_t daemon_pid(const struct daemon *daemon);
/* What /proc says of its memory: VmRSS now, VmHWM at the most so far, ... */
int64_t daemon_memory_kib(const struct daemon *daemon, const char *name);
/* Processor time that its thread of this name took so far. */
double daemon_thread_seconds(const struct daemon *daemon, const char *name);
const char *daemon_socket(const struct daemon *daemon);
const char *daemon_state_dir(const struct daemon *daemon);
const char *daemon_log_path(const struct daemon *daemon);
/* What it has written to standard error so far. */
const char *daemon_log(const struct daemon *daemon);
struct wire *daemon_connect(const struct daemon *daemon);
/* Whether it answers GetStatus on a new connection. */
bool daemon_is_well(const struct daemon *daemon);
