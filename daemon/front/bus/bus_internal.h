/*
 * What the files of the D-Bus front offer each other:
 *
 *	bus.c		the connection: connecting, the name, sd-bus on our loop
 *	bus_tree.c	paths, interfaces and members; introspection; what a message calls
 *	bus_manager.c	the manager's methods
 *	bus_task.c	tasks as objects: signals, the object manager
 *	bus_property.c	what a task's object shows
 *	bus_call.c	a method of the table, called over the bus
 *	bus_peer.c	who calls: credentials, asked once a caller, and what waits for them
 *	bus_request.c	what a caller has asked for, and its answer
 *	bus_polkit.c	polkit: who else may administer
 *	bus_output.c	what waits to be sent
 *	bus_value.c	values of the bus as JSON
 *
 * Each knows those below it.
 *
 * A request holds its message; it is answered exactly once, or dropped when its caller is gone.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "daemon/api/principal.h"
#include "daemon/api/user.h"
#include "daemon/front/bus/bus_options.h"
#include "daemon/front/decoder.h"
#include "proto/wire/bus_name.h"
#include "proto/wire/method.h"

struct event;
struct monitor;

/* A caller has at most so many calls under way; dbus-daemon's own limit on pending replies. */
#define BUS_REQUESTS_MAX 128
/* Entries of a dictionary of options, and items of an array in it. */
#define BUS_OPTIONS_MAX 64
#define BUS_ITEMS_MAX 1000
/* Unsent messages, above which nothing but answers is sent until they are fewer. */
#define BUS_QUEUE_HIGH 2000

struct answer;
struct bus_decoding;
struct bus_peer;
struct bus_unsent;

struct bus_request {
	struct bus_request *next; // bus_peer::requests
	struct bus_request **link;
	struct bus_peer *peer;
	sd_bus_message *message;
	void (*serve)(struct bus_request *request); // what it calls
	bool waiting; // for the caller's credentials
	struct user_charge calls;
	struct user_charge input; // the message
	struct user_charge expected; // of USER_OUTPUT
	struct user_waiter waiter; // for room for the reply
	struct call *call; // under way, or NULL; a reference
	const struct method *method; // of the call
	json_object *parameters; // of the call, beside those in `text`
	const char *text; // JSON in the message; or NULL
	struct bus_decoding *decoding; // of the parameters; or NULL
	struct arena arena; // of what they were decoded to
	void *record; // that; NULL: not yet, or the call has it
	void (*answer)(struct bus_request *request, const struct answer *answer);
	sd_bus_slot *polkit; // asking
	bool authorised; // by polkit
	struct fault fault; // what polkit may lift
};

/* Parameters on their way to a record. It outlives its request. */
struct bus_decoding {
	struct decoding decoding;
	struct bus_request *request; // NULL: gone
	sd_bus_message *message; // holds the text
	const struct method *method;
	const char *text;
	json_object *parameters;
	struct arena arena;
	void *record;
	struct fault fault;
};

struct bus_peer {
	struct bus_peer *next; // bus::peers
	struct bus *bus;
	char *name; // unique
	struct principal principal; // its user is USER_UNKNOWN's while the bus is being asked
	bool known;
	bool lifted; // polkit lets it administer
	bool stale; // polkit may say otherwise by now
	bool subscribed; // is sent signals, on the system's bus
	bool stays; // asked for them itself
	bool held; // counted as a connection
	sd_bus_slot *asking; // for its credentials
	sd_bus_slot *polkit; // asking
	struct user_charge place;
	struct user_waiter waiter; // until the store knows the user
	unsigned n_requests;
	struct bus_request *requests; // in the order they came
	struct bus_request **tail;
};

enum property {
	PROPERTY_STATUS = 1 << 0,
	PROPERTY_HOLD = 1 << 1,
	PROPERTY_ERROR = 1 << 2,
	PROPERTY_PERCENT = 1 << 3,
	PROPERTY_TOTAL = 1 << 4,
	PROPERTY_DONE = 1 << 5,
	PROPERTY_FAILED = 1 << 6,
	PROPERTY_CONSTANT = 1 << 7, // never changes
	PROPERTY_ALL = ~0,
};

#define BUS_TASK_BUCKETS 1024

/* A task that waits or runs, as its object shows it. */
struct bus_task {
	struct bus_task *next; // bus::tasks
	int64_t id;
	uint32_t owner_uid;
	int64_t experiment_id; // 0: none
	int64_t created_at;
	int64_t sequence; // of the last event that was signalled
	int64_t shown; // of the last event in what its object showed first
	char *name;
	char kind[32];
	char status[16];
	char hold[16]; // empty: none
	char *error; // or NULL
	double percent;
	uint64_t total, done, failed;
};

struct bus {
	struct bus_options options;
	sd_bus *bus; // NULL: not connected
	struct event *io;
	short io_events; // of `io`, while it is added
	int io_fd;
	struct event *timer; // sd-bus's own timeouts, and turns that are due
	uint64_t timer_usec; // what it is set to; UINT64_MAX: it is not
	struct event *again; // connects anew
	struct event *settle;
	int64_t retry_usec;
	bool connected; // hello was answered
	bool owned;
	bool settled;
	bool released;
	void (*left)(void *userdata); // while the name is being given back
	void *left_userdata;
	sd_bus_slot *vanished; // while there are peers
	struct bus_peer *peers;
	struct bus_task *tasks[BUS_TASK_BUCKETS];
	struct bus_unsent *unsent; // what answers take until the bus has taken them
	struct monitor *monitor;
	bool held_back; // the monitor is paused: the bus does not take our messages
};

/* ---- bus_output.c ---- */

/* Sends and drops the reference. Answers go out even above BUS_QUEUE_HIGH. */
void bus_send(struct bus *bus, sd_bus_message *message);
bool bus_has_room(const struct bus *bus);
/* The charge is given back once everything that waits now has been sent. */
void bus_keep_until_sent(struct bus *bus, struct user_charge *charge);
/* Whether it has been is looked at now. */
void bus_give_sent_back(struct bus *bus);

/* ---- bus_polkit.c ---- */

struct bus_question {
	const struct bus_peer *peer;
	const char *method; // NULL: nothing in particular
	const char *resource; // "task 42"; or NULL
	bool interactive;
};

int bus_polkit_ask(const struct bus_question *question, sd_bus_slot **ret_slot,
		   sd_bus_message_handler_t answered, void *userdata);
bool bus_polkit_says_yes(sd_bus_message *answer);
int bus_polkit_follow(struct bus *bus, sd_bus_message_handler_t changed); // its word that something has

/* ---- bus_request.c ---- */

int bus_request_new(struct bus_peer *peer, sd_bus_message *message,
		    void (*serve)(struct bus_request *request), struct bus_request **ret_request);
/* What the request takes is its user's from now on; the sentence of a refusal is in the fault. */
bool bus_request_charge(struct bus_request *request, int64_t bytes, struct fault *fault);
/* The request was answered, or will not be. */
void bus_request_end(struct bus_request *request);
/* The same: the caller is gone, or the bus is. */
void bus_request_abandon(struct bus_request *request);
/* Sends a method return, which it takes, and ends the request; a negative `r` says that the message
 * could not be made. */
void bus_reply(struct bus_request *request, sd_bus_message *reply, int r);
void bus_reply_error(struct bus_request *request, const char *name, const char *text);
void bus_request_fail(struct bus_request *request, const struct fault *fault);
/* Requests have come or gone, or it stays or no longer. */
void bus_peer_update_held(struct bus_peer *peer);

/* ---- bus_peer.c ---- */

/* A message came: `serve` gets the request as soon as its caller is known. */
int bus_peer_take(struct bus *bus, sd_bus_message *message, int64_t bytes,
		  void (*serve)(struct bus_request *request));
void bus_peers_drop(struct bus *bus);
bool bus_peer_sees_all(const struct bus_peer *peer);
bool bus_peer_may_see(const struct bus_peer *peer, int64_t owner_uid);
/* It is sent signals from now on, or no longer. Who `stays` keeps an idle daemon up. */
void bus_peer_subscribe(struct bus_peer *peer, bool subscribed, bool stays);
/* False: polkit is not asked. Else it is, and what waits is served when it has answered. */
bool bus_peer_ask_polkit(struct bus_peer *peer);
int bus_peers_follow_polkit(struct bus *bus);

/* ---- bus_call.c ---- */

/* Calls the method with the JSON in `text`, a part of the request's message or NULL, and with
 * `parameters`, which it takes; a large text is decoded on another thread. `answer` gets the method's
 * answer and answers the request; errors are answered here, unless polkit may lift them. */
void bus_call(struct bus_request *request, const struct method *method, const char *text,
	      json_object *parameters,
	      void (*answer)(struct bus_request *request, const struct answer *answer));
/* The `task` of an answer that has one. */
const struct ellu_task *bus_answered_task(const struct answer *answer);

/* ---- bus_manager.c ---- */

void bus_run_experiment(struct bus_request *request);
void bus_cancel_task(struct bus_request *request);
void bus_list_tasks(struct bus_request *request);
void bus_subscribe(struct bus_request *request);
void bus_unsubscribe(struct bus_request *request);
void bus_call_method(struct bus_request *request);
void bus_open_socket(struct bus_request *request);
void bus_steer_task(struct bus_request *request); // of the task's own object
void bus_retry_task(struct bus_request *request);

/* ---- bus_task.c ---- */

/* A task that was just submitted: whoever asks next for the objects finds it. */
void bus_task_show(struct bus *bus, const struct ellu_task *record);
int bus_tasks_follow(struct bus *bus); // the name is owned: from now on signals are sent
void bus_tasks_drop(struct bus *bus);
void bus_tasks_resume(struct bus *bus); // messages have been taken
void bus_get_managed_objects(struct bus_request *request);

/* ---- bus_property.c ---- */

int bus_task_fill(struct bus_task *task, const struct ellu_task *record);
void bus_task_free(struct bus_task *task);
/* These answer which properties changed. */
unsigned bus_task_set_text(char *place, size_t size, const char *text, unsigned property);
unsigned bus_task_set_error(struct bus_task *task, const struct ellu_error *error);
unsigned bus_task_set_progress(struct bus_task *task, const struct ellu_progress *progress);
/* An a{sv} of the properties in `wanted`. */
int bus_task_append_properties(sd_bus_message *message, const struct bus_task *task,
			       unsigned wanted);
/* An a{sa{sv}} of the one interface that tasks have. */
int bus_task_append_interfaces(sd_bus_message *message, const struct bus_task *task);
/* The properties of an interface, for the introspection. */
void bus_write_properties(FILE *out, const char *interface);
void bus_get_property(struct bus_request *request);
void bus_get_all_properties(struct bus_request *request);
void bus_set_property(struct bus_request *request);

/* ---- bus_value.c ---- */

/* Bytes of all arguments, of which options hold only what they can have. 0, or negative with the
 * fault. The message is read from its beginning afterwards. */
int bus_measure(sd_bus_message *message, int64_t *ret_bytes, struct fault *fault);

/* Reads an a{sv} as an object whose members are the entries. 0, or negative with the fault. */
int bus_read_options(sd_bus_message *message, json_object *object, struct fault *fault);

/* ---- bus_tree.c ---- */

/* A message came: what it calls is served once its caller is known. */
int bus_tree_take(struct bus *bus, sd_bus_message *message);
