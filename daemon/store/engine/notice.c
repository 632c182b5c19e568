/* How the store is, and what it tells its owner of that: what keeps it from writing, and how far
 * events go. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/store_internal.h"

int64_t store_free_bytes(const struct store *store)
{
	struct statvfs fs;

	if (statvfs(store->options.state_dir, &fs) < 0)
		return -1;
	return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

int store_damaged_fault(struct store *store, struct fault *fault)
{
	int r = fault_set(fault, ELLU_E_STORAGE_DAMAGED,
			  "The database %s is damaged; nothing is written any more.",
			  store->database_path);

	snprintf(fault->field, sizeof(fault->field), "%s", store->database_path);
	return r;
}

const char *store_trouble_text(enum store_trouble trouble)
{
	switch (trouble) {
	case STORE_BUSY:
		return "The database cannot be written just now (no memory, or another program has "
		       "it); it is tried again.";
	case STORE_FULL:
		return "The disk is full; what waits goes on when there is room.";
	case STORE_DAMAGED:
		return "The database is damaged or was removed, or its disk fails; it is only read from now "
		       "on.";
	default:
		return NULL;
	}
}

static void on_trouble_notice(struct message *message)
{
	struct trouble_notice *notice = (struct trouble_notice *)message;
	struct store *store = container_of(notice, struct store, trouble_notice);
	enum store_trouble trouble;

	/* Before the state is read: a change after this posts again. */
	atomic_store(&notice->posted, false);
	trouble = atomic_load(&store->trouble);
	if (trouble == notice->reported)
		return;
	notice->reported = trouble;
	store->options.trouble(store->options.userdata, trouble);
}

static void tell_trouble(struct store *store)
{
	if (store->options.trouble && !atomic_exchange(&store->trouble_notice.posted, true))
		loop_post(store->options.reply_to, &store->trouble_notice.message);
}

void store_set_trouble(struct store *store, enum store_trouble trouble)
{
	enum store_trouble before = atomic_load(&store->trouble);

	while (before != STORE_DAMAGED && before != trouble)
		if (atomic_compare_exchange_weak(&store->trouble, &before, trouble)) {
			tell_trouble(store);
			return;
		}
}

bool store_is_damaged(const struct store *store)
{
	return atomic_load(&store->trouble) == STORE_DAMAGED;
}

void store_set_damaged(struct store *store, const struct db *db)
{
	if (atomic_exchange(&store->trouble, STORE_DAMAGED) == STORE_DAMAGED)
		return;
	log_about(LOG_ERR, ABOUT(.message = LOG_STORAGE_DAMAGED),
		  "store: %s cannot be trusted any more and is only read from now on: %s",
		  store->database_path, db->trouble_text);
	tell_trouble(store);
}

static void on_event_notice(struct message *message)
{
	struct event_notice *notice = (struct event_notice *)message;
	struct store *store = container_of(notice, struct store, event_notice);

	atomic_store(&notice->posted, false);
	store->options.events_added(store->options.userdata, atomic_load(&notice->number));
}

void store_tell_events(struct store *store, int64_t number)
{
	struct event_notice *notice = &store->event_notice;

	atomic_store(&notice->number, number);
	if (store->options.events_added && !atomic_exchange(&notice->posted, true))
		loop_post(store->options.reply_to, &notice->message);
}

void notices_init(struct store *store)
{
	store->trouble_notice.message.deliver = on_trouble_notice;
	store->event_notice.message.deliver = on_event_notice;
}
