/*
 * A store and a backend behind the daemon's headers, for tests of daemon/work: cases and
 * records in arrays, calls that a test's function answers. Both live on one loop of their own.
 *
 * What each run has to hold is checked all along: no item is recorded twice, nothing is asked
 * for that is recorded, and at most twice the cap is asked for and not committed.
 */
#pragma once

#include <stdbool.h>

#include "daemon/backend/backend.h"
#include "daemon/store/runs.h"

#define STANDIN_ROWS_MAX 3000
#define STANDIN_MEASURES_MAX 4

struct standin_rating {
	bool recorded;
	bool failed;
	int value;
	bool has_raw_text;
	int64_t attempts;
	int64_t input_tokens;
};

struct standin_response {
	bool recorded;
	bool failed;
	bool rated; // `complete` was said
	int64_t input_tokens;
	int64_t attempts;
	char text[64];
	struct standin_rating ratings[STANDIN_MEASURES_MAX];
};

struct standin_call {
	bool judging;
	bool again; // the second ask of a judge
	int64_t index; // among the calls of its kind, from 0
	const char *text; // of the last message
};

enum standin_moment {
	STANDIN_NEVER,
	STANDIN_AT_LOAD,
	STANDIN_AT_COUNT,
	STANDIN_AT_PAGE,
	STANDIN_AT_CALL, // the `moment_index`th call was taken
	STANDIN_AT_RECORD, // the `moment_index`th record came
	STANDIN_AT_RESULTS,
};

struct standin {
	/* Set before standin_start(). */
	size_t n_rows;
	size_t n_epochs;
	size_t n_measures;
	const char *measures[STANDIN_MEASURES_MAX];
	const char *template_text; // NULL: "Say {{word}}"
	const char *response_column; // instead of a template
	bool rating; // a run that only rates what is recorded; it has to be counted first
	int max_connections; // of the config, 0: none
	int flow_connections; // of generation_params, 0: none
	int task_connections; // the task's own cap, 0: none; also set when it is tuned
	bool judge_apart; // another config judges
	bool detailed;
	const char *rating_version; // NULL: "1"
	int64_t latency_usec;
	int answers_wait_for; // so many in flight at once, before the first is answered; 0: none
	int64_t commit_usec;
	size_t row_without_word; // from 1; 0: none
	bool all_ratings_fail; // says what is aggregated
	int target_error; // of llm_target_new
	int record_error; // of every record
	int64_t record_error_after; // records
	/* Fills what came back; NULL: answers and says YES. On the stand-in's thread. */
	void (*answer)(struct llm_call *call, const struct standin_call *info);
	/* Called once on `home` at that moment; what it answers, and every commit, waits until it
	 * returned. */
	enum standin_moment moment;
	int64_t moment_index;
	void (*at_moment)(void);
	struct loop *home;
	int stall_at; // answers that are not committed, at which nothing more may be asked; 0: none

	/* What happened. */
	struct standin_response responses[STANDIN_ROWS_MAX];
	int64_t n_generations; // issued
	int64_t n_judgements;
	int64_t n_records;
	int64_t n_counts;
	int64_t n_results;
	int64_t n_cancelled;
	int64_t n_tunes;
	int64_t lost_input_tokens; // of calls that left no record
	int in_flight;
	int in_flight_max;
	int at_risk; // issued and not committed
	int at_risk_max;
	int handed_max;
	int n_targets; // alive
	int n_flows; // open
	char gone_wrong[256];
};

extern struct standin standin;

void standin_start(void);
void standin_stop(void);

/* Within a moment, waits until nothing is in flight and `stall_at` answers wait to be committed. */
void standin_await_stall(void);

struct store *standin_store(void);
struct backend *standin_backend(void);
struct standin_response *standin_response(size_t row, size_t epoch); // from 1
/* Fills a call as an endpoint's answer. */
void standin_answer(struct llm_call *call, const char *text);
