/* Rating runs and rounds in the store: what is asked, what counts as recorded, what is listed. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/store/store_fixture.h"
#include "tests/unit/suite.h"

static struct fixture f;
static const struct run_spec *made; // the experiment: four rows, two epochs, two criteria

static void begin(void)
{
	const struct ellu_task *task;

	fixture_open(&f);
	task = submit(&f, "{\"name\": \"X\", \"n_epochs\": 2, \"prompt_template\": {\"content\": {\"name\":"
			  " \"T\", \"messages\": [{\"role\": \"user\", \"content\": \"{{n}}\"}]}},"
			  "\"collection\": {\"content\": {\"name\": \"C\", \"variables\":"
			  " [{\"n\": 1}, {\"n\": 2}, {\"n\": 3}, {\"n\": 4}]}},"
			  "\"criteria\": [\"A?\", \"B?\"]}");
	made = load_run(&f, *task->experiment_id);
}

static const struct ellu_task *ask(const char *json)
{
	struct task_submit op = { .scope = own };

	task_of(&f, &op, METHOD_RATE_RESPONSES, json);
	fixture_init(&f, &op.request);
	store_task_submit(f.store, &op);
	ck_assert_msg(fixture_wait(&f, &op.request) == 0, "%s",
		      op.request.fault.message);
	return op.ret_task;
}

static const struct run_spec *load(int64_t task_id)
{
	struct run_load op = { .task_id = task_id };

	CALL_OK(&f, store_run_load, &op);
	return op.ret_spec;
}

static const struct run_spec *load_counted(int64_t task_id)
{
	struct run_count op = { .spec = load(task_id) };

	ck_assert(op.spec->uncounted);
	CALL_OK(&f, store_run_count, &op);
	ck_assert(!load(task_id)->uncounted);
	return load(task_id);
}

static void page(const struct run_spec *spec, struct case_cursor cursor, size_t scan,
		 struct cases_page *op)
{
	*op = (struct cases_page){
		.run_id = spec->run_id,
		.n_measures = spec->n_measures,
		.cursor = cursor,
		.scan = scan,
	};
	CALL_OK(&f, store_cases_page, op);
}

/* The responses with something to ask, in their order, by pages of `scan`. */
static const char *cases_of(const struct run_spec *spec, size_t scan)
{
	struct case_cursor cursor = { 0 };
	static char text[200];
	struct cases_page op;

	text[0] = '\0';
	do {
		page(spec, cursor, scan, &op);
		for (size_t i = 0; i < op.ret_n_cases; i++)
			sprintf(text + strlen(text), " %d", (int)op.ret_cases[i].response_id);
		cursor = op.ret_cursor;
	} while (!op.ret_end);
	return text;
}

static void say(const struct run_spec *spec, int64_t response_id, size_t measure, int value,
		bool complete)
{
	rate(&f, spec, response_id, /* epoch= */ 0, measure, value, complete);
}

/* Responses 1 to 6; the fourth failed, the sixth only calls a tool. */
static void answer_some(void)
{
	struct response_record op = {
		.run_id = made->run_id,
		.owner_uid = UID,
		.project_id = made->project_id,
		.row_id = 2,
		.epoch = 2,
		.tool_calls = "[{\"id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"}]",
		.attempts = 1,
		.input_tokens = -1,
		.output_tokens = -1,
		.reasoning_tokens = -1,
		.cost_nanodollars = -1,
	};

	for (int row = 1; row <= 4; row++)
		answer(&f, made, row, 1, row == 4 ? NULL : "text");
	answer(&f, made, 1, 2, "text");
	CALL_OK(&f, store_response_record, &op);
	ck_assert_int_eq(op.ret_response_id, 6);
}

/* A call that came to nothing. */
static void spend(const struct run_spec *spec, int64_t epoch)
{
	struct run_spend op = {
		.run_id = spec->run_id,
		.epoch = epoch,
		.input_tokens = 100,
		.output_tokens = 10,
		.cost_nanodollars = 1000,
	};

	CALL_OK(&f, store_run_spend, &op);
}

START_TEST(a_list_in_its_order)
{
	const struct run_spec *spec;
	struct cases_page op;
	int64_t task_id;

	begin();
	answer_some();
	task_id = ask("{\"response_ids\": [5, 4, 2, 6, 1], \"criteria\": [\"C?\", \"D?\"]}")->id;
	spec = load_counted(task_id);
	ck_assert_int_eq(spec->total_responses, 5);
	ck_assert_int_eq(spec->epochs[0].failed, 1);
	ck_assert_int_eq(spec->epochs[0].rated, 1);
	ck_assert_uint_eq(spec->n_measures, 2);
	for (size_t scan = 1; scan <= 6; scan++)
		ck_assert_str_eq(cases_of(spec, scan), " 5 2 6 1");
	page(spec, (struct case_cursor){ 0 }, 10, &op);
	ck_assert_str_eq(op.ret_cases[0].input_values, "{\"n\":1}");
	ck_assert_int_eq(op.ret_cases[0].epoch, 2);
	ck_assert_int_eq(op.ret_cases[0].row_id, 1);
	ck_assert_str_eq(op.ret_cases[0].prompt.template->messages[0]->content, "{{n}}");
	ck_assert(strstr(op.ret_cases[2].response_text, "\"arguments\"") != NULL);
	/* What is recorded is not asked for; counters follow. */
	say(spec, 2, 0, 1, false);
	say(spec, 2, 1, -1, true);
	say(spec, 5, 1, 0, false);
	ck_assert_str_eq(cases_of(spec, 2), " 5 6 1");
	page(spec, (struct case_cursor){ 0 }, 10, &op);
	ck_assert_uint_eq(op.ret_cases[0].n_decided, 1);
	ck_assert_int_eq(op.ret_cases[0].decided[0].measure_id, spec->measures[1].id);
	ck_assert_int_eq(load(task_id)->epochs[0].rated, 2);
	ck_assert_int_eq(load(task_id)->input_tokens, 3);
	/* The experiment's judge said nothing: its counters are its own. */
	ck_assert_int_eq(look_int(&f, "SELECT sum(ratings) FROM run_epochs WHERE epoch > 0"), 0);
	fixture_close(&f);
}
END_TEST

START_TEST(a_filter_is_pinned)
{
	static char json[200];
	const struct ellu_task *task;
	const struct run_spec *spec;

	begin();
	answer_some();
	rate(&f, made, 1, 1, 0, 1, false);
	rate(&f, made, 2, 1, 0, 0, false);
	rate(&f, made, 5, 2, 0, 1, false);
	snprintf(json, sizeof(json), "{\"experiment\": {\"name\": \"X\"}, \"criterion_id\": %d,"
				     " \"rating\": \"YES\", \"criteria\": [\"C?\"]}",
		 (int)made->measures[0].criterion_id);
	task = ask(json);
	/* How many there are, and are done, is not known before they are counted. */
	ck_assert_int_eq(task->progress->total_responses, 0);
	ck_assert(task->progress->percent_complete == 0);
	ck_assert_uint_eq(task->progress->n_epochs, 0);
	spec = load_counted(task->id);
	ck_assert_str_eq(cases_of(spec, 2), " 1 5");
	ck_assert_int_eq(spec->total_responses, 2);
	/* What comes later was not asked for. */
	rate(&f, made, 3, 1, 0, 1, false);
	answer(&f, made, 3, 2, "late");
	ck_assert_str_eq(cases_of(spec, 100), " 1 5");
	spec = load_counted(ask("{\"experiment\": {\"name\": \"X\"}, \"epoch\": 2,"
				" \"criteria\": [\"C?\"], \"name\": \"N\"}")->id);
	ck_assert_str_eq(cases_of(spec, 3), " 5 6 7");
	fixture_close(&f);
}
END_TEST

/* An error is missing in a later round; nothing else is ever overwritten. */
START_TEST(rounds)
{
	struct task_submit op = { .scope = own };
	const struct run_spec *spec;
	struct run_count count;
	struct cases_page cases;
	int64_t id, input_tokens;

	begin();
	answer_some();
	rate(&f, made, 1, 1, 0, 1, false);
	rate(&f, made, 1, 1, 1, -1, true);
	spend(made, /* epoch= */ 2);
	finish(&f, 1, TASK_SUCCESS);
	spec = load_run(&f, 1);
	input_tokens = spec->input_tokens;
	ck_assert_int_eq(input_tokens, 152); // 50 of answers, 2 of verdicts
	ck_assert_int_eq(spec->cost_nanodollars, 1014);
	task_of(&f, &op, METHOD_RETRY_FAILED, "{\"experiment\": {\"name\": \"X\"}}");
	fixture_init(&f, &op.request);
	store_task_submit(f.store, &op);
	ck_assert_int_eq(fixture_wait(&f, &op.request), 0);
	ck_assert_int_eq(*op.ret_task->retry_of, 1);
	ck_assert_int_eq(op.ret_task->progress->failed, 0);
	ck_assert_int_eq(op.ret_task->progress->responses_generated, 5);
	ck_assert_int_eq(*op.ret_task->progress->cost, 1014);
	spec = load_run(&f, 1);
	ck_assert(spec->uncounted);
	ck_assert_int_eq(spec->round, op.ret_task->id);
	count = (struct run_count){ .spec = spec };
	CALL_OK(&f, store_run_count, &count);
	spec = load_run(&f, 1);
	ck_assert(!spec->uncounted);
	ck_assert_int_eq(spec->epochs[0].generated, 3);
	ck_assert_int_eq(spec->epochs[0].rated, 0);
	ck_assert_int_eq(spec->epochs[1].generated, 2);
	/* What was spent for nothing stays spent. */
	ck_assert_int_eq(spec->input_tokens, input_tokens);
	ck_assert_int_eq(spec->cost_nanodollars, 1014);
	page(spec, (struct case_cursor){ 0 }, 100, &cases);
	ck_assert_uint_eq(cases.ret_n_cases, 8);
	ck_assert_uint_eq(cases.ret_cases[0].n_decided, 1);
	ck_assert_int_eq(cases.ret_cases[3].response_id, 0); // row 4, which failed
	ck_assert(strstr(cases.ret_cases[5].response_text, "\"arguments\"") != NULL);
	/* The same row again keeps its id, and its attempts add up. */
	ck_assert_int_eq(answer(&f, spec, 4, 1, "at last"), 4);
	ck_assert_int_eq(answer(&f, spec, 1, 1, "not this"), 1);
	rate(&f, spec, 1, 1, 1, 0, true);
	rate(&f, spec, 1, 1, 0, 0, false);
	ck_assert_int_eq(look_int(&f, "SELECT attempts FROM responses WHERE id = 4"), 2);
	ck_assert_int_eq(look_int(&f, "SELECT attempts FROM responses WHERE id = 1"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM responses WHERE response_text = 'not this'"), 0);
	ck_assert_int_eq(look_int(&f, "SELECT sum(value * 10 + attempts) FROM ratings"), 13);
	/* Recorded in this round, an error is final. */
	id = answer(&f, spec, 3, 2, NULL);
	ck_assert_int_eq(answer(&f, spec, 3, 2, "too late"), id);
	spec = load_run(&f, 1);
	ck_assert_int_eq(spec->epochs[0].generated, 4);
	ck_assert_int_eq(spec->epochs[0].rated, 1);
	ck_assert_int_eq(spec->epochs[1].failed, 1);
	fixture_close(&f);
}
END_TEST

/* The experiment's own judge, asked by a rating run: the experiment's counters are counted anew. */
START_TEST(counters_go_stale)
{
	const struct run_spec *spec;
	struct run_count count;

	begin();
	answer_some();
	spec = load_counted(ask("{\"experiment\": {\"name\": \"X\"}}")->id);
	ck_assert_int_eq(spec->judge_id, made->judge_id);
	say(spec, 1, 0, 1, false);
	say(spec, 1, 1, 1, true);
	count = (struct run_count){ .spec = load_run(&f, 1) };
	ck_assert(count.spec->uncounted);
	ck_assert_int_eq(count.spec->epochs[0].rated, 1); // the failed one
	CALL_OK(&f, store_run_count, &count);
	spec = load_run(&f, 1);
	ck_assert(!spec->uncounted);
	ck_assert_int_eq(spec->epochs[0].rated, 2);
	ck_assert_int_eq(look_int(&f, "SELECT sum(ratings) FROM run_epochs WHERE epoch > 0"), 2);
	fixture_close(&f);
}
END_TEST

/* Two ask the same at the same time: one verdict is recorded, and each has spent what it spent. */
START_TEST(spent_for_what_others_recorded)
{
	const struct run_spec *first, *second;

	begin();
	answer_some();
	first = load_counted(ask("{\"response_ids\": [1], \"criteria\": [\"C?\"]}")->id);
	second = load_counted(ask("{\"response_ids\": [1], \"criteria\": [\"C?\"]}")->id);
	ck_assert_int_eq(first->measures[0].id, second->measures[0].id);
	say(first, 1, 0, 1, true);
	say(second, 1, 0, 0, true);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM ratings"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT value FROM ratings"), 1);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM run_epochs WHERE epoch = 0 AND input_tokens = 1"
				      " AND output_tokens = 2 AND cost_nanodollars = 7"), 2);
	ck_assert_int_eq(look_int(&f, "SELECT sum(ratings) FROM run_epochs WHERE epoch = 0"), 1);
	fixture_close(&f);
}
END_TEST

/* What it takes to ask the same response by these criteria. */
static int64_t cost_of(const char *first, const char *second)
{
	char json[4000];
	struct task_submit op = { .scope = own };

	snprintf(json, sizeof(json), "{\"response_ids\": [1], \"criteria\": [\"%s\", \"%s\"]}", first,
		 second);
	task_of(&f, &op, METHOD_RATE_RESPONSES, json);
	fixture_init(&f, &op.request);
	store_task_submit(f.store, &op);
	ck_assert_int_eq(fixture_wait(&f, &op.request), 0);
	ck_assert_str_eq(op.ret_task->status, "PENDING");
	return op.request.steps;
}

/* Neither how many sets there are already nor how often a placeholder is said makes a submission
 * longer. */
START_TEST(criteria_cost_what_they_are)
{
	char text[20], many[1500] = "";
	int64_t costs[40], said;

	begin();
	answer_some();
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "Is it %d?", 10 + i);
		costs[i] = cost_of(text, "{{n}}");
	}
	ck_assert_int_eq(costs[39], costs[10]);
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM criterion_sets WHERE name ="
				      " 'Ratings criteria' OR name = family || ' #' || family_number"), 40);
	/* An equal set is taken, wherever it is among them. */
	(void)cost_of("Is it 30?", "{{n}}");
	ck_assert_int_eq(look_int(&f, "SELECT count(*) FROM criterion_sets"), 41);
	ck_assert_int_eq(look_int(&f, "SELECT count(DISTINCT criterion_set_id) FROM runs"
				      " WHERE response_ids IS NOT NULL"), 40);
	for (int i = 0; i < 200; i++)
		strcat(many, "{{n}} ");
	(void)cost_of("Again?", "{{n}} {{n}}");
	said = cost_of("And again?", "{{n}} {{n}}");
	ck_assert_int_eq(cost_of("And once more?", many), said);
	fixture_close(&f);
}
END_TEST

/* Each collection that listed responses are from has the columns, or it is said which lacks one. */
START_TEST(columns_of_every_collection)
{
	const struct ellu_task *task;
	char json[100];

	begin();
	answer_some();
	task = submit(&f, "{\"name\": \"Z\", \"prompt_template\": {\"content\": {\"name\": \"Q\","
			  " \"messages\": [{\"role\": \"user\", \"content\": \"{{m}}\"}]}}, \"collection\":"
			  " {\"content\": {\"name\": \"D\", \"variables\": [{\"m\": 1}]}}}");
	(void)answer(&f, load_run(&f, *task->experiment_id),
		     look_int(&f, "SELECT max(id) FROM template_variables"), 1, "text");
	snprintf(json, sizeof(json), "{\"response_ids\": [1, %d], \"criteria\": [\"Good?\", \"{{n}}?\"]}",
		 (int)look_int(&f, "SELECT max(id) FROM responses"));
	task = ask(json);
	ck_assert_str_eq(task->status, "REJECTED");
	ck_assert_str_eq(task->error->field, "criteria[1]");
	ck_assert_ptr_nonnull(strstr(task->error->message, "'D'; 'n' is none"));
	task = ask("{\"response_ids\": [1, 2], \"criteria\": [\"Good?\", \"{{n}}?\"]}");
	ck_assert_str_eq(task->status, "PENDING");
	fixture_close(&f);
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_list_in_its_order, a_filter_is_pinned, rounds, counters_go_stale,
			 spent_for_what_others_recorded,
			 criteria_cost_what_they_are, columns_of_every_collection);
}
