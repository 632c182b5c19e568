#include "daemon/store/events.h"

#include <errno.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"

/* Whole tasks that a page over all tasks may hold. */
#define EVENTS_TASKS_MAX 100

#define EVENT_COLUMNS "e.task_id, e.sequence, e.number, e.at, e.status, e.hold, e.line"
#define EVENT_N_COLUMNS 7

/* In the order of the list. */
static void read_event(struct tx *tx, sqlite3_stmt *q, struct task_event_row *row)
{
	int c = 0;

	*row = (struct task_event_row){ .task_id = column_int(q, c++) };
	row->sequence = column_int(q, c++);
	row->number = column_int(q, c++);
	row->at = column_int(q, c++);
	row->status = task_status_from_name(column_peek(q, c++));
	row->hold = tx_text(tx, q, c++);
	row->line = tx_text(tx, q, c++);
}

/* ---- Of one task ---- */

int task_events_read(struct tx *tx, const struct ellu_task *task, int64_t after,
		     const struct task_event_row **ret_rows, size_t *ret_n_rows)
{
	int64_t missing = task->sequence - after;
	struct task_event_row *rows;
	size_t room = 0, n = 0;
	QUERY q = NULL;
	int r;

	if (missing > 0)
		room = missing > EVENTS_PAGE_MAX ? EVENTS_PAGE_MAX : (size_t)missing;
	rows = tx_array(tx, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	r = db_query(tx->db, &q, "SELECT " EVENT_COLUMNS " FROM task_events e WHERE e.task_id = ?1"
				 " AND e.sequence > ?2 ORDER BY e.sequence LIMIT ?3",
		     "iii", task->id, after, (int64_t)room);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct task_event_row *row = &rows[n++];

		read_event(tx, q, row);
		if (row->sequence == task->sequence)
			row->task = task;
	}
	*ret_rows = rows;
	*ret_n_rows = n;
	return r;
}

static int task_events_page_run(struct tx *tx, struct task_events_page *op)
{
	struct task_row row;
	int r = task_row_find(tx, &op->scope, op->task_id, &row);

	if (r < 0)
		return r;
	op->ret_task = row.task;
	op->ret_last_sequence = op->ret_task->sequence;
	return task_events_read(tx, op->ret_task, op->after_sequence, &op->ret_rows,
				&op->ret_n_rows);
}

STORE_OPERATION(task_events_page, STORE_POINT, false)

/* ---- Of all tasks ---- */

/* The task as it was at an entry of its history: what it has come to since is told by the entries
 * behind that one. Progress is no part of it. */
static void set_back(struct ellu_task *task, const struct task_event_row *row)
{
	/* It may be claimed where it is submitted, at the same moment. */
	int64_t first_later = row->status == TASK_PENDING ? row->at : row->at + 1;

	if (task->sequence == row->sequence)
		return;
	task->sequence = row->sequence;
	task->status = task_status_name(row->status);
	task->hold = row->hold;
	task->hold_reason = NULL;
	task->hold_until = NULL;
	if (task->started_at && *task->started_at >= first_later)
		task->started_at = NULL;
	task->finished_at = NULL;
	task->error = NULL;
	task->result = NULL;
}

static int load_as_of_row(struct tx *tx, struct task_event_row *row)
{
	struct task_row loaded;
	int r = task_row_load(tx, row->task_id, &loaded);

	if (r < 0)
		return r;
	set_back(loaded.task, row);
	row->task = loaded.task;
	return 0;
}

/* As it was at that number, when it was there already. */
static int load_as_of(struct tx *tx, int64_t id, int64_t number, const struct ellu_task **ret_task)
{
	struct task_event_row row;
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT " EVENT_COLUMNS " FROM task_events e WHERE e.task_id = ?1"
				   " AND e.number <= ?2 ORDER BY e.sequence DESC LIMIT 1",
		       "ii", id, number);

	if (r <= 0)
		return r < 0 ? r : task_load(tx, id, ret_task);
	read_event(tx, q, &row);
	r = load_as_of_row(tx, &row);
	*ret_task = row.task;
	return r;
}

int event_number_last(struct db *db, int64_t *ret_number)
{
	return db_int(db, ret_number,
		      "SELECT max(event_number, coalesce((SELECT max(number) FROM task_events), 0))"
		      " FROM daemon", "");
}

static int check_position(struct tx *tx, const struct events_position *position, int64_t last)
{
	if (position->number <= last && position->introduced_id <= position->known_id)
		return 0;
	return fault_invalid(tx->fault, "cursor", "a cursor that this daemon gave");
}

/* Tasks that were not over at number ?4: those that are not over now, and those that had an event
 * since then. The second column says which; one that is passed counts as looked at. */
#define UNFINISHED(whose)                                                                       \
	"SELECT id, " whose " FROM tasks INDEXED BY tasks_unfinished"                           \
	" WHERE finished_at IS NULL AND id > ?2 AND id <= ?3 AND ?4 = ?4"

static const char unfinished_own[] = UNFINISHED("owner_uid = ?1") " ORDER BY id LIMIT ?5";
static const char unfinished_all[] = UNFINISHED("?1 = ?1") " ORDER BY id LIMIT ?5";
static const char to_show_own[] =
	UNFINISHED("owner_uid = ?1")
	" UNION ALL SELECT id, last_event > ?4 FROM tasks INDEXED BY tasks_ended"
	" WHERE owner_uid = ?1 AND finished_at IS NOT NULL AND id > ?2 AND id <= ?3"
	" ORDER BY 1 LIMIT ?5";
static const char to_show_all[] =
	"SELECT id, finished_at IS NULL OR last_event > ?4 FROM tasks"
	" WHERE ?1 = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?5";

/* Where nothing has happened since, there is none of the second kind. */
static const char *to_show(const struct events_tasks_page *op)
{
	if (op->last_number == op->ret_position.number)
		return op->scope.all ? unfinished_all : unfinished_own;
	return op->scope.all ? to_show_all : to_show_own;
}

static int begin_showing(struct tx *tx, struct events_tasks_page *op)
{
	struct events_position *position = &op->ret_position;
	struct tx_list *tasks = tx_alloc(tx, sizeof(*tasks));
	int r = 0;

	if (!tasks)
		return -ENOMEM;
	*tasks = (struct tx_list){ 0 };
	op->request.state = tasks;
	op->looked_id = op->position.introduced_id;
	op->shown_bytes = 0;
	*position = op->position;
	if (position->number < 0) {
		*position = (struct events_position){ .number = op->last_number };
		op->looked_id = 0;
		r = db_int(tx->db, &position->known_id, "SELECT max(id) FROM tasks", "");
	}
	return r < 0 ? r : check_position(tx, position, op->last_number);
}

/* 1: there is more to look at. */
static int show_step(struct tx *tx, struct events_tasks_page *op, struct tx_list *tasks)
{
	const struct events_position *position = &op->ret_position;
	const struct ellu_task *task;
	int n_looks = 0, r;
	QUERY q = NULL;

	r = db_query(tx->db, &q, to_show(op), "iiiib", op->scope.uid,
		     op->looked_id, position->known_id, position->number, LOOKS_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		n_looks++;
		op->looked_id = column_int(q, 0);
		if (!column_int(q, 1))
			continue;
		r = load_as_of(tx, op->looked_id, position->number, &task);
		if (r >= 0)
			r = tx_append(tx, tasks, task);
		if (r < 0)
			return r;
		op->shown_bytes += record_text_bytes(&ellu_task_type, task);
		if (tasks->n == EVENTS_TASKS_MAX || op->shown_bytes >= PAGE_BYTES_MAX)
			return 0;
	}
	return r < 0 ? r : n_looks == LOOKS_MAX;
}

static int events_tasks_page_run(struct tx *tx, struct events_tasks_page *op)
{
	int r = event_number_last(tx->db, &op->last_number);
	struct tx_list *tasks;

	if (r >= 0 && !op->request.state)
		r = begin_showing(tx, op);
	tasks = op->request.state;
	if (r >= 0)
		r = show_step(tx, op, tasks);
	if (r != 0)
		return r < 0 ? r : list_again(&op->request);
	op->ret_tasks = tx_list_items(tx, tasks);
	op->ret_n_tasks = tasks->n;
	return 0;
}

STORE_OPERATION(events_tasks_page, STORE_POINT, false)

#define EVENTS(which)                                                                           \
	"SELECT " EVENT_COLUMNS ", t.sequence FROM task_events e CROSS JOIN tasks t"            \
	" ON t.id = e.task_id WHERE " which " e.number > ?2 ORDER BY e.number LIMIT ?3"

static const char events_all[] = EVENTS("?1 = ?1 AND");
static const char events_own[] = EVENTS("e.owner_uid = ?1 AND");

/* The row's task, when the row tells of it. Counts the tasks that were loaded. */
static int load_row_task(struct tx *tx, struct task_event_row *row, int64_t last_sequence,
			 int64_t *known_id, int *n_loaded)
{
	bool is_new = row->task_id > *known_id;

	if (!is_new && row->sequence != last_sequence)
		return 0;
	if (is_new)
		*known_id = row->task_id;
	++*n_loaded;
	return is_new ? load_as_of_row(tx, row) : task_load(tx, row->task_id, &row->task);
}

static int read_events(struct tx *tx, struct events_page *op, struct task_event_row *rows)
{
	int64_t known_id = op->position.known_id;
	size_t bytes = 0;
	QUERY q = NULL;
	int n_loaded = 0, r;

	r = db_query(tx->db, &q, op->scope.all ? events_all : events_own, "iib", op->scope.uid,
		     op->position.number, EVENTS_PAGE_MAX);
	while (r >= 0 && n_loaded < EVENTS_TASKS_MAX && bytes < PAGE_BYTES_MAX &&
	       (r = db_next(tx->db, q)) > 0) {
		struct task_event_row *row = &rows[op->ret_n_rows++];

		read_event(tx, q, row);
		r = load_row_task(tx, row, column_int(q, EVENT_N_COLUMNS), &known_id, &n_loaded);
		if (r >= 0 && row->task)
			bytes += record_text_bytes(&ellu_task_type, row->task);
	}
	op->ret_more = n_loaded == EVENTS_TASKS_MAX || bytes >= PAGE_BYTES_MAX ||
		       op->ret_n_rows == EVENTS_PAGE_MAX;
	return r;
}

static int events_page_run(struct tx *tx, struct events_page *op)
{
	struct task_event_row *rows = tx_array(tx, EVENTS_PAGE_MAX, sizeof(*rows));
	int64_t last;
	int r;

	if (!rows)
		return -ENOMEM;
	op->ret_rows = rows;
	op->ret_n_rows = 0;
	r = event_number_last(tx->db, &last);
	if (r >= 0)
		r = check_position(tx, &op->position, last);
	if (r >= 0)
		r = read_events(tx, op, rows);
	op->ret_number = op->ret_more ? rows[op->ret_n_rows - 1].number : last;
	return r;
}

STORE_OPERATION(events_page, STORE_POINT, false)

/* ---- Lines in pages ---- */

struct log_listing {
	struct page page;
	struct count count;
};

static int read_logs(struct tx *tx, const struct ellu_list_task_logs_request *arguments,
		     struct page *page)
{
	int64_t after = page->resumed ? page->major : arguments->after ? *arguments->after : 0;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT sequence, at, line FROM task_events"
				 " WHERE task_id = ?1 AND sequence > ?2 AND line IS NOT NULL"
				 " ORDER BY sequence LIMIT ?3", "iii", arguments->id, after,
		     (int64_t)page->limit + 1);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_task_log *line = TX_RECORD(tx, struct ellu_task_log);

		if (!line)
			return -ENOMEM;
		line->sequence = column_int(q, 0);
		line->at = column_int(q, 1);
		line->line = tx_text(tx, q, 2);
		r = page_add(tx, page, &ellu_task_log_type, line, "log line", line->sequence);
		if (r == 0)
			return page_continues(tx, page, after, 0);
		after = line->sequence;
	}
	return r;
}

static int logs_begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_task_logs_request *arguments = op->arguments;
	struct log_listing *listing = tx_alloc(tx, sizeof(*listing));
	struct task_row row;
	int r;

	if (!listing)
		return -ENOMEM;
	listing->count = (struct count){ .after = arguments->after ? *arguments->after : 0 };
	r = task_row_find(tx, &op->scope, arguments->id, &row);
	if (r >= 0)
		r = page_begin(tx, op, 'e', &listing->page);
	if (r >= 0)
		r = read_logs(tx, arguments, &listing->page);
	op->request.state = listing;
	return r;
}

int task_logs_list(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_task_logs_request *arguments = op->arguments;
	int r = op->request.state ? 0 : logs_begin(tx, op);
	struct log_listing *listing = op->request.state;

	return r < 0 ? r :
		       page_count(tx, &listing->page,
				  "SELECT count(line), max(sequence), count(*) FROM (SELECT line,"
				  " sequence FROM task_events WHERE task_id = ?1 AND sequence > ?2"
				  " ORDER BY sequence LIMIT ?3)", arguments->id, &listing->count);
}

/* ---- Pruning ---- */

/*
 * Removes what tasks that ended long ago have logged, a chunk at a time so that the writer is never
 * held up; which tasks those are is found out before. Changes of state stay, and with them each
 * task's story.
 */

#define CHUNK_LINES 1000 // of each of which a number may be kept

/* 1: all its lines are gone. */
static int prune_task(struct tx *tx, struct tasks_prune *op, int64_t task_id, int64_t *left)
{
	int n;

	n = db_run(tx->db, "DELETE FROM task_events WHERE task_id = ?1 AND sequence IN"
			   " (SELECT sequence FROM task_events WHERE task_id = ?1 AND line IS NOT NULL"
			   "  LIMIT ?2)", "ii", task_id, *left);
	if (n < 0)
		return n;
	op->ret_lines += n;
	op->ret_tasks += n > 0 && task_id != op->cursor.partly_id;
	if (n == *left)
		op->ret_cursor.partly_id = task_id;
	*left -= n;
	return *left > 0;
}

/* The next tasks that have lines to lose, found by a reader: looked at are the caller's alone. */
static const char ended_own[] =
	"SELECT id, finished_at < ?2 AND EXISTS (SELECT 1 FROM task_events e"
	"  WHERE e.task_id = tasks.id AND e.line IS NOT NULL) FROM tasks INDEXED BY tasks_ended"
	" WHERE owner_uid = ?1 AND finished_at IS NOT NULL AND id > ?3 ORDER BY id LIMIT ?4";
static const char ended_all[] =
	"SELECT id, coalesce(finished_at < ?2, 0) AND EXISTS (SELECT 1 FROM task_events e"
	"  WHERE e.task_id = tasks.id AND e.line IS NOT NULL) FROM tasks"
	" WHERE ?1 = ?1 AND id > ?3 ORDER BY id LIMIT ?4";

static int find_tasks(struct tx *tx, struct tasks_prune *op)
{
	int n_looks = 0, r;
	QUERY q = NULL;

	r = db_query(tx->db, &q, op->scope.all ? ended_all : ended_own, "iiib", op->scope.uid,
		     op->ended_before, op->cursor.after_id, LOOKS_MAX);
	while (r >= 0 && op->n_ids < PRUNE_TASKS_MAX && (r = db_next(tx->db, q)) > 0) {
		n_looks++;
		op->looked_id = column_int(q, 0);
		if (column_int(q, 1))
			op->ids[op->n_ids++] = op->looked_id;
	}
	op->found_all = op->n_ids < PRUNE_TASKS_MAX && n_looks < LOOKS_MAX;
	return r;
}

static int remove_lines(struct tx *tx, struct store_request *request)
{
	struct tasks_prune *op = (struct tasks_prune *)request;
	int64_t left = CHUNK_LINES;
	int r = 0;

	op->ret_cursor = op->cursor;
	op->ret_tasks = op->ret_lines = 0;
	for (int i = 0; r >= 0 && i < op->n_ids; i++) {
		r = prune_task(tx, op, op->ids[i], &left);
		if (r <= 0)
			return r; // the rest of its lines, and the tasks behind it, come next
		op->ret_cursor.after_id = op->ids[i];
	}
	op->ret_cursor.after_id = op->looked_id;
	op->ret_end = op->found_all;
	return r < 0 ? r : 0;
}

static int tasks_prune_run(struct tx *tx, struct tasks_prune *op)
{
	int r;

	op->n_ids = 0;
	op->looked_id = op->cursor.after_id;
	op->ret_cursor = op->cursor;
	op->ret_tasks = op->ret_lines = 0;
	op->ret_end = false;
	r = find_tasks(tx, op);
	if (r < 0)
		return r;
	if (op->n_ids == 0) {
		op->ret_cursor.after_id = op->looked_id;
		op->ret_end = op->found_all;
		return 0;
	}
	op->request.lane = STORE_WRITE;
	op->request.run = remove_lines;
	return 0;
}

STORE_OPERATION(tasks_prune, STORE_SCAN, false)
