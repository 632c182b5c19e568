/*
 * Batches that providers have of tasks that are over: nobody collects them, so they are cancelled there, one
 * after the other. What a provider does not answer is tried again. On the loop that it is given.
 */
#pragma once

struct backend;
struct leftovers;
struct loop;
struct store;

struct leftovers_options {
	struct loop *loop;
	struct store *store;
	struct backend *backend;
	void (*count)(void *userdata, int change); // of what is outstanding; never while it is made
	void *userdata;
};

int leftovers_new(const struct leftovers_options *options, struct leftovers **ret_leftovers); // -ENOMEM
/* Nothing is outstanding. NULL is fine. */
struct leftovers *leftovers_free(struct leftovers *leftovers);
/* Some may have been left. */
void leftovers_sweep(struct leftovers *leftovers);
/* What is outstanding ends soon, and nothing else begins. */
void leftovers_stop(struct leftovers *leftovers);
