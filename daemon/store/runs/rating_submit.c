#include "daemon/store/runs/rating_submit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/engine/page.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/criterion.h"
#include "proto/generated/interface.h"

/* Without an experiment to be named after. */
#define NAME_DEFAULT "Ratings"

/* ---- Insertion ---- */

static const int64_t *known(const int64_t *id)
{
	return *id ? id : NULL;
}

static int insert_run(struct rating_submission *s, int64_t *ret_id)
{
	const struct ellu_rate_responses_request *a = &s->a;
	const int64_t yes = 1, no = 0;
	const int64_t *value = !a->rating ? NULL : strcmp(a->rating, "YES") == 0 ? &yes : &no;
	int r;

	r = db_run(s->tx->db,
		   "INSERT INTO rating_runs (owner_uid, project_id, experiment_id, adopt, response_ids,"
		   " epoch, filter_measure_id, filter_judge_id, filter_value, last_response_id,"
		   " last_rating_id, criterion_set_id, judge_id, rating_mode, rating_version,"
		   " total_responses, created_at) VALUES (?1, ?2, iif(?5 IS NULL, ?3, NULL), ?4, ?5, ?6,"
		   " ?7, iif(?7 IS NULL, NULL, ?8), ?9, ?10, coalesce((SELECT max(id) FROM ratings), 0),"
		   " ?11, ?12, ?13, ?14, ?15, ?16)",
		   "iiibsIIIIiIissii", s->place.owner_uid, s->place.project_id, s->origin.id,
		   (int)s->adopt, s->input->response_ids, a->epoch, known(&s->filter_measure_id),
		   known(&s->origin.judge_id), value, s->last_response_id, known(&s->set_id),
		   s->judge_id, a->rating_mode, a->rating_version, s->total_responses, s->tx->now);
	*ret_id = db_last_id(s->tx->db);
	for (size_t i = 0; r >= 0 && i < s->measures.n; i++) {
		const struct run_measure *measure = s->measures.items[i];

		r = db_run(s->tx->db, "INSERT INTO rating_run_measures (rating_run_id, position,"
				      " owner_uid, project_id, measure_id) VALUES (?1, ?2, ?3, ?4, ?5)",
			   "iiiii", *ret_id, (int64_t)i, s->place.owner_uid, s->place.project_id,
			   measure->id);
	}
	return r < 0 ? r : 0;
}

static int insert_task(struct rating_submission *s, int64_t rating_run_id)
{
	const struct ellu_rate_responses_request *a = &s->a;
	struct task_new task = {
		.kind = TASK_KIND_RATING,
		.place = s->place,
		.name = s->name,
		.experiment_id = s->adopt ? s->origin.id : 0,
		.rating_run_id = rating_run_id,
		.priority = a->priority,
		.time_limit_seconds = *a->time_limit_seconds,
		.max_connections = a->max_connections,
		.cost_limit = a->cost_limit,
		.retry_of = s->adopt ? s->origin.task_id : 0,
		.idempotency_key = a->idempotency_key,
		.request_hash = s->input->hash,
		.rejected = s->rejected.code ? &s->rejected : NULL,
		.log = &s->notes.lines,
	};

	return task_submit_insert(s->tx, &s->op->submit, &task);
}

static int accept(struct rating_submission *s)
{
	int64_t id;
	int r;

	r = insert_run(s, &id);
	if (r >= 0)
		r = insert_task(s, id);
	if (r >= 0)
		r = db_run(s->tx->db, "UPDATE rating_runs SET round = ?2 WHERE id = ?1", "ii", id,
			   s->op->submit.ret_task->id);
	return r < 0 ? r : 0;
}

/* ---- The way ---- */

static int check_live(struct rating_submission *s)
{
	QUERY q = NULL;
	int r;

	if (!s->adopt)
		return 0;
	r = db_query(s->tx->db, &q, "SELECT id, status FROM tasks WHERE experiment_id = ?1"
				    " AND status IN ('PENDING', 'STARTED')", "i", s->origin.id);
	if (r >= 0)
		r = db_next(s->tx->db, q);
	return r <= 0 ? r :
			fault_conflict(s->tx->fault, "experiment", s->origin.name, s->origin.id,
				       "its task %" PRId64 " is %s", column_int(q, 0), column_peek(q, 1));
}

/* 1: rejected. */
static int resolve_and_accept(struct rating_submission *s)
{
	int r = rating_resolve(s);

	if (r < 0)
		return r;
	if (s->op->submit.queue_full && !s->rejected.code)
		fault_set(&s->rejected, ELLU_E_QUEUE_FULL, NULL);
	return s->rejected.code ? 1 : accept(s);
}

static int accept_or_reject(struct rating_submission *s)
{
	struct writer *writer = &s->tx->store->writer;
	size_t secrets = writer->secrets.n;
	int r;

	r = db_run(s->tx->db, "SAVEPOINT parts", "");
	if (r >= 0)
		r = resolve_and_accept(s);
	if (r <= 0)
		return r;
	secrets_rollback(&s->tx->store->secrets, &writer->secrets, secrets);
	s->notes = (struct notes){ 0 };
	r = db_run(s->tx->db, "ROLLBACK TO parts", "");
	return r < 0 ? r : insert_task(s, /* rating_run_id= */ 0);
}

static void set_defaults(struct rating_submission *s)
{
	struct ellu_rate_responses_request *a = &s->a;

	s->name = a->name ? a->name : a->experiment ? s->origin.name : NAME_DEFAULT;
	/* Rated again, the experiment keeps its ways. */
	if (!a->rating_mode)
		a->rating_mode = s->adopt ? s->origin.rating_mode : "fast";
	if (!a->rating_version)
		a->rating_version = s->adopt ? s->origin.rating_version : "1";
}

static int submit(struct rating_submission *s)
{
	struct task_submit *submit = &s->op->submit;
	int r;

	r = rating_find_responses(s);
	if (r >= 0)
		r = task_submit_find_key(s->tx, submit, s->place.owner_uid, s->a.idempotency_key,
					 s->input->hash);
	if (r != 0)
		return r < 0 ? r : 0;
	set_defaults(s);
	r = check_live(s);
	if (r >= 0)
		r = task_submit_check_room(s->tx);
	return r < 0 ? r : accept_or_reject(s);
}

/* The second form as the first. */
static void take_experiment(struct rating_submission *s,
			    const struct ellu_rate_experiment_request *request)
{
	s->adopt = true;
	s->a = (struct ellu_rate_responses_request)ELLU_RECORD(struct ellu_rate_responses_request);
	s->a.project = request->project;
	s->a.experiment = request->experiment;
	s->a.criterion_set = request->criterion_set;
	s->a.criteria = request->criteria;
	s->a.n_criteria = request->n_criteria;
	s->a.rating_llm_config = request->rating_llm_config;
	s->a.rating_mode = request->rating_mode;
	s->a.rating_version = request->rating_version;
	s->a.max_connections = request->max_connections;
	s->a.cost_limit = request->cost_limit;
	s->a.priority = request->priority;
	s->a.time_limit_seconds = request->time_limit_seconds;
	s->a.idempotency_key = request->idempotency_key;
}

static int rating_submit_run(struct tx *tx, struct store_request *request)
{
	struct rating_submit *op = (struct rating_submit *)request;
	struct rating_submission *s = tx_alloc(tx, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->tx = tx;
	s->op = op;
	s->scope = (struct scope){ .uid = op->submit.scope.uid,
				   .project = op->submit.scope.project };
	if (op->experiment)
		take_experiment(s, op->experiment);
	else
		s->a = *op->responses;
	s->input = op->input;
	if (!s->input)
		r = rating_look(s);
	op->input = s->input;
	if (r >= 0 && request->lane != STORE_WRITE)
		r = rating_check_listed(s);
	if (r > 0)
		return list_again(request);
	if (r < 0 || request->lane != STORE_WRITE) {
		request->lane = STORE_WRITE;
		return r;
	}
	task_submit_begin(&op->submit);
	return submit(s);
}

void store_rating_submit(struct store *store, struct task_submit *submit)
{
	struct rating_submit *op = (struct rating_submit *)submit;
	bool listed = op->responses && op->responses->response_ids;

	op->input = NULL;
	tx_post(store, &submit->request, listed ? STORE_POINT : STORE_WRITE, rating_submit_run);
}
