#include "daemon/work/experiment/batching.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/work/experiment/batching_state.h"
#include "proto/text/plural.h"

/* What a provider takes is more than this by far; a run holds no more of it. */
#define BATCH_ITEMS_MAX 2000
#define BATCH_BYTES_MAX (8u * 1024 * 1024)
#define RETRIES_DEFAULT 5 // as those of single calls

/* ---- Waits ---- */

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct batching *batching = userdata;

	(void)fd;
	(void)events;
	run_go_on(batching_run(batching));
}

static struct given *find_due(struct batching *batching)
{
	int64_t now_usec = clock_monotonic_usec();
	struct given *first = NULL;

	for (size_t i = 0; i < batching->n_batches; i++)
		if (!first || batching->batches[i].due_usec < first->due_usec)
			first = &batching->batches[i];
	return first && first->due_usec <= now_usec ? first : NULL;
}

static void arm_timer(struct batching *batching)
{
	int64_t due_usec = INT64_MAX, left;

	for (size_t i = 0; i < batching->n_batches; i++)
		if (batching->batches[i].due_usec < due_usec)
			due_usec = batching->batches[i].due_usec;
	if (due_usec == INT64_MAX)
		return;
	left = due_usec - clock_monotonic_usec();
	left = left > 0 ? left : 0;
	(void)event_add(batching->timer, &(struct timeval){ left / USEC_PER_SEC, left % USEC_PER_SEC });
}

static void set_outstanding(struct batching *batching, bool outstanding)
{
	if (batching->outstanding == outstanding)
		return;
	batching->outstanding = outstanding;
	if (outstanding)
		batching_run(batching)->n_outstanding++;
	else
		batching_run(batching)->n_outstanding--;
}

/* What all that is left to do waits for; one that could not be given yet is no batch of the provider's. */
static const char *hold_of(const struct batching *batching)
{
	const struct run *run = &batching->run->base;

	if (run->phase != RUN_RUNNING || batching->n_batches == 0 || run->n_open > 0 ||
	    (!batching->is_whole && batching->body.n > 0))
		return NULL;
	switch (batching->doing) {
	case DOING_NOTHING:
	case LOOKING:
		return batching->batches[batching->n_batches - 1].state == KEPT_BATCH_MEANT ? ELLU_HOLD_PROVIDER
											   : ELLU_HOLD_BATCH;
	case GIVING:
	case FINDING:
		return run->batch_hold; // a further try changes nothing
	default:
		return NULL;
	}
}

static void set_hold(struct batching *batching)
{
	struct run *run = batching_run(batching);
	const char *hold = hold_of(batching);

	if (run->batch_hold == hold)
		return;
	run->batch_hold = hold;
	run_changed(run);
}

/* ---- Putting one together ---- */

bool batching_may_scan(const struct batching *batching)
{
	const struct given *last = batching->n_batches > 0 ? &batching->batches[batching->n_batches - 1] : NULL;

	/* One that is not here and not known to be given may send it back. */
	return batching->loaded && (batching->is_whole || !last || last->state == KEPT_BATCH_GIVEN);
}

bool batching_has_room(const struct batching *batching)
{
	return !batching->is_whole && batching->doing != KEEPING && batching->n_batches < KEPT_BATCHES_MAX &&
	       batching->body.n < BATCH_ITEMS_MAX && batching->body.n_bytes < BATCH_BYTES_MAX;
}

static int64_t tries(const struct batching *batching)
{
	const int64_t *retries = batching->run->spec->config->max_retries;

	return 1 + (retries ? *retries : RETRIES_DEFAULT);
}

static void give_up(const struct batching *batching, struct open_case *open_case)
{
	struct fault *fault = &open_case->asking.call.fault;

	fault_set(fault, ELLU_E_BACKEND_UNAVAILABLE, "%" PRId64 " batch%s did not answer it%s%s", tries(batching),
		  tries(batching) == 1 ? "" : "es",
		  batching->last_words[0] ? "; the last word was: " : "", batching->last_words);
	case_set_no_usage(open_case);
	case_fail(open_case, fault);
}

void batching_add(struct batching *batching, struct open_case *open_case)
{
	struct run_call *asking = &open_case->asking;
	char custom_id[BATCH_CUSTOM_ID_SIZE];

	if (batching->pass > tries(batching)) {
		give_up(batching, open_case);
		return;
	}
	if (batching->body.n == 0) {
		if (!batch_item_mark(batching->mark, batching->seal)) {
			run_fail_oom(batching_run(batching));
			return;
		}
		batch_body_begin(&batching->body, batching->target, batching->mark);
		batching->estimate = 0;
		batching->used_form = batching->form;
		set_outstanding(batching, true); // what its items may cost is held against limits
	}
	batch_item_name(batching->mark, batching->seal,
		  &(struct run_case){ .row_id = open_case->row_id, .row_number = open_case->row_number,
				      .epoch = open_case->epoch }, custom_id);
	asking->call.target = batching->target;
	asking->call.batched = true;
	batch_body_add(&batching->body, &asking->call, &batching->used_form, custom_id);
	run_call_hold(asking);
	batching->estimate += asking->estimate;
	asking->estimate = 0;
	batching->to = open_case->cursor;
	run_weigh(batching_run(batching), RUN_ITEMS, batching->weight, batching->body.n_bytes);
	batching->weight = batching->body.n_bytes;
	if (batching->body.text.failed)
		run_fail_oom(batching_run(batching));
	else
		case_close(open_case);
}

static void on_kept(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, keep.request);

	batching->doing = DOING_NOTHING;
	if (run_take_answer(batching_run(batching), request)) {
		batching->at = batching->to;
		batching->is_whole = true;
		(void)batching_add_given(batching, &batching->keep.batch);
	}
	store_request_done(request);
	run_go_on(batching_run(batching));
}

static void keep(struct batching *batching)
{
	batching->doing = KEEPING;
	batch_body_end(&batching->body, batching->target, batching->mark);
	if (batching->body.text.failed) {
		batching->doing = DOING_NOTHING;
		run_fail_oom(batching_run(batching));
		return;
	}
	snprintf(batching->kept_mark, sizeof(batching->kept_mark), "%s%s", batching->mark, batching->seal);
	run_expect(batching_run(batching), &batching->keep.request, on_kept);
	batching->keep.batch = (struct kept_batch){
		.task_id = batching_run(batching)->task.task_id,
		.pass = batching->pass,
		.mark = batching->kept_mark,
		.n_items = (int64_t)batching->body.n,
		.estimate_nanodollars = batching->estimate,
		.from = batching->at,
		.to = batching->to,
	};
	store_batch_keep(batching_run(batching)->host.store, &batching->keep);
}

/* ---- What is next ---- */

static bool is_to_be_kept(struct batching *batching, bool at_end)
{
	struct run *run = batching_run(batching);

	if (batching->body.n == 0 || batching->is_whole || run->over_budget)
		return false;
	return at_end || !batching_has_room(batching) || !run_may_spend(run) || !run_may_hold(run, RUN_ITEMS);
}

static void do_due(struct batching *batching, struct given *given)
{
	if (given->state == KEPT_BATCH_MEANT && (given->unsure || !batching->is_whole))
		batching_ask(batching, given, FINDING, BATCH_FIND);
	else if (given->state == KEPT_BATCH_MEANT)
		batching_ask(batching, given, GIVING, BATCH_GIVE);
	else if (given->ended)
		batching_ask(batching, given, COLLECTING, BATCH_COLLECT);
	else
		batching_ask(batching, given, LOOKING, BATCH_LOOK);
}

static void begin_pass(struct batching *batching)
{
	struct experiment_run *run = batching->run;

	batching->pass += !batching->excused;
	batching->excused = batching->given_in_pass = false;
	batching->at = run->cursor = (struct case_cursor){ 0 };
	run->read_all = false;
}

static void do_next(struct batching *batching, bool at_end)
{
	struct given *given = find_due(batching);

	if (is_to_be_kept(batching, at_end))
		keep(batching);
	else if (given)
		do_due(batching, given);
	else if (at_end && batching->n_batches == 0 && batching->body.n == 0 && batching->given_in_pass)
		begin_pass(batching);
}

bool batching_go_on(struct batching *batching, bool at_end)
{
	struct run *run = batching_run(batching);
	bool is_idle;

	if (run->phase != RUN_RUNNING)
		return false;
	if (batching->doing == DOING_NOTHING) {
		if (batching->loaded)
			do_next(batching, at_end);
		else
			batching_load(batching);
	}
	is_idle = batching->doing == DOING_NOTHING && batching->n_batches == 0 &&
		  (batching->body.n == 0 || run->over_budget);
	set_outstanding(batching, run->phase == RUN_RUNNING && !is_idle);
	if (batching->doing == DOING_NOTHING)
		arm_timer(batching);
	set_hold(batching);
	return is_idle && at_end && batching->loaded && !batching->given_in_pass;
}

/* ---- Life ---- */

struct batching *batching_new(struct experiment_run *run)
{
	struct batching *batching = calloc(1, sizeof(*batching));

	if (!batching)
		return NULL;
	batching->run = run;
	batching->target = run->answerers.items[0].target;
	batching->pass = 1;
	batching->form = batching->used_form = batch_form_first(batching->target);
	batching->timer = evtimer_new(loop_base(run->base.host.loop), on_timer, batching);
	return batching->timer ? batching : batching_free(batching);
}

struct batching *batching_free(struct batching *batching)
{
	if (!batching)
		return NULL;
	if (batching->timer)
		event_free(batching->timer);
	batch_body_done(&batching->body);
	free(batching);
	return NULL;
}

void batching_stop(struct batching *batching)
{
	struct run *run = batching_run(batching);
	bool asks = batching->doing == LOOKING || batching->doing == FINDING || batching->doing == COLLECTING ||
		    batching->doing == CLEARING ||
		    (batching->doing == GIVING && run->cancelled);

	event_del(batching->timer);
	set_outstanding(batching, false);
	set_hold(batching);
	/* What is being given is waited for, so that it need not be looked for. */
	if (asks)
		(void)provider_batch_cancel(run->host.backend, &batching->ask);
}
