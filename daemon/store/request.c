#include "daemon/store/store.h"

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata)
{
	request->store = NULL;
	request->run = NULL;
	request->again = false;
	request->patient = false;
	request->next = NULL;
	request->reply_to = reply_to;
	request->done = done;
	request->userdata = userdata;
	request->result = 0;
	request->fault.code = 0;
	arena_init(&request->arena);
}

void store_request_done(struct store_request *request)
{
	arena_done(&request->arena);
}
