#include "daemon/backend/callers/order.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/core.h"
#include "daemon/base/clock.h"

static void deliver_order(struct message *message)
{
	struct order *order = (struct order *)message; // its first member

	order->backend->ground.now_usec = clock_monotonic_usec();
	order->carry_out(order);
	free(order);
}

int order_post(struct order order)
{
	struct order *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = order;
	copy->message.deliver = deliver_order;
	loop_post(order.backend->ground.loop, &copy->message);
	return 0;
}
