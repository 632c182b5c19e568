/* The daemon as a whole: its rooms, started in order and stopped in reverse. */
#pragma once

struct catalogue;
struct config;
struct prices;
struct raw_interface;

/* All borrowed. */
struct daemon_options {
	const struct config *config;
	const struct prices *prices;
	const struct catalogue *catalogue;
	const struct raw_interface *raw; // or NULL
	const char *log; // where lines go: a path, or words for it
	int argc; // for a reload
	char **argv;
};

/* Runs until it is told to stop. Returns the exit status of the process. */
int daemon_run(const struct daemon_options *options);
