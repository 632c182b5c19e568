/* The process: its limits, what its command line asks for, and how it exits. main() and the test
 * builds' main() differ only in the raw interface that they pass. */
#pragma once

struct raw_interface;

/* Runs the daemon, or what else is asked for. Returns the exit status. */
int process_main(int argc, char **argv, const struct raw_interface *raw);
