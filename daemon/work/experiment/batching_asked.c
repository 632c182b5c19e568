/* What the provider of an experiment's batches says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/experiment/batching_state.h"
#include "proto/text/plural.h"

#define COLLECTS_MAX 3 // of results that are not all there

static void say(struct batching *batching, const char *what)
{
	const struct given *given = batching->now;

	run_log_line(&batching_run(batching)->log, "%s %s of %" PRId64 " case%s %s",
		     batching->run->spec->config->provider, given->provider_id, given->n_items,
		     plural_s(given->n_items), what);
}

static void on_asked(struct provider_batch *ask);
static void take_result(struct batch_result *result);

/* Why an item was not answered. */
static void keep_words(struct batching *batching, const char *words)
{
	snprintf(batching->last_words, sizeof(batching->last_words), "%.299s", words);
}

void batching_ask(struct batching *batching, struct given *given, enum doing doing, enum batch_step step)
{
	struct provider_batch *asking = &batching->ask;
	struct run *run = batching_run(batching);

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
	struct run *run = batching_run(batching);
	const struct fault *fault = &batching->ask.fault;

	batching_wait(batching, given, batching->ask.wait_usec);
	run_log_notice(&run->log, fault->message, clock_monotonic_usec());
}

static void forget_body(struct batching *batching)
{
	batch_body_done(&batching->body);
	run_weigh(batching_run(batching), RUN_ITEMS, batching->weight, 0);
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
		batching_wait(batching, given, 0);
	if (batching->is_whole)
		forget_body(batching);
	say(batching, "was given");
	batching_note(batching, KEPT_BATCH_GIVEN, /* drop= */ false);
}

/* What was never reached is not waited for. */
static void fail_to_give(struct batching *batching)
{
	batching->reached |= batching->ask.fault.status > 0;
	if (++batching->n_failed >= RUN_UNREACHABLE_MAX && !batching->reached)
		run_fail(batching_run(batching), &batching->ask.fault);
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
		run_fail(batching_run(batching), &batching->ask.fault);
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
	batching_note(batching, KEPT_BATCH_MEANT, /* drop= */ true);
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
		run_fail(batching_run(batching), &batching->ask.fault);
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
		run_fail(batching_run(batching), &batching->ask.fault);
		return;
	}
	batching->excused = true;
	run_log_line(&batching_run(batching)->log, "%s; its cases are given again", batching->ask.fault.message);
	batching_ask(batching, batching->now, CLEARING, BATCH_CLEAR);
}

/* Once a claim it is noted that it can be looked at: what ends the daemon after that is not the task. */
static void take_under_way(struct batching *batching)
{
	batching_wait(batching, batching->now, 0);
	if (batching->is_seen)
		return;
	batching->is_seen = true;
	batching_note(batching, KEPT_BATCH_GIVEN, /* drop= */ false);
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
		batching_note(batching, KEPT_BATCH_COLLECTED, /* drop= */ false);
		break;
	case BATCH_REFUSED:
		run_fail(batching_run(batching), &batching->ask.fault);
		break;
	case BATCH_UNDECIDED:
	case BATCH_LATER:
		ask_later(batching);
		break;
	case BATCH_CANCELLED:
		break;
	}
}

/* Results that were not all there may be by now. */
static bool is_to_be_read_again(struct batching *batching)
{
	const struct provider_batch *asked = &batching->ask;

	return asked->outcome == BATCH_DONE && asked->n_taken < asked->n_done && !asked->is_cut &&
	       ++batching->now->n_collects < COLLECTS_MAX;
}

/* Once what came is recorded. */
static void end_collecting(struct batching *batching)
{
	struct given *given = batching->now;
	const struct provider_batch *asked = &batching->ask;

	batching->doing = DOING_NOTHING;
	if (batching_run(batching)->phase != RUN_RUNNING || asked->outcome == BATCH_CANCELLED)
		return;
	if (asked->outcome == BATCH_REFUSED) {
		run_fail(batching_run(batching), &asked->fault);
	} else if (asked->outcome == BATCH_LATER || asked->outcome == BATCH_UNDECIDED) {
		ask_later(batching);
	} else if (is_to_be_read_again(batching)) {
		batching_wait(batching, given, 0);
	} else {
		if (asked->is_cut)
			keep_words(batching, asked->fault.message);
		say(batching, "is collected");
		batching_ask(batching, given, CLEARING, BATCH_CLEAR);
	}
}

static void on_asked(struct provider_batch *asked)
{
	struct batching *batching = container_of(asked, struct batching, ask);
	struct run *run = batching_run(batching);
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
			batching_note(batching, KEPT_BATCH_COLLECTED, /* drop= */ false);
		else
			take_looking(batching);
	}
	run_go_on(run);
}

/* ---- Results ---- */

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

static void recorded(struct batching *batching, struct batch_result *result)
{
	batch_result_give_back(batching_run(batching)->host.backend, result);
	if (--batching->n_unrecorded == 0 && batching->doing == COLLECTED)
		end_collecting(batching);
}

static void take_result(struct batch_result *result)
{
	struct batching *batching = container_of(result->batch, struct batching, ask);
	struct run *run = batching_run(batching);
	struct run_case item;

	batching->n_unrecorded++;
	if (run->phase != RUN_RUNNING ||
	    !batch_item_read(batching->now->mark, batching->now->seal, result->custom_id, &item)) {
		recorded(batching, result);
	} else if (result->again || has_other_form(batching, result)) {
		keep_words(batching, result->call.fault.message);
		recorded(batching, result);
	} else if (result->call.outcome == LLM_CONFIG_FAILED) {
		run_fail(run, &result->call.fault);
		recorded(batching, result);
	} else {
		case_collect(batching->run, &item, result, recorded);
	}
	run_go_on(run);
}
