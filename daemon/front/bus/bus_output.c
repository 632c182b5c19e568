/* What goes to the bus, and what is charged until the bus has taken it. */
#include <stdlib.h>

#include "daemon/front/bus/bus_internal.h"

struct bus_unsent {
	struct bus_unsent *next; // bus::unsent
	struct user_charge charge;
};

bool bus_has_room(const struct bus *bus)
{
	uint64_t n = 0;

	return bus->bus && sd_bus_get_n_queued_write(bus->bus, &n) >= 0 && n < BUS_QUEUE_HIGH;
}

void bus_send(struct bus *bus, sd_bus_message *message)
{
	/* What cannot be sent is not sent: the connection's end shows when it is processed next. */
	if (message && bus->bus)
		(void)sd_bus_send(bus->bus, message, NULL);
	sd_bus_message_unref(message);
}

void bus_give_sent_back(struct bus *bus)
{
	uint64_t n = 0;

	if (!bus->unsent ||
	    (bus->bus && sd_bus_get_n_queued_write(bus->bus, &n) >= 0 && n > 0))
		return;
	while (bus->unsent) {
		struct bus_unsent *unsent = bus->unsent;

		bus->unsent = unsent->next;
		user_give_back(&unsent->charge);
		free(unsent);
	}
}

void bus_keep_until_sent(struct bus *bus, struct user_charge *charge)
{
	struct bus_unsent *unsent = NULL;
	uint64_t n = 0;

	if (charge->amount && bus->bus && sd_bus_get_n_queued_write(bus->bus, &n) >= 0 && n > 0)
		unsent = calloc(1, sizeof(*unsent));
	if (!unsent) {
		user_give_back(charge);
		return;
	}
	user_move(charge, &unsent->charge);
	unsent->next = bus->unsent;
	bus->unsent = unsent;
}
