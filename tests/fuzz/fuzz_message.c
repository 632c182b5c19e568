/*
 * Framing and decoding, as either side does it: the bytes run through a frame buffer in slices,
 * and each message as a call with its parameters, as a reply, as an error, and back into text.
 * The first byte chooses the size of the slices.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/wire/frame.h"
#include "proto/wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

/* What was decoded can be encoded, and read back from there. */
static void round_trip(const struct record_type *type, const void *record)
{
	struct arena arena = { 0 };
	struct fault fault;
	char *text;
	size_t size;
	void *again;

	require(record_to_text(type, record, TO_DAEMON, &text, &size) == 0);
	require(record_from_text(type, text, size, FROM_CLIENT, &arena, &again, &fault) == 0);
	free(text);
	arena_done(&arena);
}

static void try_record(const struct record_type *type, json_object *json,
		       enum record_source source)
{
	struct arena arena = { 0 };
	struct fault fault = { 0 };
	void *record;
	int r = record_decode(type, json, source, "", &arena, &record, &fault);

	require(r == 0 || (r == fault.code && fault.message[0]));
	if (r == 0 && source == FROM_CLIENT)
		round_trip(type, record);
	arena_done(&arena);
}

static void try_call(const char *message, size_t size)
{
	struct wire_call call;
	struct fault fault = { 0 };

	if (wire_call_decode(message, size, &call, &fault) < 0) {
		require(fault.code == ELLU_E_INVALID_MESSAGE);
		return;
	}
	const struct method *method = method_find(call.method);

	if (method)
		try_record(method->request, call.parameters, FROM_CLIENT);
	wire_call_done(&call);
}

static void try_reply(const char *message, size_t size)
{
	struct wire_reply reply;
	struct fault fault = { 0 }, error;
	char *text;

	if (wire_reply_decode(message, size, &reply, &fault) < 0)
		return;
	for (size_t i = 0; i < n_methods_by_name; i++)
		try_record(methods_by_name[i]->reply, reply.parameters, FROM_DAEMON);
	if (reply.error) {
		fault_from_parameters(reply.error, reply.parameters, &error);
		require(wire_error_encode(&error, &text, &size) == 0);
		free(text);
	}
	wire_reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_buffer buffer;
	size_t slice = size > 0 ? data[0] + 1u : 1;
	char *room, *message;
	size_t room_size, message_size;
	int r = 0;

	frame_init(&buffer);
	for (size_t i = 1; i < size && r >= 0; i += slice) {
		size_t n = size - i < slice ? size - i : slice;

		require(frame_reserve(&buffer, slice, &room, &room_size) == 0);
		memcpy(room, data + i, n);
		frame_commit(&buffer, n);
		while ((r = frame_next(&buffer, &message, &message_size)) > 0) {
			try_call(message, message_size);
			try_reply(message, message_size);
		}
	}
	frame_done(&buffer);
	return 0;
}
