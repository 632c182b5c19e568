#include "daemon/front/connections.h"

#include <stddef.h>

void connections_init(struct connections *connections)
{
	connections->tail = &connections->first;
}

void connections_add(struct connections *connections, struct connections_link *link)
{
	link->next = NULL;
	link->link = connections->tail;
	*connections->tail = link;
	connections->tail = &link->next;
}

static void take_out(struct connections *connections, struct connections_link *link)
{
	*link->link = link->next;
	if (link->next)
		link->next->link = link->link;
	else
		connections->tail = link->link;
}

void connections_touch(struct connections *connections, struct connections_link *link)
{
	take_out(connections, link);
	connections_add(connections, link);
}

void connections_bury(struct connections *connections, struct connections_link *link)
{
	take_out(connections, link);
	link->next = connections->dead;
	connections->dead = link;
	connections_reap_soon(connections);
}

void connections_reap_soon(struct connections *connections)
{
	static const struct timeval at_once = { 0 };

	(void)event_add(connections->reaper, &at_once);
}
