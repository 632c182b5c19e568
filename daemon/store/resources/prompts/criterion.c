#include "daemon/store/resources/prompts/criterion.h"

#include <errno.h>

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "proto/generated/interface.h"

int check_read(struct tx *tx, sqlite3_stmt *q, int column, const struct ellu_check **ret_check)
{
	const char *text = column_peek(q, column);
	struct ellu_check *check;
	int r = tx_decode(tx, &ellu_check_type, text && *text ? text : NULL, &check);

	if (r >= 0)
		*ret_check = check;
	return r;
}

static int use_read(struct tx *tx, const char *text, const struct ellu_evaluator_use **ret_use)
{
	struct ellu_evaluator_use *use;
	int r = tx_decode(tx, &ellu_evaluator_use_type, text, &use);

	if (r >= 0)
		*ret_use = use;
	return r;
}

static int read_measures(struct tx *tx, sqlite3_stmt *q, struct tx_list *measures)
{
	int r;

	while ((r = db_next(tx->db, q)) > 0) {
		struct run_measure *measure = tx_alloc(tx, sizeof(*measure));

		if (!measure)
			return -ENOMEM;
		measure->id = column_int(q, 0);
		measure->criterion_id = column_int(q, 1);
		measure->text = tx_text(tx, q, 2);
		measure->label = tx_text(tx, q, 3);
		r = measure->criterion_id ? check_read(tx, q, 4, &measure->check) :
					    use_read(tx, column_peek(q, 4), &measure->use);
		measure->by_judge = measure->criterion_id ? !measure->check : column_int(q, 5) != 0;
		if (r >= 0)
			r = tx_append(tx, measures, measure);
		if (r < 0)
			break;
	}
	return r;
}

int criterion_set_measures(struct tx *tx, int64_t set_id, struct tx_list *measures)
{
	QUERY q = NULL;
	int r;

	r = db_run(tx->db, "INSERT INTO measures (owner_uid, project_id, criterion_id, text, rule)"
			   " SELECT owner_uid, project_id, id, criterion_str, coalesce(rule, '') FROM criteria"
			   " WHERE criterion_set_id = ?1 AND position IS NOT NULL"
			   " ON CONFLICT (criterion_id, text, rule) DO NOTHING", "i", set_id);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT m.id, c.id, m.text, c.label, m.rule, m.by_judge FROM criteria c"
					 " JOIN measures m ON m.criterion_id = c.id"
					 " AND m.text = c.criterion_str AND m.rule = coalesce(c.rule, '')"
					 " WHERE c.criterion_set_id = ?1 AND c.position IS NOT NULL"
					 " ORDER BY c.position", "i", set_id);
	return r < 0 ? r : read_measures(tx, q, measures);
}

int measures_texts(struct tx *tx, const struct tx_list *measures, const char *const **ret_texts)
{
	const char **texts = tx_array(tx, measures->n, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < measures->n; i++) {
		const struct run_measure *measure = measures->items[i];
		const char *value = measure->check ? measure->check->value : NULL;

		texts[i] = measure->use ? "" :
			   value	? tx_printf(tx, "%s\n%s", measure->text, value) : measure->text;
	}
	*ret_texts = texts;
	return tx->oom ? -ENOMEM : 0;
}

bool measures_need_judge(const struct tx_list *measures)
{
	for (size_t i = 0; i < measures->n; i++)
		if (((const struct run_measure *)measures->items[i])->by_judge)
			return true;
	return false;
}

int run_measures(struct tx *tx, int64_t run_id, struct tx_list *measures)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT m.id, c.id, m.text, c.label, m.rule, m.by_judge FROM run_measures n"
				 " JOIN measures m ON m.id = n.measure_id"
				 " LEFT JOIN criteria c ON c.id = m.criterion_id"
				 " WHERE n.run_id = ?1 ORDER BY n.position", "i", run_id);
	return r < 0 ? r : read_measures(tx, q, measures);
}

/* They come first. */
int run_criteria(struct tx *tx, int64_t run_id, struct tx_list *measures)
{
	int r = run_measures(tx, run_id, measures);

	while (measures->n > 0 && ((const struct run_measure *)measures->items[measures->n - 1])->use)
		measures->n--;
	return r;
}
