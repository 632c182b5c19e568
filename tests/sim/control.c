#include "tests/sim/control.h"

#include <inttypes.h>

#include "tests/sim/batches.h"
#include "tests/sim/chat_call.h"
#include "tests/sim/simulator.h"

/* Answers what it wrote; takes the body. */
static bool respond(struct http_conn *conn, int status, struct bytes body)
{
	http_conn_respond(conn, status, "", (struct span) { body.data, body.size });
	bytes_done(&body);
	return true;
}

static bool change_settings(struct simulator *simulator, struct http_conn *conn, struct span json)
{
	struct bytes body = { 0 }, error = { 0 };
	bool ok = behaviour_apply_json(&simulator->behaviour, json, &error);

	if (ok) {
		chat_calls_admit(simulator);
		behaviour_print_json(&simulator->behaviour, &body);
	} else {
		bytes_text(&body, "{\"error\": ");
		bytes_json_repaired(&body, (struct span) { error.data, error.size });
		bytes_text(&body, "}");
	}
	bytes_done(&error);
	return respond(conn, ok ? 200 : 400, body);
}

static void print_stats(const struct simulator *simulator, struct bytes *out)
{
	const struct http_conn_stats *conns = http_server_stats(simulator->server);

	bytes_printf(out,
		     "{\"connections_open\": %" PRIu64 ", \"connections_total\": %" PRIu64 ", "
		     "\"exchanges\": %" PRId64 ", ", conns->open, conns->total, simulator->n_exchanges);
	batches_print(simulator, out);
	counters_print(&simulator->counters, out);
	bytes_text(out, "}");
}

/* The numbers of calls start over too, and with them the plan of faults and the rate window. */
static void reset(struct simulator *simulator)
{
	counters_reset(&simulator->counters);
	kept_requests_clear(&simulator->kept);
	simulator->window_start_usec = 0;
	simulator->window_calls = 0;
	simulator->n_exchanges = 0;
}

bool control_request(struct simulator *simulator, struct http_conn *conn,
		     const struct http_request *request)
{
	bool post = span_is(request->method, "POST");
	struct bytes body = { 0 };

	if (span_is(request->path, "/control") && post)
		return change_settings(simulator, conn, request->body);
	if (span_is(request->path, "/control"))
		behaviour_print_json(&simulator->behaviour, &body);
	else if (span_is(request->path, "/stats"))
		print_stats(simulator, &body);
	else if (span_is(request->path, "/requests"))
		kept_requests_print(&simulator->kept,
				    (size_t) http_request_query_number(request, "last",
								       KEPT_REQUESTS_MAX),
				    &body);
	else if (span_is(request->path, "/stats/reset") && post) {
		reset(simulator);
		bytes_text(&body, "{}");
	} else {
		return false;
	}
	return respond(conn, 200, body);
}
