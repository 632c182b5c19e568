/*
 * Keys: one file each in a folder of mode 0700, under a random name. A value is written and
 * synced before the row that names it commits, and removed after the row is gone; what is left
 * over by a crash is swept at start. Values never enter the database, logs or faults.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "proto/arena.h"
#include "proto/fault/fault.h"
#include "proto/limits.h"

#define SECRET_NAME_SIZE 33 // 32 hexadecimal digits and the NUL
#define SECRET_SIZE_MAX 65536 // of a file that a reference names
#define SECRET_OWN_SIZE_MAX (8 * CONFIG_BYTES_MAX) // of a file of ours: JSON of a config's texts

#define SECRETS_SALT_SIZE 33

struct secrets {
	int folder_fd;
	char salt[SECRETS_SALT_SIZE]; // random, of this folder alone; it lies in it
};

struct secret_change {
	char name[SECRET_NAME_SIZE];
	bool created; // else: to be removed
};

/* What a transaction did, to be finished when it commits or undone when it rolls back. */
struct secret_changes {
	struct secret_change *items;
	size_t n;
	size_t capacity;
};

int secrets_open(const char *state_dir, struct secrets *secrets);
void secrets_close(struct secrets *secrets);

int secrets_store(struct secrets *secrets, struct secret_changes *changes, const char *value,
		  char ret_name[static SECRET_NAME_SIZE]);
int secrets_forget(struct secret_changes *changes, const char *name);
/* -ENOENT, or -ENODATA when it is empty. */
int secrets_read(const struct secrets *secrets, const char *name, struct arena *arena,
		 const char **ret_value);

/* Undoes what came after the first `keep` changes, or carries all of them out. */
void secrets_rollback(struct secrets *secrets, struct secret_changes *changes, size_t keep);
void secrets_commit(struct secrets *secrets, struct secret_changes *changes);

/* Removes every file that `is_used` (1, 0 or a negative errno) does not know. */
int secrets_sweep(struct secrets *secrets, int (*is_used)(void *userdata, const char *name),
		  void *userdata);

/* The value behind `env:NAME`, `file:/PATH` or `credential:NAME`. A fault names the reference,
 * never the value; its field is `field`. */
int secret_resolve(const char *reference, const char *field, struct arena *arena,
		   const char **ret_value, struct fault *fault);
