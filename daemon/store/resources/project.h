/* Projects, and what names are resolved in. */
#pragma once

#include "daemon/store/engine/tx.h"
#include "daemon/store/store.h"

#define PROJECT_DEFAULT "default"

/* Whose resources a request works on: the project, and the user it belongs to. */
struct place {
	int64_t owner_uid;
	int64_t project_id;
};

int place_resolve(struct tx *tx, const struct scope *scope, struct place *ret_place);

/* For lists: an administrator who names no project sees everybody's, -1. */
int place_filter(struct tx *tx, const struct scope *scope, int64_t *ret_project_id);

enum resource {
	RESOURCE_COLLECTION,
	RESOURCE_CRITERION_SET,
	RESOURCE_EXPERIMENT,
	RESOURCE_LLM_CONFIG,
	_RESOURCE_MAX,
};

const char *resource_name(enum resource resource);

/* The id behind a reference that the scope may see; NotFound. Names are the project's. */
int resource_resolve(struct tx *tx, enum resource resource, const struct scope *scope,
		     const struct ellu_ref *ref, int64_t *ret_id);
/* By name in a project: 1, or 0. */
int resource_find(struct tx *tx, enum resource resource, int64_t project_id, const char *name,
		  int64_t *ret_id);
