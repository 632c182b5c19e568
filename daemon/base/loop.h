/*
 * A loop is one thread's event base and its mailbox. Threads share nothing else: whatever one
 * wants of another it posts as a message, and the owner of the loop delivers it there.
 *
 * A message is embedded in what it carries. From the post to the delivery it belongs to the
 * loop; `deliver` runs on the loop's thread and gets it back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

struct message {
	struct message *next; // mailbox::first, or loop::gathered
	struct loop *to; // while it is in the latter
	void (*deliver)(struct message *message);
};

/* Makes a loop that no thread runs yet. `name` (15 characters at most) names its thread. */
int loop_new(const char *name, struct loop **ret_loop);

/* Frees a loop that is not running. Messages that still wait are dropped undelivered: stop
 * what posts to a loop before the loop. Accepts NULL, returns NULL. */
struct loop *loop_free(struct loop *loop);

/* Runs the loop on a thread of its own until loop_stop(). All signals are blocked there. */
int loop_start(struct loop *loop);
/* The same for one that gives way to other threads where processors are scarce. */
int loop_start_behind(struct loop *loop);

/* Runs the loop on the calling thread until loop_stop(). */
int loop_run(struct loop *loop);

/* Any thread, as often as one likes. The loop ends after it delivered what was posted before. */
void loop_stop(struct loop *loop);

/* Waits for the thread that loop_start() made. */
void loop_join(struct loop *loop);

/* Any thread. Never fails, never blocks for longer than a list insertion. */
void loop_post(struct loop *loop, struct message *message);

/* From now on, what the loop's thread posts is handed over when a turn of it ends, or by
 * loop_hand_over(): who gets it is woken once for all of it. Not for a loop whose callbacks take
 * long after they posted. */
void loop_gather(struct loop *loop);

/* On a thread whose loop gathers; elsewhere nothing. */
void loop_hand_over(void);

/* Frees a block from malloc(), on the loop's thread if it is large: giving many pages back takes
 * long. Without a loop, here. */
void loop_free_there(struct loop *loop, void *block, size_t size);

/* Called on the loop's thread after each turn's messages and events, before it sleeps. One hook
 * a loop; set it before the loop runs or on its thread. */
void loop_on_turn(struct loop *loop, void (*hook)(void *userdata), void *userdata);

struct event_base *loop_base(struct loop *loop);

/* Counts a turn of the loop, or a piece of something long that its thread is at. */
void loop_count_turn(struct loop *loop);
/* How many were counted; any thread. */
uint64_t loop_turns(const struct loop *loop);

/* True on the thread that runs the loop. */
bool loop_is_here(const struct loop *loop);
