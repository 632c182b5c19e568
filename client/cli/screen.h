/*
 * The terminal as a screen to draw on: its alternate buffer, without cursor and echo, and given
 * back as it was. One at a time; signals that would end or stop the process come as events
 * meanwhile, so that none leaves the terminal behind in disorder.
 */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

enum screen_event {
	SCREEN_NOTHING, // only the other descriptor, or the time
	SCREEN_RESIZED, // or it has to be drawn anew for another reason
	SCREEN_KEY,
	SCREEN_SIGNAL, // that ends the process
};

struct screen {
	int signals; // a signalfd
	sigset_t mask_before;
	bool has_keys;
	struct termios before;
};

/* Whether standard input and output are a terminal that knows the control sequences. */
bool screen_possible(void);

/* Negative errno: nothing has changed. */
int screen_enter(struct screen *screen);
/* Gives the terminal back. */
void screen_leave(struct screen *screen);

/* Columns and lines. */
void screen_size(int *ret_columns, int *ret_lines);

/* Writes a frame. Negative errno: the terminal is gone. */
int screen_write(const char *bytes, size_t size);

/* Waits for one thing: a key or a signal, whose number it gives; or until `other` is ready or
 * `timeout_msec` (negative: none) has passed. Ctrl-Z is handled here. Negative errno. */
int screen_wait(struct screen *screen, struct pollfd *other, int timeout_msec, int *ret_number);
