#include "daemon/api/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "proto/limits.h"

#define RETRY_AFTER_SECONDS 1 // when the caller's own calls are in the way

struct call *call_new(struct service *service)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->references = 1;
	call->service = service;
	service->n_under_way++;
	arena_init(&call->arena);
	return call;
}

struct call *call_ref(struct call *call)
{
	call->references++;
	return call;
}

struct call *call_unref(struct call *call)
{
	if (!call || --call->references)
		return NULL;
	call->service->n_under_way--;
	call_forget_request(call);
	user_give_back(&call->watch);
	free(call);
	return NULL;
}

void call_forget_request(struct call *call)
{
	call->request = NULL;
	arena_done(&call->arena);
	arena_init(&call->arena);
	user_give_back(&call->input);
}

void call_abandon(struct call *call)
{
	call->front = NULL;
	if (call->on_gone)
		call->on_gone(call);
}

void call_writable(struct call *call)
{
	if (call->on_writable)
		call->on_writable(call);
}

/* What the front does in there ends the call for it: `answered` says so behind it only. */
static bool send_answer(struct call *call, struct answer *answer, bool continues)
{
	struct fault fault = { 0 };
	int r;

	if (!call->front || call->answered)
		return true;
	call_ref(call);
	r = call->front->send(call, answer, continues);
	if (r == -EMSGSIZE) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "the reply");
		call_fail(call, &fault);
	} else if (r < 0) {
		call_fail_errno(call, r);
	}
	call->answered = call->answered || !continues;
	call_unref(call);
	return r != 0;
}

bool call_reply_as(struct call *call, const struct record_type *type, const void *reply,
		   bool continues, struct share *share)
{
	struct answer answer = { .type = type, .record = reply, .share = share };

	return send_answer(call, &answer, continues);
}

void call_reply(struct call *call, const void *reply)
{
	(void)call_reply_as(call, call->method->reply, reply, /* continues= */ false, NULL);
}

void call_fail(struct call *call, const struct fault *fault)
{
	if (!call->front || call->answered)
		return;
	call->answered = true;
	call->front->fail(call, fault);
}

void call_fail_errno(struct call *call, int error)
{
	struct fault fault = { 0 };

	log_error("%s failed: %s", call->method->name, strerror(-error));
	fault_set(&fault, ELLU_E_INTERNAL, "%s failed: %s", call->method->name, strerror(-error));
	call_fail(call, &fault);
}

void call_fail_limit(struct call *call, enum user_slot slot)
{
	struct fault fault = { 0 };
	char numbers[256];

	user_describe(call->principal.user, slot, numbers, sizeof(numbers));
	fault_set(&fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
	fault.retry_after_seconds = RETRY_AFTER_SECONDS;
	call_fail(call, &fault);
}

/* ---- Operations of the store ---- */

struct scope call_scope(const struct call *call, const char *project)
{
	return (struct scope){
		.uid = call->principal.uid,
		.all = call->principal.scopes & PRINCIPAL_SEES_ALL,
		.administers = call->principal.scopes & PRINCIPAL_ADMINISTERS,
		.project = project,
		.only_project_id = call->principal.project_id,
	};
}

static void finish_operation(struct call *call)
{
	struct store_request *request = call->stored;

	call->stored = NULL;
	if (request->result < 0)
		call_fail(call, &request->fault);
	else
		call->on_stored(call, request);
	store_request_done(request);
	free(request);
	call_unref(call);
}

static void on_turn(struct user_waiter *waiter)
{
	finish_operation(container_of(waiter, struct call, turn));
}

/* The store may answer many of a user's calls at once. */
static void on_operation(struct store_request *request)
{
	struct call *call = request->userdata;
	struct user *user = call->principal.user;

	call->stored = request;
	call->turn.wake = on_turn;
	user_worked_elsewhere(user, request->took_usec);
	if (!user_take_turn(user, &call->turn))
		return;
	user_begin_work(user);
	finish_operation(call);
	user_end_work(user);
}

void *call_operation(struct call *call, size_t size,
		     void (*stored)(struct call *call, struct store_request *request))
{
	struct store_request *request = calloc(1, size);

	if (!request) {
		call_fail_errno(call, -ENOMEM);
		return NULL;
	}
	store_request_init(request, call->service->loop, on_operation, call_ref(call));
	request->uid = call->principal.uid;
	call->on_stored = stored;
	return request;
}

/* ---- Methods of the store ---- */

static void next_page(struct call *call)
{
	call->on_writable = NULL;
	(void)call_run_method(call, call->on_stored);
}

void call_reply_stored(struct call *call, struct store_request *request)
{
	const struct method_run *op = (const struct method_run *)request;
	const char *next = request->page ? request->page->next_cursor : NULL;
	bool continues = call->more && next, room;
	struct answer answer = {
		.type = call->method->reply,
		.record = request->page ? (const void *)request->page : op->ret_reply,
		.text = request->text,
		.text_size = request->text_size,
	};

	if (!call->front || call->answered)
		return;
	if (continues) {
		next = arena_strdup(&call->arena, next);
		if (!next) {
			call_fail_errno(call, -ENOMEM);
			return;
		}
		method_page_of(call->method, call->request)->cursor = next;
		call->on_writable = next_page;
	}
	room = send_answer(call, &answer, continues);
	request->text = answer.text;
	if (continues && room && call->front && !call->answered)
		next_page(call);
}

int call_run_method(struct call *call,
		    void (*stored)(struct call *call, struct store_request *request))
{
	struct method_run *op = call_operation(call, sizeof(*op), stored);

	if (!op)
		return 0;
	op->scope = call_scope(call, method_project(call->method, call->request));
	op->method = call->method;
	op->arguments = call->request;
	op->digest = call->digest;
	store_method_run(call->service->store, op);
	return 0;
}
