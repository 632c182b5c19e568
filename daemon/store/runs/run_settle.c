#include "daemon/store/runs/run_settle.h"

#include "daemon/store/runs/experiment_identity.h"

/* By its new pin it is another experiment to who compares it with a request. */
static int identify(struct tx *tx, int64_t experiment_id)
{
	char identity[IDENTITY_SIZE];
	int r = experiment_identify(tx, experiment_id, identity);

	return r < 0 ? r :
		       db_run(tx->db, "UPDATE experiments SET identity = ?2 WHERE id = ?1", "is",
			      experiment_id, (const char *)identity);
}

static int adopt(struct tx *tx, int64_t experiment_id, int64_t rating_run_id)
{
	int r;

	r = db_run(tx->db, "UPDATE experiments SET judge_id = n.judge_id, rating_mode = n.rating_mode,"
			   " rating_version = n.rating_version, criterion_set_id = n.criterion_set_id,"
			   " counters_stale = counters_stale + 1"
			   " FROM rating_runs n WHERE experiments.id = ?1 AND n.id = ?2",
		   "ii", experiment_id, rating_run_id);
	if (r >= 0)
		r = db_run(tx->db, "DELETE FROM experiment_measures WHERE experiment_id = ?1", "i",
			   experiment_id);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO experiment_measures (experiment_id, position, owner_uid,"
				   " project_id, measure_id) SELECT ?1, position, owner_uid, project_id,"
				   " measure_id FROM rating_run_measures WHERE rating_run_id = ?2",
			   "ii", experiment_id, rating_run_id);
	return r < 0 ? r : identify(tx, experiment_id);
}

int run_settle(struct tx *tx, int64_t task_id)
{
	int64_t experiment_id, rating_run_id;
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT coalesce(experiment_id, 0), coalesce(rating_run_id, 0)"
				 " FROM tasks WHERE id = ?1", "i", task_id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r <= 0)
		return r;
	experiment_id = column_int(q, 0);
	rating_run_id = column_int(q, 1);
	if (rating_run_id)
		r = db_run(tx->db, "UPDATE rating_runs SET rated = total_responses WHERE id = ?1", "i",
			   rating_run_id);
	if (r >= 0 && rating_run_id && experiment_id)
		r = adopt(tx, experiment_id, rating_run_id);
	/* What others had its judge say in the meantime is not in the counters. */
	if (r >= 0 && experiment_id)
		r = db_run(tx->db, "UPDATE experiment_epochs SET rated = generated"
				   " WHERE experiment_id = ?1 AND rated <> generated",
			   "i", experiment_id);
	return r < 0 ? r : 0;
}
