/*
 * The elluminate command, or another client, against a daemon of the test: its output is read as
 * it comes, from a pipe or from the terminal that it runs on. It never outlives the test.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "tests/harness/daemon.h"

struct command {
	pid_t pid;
	int fd; // of its output
	char *out; // so far; the caller may read it
	size_t size;
	size_t seen; // where command_await() goes on
	const char *err_path; // NULL on a terminal
	const char *err; // after command_end(); "" on a terminal
	struct termios modes_before; // of its terminal
	struct termios modes_after;
};

/* `arguments` end with NULL. */
struct command *command_start(const struct daemon *daemon, const char *const *arguments);
/* A line for a shell, where `$0` is the command. */
struct command *command_start_line(const struct daemon *daemon, const char *line);
/* Another program than elluminate, by its path. */
struct command *command_start_program(const struct daemon *daemon, const char *path,
				      const char *const *arguments);
/* On a terminal of its own, where errors are part of the output. */
struct command *command_start_on_terminal(const struct daemon *daemon, int columns, int lines,
					  const char *const *arguments);

/* Waits until `text` comes after what was awaited before. */
void command_await(struct command *command, const char *text);
void command_signal(const struct command *command, int signal);
/* Waits until a signal has stopped it. */
void command_await_stopped(const struct command *command);
/* Its exit status, or 128 + signal. */
int command_end(struct command *command);

/* Of a terminal. */
void command_type(const struct command *command, const char *keys);
void command_resize(const struct command *command, int columns, int lines);
struct termios command_termios(const struct command *command);

/* Runs it to its end; its exit status must be this. */
struct command *command_run(const struct daemon *daemon, int status, const char *const *arguments);
struct command *command_run_line(const struct daemon *daemon, int status, const char *line);
#define COMMAND(daemon, status, ...) \
	command_run(daemon, status, (const char *const[]) { __VA_ARGS__, NULL })
