/* The daemon as a whole: its rooms, started in order and stopped in reverse. main() and the test
 * build's main() differ only in the raw interface they pass. */
#pragma once

struct raw_interface;

/* Runs until it is told to stop. Returns the exit status of the process. */
int daemon_main(int argc, char **argv, const struct raw_interface *raw);
