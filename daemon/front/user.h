/* The Unix users with connections: how many each has, and whether the store knows the user. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct front;

struct front_user {
	struct front_user *next; // front_users::first
	int64_t uid;
	int64_t n_connections;
	bool known; // the store has the user's project
	bool asking; // user_ensure is with the store
};

struct front_users {
	struct front_user *first;
};

/* Finds or makes the user and counts a connection. NULL without memory. */
struct front_user *front_user_join(struct front_users *users, int64_t uid);
void front_user_leave(struct front_user *user);
void front_users_done(struct front_users *users);
