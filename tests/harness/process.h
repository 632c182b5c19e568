/*
 * A child process that never outlives the test: it is killed when the thread that started it
 * ends, however it ends.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct process_options {
	const char *path;
	const char *const *arguments; // ends with NULL; without argv[0]
	const char *const *environment; // NAME=VALUE, on top of the test's own; or NULL
	const char *output; // a file that standard error goes to, appended; NULL: the test's
	int ready_fd; // becomes the child's descriptor 3; 0: none
	int stdout_fd; // becomes its standard output; 0: the test's
};

pid_t process_start(const struct process_options *options);
/* Waits for its end: exit status, or 128 + signal. -1: still running after `seconds`. */
int process_wait(pid_t pid, double seconds);
