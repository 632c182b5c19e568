#include "daemon/api/reply.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/base/loop.h"
#include "proto/message.h"

struct kept_reply {
	struct kept_reply *next;
	const struct call_front *front;
	const struct record_type *type;
	bool continues;
	struct reply *reply;
};

static struct reply *make(json_object *parameters, char *text, size_t size)
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (!reply) {
		json_object_put(parameters);
		free(text);
		return NULL;
	}
	*reply = (struct reply){
		.references = 1,
		.parameters = parameters,
		.text = text,
		.size = size,
	};
	return reply;
}

struct reply *reply_new(json_object *parameters)
{
	return make(parameters, NULL, 0);
}

struct reply *reply_new_text(char *text, size_t size)
{
	return make(NULL, text, size);
}

struct reply *reply_new_open(char *text, size_t size, struct loop *behind)
{
	struct reply *reply = make(NULL, text, size);

	if (reply) {
		reply->open = true;
		reply->behind = behind;
	}
	return reply;
}

void reply_close(struct reply *reply, bool continues)
{
	if (reply->open)
		reply->size = wire_reply_close(reply->text, reply->size, continues);
	reply->open = false;
}

json_object *reply_parameters(const struct reply *reply)
{
	size_t head = strlen(WIRE_REPLY_HEAD);
	json_object *parameters;
	char *text;

	if (!reply->open)
		return json_object_get(reply->parameters);
	text = strndup(reply->text + head, reply->size - head);
	if (!text)
		return NULL;
	parameters = json_raw(text);
	free(text);
	return parameters;
}

void reply_set_text(struct reply *reply, char *text, size_t size)
{
	reply->text = text;
	reply->size = size;
	json_object_put(reply->parameters);
	reply->parameters = NULL;
}

struct reply *reply_ref(struct reply *reply)
{
	reply->references++;
	return reply;
}

struct reply *reply_unref(struct reply *reply)
{
	if (!reply || --reply->references)
		return NULL;
	json_object_put(reply->parameters);
	loop_free_there(reply->behind, reply->text, reply->size);
	free(reply);
	return NULL;
}

struct reply *replies_find(const struct share *share, const struct call_front *front,
			   const struct record_type *type, bool continues)
{
	for (const struct kept_reply *kept = share->data; kept; kept = kept->next)
		if (kept->front == front && kept->type == type && kept->continues == continues)
			return kept->reply;
	return NULL;
}

static void drop_all(void *data)
{
	struct kept_reply *kept = data;

	while (kept) {
		struct kept_reply *next = kept->next;

		reply_unref(kept->reply);
		free(kept);
		kept = next;
	}
}

void replies_keep(struct share *share, const struct call_front *front,
		  const struct record_type *type, bool continues, struct reply *reply)
{
	struct kept_reply *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return;
	kept->next = share->data;
	kept->front = front;
	kept->type = type;
	kept->continues = continues;
	kept->reply = reply_ref(reply);
	share->data = kept;
	share->done = drop_all;
}
