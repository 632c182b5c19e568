#include "daemon/queue/rejections.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct rejected_user {
	struct rejected_user *next; // rejections::users
	int64_t uid;
	int64_t at[REJECTIONS_MAX]; // a ring of the last ones
	unsigned first;
	unsigned n;
};

struct rejections {
	struct rejected_user *users;
};

int rejections_new(struct rejections **ret_rejections)
{
	*ret_rejections = calloc(1, sizeof(**ret_rejections));
	return *ret_rejections ? 0 : -ENOMEM;
}

struct rejections *rejections_free(struct rejections *rejections)
{
	struct rejected_user *user;

	if (!rejections)
		return NULL;
	while ((user = rejections->users)) {
		rejections->users = user->next;
		free(user);
	}
	free(rejections);
	return NULL;
}

/* Forgets what is older than the window, and users of whom nothing else is known. */
static void forget_old(struct rejections *rejections, int64_t now_usec)
{
	struct rejected_user **link = &rejections->users;

	while (*link) {
		struct rejected_user *user = *link;

		while (user->n && user->at[user->first] <= now_usec - REJECTIONS_USEC) {
			user->first = (user->first + 1) % REJECTIONS_MAX;
			user->n--;
		}
		if (user->n) {
			link = &user->next;
			continue;
		}
		*link = user->next;
		free(user);
	}
}

static struct rejected_user *find_user(const struct rejections *rejections, int64_t uid)
{
	for (struct rejected_user *user = rejections->users; user; user = user->next)
		if (user->uid == uid)
			return user;
	return NULL;
}

void rejections_add(struct rejections *rejections, int64_t uid, int64_t now_usec)
{
	struct rejected_user *user;

	forget_old(rejections, now_usec);
	user = find_user(rejections, uid);
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return;
		user->uid = uid;
		user->next = rejections->users;
		rejections->users = user;
	}
	/* Submissions that were under way together may exceed the number: the oldest goes. */
	if (user->n == REJECTIONS_MAX) {
		user->first = (user->first + 1) % REJECTIONS_MAX;
		user->n--;
	}
	user->at[(user->first + user->n++) % REJECTIONS_MAX] = now_usec;
}

int64_t rejections_wait_usec(struct rejections *rejections, int64_t uid, int64_t now_usec)
{
	const struct rejected_user *user;

	forget_old(rejections, now_usec);
	user = find_user(rejections, uid);
	if (!user || user->n < REJECTIONS_MAX)
		return 0;
	return user->at[user->first] + REJECTIONS_USEC - now_usec;
}
