#include "daemon/store/runs/responses/response.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/runs/responses/answered_by.h"
#include "daemon/store/runs/responses/response_blocks.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"

/* ---- Records ---- */

#define RESPONSE_SELECT                                                                         \
	"SELECT r.id, r.template_variables_id, v.input_values, v.created_at, r.response_text,"     \
	" r.tool_calls, r.finish_reason, r.epoch, r.error, r.attempts, r.duration_usec,"           \
	" r.input_tokens, r.output_tokens, r.reasoning_tokens, r.cost_nanodollars, r.created_at,"  \
	" r.annotation, r.cached_tokens, r.fallback, r.transcript, r.cached"                       \
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

/* What responses share: what their messages are rendered from, and who may have answered. */
struct source {
	struct prompt prompt; // empty: the run has none
	const char *system_message; // of the pinned config, or NULL
	struct answered_by answered_by;
};

static const int yes = 1;

static void read_answerer(sqlite3_stmt *q, const struct source *source, struct ellu_response *response)
{
	size_t i = (size_t)(column_int_or(q, 18, -1) + 1);

	if (column_null(q, 8) && i < source->answered_by.n) {
		response->llm_config = source->answered_by.items[i].name;
		response->model = source->answered_by.items[i].model;
	}
}

static int read_response(struct tx *tx, sqlite3_stmt *q, const struct run_row *run, const struct source *source,
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
	if (!column_null(q, 10))
		response->duration_seconds = tx_double_value(tx, (double)column_int(q, 10) / USEC_PER_SEC);
	response->input_tokens = tx_int(tx, q, 11);
	response->output_tokens = tx_int(tx, q, 12);
	response->reasoning_tokens = tx_int(tx, q, 13);
	response->cost = tx_int(tx, q, 14);
	response->created_at = column_int(q, 15);
	response->annotation = tx_text(tx, q, 16);
	response->cached_tokens = tx_int(tx, q, 17);
	read_answerer(q, source, response);
	if (!column_null(q, 20))
		response->cached = &yes;
	r = read_row(tx, q, run->column_defaults, &response->template_variables);
	if (r >= 0)
		r = record_list_from_text(&ellu_tool_call_type, column_peek(q, 5), FROM_STORE, tx->arena,
					  &response->tool_calls, &response->n_tool_calls);
	if (r >= 0)
		r = record_list_from_text(&ellu_message_type, column_peek(q, 19), FROM_STORE, tx->arena,
					  &response->transcript, &response->n_transcript);
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

static int load_source(struct tx *tx, const struct run_row *run, struct source *ret_source)
{
	struct ellu_llm_config *config;
	int r = run_prompt_load(tx, run, &ret_source->prompt);

	ret_source->system_message = NULL;
	if (r >= 0)
		r = answered_by_begin(tx, run, &ret_source->answered_by);
	if (r < 0 || !run->config_snapshot)
		return r;
	r = tx_decode(tx, &ellu_llm_config_type, run->config_snapshot, &config);
	if (r >= 0)
		ret_source->system_message = config->system_message;
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
static int render_messages(struct tx *tx, const struct source *source,
			   struct ellu_response *response)
{
	const struct ellu_message *const *rendered = NULL;
	const struct ellu_message **messages;
	struct fault fault;
	json_object *values;
	size_t n_rendered, n = 0;
	int r;

	if (prompt_is_empty(&source->prompt))
		return 0;
	values = tx_parse(response->template_variables->input_values);
	if (!values)
		return -ENOMEM;
	r = prompt_render(&source->prompt, values, tx->arena, &rendered, &n_rendered, &fault);
	json_object_put(values);
	if (r < 0)
		return fault.code == ELLU_E_INTERNAL ? -ENOMEM : 0;
	messages = tx_array(tx, n_rendered + 1, sizeof(*messages));
	if (!messages)
		return -ENOMEM;
	if (source->system_message)
		messages[n++] = system_message(tx, source->system_message);
	for (size_t i = 0; i < n_rendered; i++)
		messages[n++] = rendered[i];
	response->messages = messages;
	response->n_messages = n;
	return tx->oom ? -ENOMEM : 0;
}

/* ---- One of them ---- */

int response_experiment(struct tx *tx, const struct scope *scope, int64_t response_id,
			struct experiment_row *ret_experiment)
{
	int64_t id;
	int r;

	r = db_int(tx->db, &id,
		   "SELECT e.id FROM responses r CROSS JOIN experiments e ON e.run_id = r.run_id"
		   " WHERE r.id = ?1 AND (r.owner_uid = ?2 OR ?3) AND e.deleted_at IS NULL", "iib",
		   response_id, scope->uid, (int)scope->all);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "response", NULL, response_id);
	r = experiment_row_load(tx, id, ret_experiment);
	if (r >= 0 && !scope_covers(scope, ret_experiment->project_id))
		return fault_not_found(tx->fault, "response", NULL, response_id);
	return r;
}

int response_get(struct tx *tx, struct method_run *op)
{
	const struct ellu_get_response_request *a = op->arguments;
	struct ellu_get_response_reply *reply = method_reply(tx, op);
	struct ellu_ref *ref = TX_RECORD(tx, struct ellu_ref);
	struct ellu_response *response = NULL;
	struct experiment_row experiment;
	struct source source;
	struct run_row run;
	QUERY q = NULL;
	int r = reply && ref ? response_experiment(tx, &op->scope, a->response_id, &experiment) : -ENOMEM;

	if (r >= 0)
		r = run_row_load(tx, experiment.run_id, &run);
	if (r >= 0)
		r = load_source(tx, &run, &source);
	if (r >= 0)
		r = db_row(tx->db, &q, RESPONSE_SELECT, "i", a->response_id);
	if (r >= 0)
		r = read_response(tx, q, &run, &source, &response);
	if (r >= 0)
		r = render_messages(tx, &source, response);
	if (r < 0)
		return r;
	ref->id = tx_int_value(tx, experiment.id);
	ref->name = experiment.name;
	reply->response = response;
	reply->experiment = ref;
	return tx->oom ? -ENOMEM : 0;
}

/* ---- Lists ---- */

/* The page is read first, and then all are counted, if that was asked for. */
struct listing {
	struct tx *tx;
	struct page page;
	struct run_row run;
	struct response_filter filter;
	struct source source;
	enum response_order order;
	struct response_ranking *ranking; // NULL: it is a walk
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
	response->transcript = NULL;
	response->n_transcript = 0;
	response->left_out = page_left_out(tx, "messages, ratings and text", "response", response->id);
	return page_add(tx, &listing->page, &ellu_response_type, response, "response", response->id);
}

/* 1: the page is full. */
static int list_response(struct listing *listing, int64_t response_id)
{
	struct ellu_response *response = NULL;
	struct tx *tx = listing->tx;
	QUERY q = NULL;
	int r;

	if (page_full(&listing->page))
		return 1;
	r = db_row(tx->db, &q, RESPONSE_SELECT, "i", response_id);
	if (r == 0)
		return 0; // gone since it was ranked
	if (r >= 0)
		r = read_response(tx, q, &listing->run, &listing->source, &response);
	if (r >= 0)
		r = render_messages(tx, &listing->source, response);
	if (r >= 0)
		r = page_try(tx, &listing->page, &ellu_response_type, response);
	if (r == -E2BIG)
		r = list_smaller(listing, response);
	return r < 0 ? r : r == 0;
}

static int on_response(struct response_walk *walk, int64_t response_id)
{
	struct listing *listing = walk->userdata;
	int r;

	if (listing->page.listed) {
		listing->count++;
		return 0;
	}
	r = list_response(listing, response_id);
	if (r != 0)
		return r;
	listing->last = walk->at;
	listing->last.id = response_id;
	return 0;
}

/* All that are in front, once they are known. */
static int list_ranked(struct listing *listing)
{
	struct response_ranking *ranking = listing->ranking;
	const struct response_rank *last = NULL;
	int r = response_ranking_step(listing->tx, &listing->run, &listing->filter, ranking);

	if (r != 0)
		return r;
	listing->count = ranking->n_found;
	listing->page.listed = true;
	for (size_t i = 0; r == 0 && i < ranking->n; i++) {
		r = list_response(listing, ranking->first[i].id);
		if (r == 0)
			last = &ranking->first[i];
	}
	if (r <= 0 || !last)
		return r < 0 ? r : 0;
	/* The walk by rows may go on behind it: it counts their number only to end with the last one. */
	if (ranking->by_rows)
		return page_continues(listing->tx, &listing->page, last->id, 0);
	return page_continues(listing->tx, &listing->page, last->rank < 0 ? -last->rank : last->rank,
			      last->id);
}

/* A count takes them as they lie. 1: there is more to look at. */
static int list_step(struct listing *listing)
{
	struct response_walk walk = {
		.tx = listing->tx,
		.run = &listing->run,
		.filter = &listing->filter,
		.by_arrival = listing->order == ORDER_ARRIVAL || listing->page.listed,
		.at = listing->at,
		.found = on_response,
		.userdata = listing,
	};
	int r;

	if (listing->ranking)
		return list_ranked(listing);
	r = response_walk_step(&walk);
	listing->at = walk.at;
	if (r == RESPONSE_WALK_STOPPED)
		return page_continues(listing->tx, &listing->page, listing->last.id,
				      listing->last.row_number);
	return r < 0 ? r : r == RESPONSE_WALK_MORE;
}

static const int64_t *usec_of(struct tx *tx, const double *seconds)
{
	return seconds ? tx_int_value(tx, llround(*seconds * USEC_PER_SEC)) : NULL;
}

static int filter_of(struct tx *tx, const struct ellu_list_responses_request *arguments,
		     struct response_filter *filter)
{
	*filter = (struct response_filter){
		.epoch = arguments->epoch,
		.criterion_id = arguments->criterion_id,
		.min_duration = usec_of(tx, arguments->min_duration_seconds),
		.max_duration = usec_of(tx, arguments->max_duration_seconds),
		.min_input_tokens = arguments->min_input_tokens,
		.max_input_tokens = arguments->max_input_tokens,
		.min_output_tokens = arguments->min_output_tokens,
		.max_output_tokens = arguments->max_output_tokens,
		.row_id = arguments->template_variables_id,
	};
	if (arguments->failed)
		filter->failed = tx_int_value(tx, *arguments->failed != 0);
	if (arguments->annotated)
		filter->annotated = tx_int_value(tx, *arguments->annotated != 0);
	if (arguments->overruled)
		filter->overruled = tx_int_value(tx, *arguments->overruled != 0);
	if (arguments->rating)
		filter->value = tx_int_value(tx, strcmp(arguments->rating, "YES") == 0);
	return tx->oom ? -ENOMEM : 0;
}

static enum response_order order_of(const char *name)
{
	static const char *const names[] = {
		[ORDER_ROW] = "row",
		[ORDER_ARRIVAL] = "arrival",
		[ORDER_DURATION] = "duration",
		[ORDER_TOKENS] = "tokens",
	};
	size_t i = 0;

	while (name && i < sizeof(names) / sizeof(names[0]) && strcmp(names[i], name) != 0)
		i++;
	return name ? (enum response_order)i : ORDER_ROW;
}

/* With room for one more than the page has, to know whether there is one. */
static int begin_ranking(struct listing *listing, bool by_rows)
{
	const struct page *page = &listing->page;
	struct response_ranking *ranking = tx_alloc(listing->tx, sizeof(*ranking));

	if (!ranking)
		return -ENOMEM;
	*ranking = (struct response_ranking){ .order = listing->order, .capacity = page->limit + 1,
					      .by_rows = by_rows, .counts = page->counted };
	ranking->first = tx_array(listing->tx, ranking->capacity, sizeof(*ranking->first));
	listing->ranking = ranking;
	if (by_rows)
		ranking->after = (struct response_rank){ .rank = listing->at.sequence,
							 .row_id = listing->at.row_id,
							 .epoch = listing->at.epoch,
							 .id = listing->at.id };
	else if (page->resumed)
		ranking->after = (struct response_rank){
			.rank = ranking->order >= ORDER_DURATION ? -page->major : page->major,
			.id = page->minor,
		};
	return ranking->first ? 0 : -ENOMEM;
}

static int resume(struct listing *listing)
{
	if (listing->order == ORDER_ROW)
		return response_place_read(listing->tx, &listing->run, listing->page.major,
					   listing->page.minor, &listing->at);
	listing->at.id = listing->page.major;
	return 0;
}

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_responses_request *a = op->arguments;
	struct listing *listing = tx_alloc(tx, sizeof(*listing));
	bool ranked;
	int r;

	if (!listing)
		return -ENOMEM;
	*listing = (struct listing){ .tx = tx, .order = order_of(a->order) };
	op->request.state = listing;
	ranked = listing->order >= ORDER_DURATION || a->template_variables_id;
	r = experiment_run_resolve(tx, &op->scope, a->experiment, &listing->run);
	if (r >= 0)
		r = page_begin(tx, op, (ranked ? "RADT" : "ra")[listing->order], &listing->page);
	if (r >= 0)
		r = filter_of(tx, a, &listing->filter);
	if (r >= 0)
		r = load_source(tx, &listing->run, &listing->source);
	if (r >= 0 && ranked)
		return begin_ranking(listing, /* by_rows= */ false);
	if (r >= 0 && listing->page.resumed)
		r = resume(listing);
	if (r >= 0 && listing->order == ORDER_ROW)
		r = response_spans_are_few(tx, &listing->run, &listing->filter);
	return r > 0 ? begin_ranking(listing, /* by_rows= */ true) : r;
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
