#include "tests/sim/chat_call.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "tests/sim/chat.h"
#include "tests/sim/chat_reply.h"
#include "tests/sim/simulator.h"
#include "tests/sim/token.h"

struct chat_call {
	struct simulator *simulator;
	struct http_conn *conn;
	struct event timer;
	uint64_t number;
	struct call_identity identity;
	int64_t received_usec;
	bool admitted, waiting, gated;
	struct chat_reply reply;
	size_t sent;
	TAILQ_ENTRY(chat_call) link; /* simulator::calls or simulator::waiting */
};

static bool has_slot(const struct simulator *simulator)
{
	int64_t limit = simulator->behaviour.concurrency_limit;

	return limit == 0 || simulator->counters.in_flight < (uint64_t) limit;
}

static void call_free(struct chat_call *call)
{
	struct simulator *simulator = call->simulator;

	TAILQ_REMOVE(call->waiting ? &simulator->waiting : &simulator->calls, call, link);
	event_del(&call->timer);
	chat_reply_done(&call->reply);
	free(call);
}

static void call_end(struct chat_call *call)
{
	struct simulator *simulator = call->simulator;

	simulator->counters.in_flight -= call->admitted;
	simulator->counters.waiting -= call->waiting;
	if (!TAILQ_EMPTY(&simulator->waiting))
		event_active(&simulator->admit_event, EV_TIMEOUT, 0);
	call_free(call);
}

static void on_finished(void *data)
{
	struct chat_call *call = data;
	struct counters *counters = &call->simulator->counters;

	counters_status(counters, call->reply.status);
	if (call->reply.correct)
		counters_answered(counters, &call->identity, monotonic_usec() - call->received_usec);
	call_end(call);
}

static void on_abandoned(void *data)
{
	struct chat_call *call = data;

	call->simulator->counters.closed_early++;
	call->simulator->counters.last_closed_usec = monotonic_usec();
	call_end(call);
}

static const struct http_exchange_ops call_ops = { on_finished, on_abandoned };

/* Where a stream waits, or its end. */
static size_t gate_of(const struct chat_call *call)
{
	const struct chat_reply *reply = &call->reply;

	if (!reply->is_stream || !call->simulator->behaviour.stream_gate)
		return chat_reply_end(reply);
	return reply->head_size + (chat_reply_end(reply) - reply->head_size) / 2;
}

/* Where the next step of sending ends, and the pause behind it. */
static size_t next_step(const struct chat_call *call, double *ret_pause_seconds)
{
	const struct behaviour *behaviour = &call->simulator->behaviour;
	const struct chat_reply *reply = &call->reply;
	size_t end;

	*ret_pause_seconds = 0;
	switch (reply->play) {
	case CHAT_PLAY_SLOW_HEAD:
		if (call->sent >= reply->head_size)
			return reply->out.size;
		*ret_pause_seconds = behaviour->slow_byte_seconds;
		return call->sent + 1;
	default:
		if (!reply->is_stream || behaviour->stream_delta_seconds == 0)
			return gate_of(call);
		*ret_pause_seconds = behaviour->stream_delta_seconds;
		end = chat_reply_event_end(reply, call->sent);
		return end < gate_of(call) ? end : gate_of(call);
	}
}

static void call_pause(struct chat_call *call, int64_t usec)
{
	const struct timeval pause = { .tv_sec = usec / 1000000, .tv_usec = usec % 1000000 };

	evtimer_add(&call->timer, &pause);
}

/* Sends until the next pause or the end, which frees the call. */
static void call_play(struct chat_call *call)
{
	const struct chat_reply *reply = &call->reply;

	if (reply->play == CHAT_PLAY_NOTHING)
		return;
	if (reply->play == CHAT_PLAY_RESET) {
		http_conn_reset(call->conn);
		call_end(call);
		return;
	}
	while (call->sent < chat_reply_end(reply)) {
		double pause_seconds;
		size_t end;

		call->gated = call->sent >= gate_of(call);
		if (call->gated)
			return;
		end = next_step(call, &pause_seconds);
		http_conn_send(call->conn, reply->out.data + call->sent, end - call->sent);
		call->sent = end;
		if (pause_seconds > 0 && end < chat_reply_end(reply)) {
			call_pause(call, (int64_t) (pause_seconds * 1e6));
			return;
		}
	}
	if (reply->play != CHAT_PLAY_STALL)
		http_conn_finish(call->conn, reply->close);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	(void) fd;
	(void) what;
	call_play(userdata);
}

/* The call takes a slot at since_usec; its latency starts then. */
static void call_admit(struct chat_call *call, int64_t since_usec)
{
	struct simulator *simulator = call->simulator;
	int64_t latency_usec = behaviour_latency_usec(&simulator->behaviour, call->number);

	call->admitted = true;
	counters_enter(&simulator->counters);
	if (latency_usec > 0) {
		int64_t left_usec = since_usec + latency_usec - monotonic_usec();

		call_pause(call, left_usec > 0 ? left_usec : 0);
	} else {
		call_play(call);
	}
}

static void on_admit(evutil_socket_t fd, short what, void *userdata)
{
	struct simulator *simulator = userdata;
	struct chat_call *call, *next;

	(void) fd;
	(void) what;
	for (call = TAILQ_FIRST(&simulator->calls); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (call->gated)
			call_play(call); /* may end it */
	}
	while ((call = TAILQ_FIRST(&simulator->waiting)) && has_slot(simulator)) {
		TAILQ_REMOVE(&simulator->waiting, call, link);
		TAILQ_INSERT_TAIL(&simulator->calls, call, link);
		call->waiting = false;
		simulator->counters.waiting--;
		call_admit(call, monotonic_usec());
	}
}

bool chat_call_authorised(const struct simulator *simulator, const struct chat_dialect *dialect,
			  const struct http_request *request, struct bytes *error)
{
	static const char scheme[] = "Bearer ";
	const char *key = simulator->behaviour.api_key;
	bool by_account = dialect->by_account && simulator->behaviour.account_key;
	struct span given;

	if (!by_account && (!key || dialect->authorised))
		return !key || dialect->authorised(request, key, error);
	if (dialect->key_header && span_is(http_request_header(request, dialect->key_header), key))
		return true;
	if (dialect->key_header && !dialect->bearer_too)
		return false;
	given = http_request_header(request, "Authorization");
	if (given.size < sizeof(scheme) || strncasecmp(given.data, scheme, sizeof(scheme) - 1) != 0)
		return false;
	given.data += sizeof(scheme) - 1;
	given.size -= sizeof(scheme) - 1;
	return by_account ? token_is_good(simulator, given) : span_is(given, key);
}

/* Counts the call into the present window; false when the window is full. */
static bool within_rate(struct simulator *simulator, int64_t now_usec)
{
	const struct behaviour *behaviour = &simulator->behaviour;
	int64_t window_usec = (int64_t) (behaviour->rate_window_seconds * 1e6);

	if (behaviour->rate_limit == 0)
		return true;
	if (simulator->window_start_usec == 0 ||
	    now_usec - simulator->window_start_usec >= window_usec) {
		simulator->window_start_usec = now_usec;
		simulator->window_calls = 0;
	}
	if (simulator->window_calls >= behaviour->rate_limit)
		return false;
	simulator->window_calls++;
	return true;
}

/* Decides at once on calls that no slot is spent on. */
static bool refused(struct chat_call *call, const struct http_request *request,
		    const struct chat_wanted *wanted, struct chat_request *ret_chat)
{
	struct simulator *simulator = call->simulator;
	const struct behaviour *behaviour = &simulator->behaviour;
	const struct chat_dialect *dialect = wanted->dialect;
	struct chat_reply *reply = &call->reply;
	struct bytes error = { 0 };

	if (dialect->wanted_parameter &&
	    !memmem(request->query.data, request->query.size, dialect->wanted_parameter,
		    strlen(dialect->wanted_parameter))) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_MODEL, "Resource not found");
		return true;
	}
	if (!chat_call_authorised(simulator, dialect, request, &error)) {
		bytes_append(&error, "", 1);
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_KEY, error.size > 1 ? error.data : NULL);
		bytes_done(&error);
		return true;
	}
	if (dialect->wanted_header && !http_request_header(request, dialect->wanted_header).data) {
		char message[80];

		snprintf(message, sizeof(message), "%s: header is required", dialect->wanted_header);
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_REQUEST, message);
		return true;
	}
	if (!chat_reply_accepts(reply, behaviour, request->body, wanted, ret_chat))
		return true;
	if (behaviour->refused_text &&
	    memmem(request->body.data, request->body.size, behaviour->refused_text,
		   strlen(behaviour->refused_text))) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_RATE, NULL);
		return true;
	}
	if (!within_rate(simulator, call->received_usec)) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_RATE, NULL);
		return true;
	}
	if (!has_slot(simulator) && !behaviour->concurrency_queue) {
		chat_reply_refuse(reply, behaviour, CHAT_REFUSAL_CONCURRENCY, NULL);
		return true;
	}
	return false;
}

static struct chat_call *call_new(struct simulator *simulator, struct http_conn *conn,
				  const struct http_request *request,
				  const struct chat_dialect *dialect, int64_t received_usec)
{
	struct chat_call *call = must_have(calloc(1, sizeof(*call)));
	struct span key = http_request_header(request, "Idempotency-Key");

	call->simulator = simulator;
	call->conn = conn;
	call->reply.dialect = dialect;
	call->received_usec = received_usec;
	call->identity = (struct call_identity) {
		.has_key = key.data != NULL,
		.key_hash = key.data ? hash_bytes(0, key.data, key.size) : 0,
		.body_hash = hash_bytes(0, request->body.data, request->body.size),
	};
	counters_call(&simulator->counters, &call->identity);
	call->number = simulator->counters.calls;
	kept_requests_add(&simulator->kept, request, call->number);
	evtimer_assign(&call->timer, simulator->base, on_timer, call);
	TAILQ_INSERT_TAIL(&simulator->calls, call, link);
	http_conn_attach(conn, &call_ops, call);
	return call;
}

void chat_call_start(struct simulator *simulator, struct http_conn *conn,
		     const struct http_request *request, const struct chat_wanted *wanted,
		     int64_t received_usec)
{
	struct chat_call *call = call_new(simulator, conn, request, wanted->dialect,
					  received_usec);
	struct chat_request chat = { 0 };
	enum fault fault;

	if (refused(call, request, wanted, &chat)) {
		chat_request_done(&chat);
		call_play(call);
		return;
	}
	fault = behaviour_fault(&simulator->behaviour, call->number);
	if (fault != FAULT_NONE)
		simulator->counters.by_fault[fault]++;
	chat_reply_make(&call->reply, &simulator->behaviour, &chat, call->number, fault);
	chat_request_done(&chat);
	if (has_slot(simulator)) {
		call_admit(call, received_usec);
		return;
	}
	TAILQ_REMOVE(&simulator->calls, call, link);
	TAILQ_INSERT_TAIL(&simulator->waiting, call, link);
	call->waiting = true;
	simulator->counters.waiting++;
}

void chat_calls_init(struct simulator *simulator)
{
	evtimer_assign(&simulator->admit_event, simulator->base, on_admit, simulator);
}

void chat_calls_admit(struct simulator *simulator)
{
	event_active(&simulator->admit_event, EV_TIMEOUT, 0);
}

void chat_calls_done(struct simulator *simulator)
{
	event_del(&simulator->admit_event);
	while (!TAILQ_EMPTY(&simulator->calls))
		call_free(TAILQ_FIRST(&simulator->calls));
	while (!TAILQ_EMPTY(&simulator->waiting))
		call_free(TAILQ_FIRST(&simulator->waiting));
}
