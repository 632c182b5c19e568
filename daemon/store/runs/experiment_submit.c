/*
 * NAME, NAME #2, ... are a family. Bringing things to a request's content looks for the one of them
 * that is pinned the same: it is answered (finished) or continued; anything else is a new one.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/engine/store_internal.h"
#include "daemon/store/runs/submit.h"
#include "daemon/store/tasks/task_submit.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* None: zeroed, and 0. */
static int load_found(struct submission *s, int r, int64_t id, struct experiment_row *ret_row)
{
	*ret_row = (struct experiment_row){ 0 };
	return r <= 0 ? r : experiment_row_load(s->tx, id, ret_row);
}

static int find_newest(struct submission *s, struct experiment_row *ret_row)
{
	int64_t id = 0;
	int r;

	r = db_int(s->tx->db, &id, "SELECT coalesce((SELECT id FROM experiments WHERE project_id = ?1"
				   "  AND family = ?2 ORDER BY family_number DESC LIMIT 1),"
				   " (SELECT id FROM experiments WHERE project_id = ?1 AND name = ?2))",
		   "is", s->place.project_id, s->arguments->name);
	return load_found(s, r, id, ret_row);
}

/* The newest of those that would bring the same. */
static int find_same(struct submission *s, struct experiment_row *ret_row)
{
	int64_t id = 0;
	int r = 0;

	if (!*s->arguments->run_afresh)
		r = db_int(s->tx->db, &id, "SELECT id FROM experiments WHERE project_id = ?1"
					   " AND family = ?2 AND identity = ?3"
					   " ORDER BY family_number DESC LIMIT 1", "iss",
			   s->place.project_id, s->arguments->name, (const char *)s->identity);
	return load_found(s, r, id, ret_row);
}

static int conflict(struct submission *s, const struct experiment_row *row)
{
	int r = experiment_check_idle(s->tx, row);

	return r < 0 ? r : fault_conflict(s->tx->fault, "experiment", row->name, row->id,
					  "an experiment of that name exists");
}

static int insert(struct submission *s, int64_t experiment_id, const char *name,
		  int64_t retry_of)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	struct task_new task = {
		.kind = TASK_KIND_EXPERIMENT,
		.place = s->place,
		.name = name,
		.experiment_id = experiment_id,
		.run_id = experiment_id ? s->run.id : 0,
		.priority = a->priority,
		.time_limit_seconds = *a->time_limit_seconds,
		.cost_limit = a->cost_limit,
		.retry_of = retry_of,
		.idempotency_key = a->idempotency_key,
		.request_hash = s->input->hash,
		.rejected = s->rejected.code ? &s->rejected : NULL,
		.log = &s->notes.lines,
	};

	return task_submit_insert(s->tx, &s->op->submit, &task);
}

/* `experiment_id` 0: what would have been made is not kept. */
static int reject(struct submission *s, int64_t experiment_id, const char *name, int64_t retry_of)
{
	s->notes = (struct notes){ 0 };
	return insert(s, experiment_id, name, retry_of);
}

static int find_key(struct submission *s)
{
	return task_submit_find_key(s->tx, &s->op->submit, s->place.owner_uid,
				    s->arguments->idempotency_key, s->input->hash);
}

static void check_queue(struct submission *s)
{
	if (s->op->submit.queue_full && !s->rejected.code)
		fault_set(&s->rejected, ELLU_E_QUEUE_FULL, NULL);
}

/* The first free NAME #k behind the newest member. */
static int next_name(struct submission *s, const struct experiment_row *newest, const char **ret_name,
		     int64_t *ret_number)
{
	const char *family = s->arguments->name;
	int64_t number = newest->id && strcmp(newest->family, family) == 0 ? newest->family_number : 1;
	int64_t id;
	int r;

	do {
		*ret_name = tx_printf(s->tx, "%s #%" PRId64, family, ++number);
		if (!*ret_name)
			return -ENOMEM;
		if (utf8_length(*ret_name, strlen(*ret_name)) > NAME_MAX_CHARS)
			return fault_invalid(s->tx->fault, "name",
					     "a shorter name, since there is one already and a number "
					     "has to go behind it");
		r = resource_find(s->tx, RESOURCE_EXPERIMENT, s->place.project_id, *ret_name, &id);
	} while (r > 0);
	*ret_number = number;
	return r;
}

static int find_source(struct submission *s)
{
	int r = 0;

	if (!*s->arguments->run_afresh)
		r = db_int(s->tx->db, &s->source_id,
			   "SELECT id FROM experiments WHERE project_id = ?1 AND family = ?2"
			   " AND answer_identity = ?3 ORDER BY family_number DESC LIMIT 1", "iss",
			   s->place.project_id, s->arguments->name, s->answer_identity);
	return r < 0 ? r : 0;
}

static int create(struct submission *s, const struct experiment_row *newest)
{
	const char *name = s->arguments->name;
	int64_t number = 1, id;
	int r = 0;

	if (newest->id) {
		r = next_name(s, newest, &name, &number);
		if (r >= 0)
			r = find_source(s);
		if (r >= 0)
			r = notes_add(s->tx, &s->notes, "experiment '%s' is new: '%s'",
				      s->arguments->name, name);
	}
	if (r >= 0)
		r = submit_insert_experiment(s, name, number, &id);
	s->is_new = true;
	return r < 0 ? r : insert(s, id, name, /* retry_of= */ 0);
}

/* Experiment and task from resolved and pinned parts. 1: rejected after all. */
static int choose(struct submission *s, const struct experiment_row *newest)
{
	struct experiment_row same;
	int r = find_same(s, &same);

	if (r < 0)
		return r;
	r = experiment_check_idle(s->tx, &same);
	if (r < 0)
		return r;
	if (same.id)
		s->run.id = same.run_id;
	if (same.task_status && strcmp(same.task_status, "SUCCESS") == 0) {
		s->op->submit.ret_finished = true;
		return task_submit_existing(s->tx, &s->op->submit, same.task_id);
	}
	check_queue(s);
	if (s->rejected.code)
		return 1;
	return same.id ? insert(s, same.id, same.name, same.task_id) : create(s, newest);
}

static int resolve_and_choose(struct submission *s, const struct experiment_row *newest)
{
	int r;

	r = submit_resolve(s);
	if (r >= 0)
		r = submit_check_state(s);
	if (r < 0)
		return r;
	if (s->rejected.code)
		return 1;
	r = submit_pin(s);
	return r < 0 ? r : choose(s, newest);
}

static int submit_parts(struct submission *s)
{
	struct writer *writer = &s->tx->store->writer;
	size_t secrets = writer->secrets.n;
	struct experiment_row newest;
	int r;

	r = task_submit_check_room(s->tx);
	if (r >= 0)
		r = submit_check_parts(s);
	if (r >= 0)
		r = find_newest(s, &newest);
	if (r < 0)
		return r;
	if (newest.id && !s->update && !*s->arguments->run_afresh)
		return conflict(s, &newest);
	r = db_run(s->tx->db, "SAVEPOINT parts", "");
	if (r >= 0)
		r = resolve_and_choose(s, &newest);
	if (r <= 0)
		return r;
	/* A rejected submission leaves nothing but its task. */
	secrets_rollback(&s->tx->store->secrets, &writer->secrets, secrets);
	r = db_run(s->tx->db, "ROLLBACK TO parts", "");
	return r < 0 ? r : reject(s, /* experiment_id= */ 0, s->arguments->name, /* retry_of= */ 0);
}

/* ---- What is missing of an experiment, again ---- */

static int submit_again(struct submission *s)
{
	struct experiment_row experiment;
	int r;

	r = submit_check_again(s);
	if (r >= 0)
		r = experiment_row_resolve(s->tx, &s->op->submit.scope, s->arguments->experiment,
					   &experiment);
	if (r < 0)
		return r;
	s->place = (struct place){ experiment.owner_uid, experiment.project_id };
	r = find_key(s);
	if (r != 0)
		return r < 0 ? r : 0;
	r = experiment_check_idle(s->tx, &experiment);
	if (r >= 0)
		r = task_submit_check_room(s->tx);
	s->run.id = experiment.run_id;
	if (r >= 0)
		r = task_submit_check_run(s->tx, &s->op->submit, s->run.id, s->arguments->cost_limit,
					  &s->rejected);
	return r < 0 ? r : insert(s, experiment.id, experiment.name, experiment.task_id);
}

static int submit(struct submission *s)
{
	int r;

	if (s->arguments->experiment)
		return submit_again(s);
	r = place_resolve(s->tx, &s->scope, &s->place);
	if (r >= 0)
		r = find_key(s);
	if (r != 0)
		return r < 0 ? r : 0;
	return submit_parts(s);
}

static int experiment_submit_run(struct tx *tx, struct store_request *request)
{
	static const int64_t one = 1;
	static const double time_limit = 36000;
	static const int no;
	struct experiment_submit *op = (struct experiment_submit *)request;
	struct ellu_run_experiment_request arguments = *op->arguments;
	struct submission *s = tx_alloc(tx, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	/* A request that no front decoded may lack its defaults. */
	arguments.rating_mode = arguments.rating_mode ? arguments.rating_mode : "fast";
	arguments.rating_version = arguments.rating_version ? arguments.rating_version : "1";
	arguments.n_epochs = arguments.n_epochs ? arguments.n_epochs : &one;
	arguments.priority = arguments.priority ? arguments.priority : "normal";
	arguments.run_afresh = arguments.run_afresh ? arguments.run_afresh : &no;
	if (!arguments.time_limit_seconds)
		arguments.time_limit_seconds = &time_limit;
	if (op->plan_only)
		arguments.idempotency_key = NULL; // what an earlier request came to is no plan
	if (!op->input)
		r = submit_read(tx, &op->submit.scope, &arguments, &op->input);
	if (r < 0 || request->lane != STORE_WRITE) {
		request->lane = STORE_WRITE;
		return r;
	}
	s->tx = tx;
	s->op = op;
	s->input = op->input;
	s->arguments = &arguments;
	s->scope = (struct scope){ .uid = op->submit.scope.uid,
				   .project = op->submit.scope.project };
	s->update = arguments.update_existing && *arguments.update_existing;
	task_submit_begin(&op->submit);
	r = op->plan_only ? submit_plan(s, submit) : submit(s);
	if (r < 0)
		return r;
	if (!op->plan_only)
		notes_warn(&s->notes);
	op->ret_notes = tx_list_items(tx, &s->notes.lines);
	op->ret_n_notes = s->notes.lines.n;
	return 0;
}

static void post(struct store *store, struct experiment_submit *op, bool plan_only)
{
	const struct ellu_collection_in *collection = op->arguments->collection;
	bool reads = collection && collection->content && collection->content->n_variables > 0;

	op->input = NULL;
	op->plan_only = plan_only;
	tx_post(store, &op->submit.request, reads ? STORE_SCAN : STORE_WRITE, experiment_submit_run);
}

void store_experiment_submit(struct store *store, struct task_submit *submit)
{
	post(store, (struct experiment_submit *)submit, /* plan_only= */ false);
}

void store_experiment_plan(struct store *store, struct experiment_submit *op)
{
	post(store, op, /* plan_only= */ true);
}
