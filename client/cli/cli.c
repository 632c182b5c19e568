#include "client/cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/view/output.h"
#include "client/cli/view/text.h"
#include "proto/limits.h"
#include "proto/task_status.h"
#include "proto/text/utf8.h"

static void vsay(enum meaning meaning, const char *prefix, const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		return;
	fprintf(stderr, "%s%s%s", meaning_on(&error_output, meaning), prefix, meaning_off(&error_output, meaning));
	text_print(stderr, text);
	fputc('\n', stderr);
	free(text);
}

void cli_note(const struct cli *cli, const char *format, ...)
{
	va_list arguments;

	if (cli->arguments.quiet)
		return;
	va_start(arguments, format);
	vsay(MEANING_NONE, "", format, arguments);
	va_end(arguments);
}

void cli_tell(const struct cli *cli, const char *format, ...)
{
	va_list arguments;

	if (!cli->arguments.verbose)
		return;
	va_start(arguments, format);
	vsay(MEANING_NONE, "> ", format, arguments);
	va_end(arguments);
}

void cli_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsay(MEANING_BAD, "elluminate: ", format, arguments);
	va_end(arguments);
}

int cli_fail(int code, const struct ellu_error *error)
{
	if (code == ELLU_E_CONFLICT && error && error->resource_type && error->name && error->id)
		cli_error("%s '%s' (id %" PRId64 "): %s", error->resource_type, error->name, *error->id,
			  error->message);
	else if (code == ELLU_E_CONFLICT && error && error->resource_type && error->name)
		cli_error("%s '%s': %s", error->resource_type, error->name, error->message);
	else
		cli_error("%s", error ? error->message : ellu_strerror(code));
	ellu_free(error);
	return ellu_error_exit_status(code);
}

int cli_fail_file(int r, const struct complaint *complaint)
{
	cli_error("%s", r == -EINVAL ? complaint->text : strerror(-r));
	return EXIT_USAGE;
}

/* How long a daemon that went away may take to come back. */
#define RECONNECT_SECONDS 10

static const char *address_of(const struct arguments *arguments)
{
	if (arguments->socket)
		return arguments->socket;
	if (arguments->bus)
		return strcmp(arguments->bus, "system") == 0 ? ELLU_SYSTEM_BUS_ADDRESS
							     : ELLU_SESSION_BUS_ADDRESS;
	return arguments->system ? ELLU_SYSTEM_ADDRESS : NULL;
}

/* As one word of a shell. */
static void quote(FILE *out, const char *word)
{
	if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789_-./:@%+=,#")]) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (const char[]){ *word, '\0' }, out);
	fputc('\'', out);
}

const char *cli_same_daemon(const struct arguments *arguments)
{
	static char options[512];
	FILE *out = fmemopen(options, sizeof(options), "w");

	if (!out)
		return "";
	if (arguments->socket) {
		fputs(" --socket ", out);
		quote(out, arguments->socket);
	} else if (arguments->bus) {
		fprintf(out, " --bus %s", arguments->bus);
	} else if (arguments->system) {
		fputs(" --system", out);
	} else if (arguments->user) {
		fputs(" --user", out);
	}
	fputc('\0', out);
	fclose(out);
	return options;
}

char *cli_command_line(const struct cli *cli, const char *without)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	fputs("elluminate", out);
	for (char **word = cli->argv + 1; *word; word++) {
		if (strcmp(*word, without) == 0)
			continue;
		fputc(' ', out);
		quote(out, *word);
	}
	fclose(out);
	return line;
}

static int open_daemon(const struct cli *cli, unsigned flags, struct ellu **ret_daemon)
{
	int r = ellu_open(address_of(&cli->arguments), flags, ret_daemon);

	if (r >= 0)
		(void) ellu_set_reconnect(*ret_daemon, RECONNECT_SECONDS);
	return r;
}

/* Only the user's own daemon, in its own place, is started by the command. */
bool cli_is_own(const struct arguments *arguments)
{
	const char *socket = getenv("ELLUMINATE_SOCKET");

	return !arguments->socket && !arguments->bus && !arguments->system &&
	       !(socket && *socket && !arguments->user);
}

bool cli_may_start(const struct arguments *arguments)
{
	return !arguments->no_start && cli_is_own(arguments);
}

bool cli_is_there(struct cli *cli)
{
	if (cli->arguments.user && !cli->arguments.socket)
		unsetenv("ELLUMINATE_SOCKET");
	return open_daemon(cli, ELLU_BLOCKING, &cli->daemon) >= 0;
}

int cli_connect(struct cli *cli)
{
	const char *address = address_of(&cli->arguments);
	struct complaint complaint;
	char program[PATH_MAX];
	const char *place;
	char *path = NULL;
	int r;

	if (cli->daemon)
		return 0;
	if (cli->arguments.user && !cli->arguments.socket)
		unsetenv("ELLUMINATE_SOCKET");
	r = open_daemon(cli, ELLU_BLOCKING, &cli->daemon);
	if ((r == -ENOENT || r == -ECONNREFUSED) && cli_may_start(&cli->arguments)) {
		r = daemon_start(program, &complaint);
		if (r < 0) {
			cli_error("%s", complaint.text);
			return ellu_error_exit_status(-ECONNREFUSED);
		}
		if (*program)
			cli_note(cli, "Started your daemon (%s).", program);
		r = open_daemon(cli, ELLU_BLOCKING, &cli->daemon);
	}
	(void) ellu_address_path(address, &path);
	place = path ? path : address ? address : "the socket's place";
	if (r >= 0)
		cli_tell(cli, "the daemon at %s", place);
	else if (r == -ENOENT || r == -ECONNREFUSED)
		cli_error("no daemon answers at %s", place);
	else
		cli_error("%s: %s", place, ellu_strerror(r));
	free(path);
	return r < 0 ? ellu_error_exit_status(r) : 0;
}

int cli_connect_event(struct cli *cli, struct ellu **ret_daemon)
{
	int r = open_daemon(cli, ELLU_EVENT, ret_daemon);

	return r < 0 ? cli_fail(r, NULL) : 0;
}

static const char *output_path = "the output"; // until it has one

int cli_open_output(const struct arguments *arguments, const char *path)
{
	int r = output_open(arguments, path);

	if (path)
		output_path = path;
	if (r < 0)
		cli_error("%s: %s", path, strerror(-r));
	return r < 0 ? EXIT_USAGE : 0;
}

int cli_close_output(int status, bool was_followed)
{
	/* How a task ended is told there, however it ended; of one that is followed, what came until Ctrl-C. */
	const bool is_cut = was_followed && status == EXIT_INTERRUPTED;
	const int r = output_close(status != EXIT_USAGE && (status < EXIT_ERRORS || is_cut), is_cut);
	const int written = r < 0 ? ellu_error_exit_status(-EIO) : 0;

	if (r == -EPIPE)
		return status == written ? 0 : status;
	if (r < 0)
		cli_error("%s could not be written%s%s", output_path, r == -EIO ? "" : ": ",
			  r == -EIO ? "" : strerror(-r)); // stdio has forgotten what it was
	return status ? status : written;
}

int cli_put_json(const char *text)
{
	size_t size = strlen(text), length;
	uint32_t code;

	for (; output.terminal && size > 0; text += length, size -= length) {
		length = utf8_next(text, size, &code);
		length = length ? length : 1;
		if (utf8_is_control(code) && code != '\n')
			printf("\\u%04x", code);
		else
			fwrite(text, 1, length, stdout);
	}
	puts(text);
	return output_flush();
}

int cli_print_json(const struct record_type *type, const void *record)
{
	char *text;
	int status, r = record_to_text(type, record, TO_CLIENT, &text, NULL);

	if (r < 0)
		return cli_fail(r, NULL);
	status = cli_put_json(text);
	free(text);
	return status;
}

bool cli_is_id(const char *text, int64_t *ret_id)
{
	char *end;

	errno = 0;
	*ret_id = strtoll(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && errno == 0 && *ret_id > 0 &&
	       *ret_id <= INTEGER_MAX;
}

json_object *cli_ref(const char *operand)
{
	json_object *ref = json_object_new_object();
	int64_t id;

	if (ref && cli_is_id(operand, &id))
		json_object_object_add(ref, "id", json_object_new_int64(id));
	else if (ref)
		json_object_object_add(ref, "name", json_object_new_string(operand));
	return ref;
}

int cli_task_exit_status(const char *status)
{
	int exit_status = task_status_exit(task_status_from_name(status));

	// what this program does not know is no success
	return exit_status >= 0 ? exit_status : task_status_exit(TASK_FAILURE);
}
