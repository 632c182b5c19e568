/*
 * A call of a method, as handlers see it, whichever way it came in. A front makes it, fills in
 * who calls and the decoded request, and hands it to call_dispatch() (methods.h); the method's handler, or the
 * operation that the store has for it, answers it, now or later, exactly once with call_reply() or
 * call_fail(), after any number of replies that continue.
 *
 * A call is counted: what is under way for it holds a reference. When its caller goes away,
 * call_abandon() says so to the handler, and answers go nowhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/api/principal.h"
#include "daemon/api/user.h"
#include "daemon/base/share.h"
#include "daemon/store/store.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/wire/method.h"

struct backend;
struct call;
struct follow;
struct queue;
struct service;
struct tokens;

/* The rooms that methods use, and what they tell of the daemon. */
struct service {
	struct store *store;
	struct queue *queue;
	struct backend *backend;
	struct loop *loop;
	struct loop *behind; // decodes and frees what is large
	struct users *users;
	struct tokens *tokens;
	int64_t started_usec; // monotonic
	const char *log; // where lines go: a path, or words for it
	const char *prices_date; // of the list prices
	const char *socket; // its path
	const char *bus; // "session" or "system" while the name is had there, else NULL
	/* Takes over what can change of the configuration. */
	int (*reload)(struct service *service, struct fault *fault);
	const char *http; // where that is served, as a URL; or NULL
	bool stopping; // submissions are refused
	int64_t n_under_way; // calls, and what else waits for the store
	int64_t n_connections; // counted by the fronts
	struct follow *submitters; // who waits for what he submitted; known to follow.c alone
};

/* A reply as methods make it; each front encodes it in its own way. */
struct answer {
	const struct record_type *type;
	const void *record; // a page that is encoded may be without its items
	/* The reply encoded already, up to its tail (WIRE_REPLY_HEAD); a front may take it and leave
	 * NULL. Or NULL. */
	char *text;
	size_t text_size;
	struct share *share; // it lies beside what is answered, and so do others' replies; or NULL
};

/* How the answers leave. */
struct call_front {
	/* Returns whether more output is welcome right now, or a negative errno: nothing was sent.
	 * -EMSGSIZE: no message could hold it. */
	int (*send)(struct call *call, struct answer *answer, bool continues);
	void (*fail)(struct call *call, const struct fault *fault);
};

struct call {
	unsigned references;
	const struct call_front *front; // NULL: the caller is gone
	void *front_data;
	struct service *service;
	const struct method *method;
	struct principal principal;
	bool more; // many replies are welcome
	bool detached; // a task is not followed: its caller wants to go on at once
	bool answered;
	struct arena arena;
	void *request; // the decoded record, in the arena
	const void *digest; // what the store can say of it by itself, there too; or NULL
	struct user_charge input; // what the request takes, of USER_INPUT or USER_LARGE_MESSAGES
	struct user_charge watch;
	struct store_request *stored; // has come back, and waits for a turn; or NULL
	struct user_waiter turn;

	/* The handler's own. */
	void (*on_gone)(struct call *call); // the caller went away; or NULL
	void (*on_writable)(struct call *call); // more output is welcome again; or NULL
	void (*on_stored)(struct call *call, struct store_request *request);
	void *data;
};

/* One reference, the front's. NULL without memory. */
struct call *call_new(struct service *service);
struct call *call_ref(struct call *call);
struct call *call_unref(struct call *call);

/* A call that goes on for long has no more use for its request, nor for the arena. */
void call_forget_request(struct call *call);
/* The front: the caller is gone. */
void call_abandon(struct call *call);
/* The front: output is low again. */
void call_writable(struct call *call);

void call_reply(struct call *call, const void *reply);
/* One of many, which answers false: hold back until on_writable; or the last. The record's type may be
 * another one with the members of the method's reply.
 * `share` lies beside what it is made of, where others get the same, or is NULL. */
bool call_reply_as(struct call *call, const struct record_type *type, const void *reply,
		   bool continues, struct share *share);
void call_fail(struct call *call, const struct fault *fault);
void call_fail_errno(struct call *call, int error); // Internal
/* TooManyRequests, for what the caller's user holds. */
void call_fail_limit(struct call *call, enum user_slot slot);

/* Has the store do what it does for the method; then `stored` gets the struct method_run. */
int call_run_method(struct call *call,
		    void (*stored)(struct call *call, struct store_request *request));
/* Answers what it did, whose text the request loses. With `more` and a further page of a list, the
 * method runs again for that page as soon as output is low. */
void call_reply_stored(struct call *call, struct store_request *request);

/* Whose rows the call may see. */
struct scope call_scope(const struct call *call, const char *project);

/*
 * A new operation of the store for this call: `size` bytes that begin with a store_request. When
 * the store has answered, `stored` runs if it went well, else the call fails; then the operation
 * is freed. NULL: no memory, the call has failed.
 */
void *call_operation(struct call *call, size_t size,
		     void (*stored)(struct call *call, struct store_request *request));
