/*
 * Users have turns by the time that the writer spends on them: what waits is taken from whoever
 * has had least of it, and what the daemon itself has to write counts as a few users'. So many
 * uploads of one user hold up nobody's answers.
 *
 * Group commit. What waits when the loop has a turn to itself runs in one transaction and is
 * answered after its COMMIT. A write runs in a savepoint, so that its failure does not sink its
 * neighbours; one that is alone needs none, since the transaction is rolled back for it, and neither
 * does a recording: its first statement changes nothing when it fails, and the ones after it fail only
 * together with the connection.
 *
 * While the disk is full or the database busy, patient requests stay queued and are tried again
 * every second; everything else is refused. Once the file is damaged, nothing is written any more.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/operation_check.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/engine/tx.h"

/* What runs goes on before more of it is taken: the daemon's own has so many users' time. */
#define OWN_SHARE 4

static void arm(struct event *timer, int64_t usec)
{
	struct timeval in = { .tv_sec = usec / USEC_PER_SEC, .tv_usec = usec % USEC_PER_SEC };

	(void)event_add(timer, &in);
}

static struct writer_queue *queue_of(struct writer *writer, const struct store_request *request)
{
	return &writer->queues[store_queue_of(request)];
}

/* Of those in which something waits; there is one. */
static struct writer_queue *next_queue(struct writer *writer)
{
	struct writer_queue *best = NULL, *queue = writer->queues;

	for (size_t left = writer->n_queues; left > 0; queue++) {
		if (!queue->first)
			continue;
		if (!best || queue->used_usec < best->used_usec)
			best = queue;
		left--;
	}
	return best;
}

/* The next one; there is one. */
static struct store_request *pop(struct writer *writer)
{
	struct store_request *request = writer->put_back;
	struct writer_queue *queue;

	writer->n_waiting--;
	if (request) {
		writer->put_back = request->next;
	} else {
		queue = next_queue(writer);
		writer->used_usec = queue->used_usec;
		request = queue->first;
		queue->first = request->next;
		if (!queue->first) {
			queue->tail = &queue->first;
			writer->n_queues--;
		}
	}
	request->next = NULL;
	return request;
}

/* Who had nothing waiting has saved up nothing. */
static void take_request(struct writer *writer, struct store_request *request)
{
	struct writer_queue *queue = queue_of(writer, request);

	if (!queue->first && queue->used_usec < writer->used_usec)
		queue->used_usec = writer->used_usec;
	writer->n_queues += !queue->first;
	request->next = NULL;
	*queue->tail = request;
	queue->tail = &request->next;
	writer->n_waiting++;
	writer->urgent = writer->urgent || request->lane == STORE_WRITE;
}

/* What has only to be read on goes to a reader, who may be gone when the daemon ends. */
static bool goes_to_reader(struct writer *writer, struct store_request *request)
{
	if (request->result < 0 || request->lane == STORE_WRITE || request->lane == STORE_RECORD)
		return false;
	if (!atomic_load(&writer->store->leaving))
		return true;
	request->result = fault_set(&request->fault, ELLU_E_SHUTTING_DOWN, NULL);
	return false;
}

/* What goes on in another transaction waits behind the others. */
static void reply_all(struct writer *writer, struct store_request *batch)
{
	struct store *store = writer->store;
	int64_t last_event = 0;

	while (batch) {
		/* Its owner may free it from now on. */
		struct store_request *next = batch->next;

		if (batch->last_event)
			last_event = batch->last_event;
		if (batch->result == 0 && batch->again)
			take_request(writer, batch);
		else if (goes_to_reader(writer, batch))
			tx_post(store, batch, batch->lane, batch->run, batch->name);
		else
			tx_reply(batch);
		batch = next;
	}
	if (last_event)
		store_tell_events(store, last_event);
	loop_hand_over(); // a checkpoint may follow
}

static void refuse(struct writer *writer, struct store_request *request)
{
	struct fault *fault = &request->fault;

	if (store_is_damaged(writer->store))
		request->result = store_damaged_fault(writer->store, fault);
	else if (writer->trouble == STORE_BUSY)
		request->result = fault_set(fault, ELLU_E_INTERNAL, "%s",
					    store_trouble_text(STORE_BUSY));
	else
		request->result = fault_set(fault, ELLU_E_STORAGE_FULL, NULL);
	tx_reply(request);
}

/* A batch that came to nothing: patient requests go back, before all others and in order, unless
 * there is nothing to wait for. */
static void batch_failed(struct writer *writer, struct store_request *batch)
{
	bool keep_patient = !store_is_damaged(writer->store) &&
			    !atomic_load(&writer->store->hurried);
	struct store_request *kept = NULL, **tail = &kept;

	while (batch) {
		struct store_request *request = batch;

		batch = batch->next;
		if (keep_patient && request->patient) {
			*tail = request;
			tail = &request->next;
			writer->n_waiting++;
		} else {
			refuse(writer, request);
		}
	}
	*tail = writer->put_back;
	writer->put_back = kept;
}

static void roll_back(struct writer *writer)
{
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(writer->db.handle))
		(void)db_script(&writer->db, "ROLLBACK");
	secrets_rollback(&writer->store->secrets, &writer->secrets, 0);
}

static void set_trouble(struct writer *writer, enum store_trouble trouble)
{
	if (trouble != STORE_FINE)
		arm(writer->retry, STORE_RETRY_USEC);
	if (writer->trouble == trouble)
		return;
	writer->trouble = trouble;
	store_set_trouble(writer->store, trouble);
	if (trouble == STORE_FULL)
		log_warning("store: the disk is full; what runs waits, nothing new is accepted");
	else if (trouble == STORE_BUSY)
		log_warning("store: the database cannot be written for now: %s",
			    writer->db.trouble_text);
	else
		log_notice("store: the database is written again");
}

/* After an error of the connection itself. */
static void batch_aborted(struct writer *writer, struct store_request *batch)
{
	enum db_trouble trouble = writer->db.trouble;

	roll_back(writer);
	if (trouble == DB_FULL || trouble == DB_BUSY) {
		set_trouble(writer, trouble == DB_FULL ? STORE_FULL : STORE_BUSY);
		batch_failed(writer, batch);
	} else if (trouble == DB_DAMAGED) {
		store_set_damaged(writer->store, &writer->db);
		batch_failed(writer, batch);
	} else {
		for (struct store_request *request = batch; request; request = request->next)
			tx_result(request, &writer->db, -EIO);
		reply_all(writer, batch);
	}
	db_forgive(&writer->db);
}

/* Runs one request inside the open transaction, which is over when it fails `alone`. Negative only
 * when that is lost. */
static int run_one(struct writer *writer, struct store_request *request, int64_t now, bool alone)
{
	struct db *db = &writer->db;
	bool guarded = request->lane == STORE_WRITE;
	size_t secrets = writer->secrets.n;
	int r;

	if (guarded && !alone && db_run(db, "SAVEPOINT operation", "") < 0)
		return -EIO;
	r = tx_run(writer->store, db, now, request, alone);
	/* What has no savepoint may be done in half. */
	if (r == -ENOMEM && request->patient && db->trouble < DB_BUSY)
		(void)db_failed(db, SQLITE_NOMEM);
	if (db->trouble >= DB_FULL || (db->trouble == DB_BUSY && request->patient) ||
	    sqlite3_get_autocommit(db->handle))
		return -EIO;
	tx_result(request, db, r);
	db_forgive(db);
	if (r < 0) {
		secrets_rollback(&writer->store->secrets, &writer->secrets, secrets);
		if (guarded && db_run(db, alone ? "ROLLBACK" : "ROLLBACK TO operation", "") < 0)
			return -EIO;
	}
	if (guarded && !alone && db_run(db, "RELEASE operation", "") < 0)
		return -EIO;
	return 0;
}

static int commit(struct writer *writer)
{
	int64_t begun = clock_monotonic_usec();
	int r = db_check_place(&writer->db);

	if (r >= 0)
		r = db_run(&writer->db, "COMMIT", "");
	stopwatch_commit(&writer->store->stopwatch, begun);
	writer->commit_usec = clock_monotonic_usec() - begun;
	if (r < 0)
		return r;
	secrets_commit(&writer->store->secrets, &writer->secrets);
	atomic_fetch_add_explicit(&writer->store->commits, 1, memory_order_relaxed);
	return 0;
}

/* The writer has had turns of several users lately; what the daemon writes for one counts as his. */
static bool is_shared(struct writer *writer, const struct store_request *request, int64_t now)
{
	int64_t uid = request->uid >= 0 ? request->uid : request->for_uid;

	if (uid >= 0 && uid != writer->last_uid) {
		if (writer->last_uid >= 0)
			writer->shared_usec = now;
		writer->last_uid = uid;
	}
	return now - writer->shared_usec < WRITER_SHARED_USEC;
}

/* Whether what is next goes into the batch of `n`, which has been open for so long and is of one queue
 * only, or of several (NULL). Where several users have turns, what takes long beside a commit is no
 * company for what others have there, and who comes next waits no longer for a batch than for its
 * commit, or for as many recordings as wait for company. */
static bool goes_on(struct writer *writer, size_t n, const struct writer_queue *only, bool shared,
		    int64_t open_usec)
{
	const struct writer_queue *next = writer->put_back ? NULL : next_queue(writer);

	if (!shared)
		return open_usec <= WRITER_BATCH_USEC;
	if (next && next != only && next->last_usec > writer->commit_usec / 2)
		return false;
	if (only == &writer->queues[0] && n < WRITER_COMPANY_MAX)
		return open_usec <= WRITER_BATCH_USEC;
	return open_usec <= writer->commit_usec / 2;
}

static void run_batch(struct writer *writer)
{
	struct store_request *batch = NULL, **tail = &batch;
	const struct writer_queue *only = NULL;
	struct stopwatch *watch = &writer->store->stopwatch;
	int64_t started = clock_monotonic_usec(), now = clock_wall_usec(), before, after = started;
	bool alone = writer->n_waiting == 1, shared = false;
	size_t n = 0;
	int r;

	r = db_run(&writer->db, "BEGIN IMMEDIATE", "");
	while (r >= 0 && writer->n_waiting > 0 && n < WRITER_BATCH_MAX &&
	       (n == 0 || goes_on(writer, n, only, shared, after - started))) {
		struct store_request *request = pop(writer);
		struct writer_queue *queue = queue_of(writer, request);

		*tail = request;
		tail = &request->next;
		only = n++ == 0 || only == queue ? queue : NULL;
		shared = is_shared(writer, request, after);
		before = after;
		r = run_one(writer, request, now, alone);
		after = stopwatch_operation(watch, request->name, before);
		queue->last_usec = after - before;
		queue->used_usec += queue->last_usec / (queue == &writer->queues[0] ? OWN_SHARE : 1);
	}
	if (r >= 0 && !sqlite3_get_autocommit(writer->db.handle)) {
		r = writer->settle(&writer->db, batch, now);
		r = r < 0 ? r : commit(writer);
	}
	if (r < 0) {
		/* BEGIN has popped nothing: take one, so that trouble without end is refused. */
		if (!batch && writer->n_waiting > 0)
			batch = pop(writer);
		batch_aborted(writer, batch);
		return;
	}
	if (batch)
		set_trouble(writer, STORE_FINE);
	reply_all(writer, batch);
}

static void checkpoint(struct writer *writer)
{
	int64_t begun = clock_monotonic_usec();
	int pages = 0, moved = 0;
	int code = sqlite3_wal_checkpoint_v2(writer->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
					     &pages, &moved);

	stopwatch_commit(&writer->store->stopwatch, begun);
	if (code == SQLITE_OK && pages == moved)
		writer->wal_pages = 0;
	if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY)
		return;
	/* Without room the log keeps what it has; a failed sync leaves nothing to trust. */
	(void)db_failed(&writer->db, code);
	if (writer->db.trouble == DB_DAMAGED)
		store_set_damaged(writer->store, &writer->db);
	db_forgive(&writer->db);
}

static int on_wal(void *userdata, sqlite3 *handle, const char *name, int pages)
{
	struct writer *writer = userdata;

	(void)handle;
	(void)name;
	writer->wal_pages = pages;
	return SQLITE_OK;
}

static void refuse_impatient(struct writer *writer)
{
	struct store_request *all = NULL, **tail = &all;

	while (writer->n_waiting > 0) {
		*tail = pop(writer);
		tail = &(*tail)->next;
	}
	batch_failed(writer, all);
}

/* In trouble: a tiny write when nothing waits that could show whether it still is. */
static bool probe(struct writer *writer)
{
	if (db_run(&writer->db, "BEGIN IMMEDIATE", "") >= 0 &&
	    db_run(&writer->db, "UPDATE daemon SET instance = instance", "") >= 0 &&
	    commit(writer) == 0)
		return true;
	batch_aborted(writer, NULL);
	return false;
}

static void on_turn(void *userdata)
{
	struct writer *writer = userdata;

	if (store_is_damaged(writer->store) || (writer->trouble && !writer->retry_due)) {
		refuse_impatient(writer);
		return;
	}
	if (writer->trouble) {
		writer->retry_due = false;
		if (!probe(writer))
			return;
		/* What waits needs more room than the probe: its own commit decides. */
		if (writer->n_waiting == 0)
			set_trouble(writer, STORE_FINE);
	}
	if (writer->n_waiting == 0)
		return;
	if (!writer->urgent && !writer->due && writer->n_waiting < WRITER_COMPANY_MAX) {
		if (!evtimer_pending(writer->company, NULL))
			arm(writer->company, WRITER_COMPANY_USEC);
		return;
	}
	evtimer_del(writer->company);
	run_batch(writer);
	/* What is left had its wait already; another turn comes at once. */
	writer->urgent = writer->due = writer->n_waiting > 0;
	if (writer->n_waiting > 0 && !writer->trouble)
		event_active(writer->company, EV_TIMEOUT, 0);
	if (writer->wal_pages >= WRITER_WAL_PAGES_MAX)
		checkpoint(writer);
	if (writer->wal_pages > 0 && !evtimer_pending(writer->idle, NULL))
		arm(writer->idle, WRITER_IDLE_USEC);
}

static void on_company(evutil_socket_t fd, short events, void *userdata)
{
	struct writer *writer = userdata;

	(void)fd;
	(void)events;
	writer->due = true;
}

static void on_retry(evutil_socket_t fd, short events, void *userdata)
{
	struct writer *writer = userdata;

	(void)fd;
	(void)events;
	writer->retry_due = true;
}

static void on_idle(evutil_socket_t fd, short events, void *userdata)
{
	struct writer *writer = userdata;

	(void)fd;
	(void)events;
	if (store_is_damaged(writer->store))
		return;
	/* Quiet means that nothing was written since the last look. */
	if (writer->wal_pages == writer->wal_pages_seen)
		checkpoint(writer);
	writer->wal_pages_seen = writer->wal_pages;
	/* Or a reader held the log: later, then. */
	if (writer->wal_pages > 0)
		arm(writer->idle, WRITER_IDLE_USEC);
}

void writer_sweep_in(struct writer *writer, int64_t usec)
{
	int64_t due = clock_monotonic_usec() + usec;

	if (evtimer_pending(writer->sweep, NULL) && writer->sweep_due_usec <= due)
		return;
	writer->sweep_due_usec = due;
	arm(writer->sweep, usec);
}

static void on_sweep(evutil_socket_t fd, short events, void *userdata)
{
	struct writer *writer = userdata;
	int64_t next, begun = clock_monotonic_usec(), rows = db_rows_changed(&writer->db);
	int r;

	(void)fd;
	(void)events;
	if (store_is_damaged(writer->store))
		return;
	if (writer->trouble) {
		writer_sweep_in(writer, STORE_RETRY_USEC);
		return;
	}
	r = db_run(&writer->db, "BEGIN IMMEDIATE", "");
	if (r >= 0)
		r = writer->sweep_step(&writer->db, &writer->secrets, clock_wall_usec(), &next);
	(void)stopwatch_operation(&writer->store->stopwatch, "sweep", begun);
	if (writer->db.checked)
		operation_check("sweep", db_rows_changed(&writer->db) - rows);
	if (r < 0 || commit(writer) < 0) {
		batch_aborted(writer, NULL);
		writer_sweep_in(writer, STORE_RETRY_USEC);
		return;
	}
	if (next >= 0)
		writer_sweep_in(writer, next);
	arm(writer->idle, WRITER_IDLE_USEC);
}

static void on_copy(evutil_socket_t fd, short events, void *userdata)
{
	struct writer *writer = userdata;
	struct store_request *request = writer->copying;
	int64_t begun = clock_monotonic_usec(), ended;
	int r;

	(void)fd;
	(void)events;
	r = tx_run(writer->store, &writer->db, clock_wall_usec(), request, /* alone= */ true);
	if (writer->db.trouble == DB_DAMAGED)
		store_set_damaged(writer->store, &writer->db);
	ended = stopwatch_operation(&writer->store->stopwatch, request->name, begun);
	if (r >= 0 && request->again) {
		arm(writer->copy, WRITER_COPY_PAUSES * (ended - begun));
		return;
	}
	writer->copying = NULL;
	tx_result(request, &writer->db, r);
	db_forgive(&writer->db);
	if (request->result == 0 && request->lane != STORE_COPY)
		tx_post(writer->store, request, request->lane, request->run, request->name);
	else
		tx_reply(request);
	loop_hand_over();
}

static void on_request(struct message *message)
{
	struct store_request *request = store_request_of(message);
	struct writer *writer = &request->store->writer;

	if (request->lane == STORE_COPY) {
		writer->copying = request; // there is no other one
		arm(writer->copy, 0);
	} else {
		take_request(writer, request);
	}
}

int writer_init(struct writer *writer)
{
	struct event_base *base;
	int r;

	writer->take = on_request;
	for (size_t i = 0; i < STORE_QUEUES; i++)
		writer->queues[i].tail = &writer->queues[i].first;
	writer->last_uid = -1;
	r = loop_new("store-writer", &writer->loop);
	if (r < 0)
		return r;
	loop_gather(writer->loop);
	base = loop_base(writer->loop);
	writer->company = evtimer_new(base, on_company, writer);
	writer->retry = evtimer_new(base, on_retry, writer);
	writer->idle = evtimer_new(base, on_idle, writer);
	writer->sweep = evtimer_new(base, on_sweep, writer);
	writer->copy = evtimer_new(base, on_copy, writer);
	if (!writer->company || !writer->retry || !writer->idle || !writer->sweep || !writer->copy)
		return -ENOMEM;
	sqlite3_wal_hook(writer->db.handle, on_wal, writer);
	db_count_turns(&writer->db, writer->loop);
	loop_on_turn(writer->loop, on_turn, writer);
	writer_sweep_in(writer, 0);
	return 0;
}

void writer_done(struct writer *writer)
{
	struct event *timers[] = { writer->company, writer->retry, writer->idle, writer->sweep,
				   writer->copy };
	bool started = writer->loop != NULL;

	while (writer->n_waiting > 0 && !store_is_damaged(writer->store) && !writer->trouble)
		run_batch(writer);
	while (writer->n_waiting > 0)
		refuse(writer, pop(writer));
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		if (timers[i])
			event_free(timers[i]);
	writer->loop = loop_free(writer->loop);
	/* A file that was refused at the start stays as it is. */
	if (started && !store_is_damaged(writer->store))
		(void)sqlite3_wal_checkpoint_v2(writer->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
						NULL, NULL);
	db_close(&writer->db);
	free(writer->secrets.items);
	memset(&writer->secrets, 0, sizeof(writer->secrets));
}
