#include "daemon/front/reply.h"

#include <stdlib.h>

#include "daemon/base/loop.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

/* What a reply is thought to take; a page never takes more than it may. */
#define REPLY_BYTES 4096

struct kept_reply {
	struct kept_reply *next;
	const struct record_type *type;
	enum reply_form form;
	bool continues;
	struct reply *reply;
};

bool reply_expect(struct user_charge *expected, struct user *user, const struct method *method,
		  enum reply_stage stage, struct user_waiter *waiter)
{
	bool is_page = method && method->replies == METHOD_REPLIES_PAGES;
	bool is_event = method && method->replies == METHOD_REPLIES_EVENTS;
	int quarters = is_page && stage == REPLY_BEGINS ? USER_OUTPUT_OF_LISTS :
		       is_event && stage == REPLY_LAGS	? USER_OUTPUT_OF_EVENTS :
							  USER_OUTPUT_WHOLE;

	if (expected->amount)
		return true;
	if (!user_take_part(expected, user, USER_OUTPUT, is_page ? PAGE_BYTES_MAX : REPLY_BYTES,
			    quarters)) {
		user_wait_for_slot(user, USER_OUTPUT, waiter);
		return false;
	}
	return true;
}

struct ellu_get_info_reply service_info(const char *names[static SERVICE_INTERFACES_MAX])
{
	struct ellu_get_info_reply reply = ELLU_RECORD(struct ellu_get_info_reply);

	for (size_t i = 0; i < n_interfaces; i++)
		names[reply.n_interfaces++] = interfaces[i]->name;
	reply.vendor = "elluminate";
	reply.product = "elluminated";
	reply.version = ELLU_VERSION;
	reply.url = "https://github.com/elluminate/elluminated";
	reply.interfaces = names;
	return reply;
}

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
			   enum reply_form form, bool continues)
{
	for (const struct kept_reply *kept = share->data; kept; kept = kept->next)
		if (kept->type == type && kept->form == form && kept->continues == continues)
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

void replies_keep(struct share *share, const struct record_type *type, enum reply_form form,
		  bool continues, struct reply *reply)
{
	struct kept_reply *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return;
	kept->next = share->data;
	kept->type = type;
	kept->form = form;
	kept->continues = continues;
	kept->reply = reply_ref(reply);
	share->data = kept;
	share->done = drop_all;
}
