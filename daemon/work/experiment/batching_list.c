/* The list of an experiment's batches, as it is kept in the store. */
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/experiment/batching_state.h"

#define FIRST_WAIT_USEC (USEC_PER_SEC / 20) // and twice as long each time, up to the daemon's setting

struct given *batching_add_given(struct batching *batching, const struct kept_batch *kept)
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

	batching_run(batching)->pending_cost -= given->estimate;
	batching->n_batches--;
	memmove(given, given + 1, (batching->n_batches - at) * sizeof(*given));
	batching->now = NULL;
}

static void on_loaded(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, load.request);
	struct run *run = batching_run(batching);
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
			batching_add_given(batching, kept)->unsure = kept->state == KEPT_BATCH_MEANT;
			run->pending_cost += kept->estimate_nanodollars;
		}
		batching->loaded = true;
		batching->run->cursor = batching->at;
	}
	store_request_done(request);
	run_go_on(run);
}

void batching_load(struct batching *batching)
{
	batching->doing = LOADING;
	batching->load.task_id = batching_run(batching)->task.task_id;
	run_expect(batching_run(batching), &batching->load.request, on_loaded);
	store_batches_load(batching_run(batching)->host.store, &batching->load);
}

/* ---- What has become of one ---- */

static void on_noted(struct store_request *request)
{
	struct batching *batching = container_of(request, struct batching, note.request);
	struct given *given = batching->now;

	batching->doing = DOING_NOTHING;
	if (run_take_answer(batching_run(batching), request)) {
		given->state = batching->note.state;
		if (batching->note.drop || given->state == KEPT_BATCH_COLLECTED)
			take_out(batching, given);
	}
	store_request_done(request);
	run_go_on(batching_run(batching));
}

void batching_note(struct batching *batching, enum kept_batch_state state, bool drop)
{
	batching->doing = NOTING;
	run_expect(batching_run(batching), &batching->note.request, on_noted);
	batching->note.id = batching->now->id;
	batching->note.task_id = batching_run(batching)->task.task_id;
	batching->note.state = state;
	batching->note.provider_id = batching->now->provider_id[0] ? batching->now->provider_id : NULL;
	batching->note.drop = drop;
	store_batch_note(batching_run(batching)->host.store, &batching->note);
}

/* ---- When something is done about one next ---- */

void batching_wait(struct batching *batching, struct given *given, int64_t at_least_usec)
{
	int64_t most = atomic_load(batching_run(batching)->host.batch_wait_usec);

	given->wait_usec = given->wait_usec ? 2 * given->wait_usec : FIRST_WAIT_USEC;
	if (given->wait_usec > most)
		given->wait_usec = most;
	given->due_usec = clock_monotonic_usec() +
			  (at_least_usec > given->wait_usec ? at_least_usec : given->wait_usec);
}
