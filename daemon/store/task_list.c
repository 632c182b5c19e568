/* Tasks in pages, and their logs. */
#include <errno.h>
#include <string.h>

#include "daemon/store/page.h"
#include "daemon/store/task.h"

/* Each combination of what narrows the list most has its own index. */
#define FILTER                                                                                  \
	" AND (?2 < 0 OR project_id = ?2) AND (?3 IS NULL OR status = ?3)"                      \
	" AND (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR created_at >= ?5)"
#define NEWEST " ORDER BY id DESC LIMIT ?6"

static const struct list_query {
	const char *page;
	const char *count;
} list_all = {
	"SELECT id, 500 + coalesce(length(result), 0) FROM tasks WHERE id < ?1" FILTER NEWEST,
	"SELECT count(*) FROM tasks WHERE id < ?1" FILTER,
}, list_by_project = {
	"SELECT id, 500 + coalesce(length(result), 0) FROM tasks INDEXED BY tasks_by_project"
	" WHERE project_id = ?2 AND id < ?1" FILTER NEWEST,
	"SELECT count(*) FROM tasks INDEXED BY tasks_by_project WHERE project_id = ?2 AND id < ?1"
	FILTER,
}, list_by_status = {
	"SELECT id, 500 + coalesce(length(result), 0) FROM tasks INDEXED BY tasks_by_status"
	" WHERE status = ?3 AND id < ?1" FILTER NEWEST,
	"SELECT count(*) FROM tasks INDEXED BY tasks_by_status WHERE status = ?3 AND id < ?1" FILTER,
};

static int tasks_page(struct tx *tx, const struct list_query *query, struct tasks_list *op,
		      int64_t project_id, struct page *page, struct ellu_list_tasks_reply *reply)
{
	const struct ellu_list_tasks_request *arguments = op->arguments;
	struct tx_list items = { 0 };
	QUERY q = NULL;
	int64_t id = page->resumed ? page->major : INT64_MAX;
	int r;

	r = db_query(tx->db, &q, query->page, "iissIi", id, project_id, arguments->status,
		     arguments->kind, arguments->since, page_fetch(page));
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		const struct ellu_task *task;

		if (page_full(page, items.n)) {
			reply->next_cursor = page_cursor(tx, page, id, 0);
			break;
		}
		id = column_int(q, 0);
		page->bytes += (size_t)column_int(q, 1);
		r = task_load(tx, id, &task);
		if (r >= 0)
			r = tx_append(tx, &items, task);
	}
	reply->items = tx_list_items(tx, &items);
	reply->n_items = items.n;
	return r;
}

static int tasks_list_run(struct tx *tx, struct store_request *request)
{
	struct tasks_list *op = (struct tasks_list *)request;
	const struct ellu_list_tasks_request *arguments = op->arguments;
	struct ellu_list_tasks_reply *reply = TX_RECORD(tx, struct ellu_list_tasks_reply);
	const struct list_query *query;
	int64_t project_id, count = 0;
	struct page page;
	int r;

	if (!reply)
		return -ENOMEM;
	r = place_filter(tx, &op->scope, &project_id);
	if (r >= 0)
		r = page_begin(tx, 't', arguments->cursor, arguments->limit, &page);
	if (r < 0)
		return r;
	query = arguments->status ? &list_by_status : project_id >= 0 ? &list_by_project : &list_all;
	r = tasks_page(tx, query, op, project_id, &page, reply);
	if (r >= 0 && arguments->count && *arguments->count) {
		r = db_int(tx->db, &count, query->count, "iissI", INT64_MAX, project_id,
			   arguments->status, arguments->kind, arguments->since);
		reply->count = tx_int_value(tx, count);
	}
	op->ret_reply = reply;
	return r;
}

void store_tasks_list(struct store *store, struct tasks_list *op)
{
	tx_post(store, &op->request, STORE_POINT, tasks_list_run);
}

static int task_logs_page(struct tx *tx, struct task_logs_list *op, struct page *page,
			  struct ellu_list_task_logs_reply *reply)
{
	const struct ellu_list_task_logs_request *arguments = op->arguments;
	int64_t after = page->resumed ? page->major : arguments->after ? *arguments->after : 0;
	struct tx_list items = { 0 };
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT sequence, at, line FROM task_events"
				 " WHERE task_id = ?1 AND sequence > ?2 AND line IS NOT NULL"
				 " ORDER BY sequence LIMIT ?3", "iii", arguments->id, after,
		     page_fetch(page));
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_task_log *line;

		if (page_full(page, items.n)) {
			reply->next_cursor = page_cursor(tx, page, after, 0);
			break;
		}
		line = TX_RECORD(tx, struct ellu_task_log);
		if (!line)
			return -ENOMEM;
		after = line->sequence = column_int(q, 0);
		line->at = column_int(q, 1);
		line->line = tx_text(tx, q, 2);
		page->bytes += (size_t)sqlite3_column_bytes(q, 2);
		r = tx_append(tx, &items, line);
	}
	reply->items = tx_list_items(tx, &items);
	reply->n_items = items.n;
	return r;
}

static int task_logs_list_run(struct tx *tx, struct store_request *request)
{
	struct task_logs_list *op = (struct task_logs_list *)request;
	const struct ellu_list_task_logs_request *arguments = op->arguments;
	struct ellu_list_task_logs_reply *reply = TX_RECORD(tx, struct ellu_list_task_logs_reply);
	struct page page;
	int64_t count = 0;
	int r;

	if (!reply)
		return -ENOMEM;
	r = task_check_scope(tx, &op->scope, arguments->id);
	if (r >= 0)
		r = page_begin(tx, 'e', arguments->cursor, arguments->limit, &page);
	if (r >= 0)
		r = task_logs_page(tx, op, &page, reply);
	if (r >= 0 && arguments->count && *arguments->count) {
		r = db_int(tx->db, &count, "SELECT count(*) FROM task_events"
					   " WHERE task_id = ?1 AND sequence > ?2 AND line IS NOT NULL",
			   "ii", arguments->id, arguments->after ? *arguments->after : INT64_C(0));
		reply->count = tx_int_value(tx, count);
	}
	op->ret_reply = reply;
	return r;
}

void store_task_logs_list(struct store *store, struct task_logs_list *op)
{
	tx_post(store, &op->request, STORE_POINT, task_logs_list_run);
}

static int tasks_pending_page_run(struct tx *tx, struct store_request *request)
{
	struct tasks_pending_page *op = (struct tasks_pending_page *)request;
	struct pending_task *tasks = tx_array(tx, PAGE_MAX, sizeof(*tasks));
	QUERY q = NULL;
	int r;

	if (!tasks)
		return -ENOMEM;
	op->ret_tasks = tasks;
	op->ret_n_tasks = 0;
	r = db_query(tx->db, &q, "SELECT id, owner_uid, priority, hold FROM tasks"
				 " WHERE status = 'PENDING' AND id > ?1 ORDER BY id LIMIT ?2",
		     "ib", op->after_id, PAGE_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		tasks[op->ret_n_tasks++] = (struct pending_task){
			.id = column_int(q, 0),
			.uid = column_int(q, 1),
			.priority = tx_text(tx, q, 2),
			.hold = tx_text(tx, q, 3),
		};
	return r;
}

void store_tasks_pending_page(struct store *store, struct tasks_pending_page *op)
{
	tx_post(store, &op->request, STORE_POINT, tasks_pending_page_run);
}
