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

#define POLKIT "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_AUTHORITY "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1u
/* Without a word from polkit a caller is served as what it is. */
#define POLKIT_PATIENCE_USEC (2 * USEC_PER_SEC)
#define POLKIT_CHANGED \
	"type='signal',sender='" POLKIT "',interface='" POLKIT_AUTHORITY "',member='Changed'"

/* What the dialogue shows, and what rules may look at. */
static int append_details(sd_bus_message *message, const struct bus_question *question)
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

int bus_polkit_ask(const struct bus_question *question, sd_bus_slot **ret_slot,
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

bool bus_polkit_says_yes(sd_bus_message *answer)
{
	int authorised = 0;

	return !sd_bus_message_is_method_error(answer, NULL) &&
	       sd_bus_message_enter_container(answer, 'r', "bba{ss}") > 0 &&
	       sd_bus_message_read(answer, "b", &authorised) > 0 && authorised;
}

int bus_polkit_follow(struct bus *bus, sd_bus_message_handler_t changed)
{
	return sd_bus_add_match_async(bus->bus, NULL, POLKIT_CHANGED, changed, NULL, bus);
}
