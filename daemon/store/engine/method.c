#include "daemon/store/engine/method.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/engine/tx.h"
#include "proto/limits.h"
#include "proto/wire/message.h"

void *method_reply(struct tx *tx, struct method_run *op)
{
	void *reply = tx_record(tx, op->method->reply->size);

	op->ret_reply = reply;
	return reply;
}

/* Up to its tail, which the front writes. */
static int write_text(struct tx *tx, struct store_request *request, json_object *json)
{
	size_t head = strlen(WIRE_REPLY_HEAD), size;
	const char *text = json_text(json, &size);

	if (!text)
		return -ENOMEM;
	if (head + size + WIRE_REPLY_TAIL_MAX > MESSAGE_SIZE_MAX)
		return fault_too_large(tx->fault, MESSAGE_SIZE_MAX, "the reply");
	request->text = malloc(head + size + WIRE_REPLY_TAIL_MAX);
	if (!request->text)
		return -ENOMEM;
	memcpy(request->text, WIRE_REPLY_HEAD, head);
	memcpy(request->text + head, text, size);
	request->text_size = head + size;
	return 0;
}

int method_encode(struct tx *tx, struct method_run *op)
{
	json_object *json = NULL;
	int r;

	if (tx->oom)
		return -ENOMEM;
	if (op->request.text)
		return 0;
	r = record_encode(op->method->reply, op->ret_reply, TO_CLIENT, &json);
	if (r >= 0)
		r = write_text(tx, &op->request, json);
	json_object_put(json);
	return r;
}
