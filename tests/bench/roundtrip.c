/* A small call's round trip, over that of a bare Unix socket with messages of the same sizes. */
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "tests/bench/ping_pong.h"
#include "tests/bench/processors.h"
#include "tests/harness/daemon.h"
#include "tests/harness/harness.h"

/* In turn and in pieces, so that what else the machine does meets both alike. */
#define N_PIECES 20
#define N_TRIPS 1000
#define N_WARM_UP 2000
#define BOUND 4.0

int main(void)
{
	static const char request[] =
		"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}";
	static double daemon_trips[N_PIECES * N_TRIPS], bare_trips[N_PIECES * N_TRIPS];
	struct daemon *daemon;
	size_t reply_size, n = 0;
	double median, bare;
	int fd, bare_fd;
	bool ok;

	processors_stay_on(0, 0); // and what it starts
	daemon = daemon_start(NULL);
	fd = wire_fd(daemon_connect(daemon));
	(void)ping_pong_round_trip(fd, request, sizeof(request), &reply_size);
	bare_fd = ping_pong_start(sizeof(request), reply_size);
	for (int i = 0; i < N_WARM_UP; i++) {
		(void)ping_pong_round_trip(fd, request, sizeof(request), NULL);
		(void)ping_pong_round_trip(bare_fd, request, sizeof(request), NULL);
	}
	for (int piece = 0; piece < N_PIECES; piece++, n += N_TRIPS) {
		for (int i = 0; i < N_TRIPS; i++)
			daemon_trips[n + i] =
				ping_pong_round_trip(fd, request, sizeof(request), NULL);
		for (int i = 0; i < N_TRIPS; i++)
			bare_trips[n + i] =
				ping_pong_round_trip(bare_fd, request, sizeof(request), NULL);
	}
	median = bench_median(daemon_trips, n);
	bare = bench_median(bare_trips, n);
	ok = bench_figure("roundtrip", median / bare, BENCH_AT_MOST, BOUND,
			  "%.1f us, bare %.1f us; %zu and %zu bytes", median * 1e6, bare * 1e6,
			  sizeof(request), reply_size);
	daemon_kill(daemon);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
