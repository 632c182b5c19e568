#include "daemon/front/decoder.h"

#include <string.h>

#include "daemon/api/call.h"
#include "daemon/base/clock.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"

void decode_call(const char *text, size_t size, struct decoded *ret_decoded)
{
	struct decoded *decoded = ret_decoded;

	memset(decoded, 0, sizeof(*decoded));
	arena_init(&decoded->arena);
	if (wire_call_decode(text, size, &decoded->wire, &decoded->fault) < 0) {
		decoded->is_broken = true;
		return;
	}
	decoded->flags = decoded->wire.flags;
	decoded->method = method_find(decoded->wire.method);
	if (!decoded->method)
		return;
	(void)record_decode(decoded->method->request, decoded->wire.parameters, FROM_CLIENT, "",
			    &decoded->arena, &decoded->request, &decoded->fault);
	/* A value of JSON takes many times the bytes of its text: no longer than it must. */
	wire_call_done(&decoded->wire);
}

void decode_large_call(const char *text, size_t size, struct decoded *ret_decoded)
{
	decode_call(text, size, ret_decoded);
	if (ret_decoded->request && !ret_decoded->fault.code &&
	    ret_decoded->method->interface != &service_interface)
		ret_decoded->digest = store_method_digest(ret_decoded->method, ret_decoded->request,
							  &ret_decoded->arena);
}

void decoded_done(struct decoded *decoded)
{
	wire_call_done(&decoded->wire);
	arena_done(&decoded->arena);
}

static void on_decoded(struct message *message)
{
	struct decoding *decoding = (struct decoding *)message;

	decoding->service->n_under_way--;
	decoding->done(decoding);
}

static void on_decode(struct message *message)
{
	struct decoding *decoding = (struct decoding *)message;
	int64_t began = clock_thread_usec();

	decoding->decode(decoding);
	decoding->took_usec = clock_thread_usec() - began;
	decoding->message.deliver = on_decoded;
	loop_post(decoding->service->loop, &decoding->message);
}

void decoder_post(struct service *service, struct decoding *decoding)
{
	service->n_under_way++;
	decoding->service = service;
	decoding->message.deliver = on_decode;
	loop_post(service->behind, &decoding->message);
}
