/*
 * A live bar on a terminal's last line, or several on its last lines, with log lines above them; plain
 * lines where there is no terminal. Everything goes to stderr.
 */
#pragma once

#include <stdbool.h>

#include "client/elluminate.h"

/* Of the monotonic clock. */
double now_seconds(void);

#define PROGRESS_ROWS_MAX 64

struct progress_row {
	const char *label; // before it; NULL: none
	char text[512]; // as it was drawn last
	int last_step; // of plain lines: tenths that were told
	double last_told; // of plain lines: seconds, monotonic
};

struct progress_bar {
	bool quiet; // only log lines of trouble are the caller's business; nothing is drawn
	bool live;
	bool unicode;
	bool color;
	size_t n_drawn; // so many of the last lines are its own
	size_t n_rows;
	struct progress_row rows[PROGRESS_ROWS_MAX];
};

/* With a row for each label; one without labels where there are none. */
void progress_bar_init(struct progress_bar *bar, bool quiet, bool color, const char *const *labels,
		       size_t n_rows);

/* Draws it. `progress` may be NULL; `hold` is why the task waits, or NULL. */
void progress_bar_update(struct progress_bar *bar, size_t row, const struct ellu_progress *progress,
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
