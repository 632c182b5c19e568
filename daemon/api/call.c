#include "daemon/api/call.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/queue/queue.h"
#include "daemon/store/tasks.h"
#include "proto/generated/handlers.h"

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

/* A call that follows a task stays, unless its caller wants to go on at once. */
static bool stays(const struct call *call)
{
	const struct record_type *type = call->method->request;

	if (call->method->replies != METHOD_REPLIES_EVENTS)
		return false;
	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, "detach") == 0) {
			const int *detach = *(const int *const *)((const char *)call->request +
								  type->fields[i].offset);

			return !detach || !*detach;
		}
	return true;
}

void call_dispatch(struct call *call)
{
	struct fault fault = { 0 };
	int r;

	if (call->method->access == METHOD_ACCESS_ADMINISTRATOR &&
	    !(call->principal.scopes & PRINCIPAL_ADMINISTERS)) {
		fault_set(&fault, ELLU_E_PERMISSION_DENIED, "%s is for administrators.",
			  call->method->name);
		call_fail(call, &fault);
		return;
	}
	if (stays(call) && !user_take(&call->watch, call->principal.user, USER_WATCHES, 1)) {
		call_fail_limit(call, USER_WATCHES);
		return;
	}
	call_ref(call);
	r = api_handlers[call->method->id](call, call->request);
	if (r < 0)
		call_fail_errno(call, r);
	call_unref(call);
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

static int encode_reply(struct call *call, const void *reply, struct reply **ret_encoded)
{
	json_object *parameters = NULL;
	int r = record_encode(call->method->reply, reply, TO_CLIENT, &parameters);

	if (r < 0)
		return r;
	*ret_encoded = reply_new(parameters);
	return *ret_encoded ? 0 : -ENOMEM;
}

static bool send_reply(struct call *call, const void *reply, bool continues, struct share *share)
{
	const struct record_type *type = call->method->reply;
	struct reply *encoded = NULL;
	bool room;
	int r;

	if (!call->front || call->answered)
		return true;
	if (share)
		encoded = replies_find(share, call->front, type, continues);
	if (encoded) {
		reply_ref(encoded);
	} else {
		r = encode_reply(call, reply, &encoded);
		if (r < 0) {
			call_fail_errno(call, r);
			return true;
		}
		if (share)
			replies_keep(share, call->front, type, continues, encoded);
	}
	call->answered = !continues;
	room = call->front->send(call, encoded, continues);
	reply_unref(encoded);
	return room;
}

bool call_continue(struct call *call, const void *reply)
{
	return send_reply(call, reply, /* continues= */ true, NULL);
}

void call_reply(struct call *call, const void *reply)
{
	(void)send_reply(call, reply, /* continues= */ false, NULL);
}

bool call_continue_shared(struct call *call, const void *reply, struct share *share)
{
	return send_reply(call, reply, /* continues= */ true, share);
}

void call_reply_shared(struct call *call, const void *reply, struct share *share)
{
	(void)send_reply(call, reply, /* continues= */ false, share);
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

/* ---- Pages ---- */

static const struct record_field *cursor_field(const struct call *call)
{
	const struct record_type *type = call->method->request;

	for (size_t i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, "cursor") == 0)
			return &type->fields[i];
	return NULL;
}

static void next_page(struct call *call)
{
	call->on_writable = NULL;
	call_dispatch(call);
}

void call_reply_page(struct call *call, struct store_request *request)
{
	const struct record_field *field = cursor_field(call);
	bool continues = call->more && request->next_cursor && field;
	struct reply *reply;
	char *cursor;
	bool room;

	if (!call->front || call->answered)
		return;
	reply = reply_new_open(request->page, request->page_size, call->service->behind);
	request->page = NULL;
	if (continues) {
		cursor = arena_strdup(&call->arena, request->next_cursor);
		if (!cursor)
			reply = reply_unref(reply);
		memcpy((char *)call->request + field->offset, &cursor, sizeof(cursor));
		call->on_writable = next_page;
	}
	if (!reply) {
		call_fail_errno(call, -ENOMEM);
		return;
	}
	call->answered = !continues;
	room = call->front->send(call, reply, continues);
	reply_unref(reply);
	if (continues && room && call->front)
		next_page(call);
}

/* ---- Operations of the store ---- */

struct scope call_scope(const struct call *call, const char *project)
{
	return (struct scope){
		.uid = call->principal.uid,
		.all = call->principal.scopes & PRINCIPAL_SEES_ALL,
		.project = project,
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
	finish_operation((struct call *)((char *)waiter - offsetof(struct call, turn)));
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

int call_with_task(struct call *call, int64_t id,
		   void (*found)(struct call *call, struct store_request *request))
{
	struct task_get *op = call_operation(call, sizeof(*op), found);

	if (!op)
		return 0;
	op->scope = call_scope(call, NULL);
	op->task_id = id;
	store_task_get(call->service->store, op);
	return 0;
}

const struct ellu_task *call_overlay_task(struct call *call, struct arena *arena,
					  const struct ellu_task *task)
{
	struct ellu_task *copy = arena_alloc(arena, sizeof(*copy));

	if (!copy)
		return task;
	*copy = *task;
	queue_overlay(call->service->queue, copy);
	return copy;
}
