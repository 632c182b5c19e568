#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/work/work_standin_internal.h"

static struct store_request *queued[STANDIN_CALLS_MAX]; // records, in order
static size_t n_queued;
static bool commit_planned;
static bool hold_commits;
static struct ellu_message template_message;
static const struct ellu_message *template_messages[1];
static struct ellu_prompt_template prompt_template;
static struct ellu_generation_params params;
static int64_t flow_connections;
static struct run_measure measures[STANDIN_MEASURES_MAX];
static struct ellu_rating_results rating_results = ELLU_RECORD(struct ellu_rating_results);
static struct ellu_experiment_results results = ELLU_RECORD(struct ellu_experiment_results);
static struct ellu_error errors[2]; // of a response, of a rating
static char error_messages[2][1024];
static struct ellu_error_count error_counts[2];
static const struct ellu_error_count *error_list[2];

static void deliver_done(struct message *message)
{
	struct store_request *request = container_of(message, struct store_request, message);

	request->done(request);
}

void standin_commit(struct store_request *request)
{
	if (request->run && request->result >= 0)
		request->result = request->run(NULL, request);
	request->message.deliver = deliver_done;
	loop_post(request->reply_to, &request->message);
}

void store_request_init(struct store_request *request, struct loop *reply_to,
			void (*done)(struct store_request *request), void *userdata)
{
	*request = (struct store_request){ .reply_to = reply_to, .done = done, .userdata = userdata };
}

void store_request_done(struct store_request *request)
{
	arena_done(&request->arena);
}

static void post(struct store_request *request, void (*deliver)(struct message *message))
{
	request->message.deliver = deliver;
	loop_post(standin_loop, &request->message);
}

static void fill_spec(struct run_spec *spec, struct arena *arena)
{
	struct run_epoch *epochs = arena_array(arena, standin.n_epochs, sizeof(*epochs));
	struct run_judge_spec *judge = arena_alloc(arena, sizeof(*judge));

	*judge = (struct run_judge_spec){ .id = 5, .config = &standin_configs[standin.judge_apart] };
	*spec = (struct run_spec){
		.run_id = 7,
		.owner_uid = 1000,
		.project_id = 3,
		.prompt.template = standin.response_column ? NULL : &prompt_template,
		.response_column = standin.response_column,
		.config = standin.response_column ? NULL : &standin_configs[0],
		.judges = judge,
		.n_judges = 1,
		.generation_params = standin.flow_connections ? &params : NULL,
		.judge_id = judge->id,
		.detailed = standin.detailed,
		.rating_version = standin.rating_version ? standin.rating_version : "1",
		.measures = measures,
		.n_measures = standin.n_measures,
		.epochs = epochs,
		.n_epochs = standin.n_epochs,
		.total_responses = (int64_t)(standin.n_rows * standin.n_epochs),
		.cost_nanodollars = -1,
	};
	for (size_t e = 0; e < standin.n_epochs; e++) {
		epochs[e].epoch = (int64_t)e + 1;
		epochs[e].total = (int64_t)standin.n_rows;
		for (size_t row = 1; row <= standin.n_rows; row++) {
			const struct standin_response *response = standin_response(row, e + 1);

			epochs[e].generated += response->recorded;
			epochs[e].rated += response->rated;
			epochs[e].failed += response->failed;
			for (size_t m = 0; m < standin.n_measures; m++)
				epochs[e].ratings += response->ratings[m].recorded;
		}
	}
}

/* Its template comes with each case. */
static void make_rating(struct run_spec *spec, struct arena *arena)
{
	struct run_epoch *counts = arena_alloc(arena, sizeof(*counts));

	*counts = (struct run_epoch){ 0 };
	spec->run_id = 9;
	spec->rates = true;
	spec->uncounted = standin.n_counts == 0;
	spec->prompt.template = NULL;
	spec->config = NULL;
	for (size_t e = 0; e < spec->n_epochs; e++) {
		counts->total += spec->epochs[e].total;
		counts->generated += spec->epochs[e].total;
		counts->rated += spec->epochs[e].rated;
		counts->failed += spec->epochs[e].failed;
		counts->ratings += spec->epochs[e].ratings;
	}
	spec->epochs = counts;
	spec->n_epochs = 1;
}

static void on_load(struct message *message)
{
	struct run_load *op = container_of(message, struct run_load, request.message);
	struct run_spec *spec = arena_alloc(&op->request.arena, sizeof(*spec));

	fill_spec(spec, &op->request.arena);
	if (op->task_id != 42)
		standin_wrong("the run of another task was loaded");
	if (standin.rating)
		make_rating(spec, &op->request.arena);
	op->ret_spec = spec;
	if (!standin_look(STANDIN_AT_LOAD, 0, &op->request))
		standin_commit(&op->request);
}

void store_run_load(struct store *store, struct run_load *op)
{
	(void)store;
	post(&op->request, on_load);
}

static void on_count(struct message *message)
{
	struct run_count *op = container_of(message, struct run_count, request.message);

	if (!op->spec->uncounted)
		standin_wrong("counted twice");
	standin.n_counts++;
	if (!standin_look(STANDIN_AT_COUNT, 0, &op->request))
		standin_commit(&op->request);
}

void store_run_count(struct store *store, struct run_count *op)
{
	(void)store;
	post(&op->request, on_count);
}

static bool add_case(const struct cases_page *op, struct run_case *item, size_t row, size_t epoch,
		     struct arena *arena)
{
	const struct standin_response *response = standin_response(row, epoch);
	struct run_decided *decided = arena_array(arena, op->n_measures, sizeof(*decided));

	if (response->recorded && (response->failed || op->n_measures == 0))
		return false;
	*item = (struct run_case){
		.prompt.template = op->run_id == 9 ? &prompt_template : NULL,
		.row_id = (int64_t)row + 100,
		.row_number = (int64_t)row,
		.epoch = (int64_t)epoch,
		.input_values = row == standin.row_without_word
					? "{\"other\": 1}"
					: arena_printf(arena, "{\"word\": \"w%zu\", \"extra\": 1}", row),
		.response_id = response->recorded ? (int64_t)(epoch * 10000 + row) : 0,
		.response_text = response->recorded ? response->text : NULL,
		.decided = decided,
	};
	for (size_t m = op->n_measures; m-- > 0;)
		if (response->ratings[m].recorded)
			decided[item->n_decided++] = (struct run_decided){ measures[m].id, 5 };
	return !response->recorded || item->n_decided < op->n_measures;
}

static void on_page(struct message *message)
{
	struct cases_page *op = container_of(message, struct cases_page, request.message);
	struct run_case *cases = arena_array(&op->request.arena, op->scan, sizeof(*cases));
	size_t n = standin.n_rows * standin.n_epochs;
	size_t at = op->cursor.epoch ? (size_t)((op->cursor.epoch - 1) * (int64_t)standin.n_rows +
						op->cursor.row_id)
				     : 0;
	size_t end = at + op->scan < n ? at + op->scan : n;

	for (; at < end; at++)
		op->ret_n_cases += add_case(op, &cases[op->ret_n_cases], at % standin.n_rows + 1,
					    at / standin.n_rows + 1, &op->request.arena);
	op->ret_cases = cases;
	op->ret_end = end == n;
	if (end > 0) {
		op->ret_cursor.epoch = (int64_t)((end - 1) / standin.n_rows + 1);
		op->ret_cursor.row_id = (int64_t)((end - 1) % standin.n_rows + 1);
	}
	if (!standin_look(STANDIN_AT_PAGE, 0, &op->request))
		standin_commit(&op->request);
}

void store_cases_page(struct store *store, struct cases_page *op)
{
	(void)store;
	post(&op->request, on_page);
}

/* The first error of each kind that was recorded is the commonest. */
static void keep_error(int item, const struct fault *fault)
{
	static const char *const names[] = { "response", "rating" };

	if (!fault || error_counts[item].count++ > 0)
		return;
	errors[item] = ELLU_RECORD(struct ellu_error);
	errors[item].code = "BackendRejected";
	errors[item].message = error_messages[item];
	snprintf(error_messages[item], sizeof(error_messages[item]), "%s", fault->message);
	error_counts[item].item = names[item];
	error_counts[item].error = &errors[item];
	error_list[results.n_errors++] = &error_counts[item];
	results.errors = error_list;
}

static int run_response(struct tx *tx, struct store_request *request)
{
	struct response_record *op = container_of(request, struct response_record, request);
	struct standin_response *response = standin_response((size_t)op->row_id - 100, (size_t)op->epoch);

	(void)tx;
	if (response->recorded)
		standin_wrong("row %d was recorded twice", (int)op->row_id);
	if (op->run_id != 7 || op->owner_uid != 1000 || op->project_id != 3)
		standin_wrong("a response of nobody");
	response->recorded = true;
	response->failed = op->error != NULL;
	keep_error(0, op->error);
	response->rated = op->complete;
	response->input_tokens = op->input_tokens;
	response->attempts = op->attempts;
	snprintf(response->text, sizeof(response->text), "%s", op->text ? op->text : "");
	op->ret_response_id = op->epoch * 10000 + op->row_id - 100;
	standin.at_risk -= !standin.response_column &&
			   !(op->error && op->error->code == ELLU_E_BACKEND_UNAVAILABLE);
	return 0;
}

static int run_rating(struct tx *tx, struct store_request *request)
{
	struct rating_record *op = container_of(request, struct rating_record, request);
	struct standin_response *response = standin_response((size_t)op->response_id % 10000,
							     (size_t)op->response_id / 10000);
	struct standin_rating *rating = &response->ratings[op->measure_id - 50];

	(void)tx;
	if (rating->recorded || !response->recorded || response->failed)
		standin_wrong("response %d was rated wrongly", (int)op->response_id);
	if (response->rated)
		standin_wrong("response %d was rated after all", (int)op->response_id);
	if (op->judge_id != 5 || op->run_id != (standin.rating ? 9 : 7) ||
	    op->epoch != (standin.rating ? 0 : op->response_id / 10000))
		standin_wrong("a rating of nobody");
	rating->recorded = true;
	rating->failed = op->error != NULL;
	keep_error(1, op->error);
	rating->value = op->value;
	rating->has_raw_text = op->raw_text != NULL;
	rating->attempts = op->attempts;
	rating->input_tokens = op->input_tokens;
	response->rated = op->complete;
	standin.at_risk -= !(op->error && op->error->code == ELLU_E_BACKEND_UNAVAILABLE);
	return 0;
}

static void commit_queued(void)
{
	for (size_t i = 0; !hold_commits && i < n_queued; i++)
		standin_commit(queued[i]);
	if (!hold_commits)
		n_queued = 0;
}

static void on_commit_due(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	(void)userdata;
	commit_planned = false;
	commit_queued();
}

static void on_record(struct message *message)
{
	struct store_request *request = container_of(message, struct store_request, message);
	const struct timeval delay = { .tv_usec = standin.commit_usec };

	standin.n_records++;
	if (standin.record_error && standin.n_records > standin.record_error_after)
		request->result = fault_set(&request->fault, standin.record_error, NULL);
	queued[n_queued++] = request;
	standin_look(STANDIN_AT_RECORD, standin.n_records, NULL);
	if (!commit_planned)
		event_base_once(loop_base(standin_loop), -1, EV_TIMEOUT, on_commit_due, NULL, &delay);
	commit_planned = true;
}

void store_response_record(struct store *store, struct response_record *op)
{
	(void)store;
	op->request.run = run_response;
	post(&op->request, on_record);
}

void store_rating_record(struct store *store, struct rating_record *op)
{
	(void)store;
	op->request.run = run_rating;
	post(&op->request, on_record);
}

static int run_lost(struct tx *tx, struct store_request *request)
{
	const struct run_spend *op = container_of(request, struct run_spend, request);

	(void)tx;
	if (op->run_id != (standin.rating ? 9 : 7) || op->generated)
		standin_wrong("calls of nobody were lost");
	standin.lost_input_tokens += op->input_tokens;
	return 0;
}

void store_run_spend(struct store *store, struct run_spend *op)
{
	(void)store;
	op->request.run = run_lost;
	standin_commit(&op->request);
}

void store_generation_keep(struct store *store, struct generation_keep *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing was to be made up");
}

void store_evaluation_record(struct store *store, struct evaluation_record *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing was to be scored");
}

void store_batch_results(struct store *store, struct evaluation_results *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing was to be scored");
}

void store_preference_results(struct store *store, struct evaluation_results *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing was to be compared");
}

static void on_results(struct message *message)
{
	struct results_compute *op = container_of(message, struct results_compute, request.message);

	standin.n_results++;
	op->ret_results = &results;
	op->ret_ratings = standin.rating ? &rating_results : NULL;
	if (!standin_look(STANDIN_AT_RESULTS, 0, &op->request))
		standin_commit(&op->request);
}

void store_run_take_over(struct store *store, struct run_take_over *op)
{
	(void)store;
	(void)op;
	standin_wrong("there is nothing to take over");
}

void store_cache_find(struct store *store, struct cache_find *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing is given again");
}

void store_cache_keep(struct store *store, struct cache_keep *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing is kept to be given again");
}

void store_batch_keep(struct store *store, struct batch_keep *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing is given as a batch");
}

void store_batch_note(struct store *store, struct batch_note *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing is given as a batch");
}

void store_batches_load(struct store *store, struct batches_load *op)
{
	(void)store;
	(void)op;
	standin_wrong("nothing is given as a batch");
}

void store_results_compute(struct store *store, struct results_compute *op)
{
	(void)store;
	post(&op->request, on_results);
}

void standin_set_hold(bool hold)
{
	hold_commits = hold;
	commit_queued();
}

void standin_reset_store(void)
{
	hold_commits = commit_planned = false;
	results = ELLU_RECORD(struct ellu_experiment_results);
	results.ratings = results.failed_ratings = standin.all_ratings_fail ? 1 : 0;
	memset(error_counts, 0, sizeof(error_counts));
	flow_connections = standin.flow_connections;
	params = ELLU_RECORD(struct ellu_generation_params);
	params.max_connections = &flow_connections;
	template_message = ELLU_RECORD(struct ellu_message);
	template_message.role = "user";
	template_message.content = standin.template_text ? standin.template_text : "Say {{word}}";
	template_messages[0] = &template_message;
	prompt_template = ELLU_RECORD(struct ellu_prompt_template);
	prompt_template.messages = template_messages;
	prompt_template.n_messages = 1;
	for (size_t m = 0; m < standin.n_measures; m++)
		measures[m] = (struct run_measure){
			.id = (int64_t)m + 50,
			.criterion_id = (int64_t)m + 60,
			.text = standin.measures[m] ? standin.measures[m] : "Is it good?",
		};
}
