#include "daemon/store/resources/criterion.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/llm_config.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/provider.h"
#include "proto/utf8.h"

#define FAMILY_BYTES_MAX 180 // of a name that " criteria #N" goes behind
#define SET_NAME_CHARS_MAX (NAME_MAX_CHARS - 9) // " criteria"

static int compare_texts(const void *a, const void *b)
{
	const char *const *const *x = a, *const *const *y = b;
	int r = strcmp(**x, **y);

	return r != 0 ? r : (*x > *y) - (*x < *y);
}

/* The texts without repetitions, in the order of their first appearance. */
static int distinct(struct tx *tx, const char *const *texts, size_t n_texts, struct tx_list *list)
{
	const char *const **sorted = tx_array(tx, n_texts, sizeof(*sorted));
	bool *repeated = tx_array(tx, n_texts, sizeof(*repeated));
	size_t bytes = 0;
	int r = 0;

	if (!sorted || !repeated)
		return -ENOMEM;
	for (size_t i = 0; i < n_texts; i++) {
		sorted[i] = &texts[i];
		bytes += strlen(texts[i]);
	}
	if (bytes > CRITERIA_BYTES_MAX)
		return fault_too_large(tx->fault, CRITERIA_BYTES_MAX, "criteria");
	qsort(sorted, n_texts, sizeof(*sorted), compare_texts);
	for (size_t i = 1; i < n_texts; i++)
		repeated[sorted[i] - texts] = strcmp(*sorted[i], *sorted[i - 1]) == 0;
	for (size_t i = 0; r >= 0 && i < n_texts; i++)
		if (!repeated[i])
			r = tx_append(tx, list, texts[i]);
	return r;
}

static void set_identity(const struct tx_list *texts, char ret_identity[static IDENTITY_SIZE])
{
	struct identity identity;

	identity_init(&identity);
	for (size_t i = 0; i < texts->n; i++)
		identity_text(&identity, texts->items[i]);
	identity_done(&identity, ret_identity);
}

/* NAME #N is number N of NAME's family; any other name begins one. */
static int family_of(struct tx *tx, const char *name, const char **ret_family, int64_t *ret_number)
{
	const char *mark = strrchr(name, '#');
	int64_t number = 0;
	int end = -1;

	*ret_family = name;
	*ret_number = 1;
	if (!mark || mark - name < 2 || mark[-1] != ' ' || mark[1] < '1' || mark[1] > '9' ||
	    sscanf(mark + 1, "%18" SCNd64 "%n", &number, &end) != 1 || mark[1 + end] || number < 2)
		return 0;
	*ret_family = tx_printf(tx, "%.*s", (int)(mark - 1 - name), name);
	*ret_number = number;
	return *ret_family ? 0 : -ENOMEM;
}

static int set_fill(struct tx *tx, const struct place *place, int64_t id,
		    const struct tx_list *texts)
{
	int r;

	r = db_run(tx->db, "UPDATE criteria SET position = NULL WHERE criterion_set_id = ?1", "i", id);
	for (size_t i = 0; r >= 0 && i < texts->n; i++)
		r = db_run(tx->db, "INSERT INTO criteria (owner_uid, project_id, criterion_set_id,"
				   " position, criterion_str, created_at)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
				   " ON CONFLICT (criterion_set_id, criterion_str)"
				   " DO UPDATE SET position = excluded.position",
			   "iiiisi", place->owner_uid, place->project_id, id, (int64_t)i,
			   (const char *)texts->items[i], tx->now);
	return r < 0 ? r : 0;
}

static int set_insert(struct tx *tx, const struct place *place, const char *name,
		      const char *identity, int64_t *ret_id)
{
	const char *family;
	int64_t number;
	int r;

	r = family_of(tx, name, &family, &number);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO criterion_sets (owner_uid, project_id, name, family,"
			      " family_number, identity, created_at, updated_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
			      "iissisi", place->owner_uid, place->project_id, name, family, number,
			      identity, tx->now);
	return r;
}

const struct resource resource_criterion_set = {
	.name = "criterion_set",
	RESOURCE_STATEMENTS("criterion_sets"),
};

/* Brings the set of that name to the texts, or makes it. */
static int set_bring(struct tx *tx, const struct place *place, const char *name,
		     const struct tx_list *texts, bool update, struct notes *notes, int64_t *ret_id)
{
	char identity[IDENTITY_SIZE];
	int64_t same = 0;
	int r;

	set_identity(texts, identity);
	r = resource_find(tx, &resource_criterion_set, place->project_id, name, ret_id);
	if (r < 0)
		return r;
	if (r == 0) {
		r = set_insert(tx, place, name, identity, ret_id);
		return r < 0 ? r : set_fill(tx, place, *ret_id, texts);
	}
	r = db_int(tx->db, &same, "SELECT identity = ?2 FROM criterion_sets WHERE id = ?1", "is",
		   *ret_id, (const char *)identity);
	if (r < 0 || same)
		return r < 0 ? r : 0;
	if (!update)
		return fault_conflict(tx->fault, "criterion_set", name, *ret_id,
				      "a criterion set of that name exists and differs");
	r = db_run(tx->db, "UPDATE criterion_sets SET updated_at = ?2, identity = ?3 WHERE id = ?1",
		   "iis", *ret_id, tx->now, (const char *)identity);
	if (r >= 0)
		r = set_fill(tx, place, *ret_id, texts);
	return r < 0 ? r : notes_add(tx, notes, "criterion set '%s': updated", name);
}

int criterion_set_put(struct tx *tx, const struct place *place, const char *name,
		      const char *const *texts, size_t n_texts, bool update, struct notes *notes,
		      int64_t *ret_id)
{
	struct tx_list list = { 0 };
	int r;

	r = distinct(tx, texts, n_texts, &list);
	return r < 0 ? r : set_bring(tx, place, name, &list, update, notes, ret_id);
}

int criteria_check(struct tx *tx, const char *name, const char *const *texts, size_t n_texts,
		   const struct ellu_ref *set)
{
	if (!texts)
		return 0;
	if (set)
		return fault_invalid(tx->fault, "criteria", "either criteria or criterion_set");
	for (size_t i = 0; i < n_texts; i++)
		if (strspn(texts[i], " \t\r\n") == strlen(texts[i]))
			return fault_invalid(tx->fault, tx_printf(tx, "criteria[%zu]", i), "a question");
	if (name && utf8_length(name, strlen(name)) > SET_NAME_CHARS_MAX)
		return fault_invalid(tx->fault, "name",
				     "at most 191 characters when criteria are given, whose set is "
				     "named after it");
	return 0;
}

int criterion_set_fit(struct tx *tx, const struct place *place, const char *name,
		      const char *const *texts, size_t n_texts, int64_t *ret_id)
{
	int shown = (int)utf8_cut(name, strlen(name), FAMILY_BYTES_MAX);
	const char *family = tx_printf(tx, "%.*s criteria", shown, name), *set = family;
	char identity[IDENTITY_SIZE];
	struct tx_list list = { 0 };
	int64_t newest = 0;
	int r;

	r = family ? distinct(tx, texts, n_texts, &list) : -ENOMEM;
	if (r < 0)
		return r;
	set_identity(&list, identity);
	r = db_int(tx->db, ret_id, "SELECT id FROM criterion_sets WHERE project_id = ?1 AND family = ?2"
				   " AND identity = ?3 ORDER BY family_number LIMIT 1",
		   "iss", place->project_id, family, (const char *)identity);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_int(tx->db, &newest, "SELECT max(family_number) FROM criterion_sets"
				    " WHERE project_id = ?1 AND family = ?2", "is", place->project_id,
		   family);
	if (r > 0)
		set = tx_printf(tx, "%s #%" PRId64, family, newest + 1);
	if (r < 0 || !set)
		return r < 0 ? r : -ENOMEM;
	r = set_insert(tx, place, set, identity, ret_id);
	return r < 0 ? r : set_fill(tx, place, *ret_id, &list);
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

	r = db_run(tx->db, "INSERT INTO measures (owner_uid, project_id, kind, criterion_id, text)"
			   " SELECT owner_uid, project_id, 'criterion', id, criterion_str FROM criteria"
			   " WHERE criterion_set_id = ?1 AND position IS NOT NULL"
			   " ON CONFLICT (criterion_id, text) DO NOTHING", "i", set_id);
	if (r >= 0)
		r = db_query(tx->db, &q, "SELECT m.id, c.id, m.text FROM criteria c JOIN measures m"
					 " ON m.criterion_id = c.id AND m.text = c.criterion_str"
					 " WHERE c.criterion_set_id = ?1 AND c.position IS NOT NULL"
					 " ORDER BY c.position", "i", set_id);
	return r < 0 ? r : read_measures(tx, q, measures);
}

int measures_texts(struct tx *tx, const struct tx_list *measures, const char *const **ret_texts)
{
	const char **texts = tx_array(tx, measures->n, sizeof(*texts));

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < measures->n; i++)
		texts[i] = ((const struct run_measure *)measures->items[i])->text;
	*ret_texts = texts;
	return 0;
}

int run_measures(struct tx *tx, int64_t run_id, struct tx_list *measures)
{
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT m.id, m.criterion_id, m.text FROM run_measures n"
				 " JOIN measures m ON m.id = n.measure_id"
				 " WHERE n.run_id = ?1 ORDER BY n.position", "i", run_id);
	return r < 0 ? r : read_measures(tx, q, measures);
}

int judge_put(struct tx *tx, const struct place *place, const struct ellu_llm_config *config,
	      const char *rating_mode, const char *rating_version, int64_t *ret_id)
{
	const char *kind = provider_is_simulated(config->provider) ? "simulated" : "model";
	struct ellu_llm_config snapshot = *config;
	char of_config[IDENTITY_SIZE], hash[IDENTITY_SIZE];
	struct identity identity;
	const char *text;
	int r;

	r = llm_config_identity(tx, config, of_config);
	if (r < 0)
		return r;
	identity_init(&identity);
	identity_text(&identity, kind);
	identity_text(&identity, of_config);
	identity_text(&identity, rating_mode);
	identity_text(&identity, rating_version);
	/* The same settings behind another config may lead to another model. */
	identity_int(&identity, *config->id);
	identity_done(&identity, hash);
	r = db_int(tx->db, ret_id, "SELECT id FROM judges WHERE project_id = ?1 AND identity = ?2",
		   "is", place->project_id, hash);
	if (r != 0)
		return r < 0 ? r : 0;
	snapshot.api_key = NULL;
	r = tx_encode(tx, &ellu_llm_config_type, &snapshot, &text);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO judges (owner_uid, project_id, kind, name,"
			      " llm_config_id, snapshot, rating_mode, rating_version, identity,"
			      " created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
			      "iississssi", place->owner_uid, place->project_id, kind, config->name,
			      *config->id, text, rating_mode, rating_version, hash, tx->now);
	return r;
}
