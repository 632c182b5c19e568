#include "daemon/work/experiment/batching.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/backend/provider_batch.h"
#include "daemon/base/clock.h"
#include "daemon/base/sha256.h"
#include "daemon/work/experiment/experiment.h"

/* What a provider takes is more than this by far; a run holds no more of it. */
#define BATCH_ITEMS_MAX 2000
#define BATCH_BYTES_MAX (8u * 1024 * 1024)
#define FIRST_WAIT_USEC (USEC_PER_SEC / 20) // and twice as long each time, up to the daemon's setting
#define SEAL_SIZE 17 // with its NUL
#define SEAL_BYTES 6 // of an item
#define KEPT_MARK_SIZE (BATCH_MARK_SIZE + SEAL_SIZE - 1)
#define COLLECTS_MAX 3 // of results that are not all there
#define RETRIES_DEFAULT 5 // as those of single calls

enum doing {
	DOING_NOTHING,
	LOADING,
	KEEPING,
	GIVING,
	FINDING,
	LOOKING,
	COLLECTING,
	COLLECTED, // and what came is being recorded
	CLEARING,
	NOTING,
};

struct given {
	int64_t id; // of the store's
	enum kept_batch_state state;
	char mark[BATCH_MARK_SIZE];
	char seal[SEAL_SIZE]; // what its provider doesn't know, by which items are told from others
	char provider_id[BATCH_ID_SIZE];
	char file[BATCH_ID_SIZE]; // that was sent, of one that is not given yet
	int64_t n_items, estimate;
	struct case_cursor from;
	int64_t created_usec;
	int64_t due_usec, wait_usec; // when something is done about it next
	bool unsure; // it may have been given
	bool ended;
	int n_collects;
};

struct batching {
	struct experiment_run *run;
	struct llm_target *target;
	bool loaded;
	enum doing doing;
	bool outstanding; // something is awaited, so that the run does not end
	struct event *timer;

	int64_t pass; // from 1
	bool given_in_pass;
	bool excused; // what this pass did not bring counts against no case
	struct case_cursor at; // the end of the last batch's part
	struct request_form form, used_form; // of the next pass, and of this one
	char last_words[300]; // why an item was not answered, or empty

	/* What is put together; kept until it is known to be given. */
	struct batch_body body;
	size_t weight; // of it, as it is counted
	char mark[BATCH_MARK_SIZE], seal[SEAL_SIZE];
	char kept_mark[KEPT_MARK_SIZE]; // one behind the other
	struct case_cursor to;
	int64_t estimate;
	bool is_whole; // its batch is kept, the last of the list

	struct given batches[KEPT_BATCHES_MAX];
	size_t n_batches;
	struct given *now; // what is done is about it
	int n_failed; // times in a row that it could not be given
	bool reached;
	bool is_seen; // one of them was looked at, and is under way

	struct batches_load load;
	struct batch_keep keep;
	struct batch_note note;
	struct provider_batch ask;
	size_t n_unrecorded; // results
};

static struct run *base_of(const struct batching *batching)
{
	return &batching->run->base;
}

/* ---- Waits ---- */

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	struct batching *batching = userdata;

	(void)fd;
	(void)events;
	run_go_on(base_of(batching));
}

static void wait_again(struct batching *batching, struct given *given, int64_t at_least_usec)
{
	int64_t most = atomic_load(base_of(batching)->host.batch_wait_usec);

	given->wait_usec = given->wait_usec ? 2 * given->wait_usec : FIRST_WAIT_USEC;
	if (given->wait_usec > most)
		given->wait_usec = most;
	given->due_usec = clock_monotonic_usec() +
			  (at_least_usec > given->wait_usec ? at_least_usec : given->wait_usec);
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
		base_of(batching)->n_outstanding++;
	else
		base_of(batching)->n_outstanding--;
}

/* All that is left to do is to wait. */
static void set_hold(struct batching *batching)
{
	struct run *run = base_of(batching);
	bool waits = run->phase == RUN_RUNNING && batching->n_batches > 0 && run->n_open == 0 &&
		     (batching->doing == DOING_NOTHING || batching->doing == LOOKING) &&
		     (batching->is_whole || batching->body.n == 0);

	if (run->waits_for_batch == waits)
		return;
	run->waits_for_batch = waits;
	run_changed(run);
}

/* ---- The list ---- */

static struct given *add(struct batching *batching, const struct kept_batch *kept)
{
	struct given *given = &batching->batches[batching->n_batches++];

	*given = (struct given){
		.id = kept->id,
		.state = kept->state,
		.n_items = kept->n_items,
		.estimate = kept->estimate_nanodollars,
		.from = kept->from,
		.created_usec = kept->created_usec,
	};
	snprintf(given->mark, sizeof(given->mark), "%s", kept->mark);
	snprintf(given->seal, sizeof(given->seal), "%s", kept->mark + strlen(given->mark));
	if (kept->provider_id)
		snprintf(given->provider_id, sizeof(given->provider_id), "%s", kept->provider_id);
	batching->given_in_pass = true;
	return given;
}

static void take_out(struct batching *batching, struct given *given)
{
	size_t at = (size_t)(given - batching->batches);

	base_of(batching)->pending_cost -= given->estimate;
	batching->n_batches--;
	memmove(given, given + 1, (batching->n_batches - at) * sizeof(*given));
	batching->now = NULL;
}

static void on_loaded(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, load.request);
	struct run *run = base_of(batching);
	const struct batches_load *load = &batching->load;

	batching->doing = DOING_NOTHING;
	if (run_take_answer(run, request)) {
		for (size_t i = 0; i < load->ret_n_batches; i++) {
			const struct kept_batch *kept = &load->ret_batches[i];

			if (kept->pass != batching->pass)
				batching->given_in_pass = false;
			batching->pass = kept->pass;
			batching->at = kept->to;
			if (kept->state == KEPT_BATCH_COLLECTED || batching->n_batches == KEPT_BATCHES_MAX) {
				batching->given_in_pass = true;
				continue;
			}
			add(batching, kept)->unsure = kept->state == KEPT_BATCH_MEANT;
			run->pending_cost += kept->estimate_nanodollars;
		}
		batching->loaded = true;
		batching->run->cursor = batching->at;
	}
	store_request_done(request);
	run_go_on(run);
}

static void load(struct batching *batching)
{
	batching->doing = LOADING;
	batching->load.task_id = base_of(batching)->task.task_id;
	run_expect(base_of(batching), &batching->load.request, on_loaded);
	store_batches_load(base_of(batching)->host.store, &batching->load);
}

/* ---- What has become of one ---- */

static void on_noted(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, note.request);
	struct given *given = batching->now;

	batching->doing = DOING_NOTHING;
	if (run_take_answer(base_of(batching), request)) {
		given->state = batching->note.state;
		if (batching->note.drop || given->state == KEPT_BATCH_COLLECTED)
			take_out(batching, given);
	}
	store_request_done(request);
	run_go_on(base_of(batching));
}

static void note(struct batching *batching, enum kept_batch_state state, bool drop)
{
	batching->doing = NOTING;
	run_expect(base_of(batching), &batching->note.request, on_noted);
	batching->note.id = batching->now->id;
	batching->note.task_id = base_of(batching)->task.task_id;
	batching->note.state = state;
	batching->note.provider_id = batching->now->provider_id[0] ? batching->now->provider_id : NULL;
	batching->note.drop = drop;
	store_batch_note(base_of(batching)->host.store, &batching->note);
}

/* ---- What the provider is asked ---- */

static void say(struct batching *batching, const char *what)
{
	const struct given *given = batching->now;

	run_log_line(&base_of(batching)->log, "%s %s of %" PRId64 " cases %s",
		     batching->run->spec->config->provider, given->provider_id, given->n_items, what);
}

static void on_asked(struct provider_batch *ask);
static void take_result(struct batch_result *result);

static void ask(struct batching *batching, struct given *given, enum doing doing, enum batch_step step)
{
	struct provider_batch *asking = &batching->ask;
	struct run *run = base_of(batching);

	batching->now = given;
	batching->doing = doing;
	asking->step = step;
	asking->reply_to = run->host.loop;
	asking->done = on_asked;
	asking->take = take_result;
	asking->target = batching->target;
	asking->user = run->task.owner_uid;
	asking->body = &batching->body;
	asking->n_items = given->n_items;
	asking->since_usec = given->created_usec;
	memcpy(asking->mark, given->mark, sizeof(asking->mark));
	memcpy(asking->id, given->provider_id, sizeof(asking->id));
	memcpy(asking->file, given->file, sizeof(asking->file));
	asking->n_known = 0;
	for (size_t i = 0; step == BATCH_FIND && i < batching->n_batches; i++)
		if (batching->batches[i].provider_id[0])
			memcpy(asking->known[asking->n_known++], batching->batches[i].provider_id, BATCH_ID_SIZE);
	if (provider_batch_ask(run->host.backend, asking) < 0) {
		batching->doing = DOING_NOTHING;
		run_fail_oom(run);
		return;
	}
	run->n_outstanding++;
}

static void ask_later(struct batching *batching)
{
	struct given *given = batching->now;
	struct run *run = base_of(batching);
	const struct fault *fault = &batching->ask.fault;

	wait_again(batching, given, batching->ask.wait_usec);
	run_log_notice(&run->log, fault->message, clock_monotonic_usec());
}

static void forget_body(struct batching *batching)
{
	batch_body_done(&batching->body);
	run_weigh(base_of(batching), RUN_ITEMS, batching->weight, 0);
	batching->weight = 0;
	batching->is_whole = false;
	batching->n_failed = 0;
}

static void take_given(struct batching *batching)
{
	struct given *given = batching->now;

	memcpy(given->provider_id, batching->ask.id, BATCH_ID_SIZE);
	given->unsure = false;
	given->wait_usec = given->due_usec = 0;
	if (given->state == KEPT_BATCH_MEANT)
		wait_again(batching, given, 0);
	if (batching->is_whole)
		forget_body(batching);
	say(batching, "was given");
	note(batching, KEPT_BATCH_GIVEN, /* drop= */ false);
}

/* What was never reached is not waited for. */
static void fail_to_give(struct batching *batching)
{
	batching->reached |= batching->ask.fault.status > 0;
	if (++batching->n_failed >= RUN_UNREACHABLE_MAX && !batching->reached)
		run_fail(base_of(batching), &batching->ask.fault);
	else
		ask_later(batching);
}

static void take_giving(struct batching *batching)
{
	switch (batching->ask.outcome) {
	case BATCH_DONE:
		batching->reached = true;
		take_given(batching);
		break;
	case BATCH_UNDECIDED:
		batching->now->unsure = true;
		fail_to_give(batching);
		break;
	case BATCH_LATER:
	case BATCH_NOT_FOUND:
		fail_to_give(batching);
		break;
	case BATCH_REFUSED:
		run_fail(base_of(batching), &batching->ask.fault);
		break;
	case BATCH_CANCELLED:
		break;
	}
}

/* It never was given: the scan goes back to where it begins, unless it is still here. */
static void take_not_found(struct batching *batching)
{
	struct given *given = batching->now;

	given->unsure = false;
	given->due_usec = 0;
	if (batching->is_whole)
		return;
	batching->at = batching->run->cursor = given->from;
	note(batching, KEPT_BATCH_MEANT, /* drop= */ true);
}

static void take_finding(struct batching *batching)
{
	switch (batching->ask.outcome) {
	case BATCH_DONE:
		take_given(batching);
		break;
	case BATCH_NOT_FOUND:
		take_not_found(batching);
		break;
	case BATCH_REFUSED:
		run_fail(base_of(batching), &batching->ask.fault);
		break;
	case BATCH_UNDECIDED:
		snprintf(batching->ask.fault.message, sizeof(batching->ask.fault.message), "whether %s has taken a "
			 "batch is not seen before batches of as many cases have ended",
			 batching->run->spec->config->provider);
		ask_later(batching);
		break;
	case BATCH_LATER:
		ask_later(batching);
		break;
	case BATCH_CANCELLED:
		break;
	}
}

static void take_failed(struct batching *batching)
{
	if (!batching->ask.is_full) {
		run_fail(base_of(batching), &batching->ask.fault);
		return;
	}
	batching->excused = true;
	run_log_line(&base_of(batching)->log, "%s; its cases are given again", batching->ask.fault.message);
	ask(batching, batching->now, CLEARING, BATCH_CLEAR);
}

/* Once a claim it is noted that it can be looked at: what ends the daemon after that is not the task. */
static void take_under_way(struct batching *batching)
{
	wait_again(batching, batching->now, 0);
	if (batching->is_seen)
		return;
	batching->is_seen = true;
	note(batching, KEPT_BATCH_GIVEN, /* drop= */ false);
}

static void take_looking(struct batching *batching)
{
	struct given *given = batching->now;

	switch (batching->ask.outcome) {
	case BATCH_DONE:
		given->ended = batching->ask.state == BATCH_ENDED;
		if (batching->ask.state == BATCH_FAILED)
			take_failed(batching);
		else if (given->ended)
			given->due_usec = given->wait_usec = 0;
		else
			take_under_way(batching);
		break;
	case BATCH_NOT_FOUND:
		say(batching, "is gone: its cases are given again");
		note(batching, KEPT_BATCH_COLLECTED, /* drop= */ false);
		break;
	case BATCH_REFUSED:
		run_fail(base_of(batching), &batching->ask.fault);
		break;
	case BATCH_UNDECIDED:
	case BATCH_LATER:
		ask_later(batching);
		break;
	case BATCH_CANCELLED:
		break;
	}
}

/* Once what came is recorded. */
static void end_collecting(struct batching *batching)
{
	struct given *given = batching->now;
	const struct provider_batch *asked = &batching->ask;

	batching->doing = DOING_NOTHING;
	if (base_of(batching)->phase != RUN_RUNNING || asked->outcome == BATCH_CANCELLED)
		return;
	if (asked->outcome == BATCH_REFUSED) {
		run_fail(base_of(batching), &asked->fault);
	} else if (asked->outcome == BATCH_LATER || asked->outcome == BATCH_UNDECIDED) {
		ask_later(batching);
	} else if (asked->outcome == BATCH_DONE && asked->n_taken < asked->n_done &&
		   ++given->n_collects < COLLECTS_MAX) {
		wait_again(batching, given, 0);
	} else {
		say(batching, "is collected");
		ask(batching, given, CLEARING, BATCH_CLEAR);
	}
}

static void on_asked(struct provider_batch *asked)
{
	struct batching *batching = container_of(asked, struct batching, ask);
	struct run *run = base_of(batching);
	enum doing doing = batching->doing;

	run->n_outstanding--;
	batching->doing = DOING_NOTHING;
	if (doing == COLLECTING) {
		batching->doing = COLLECTED;
		if (batching->n_unrecorded == 0)
			end_collecting(batching);
	} else if (doing == GIVING) {
		memcpy(batching->now->file, asked->file, sizeof(asked->file));
		take_giving(batching); // what was given is noted, even where the run ends
	} else if (run->phase == RUN_RUNNING) {
		if (doing == FINDING)
			take_finding(batching);
		else if (doing == CLEARING)
			note(batching, KEPT_BATCH_COLLECTED, /* drop= */ false);
		else
			take_looking(batching);
	}
	run_go_on(run);
}

/* ---- Results ---- */

/* `MARK-ROW-NUMBER-EPOCH-SEAL`: what comes back says which case it is of, and may say it of none but those
 * that were given. */
static void name_item(const char *mark, const char *seal, const struct run_case *item,
		      char ret_id[static BATCH_CUSTOM_ID_SIZE])
{
	char place[BATCH_CUSTOM_ID_SIZE - BATCH_MARK_SIZE - 2 * SEAL_BYTES - 1], sealed[2 * SEAL_BYTES + 1];
	uint8_t digest[SHA256_SIZE];

	snprintf(place, sizeof(place), "%" PRId64 "-%" PRId64 "-%" PRId64, item->row_id, item->row_number,
		 item->epoch);
	sha256_hmac(seal, strlen(seal), place, strlen(place), digest);
	for (size_t i = 0; i < SEAL_BYTES; i++)
		snprintf(sealed + 2 * i, 3, "%02x", digest[i]);
	snprintf(ret_id, BATCH_CUSTOM_ID_SIZE, "%s-%s-%s", mark, place, sealed);
}

static bool read_item(const struct given *given, const char *custom_id, struct run_case *ret_case)
{
	char name[BATCH_CUSTOM_ID_SIZE];

	*ret_case = (struct run_case){ 0 };
	if (sscanf(custom_id + BATCH_MARK_SIZE - 1, "-%" SCNd64 "-%" SCNd64 "-%" SCNd64, &ret_case->row_id,
		   &ret_case->row_number, &ret_case->epoch) != 3)
		return false;
	name_item(given->mark, given->seal, ret_case, name);
	return strcmp(name, custom_id) == 0;
}

/* It was refused for the form that the pass's requests have, and the next one's have another. */
static bool has_other_form(struct batching *batching, const struct batch_result *result)
{
	const struct ellu_prompt_template *template = batching->run->spec->prompt.template;
	const struct llm_call asked = {
		.target = batching->target,
		.params = batching->run->spec->generation_params,
		.response_format = template ? template->response_format : NULL,
	};
	struct request_form form = batching->used_form;

	if (result->call.outcome == LLM_ANSWERED || !batch_form_change(&asked, result->hint, &form))
		return false;
	batching->form = form;
	batching->excused = true; // as a single call would have asked again at once
	return true;
}

static void take_result(struct batch_result *result)
{
	struct batching *batching = container_of(result->batch, struct batching, ask);
	struct run *run = base_of(batching);
	struct run_case item;

	batching->n_unrecorded++;
	if (run->phase != RUN_RUNNING || !read_item(batching->now, result->custom_id, &item)) {
		batching_recorded(batching, result);
	} else if (result->again || has_other_form(batching, result)) {
		snprintf(batching->last_words, sizeof(batching->last_words), "%.299s", result->call.fault.message);
		batching_recorded(batching, result);
	} else if (result->call.outcome == LLM_CONFIG_FAILED) {
		run_fail(run, &result->call.fault);
		batching_recorded(batching, result);
	} else {
		case_collect(batching->run, &item, result);
	}
	run_go_on(run);
}

void batching_recorded(struct batching *batching, struct batch_result *result)
{
	batch_result_give_back(base_of(batching)->host.backend, result);
	if (--batching->n_unrecorded == 0 && batching->doing == COLLECTED)
		end_collecting(batching);
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

static bool make_mark(struct batching *batching)
{
	uint64_t numbers[2];

	if (getrandom(numbers, sizeof(numbers), 0) != sizeof(numbers))
		return false;
	snprintf(batching->mark, sizeof(batching->mark), "%016" PRIx64, numbers[0]);
	snprintf(batching->seal, sizeof(batching->seal), "%016" PRIx64, numbers[1]);
	return true;
}

static int64_t tries(const struct batching *batching)
{
	const int64_t *retries = batching->run->spec->config->max_retries;

	return 1 + (retries ? *retries : RETRIES_DEFAULT);
}

static void give_up(const struct batching *batching, struct open_case *open_case)
{
	struct fault *fault = &open_case->asking.call.fault;

	fault_set(fault, ELLU_E_BACKEND_UNAVAILABLE, "%" PRId64 " batches did not answer it%s%s", tries(batching),
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
		if (!make_mark(batching)) {
			run_fail_oom(base_of(batching));
			return;
		}
		batch_body_begin(&batching->body, batching->target, batching->mark);
		batching->estimate = 0;
		batching->used_form = batching->form;
		set_outstanding(batching, true); // what its items may cost is held against limits
	}
	name_item(batching->mark, batching->seal,
		  &(struct run_case){ .row_id = open_case->row_id, .row_number = open_case->row_number,
				      .epoch = open_case->epoch }, custom_id);
	asking->call.target = batching->target;
	asking->call.batched = true;
	batch_body_add(&batching->body, &asking->call, &batching->used_form, custom_id);
	run_call_hold(asking);
	batching->estimate += asking->estimate;
	asking->estimate = 0;
	batching->to = open_case->cursor;
	run_weigh(base_of(batching), RUN_ITEMS, batching->weight, batching->body.n_bytes);
	batching->weight = batching->body.n_bytes;
	if (batching->body.text.failed)
		run_fail_oom(base_of(batching));
	else
		case_close(open_case);
}

static void on_kept(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, keep.request);

	batching->doing = DOING_NOTHING;
	if (run_take_answer(base_of(batching), request)) {
		batching->at = batching->to;
		batching->is_whole = true;
		(void)add(batching, &batching->keep.batch);
	}
	store_request_done(request);
	run_go_on(base_of(batching));
}

static void keep(struct batching *batching)
{
	batching->doing = KEEPING;
	batch_body_end(&batching->body, batching->target, batching->mark);
	if (batching->body.text.failed) {
		batching->doing = DOING_NOTHING;
		run_fail_oom(base_of(batching));
		return;
	}
	snprintf(batching->kept_mark, sizeof(batching->kept_mark), "%s%s", batching->mark, batching->seal);
	run_expect(base_of(batching), &batching->keep.request, on_kept);
	batching->keep.batch = (struct kept_batch){
		.task_id = base_of(batching)->task.task_id,
		.pass = batching->pass,
		.mark = batching->kept_mark,
		.n_items = (int64_t)batching->body.n,
		.estimate_nanodollars = batching->estimate,
		.from = batching->at,
		.to = batching->to,
	};
	store_batch_keep(base_of(batching)->host.store, &batching->keep);
}

/* ---- What is next ---- */

static bool is_to_be_kept(struct batching *batching, bool at_end)
{
	struct run *run = base_of(batching);

	if (batching->body.n == 0 || batching->is_whole || run->over_budget)
		return false;
	return at_end || !batching_has_room(batching) || !run_may_spend(run) || !run_may_hold(run, RUN_ITEMS);
}

static void do_due(struct batching *batching, struct given *given)
{
	if (given->state == KEPT_BATCH_MEANT && (given->unsure || !batching->is_whole))
		ask(batching, given, FINDING, BATCH_FIND);
	else if (given->state == KEPT_BATCH_MEANT)
		ask(batching, given, GIVING, BATCH_GIVE);
	else if (given->ended)
		ask(batching, given, COLLECTING, BATCH_COLLECT);
	else
		ask(batching, given, LOOKING, BATCH_LOOK);
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
	struct run *run = base_of(batching);
	bool is_idle;

	if (run->phase != RUN_RUNNING)
		return false;
	if (batching->doing == DOING_NOTHING) {
		if (batching->loaded)
			do_next(batching, at_end);
		else
			load(batching);
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
	struct run *run = base_of(batching);
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
