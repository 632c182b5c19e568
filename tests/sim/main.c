/*
 * ellu-sim: an LLM endpoint for tests, on 127.0.0.1, that behaves as badly as it is told to.
 *
 * Prints "listening http://127.0.0.1:PORT" once it can be reached. SIGTERM ends it.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/sim/simulator.h"

#define EXIT_USAGE 2

struct options {
	uint16_t port;
	bool exit_with_parent;
};

static int print_help(void)
{
	struct bytes settings = { 0 };

	behaviour_print_help(&settings);
	printf("ellu-sim [--NAME=VALUE ...]\n\n"
	       "A simulated LLM endpoint on 127.0.0.1: POST /v1/chat/completions, /v1/messages, /v2/chat,\n"
	       "/v1beta/models/MODEL:generateContent and so on, GET /v1/models.\n"
	       "GET /stats, POST /stats/reset, GET /requests?last=N, and /control with the settings.\n\n"
	       "  --port=N              0 picks a free one (default)\n"
	       "  --keep-requests=N     how many calls /requests remembers (%d, at most %d)\n"
	       "  --exit-with-parent    ends when the thread that started it ends\n\n"
	       "Settings, also changed by POST /control with a JSON object:\n%.*s",
	       KEPT_REQUESTS_DEFAULT, KEPT_REQUESTS_MAX, (int) settings.size, settings.data);
	bytes_done(&settings);
	return 0;
}

static bool parse_number(const char *text, long max, long *ret_number)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < 0 || number > max)
		return false;
	*ret_number = number;
	return true;
}

/* One argument; false with a message when it is wrong. */
static bool parse_argument(const char *argument, struct simulator *simulator,
			   struct options *options, struct bytes *error)
{
	const char *value = strchr(argument, '=');
	struct span name = { argument + 2, value ? (size_t) (value - argument) - 2 : 0 };
	long number;

	if (strcmp(argument, "--exit-with-parent") == 0) {
		options->exit_with_parent = true;
		return true;
	}
	if (strncmp(argument, "--", 2) != 0 || !value) {
		bytes_printf(error, "%s: --NAME=VALUE is expected", argument);
		return false;
	}
	value++;
	if (span_is(name, "port")) {
		if (parse_number(value, UINT16_MAX, &number)) {
			options->port = (uint16_t) number;
			return true;
		}
	} else if (span_is(name, "keep-requests")) {
		if (parse_number(value, KEPT_REQUESTS_MAX, &number)) {
			simulator->kept.n_slots = (size_t) number;
			return true;
		}
	} else {
		return behaviour_set(&simulator->behaviour, name, value, error);
	}
	bytes_printf(error, "%s: the number is out of range", argument);
	return false;
}

static int parse_arguments(int argc, char **argv, struct simulator *simulator,
			   struct options *options)
{
	struct bytes error = { 0 };
	bool ok = true;

	for (int i = 1; ok && i < argc; i++)
		ok = parse_argument(argv[i], simulator, options, &error);
	if (!ok)
		fprintf(stderr, "ellu-sim: %.*s\n", (int) error.size, error.data);
	bytes_done(&error);
	return ok ? 0 : -EINVAL;
}

static void on_signal(evutil_socket_t number, short what, void *base)
{
	(void) number;
	(void) what;
	event_base_loopbreak(base);
}

static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void) setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The parent may have gone before the request for its death signal: then nobody would stop us. */
static bool orphaned(const struct options *options, pid_t parent)
{
	if (!options->exit_with_parent)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() != parent;
}

static int serve(struct simulator *simulator, const struct options *options)
{
	struct event term_event, int_event;
	int r;

	evsignal_assign(&term_event, simulator->base, SIGTERM, on_signal, simulator->base);
	evsignal_assign(&int_event, simulator->base, SIGINT, on_signal, simulator->base);
	event_add(&term_event, NULL);
	event_add(&int_event, NULL);
	r = simulator_start(simulator, options->port);
	if (r < 0) {
		fprintf(stderr, "ellu-sim: port %u: %s\n", options->port, strerror(-r));
	} else {
		printf("listening http://127.0.0.1:%u\n", http_server_port(simulator->server));
		fflush(stdout);
		event_base_dispatch(simulator->base);
	}
	event_del(&term_event);
	event_del(&int_event);
	return r;
}

static struct event_base *make_base(void)
{
	struct event_config *config = must_have(event_config_new());
	struct event_base *base;

	/* Latencies are measured in microseconds: no coarse clock, and no time kept from the
	 * start of a loop's turn. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
	base = must_have(event_base_new_with_config(config));
	event_config_free(config);
	return base;
}

int main(int argc, char **argv)
{
	static struct simulator simulator;
	struct options options = { 0 };
	pid_t parent = getppid();
	int status = EXIT_USAGE;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return print_help();
	simulator_init(&simulator, make_base());
	if (parse_arguments(argc, argv, &simulator, &options) == 0 && !orphaned(&options, parent)) {
		signal(SIGPIPE, SIG_IGN);
		raise_file_limit();
		status = serve(&simulator, &options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	simulator_done(&simulator);
	event_base_free(simulator.base);
	libevent_global_shutdown();
	return status;
}
