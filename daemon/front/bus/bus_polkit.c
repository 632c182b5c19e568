/*
 * polkit, on the system's bus: it may let a caller administer who is neither root nor of the
 * configured group. Who calls for the first time is asked about quietly, so that lists, objects and
 * signals show what the caller may see; where a call is refused nevertheless, polkit is asked once
 * more, told what the call is, and may ask for a password when the caller allows that.
 *
 * polkit says when its rules or grants change: then a caller is asked about anew. A socket that was
 * handed to whom polkit lets administer ends then, and when polkit cannot be heard any more.
 */
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/front/bus/bus_internal.h"
#include "daemon/front/front.h"

#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_AUTHORITY "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1u
/* Without a word from polkit a caller is served as what it is. */
#define POLKIT_PATIENCE_USEC (2 * USEC_PER_SEC)
#define POLKIT_CHANGED \
	"type='signal',sender='" POLKIT "',interface='" POLKIT_AUTHORITY "',member='Changed'"

struct question {
	const struct bus_peer *peer;
	const char *method; // NULL: nothing in particular
	const char *resource; // "task 42"; or NULL
	bool interactive;
};

/* What the dialogue shows, and what rules may look at. */
static int append_details(sd_bus_message *message, const struct question *question)
{
	if (!question->method)
		return sd_bus_message_append(message, "a{ss}", 0);
	if (!question->resource)
		return sd_bus_message_append(
			message, "a{ss}", 2, "method", question->method, "polkit.message",
			"Authentication is required to administer evaluations: $(method)");
	return sd_bus_message_append(
		message, "a{ss}", 3, "method", question->method, "resource", question->resource,
		"polkit.message",
		"Authentication is required to administer evaluations: $(method), $(resource)");
}

static int ask(const struct question *question, sd_bus_slot **ret_slot,
	       sd_bus_message_handler_t answered, void *userdata)
{
	sd_bus *bus = question->peer->bus->bus;
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(bus, &message, POLKIT, POLKIT_PATH, POLKIT_AUTHORITY,
					       "CheckAuthorization");

	if (r >= 0)
		r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s",
					  question->peer->name, BUS_ACTION);
	if (r >= 0)
		r = append_details(message, question);
	if (r >= 0)
		r = sd_bus_message_append(message, "us",
					  question->interactive ? POLKIT_ALLOW_INTERACTION : 0, "");
	/* People type as slowly as they like. */
	if (r >= 0)
		r = sd_bus_call_async(bus, ret_slot, message, answered, userdata,
				      question->interactive ? UINT64_MAX : POLKIT_PATIENCE_USEC);
	sd_bus_message_unref(message);
	return r;
}

static bool says_yes(sd_bus_message *answer)
{
	int authorised = 0;

	return !sd_bus_message_is_method_error(answer, NULL) &&
	       sd_bus_message_enter_container(answer, 'r', "bba{ss}") > 0 &&
	       sd_bus_message_read(answer, "b", &authorised) > 0 && authorised;
}

/* ---- A caller ---- */

static int on_peer_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_peer *peer = userdata;

	(void)ret_error;
	peer->polkit = sd_bus_slot_unref(peer->polkit);
	peer->lifted = says_yes(message);
	bus_peer_serve(peer);
	return 1;
}

bool bus_polkit_ask_peer(struct bus_peer *peer)
{
	const struct question question = { .peer = peer };

	peer->stale = false;
	return peer->bus->options.system && !(peer->principal.scopes & PRINCIPAL_SEES_ALL) &&
	       ask(&question, &peer->polkit, on_peer_answer, peer) >= 0;
}

/* Who only calls is asked about at its next call. */
static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;

	(void)message;
	(void)ret_error;
	front_take_back(bus->options.front);
	for (struct bus_peer *peer = bus->peers; peer; peer = peer->next) {
		peer->stale = peer->known;
		if (peer->stale && peer->subscribed && !peer->polkit)
			(void)bus_polkit_ask_peer(peer);
	}
	return 0;
}

int bus_polkit_follow(struct bus *bus)
{
	if (!bus->options.system)
		return 0;
	return sd_bus_add_match_async(bus->bus, NULL, POLKIT_CHANGED, on_changed, NULL, bus);
}

/* ---- A call ---- */

static int on_request_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_request *request = userdata;

	(void)ret_error;
	request->polkit = sd_bus_slot_unref(request->polkit);
	request->authorised = says_yes(message);
	bus_call_again(request);
	return 1;
}

/* Whether the error is one that an administrator would not have got, perhaps. */
static bool is_liftable(const struct bus_request *request, const struct fault *fault)
{
	if (!request->peer->bus->options.system || bus_peer_sees_all(request->peer) ||
	    request->authorised || !request->method)
		return false;
	if (request->method->access == METHOD_ACCESS_ADMINISTRATOR)
		return fault->code == ELLU_E_PERMISSION_DENIED;
	return fault->code == ELLU_E_NOT_FOUND && fault->has_id; // names are each user's own
}

bool bus_polkit_ask_request(struct bus_request *request, const struct fault *fault)
{
	char resource[sizeof(fault->resource_type) + 32];
	struct question question = {
		.peer = request->peer,
		.interactive =
			sd_bus_message_get_allow_interactive_authorization(request->message) > 0,
	};

	if (!is_liftable(request, fault))
		return false;
	question.method = request->method->name;
	if (fault->has_id) {
		snprintf(resource, sizeof(resource), "%s %lld", fault->resource_type,
			 (long long)fault->id);
		question.resource = resource;
	}
	request->fault = *fault;
	return ask(&question, &request->polkit, on_request_answer, request) >= 0;
}
