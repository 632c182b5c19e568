/* Calls of methods for an exchange. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/methods.h"
#include "daemon/base/container_of.h"
#include "daemon/front/http/http_exchange.h"
#include "daemon/front/http/http_state.h"
#include "daemon/front/reply.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/wire/message.h"

static void end_call(struct http_call *call)
{
	struct http_exchange *exchange = call->exchange;
	struct http_call **link = &exchange->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	user_stop_waiting(&call->waiter);
	user_give_back(&call->requests);
	user_give_back(&call->expected);
	arena_done(&call->arena);
	free(call);
	http_unref(exchange);
}

void http_exchange_abandon(struct http_exchange *exchange)
{
	http_ref(exchange);
	http_exchange_leave(exchange);
	while (exchange->calls) {
		struct http_call *call = exchange->calls;
		struct call *under_way = call->call;

		end_call(call);
		if (under_way) {
			call_abandon(under_way);
			call_unref(under_way);
		}
	}
	if (exchange->on_gone)
		exchange->on_gone(exchange);
	http_unref(exchange);
}

bool http_exchange_follows(const struct http_exchange *exchange)
{
	if (exchange->begun)
		return true;
	for (const struct http_call *call = exchange->calls; call; call = call->next)
		if (call->method->replies == METHOD_REPLIES_EVENTS)
			return true;
	return false;
}

static void let_go(struct http_call *call)
{
	struct call *under_way = call->call;

	call->call = NULL;
	if (!under_way)
		return;
	under_way->front = NULL;
	call_unref(under_way);
}

static void fail_call(struct http_call *call, const struct fault *fault)
{
	struct http_exchange *exchange = http_ref(call->exchange);

	let_go(call);
	if (call->failed)
		call->failed(call, fault);
	else
		http_fail(exchange, fault);
	end_call(call);
	http_unref(exchange);
}

static bool expect_page(struct http_call *call, enum reply_stage stage)
{
	return reply_expect(&call->expected, call->exchange->principal.user, call->method, stage,
			    &call->waiter);
}

static int on_send(struct call *under_way, struct answer *answer, bool continues)
{
	struct http_call *call = under_way->front_data;
	struct http_exchange *exchange = http_ref(call->exchange);
	int r;

	if (!continues)
		let_go(call);
	r = call->answered(call, answer, continues);
	if (r < 0 && continues) {
		http_unref(exchange);
		return r;
	}
	if (r < 0) {
		struct fault fault = { 0 };

		if (r == -EMSGSIZE)
			fault_too_large(&fault, MESSAGE_SIZE_MAX, "the reply");
		else
			fault_oom(&fault);
		fail_call(call, &fault);
	} else if (!continues) {
		end_call(call);
	} else {
		r = http_has_room(exchange);
		/* What was sent is charged itself; room for the next page is taken when that is made. */
		if (call->method->replies == METHOD_REPLIES_PAGES)
			user_give_back(&call->expected);
		if (call->method->replies == METHOD_REPLIES_PAGES && r > 0)
			r = expect_page(call, REPLY_GOES_ON);
	}
	http_unref(exchange);
	return r < 0 ? true : r;
}

static void on_fail(struct call *under_way, const struct fault *fault)
{
	fail_call(under_way->front_data, fault);
}

static const struct call_front http_call_front = { .send = on_send, .fail = on_fail };

/* There is room for its answer. */
static void begin(struct http_call *call)
{
	struct http_exchange *exchange = call->exchange;
	struct call *under_way;
	struct fault fault = { 0 };

	if (!expect_page(call, REPLY_BEGINS))
		return;
	under_way = call_new(exchange->service);
	if (!under_way) {
		fault_oom(&fault);
		fail_call(call, &fault);
		return;
	}
	under_way->method = call->method;
	under_way->principal = exchange->principal;
	under_way->more = call->more;
	under_way->arena = arena_take(&call->arena);
	under_way->request = call->request;
	under_way->front = &http_call_front;
	under_way->front_data = call;
	user_move(&exchange->input, &under_way->input);
	call->call = under_way;
	if (user_take(&call->requests, exchange->principal.user, USER_REQUESTS, 1))
		call_dispatch(under_way);
	else
		call_fail_limit(under_way, USER_REQUESTS);
}

static void write_on(struct http_call *call)
{
	struct call *under_way = call->call;

	if (!under_way || !http_has_room(call->exchange))
		return;
	if (call->method->replies == METHOD_REPLIES_PAGES) {
		user_give_back(&call->expected);
		if (!expect_page(call, REPLY_GOES_ON))
			return;
	}
	call_ref(under_way);
	call_writable(under_way);
	call_unref(under_way);
}

static void on_wake(struct user_waiter *waiter)
{
	struct http_call *call = container_of(waiter, struct http_call, waiter);

	if (call->call)
		write_on(call);
	else
		begin(call);
}

void http_calls_writable(struct http_exchange *exchange)
{
	struct http_call *next;

	for (struct http_call *call = exchange->calls; call; call = next) {
		next = call->next;
		write_on(call);
	}
}

void http_call_decoded(struct http_exchange *exchange, const struct method *method, void *request,
		       struct arena *arena, const struct http_call *how)
{
	struct http_call *call = calloc(1, sizeof(*call));
	struct fault fault = { 0 };

	if (!call) {
		fault_oom(&fault);
		http_fail(exchange, &fault);
		return;
	}
	call->exchange = http_ref(exchange);
	call->next = exchange->calls;
	exchange->calls = call;
	call->method = method;
	call->request = request;
	call->arena = arena_take(arena);
	call->waiter.wake = on_wake;
	call->more = how->more;
	call->answered = how->answered;
	call->failed = how->failed;
	call->data = how->data;
	begin(call);
}

void http_call(struct http_exchange *exchange, const struct method *method, json_object *parameters,
	       const struct http_call *how)
{
	json_object *empty = parameters ? NULL : json_object_new_object();
	struct http_call failing = *how;
	struct fault fault = { 0 };
	struct arena arena;
	void *request;
	int r;

	arena_init(&arena);
	r = record_decode(method->request, parameters ? parameters : empty,
			  how->passes_on ? FROM_DIALECT : FROM_CLIENT, "", &arena, &request, &fault);
	json_object_put(empty);
	if (r == 0) {
		http_call_decoded(exchange, method, request, &arena, how);
	} else if (how->failed) {
		failing.exchange = exchange;
		failing.method = method;
		how->failed(&failing, &fault);
	} else {
		http_fail(exchange, &fault);
	}
	arena_done(&arena);
}

int http_stream_tell(struct http_call *call, struct answer *answer, bool continues, enum reply_form form,
		     http_make_fn *make)
{
	struct http_exchange *exchange = call->exchange;
	bool shares = answer->share && !exchange->head.is_old;
	struct reply *chunk = shares ? replies_find(answer->share, answer->type, form, continues) : NULL;
	char *text = NULL;
	size_t size;
	bool room;
	int r;

	if (chunk) {
		reply_ref(chunk);
	} else {
		r = make(answer, continues, &text, &size);
		if (r < 0)
			return r;
		chunk = shares ? http_chunk_new(text, size) : NULL;
		if (chunk)
			replies_keep(answer->share, answer->type, form, continues, chunk);
	}
	room = chunk ? http_stream_send_chunk(exchange, chunk) : http_stream_send(exchange, text, size);
	reply_unref(chunk);
	free(text);
	return room;
}

int http_answer_object(const struct answer *answer, json_object **ret_json)
{
	size_t head = strlen(WIRE_REPLY_HEAD);
	struct fault fault = { 0 };

	if (!answer->text)
		return record_encode(answer->type, answer->record, TO_CLIENT, ret_json);
	return json_parse_strict(answer->text + head, answer->text_size - head, ret_json, &fault) < 0 ?
		       -ENOMEM : 0;
}

int http_answer_text(struct answer *answer, char **ret_text, size_t *ret_size)
{
	size_t head = strlen(WIRE_REPLY_HEAD);

	if (!answer->text)
		return record_to_text(answer->type, answer->record, TO_CLIENT, ret_text, ret_size);
	memmove(answer->text, answer->text + head, answer->text_size - head);
	*ret_size = answer->text_size - head;
	*ret_text = answer->text;
	answer->text = NULL;
	return 0;
}
