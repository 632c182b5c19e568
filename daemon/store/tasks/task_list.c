/* Tasks in pages. */
#include <errno.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/tasks/task.h"
#include "proto/generated/interface.h"

/* Whether the rest of the filter lets a task through. Of those that ended, whose it is and its status
 * have indexes; the unfinished ones are all looked at. */
#define PASSES "(?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR created_at >= ?5)"
#define ORDER " AND id < ?1 ORDER BY 1 DESC LIMIT ?6"
#define LIST(indexed, passes)                                                                   \
	"SELECT id, " PASSES " FROM tasks INDEXED BY " indexed                                  \
	" AND finished_at IS NOT NULL AND id < ?1 UNION ALL"                                    \
	" SELECT id, " passes " AND " PASSES " FROM tasks INDEXED BY tasks_unfinished"          \
	" WHERE finished_at IS NULL" ORDER

static const char list_all[] =
	"SELECT id, " PASSES " FROM tasks WHERE ?2 = ?2 AND ?3 IS NULL" ORDER;
static const char list_all_by_status[] =
	LIST("tasks_by_status WHERE ?2 = ?2 AND status = ?3", "status = ?3");
static const char list_own[] =
	LIST("tasks_by_project WHERE project_id = ?2 AND ?3 IS NULL", "project_id = ?2");
static const char list_own_by_status[] =
	LIST("tasks_by_project_status WHERE project_id = ?2 AND status = ?3",
	     "project_id = ?2 AND status = ?3");

/* The page is read first, and then all tasks are counted, if that was asked for. */
struct listing {
	struct page page;
	int64_t project_id; // -1: everybody's
	int64_t before; // what comes next
	int64_t last; // in the page
	int64_t count;
	struct tx_list unfinished; // struct listed_task
	struct listed_tasks beside;
};

static const char *list_statement(const struct listing *listing,
				  const struct ellu_list_tasks_request *arguments)
{
	if (listing->project_id < 0)
		return arguments->status ? list_all_by_status : list_all;
	return arguments->status ? list_own_by_status : list_own;
}

static int list_begin(struct tx *tx, struct method_run *op)
{
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ 0 };
	r = place_filter(tx, &op->scope, &listing->project_id);
	if (r >= 0)
		r = page_begin(tx, op, 't', &listing->page);
	listing->before = listing->page.resumed ? listing->page.major : INT64_MAX;
	listing->last = listing->before;
	op->request.state = listing;
	return r;
}

/* 0: the page is full. */
static int list_task(struct tx *tx, struct listing *listing, int64_t id)
{
	struct store_request *request = listing->page.request;
	size_t start = request->text_size + (listing->page.items.n > 0);
	const struct ellu_task *task;
	struct listed_task *place;
	int r;

	if (page_full(&listing->page))
		return 0;
	r = task_load(tx, id, &task);
	if (r >= 0)
		r = page_add(tx, &listing->page, &ellu_task_type, task, "task", id);
	if (r <= 0)
		return r;
	listing->last = id;
	if (task->finished_at)
		return 1;
	place = tx_alloc(tx, sizeof(*place));
	if (!place)
		return -ENOMEM;
	*place = (struct listed_task){ task, start, request->text_size - start };
	r = tx_append(tx, &listing->unfinished, place);
	return r < 0 ? r : 1;
}

/* 1: there is more to look at. */
static int list_step(struct tx *tx, struct listing *listing,
		     const struct ellu_list_tasks_request *arguments)
{
	int n_looks = 0, r;
	QUERY q = NULL;

	r = db_query(tx->db, &q, list_statement(listing, arguments), "iissIb", listing->before,
		     listing->project_id, arguments->status, arguments->kind, arguments->since,
		     LOOKS_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		n_looks++;
		listing->before = column_int(q, 0);
		if (!column_int(q, 1))
			continue;
		if (listing->page.listed) {
			listing->count++;
			continue;
		}
		r = list_task(tx, listing, listing->before);
		if (r == 0)
			return page_continues(tx, &listing->page, listing->last, 0);
	}
	return r < 0 ? r : n_looks == LOOKS_MAX;
}

int tasks_list(struct tx *tx, struct method_run *op)
{
	struct listing *listing;
	int r = op->request.state ? 0 : list_begin(tx, op);

	listing = op->request.state;
	if (r >= 0)
		r = list_step(tx, listing, op->arguments);
	if (r < 0)
		return r;
	if (r == 0 && !listing->page.listed)
		listing->before = INT64_MAX; // a count begins anew
	listing->beside.items = (const struct listed_task *const *)listing->unfinished.items;
	listing->beside.n = listing->unfinished.n;
	op->ret_beside = &listing->beside;
	op->request.keeps_rows = true;
	return page_step(tx, &listing->page, r, listing->count);
}

/* ---- Of the queue ---- */

static int tasks_pending_page_run(struct tx *tx, struct tasks_pending_page *op)
{
	struct pending_task *tasks = tx_array(tx, PAGE_MAX, sizeof(*tasks));
	QUERY q = NULL;
	int r;

	if (!tasks)
		return -ENOMEM;
	op->ret_tasks = tasks;
	op->ret_n_tasks = 0;
	r = db_query(tx->db, &q, "SELECT id, owner_uid, priority, hold, suspect >= ?3 FROM tasks"
				 " WHERE finished_at IS NULL AND status = 'PENDING' AND id > ?1"
				 " ORDER BY id LIMIT ?2",
		     "ibb", op->after_id, PAGE_MAX, TASK_DEATHS_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0)
		tasks[op->ret_n_tasks++] = (struct pending_task){
			.id = column_int(q, 0),
			.uid = column_int(q, 1),
			.priority = tx_text(tx, q, 2),
			.hold = tx_text(tx, q, 3),
			.suspect = column_int(q, 4) != 0,
		};
	return r;
}

STORE_OPERATION(tasks_pending_page, STORE_POINT, true)
