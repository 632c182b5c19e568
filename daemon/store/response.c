#include <errno.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/store/collection.h"
#include "daemon/store/experiment.h"
#include "daemon/store/page.h"
#include "daemon/store/prompt_template.h"
#include "daemon/store/rating.h"
#include "daemon/store/resources.h"
#include "proto/generated/interface.h"

static int read_tool_calls(struct tx *tx, const char *text, struct ellu_response *response)
{
	struct tx_list calls = { 0 };
	struct fault fault;
	json_object *array;
	int r = 0;

	if (!text)
		return 0;
	array = tx_parse(text);
	if (!array)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++) {
		void *call;

		r = record_decode(&ellu_tool_call_type, json_object_array_get_idx(array, i), FROM_STORE,
				  "tool_calls", tx->arena, &call, &fault);
		r = r < 0 ? -EBADMSG : tx_append(tx, &calls, call);
	}
	json_object_put(array);
	response->tool_calls = tx_list_items(tx, &calls);
	response->n_tool_calls = calls.n;
	return r;
}

#define RESPONSE_SELECT                                                                         \
	"SELECT r.id, r.template_variables_id, v.input_values, v.created_at, r.response_text,"     \
	" r.tool_calls, r.finish_reason, r.epoch, r.error, r.attempts, r.duration_usec,"           \
	" r.input_tokens, r.output_tokens, r.reasoning_tokens, r.cost_nanodollars, r.created_at"   \
	" FROM responses r CROSS JOIN template_variables v ON v.id = r.template_variables_id"

/* ?1 experiment, ?2 epoch, ?3 failed, ?4 criterion, ?5 value, ?6 judge. */
#define RESPONSE_FILTER                                                                         \
	" WHERE r.experiment_id = ?1 AND (?2 IS NULL OR r.epoch = ?2)"                             \
	" AND (?3 IS NULL OR (r.error IS NOT NULL) = ?3)"                                          \
	" AND ((?4 IS NULL AND ?5 IS NULL) OR EXISTS (SELECT 1 FROM ratings g"                     \
	"  CROSS JOIN measures m ON m.id = g.measure_id WHERE g.response_id = r.id"                \
	"  AND g.judge_id = ?6 AND (?4 IS NULL OR m.criterion_id = ?4)"                            \
	"  AND m.id IN (SELECT measure_id FROM experiment_measures WHERE experiment_id = ?1)"      \
	"  AND (?5 IS NULL OR (g.value >= 0.5) = ?5)))"

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

static int read_response(struct tx *tx, sqlite3_stmt *q, const struct experiment_pin *pin,
			 struct ellu_response **ret_response)
{
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
	r = read_row(tx, q, pin->column_defaults, &response->template_variables);
	if (r >= 0)
		r = read_tool_calls(tx, column_peek(q, 5), response);
	if (r >= 0)
		r = tx_decode(tx, &ellu_error_type, column_peek(q, 8), &response->error);
	if (r >= 0)
		r = ratings_of_response(tx, pin->id, response->id, pin->judge_id, &ratings);
	response->ratings = tx_list_items(tx, &ratings);
	response->n_ratings = ratings.n;
	*ret_response = response;
	return r;
}

/* Ratings may be long; their length counts in the page. */
static size_t bytes_of(const struct ellu_response *response)
{
	size_t bytes = 400 + strlen(response->template_variables->input_values);

	if (response->response_text)
		bytes += strlen(response->response_text);
	for (size_t i = 0; i < response->n_ratings; i++) {
		const struct ellu_rating *rating = response->ratings[i];

		bytes += 300 + strlen(rating->criterion->criterion_str);
		bytes += rating->reasoning ? strlen(rating->reasoning) : 0;
		bytes += rating->raw_text ? strlen(rating->raw_text) : 0;
	}
	return bytes;
}

struct filter {
	const int64_t *epoch;
	const int64_t *failed;
	const int64_t *criterion_id;
	const int64_t *value;
};

static int filter_of(struct tx *tx, const struct ellu_list_responses_request *arguments,
		     struct filter *filter)
{
	*filter = (struct filter){ .epoch = arguments->epoch,
				   .criterion_id = arguments->criterion_id };
	if (arguments->failed)
		filter->failed = tx_int_value(tx, *arguments->failed != 0);
	if (arguments->rating)
		filter->value = tx_int_value(tx, strcmp(arguments->rating, "YES") == 0);
	return tx->oom ? -ENOMEM : 0;
}

static int responses_page(struct tx *tx, struct responses_list *op, const struct filter *filter,
			  const struct experiment_pin *pin, struct page *page)
{
	int64_t id = page->resumed ? page->major : 0;
	struct tx_list items = { 0 };
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, RESPONSE_SELECT RESPONSE_FILTER " AND r.id > ?7 ORDER BY r.id LIMIT ?8",
		     "iIIIIiii", pin->id, filter->epoch, filter->failed, filter->criterion_id,
		     filter->value, pin->judge_id, id, page_fetch(page));
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct ellu_response *response;

		if (page_full(page, items.n)) {
			op->ret_reply->next_cursor = page_cursor(tx, page, id, 0);
			break;
		}
		r = read_response(tx, q, pin, &response);
		if (r < 0 || tx->oom)
			return r < 0 ? r : -ENOMEM;
		id = response->id;
		page->bytes += bytes_of(response);
		r = tx_append(tx, &items, response);
	}
	op->ret_items = (struct ellu_response **)tx_list_items(tx, &items);
	op->ret_reply->items = (const struct ellu_response *const *)op->ret_items;
	op->ret_reply->n_items = items.n;
	return r;
}

/* What the messages of the responses are rendered from. */
static int load_prompt(struct tx *tx, struct responses_list *op, const struct experiment_pin *pin)
{
	struct ellu_prompt_template *template = NULL;
	struct ellu_llm_config *config;
	int r = 0;

	op->ret_system_message = NULL;
	if (pin->prompt_template_id)
		r = prompt_template_load(tx, pin->prompt_template_id, &template);
	op->ret_template = template;
	if (r < 0 || !pin->config_snapshot)
		return r;
	r = tx_decode(tx, &ellu_llm_config_type, pin->config_snapshot, &config);
	if (r >= 0)
		op->ret_system_message = config->system_message;
	return r;
}

static int responses_list_run(struct tx *tx, struct store_request *request)
{
	struct responses_list *op = (struct responses_list *)request;
	const struct ellu_list_responses_request *arguments = op->arguments;
	struct experiment_pin pin;
	struct filter filter;
	struct page page;
	int64_t count = 0;
	int r;

	op->ret_reply = TX_RECORD(tx, struct ellu_list_responses_reply);
	if (!op->ret_reply)
		return -ENOMEM;
	r = experiment_pin(tx, &op->scope, arguments->experiment, &pin);
	if (r >= 0)
		r = page_begin(tx, 'r', arguments->cursor, arguments->limit, &page);
	if (r >= 0)
		r = filter_of(tx, arguments, &filter);
	if (r >= 0)
		r = responses_page(tx, op, &filter, &pin, &page);
	if (r >= 0 && arguments->count && *arguments->count) {
		r = db_int(tx->db, &count, "SELECT count(*) FROM responses r" RESPONSE_FILTER, "iIIIIi",
			   pin.id, filter.epoch, filter.failed, filter.criterion_id, filter.value,
			   pin.judge_id);
		op->ret_reply->count = tx_int_value(tx, count);
	}
	return r < 0 ? r : load_prompt(tx, op, &pin);
}

void store_responses_list(struct store *store, struct responses_list *op)
{
	const struct ellu_list_responses_request *a = op->arguments;
	/* These may look at every response of a large experiment. */
	bool scans = a->epoch || a->failed || a->criterion_id || a->rating || (a->count && *a->count);

	tx_post(store, &op->request, scans ? STORE_SCAN : STORE_POINT, responses_list_run);
}
