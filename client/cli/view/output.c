#include "client/cli/view/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/arguments.h"
#include "client/cli/exit_status.h"
#include "client/cli/view/output_file.h"
#include "client/cli/view/text.h"
#include "client/elluminate.h"
#include "proto/task_status.h"

extern char **environ;

struct output output = { .header = true };
struct output error_output;

static pid_t pager; // 0: none
static const char *pager_line; // for a shell; NULL: none is wished for in particular
static bool may_page;
static int failure; // negative: what was printed did not all get out

/* ---- Meanings ---- */

const char *meaning_on(const struct output *to, enum meaning meaning)
{
	static const char *const sequences[_MEANING_MAX] = {
		[MEANING_NONE] = "",
		[MEANING_TITLE] = "\033[1m",
		[MEANING_GOOD] = "\033[32m",
		[MEANING_WARNING] = "\033[33m",
		[MEANING_BAD] = "\033[31m",
	};

	return to->color ? sequences[meaning] : "";
}

const char *meaning_off(const struct output *to, enum meaning meaning)
{
	return to->color && meaning != MEANING_NONE ? "\033[0m" : "";
}

enum meaning meaning_of_status(const char *status)
{
	switch (task_status_from_name(status)) {
	case TASK_SUCCESS:
		return MEANING_GOOD;
	case TASK_FAILURE:
	case TASK_TIMEOUT:
	case TASK_REJECTED:
		return MEANING_BAD;
	case TASK_REVOKED:
		return MEANING_WARNING;
	default:
		return MEANING_NONE;
	}
}

/* ---- Where it goes ---- */

/* What a file is called says its format. */
static enum format format_of_file(const char *path)
{
	static const struct {
		const char *ending;
		enum format format;
	} endings[] = {
		{ ".json", FORMAT_JSON }, { ".jsonl", FORMAT_JSONL }, { ".csv", FORMAT_CSV }, { ".md", FORMAT_MD },
		{ ".html", FORMAT_HTML }, { ".htm", FORMAT_HTML }, { ".xml", FORMAT_JUNIT },
	};
	const char *dot = path ? strrchr(path, '.') : NULL;

	for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcasecmp(endings[i].ending, dot) == 0)
			return endings[i].format;
	return FORMAT_TABLE;
}

enum format output_format_of(const struct arguments *arguments, const char *path)
{
	static const char names[] = FORMAT_NAMES;
	enum format format = FORMAT_TABLE;

	if (!arguments->format)
		return arguments->json ? FORMAT_JSON : format_of_file(path);
	for (const char *at = names; at < strstr(names, arguments->format); at++)
		format += *at == ' ';
	return format;
}

static bool has_color(const struct arguments *arguments, int fd)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
	const char *when = arguments->no_color ? "never" : arguments->color ? arguments->color : "auto";

	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(fd) && !(none && *none) && !(terminal && strcmp(terminal, "dumb") == 0);
}

int output_open(const struct arguments *arguments, const char *path)
{
	const bool goes_on = arguments->follow || arguments->watch; // until Ctrl-C, and others read on
	int r = path && strcmp(path, "-") != 0 ? output_file_open(path, goes_on) : 0;

	if (r < 0)
		return r;
	output = (struct output){
		.format = output_format_of(arguments, path),
		.header = !arguments->no_header,
		.terminal = isatty(STDOUT_FILENO),
		.color = has_color(arguments, STDOUT_FILENO),
		.width = terminal_width(stdout),
	};
	error_output = (struct output){ .terminal = isatty(STDERR_FILENO),
				    .color = has_color(arguments, STDERR_FILENO) };
	pager_line = getenv("PAGER") ? getenv("PAGER") : arguments->pager;
	may_page = output.terminal && !arguments->no_pager && !output_is_json();
	return 0;
}

bool output_is_json(void)
{
	return output.format == FORMAT_JSON || output.format == FORMAT_JSONL;
}

bool output_is_data(void)
{
	return output_is_json() || output.format == FORMAT_CSV;
}

void output_fence(FILE *out)
{
	if (output.format == FORMAT_MD)
		fputs("````````\n", out);
}

/* ---- The pager ---- */

/* Without a wish less is asked for, where there is one. */
static int spawn_pager(int in)
{
	const char *line = pager_line, *terminal = getenv("TERM");
	const char *const shell[] = { "sh", "-c", line, NULL }, *const less[] = { "less", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int r;

	if (line ? !*line || strcmp(line, "cat") == 0 : !terminal || strcmp(terminal, "dumb") == 0)
		return -ENOENT;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	(void) setenv("LESS", "FRX", /* overwrite= */ 0); // leave when it fits, colours, no other screen
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	r = posix_spawnp(&pager, line ? shell[0] : less[0], &actions, &attributes,
			 (char *const *) (line ? shell : less), environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

void output_page(void)
{
	int ends[2];

	if (!may_page || pipe2(ends, O_CLOEXEC) < 0)
		return;
	may_page = false;
	if (fflush(stdout) == 0 && spawn_pager(ends[0]) == 0) {
		/* Ctrl-C is the pager's from now on, and so is when to leave. */
		(void) signal(SIGINT, SIG_IGN);
		(void) signal(SIGPIPE, SIG_IGN);
		(void) dup2(ends[1], STDOUT_FILENO);
	} else {
		pager = 0;
	}
	close(ends[0]);
	close(ends[1]);
}

int output_flush(void)
{
	if (fflush(stdout) != 0)
		failure = -errno;
	else if (ferror(stdout) && failure == 0)
		failure = -EIO;
	return failure == 0 ? 0 : ellu_error_exit_status(-EIO);
}

int output_close(bool keep, bool unless_empty)
{
	int r;

	(void) output_flush();
	/* A report is whole, or not there. */
	if ((unless_empty || output.format >= FORMAT_HTML) && lseek(STDOUT_FILENO, 0, SEEK_CUR) == 0)
		keep = false;
	r = output_file_close(keep && failure == 0);
	failure = failure ? failure : r;
	if (pager > 0) {
		close(STDOUT_FILENO);
		while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
			;
	}
	return failure;
}
