#include "tests/sim/simulator.h"

#include <event2/event.h>
#include <string.h>

#include "tests/sim/batches.h"
#include "tests/sim/chat.h"
#include "tests/sim/chat_call.h"
#include "tests/sim/control.h"
#include "tests/sim/token.h"

static void respond_error(struct http_conn *conn, int status, const char *message, const char *code)
{
	struct bytes body = { 0 };

	chat_openai.write_problem(&body, &(const struct chat_problem) {
						 .message = message,
						 .type = "invalid_request_error",
						 .code = code });
	http_conn_respond(conn, status, "", (struct span) { body.data, body.size });
	bytes_done(&body);
}

static void list_models(struct simulator *simulator, struct http_conn *conn,
			const struct http_request *request)
{
	const char *model = simulator->behaviour.model;
	struct bytes body = { 0 };

	if (!chat_call_authorised(simulator, &chat_openai, request, NULL)) {
		respond_error(conn, 401, "Incorrect API key provided.", "invalid_api_key");
		return;
	}
	bytes_text(&body, "{\"object\":\"list\",\"data\":[{\"id\":");
	bytes_json(&body, span_of(model ? model : "simulated"));
	bytes_text(&body, ",\"object\":\"model\",\"created\":0,\"owned_by\":\"ellu-sim\"}]}");
	http_conn_respond(conn, 200, "", (struct span) { body.data, body.size });
	bytes_done(&body);
}

static void on_request(struct http_conn *conn, const struct http_request *request,
		       int64_t received_usec, void *userdata)
{
	struct simulator *simulator = userdata;
	struct chat_wanted wanted;

	if (chat_find(request->path, &wanted)) {
		if (span_is(request->method, "POST"))
			chat_call_start(simulator, conn, request, &wanted, received_usec);
		else
			respond_error(conn, 405, "Only POST requests are accepted.", NULL);
	} else if (simulator->behaviour.account_key && span_is(request->path, "/token")) {
		token_exchange(simulator, conn, request);
	} else if (span_is(request->path, "/v1/models")) {
		list_models(simulator, conn, request);
	} else if (!batches_request(simulator, conn, request) && !control_request(simulator, conn, request)) {
		respond_error(conn, 404, "Unknown request URL.", "unknown_url");
	}
}

void simulator_init(struct simulator *simulator, struct event_base *base)
{
	memset(simulator, 0, sizeof(*simulator));
	simulator->base = base;
	simulator->handler = (struct http_handler) { on_request, simulator };
	simulator->kept.n_slots = KEPT_REQUESTS_DEFAULT;
	behaviour_init(&simulator->behaviour);
	TAILQ_INIT(&simulator->calls);
	TAILQ_INIT(&simulator->waiting);
	chat_calls_init(simulator);
}

int simulator_start(struct simulator *simulator, uint16_t port)
{
	return http_server_new(simulator->base, port, &simulator->handler, &simulator->server);
}

void simulator_done(struct simulator *simulator)
{
	http_server_free(simulator->server);
	chat_calls_done(simulator);
	batches_done(simulator);
	behaviour_done(&simulator->behaviour);
	counters_done(&simulator->counters);
	kept_requests_done(&simulator->kept);
}
