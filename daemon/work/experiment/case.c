#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/provider_batch.h"
#include "daemon/work/experiment/experiment_run.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/usage.h"

struct arena *case_memory(struct open_case *open_case)
{
	return &open_case->record.request.arena;
}

const char *case_name(const struct open_case *open_case, char text[static CASE_NAME_SIZE])
{
	if (open_case->run->spec->rates)
		snprintf(text, CASE_NAME_SIZE, "Response %" PRId64, open_case->response_id);
	else
		snprintf(text, CASE_NAME_SIZE, "Row %" PRId64 ", epoch %" PRId64,
			 open_case->row_number, open_case->epoch);
	return text;
}

/* ---- Opening and closing ---- */

static void on_recorded(struct store_request *request);

static struct open_case *case_open(struct experiment_run *run, const struct run_case *row)
{
	struct open_case *made = run->spare_cases;

	if (made)
		run->spare_cases = made->newer;
	else
		made = malloc(sizeof(*made));
	if (!made)
		return NULL;
	*made = (struct open_case){
		.run = run,
		.row_id = row->row_id,
		.row_number = row->row_number,
		.epoch = row->epoch,
		.cursor = row->cursor,
		.response_id = row->response_id,
		.facts = { -1, -1, NULL },
		.before = RUN_TOTAL_NONE,
	};
	store_request_init(&made->record.request, run->base.host.loop, on_recorded, made);
	made->record.request.for_uid = run->spec->owner_uid;
	made->older = run->newest;
	if (made->older)
		made->older->newer = made;
	run->newest = made;
	run->base.n_open++;
	return made;
}

/* Moves the run's sum to what the case takes now; `values` its row's, once they are read. */
static void weigh(struct open_case *open_case, size_t values)
{
	size_t bytes = arena_size(case_memory(open_case)) + arena_size(&open_case->asking.call.arena);

	open_case->values_size += values;
	bytes += open_case->values_size;
	run_weigh(&open_case->run->base, RUN_ITEMS, open_case->bytes, bytes);
	open_case->bytes = bytes;
}

void case_weigh(struct open_case *open_case)
{
	weigh(open_case, 0);
}

static void release(struct open_case *open_case)
{
	tool_results_done(&open_case->tools);
	json_object_put(open_case->values);
	arena_done(&open_case->asking.call.arena);
	store_request_done(&open_case->record.request);
}

void case_close(struct open_case *open_case)
{
	struct experiment_run *run = open_case->run;

	run_weigh(&run->base, RUN_ITEMS, open_case->bytes, 0);
	release(open_case);
	if (open_case->newer)
		open_case->newer->older = open_case->older;
	else
		run->newest = open_case->older;
	if (open_case->older)
		open_case->older->newer = open_case->newer;
	run->base.n_open--;
	open_case->newer = run->spare_cases;
	run->spare_cases = open_case;
}

void case_free(struct open_case *open_case)
{
	release(open_case);
	free(open_case);
}

/* ---- Recording the response ---- */

/* What was said between the prompt and the answer. */
static int write_transcript(struct open_case *open_case, const char **ret_text)
{
	json_object *list;
	int r;

	*ret_text = NULL;
	if (open_case->n_rounds == 0 || open_case->n_messages <= open_case->n_prompt)
		return 0;
	list = json_object_new_array();
	r = list ? 0 : -ENOMEM;
	for (size_t i = open_case->n_prompt; r >= 0 && i < open_case->n_messages; i++) {
		json_object *message = NULL;

		r = record_encode(&ellu_message_type, open_case->messages[i], TO_STORE, &message);
		if (r >= 0)
			r = json_object_array_add(list, message);
	}
	*ret_text = r >= 0 ? arena_strdup(case_memory(open_case), json_text(list, NULL)) : NULL;
	json_object_put(list);
	return *ret_text ? 0 : -ENOMEM;
}

/* Or else it was known before, or came some time. */
static bool waited_for(const struct open_case *open_case, int64_t attempts)
{
	return attempts > 0 && !open_case->collected;
}

static void record_response(struct open_case *open_case, const struct fault *error)
{
	struct experiment_run *run = open_case->run;
	struct response_record *record = &open_case->record;
	const struct llm_call *call = &open_case->asking.call;
	struct run_total *total = &open_case->before;

	run_total_add(total, call);
	if (write_transcript(open_case, &record->transcript) < 0) {
		run_call_lost(&open_case->asking);
		run_fail_oom(&run->base);
		return;
	}
	record->run_id = run->spec->run_id;
	record->round = run->spec->round;
	record->owner_uid = run->spec->owner_uid;
	record->project_id = run->spec->project_id;
	record->row_id = open_case->row_id;
	record->epoch = open_case->epoch;
	record->text = error ? NULL : open_case->text;
	record->tool_calls = call->tool_calls;
	record->finish_reason = call->finish_reason;
	record->error = error;
	record->fallback = error ? -1 : (int64_t)open_case->chain.at - 1;
	record->attempts = total->attempts;
	record->duration_usec = waited_for(open_case, total->attempts) ? total->duration_usec : -1;
	record->input_tokens = total->input_tokens;
	record->output_tokens = total->output_tokens;
	record->reasoning_tokens = total->reasoning_tokens;
	record->cached_tokens = total->cached_tokens;
	record->cost_nanodollars = total->cost_nanodollars;
	record->replaced = call->replaced;
	record->cached = open_case->asking.cached && !open_case->asked;
	record->collected = open_case->collected;
	record->spent.source = run_source(&run->base, call->target);
	record->complete = error || run->spec->n_measures == 0;
	open_case->asking.route->uncommitted++;
	run->base.n_outstanding++;
	store_response_record(run->base.host.store, record);
}

void case_take_answer(struct open_case *open_case)
{
	const struct llm_call *call = &open_case->asking.call;

	open_case->text = call->text;
	open_case->facts = (struct case_facts){
		.duration_usec = waited_for(open_case, open_case->before.attempts + call->attempts) ?
					 open_case->before.duration_usec + call->duration_usec : -1,
		.cost_nanodollars = call->cost_nanodollars,
		.finish_reason = call->finish_reason,
	};
	usage_add(&open_case->facts.cost_nanodollars, open_case->before.cost_nanodollars);
	weigh(open_case, 0);
	record_response(open_case, NULL);
}

static void log_failure(struct open_case *open_case, const struct fault *fault)
{
	char name[CASE_NAME_SIZE];

	run_log_failure(&open_case->run->base.log, "%s: %s", case_name(open_case, name), fault->message);
}

void case_fail(struct open_case *open_case, const struct fault *fault)
{
	log_failure(open_case, fault);
	record_response(open_case, fault);
}

void case_set_no_usage(struct open_case *open_case)
{
	struct llm_call *call = &open_case->asking.call;

	call->input_tokens = call->output_tokens = call->reasoning_tokens = -1;
	call->cached_tokens = call->cost_nanodollars = -1;
}

/* ---- Having it judged ---- */

size_t case_units(const struct experiment_run *run)
{
	const struct run_spec *spec = run->spec;

	return spec->n_measures * (spec->n_judges > 1 ? spec->n_judges : 1);
}

bool case_unit_is_due(const struct open_case *open_case, size_t unit)
{
	const struct run_spec *spec = open_case->run->spec;
	size_t n = spec->n_judges > 1 ? spec->n_judges : 1;

	if (open_case->units && open_case->units[unit] == UNIT_DECIDED)
		return false;
	return unit % n == 0 || spec->measures[unit / n].by_judge;
}

/* Of a measure: what the run's judge has decided is none of its units'. */
static void mark_units(struct open_case *open_case, size_t measure, int64_t judge_id)
{
	const struct run_spec *spec = open_case->run->spec;
	size_t n = case_units(open_case->run) / spec->n_measures;
	unsigned char *units = open_case->units + measure * n;

	for (size_t i = 0; i < n; i++)
		if (judge_id == spec->judge_id || spec->judges[i].id == judge_id)
			units[i] = UNIT_DECIDED;
}

/* Where all of a panel have said something and it alone has not, its last one has to be told again. */
static void leave_last(struct open_case *open_case, const struct run_case *row)
{
	const struct run_spec *spec = open_case->run->spec;
	size_t n = spec->n_judges;

	for (size_t measure = 0; n > 1 && measure < spec->n_measures; measure++) {
		unsigned char *units = open_case->units + measure * n;
		bool all = true;

		for (size_t i = 0; i < n; i++)
			all = all && units[i] == UNIT_DECIDED;
		for (size_t i = 0; all && i < row->n_decided; i++)
			all = row->decided[i].measure_id != spec->measures[measure].id ||
			      row->decided[i].judge_id != spec->judge_id;
		if (all)
			units[n - 1] = UNIT_SAID;
	}
}

/* Decided measures mostly come in the order of the run's, so the search goes on where it was. */
static int mark_decided(struct open_case *open_case, const struct run_case *row)
{
	const struct run_spec *spec = open_case->run->spec;
	const size_t n = case_units(open_case->run);
	size_t at = 0;

	open_case->units = arena_array(case_memory(open_case), n, sizeof(*open_case->units));
	if (!open_case->units)
		return -ENOMEM;
	for (size_t i = 0; i < row->n_decided; i++)
		for (size_t tries = 0; tries < spec->n_measures; tries++) {
			size_t measure = at % spec->n_measures;

			if (spec->measures[measure].id == row->decided[i].measure_id) {
				mark_units(open_case, measure, row->decided[i].judge_id);
				break;
			}
			at++;
		}
	leave_last(open_case, row);
	return 0;
}

static size_t count_due(const struct open_case *open_case)
{
	size_t n = 0;

	for (size_t i = 0; i < case_units(open_case->run); i++)
		n += case_unit_is_due(open_case, i);
	return n;
}

/* What a judge reads where the answer is no text: the calls of tools that it asks for. */
static void have_judged(struct open_case *open_case)
{
	struct experiment_run *run = open_case->run;

	if (!open_case->text)
		open_case->text = open_case->asking.call.tool_calls;
	if (!open_case->text)
		open_case->text = "";
	open_case->n_unposted = open_case->n_open = count_due(open_case);
	open_case->next = NULL;
	*run->judging_tail = open_case;
	run->judging_tail = &open_case->next;
}

static void on_recorded(struct store_request *request)
{
	struct open_case *open_case = container_of(request, struct open_case, record.request);
	struct experiment_run *run = open_case->run;
	const struct response_record *record = &open_case->record;

	open_case->asking.route->uncommitted--;
	run_call_recorded(&open_case->asking, &record->spent);
	if (open_case->collected)
		open_case->recorded(run->batching, open_case->collected);
	if (!run_take_answer(&run->base, request)) {
		run_go_on(&run->base);
		return;
	}
	if (record->ret_known) {
		case_close(open_case);
	} else {
		open_case->response_id = record->ret_response_id;
		if (record->ret_unfit.code)
			log_failure(open_case, &record->ret_unfit);
		progress_add_response(&run->base.progress, open_case->epoch, record->error != NULL,
				      record->complete, run->spec->n_measures);
		progress_add_usage(&run->base.progress, record->input_tokens, record->output_tokens,
				   record->cost_nanodollars);
		run_changed(&run->base);
		if (record->complete || open_case->collected) {
			case_close(open_case); // the next scan has it judged
		} else {
			have_judged(open_case);
		}
	}
	run_go_on(&run->base);
}

/* What followed the prompt, before the answer that is there. */
static int add_transcript(struct open_case *open_case, const char *text)
{
	const struct ellu_message *const *messages;
	const struct ellu_message **list;
	size_t n, n_before = open_case->n_messages;

	if (!text)
		return 0;
	if (record_list_from_text(&ellu_message_type, text, FROM_STORE, case_memory(open_case), &messages, &n) < 0)
		return -ENOMEM;
	list = arena_array(case_memory(open_case), n_before + n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n_before + n; i++)
		list[i] = i < n_before ? open_case->messages[i] : messages[i - n_before];
	open_case->messages = list;
	open_case->n_messages = n_before + n;
	return 0;
}

static int resume_judging(struct open_case *open_case, const struct run_case *row)
{
	if (add_transcript(open_case, row->transcript) < 0)
		return -ENOMEM;
	if (row->response_text) {
		open_case->text = arena_strdup(case_memory(open_case), row->response_text);
		if (!open_case->text)
			return -ENOMEM;
	}
	open_case->facts = row->facts;
	open_case->facts.finish_reason = arena_strdup(case_memory(open_case), row->facts.finish_reason);
	if (row->facts.finish_reason && !open_case->facts.finish_reason)
		return -ENOMEM;
	if (mark_decided(open_case, row) < 0)
		return -ENOMEM;
	if (count_due(open_case) == 0)
		case_close(open_case);
	else
		have_judged(open_case);
	return 0;
}

/* ---- Starting ---- */

static void fail_value(const struct open_case *open_case, const char *what, const char *name)
{
	struct fault fault = { 0 };

	fault_invalid(&fault, name, "a value in each row");
	snprintf(fault.message, sizeof(fault.message), "row %" PRId64 " has no value for the %s '%s'",
		 open_case->row_number, what, name);
	run_fail(&open_case->run->base, &fault);
}

/* The case fails, and the run goes on. What is recorded already is judged without its request. */
static bool fail_size(struct open_case *open_case, const struct run_case *row,
		      const struct fault *cause)
{
	struct fault *fault = &open_case->asking.call.fault;

	if (row->response_id)
		return true;
	*fault = *cause;
	snprintf(fault->message, sizeof(fault->message),
		 "row %" PRId64 ": rendered with '%s' the request takes more than %u bytes",
		 open_case->row_number, cause->field, RENDERED_BYTES_MAX);
	case_set_no_usage(open_case);
	case_fail(open_case, fault);
	return false;
}

static bool has_value(const struct open_case *open_case, const char *name)
{
	json_object *value;

	return json_object_object_get_ex(open_case->values, name, &value) && value;
}

/* The criteria's placeholders too, before anything is spent on the case. */
static bool read_values(struct open_case *open_case, const char *input_values)
{
	struct experiment_run *run = open_case->run;

	json_tokener_reset(run->tokener);
	open_case->values = json_tokener_parse_ex(run->tokener, input_values, -1);
	if (!json_object_is_type(open_case->values, json_type_object)) {
		struct fault fault = { 0 };

		fault_set(&fault, ELLU_E_INTERNAL, "the values of row %" PRId64 " cannot be read",
			  open_case->row_number);
		run_fail(&run->base, &fault);
		return false;
	}
	for (size_t i = 0; i < run->n_needed; i++)
		if (!has_value(open_case, run->needed[i])) {
			fail_value(open_case, "placeholder", run->needed[i]);
			return false;
		}
	return true;
}

/* The template may go with the page that it came in. What a judge reads is kept. */
static int keep_messages(struct open_case *open_case)
{
	struct ellu_message *kept = arena_array(case_memory(open_case), open_case->n_messages,
						sizeof(*kept));
	const struct ellu_message **list =
		arena_array(case_memory(open_case), open_case->n_messages, sizeof(*list));

	if (!kept || !list)
		return -ENOMEM;
	for (size_t i = 0; i < open_case->n_messages; i++) {
		kept[i] = ELLU_RECORD(struct ellu_message);
		kept[i].role = arena_strdup(case_memory(open_case), open_case->messages[i]->role);
		kept[i].content = open_case->messages[i]->content;
		kept[i].parts = open_case->messages[i]->parts;
		kept[i].n_parts = open_case->messages[i]->n_parts;
		kept[i].n_tool_calls = open_case->messages[i]->n_tool_calls;
		kept[i].tool_calls = tool_calls_copy(open_case->messages[i]->tool_calls,
						     kept[i].n_tool_calls, case_memory(open_case));
		if (!kept[i].role || !kept[i].tool_calls)
			return -ENOMEM;
		list[i] = &kept[i];
	}
	open_case->messages = list;
	return 0;
}

static bool render_request(struct open_case *open_case, const struct run_case *row)
{
	struct experiment_run *run = open_case->run;
	bool own = !prompt_is_empty(&row->prompt);
	const struct prompt *prompt = own ? &row->prompt : &run->spec->prompt;
	struct fault fault = { 0 };

	if (prompt_is_empty(prompt))
		return true;
	if (prompt_render(prompt, open_case->values, case_memory(open_case), &open_case->messages,
			  &open_case->n_messages, &fault) >= 0) {
		open_case->n_prompt = open_case->n_messages;
		if (!own || keep_messages(open_case) >= 0)
			return true;
		fault_oom(&fault);
	}
	open_case->n_messages = open_case->n_prompt = 0;
	if (fault.code == ELLU_E_TOO_LARGE)
		return fail_size(open_case, row, &fault);
	if (fault.field[0])
		fail_value(open_case,
			   prompt->input && strcmp(prompt->input, fault.field) == 0 ? "column" : "placeholder",
			   fault.field);
	else
		run_fail(&run->base, &fault);
	return false;
}

/* A response that is a column of the row: recorded like an answer that took nothing. */
static void take_column(struct open_case *open_case)
{
	const char *column = open_case->run->spec->response_column;
	json_object *value;

	if (!has_value(open_case, column)) {
		fail_value(open_case, "column", column);
		return;
	}
	value = json_object_object_get(open_case->values, column);
	open_case->text = json_object_is_type(value, json_type_string)
				  ? json_object_get_string(value)
				  : json_object_to_json_string_ext(
					    value, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE);
	case_set_no_usage(open_case);
	record_response(open_case, NULL);
}

void case_collect(struct experiment_run *run, const struct run_case *row, struct batch_result *result,
		  case_recorded_fn *recorded)
{
	struct open_case *open_case = case_open(run, row);
	struct run_call *asking;

	if (!open_case) {
		run_fail_oom(&run->base);
		recorded(run->batching, result);
		return;
	}
	open_case->collected = result;
	open_case->recorded = recorded;
	asking = &open_case->asking;
	run_call_init(asking, &run->base, run->generating, NULL);
	asking->epoch = open_case->epoch;
	asking->call = result->call;
	asking->call.arena = arena_take(&result->call.arena);
	run_call_take_cost(asking);
	if (asking->call.outcome == LLM_ANSWERED)
		case_take_answer(open_case);
	else
		case_fail(open_case, &asking->call.fault);
}

struct open_case *case_start(struct experiment_run *run, const struct run_case *row)
{
	struct open_case *open_case = case_open(run, row);

	if (!open_case) {
		run_fail_oom(&run->base);
		return NULL;
	}
	run_call_init(&open_case->asking, &run->base, run->generating, NULL);
	open_case->asking.epoch = open_case->epoch;
	if (!read_values(open_case, row->input_values) || !render_request(open_case, row))
		return NULL;
	weigh(open_case, json_weight(row->input_values));
	if (row->response_id) {
		if (resume_judging(open_case, row) < 0)
			run_fail_oom(&run->base);
	} else if (run->spec->response_column) {
		take_column(open_case);
	} else {
		return open_case;
	}
	return NULL;
}
