/* Which responses of an experiment there are, in several orders; see response.h. */
#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/runs/responses/response.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "daemon/store/runs/responses/response_order.h"

/* ---- The filter ---- */

/* ?1 run, ?2 judge, then the filter's members in their order. */
#define LETS_THROUGH                                                                            \
	" (?3 IS NULL OR r.epoch = ?3) AND (?4 IS NULL OR (r.error IS NOT NULL) = ?4)"          \
	" AND ((?5 IS NULL AND ?6 IS NULL) OR EXISTS (SELECT 1 FROM ratings g"                  \
	"  CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN run_measures e"              \
	"  ON e.run_id = ?1 AND e.measure_id = m.id WHERE g.response_id = r.id"                 \
	"  AND g.judge_id = ?2 AND m.criterion_id = coalesce(?5, m.criterion_id)"               \
	"  AND (?6 IS NULL OR (" RATING_VALUE " >= 0.5) = ?6)))"                                \
	" AND (?7 IS NULL OR (r.annotation IS NOT NULL) = ?7)"                                  \
	" AND (?8 IS NULL OR r.duration_usec >= ?8) AND (?9 IS NULL OR r.duration_usec <= ?9)"  \
	" AND (?10 IS NULL OR r.input_tokens >= ?10) AND (?11 IS NULL OR r.input_tokens <= ?11)" \
	" AND (?12 IS NULL OR r.output_tokens >= ?12)"                                          \
	" AND (?13 IS NULL OR r.output_tokens <= ?13)"                                          \
	" AND (?14 IS NULL OR ?14 = EXISTS (SELECT 1 FROM ratings p CROSS JOIN run_measures e"  \
	"  ON e.run_id = ?1 AND e.measure_id = p.measure_id CROSS JOIN ratings g"               \
	"  ON g.response_id = p.response_id AND g.measure_id = p.measure_id AND g.judge_id = ?2" \
	"  WHERE p.response_id = r.id AND p.judge_id IS NULL"                                   \
	"  AND (p.value >= 0.5) != (g.value >= 0.5)))"
#define LETS_THROUGH_FORMAT "iiIIIIIIIIIIII"
#define LETS_THROUGH_VALUES(run, filter)                                                        \
	(run)->id, (run)->judge_id, (filter)->epoch, (filter)->failed, (filter)->criterion_id,  \
		(filter)->value, (filter)->annotated, (filter)->min_duration,                   \
		(filter)->max_duration, (filter)->min_input_tokens, (filter)->max_input_tokens, \
		(filter)->min_output_tokens, (filter)->max_output_tokens, (filter)->overruled

static const struct response_filter everything = { 0 };

enum column {
	COLUMN_ROW,
	COLUMN_RESPONSE,
	COLUMN_EPOCH,
	COLUMN_LETS_THROUGH,
};

/* ---- By rows and epochs ---- */

/* A row without a response is passed as well. `*ret_end`: it is none of the experiment's. */
static int look(struct response_walk *walk, sqlite3_stmt *q, size_t *left, bool *ret_end)
{
	struct response_place next = walk->at;
	int64_t row_id = column_int(q, COLUMN_ROW);
	int r;

	*ret_end = false;
	next.epoch = column_int_or(q, COLUMN_EPOCH, 0);
	if (row_id == walk->at.row_id && next.epoch <= walk->at.epoch)
		return 0; // where the last step ended
	--*left;
	if (row_id != walk->at.row_id) {
		next.row_id = row_id;
		next.row_number++;
	}
	*ret_end = next.row_number > walk->run->total_cases;
	if (*ret_end)
		return 0;
	if (!column_null(q, COLUMN_RESPONSE) && column_int(q, COLUMN_LETS_THROUGH)) {
		struct response_place before = walk->at;

		next.id = column_int(q, COLUMN_RESPONSE);
		walk->at = next;
		r = walk->found(walk, next.id);
		if (r != 0)
			walk->at = before;
		return r;
	}
	walk->at = next;
	return 0;
}

static int walk_batch(struct response_walk *walk, int64_t batch_id, size_t *left, bool *ret_end)
{
	QUERY q = NULL;
	int r;

	*ret_end = false;
	r = db_query(walk->tx->db, &q,
		     "SELECT v.id, r.id, r.epoch," LETS_THROUGH " FROM template_variables v"
		     " LEFT JOIN responses r ON r.template_variables_id = v.id"
		     " AND r.run_id = ?1 WHERE v.batch_id = ?15 AND v.id >= ?16"
		     " AND " ROW_IS_PINNED("?17") " ORDER BY v.id, r.epoch",
		     LETS_THROUGH_FORMAT "iii", LETS_THROUGH_VALUES(walk->run, walk->filter),
		     batch_id, walk->at.row_id, walk->run->last_sequence);
	while (r >= 0 && !*ret_end) {
		if (*left == 0)
			return RESPONSE_WALK_MORE;
		r = db_next(walk->tx->db, q);
		if (r <= 0)
			return r;
		r = look(walk, q, left, ret_end);
		if (r > 0)
			return RESPONSE_WALK_STOPPED;
	}
	return r;
}

static int step_by_row(struct response_walk *walk)
{
	const struct run_row *run = walk->run;
	int64_t sequence = walk->at.sequence, batch_id;
	size_t left = LOOKS_MAX;
	bool end;
	int r;

	if (sequence <= run->first_sequence)
		sequence = run->first_sequence + 1;
	while ((r = rows_next_batch(walk->tx, run->collection_id, run->last_sequence, &sequence,
				    &batch_id)) > 0) {
		if (sequence != walk->at.sequence) {
			walk->at.row_id = walk->at.epoch = 0;
			walk->at.sequence = sequence;
		}
		r = walk_batch(walk, batch_id, &left, &end);
		if (r != 0 || end)
			return r;
		sequence++;
	}
	return r;
}

/* ---- By arrival ---- */

static int walk_span(struct response_walk *walk, const struct response_span *span, int *left)
{
	QUERY q = NULL;
	int r;

	r = db_query(walk->tx->db, &q,
		     "SELECT 0, r.id, r.epoch," LETS_THROUGH " FROM responses r"
		     " WHERE r.run_id = ?1 AND r.id > ?15 AND r.id <= ?16 ORDER BY r.id LIMIT ?17",
		     LETS_THROUGH_FORMAT "iib", LETS_THROUGH_VALUES(walk->run, walk->filter),
		     span->after, span->last, *left);
	while (r >= 0 && (r = db_next(walk->tx->db, q)) > 0) {
		int64_t id = column_int(q, COLUMN_RESPONSE);

		--*left;
		r = column_int(q, COLUMN_LETS_THROUGH) ? walk->found(walk, id) : 0;
		if (r != 0)
			return r < 0 ? r : RESPONSE_WALK_STOPPED;
		walk->at.id = id;
	}
	return r;
}

static int step_by_arrival(struct response_walk *walk)
{
	struct response_span span = { .last = 0 };
	int left = LOOKS_MAX, r;

	while (left > 0 && span.last != INT64_MAX) {
		r = response_span_find(walk->tx, walk->run, walk->filter, walk->at.id, &span);
		if (r >= 0)
			r = walk_span(walk, &span, &left);
		if (r != 0)
			return r;
		if (left > 0 && span.last != INT64_MAX)
			walk->at.id = span.last;
	}
	return left > 0 ? RESPONSE_WALK_END : RESPONSE_WALK_MORE;
}

int response_walk_step(struct response_walk *walk)
{
	if (!walk->filter)
		walk->filter = &everything;
	return walk->by_arrival ? step_by_arrival(walk) : step_by_row(walk);
}

/* ---- Places ---- */

/* 1: it is in one of the run's rows. */
static int place_find(struct tx *tx, const struct run_row *run, int64_t response_id,
		      struct response_place *ret_place)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT b.sequence, v.id, r.epoch FROM responses r"
			       " CROSS JOIN template_variables v ON v.id = r.template_variables_id"
			       " CROSS JOIN row_batches b ON b.id = v.batch_id"
			       " WHERE r.id = ?1 AND r.run_id = ?2 AND b.sequence IS NOT NULL",
		   "ii", response_id, run->id);
	if (r > 0)
		*ret_place = (struct response_place){
			.sequence = column_int(q, 0),
			.row_id = column_int(q, 1),
			.epoch = column_int(q, 2),
			.id = response_id,
		};
	return r;
}

int response_place_read(struct tx *tx, const struct run_row *run, int64_t response_id,
			int64_t row_number, struct response_place *ret_place)
{
	int r = place_find(tx, run, response_id, ret_place);

	if (r <= 0)
		return r < 0 ? r : fault_invalid(tx->fault, "cursor", PAGE_CURSOR_EXPECTED);
	ret_place->row_number = row_number;
	return 0;
}

/* ---- By rank ---- */

static bool is_behind(const struct response_rank *rank, const struct response_rank *other)
{
	if (rank->rank != other->rank)
		return rank->rank > other->rank;
	if (rank->row_id != other->row_id)
		return rank->row_id > other->row_id;
	return rank->epoch != other->epoch ? rank->epoch > other->epoch : rank->id > other->id;
}

/* The first so many of all, in their order. */
static void keep_first(struct response_ranking *ranking, const struct response_rank *rank)
{
	size_t at = ranking->n;

	ranking->n_found++;
	if (ranking->after.id && !is_behind(rank, &ranking->after))
		return;
	while (at > 0 && !is_behind(rank, &ranking->first[at - 1]))
		at--;
	if (at == ranking->capacity)
		return;
	if (ranking->n < ranking->capacity)
		ranking->n++;
	memmove(&ranking->first[at + 1], &ranking->first[at],
		(ranking->n - at - 1) * sizeof(*ranking->first));
	ranking->first[at] = *rank;
}

/* 1: it is in one of the run's rows. */
static int rank_by_row(struct tx *tx, const struct run_row *run, int64_t response_id,
		       struct response_rank *ret_rank)
{
	struct response_place place;
	int r = place_find(tx, run, response_id, &place);

	if (r > 0)
		*ret_rank = (struct response_rank){ .rank = place.sequence, .row_id = place.row_id,
						    .epoch = place.epoch, .id = response_id };
	return r;
}

/* What is not in a block. ?15 is the order. */
#define RANKED                                                                                  \
	"SELECT r.id," LETS_THROUGH ", CASE ?15 WHEN 0 THEN r.epoch WHEN 1 THEN r.id"           \
	" WHEN 2 THEN " RESPONSE_RANK_BY_DURATION " ELSE " RESPONSE_RANK_BY_TOKENS " END"       \
	" FROM responses r"

/* How many it has looked at. */
static int rank_those(struct tx *tx, const struct run_row *run, struct response_ranking *ranking,
		      sqlite3_stmt *q)
{
	int r, n_looks = 0;

	while ((r = db_next(tx->db, q)) > 0) {
		struct response_rank rank = { .rank = column_int(q, 2), .id = column_int(q, 0) };

		n_looks++;
		ranking->looked_at = rank.id;
		if (!column_int(q, 1))
			continue;
		r = ranking->by_rows ? rank_by_row(tx, run, rank.id, &rank) : 1;
		if (r < 0)
			return r;
		if (r > 0)
			keep_first(ranking, &rank);
	}
	return r < 0 ? r : n_looks;
}

/* A row has no more responses than there are epochs. */
static int rank_row(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		    struct response_ranking *ranking)
{
	QUERY q = NULL;
	int r = db_query(tx->db, &q, RANKED " WHERE r.template_variables_id = ?16 AND r.run_id = ?1",
			 LETS_THROUGH_FORMAT "bi", LETS_THROUGH_VALUES(run, filter), (int)ranking->order,
			 *filter->row_id);

	if (r >= 0)
		r = rank_those(tx, run, ranking, q);
	return r < 0 ? r : 0;
}

static int rank_span(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		     struct response_ranking *ranking, const struct response_span *span, int most)
{
	QUERY q = NULL;
	int r = db_query(tx->db, &q, RANKED " WHERE r.run_id = ?1 AND r.id > ?16 AND r.id <= ?17"
				     " ORDER BY r.id LIMIT ?18", LETS_THROUGH_FORMAT "biib",
			 LETS_THROUGH_VALUES(run, filter), (int)ranking->order, span->after, span->last, most);

	return r < 0 ? r : rank_those(tx, run, ranking, q);
}

static int rank_each(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		     struct response_ranking *ranking)
{
	struct response_span span = { .last = 0 };
	int left = LOOKS_MAX, r;

	while (left > 0 && span.last != INT64_MAX) {
		r = response_span_find(tx, run, filter, ranking->looked_at, &span);
		if (r >= 0)
			r = rank_span(tx, run, filter, ranking, &span, left);
		if (r < 0)
			return r;
		left -= r;
		if (left > 0 && span.last != INT64_MAX)
			ranking->looked_at = span.last;
	}
	return left == 0;
}

/* ---- The first of all blocks ---- */

static bool is_before(const struct response_head *a, const struct response_head *b)
{
	return is_behind(&b->next, &a->next);
}

static void sift_down(struct response_ranking *ranking, size_t at)
{
	struct response_head *heads = ranking->heads, sifted;

	for (size_t child; (child = 2 * at + 1) < ranking->n_heads; at = child) {
		if (child + 1 < ranking->n_heads && is_before(&heads[child + 1], &heads[child]))
			child++;
		if (!is_before(&heads[child], &heads[at]))
			return;
		sifted = heads[at];
		heads[at] = heads[child];
		heads[child] = sifted;
	}
}

static int keep_head(struct tx *tx, struct response_ranking *ranking, const struct response_head *head)
{
	if (ranking->n_heads == ranking->heads_room) {
		size_t room = ranking->heads_room ? 2 * ranking->heads_room : 64;
		struct response_head *heads = tx_array(tx, room, sizeof(*heads));

		if (!heads)
			return -ENOMEM;
		if (ranking->n_heads > 0)
			memcpy(heads, ranking->heads, ranking->n_heads * sizeof(*heads));
		ranking->heads = heads;
		ranking->heads_room = room;
	}
	ranking->heads[ranking->n_heads++] = *head;
	return 1;
}

/* 1: what comes behind that, in the block; 0: it has nothing more. */
static int head_advance(struct tx *tx, const struct run_row *run, const struct response_ranking *ranking,
			const struct response_rank *behind, struct response_head *head)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, "SELECT rank, response_id FROM response_orders WHERE run_id = ?1"
				   " AND by_tokens = ?2 AND block = ?3 AND (rank, response_id) > (?4, ?5)"
				   " ORDER BY rank, response_id LIMIT 1",
		       "ibiii", run->id, (int)(ranking->order == ORDER_TOKENS), head->block, behind->rank,
		       behind->id);

	if (r > 0)
		head->next = (struct response_rank){ .rank = column_int(q, 0), .id = column_int(q, 1) };
	return r;
}

/* 1: that of the next block was found; 0: there is none. */
static int find_head(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		     struct response_ranking *ranking)
{
	static const struct response_rank beginning = { .rank = INT64_MIN };
	struct response_head head = { 0 };
	int64_t after;
	int r = response_block_find(tx, run, filter, ranking->looked_at, &after, &head.block);

	if (r <= 0)
		return r;
	ranking->looked_at = head.block;
	r = head_advance(tx, run, ranking, ranking->after.id ? &ranking->after : &beginning, &head);
	return r > 0 ? keep_head(tx, ranking, &head) : r < 0 ? r : 1;
}

/* The first of all goes, and its block's next takes its place. */
static int take_first(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		      struct response_ranking *ranking)
{
	const struct response_rank taken = ranking->heads[0].next;
	int64_t wanted = 1;
	int r = 1;

	if (memcmp(filter, &everything, sizeof(everything)) != 0)
		r = db_int(tx->db, &wanted, "SELECT" LETS_THROUGH " FROM responses r WHERE r.id = ?15",
			   LETS_THROUGH_FORMAT "i", LETS_THROUGH_VALUES(run, filter), taken.id);
	if (r > 0 && wanted)
		keep_first(ranking, &taken);
	if (r >= 0)
		r = head_advance(tx, run, ranking, &taken, &ranking->heads[0]);
	if (r == 0)
		ranking->heads[0] = ranking->heads[--ranking->n_heads];
	if (r >= 0)
		sift_down(ranking, 0);
	return r;
}

/* 1: it has looked at enough for once. */
static int rank_blocks(struct tx *tx, const struct run_row *run, const struct response_filter *filter,
		       struct response_ranking *ranking)
{
	int64_t left = LOOKS_MAX;
	int r;

	while (!ranking->found_heads && left-- > 0) {
		r = find_head(tx, run, filter, ranking);
		if (r < 0)
			return r;
		ranking->found_heads = r == 0;
	}
	if (!ranking->found_heads)
		return 1;
	for (size_t i = ranking->n_heads / 2; i-- > 0;)
		sift_down(ranking, i);
	for (left = LOOKS_MAX; ranking->n_heads > 0 && ranking->n < ranking->capacity && left > 0; left--) {
		r = take_first(tx, run, filter, ranking);
		if (r < 0)
			return r;
	}
	if (left > 0)
		return 0;
	/* The filter lets few through: as they lie, they are looked at in less time. */
	ranking->n = 0;
	ranking->looked_at = 0;
	return 0;
}

int response_ranking_step(struct tx *tx, const struct run_row *run,
			  const struct response_filter *filter, struct response_ranking *ranking)
{
	int r;

	if (filter->row_id)
		return rank_row(tx, run, filter, ranking);
	if (!ranking->passed_blocks && !ranking->by_rows && !ranking->counts) {
		r = rank_blocks(tx, run, filter, ranking);
		if (r != 0)
			return r;
		ranking->passed_blocks = true;
	}
	return rank_each(tx, run, filter, ranking);
}
