#include "daemon/front/user.h"

#include <stdlib.h>

struct front_user *front_user_join(struct front_users *users, int64_t uid)
{
	struct front_user *user = users->first;

	while (user && user->uid != uid)
		user = user->next;
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return NULL;
		user->uid = uid;
		user->next = users->first;
		users->first = user;
	}
	user->n_connections++;
	return user;
}

/* Users stay: there are few, and what the store knows need not be asked again. */
void front_user_leave(struct front_user *user)
{
	user->n_connections--;
}

void front_users_done(struct front_users *users)
{
	while (users->first) {
		struct front_user *user = users->first;

		users->first = user->next;
		free(user);
	}
}
