/*
 * A live bar on a terminal's last line, with log lines above it; plain lines where there is no
 * terminal. Everything goes to stderr.
 */
#pragma once

#include <stdbool.h>

#include "client/elluminate.h"

/* Of the monotonic clock. */
double now_seconds(void);

struct progress_bar {
	bool quiet; // only log lines of trouble are the caller's business; nothing is drawn
	bool live;
	bool unicode;
	bool color;
	bool drawn; // the bar is on the last line
	int last_step; // of plain lines: tenths that were told
	double last_told; // of plain lines: seconds, monotonic
};

void progress_bar_init(struct progress_bar *bar, bool quiet, bool color);

/* Draws it. `progress` may be NULL; `hold` is why the task waits, or NULL. */
void progress_bar_update(struct progress_bar *bar, const struct ellu_progress *progress,
			 const char *status, const char *hold);

/* Prints lines, each ending in a newline, above the bar. */
void progress_bar_log(struct progress_bar *bar, const char *lines);

/* Takes the bar off the screen. */
void progress_bar_clear(struct progress_bar *bar);

/* The bar's text for a terminal of that width, without control sequences. For tests, too. */
void progress_bar_format(const struct progress_bar *bar, const struct ellu_progress *progress,
			 const char *status, const char *hold, int width, char *ret_text,
			 size_t size);

/* The same in words, for a plain line: "53 %, 1,060/2,000 answered, …". Returns `text`. */
const char *progress_text(char *text, size_t size, const struct ellu_progress *progress,
			  const char *status, const char *hold);

/* The bar alone, `width` columns of it. Returns its bytes. */
size_t progress_bar_draw(bool unicode, double share, int width, char *text, size_t size);

/* Whether the user's locale can show more than ASCII. */
bool progress_bar_has_unicode(void);
