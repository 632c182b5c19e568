#include "daemon/store/runs/response.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/collection.h"
#include "daemon/store/resources/prompt_template.h"
#include "daemon/store/resources/rows.h"
#include "proto/generated/interface.h"
#include "proto/template.h"

/* ---- The walk ---- */

/* ?1 run, ?2 epoch, ?3 failed, ?4 criterion, ?5 value, ?6 judge. */
#define LETS_THROUGH                                                                            \
	" (?2 IS NULL OR r.epoch = ?2) AND (?3 IS NULL OR (r.error IS NOT NULL) = ?3)"          \
	" AND ((?4 IS NULL AND ?5 IS NULL) OR EXISTS (SELECT 1 FROM ratings g"                  \
	"  CROSS JOIN measures m ON m.id = g.measure_id CROSS JOIN run_measures e"              \
	"  ON e.run_id = ?1 AND e.measure_id = m.id WHERE g.response_id = r.id"                 \
	"  AND g.judge_id = ?6 AND (?4 IS NULL OR m.criterion_id = ?4)"                         \
	"  AND (?5 IS NULL OR (g.value >= 0.5) = ?5)))"
#define LETS_THROUGH_FORMAT "iIIIIi"
#define LETS_THROUGH_VALUES(walk)                                                               \
	(walk)->run->id, (walk)->filter->epoch, (walk)->filter->failed,                         \
		(walk)->filter->criterion_id, (walk)->filter->value, (walk)->run->judge_id

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
		     " AND r.run_id = ?1 WHERE v.batch_id = ?7 AND v.id >= ?8"
		     " ORDER BY v.id, r.epoch",
		     LETS_THROUGH_FORMAT "ii", LETS_THROUGH_VALUES(walk), batch_id, walk->at.row_id);
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

static int step_by_arrival(struct response_walk *walk)
{
	size_t n_looks = 0;
	QUERY q = NULL;
	int r;

	r = db_query(walk->tx->db, &q,
		     "SELECT 0, r.id, r.epoch," LETS_THROUGH " FROM responses r"
		     " WHERE r.run_id = ?1 AND r.id > ?7 ORDER BY r.id LIMIT ?8",
		     LETS_THROUGH_FORMAT "ib", LETS_THROUGH_VALUES(walk), walk->at.id, LOOKS_MAX);
	while (r >= 0 && (r = db_next(walk->tx->db, q)) > 0) {
		int64_t id = column_int(q, COLUMN_RESPONSE);

		n_looks++;
		r = column_int(q, COLUMN_LETS_THROUGH) ? walk->found(walk, id) : 0;
		if (r != 0)
			return r < 0 ? r : RESPONSE_WALK_STOPPED;
		walk->at.id = id;
	}
	return r < 0 ? r : n_looks == LOOKS_MAX ? RESPONSE_WALK_MORE : RESPONSE_WALK_END;
}

int response_walk_step(struct response_walk *walk)
{
	static const struct response_filter all = { 0 };

	if (!walk->filter)
		walk->filter = &all;
	return walk->by_arrival ? step_by_arrival(walk) : step_by_row(walk);
}

/* ---- Places ---- */

int response_place_read(struct tx *tx, const struct run_row *run, int64_t response_id,
			int64_t row_number, struct response_place *ret_place)
{
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT b.sequence, v.id, r.epoch FROM responses r"
			       " CROSS JOIN template_variables v ON v.id = r.template_variables_id"
			       " CROSS JOIN row_batches b ON b.id = v.batch_id"
			       " WHERE r.id = ?1 AND r.run_id = ?2 AND b.sequence IS NOT NULL",
		   "ii", response_id, run->id);
	if (r <= 0)
		return r < 0 ? r : fault_invalid(tx->fault, "cursor", PAGE_CURSOR_EXPECTED);
	*ret_place = (struct response_place){
		.sequence = column_int(q, 0),
		.row_id = column_int(q, 1),
		.row_number = row_number,
		.epoch = column_int(q, 2),
		.id = response_id,
	};
	return 0;
}

/* ---- Records ---- */

#define RESPONSE_SELECT                                                                         \
	"SELECT r.id, r.template_variables_id, v.input_values, v.created_at, r.response_text,"     \
	" r.tool_calls, r.finish_reason, r.epoch, r.error, r.attempts, r.duration_usec,"           \
	" r.input_tokens, r.output_tokens, r.reasoning_tokens, r.cost_nanodollars, r.created_at"   \
	" FROM responses r CROSS JOIN template_variables v ON v.id = r.template_variables_id"      \
	" WHERE r.id = ?1"

static int read_row(struct tx *tx, sqlite3_stmt *q, const char *defaults,
		    const struct ellu_template_variables **ret_row)
{
	struct ellu_template_variables *row = TX_RECORD(tx, struct ellu_template_variables);

	if (!row)
		return -ENOMEM;
	row->id = column_int(q, 1);
	row->created_at = column_int(q, 3);
	*ret_row = row;
	return collection_fill(tx, defaults, tx_text(tx, q, 2), &row->input_values);
}

static int read_response(struct tx *tx, sqlite3_stmt *q, const struct run_row *run,
			 struct ellu_response **ret_response)
{
	bool lean = false;
	struct ellu_response *response = TX_RECORD(tx, struct ellu_response);
	struct tx_list ratings = { 0 };
	int r;

	if (!response)
		return -ENOMEM;
	response->id = column_int(q, 0);
	response->messages = tx_array(tx, 0, sizeof(*response->messages));
	response->response_text = tx_text(tx, q, 4);
	response->finish_reason = tx_text(tx, q, 6);
	response->epoch = column_int(q, 7);
	response->attempts = column_int(q, 9);
	response->duration_seconds = (double)column_int(q, 10) / USEC_PER_SEC;
	response->input_tokens = tx_int(tx, q, 11);
	response->output_tokens = tx_int(tx, q, 12);
	response->reasoning_tokens = tx_int(tx, q, 13);
	response->cost = tx_int(tx, q, 14);
	response->created_at = column_int(q, 15);
	r = read_row(tx, q, run->column_defaults, &response->template_variables);
	if (r >= 0)
		r = record_list_from_text(&ellu_tool_call_type, column_peek(q, 5), FROM_STORE, tx->arena,
					  &response->tool_calls, &response->n_tool_calls);
	if (r >= 0)
		r = tx_decode(tx, &ellu_error_type, column_peek(q, 8), &response->error);
	if (r >= 0)
		r = ratings_of_response(tx, run->id, response->id, run->judge_id, &ratings, &lean);
	if (lean)
		response->left_out = page_left_out(tx, "ratings' texts", "response", response->id);
	response->ratings = tx_list_items(tx, &ratings);
	response->n_ratings = ratings.n;
	*ret_response = response;
	return r;
}

/* ---- Messages ---- */

/* What the messages of the responses are rendered from. */
struct prompt {
	const struct ellu_prompt_template *template; // NULL: the run has none
	const char *system_message; // of the pinned config, or NULL
};

static int load_prompt(struct tx *tx, const struct run_row *run, struct prompt *ret_prompt)
{
	struct ellu_prompt_template *template = NULL;
	struct ellu_llm_config *config;
	int r = 0;

	*ret_prompt = (struct prompt){ 0 };
	if (run->prompt_template_id)
		r = prompt_template_load(tx, run->prompt_template_id, &template);
	ret_prompt->template = template;
	if (r < 0 || !run->config_snapshot)
		return r;
	r = tx_decode(tx, &ellu_llm_config_type, run->config_snapshot, &config);
	if (r >= 0)
		ret_prompt->system_message = config->system_message;
	return r;
}

static const struct ellu_message *system_message(struct tx *tx, const char *text)
{
	struct ellu_message *message = TX_RECORD(tx, struct ellu_message);

	if (!message)
		return NULL;
	message->role = "system";
	message->content = text;
	return message;
}

/* The messages that were sent are rendered from what was pinned, not stored twice. A row that
 * cannot be rendered was never sent: its response has no messages. */
static int render_messages(struct tx *tx, const struct prompt *prompt,
			   struct ellu_response *response)
{
	const struct ellu_prompt_template *template = prompt->template;
	const struct ellu_message *const *rendered = NULL;
	const struct ellu_message **messages;
	struct fault fault;
	json_object *values;
	size_t n = 0;
	int r;

	if (!template)
		return 0;
	messages = tx_array(tx, template->n_messages + 1, sizeof(*messages));
	values = tx_parse(response->template_variables->input_values);
	if (!messages || !values) {
		json_object_put(values);
		return -ENOMEM;
	}
	r = template_render_messages(template->messages, template->n_messages, values, tx->arena,
				     &rendered, &fault);
	json_object_put(values);
	if (r < 0)
		return fault.code == ELLU_E_INTERNAL ? -ENOMEM : 0;
	if (prompt->system_message)
		messages[n++] = system_message(tx, prompt->system_message);
	for (size_t i = 0; i < template->n_messages; i++)
		messages[n++] = rendered[i];
	response->messages = messages;
	response->n_messages = n;
	return tx->oom ? -ENOMEM : 0;
}

/* ---- Lists ---- */

/* The page is read first, and then all are counted, if that was asked for. */
struct listing {
	struct tx *tx;
	struct page page;
	struct run_row run;
	struct response_filter filter;
	struct prompt prompt;
	bool by_arrival;
	struct response_place at;
	struct response_place last; // in the page
	int64_t count;
};

/* Bit by bit, until a message holds what is left. */
static int list_smaller(struct listing *listing, struct ellu_response *response)
{
	struct tx *tx = listing->tx;
	int r = -E2BIG;

	if (response->n_messages > 0) {
		response->n_messages = 0;
		response->left_out = page_left_out(tx, "messages", "response", response->id);
		r = page_try(tx, &listing->page, &ellu_response_type, response);
	}
	if (r == -E2BIG && response->n_ratings > 0) {
		response->n_ratings = 0;
		response->left_out =
			page_left_out(tx, "messages and ratings", "response", response->id);
		r = page_try(tx, &listing->page, &ellu_response_type, response);
	}
	if (r != -E2BIG)
		return r;
	response->response_text = NULL;
	response->tool_calls = NULL;
	response->n_tool_calls = 0;
	response->left_out = page_left_out(tx, "messages, ratings and text", "response", response->id);
	return page_add(tx, &listing->page, &ellu_response_type, response, "response", response->id);
}

/* 1: the page is full. */
static int list_response(struct response_walk *walk, int64_t response_id)
{
	struct listing *listing = walk->userdata;
	struct ellu_response *response = NULL;
	struct tx *tx = walk->tx;
	QUERY q = NULL;
	int r;

	if (listing->page.listed) {
		listing->count++;
		return 0;
	}
	if (page_full(&listing->page))
		return 1;
	r = db_row(tx->db, &q, RESPONSE_SELECT, "i", response_id);
	if (r >= 0)
		r = read_response(tx, q, &listing->run, &response);
	if (r >= 0)
		r = render_messages(tx, &listing->prompt, response);
	if (r >= 0)
		r = page_try(tx, &listing->page, &ellu_response_type, response);
	if (r == -E2BIG)
		r = list_smaller(listing, response);
	if (r <= 0)
		return r < 0 ? r : 1;
	listing->last = walk->at;
	listing->last.id = response_id;
	return 0;
}

/* A count takes them as they lie. 1: there is more to look at. */
static int list_step(struct listing *listing)
{
	struct response_walk walk = {
		.tx = listing->tx,
		.run = &listing->run,
		.filter = &listing->filter,
		.by_arrival = listing->by_arrival || listing->page.listed,
		.at = listing->at,
		.found = list_response,
		.userdata = listing,
	};
	int r = response_walk_step(&walk);

	listing->at = walk.at;
	if (r == RESPONSE_WALK_STOPPED)
		return page_continues(listing->tx, &listing->page, listing->last.id,
				      listing->last.row_number);
	return r < 0 ? r : r == RESPONSE_WALK_MORE;
}

static int filter_of(struct tx *tx, const struct ellu_list_responses_request *arguments,
		     struct response_filter *filter)
{
	*filter = (struct response_filter){ .epoch = arguments->epoch,
					    .criterion_id = arguments->criterion_id };
	if (arguments->failed)
		filter->failed = tx_int_value(tx, *arguments->failed != 0);
	if (arguments->rating)
		filter->value = tx_int_value(tx, strcmp(arguments->rating, "YES") == 0);
	return tx->oom ? -ENOMEM : 0;
}

static int resume(struct listing *listing)
{
	if (!listing->by_arrival)
		return response_place_read(listing->tx, &listing->run, listing->page.major,
					   listing->page.minor, &listing->at);
	listing->at.id = listing->page.major;
	return 0;
}

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_responses_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx };
	op->request.state = listing;
	listing->by_arrival = a->order && strcmp(a->order, "arrival") == 0;
	r = experiment_run_resolve(tx, &op->scope, a->experiment, &listing->run);
	if (r >= 0)
		r = page_begin(tx, op, listing->by_arrival ? 'a' : 'r', &listing->page);
	if (r >= 0)
		r = filter_of(tx, a, &listing->filter);
	if (r >= 0)
		r = load_prompt(tx, &listing->run, &listing->prompt);
	if (r >= 0 && listing->page.resumed)
		r = resume(listing);
	return r;
}

int responses_list(struct tx *tx, struct method_run *op)
{
	struct listing *listing;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	listing = op->request.state;
	listing->tx = tx;
	r = list_step(listing);
	if (r == 0 && !listing->page.listed)
		listing->at = (struct response_place){ 0 }; // a count begins anew
	return page_step(tx, &listing->page, r, listing->count);
}
