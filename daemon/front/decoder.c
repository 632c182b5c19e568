#include "daemon/front/decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "proto/generated/interface.h"
#include "proto/method.h"
#include "proto/record.h"

struct decoder {
	struct loop *loop;
	struct loop *reply_to;
};

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

void decoded_done(struct decoded *decoded)
{
	wire_call_done(&decoded->wire);
	arena_done(&decoded->arena);
}

static void on_decoded(struct message *message)
{
	struct decoding *decoding = (struct decoding *)message;

	decoding->done(decoding);
}

static void on_decode(struct message *message)
{
	struct decoding *decoding = (struct decoding *)message;
	int64_t began = clock_thread_usec();

	decode_call(decoding->text, decoding->size, &decoding->decoded);
	decoding->took_usec = clock_thread_usec() - began;
	decoding->message.deliver = on_decoded;
	loop_post(decoding->decoder->reply_to, &decoding->message);
}

void decoder_post(struct decoder *decoder, struct decoding *decoding)
{
	decoding->decoder = decoder;
	decoding->message.deliver = on_decode;
	loop_post(decoder->loop, &decoding->message);
}

int decoder_new(struct loop *reply_to, struct decoder **ret_decoder)
{
	struct decoder *decoder = calloc(1, sizeof(*decoder));
	int r = decoder ? loop_new("decoder", &decoder->loop) : -ENOMEM;

	if (r == 0) {
		decoder->reply_to = reply_to;
		r = loop_start_behind(decoder->loop);
	}
	if (r < 0) {
		decoder_free(decoder);
		return r;
	}
	*ret_decoder = decoder;
	return 0;
}

struct decoder *decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return NULL;
	if (decoder->loop) {
		loop_stop(decoder->loop);
		loop_join(decoder->loop);
	}
	loop_free(decoder->loop);
	free(decoder);
	return NULL;
}

struct loop *decoder_loop(struct decoder *decoder)
{
	return decoder->loop;
}
