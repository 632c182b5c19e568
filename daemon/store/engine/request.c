#include <stdlib.h>

#include "daemon/store/store.h"

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata)
{
	request->store = NULL;
	request->run = NULL;
	request->again = false;
	request->patient = false;
	request->state = NULL;
	request->uid = -1;
	request->steps = 0;
	request->next = NULL;
	request->reply_to = reply_to;
	request->done = done;
	request->userdata = userdata;
	request->result = 0;
	request->fault.code = 0;
	request->page = NULL;
	request->page_size = 0;
	request->next_cursor = NULL;
	arena_init(&request->arena);
}

void store_request_done(struct store_request *request)
{
	free(request->page);
	request->page = NULL;
	arena_done(&request->arena);
}
