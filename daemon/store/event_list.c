#include "daemon/store/events.h"

#include <errno.h>

#include "daemon/store/task.h"

/* Whole tasks that a page over all tasks may hold. */
#define EVENTS_TASKS_MAX 100

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
	r = db_query(tx->db, &q, "SELECT sequence, number, at, status, hold, line FROM task_events"
				 " WHERE task_id = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
		     "iii", task->id, after, (int64_t)room);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct task_event_row *row = &rows[n++];

		*row = (struct task_event_row){
			.task_id = task->id,
			.sequence = column_int(q, 0),
			.number = column_int(q, 1),
			.at = column_int(q, 2),
			.status = task_status_from_name(column_peek(q, 3)),
			.hold = tx_text(tx, q, 4),
			.line = tx_text(tx, q, 5),
		};
		if (row->sequence == task->sequence)
			row->task = task;
	}
	*ret_rows = rows;
	*ret_n_rows = n;
	return r;
}

static int task_events_page_run(struct tx *tx, struct store_request *request)
{
	struct task_events_page *op = (struct task_events_page *)request;
	int r = task_load(tx, op->task_id, &op->ret_task);

	if (r < 0)
		return r;
	op->ret_last_sequence = op->ret_task->sequence;
	return task_events_read(tx, op->ret_task, op->after_sequence, &op->ret_rows,
				&op->ret_n_rows);
}

void store_task_events_page(struct store *store, struct task_events_page *op)
{
	tx_post(store, &op->request, STORE_POINT, task_events_page_run);
}

/* ---- Of all tasks ---- */

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

/* What was not over at number ?4: what is not over now, and what had an event since then. */
#define TO_SHOW(unfinished, ended)                                                              \
	"SELECT id FROM tasks INDEXED BY tasks_unfinished WHERE " unfinished                    \
	" finished_at IS NULL AND id > ?2 AND id <= ?3"                                         \
	" UNION SELECT id FROM tasks INDEXED BY tasks_ended WHERE " ended                       \
	" finished_at IS NOT NULL AND last_event > ?4 AND id > ?2 AND id <= ?3"                 \
	" ORDER BY id LIMIT ?5"

static const char to_show_all[] = TO_SHOW("?1 = ?1 AND", "");
static const char to_show_own[] = TO_SHOW("owner_uid = ?1 AND", "owner_uid = ?1 AND");

static int events_tasks_page_run(struct tx *tx, struct store_request *request)
{
	struct events_tasks_page *op = (struct events_tasks_page *)request;
	struct events_position *position = &op->ret_position;
	struct tx_list tasks = { 0 };
	int64_t last;
	QUERY q = NULL;
	int r;

	*position = op->position;
	r = event_number_last(tx->db, &last);
	if (r >= 0 && position->number < 0) {
		*position = (struct events_position){ .number = last };
		r = db_int(tx->db, &position->known_id, "SELECT max(id) FROM tasks", "");
	}
	if (r >= 0)
		r = check_position(tx, position, last);
	if (r >= 0)
		r = db_query(tx->db, &q, op->scope.all ? to_show_all : to_show_own, "iiiib",
			     op->scope.uid, position->introduced_id, position->known_id,
			     position->number, EVENTS_TASKS_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const struct ellu_task *task;

		r = task_load(tx, column_int(q, 0), &task);
		if (r >= 0)
			r = tx_append(tx, &tasks, task);
	}
	op->ret_tasks = tx_list_items(tx, &tasks);
	op->ret_n_tasks = tasks.n;
	return r;
}

void store_events_tasks_page(struct store *store, struct events_tasks_page *op)
{
	tx_post(store, &op->request, STORE_POINT, events_tasks_page_run);
}

#define EVENTS(which)                                                                           \
	"SELECT e.task_id, e.sequence, e.number, e.at, e.status, e.hold, e.line, t.sequence"    \
	" FROM task_events e CROSS JOIN tasks t ON t.id = e.task_id WHERE " which               \
	" e.number > ?2 ORDER BY e.number LIMIT ?3"

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
	return task_load(tx, row->task_id, &row->task);
}

static int read_events(struct tx *tx, struct events_page *op, struct task_event_row *rows)
{
	int64_t known_id = op->position.known_id;
	QUERY q = NULL;
	int n_loaded = 0, r;

	r = db_query(tx->db, &q, op->scope.all ? events_all : events_own, "iib", op->scope.uid,
		     op->position.number, EVENTS_PAGE_MAX);
	while (r >= 0 && n_loaded < EVENTS_TASKS_MAX && (r = db_next(tx->db, q)) > 0) {
		struct task_event_row *row = &rows[op->ret_n_rows++];

		*row = (struct task_event_row){
			.task_id = column_int(q, 0),
			.sequence = column_int(q, 1),
			.number = column_int(q, 2),
			.at = column_int(q, 3),
			.status = task_status_from_name(column_peek(q, 4)),
			.hold = tx_text(tx, q, 5),
			.line = tx_text(tx, q, 6),
		};
		r = load_row_task(tx, row, column_int(q, 7), &known_id, &n_loaded);
	}
	op->ret_more = n_loaded == EVENTS_TASKS_MAX || op->ret_n_rows == EVENTS_PAGE_MAX;
	return r;
}

static int events_page_run(struct tx *tx, struct store_request *request)
{
	struct events_page *op = (struct events_page *)request;
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

void store_events_page(struct store *store, struct events_page *op)
{
	tx_post(store, &op->request, STORE_POINT, events_page_run);
}
