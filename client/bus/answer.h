/* What came of a call over the bus. */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "proto/fault.h"

enum bus_answer_kind {
	BUS_ANSWER_REPLY,
	BUS_ANSWER_ERROR, // of the daemon's
	BUS_ANSWER_LOST, // it may have been carried out
	BUS_ANSWER_UNREACHABLE, // it was not carried out: there is no daemon
	BUS_ANSWER_BAD, // what came is no valid answer
};

struct bus_answer {
	enum bus_answer_kind kind;
	json_object *parameters; // of a reply; whoever wants to keep it takes a reference
	struct fault fault; // of an error
};

void bus_answer_read(sd_bus_message *message, struct bus_answer *ret_answer);
void bus_answer_done(struct bus_answer *answer);
