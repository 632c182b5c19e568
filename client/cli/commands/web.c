#include "client/cli/commands/web.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"

#define TOKEN_SECONDS (12 * 3600)

extern char **environ;

/* Where the page is; the reply to free holds it. */
static int find_page(struct cli *cli, const struct ellu_get_status_reply **ret_reply, const char **ret_url)
{
	struct ellu_get_status_request request = ELLU_RECORD(struct ellu_get_status_request);
	const struct ellu_error *error;
	int r = ellu_get_status(cli->daemon, &request, ret_reply, &error);

	if (r < 0)
		return cli_fail(r, error);
	*ret_url = cli->arguments.url ? cli->arguments.url : (*ret_reply)->front->http;
	if (*ret_url && strncmp(*ret_url, "http", 4) == 0)
		return 0;
	if (*ret_url)
		cli_error("HTTP is served on a Unix socket, %s: say by --url where its proxy is", *ret_url);
	else
		cli_error("the daemon does not serve HTTP: say `listen = 127.0.0.1:8080` below `[http]` in "
			  "elluminated.conf(5), and start it again");
	return ellu_error_exit_status(ELLU_E_UNSUPPORTED);
}

static int make_token(struct cli *cli, const struct ellu_create_token_reply **ret_reply)
{
	struct ellu_create_token_request request = ELLU_RECORD(struct ellu_create_token_request);
	const struct ellu_error *error;
	struct timespec now;
	char name[64];
	int r;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof(name), "web %" PRId64, (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000);
	request.name = name;
	request.everywhere = true;
	request.expires_in_seconds = TOKEN_SECONDS;
	r = ellu_create_token(cli->daemon, &request, ret_reply, &error);
	return r < 0 ? cli_fail(r, error) : 0;
}

/* Writes all of it, or leaves no file. */
static int write_file(const char *path, const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; r == 0 && done < size; done += (size_t) n) {
		n = write(fd, bytes + done, size - done);
		if (n < 0)
			r = -errno;
	}
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		(void) unlink(path);
	return r;
}

/* A page of the user's alone that leads there: on a command line everybody could read the token. */
static int write_page(const char *address, char **ret_path)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	char *path, *page;
	int size, r;

	if (!folder || folder[0] != '/')
		folder = getenv("HOME");
	if (!folder)
		return -ENOENT;
	if (asprintf(&path, "%s/elluminate-web.html", folder) < 0)
		return -ENOMEM;
	size = asprintf(&page, "<!doctype html><meta charset=utf-8><title>elluminate</title>"
			"<meta http-equiv=refresh content=\"0;url=%s\"><a href=\"%s\">elluminate</a>\n",
			address, address);
	if (size < 0) {
		free(path);
		return -ENOMEM;
	}
	(void) unlink(path);
	r = write_file(path, page, (size_t) size);
	free(page);
	if (r < 0)
		free(path);
	else
		*ret_path = path;
	return r;
}

static int open_browser(const char *path)
{
	const char *browser = getenv("BROWSER");
	const char *const words[] = { browser && browser[0] ? browser : "xdg-open", path, NULL };
	pid_t pid;
	int status, r;

	r = posix_spawnp(&pid, words[0], NULL, NULL, (char *const *) words, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOENT;
}

static int show_page(struct cli *cli, const char *url, const char *secret)
{
	size_t size = strlen(url);
	char *address, *path = NULL;
	int r;

	while (size > 0 && url[size - 1] == '/')
		size--;
	if (asprintf(&address, "%.*s/#token=%s", (int) size, url, secret) < 0)
		return ellu_error_exit_status(-ENOMEM);
	if (cli->arguments.print_only) {
		puts(address);
		free(address);
		return 0;
	}
	r = write_page(address, &path);
	if (r == 0)
		r = open_browser(path);
	if (r < 0)
		cli_error("no browser was opened (%s): elluminate web --print says the address", strerror(-r));
	else
		cli_note(cli, "The page is at %.*s; its token is good for 12 hours.", (int) size, url);
	free(path);
	free(address);
	return r < 0 ? ellu_error_exit_status(r) : 0;
}

int command_web(struct cli *cli)
{
	const struct ellu_get_status_reply *status_reply = NULL;
	const struct ellu_create_token_reply *token_reply = NULL;
	const char *url = NULL;
	int status = cli_connect(cli);

	if (status == 0)
		status = find_page(cli, &status_reply, &url);
	if (status == 0)
		status = make_token(cli, &token_reply);
	if (status == 0)
		status = show_page(cli, url, token_reply->secret);
	ellu_free(token_reply);
	ellu_free(status_reply);
	return status;
}
