/*
 * The store from inside: its threads and what they share. Only the atomics are touched by more
 * than one thread; `writer` belongs to the writer's loop and each reader to its own.
 */
#pragma once

#include <stdatomic.h>

#include "daemon/base/container_of.h"
#include "daemon/store/engine/request.h"
#include "daemon/store/engine/secrets.h"
#include "daemon/store/engine/statement.h"
#include "daemon/store/engine/stopwatch.h"

struct event;

/* A group closes when it has so many requests, or has held the transaction for so long. */
#define WRITER_BATCH_MAX 512
#define WRITER_BATCH_USEC 20000
/* Several users have turns when they have had some within such a time. */
#define WRITER_SHARED_USEC 100000
/* Recordings wait for company until there are so many of them, or for so long. */
#define WRITER_COMPANY_MAX 64
#define WRITER_COMPANY_USEC 2000
/* Of a user's requests that a reader goes on with by turns. Each holds what it has read so far: others
 * begin when one of them is done. */
#define READER_BEGUN_MAX 8
#define STORE_RETRY_USEC 1000000 // while the store is busy, or the disk full
#define WRITER_COPY_PAUSES 3 // a step of a copy, and so many times as long for others
#define WRITER_IDLE_USEC 500000 // quiet for so long: checkpoint
#define WRITER_WAL_PAGES_MAX 1024 // checkpoint at once beyond these 4 MiB

/* Below this much free disk nothing new is accepted; what runs may use it up. */
#define STORE_FREE_BYTES_MIN INT64_C(67108864)

/* Users by the number of their queue; the first is the daemon's own. */
#define STORE_QUEUES 64
static inline unsigned store_queue_of(const struct store_request *request)
{
	return request->uid < 0 ? 0 : 1 + (unsigned)(request->uid % (STORE_QUEUES - 1));
}

static inline struct store_request *store_request_of(struct message *message)
{
	return container_of(message, struct store_request, message);
}

struct reader;
struct reader *store_reader_of(struct store *store, enum store_lane lane);

/* The right to the state folder: one daemon at a time, on a local disk. Makes the folder when it is
 * missing and locks it (lock.c); the lock goes with the descriptor. */
int lock_state_dir(const char *state_dir, int *ret_fd, struct fault *fault);

struct writer {
	struct store *store;
	struct loop *loop;
	void (*take)(struct message *request); // on its loop; here, since any thread posts to any other
	struct db db;
	struct store_request *put_back; // goes first, in order
	struct writer_queue {
		struct store_request *first; // in the order posted
		struct store_request **tail;
		int64_t used_usec; // of the writer's time
		int64_t last_usec; // by its last request
	} queues[STORE_QUEUES];
	size_t n_queues; // in which something waits
	int64_t used_usec; // of the queue that was served last
	int64_t last_uid; // whose, or for whom, it was; -1: nobody yet
	int64_t shared_usec; // when it was another's than before
	int64_t commit_usec; // how long the last one took
	size_t n_waiting; // in all
	bool urgent; // one of them is a STORE_WRITE
	bool due; // they have waited long enough
	enum store_trouble trouble; // of the last attempt: STORE_FINE, STORE_BUSY or STORE_FULL
	bool retry_due;
	int wal_pages; // since the last complete checkpoint
	int wal_pages_seen; // when the idle timer last looked
	int64_t event_number; // the last one given
	struct secret_changes secrets; // of the transaction that is open
	struct event *company;
	struct event *retry;
	struct event *idle;
	struct event *sweep;
	/* One chunk of what nobody can reach any more; *ret_next_usec says when there is more to
	 * do, -1: never, as it is. */
	int (*sweep_step)(struct db *db, struct secret_changes *secrets, int64_t now,
			  int64_t *ret_next_usec);
	/* Writes, once for them all, what the requests of the open transaction have spent. */
	int (*settle)(struct db *db, struct store_request *batch, int64_t now);
	int64_t sweep_due_usec; // monotonic, while `sweep` is armed
	struct store_request *copying; // STORE_COPY; or NULL
	struct event *copy;
};

int writer_init(struct writer *writer); // `store` is set and `db` open already
void writer_done(struct writer *writer); // its loop has ended: answers what waits, checkpoints
/* Sweeps in `usec`; only the earliest of several wishes counts. */
void writer_sweep_in(struct writer *writer, int64_t usec);

struct reader {
	struct store *store;
	struct loop *loop;
	void (*take)(struct message *request); // as the writer's
	struct db db;
	struct reader_queue {
		struct store_requests {
			struct store_request *first; // in the order posted
			struct store_request **tail;
		} fresh, begun;
		unsigned n_begun; // in their list, or about to be
		bool begun_next;
	} queues[STORE_QUEUES];
	unsigned queue; // whose turn it was last
	size_t n_queued;
	struct event *turn; // active while there is something in a queue
	bool ending; // its loop has ended
	struct store_request *first; // patient ones that met trouble, in the order posted
	struct store_request **tail;
	struct event *retry;
};

int reader_init(struct reader *reader, struct store *store, const char *name, int cache_kib);
void reader_done(struct reader *reader);

/* Tells the owner of the store what is the matter with it; the newest state wins. */
struct trouble_notice {
	struct message message;
	atomic_bool posted;
	enum store_trouble reported; // on the owner's thread
};

/* Tells the owner of the store how far events go. */
struct event_notice {
	struct message message;
	atomic_bool posted;
	atomic_int_fast64_t number; // committed
};

struct store {
	struct store_options options; // strings are the store's own
	char *database_path;
	int lock_fd;
	struct secrets secrets;
	int64_t instance; // a number that no earlier run on this state folder had; part of every claim
	struct writer writer;
	struct reader readers[3]; // points and pages; long scans; what takes minutes
	struct trouble_notice trouble_notice;
	struct event_notice event_notice;
	_Atomic enum store_trouble trouble;
	atomic_bool hurried;
	atomic_bool leaving; // what takes minutes is left off
	atomic_bool backing_up;
	atomic_int_fast64_t cache_bytes; // that answers of a user may take which are given again
	atomic_int_fast64_t commits;
	atomic_int_fast64_t operations;
	struct stopwatch stopwatch; // of the writer
};

/* What a start mends (recover.c): tasks that no daemon runs any more, unfinished uploads, orphaned
 * secrets. On the writer's connection, before the threads run. Takes the next instance number. */
int recover(struct store *store, struct db *db);

void notices_init(struct store *store);
int store_damaged_fault(struct store *store, struct fault *fault);
/* From the connection's thread that saw it: nothing is written any more. */
void store_set_damaged(struct store *store, const struct db *db);
/* From the writer's thread: how its last attempt went. Damage stays. */
void store_set_trouble(struct store *store, enum store_trouble trouble);
bool store_is_damaged(const struct store *store);
/* After the commit, and the answers to those who added them. */
void store_tell_events(struct store *store, int64_t number);
int64_t store_free_bytes(const struct store *store); // -1 when it cannot be had
