/* The daemon with a fault switch: a call of `org.elluminate.fault.Block` stops the thread that
 * writes the database for ever, as a defect would. */
#include <string.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/front/connection.h"
#include "daemon/process.h"

static void block(struct message *message)
{
	(void)message;
	for (;;)
		pause();
}

static int handle(struct raw_call *call)
{
	static struct message message = { .deliver = block };
	const struct connection *connection = call->data;
	struct loop *loops[STORE_LOOPS];

	if (strcmp(call->method, "Block") != 0)
		return -1;
	store_loops(connection->front->options.service->store, loops);
	loop_post(loops[STORE_LOOPS - 1], &message);
	call->reply(call, NULL, /* continues= */ false);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct raw_interface fault_switch = {
		.name = "org.elluminate.fault",
		.description = "interface org.elluminate.fault\n\nmethod Block() -> ()\n",
		.handle = handle,
	};

	return process_main(argc, argv, &fault_switch);
}
