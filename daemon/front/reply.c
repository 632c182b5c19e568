#include "daemon/front/reply.h"

#include <stdlib.h>

#include "daemon/base/loop.h"

struct kept_reply {
	struct kept_reply *next;
	const struct record_type *type;
	bool continues;
	struct reply *reply;
};

struct reply *reply_new(char *text, size_t size, struct loop *behind)
{
	struct reply *reply = calloc(1, sizeof(*reply));

	if (!reply) {
		free(text);
		return NULL;
	}
	*reply = (struct reply){ .references = 1, .text = text, .size = size, .behind = behind };
	return reply;
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
	loop_free_there(reply->behind, reply->text, reply->size);
	free(reply);
	return NULL;
}

struct reply *replies_find(const struct share *share, const struct record_type *type,
			   bool continues)
{
	for (const struct kept_reply *kept = share->data; kept; kept = kept->next)
		if (kept->type == type && kept->continues == continues)
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

void replies_keep(struct share *share, const struct record_type *type, bool continues,
		  struct reply *reply)
{
	struct kept_reply *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return;
	kept->next = share->data;
	kept->type = type;
	kept->continues = continues;
	kept->reply = reply_ref(reply);
	share->data = kept;
	share->done = drop_all;
}
