/*
 * An answer with a list that may be long: it leaves page by page, as the method lists it and the caller takes
 * it, so that no more than a page of it is held. What fails on the way breaks the connection off.
 */
#pragma once

#include "daemon/front/http/ask.h"

/* An item in the shape that it is answered in. */
typedef json_object *shape_item_fn(struct json_maker *maker, json_object *item, const void *of);

struct whole {
	json_object *object; // what stands before the list; taken. NULL: the list is the answer
	const char *member; // the name of the list in it
	const char *method; // that lists
	json_object *parameters; // of that; taken
	shape_item_fn *shape;
	const void *of; // lives as long as the exchange, whose arena has room
};

void step_answer_whole(struct asking *asking, const struct whole *whole);
