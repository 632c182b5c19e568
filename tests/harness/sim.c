#include "tests/harness/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/json.h"
#include "tests/harness/process.h"

#define POLL_MILLISECONDS 2

struct sim {
	pid_t pid;
	uint16_t port;
	char *url;
};

struct sim *sim_start(const char *const *settings)
{
	struct process_options options = { .path = ELLU_SIM_PATH, .arguments = settings };
	struct sim *sim = calloc(1, sizeof(*sim));
	unsigned port;
	int fds[2];
	FILE *out;

	if (!sim || pipe2(fds, O_CLOEXEC) < 0)
		die("no pipe for the simulated endpoint");
	options.stdout_fd = fds[1];
	sim->pid = process_start(&options);
	close(fds[1]);
	out = fdopen(fds[0], "r");
	if (!out || fscanf(out, "listening http://127.0.0.1:%u", &port) != 1)
		die("the simulated endpoint does not start");
	fclose(out);
	sim->port = (uint16_t)port;
	sim->url = text("http://127.0.0.1:%u/v1", port);
	return sim;
}

void sim_stop(struct sim *sim)
{
	if (kill(sim->pid, SIGTERM) < 0 || process_wait(sim->pid, WAIT_SECONDS) != 0)
		die("the simulated endpoint did not end well");
	free(sim->url);
	free(sim);
}

const char *sim_url(const struct sim *sim)
{
	return sim->url;
}

/* One request on a connection of its own; the body of the answer, which must be a 200. */
static char *ask(const struct sim *sim, const char *method, const char *path, const char *body)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(sim->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t size = 0, allocated = 1 << 16;
	char *request, *answer = malloc(allocated), *start;
	ssize_t n;

	if (fd < 0 || !answer || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("the simulated endpoint cannot be reached: %s", strerror(errno));
	if (asprintf(&request,
		     "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
		     "Content-Length: %zu\r\n\r\n%s",
		     method, path, strlen(body), body) < 0 ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		die("the simulated endpoint takes no request");
	free(request);
	while ((n = recv(fd, answer + size, allocated - size - 1, 0)) > 0) {
		size += (size_t)n;
		if (allocated - size < 4096 && !(answer = realloc(answer, allocated *= 2)))
			die("out of memory");
	}
	close(fd);
	answer[size] = '\0';
	start = strstr(answer, "\r\n\r\n");
	if (!start || strncmp(answer, "HTTP/1.1 200", 12) != 0)
		die("%s %s: %.500s", method, path, answer);
	memmove(answer, start + 4, strlen(start + 4) + 1);
	return answer;
}

static json_object *ask_json(const struct sim *sim, const char *method, const char *path,
			     const char *body)
{
	char *answer = ask(sim, method, path, body);
	json_object *json = json_must_parse(answer);

	free(answer);
	return json;
}

json_object *sim_stats(const struct sim *sim)
{
	return ask_json(sim, "GET", "/stats", "");
}

json_object *sim_settings(const struct sim *sim)
{
	return ask_json(sim, "GET", "/control", "");
}

int64_t sim_stat(const struct sim *sim, const char *name)
{
	json_object *stats = sim_stats(sim);
	int64_t value = at_has(stats, name) ? at_int(stats, name) : 0;

	json_object_put(stats);
	return value;
}

void sim_await(const struct sim *sim, const char *name, int64_t at_least)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (sim_stat(sim, name) < at_least) {
		if (now_seconds() > deadline)
			die("%s of the simulated endpoint stays below %lld", name,
			    (long long)at_least);
		(void)poll(NULL, 0, POLL_MILLISECONDS);
	}
}

void sim_await_closed(const struct sim *sim)
{
	double deadline = now_seconds() + WAIT_SECONDS;

	while (sim_stat(sim, "connections_open") > 1) {
		if (now_seconds() > deadline)
			die("connections to the simulated endpoint stay open");
		(void)poll(NULL, 0, POLL_MILLISECONDS);
	}
}

void sim_reset(const struct sim *sim)
{
	/* What has come by now, of calls that were given up too, is counted before and not after. */
	(void)sim_stat(sim, "calls");
	free(ask(sim, "POST", "/stats/reset", ""));
}

void sim_control(const struct sim *sim, const char *settings, ...)
{
	va_list arguments;
	char *body;

	va_start(arguments, settings);
	body = vquoted(settings, arguments);
	va_end(arguments);
	free(ask(sim, "POST", "/control", body));
	free(body);
}

json_object *sim_requests(const struct sim *sim, unsigned last)
{
	char *path = text("/requests?last=%u", last);
	json_object *requests = ask_json(sim, "GET", path, "");

	free(path);
	return requests;
}

json_object *sim_last_request(const struct sim *sim)
{
	return json_must_parse(at_text(sim_requests(sim, 1), "requests.0.body"));
}
