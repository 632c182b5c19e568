/* What names are resolved in. */
#pragma once

#include "daemon/store/engine/method.h"
#include "daemon/store/engine/tx.h"

#define PROJECT_DEFAULT "default"

/* Whose resources a request works on: the project, and the user it belongs to. */
struct place {
	int64_t owner_uid;
	int64_t project_id;
	bool administers; // as the scope says, which it was resolved by
};

int place_resolve(struct tx *tx, const struct scope *scope, struct place *ret_place);

/* For lists: an administrator who names no project sees everybody's, -1. */
int place_filter(struct tx *tx, const struct scope *scope, int64_t *ret_project_id);
