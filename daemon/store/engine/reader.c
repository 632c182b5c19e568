/*
 * Readers run each request in a read transaction of its own, so that all its statements see
 * one state, and the log can be reset soon after. A request that turns out to have something to
 * write changes its lane, and moves on to the writer; one that has more to read than a short
 * transaction may asks for another turn. Users have turns, so that one who asks for many large
 * pages makes another wait for one of them at most; and a few of a user's at a time, for what they
 * hold. A patient request that met trouble which may
 * go by is run again after a while.
 */
#include <errno.h>
#include <event2/event.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/engine/tx.h"
#include "proto/wire/method.h"

static void reader_run(struct reader *reader, struct store_request *request);

/* ---- Turns ---- */

static void put(struct store_requests *list, struct store_request *request)
{
	request->next = NULL;
	*list->tail = request;
	list->tail = &request->next;
}

static struct store_request *take(struct store_requests *list)
{
	struct store_request *request = list->first;

	list->first = request->next;
	if (!list->first)
		list->tail = &list->first;
	return request;
}

static bool goes_on(const struct reader_queue *queue)
{
	return queue->begun.first &&
	       (!queue->fresh.first || queue->begun_next || queue->n_begun >= READER_BEGUN_MAX);
}

static struct store_request *next_request(struct reader *reader)
{
	struct reader_queue *queue;
	bool begun;

	do {
		reader->queue = (reader->queue + 1) % STORE_QUEUES;
		queue = &reader->queues[reader->queue];
	} while (!queue->fresh.first && !queue->begun.first);
	begun = goes_on(queue);
	queue->begun_next = !begun;
	reader->n_queued--;
	return take(begun ? &queue->begun : &queue->fresh);
}

static bool is_mine(const struct reader *reader, const struct store_request *request)
{
	return request->lane != STORE_WRITE && request->lane != STORE_COPY &&
	       store_reader_of(reader->store, request->lane) == reader;
}

static void set_begun(struct reader *reader, struct store_request *request, bool begun)
{
	struct reader_queue *queue = &reader->queues[store_queue_of(request)];

	if (request->begun && !begun)
		queue->n_begun--;
	else if (begun && !request->begun)
		queue->n_begun++;
	request->begun = begun;
}

static void on_turn(void *userdata)
{
	struct reader *reader = userdata;

	if (reader->n_queued == 0)
		return;
	reader_run(reader, next_request(reader));
	if (reader->n_queued > 0)
		event_active(reader->turn, EV_TIMEOUT, 0);
}

/* Has another turn follow at once. */
static void on_left(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	(void)userdata;
}

static void take_request(struct reader *reader, struct store_request *request)
{
	struct reader_queue *queue = &reader->queues[store_queue_of(request)];

	put(request->begun ? &queue->begun : &queue->fresh, request);
	reader->n_queued++;
}

static void on_request(struct message *message)
{
	struct store_request *request = store_request_of(message);

	take_request(store_reader_of(request->store, request->lane), request);
}

/* ---- Trouble that may go by ---- */

static void on_retry(evutil_socket_t fd, short events, void *userdata)
{
	struct reader *reader = userdata;
	struct store_request *request = reader->first;

	(void)fd;
	(void)events;
	reader->first = NULL;
	reader->tail = &reader->first;
	while (request) {
		struct store_request *next = request->next;

		reader_run(reader, request);
		request = next;
	}
}

static void wait_for_retry(struct reader *reader, struct store_request *request)
{
	const struct timeval in = { .tv_sec = STORE_RETRY_USEC / USEC_PER_SEC };

	if (!reader->first)
		log_warning("store: %s has to wait: %s", request->name,
			    reader->db.trouble_text[0] ? reader->db.trouble_text : "no memory");
	request->next = NULL;
	*reader->tail = request;
	reader->tail = &request->next;
	(void)event_add(reader->retry, &in);
}

int reader_init(struct reader *reader, struct store *store, const char *name, int cache_kib)
{
	int r;

	reader->store = store;
	reader->take = on_request;
	reader->tail = &reader->first;
	for (size_t i = 0; i < STORE_QUEUES; i++) {
		reader->queues[i].fresh.tail = &reader->queues[i].fresh.first;
		reader->queues[i].begun.tail = &reader->queues[i].begun.first;
	}
	r = db_open(store->database_path, /* writable= */ false, cache_kib, &reader->db);
	db_check(&reader->db, store->options.check_statements);
	if (r >= 0)
		r = loop_new(name, &reader->loop);
	if (r < 0)
		return r;
	reader->turn = evtimer_new(loop_base(reader->loop), on_left, NULL);
	reader->retry = evtimer_new(loop_base(reader->loop), on_retry, reader);
	if (!reader->turn || !reader->retry)
		return -ENOMEM;
	db_count_turns(&reader->db, reader->loop);
	loop_on_turn(reader->loop, on_turn, reader);
	return 0;
}

void reader_done(struct reader *reader)
{
	reader->ending = true;
	while (reader->n_queued > 0)
		reader_run(reader, next_request(reader));
	if (reader->turn)
		event_free(reader->turn);
	if (reader->retry)
		event_free(reader->retry);
	reader->loop = loop_free(reader->loop);
	db_close(&reader->db);
}

/* A sort that finds no room, too: the disk is none of this request's business. */
static bool may_go_by(const struct reader *reader, const struct store_request *request, int r)
{
	enum db_trouble trouble = reader->db.trouble;

	return request->patient && !atomic_load(&reader->store->hurried) &&
	       (trouble == DB_BUSY || trouble == DB_FULL || (r == -ENOMEM && trouble == DB_FINE));
}

/* What a page was made of is freed where it was made: it is much, and who sends the page has more
 * to do. */
static void drop_rows(struct store_request *request)
{
	struct arena rows = arena_take(&request->arena);
	struct method_page *page = arena_alloc(&request->arena, sizeof(*page));
	const char *cursor = arena_strdup(&request->arena, request->page->next_cursor);

	if (!page || (request->page->next_cursor && !cursor)) {
		request->result = fault_oom(&request->fault);
	} else {
		*page = (struct method_page){ .struct_size = sizeof(*page), .next_cursor = cursor };
		request->page = page;
	}
	request->state = NULL;
	arena_done(&rows);
}

static void reader_run(struct reader *reader, struct store_request *request)
{
	struct db *db = &reader->db;
	bool wait;
	int r;

	r = db_run(db, "BEGIN", "");
	if (r >= 0)
		r = tx_run(reader->store, db, clock_wall_usec(), request, /* alone= */ false);
	wait = r < 0 && may_go_by(reader, request, r);
	if (wait)
		wait_for_retry(reader, request);
	else
		tx_result(request, db, r);
	if (db->trouble == DB_DAMAGED)
		store_set_damaged(reader->store, db);
	if (!sqlite3_get_autocommit(db->handle))
		(void)db_run(db, "COMMIT", "");
	db_forgive(db);
	if (wait)
		return;
	set_begun(reader, request, request->result == 0 && request->again && is_mine(reader, request));
	/* Not posted: who waits for another turn here is not lost when the loop ends before it. */
	if (request->result == 0 && request->again && (reader->ending || is_mine(reader, request))) {
		take_request(reader, request);
		return;
	}
	if (request->result == 0 &&
	    (request->lane == STORE_WRITE || request->lane == STORE_COPY || request->again)) {
		tx_post(reader->store, request, request->lane, request->run, request->name);
		return;
	}
	if (request->result == 0 && request->page && !request->keeps_rows)
		drop_rows(request);
	tx_reply(request);
}
