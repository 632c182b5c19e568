/*
 * Answers that were made elsewhere, and what was said of them. A reader finds the cases that they are for, which never change once
 * they are pinned; the writer records what is not there yet. The same once more changes nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/runs/experiment.h"
#include "daemon/store/runs/responses/answered_by.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "daemon/store/runs/responses/response_order.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

struct made {
	const struct ellu_made_response *response;
	size_t index; // in the request
	int64_t row_id;
	const char *tool_calls; // JSON, or NULL, here and below
	const char *transcript;
	const char *error;
	int64_t fallback; // that answered; -1: the run's own config
	struct made_verdict {
		int64_t measure_id;
		const char *error; // JSON, or NULL
	} *verdicts; // in the order of its ratings
};

/* What a reader has found out. */
struct made_list {
	struct made *items;
	size_t n;
};

static const char *path(struct tx *tx, const struct made *made, const char *member)
{
	return tx_printf(tx, "responses[%zu]%s%s", made->index, *member ? "." : "", member);
}

/* ---- At a reader: what it says by itself ---- */

static int encode_error(struct tx *tx, const struct made *made, const char *member,
			const struct ellu_error *error, const char **ret_text)
{
	if (error && !error_find_name(error->code))
		return fault_invalid(tx->fault, tx_printf(tx, "%s.code", path(tx, made, member)),
				     "the name of an error");
	return tx_encode(tx, &ellu_error_type, error, ret_text);
}

/* A list of records as text; NULL for none. */
static int encode_list(struct tx *tx, const struct record_type *type, const void *const *items, size_t n,
		       const char **ret_text)
{
	json_object *list = json_object_new_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		json_object *item = NULL;

		r = record_encode(type, items[i], TO_STORE, &item);
		if (r >= 0)
			r = json_object_array_add(list, item);
	}
	*ret_text = r >= 0 ? tx_strdup(tx, json_text(list, NULL)) : NULL;
	json_object_put(list);
	return *ret_text ? 0 : -ENOMEM;
}

static int find_config(struct tx *tx, const struct answered_by *answered_by, struct made *made)
{
	const char *name = made->response->llm_config;
	size_t i = 0;

	if (!name)
		return 0;
	while (i < answered_by->n && strcmp(answered_by->items[i].name, name) != 0)
		i++;
	made->fallback = (int64_t)i - 1;
	return i < answered_by->n ? 0 : fault_invalid(tx->fault, path(tx, made, "llm_config"), "the name of one of "
						      "the configs that the experiment can fall back from or to");
}

static int check(struct tx *tx, const struct run_row *run, struct made *made)
{
	const struct ellu_made_response *response = made->response;
	int r = encode_error(tx, made, "error", response->error, &made->error);

	if (r < 0)
		return r;
	if (!response->error == (!response->response_text && !response->tool_calls))
		return fault_invalid(tx->fault, path(tx, made, ""),
				     "response_text or tool_calls, or else error");
	if (response->error && response->n_ratings > 0)
		return fault_invalid(tx->fault, path(tx, made, "ratings"), "none where there is no answer");
	if (response->response_text && strlen(response->response_text) > RESPONSE_TEXT_MAX)
		return fault_too_large(tx->fault, RESPONSE_TEXT_MAX, path(tx, made, "response_text"));
	if (response->epoch > run->n_epochs)
		return fault_invalid(tx->fault, path(tx, made, "epoch"), "1 to %" PRId64, run->n_epochs);
	if (response->transcript)
		r = encode_list(tx, &ellu_message_type, (const void *const *)response->transcript,
				response->n_transcript, &made->transcript);
	if (r >= 0 && response->tool_calls)
		r = encode_list(tx, &ellu_tool_call_type, (const void *const *)response->tool_calls,
				response->n_tool_calls, &made->tool_calls);
	return r;
}

/* ---- At a reader: verdicts ---- */

static const struct run_measure *find_measure(const struct tx_list *measures, const char *text)
{
	for (size_t i = 0; i < measures->n; i++) {
		const struct run_measure *measure = measures->items[i];

		if (!measure->use && strcmp(measure->text, text) == 0)
			return measure;
	}
	return NULL;
}

/* Of evaluators alone, from 1. */
static const struct run_measure *find_evaluator(const struct tx_list *measures, int64_t number)
{
	for (size_t i = 0; i < measures->n; i++) {
		const struct run_measure *measure = measures->items[i];

		if (measure->use && --number == 0)
			return measure;
	}
	return NULL;
}

static int read_verdict(struct tx *tx, const struct run_row *run, const struct tx_list *measures,
			struct made *made, size_t i)
{
	const struct ellu_made_rating *rating = made->response->ratings[i];
	const bool scored = rating->evaluator != NULL;
	const struct run_measure *measure = scored ? find_evaluator(measures, *rating->evaluator) :
						     find_measure(measures, rating->criterion);
	const char *member = tx_printf(tx, "ratings[%zu]", i), *judge;

	if (!measure)
		return fault_invalid(tx->fault, path(tx, made, tx_printf(tx, scored ? "%s.evaluator" :
									 "%s.criterion", member)),
				     scored ? "the number of one of the experiment's evaluators" :
					      "the text of one of the experiment's criteria");
	if (scored ? rating->rating || rating->edited : rating->score != NULL)
		return fault_invalid(tx->fault, path(tx, made, member), scored ?
				     "a score, which nobody has edited, or an error" :
				     "a rating, or an error; a score is an evaluator's");
	judge = measure->check ? "check" : measure->by_judge ? run->judge.name : measure->text;
	if (rating->judge && strcmp(rating->judge, judge) != 0)
		return fault_invalid(tx->fault, path(tx, made, tx_printf(tx, "%s.judge", member)),
				     "the experiment's judge, %s", judge);
	made->verdicts[i].measure_id = measure->id;
	return encode_error(tx, made, tx_printf(tx, "%s.error", member), rating->error,
			    &made->verdicts[i].error);
}

static int read_verdicts(struct tx *tx, const struct run_row *run, struct made_list *list)
{
	struct tx_list measures = { 0 };
	size_t n = list->n;
	int r = run_measures(tx, run->id, &measures);

	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		struct made *made = &list->items[i];
		const struct ellu_made_response *response = made->response;

		made->verdicts = tx_array(tx, response->n_ratings, sizeof(*made->verdicts));
		if (!made->verdicts)
			return -ENOMEM;
		for (size_t k = 0; r >= 0 && k < response->n_ratings; k++) {
			n += 1 + (response->ratings[k]->edited != NULL);
			r = read_verdict(tx, run, &measures, made, k);
		}
	}
	if (r >= 0 && n > MADE_MAX)
		r = fault_invalid(tx->fault, "responses", "at most %d answers, verdicts and edits", MADE_MAX);
	return r;
}

/* ---- At a reader: rows by their number ---- */

static int by_row(const void *a, const void *b)
{
	const struct made *x = a, *y = b;
	int64_t left = x->response->row ? *x->response->row : 0;
	int64_t right = y->response->row ? *y->response->row : 0;

	return (left > right) - (left < right);
}

/* Where a walk over the pinned rows is; zeroed: before the first. */
struct row_place {
	int64_t sequence;
	int64_t batch_id;
	int64_t before; // rows of the batches before
	int64_t n; // of this batch
	int64_t row_id; // that was found last in it, ...
	int64_t number; // ... and its number; 0: none
};

static int next_batch(struct tx *tx, const struct run_row *run, struct row_place *place)
{
	int64_t sequence = place->sequence ? place->sequence + 1 : run->first_sequence + 1;
	int r = rows_next_batch(tx, run->collection_id, run->last_sequence, &sequence, &place->batch_id);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	*place = (struct row_place){ .sequence = sequence, .batch_id = place->batch_id,
				     .before = place->before + place->n };
	r = db_int(tx->db, &place->n, "SELECT row_count - (SELECT count(*) FROM template_variables v"
				      "  WHERE v.batch_id = ?1 AND v.removed_sequence IS NOT NULL"
				      "  AND v.removed_sequence <= ?2) FROM row_batches WHERE id = ?1",
		   "ii", place->batch_id, run->last_sequence);
	return r < 0 ? r : 0;
}

/* From the smallest number on. */
static int find_row(struct tx *tx, const struct run_row *run, struct row_place *place, int64_t number)
{
	int64_t passed = 0;
	int r = 0;

	while (r >= 0 && number > place->before + place->n)
		r = next_batch(tx, run, place);
	if (r < 0 || number == place->number)
		return r;
	passed = place->number ? place->number : place->before;
	r = db_int(tx->db, &place->row_id, "SELECT v.id FROM template_variables v WHERE v.batch_id = ?1"
					   " AND v.id > ?2 AND " ROW_IS_PINNED("?4")
					   " ORDER BY v.id LIMIT 1 OFFSET ?3", "iiii",
		   place->batch_id, place->row_id, number - passed - 1, run->last_sequence);
	place->number = number;
	return r < 0 ? r : r == 0 ? -EBADMSG : 0;
}

/* ---- At a reader: which case ---- */

/* Whether the run is pinned to the row: not behind its last one. */
static int check_row(struct tx *tx, const struct run_row *run, const struct made *made)
{
	int64_t sequence = 0, id = *made->response->template_variables_id;
	struct row_place last = { 0 };
	int r;

	r = db_int(tx->db, &sequence, "SELECT b.sequence FROM template_variables v CROSS JOIN row_batches b"
				      " ON b.id = v.batch_id WHERE v.id = ?1 AND b.collection_id = ?2"
				      " AND b.sequence > ?3 AND b.sequence <= ?4"
				      " AND " ROW_IS_PINNED("?4"),
		   "iiii", id, run->collection_id, run->first_sequence, run->last_sequence);
	if (r > 0 && run->row_limit)
		r = find_row(tx, run, &last, run->total_cases);
	if (r < 0)
		return r;
	if (!sequence || (last.sequence && (sequence > last.sequence ||
					    (sequence == last.sequence && id > last.row_id))))
		return fault_invalid(tx->fault, path(tx, made, "template_variables_id"),
				     "a row that the experiment is pinned to");
	return 0;
}

static int find_case(struct tx *tx, const struct run_row *run, struct row_place *place, struct made *made)
{
	const int64_t *number = made->response->row;
	int r;

	if (!number) {
		made->row_id = *made->response->template_variables_id;
		return check_row(tx, run, made);
	}
	if (*number > run->total_cases)
		return fault_invalid(tx->fault, path(tx, made, "row"), "1 to %" PRId64, run->total_cases);
	r = find_row(tx, run, place, *number);
	made->row_id = place->row_id;
	return r;
}

static int read_made(struct tx *tx, struct method_run *op)
{
	const struct ellu_add_responses_request *request = op->arguments;
	struct made_list *list = tx_alloc(tx, sizeof(*list));
	struct row_place place = { 0 };
	struct answered_by answered_by;
	struct run_row run;
	int r;

	if (!list)
		return -ENOMEM;
	list->n = request->n_responses;
	list->items = tx_array(tx, list->n, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	if (record_text_bytes(op->method->request, request) > ROWS_BYTES_MAX)
		return fault_too_large(tx->fault, ROWS_BYTES_MAX, "responses");
	r = experiment_run_resolve(tx, &op->scope, request->experiment, &run);
	if (r >= 0)
		r = answered_by_begin(tx, &run, &answered_by);
	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		list->items[i] = (struct made){ .response = request->responses[i], .index = i, .fallback = -1 };
		r = check(tx, &run, &list->items[i]);
		if (r >= 0)
			r = find_config(tx, &answered_by, &list->items[i]);
	}
	if (r >= 0)
		r = read_verdicts(tx, &run, list);
	if (r < 0)
		return r;
	qsort(list->items, list->n, sizeof(*list->items), by_row);
	for (size_t i = 0; r >= 0 && i < list->n; i++)
		r = find_case(tx, &run, &place, &list->items[i]);
	op->request.state = list;
	op->request.lane = STORE_WRITE;
	return r;
}

/* ---- At the writer ---- */

struct adding {
	struct tx *tx;
	struct run_row run;
	int64_t *added; // by epoch
	bool changed;
	struct ellu_add_responses_reply *reply;
};

/* 1: that answer is there; 0: none is. */
static int find_present(struct adding *adding, const struct made *made, int64_t *ret_id)
{
	const struct ellu_made_response *response = made->response;
	struct tx *tx = adding->tx;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q,
		   "SELECT id, (error IS NULL) = ?6 AND response_text IS ?4 AND tool_calls IS ?5"
		   " FROM responses WHERE template_variables_id = ?1 AND run_id = ?2 AND epoch = ?3",
		   "iiissb", made->row_id, adding->run.id, response->epoch, response->response_text,
		   made->tool_calls, !made->error);
	if (r <= 0)
		return r;
	*ret_id = column_int(q, 0);
	if (column_int(q, 1))
		return 1;
	return fault_conflict(tx->fault, "response", NULL, *ret_id,
			      "%s: the case has another answer in this epoch", path(tx, made, ""));
}

static int64_t usec_of(const double *seconds)
{
	return seconds ? llround(*seconds * USEC_PER_SEC) : 0;
}

static int insert(struct adding *adding, const struct made *made, int64_t *ret_id)
{
	const struct ellu_made_response *response = made->response;
	const struct run_row *run = &adding->run;

	return db_insert(adding->tx->db, ret_id,
			 "INSERT INTO responses (owner_uid, project_id, run_id, template_variables_id, epoch,"
			 " response_text, tool_calls, finish_reason, error, attempts, duration_usec,"
			 " input_tokens, output_tokens, reasoning_tokens, cost_nanodollars, annotation,"
			 " replaced, round, created_at, cached_tokens, fallback, transcript) VALUES (?1, ?2, ?3,"
			 " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, nullif(?16, ''), 0, ?17, ?18,"
			 " ?19, ?20, ?21)",
			 "iiiiissssinIIIIsiiIns", run->owner_uid, run->project_id, run->id, made->row_id,
			 response->epoch, response->response_text, made->tool_calls,
			 response->finish_reason, made->error, response->attempts,
			 response->duration_seconds ? usec_of(response->duration_seconds) : -1, response->input_tokens,
			 response->output_tokens, response->reasoning_tokens, response->cost,
			 response->annotation, run->round, adding->tx->now, response->cached_tokens,
			 made->fallback, made->transcript);
}

static const double *value_of(const char *rating)
{
	static const double yes = 1, no = 0;

	return !rating ? NULL : strcmp(rating, "YES") == 0 ? &yes : &no;
}

/* What is there stays. */
static int add_verdict(struct adding *adding, int64_t response_id, const struct ellu_made_rating *rating,
		       const struct made_verdict *verdict)
{
	const double *value = rating->score ? rating->score : value_of(rating->rating);
	const struct run_row *run = &adding->run;
	struct db *db = adding->tx->db;
	int r;

	r = db_run(db, "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, judge_id,"
		       " value, reasoning, raw_text, error, attempts, duration_usec, input_tokens,"
		       " output_tokens, cost_nanodollars, round, created_at, cached_tokens)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
		       " ON CONFLICT (response_id, measure_id, judge_id) DO NOTHING",
		   "iiiiiDsssiiIIIiiI", run->owner_uid, run->project_id, response_id, verdict->measure_id,
		   run->judge_id, value, rating->reasoning,
		   rating->raw_text, verdict->error, rating->attempts, usec_of(rating->duration_seconds),
		   rating->input_tokens, rating->output_tokens, rating->cost, run->round, adding->tx->now,
		   rating->cached_tokens);
	adding->changed = adding->changed || r > 0;
	if (r > 0)
		r = response_block_widen_verdict(db, &(struct response_verdict){ run->id, response_id,
				verdict->measure_id, run->judge_id, value ? *value : -1 });
	if (r < 0 || !rating->edited)
		return r;
	r = db_run(db, "INSERT INTO ratings (owner_uid, project_id, response_id, measure_id, value,"
		       " reasoning, attempts, duration_usec, created_at)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7) ON CONFLICT DO NOTHING", "iiiiDsi",
		   run->owner_uid, run->project_id, response_id, verdict->measure_id,
		   value_of(rating->edited->rating), rating->edited->reasoning, adding->tx->now);
	adding->changed = adding->changed || r > 0;
	return r;
}

static int add(struct adding *adding, const struct made *made)
{
	const struct ellu_made_response *response = made->response;
	bool edited = false;
	int64_t id;
	int r = find_present(adding, made, &id);

	if (r > 0)
		adding->reply->present++;
	if (r == 0) {
		r = insert(adding, made, &id);
		adding->reply->added++;
		adding->added[response->epoch - 1]++;
		adding->changed = true;
	}
	for (size_t i = 0; r >= 0 && i < response->n_ratings; i++) {
		r = add_verdict(adding, id, response->ratings[i], &made->verdicts[i]);
		edited = edited || response->ratings[i]->edited;
	}
	return r >= 0 && edited ? response_block_widen(adding->tx->db, id) : r;
}

/* How many there are decides what the run may do; the rest is counted when it does. Others have paid for
 * them: what the run has spent stays as it is. */
static int count(struct adding *adding)
{
	const struct run_row *run = &adding->run;
	struct db *db = adding->tx->db;
	int r = 0;

	if (!adding->changed)
		return 0;
	for (int64_t epoch = 1; r >= 0 && epoch <= run->n_epochs; epoch++)
		if (adding->added[epoch - 1] > 0 && (r = run_epoch_begin(adding->tx, run->id, epoch)) >= 0)
			r = db_run(db, "UPDATE run_epochs SET generated = generated + ?3 WHERE run_id = ?1"
				       " AND epoch = ?2", "iii", run->id, epoch, adding->added[epoch - 1]);
	if (r >= 0)
		r = db_run(db, "UPDATE runs SET counters_stale = counters_stale + 1 WHERE id = ?1", "i", run->id);
	return r < 0 ? r : response_order_due(adding->tx, run->id);
}

int responses_add(struct tx *tx, struct method_run *op)
{
	const struct ellu_add_responses_request *request = op->arguments;
	const struct made_list *list = op->request.state;
	struct adding adding = { .tx = tx };
	struct experiment_row experiment;
	int r;

	if (!list)
		return read_made(tx, op);
	adding.reply = method_reply(tx, op);
	if (!adding.reply)
		return -ENOMEM;
	r = experiment_row_resolve(tx, &op->scope, request->experiment, &experiment);
	if (r >= 0)
		r = experiment_check_idle(tx, &experiment);
	if (r >= 0)
		r = run_row_load(tx, experiment.run_id, &adding.run);
	if (r < 0)
		return r;
	adding.added = tx_array(tx, (size_t)adding.run.n_epochs, sizeof(*adding.added));
	r = adding.added ? 0 : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < list->n; i++)
		r = add(&adding, &list->items[i]);
	return r < 0 ? r : count(&adding);
}
