#include "client/cli/view/progress_bar.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/view/text.h"
#include "proto/statistics/statistics.h"

#define BAR_WIDTH_MAX 30
#define PLAIN_SECONDS 10 // between plain lines, unless another tenth is done

double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

bool progress_bar_has_unicode(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void progress_bar_init(struct progress_bar *bar, bool quiet, bool color, const char *const *labels,
		       size_t n_rows)
{
	const char *terminal = getenv("TERM");

	*bar = (struct progress_bar){ .quiet = quiet, .n_rows = n_rows };
	for (size_t i = 0; i < n_rows; i++)
		bar->rows[i] = (struct progress_row){ .label = labels ? labels[i] : NULL,
						      .last_told = now_seconds() };
	bar->live = !quiet && terminal_width(stderr) > 0 &&
		    !(terminal && strcmp(terminal, "dumb") == 0);
	bar->unicode = progress_bar_has_unicode();
	bar->color = color && bar->live;
}

/* ---- Text ---- */

struct parts {
	char texts[8][64];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void part(struct parts *parts, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parts->texts[parts->n++], sizeof(parts->texts[0]), format, arguments);
	va_end(arguments);
}

/* How many of the verdicts so far are YES. Those of a row, by all criteria and in all epochs, may say the same:
 * the interval takes them as one. */
static void describe_verdicts(struct parts *parts, const struct ellu_progress *progress)
{
	int64_t epochs = progress->n_epochs > 0 ? progress->epochs[progress->n_epochs - 1]->epoch : 1;
	struct clusters rows = { 0 };
	struct estimate rate;

	if (!progress->decided || !progress->yes || *progress->decided == 0)
		return;
	rows.n = rows.n_values = (progress->responses_rated + epochs - 1) / epochs;
	rows.n = rows.n_values = rows.n > 0 ? rows.n : 1;
	rows.sum = (double) *progress->yes / (double) *progress->decided * (double) rows.n;
	rate = clusters_proportion(&rows, 0.95);
	part(parts, "%.0f %% YES (%.0f to %.0f)", rate.value * 100, rate.low * 100, rate.high * 100);
}

/* What there is to say, the most important first. */
static void describe(struct parts *parts, const struct ellu_progress *progress, const char *status,
		     const char *hold)
{
	char a[32], b[32];

	parts->n = 0;
	if (!progress) {
		part(parts, "%s", status);
		return;
	}
	part(parts, "%3.0f %%", progress->percent_complete);
	if (hold)
		part(parts, "on hold: %.40s", hold);
	part(parts, "%s/%s answered", number_text(a, progress->responses_generated),
	     number_text(b, progress->total_responses));
	if (progress->eta_seconds && !hold && *progress->eta_seconds < 60)
		part(parts, "%.0f s left", *progress->eta_seconds);
	else if (progress->eta_seconds && !hold)
		part(parts, "%s left", duration_text(a, *progress->eta_seconds));
	if (progress->failed > 0)
		part(parts, "%s failed", number_text(a, progress->failed));
	describe_verdicts(parts, progress);
	part(parts, "%s rated", number_text(a, progress->responses_rated));
	part(parts, "%s tokens", number_text(a, progress->input_tokens + progress->output_tokens));
}

const char *progress_text(char *text, size_t size, const struct ellu_progress *progress,
			  const char *status, const char *hold)
{
	struct parts parts;
	size_t at = 0;

	describe(&parts, progress, status, hold);
	for (size_t i = 0; i < parts.n && at < size; i++)
		at += (size_t) snprintf(text + at, size - at, "%s%s", i > 0 ? ", " : "",
					parts.texts[i] + strspn(parts.texts[i], " "));
	return text;
}

size_t progress_bar_draw(bool unicode, double share, int width, char *text, size_t size)
{
	int full = (int) (share * width + 0.5);
	size_t at = 0;

	*text = '\0';
	for (int i = 0; i < width && at + 4 < size; i++) {
		const char *cell = unicode ? (i < full ? "█" : "░") : (i < full ? "#" : ".");

		at += (size_t) snprintf(text + at, size - at, "%s", cell);
	}
	return at;
}

void progress_bar_format(const struct progress_bar *bar, const struct ellu_progress *progress,
			 const char *status, const char *hold, int width, char *ret_text,
			 size_t size)
{
	int bar_width = width / 4 > BAR_WIDTH_MAX ? BAR_WIDTH_MAX : width / 4;
	int used = bar_width;
	struct parts parts;
	size_t n = 0, at;

	describe(&parts, progress, status, hold);
	while (n < parts.n && used + 2 + text_width(parts.texts[n]) < width)
		used += 2 + text_width(parts.texts[n++]);
	at = progress_bar_draw(bar->unicode, progress ? progress->percent_complete / 100 : 0,
			       bar_width, ret_text, size);
	for (size_t i = 0; i < n; i++)
		at += (size_t) snprintf(ret_text + at, size > at ? size - at : 0, "  %s",
					parts.texts[i]);
}

/* ---- Drawing ---- */

static void tell_plain(struct progress_row *row, const struct ellu_progress *progress,
		       const char *status, const char *hold)
{
	int step = progress ? (int) (progress->percent_complete / 10) : 0;
	double now = now_seconds();
	char text[512];

	if (!progress || (step == row->last_step && now - row->last_told < PLAIN_SECONDS))
		return;
	row->last_step = step;
	row->last_told = now;
	if (row->label)
		text_print(stderr, row->label);
	fprintf(stderr, "%s%s\n", row->label ? ": " : "",
		progress_text(text, sizeof(text), progress, status, hold));
}

/* As wide as the widest, but no more than a third of the line. */
static int label_width(const struct progress_bar *bar, int width)
{
	int needed = 0;

	for (size_t i = 0; i < bar->n_rows; i++) {
		int own = bar->rows[i].label ? text_width(bar->rows[i].label) : 0;

		needed = own > needed ? own : needed;
	}
	return needed < width / 3 ? needed : width / 3;
}

static void draw_label(const struct progress_row *row, int width)
{
	char *cut = row->label ? strndup(row->label, text_cut(row->label, width)) : NULL;

	if (cut) {
		text_print(stderr, cut);
		fprintf(stderr, "%*s", width - text_width(cut) + 2, "");
	}
	free(cut);
}

/* The cursor stays at the end of the last row. */
static void draw(struct progress_bar *bar, int label)
{
	const size_t lines = (size_t) terminal_lines(stderr), n = bar->n_rows < lines ? bar->n_rows : lines - 1;

	if (bar->n_drawn > 1)
		fprintf(stderr, "\033[%zuA", bar->n_drawn - 1);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? "\n\r" : "\r", stderr);
		draw_label(&bar->rows[i], label);
		fprintf(stderr, "%s%s%s\033[K", bar->color ? "\033[36m" : "", bar->rows[i].text,
			bar->color ? "\033[0m" : "");
	}
	fflush(stderr);
	bar->n_drawn = n;
}

void progress_bar_update(struct progress_bar *bar, size_t row, const struct ellu_progress *progress,
			 const char *status, const char *hold)
{
	const int width = bar->live ? terminal_width(stderr) : 0, label = label_width(bar, width);

	if (bar->quiet)
		return;
	if (!bar->live) {
		tell_plain(&bar->rows[row], progress, status, hold);
		return;
	}
	progress_bar_format(bar, progress, status, hold, width - (label > 0 ? label + 2 : 0),
			    bar->rows[row].text, sizeof(bar->rows[row].text));
	draw(bar, label);
}

void progress_bar_clear(struct progress_bar *bar)
{
	if (bar->n_drawn > 1)
		fprintf(stderr, "\033[%zuA", bar->n_drawn - 1);
	if (bar->n_drawn > 0) {
		fputs(bar->n_drawn > 1 ? "\r\033[J" : "\r\033[K", stderr);
		fflush(stderr);
	}
	bar->n_drawn = 0;
}

void progress_bar_log(struct progress_bar *bar, const char *lines)
{
	if (bar->quiet || !*lines)
		return;
	progress_bar_clear(bar);
	text_print(stderr, lines);
}
