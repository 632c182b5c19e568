/*
 * What a user does who does his worst, against the front, the store or the endpoints: a row of a table each.
 *
 * What his processes get of the machine is the kernel's to share, which no daemon prevents: on a real system
 * each user is in a slice of his own. Here they get what the others leave (SCHED_IDLE), so that who waits
 * does so for what the daemon is at, which works for the attacker as for others. How far an attack gets is
 * counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/harness/daemon.h"
#include "tests/harness/sim.h"

struct wire;

struct attack {
	const char *name;
	int processes;
	void (*run)(struct wire *wire); // until it is killed
	bool on_tasks; // and not on small calls
	/* Of those with a task: the attacker's own server, and his config. */
	const char *const *server; // its settings; NULL: it is everybody's
	bool proxy; // to everybody's
	size_t answer_bytes;
	unsigned connections;
	const char *config;
};
extern const struct attack attacks[];
extern const size_t n_attacks;

/* Once, with everybody's endpoint. */
void attacks_prepare(struct daemon *daemon, struct sim *everybodys);

/* What one of them wants beside processes. */
void attack_open(const struct attack *attack);
void attack_close(void);
/* Any number of times in between. */
pid_t attack_begin(void);
void attack_end(pid_t leader);

/* Bytes, calls or connections, whatever it is after; nothing of what is done by a task. */
int64_t attack_steps(void);
