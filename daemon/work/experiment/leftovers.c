#include "daemon/work/experiment/leftovers.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/backend/provider_batch.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/store/runs.h"
#include "daemon/store/store.h"

#define AGAIN_SECONDS 30 // after one that cannot be had now
#define KEPT_USEC (48 * 3600 * USEC_PER_SEC) // by then each has ended

struct leftovers {
	struct leftovers_options options;
	bool stopping;
	bool busy;
	bool due; // once more, when it is done
	bool later; // one of them could not be had now
	struct batches_load load;
	size_t at; // of them
	int64_t after_id; // which come next
	struct run_load run;
	struct llm_target *target; // of its config
	struct provider_batch ask;
	struct batch_note note;
	struct event *timer;
};

static void next(struct leftovers *leftovers);

/* Those that cannot be had now keep no others waiting. */
static void look_behind(struct leftovers *leftovers)
{
	const struct batches_load *load = &leftovers->load;
	bool is_full = load->ret_n_batches == KEPT_BATCHES_MAX;

	leftovers->due |= is_full && !leftovers->stopping;
	leftovers->after_id = is_full ? load->ret_batches[load->ret_n_batches - 1].id : 0;
}

static void end(struct leftovers *leftovers)
{
	look_behind(leftovers);
	store_request_done(&leftovers->load.request);
	leftovers->busy = false;
	if (leftovers->due)
		leftovers_sweep(leftovers);
	else if (leftovers->later && !leftovers->stopping)
		(void)event_add(leftovers->timer, &(struct timeval){ .tv_sec = AGAIN_SECONDS });
	leftovers->options.count(leftovers->options.userdata, -1);
}

static void done_with(struct leftovers *leftovers, bool later)
{
	leftovers->target = llm_target_unref(leftovers->target);
	leftovers->later |= later;
	leftovers->at++;
	next(leftovers);
}

static void drop(struct leftovers *leftovers);

/* What never could be had is left alone in the end. */
static void try_later(struct leftovers *leftovers)
{
	const struct kept_batch *kept = &leftovers->load.ret_batches[leftovers->at];

	if (kept->created_usec + KEPT_USEC < clock_wall_usec())
		drop(leftovers);
	else
		done_with(leftovers, /* later= */ true);
}

static void on_dropped(struct store_request *request)
{
	struct leftovers *leftovers = request->userdata;
	int r = request->result;

	store_request_done(request);
	done_with(leftovers, r < 0);
}

static void drop(struct leftovers *leftovers)
{
	const struct kept_batch *kept = &leftovers->load.ret_batches[leftovers->at];

	leftovers->note = (struct batch_note){ .id = kept->id, .task_id = kept->task_id, .drop = true };
	store_request_init(&leftovers->note.request, leftovers->options.loop, on_dropped, leftovers);
	store_batch_note(leftovers->options.store, &leftovers->note);
}

static void on_asked(struct provider_batch *ask);

static void ask(struct leftovers *leftovers, enum batch_step step)
{
	const struct kept_batch *kept = &leftovers->load.ret_batches[leftovers->at];
	struct provider_batch *asking = &leftovers->ask;

	if (leftovers->stopping) {
		done_with(leftovers, /* later= */ true);
		return;
	}
	asking->step = step;
	asking->reply_to = leftovers->options.loop;
	asking->done = on_asked;
	asking->target = leftovers->target;
	asking->n_items = kept->n_items;
	asking->since_usec = kept->created_usec;
	asking->n_known = 0;
	snprintf(asking->mark, sizeof(asking->mark), "%s", kept->mark);
	if (step == BATCH_STOP && kept->provider_id)
		snprintf(asking->id, sizeof(asking->id), "%s", kept->provider_id);
	if (provider_batch_ask(leftovers->options.backend, asking) < 0)
		done_with(leftovers, /* later= */ true);
}

static void on_asked(struct provider_batch *asked)
{
	struct leftovers *leftovers = container_of(asked, struct leftovers, ask);

	switch (asked->outcome) {
	case BATCH_DONE:
		if (asked->step == BATCH_FIND)
			ask(leftovers, BATCH_STOP);
		else
			drop(leftovers);
		break;
	case BATCH_REFUSED:
		log_warning("a batch of task %" PRId64 ", which is over, cannot be cancelled: %s",
			    leftovers->load.ret_batches[leftovers->at].task_id, asked->fault.message);
		drop(leftovers);
		break;
	case BATCH_NOT_FOUND:
		drop(leftovers);
		break;
	case BATCH_UNDECIDED:
	case BATCH_LATER:
		try_later(leftovers);
		break;
	case BATCH_CANCELLED:
		done_with(leftovers, /* later= */ true);
		break;
	}
}

static int make_target(struct leftovers *leftovers, struct fault *fault)
{
	const struct run_spec *spec = leftovers->run.ret_spec;

	if (!spec->batch || !spec->config)
		return fault_set(fault, -ENOENT, "its config is gone");
	return llm_target_new(spec->config, &leftovers->target, fault);
}

static void on_run(struct store_request *request)
{
	struct leftovers *leftovers = request->userdata;
	const struct kept_batch *kept = &leftovers->load.ret_batches[leftovers->at];
	struct fault fault = request->fault;
	int r = request->result < 0 ? request->result : make_target(leftovers, &fault);

	store_request_done(request);
	if (r >= 0) {
		ask(leftovers, kept->state == KEPT_BATCH_MEANT ? BATCH_FIND : BATCH_STOP);
		return;
	}
	log_warning("a batch of task %" PRId64 ", which is over, cannot be cancelled: %s", kept->task_id,
		    fault.message);
	drop(leftovers);
}

static void next(struct leftovers *leftovers)
{
	const struct batches_load *load = &leftovers->load;

	if (leftovers->stopping || leftovers->at >= load->ret_n_batches) {
		end(leftovers);
	} else if (load->ret_batches[leftovers->at].state == KEPT_BATCH_COLLECTED) {
		drop(leftovers);
	} else {
		leftovers->run = (struct run_load){ .task_id = load->ret_batches[leftovers->at].task_id };
		store_request_init(&leftovers->run.request, leftovers->options.loop, on_run, leftovers);
		store_run_load(leftovers->options.store, &leftovers->run);
	}
}

static void on_loaded(struct store_request *request)
{
	struct leftovers *leftovers = request->userdata;

	leftovers->at = 0;
	if (request->result < 0)
		leftovers->load.ret_n_batches = 0;
	next(leftovers);
}

void leftovers_sweep(struct leftovers *leftovers)
{
	leftovers->due = leftovers->busy;
	if (leftovers->busy || leftovers->stopping)
		return;
	leftovers->busy = true;
	leftovers->later &= leftovers->after_id > 0;
	leftovers->load.task_id = 0;
	leftovers->load.after_id = leftovers->after_id;
	store_request_init(&leftovers->load.request, leftovers->options.loop, on_loaded, leftovers);
	leftovers->options.count(leftovers->options.userdata, 1);
	store_batches_load(leftovers->options.store, &leftovers->load);
}

void leftovers_stop(struct leftovers *leftovers)
{
	leftovers->stopping = true;
	event_del(leftovers->timer);
	if (leftovers->busy)
		(void)provider_batch_cancel(leftovers->options.backend, &leftovers->ask);
}

static void on_timer(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	leftovers_sweep(userdata);
}

int leftovers_new(const struct leftovers_options *options, struct leftovers **ret_leftovers)
{
	struct leftovers *leftovers = calloc(1, sizeof(*leftovers));

	if (!leftovers)
		return -ENOMEM;
	leftovers->options = *options;
	leftovers->timer = evtimer_new(loop_base(options->loop), on_timer, leftovers);
	if (!leftovers->timer) {
		free(leftovers);
		return -ENOMEM;
	}
	*ret_leftovers = leftovers;
	return 0;
}

struct leftovers *leftovers_free(struct leftovers *leftovers)
{
	if (!leftovers)
		return NULL;
	event_free(leftovers->timer);
	free(leftovers);
	return NULL;
}
