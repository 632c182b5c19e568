/*
 * The kinds `experiment` and `rating`: what is missing of a pinned run is asked for, recorded and
 * judged; a rating's cases have their responses already.
 *
 *	experiment.c	load, aggregate, end
 *	window.c	which case and which call is next
 *	case.c	one case: render, record, have it judged
 *	case_asking.c	its answer: who is asked, and what tools bring
 *	judgement.c	one criterion of a case by one judge, or one evaluator's score: ask, read, record
 *	case_inputs.c	what evaluators read of a case
 *	batching.c	cases that are given to a provider as batches
 *
 * A case is judged in units: its measures by each of the run's judges, whose verdicts come to one in the
 * store. What is decided without the run's judge, and what one judge decides, is one unit a measure.
 */
#pragma once

#include <json.h>

#include "daemon/store/runs.h"
#include "daemon/work/conversation/tool_results.h"
#include "daemon/work/judging/scoring.h"
#include "daemon/work/run/chain.h"
#include "daemon/work/run/run.h"

#define RUN_PAGE_SCAN 256 // (row, epoch) pairs looked at for a page of cases
#define RUN_PAGE_SCAN_MAX PAGE_MAX // where nothing was missing

struct batch_result;
struct batching;
struct experiment_run;

/* ---- Cases ---- */

enum unit_state {
	UNIT_DUE,
	UNIT_DECIDED,
	UNIT_SAID, // by the last judge of a panel, whose own verdict is missing
};

#define CASE_NAME_SIZE 64

/* What a batch brought of a case is recorded, or never will be. */
typedef void case_recorded_fn(struct batching *batching, struct batch_result *result);

/* A case from read to recorded. Its memory is the arena of its record's request. */
struct open_case {
	struct run_call asking; // the generation
	struct chain chain; // of who may answer
	struct run_total before; // what earlier answers took
	struct tool_results tools; // from the first round on
	struct case_cursor cursor; // where a scan is behind it
	struct batch_result *collected; // what its answer was, or NULL; and who is told once that is recorded
	case_recorded_fn *recorded;
	int64_t n_rounds; // with tools
	bool asked; // in a round before, and was not given a kept answer
	struct response_record record;
	struct experiment_run *run;
	int64_t row_id;
	int64_t row_number;
	int64_t epoch;
	json_object *values;
	const struct ellu_message *const *messages; // what was asked; NULL: it is not known
	size_t n_messages;
	size_t n_prompt; // of them; behind those stands what followed, with tools
	int64_t response_id; // 0: not committed
	const char *text; // what is judged
	struct case_facts facts; // of it
	unsigned char *units; // enum unit_state, or NULL: all are due
	size_t next_unit; // to be asked for, or past the last
	size_t values_size;
	size_t bytes; // of RUN_ITEMS
	size_t n_unposted; // ratings whose record was not handed to the store
	size_t n_open; // ratings not committed
	struct open_case *next; // run::judging
	struct open_case *newer; // run::oldest, or run::spare_cases
	struct open_case *older;
};

/* What people call it in the log. */
const char *case_name(const struct open_case *open_case, char text[static CASE_NAME_SIZE]);

/* Opens a case and starts with what it misses. Returned is one that is to be asked for its answer. */
struct open_case *case_start(struct experiment_run *run, const struct run_case *row);
void case_close(struct open_case *open_case);
void case_free(struct open_case *open_case); // its memory too
/* The same of one that a batch brought the result of, which is recorded. */
void case_collect(struct experiment_run *run, const struct run_case *row, struct batch_result *result,
		  case_recorded_fn *recorded);

/* Asks for its answer (case_asking.c), which comes back to one of these. */
void case_ask(struct open_case *open_case);
void case_take_answer(struct open_case *open_case);
/* The fault outlives the record. */
void case_fail(struct open_case *open_case, const struct fault *fault);
/* It is recorded without a call: it took nothing. */
void case_set_no_usage(struct open_case *open_case);
/* It holds more than before. */
void case_weigh(struct open_case *open_case);
struct arena *case_memory(struct open_case *open_case);
/* Units in which a case is judged; each measure has as many, the first is that of what asks no judge. */
size_t case_units(const struct experiment_run *run);
/* The unit is none of the others of such a measure, nor decided. */
bool case_unit_is_due(const struct open_case *open_case, size_t unit);

/* ---- Judgements ---- */

/* Its memory is the arena of its record's request. */
struct judgement {
	struct run_call asking;
	struct rating_record record;
	struct open_case *open_case;
	const struct run_measure *measure;
	size_t judge; // of the run's
	struct case_score *score; // of an evaluator; or NULL
	size_t bytes; // of RUN_QUESTIONS
	struct judgement *newer; // run::newest_judgement, or run::spare_judgements
	struct judgement *older;
};

/* Asks for the verdict of the case's next unit; there must be one. */
void judgement_start(struct open_case *open_case);
void judgement_free(struct judgement *judgement);

/* An evaluator of the run, or NULL: the measure is a criterion. */
const struct run_evaluator *measure_evaluator(const struct run_spec *spec, const struct run_measure *measure);
/* What an evaluator reads, by its names; to be put. InvalidParameter of an input that has no value, or
 * of a placeholder; TooLarge; Internal without memory. */
int case_inputs(const struct open_case *open_case, const struct ellu_evaluator *evaluator,
		const struct ellu_evaluator_use *use, struct arena *arena, json_object **ret_inputs,
		struct fault *fault);

/* ---- The window ---- */

enum page_state {
	PAGE_IDLE,
	PAGE_ASKED,
	PAGE_READY,
};

struct page {
	struct cases_page op;
	struct experiment_run *run;
	enum page_state state;
	size_t next; // of op.ret_cases
};

/* Issues what there is room for, and prefetches. Whether nothing is left. */
bool window_issue(struct experiment_run *run);

/* ---- The run ---- */

struct experiment_run {
	struct run base;
	struct run_take_over taking;
	struct run_count count;
	bool counted; // by this run
	const struct run_spec *spec; // NULL until loaded
	struct answerers answerers; // none with a response column
	struct batching *batching; // who of is given batches; or NULL
	struct llm_target *judge_targets[JUDGES_MAX]; // of the spec's judges
	struct route *generating; // one of the routes, of which those to one endpoint are the same
	struct route *judging_routes[JUDGES_MAX]; // where no judge is asked, there is one all the same
	struct scorers scorers; // that evaluators ask; zeroed: there are none
	const char *const *needed; // placeholders of the criteria
	size_t n_needed;
	json_tokener *tokener;

	struct page pages[2];
	unsigned page; // the one that is read
	struct case_cursor cursor;
	size_t scan;
	bool read_all;

	int64_t window; // how many cases may be open
	struct open_case *newest; // all that are open, linked by `older`
	struct open_case *spare_cases;
	struct open_case *judging; // wait to be asked for, in order
	struct open_case **judging_tail;
	struct judgement *newest_judgement;
	struct judgement *spare_judgements;

	struct results_compute results;
};
