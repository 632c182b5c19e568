#include "daemon/backend/provider_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/batch/batch_job.h"
#include "daemon/backend/callers/order.h"
#include "daemon/base/clock.h"

/* ---- Giving ---- */

static void on_given(struct batch_job *job)
{
	struct batch_news news;

	if (!batch_job_read_news(job, &news))
		return;
	if (batch_job_take_id(job, news.id, job->batch->id))
		batch_job_answer(job, BATCH_DONE);
	else
		batch_job_fail_exchange(job, "its batch has no usable id");
}

static void give(struct batch_job *job, const struct buffer *body)
{
	batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH, .body = body }, on_given);
}

static void give_file(struct batch_job *job)
{
	buffer_clear(&job->text);
	job->form->create(job->batch->mark, job->batch->file, &job->text);
	if (job->text.failed)
		batch_job_fail(job, BATCH_LATER, "out of memory");
	else
		give(job, &job->text);
}

/* A file that no batch names costs nothing: up to here nothing was given. */
static void on_file(struct batch_job *job)
{
	struct json_value *json = batch_job_read_reply(job);

	if (json && batch_job_take_id(job, json_text_member(json, "id"), job->batch->file))
		give_file(job);
	else if (json)
		batch_job_fail(job, BATCH_LATER, "its file has no usable id");
}

static void begin_give(struct batch_job *job)
{
	if (!job->form->create)
		give(job, &job->batch->body->text);
	else if (job->batch->file[0])
		give_file(job);
	else
		batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH_FILE,
							    .body = &job->batch->body->text,
							    .content_type = job->form->content_type },
			      on_file);
}

/* ---- Looking ---- */

static void take_failure(struct batch_job *job, const struct batch_news *news)
{
	struct provider_batch *batch = job->batch;
	const char *words = json_text_member(news->error, "message");

	fault_set(&batch->fault, ELLU_E_BACKEND_REJECTED, "the batch was not taken: %s",
		  words ? words : "its provider does not say why");
	target_redact(batch->target, batch->fault.message, strlen(batch->fault.message));
}

static void on_looked(struct batch_job *job)
{
	struct provider_batch *batch = job->batch;
	struct batch_news news;

	if (!batch_job_read_news(job, &news))
		return;
	batch->state = news.state;
	batch->n_done = news.n_done;
	batch->is_full = news.is_full;
	if (news.state == BATCH_FAILED)
		take_failure(job, &news);
	batch_job_answer(job, BATCH_DONE);
}

/* ---- Stopping and clearing ---- */

static void on_cleared(struct batch_job *job)
{
	struct batch_news news;

	if (batch_job_read_news(job, &news))
		batch_job_clear(job, &news);
}

static void on_stopped(struct batch_job *job)
{
	struct batch_news news;

	if (!batch_job_read_news(job, &news))
		return;
	if (news.state == BATCH_UNDER_WAY)
		batch_job_fail(job, BATCH_LATER, "the batch has not ended yet");
	else
		batch_job_clear(job, &news);
}

static void on_to_stop(struct batch_job *job)
{
	static const struct buffer nothing;
	struct batch_news news;

	if (!batch_job_read_news(job, &news))
		return;
	if (news.state != BATCH_UNDER_WAY)
		batch_job_clear(job, &news);
	else if (news.is_stopping)
		batch_job_fail(job, BATCH_LATER, "the batch has not ended yet");
	else
		batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH, .id = job->batch->id,
							    .end = "cancel", .body = &nothing },
			      on_stopped);
}

/* ---- Beginning ---- */

static void look(struct batch_job *job, void (*asked)(struct batch_job *job))
{
	batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH, .id = job->batch->id }, asked);
}

static void begin(struct batch_job *job)
{
	switch (job->batch->step) {
	case BATCH_GIVE:
		begin_give(job);
		break;
	case BATCH_FIND:
		batch_find(job);
		break;
	case BATCH_LOOK:
		look(job, on_looked);
		break;
	case BATCH_COLLECT:
		look(job, batch_collect);
		break;
	case BATCH_STOP:
		look(job, on_to_stop);
		break;
	case BATCH_CLEAR:
		look(job, on_cleared);
		break;
	}
}

static void deliver_ask(struct message *message)
{
	struct provider_batch *batch = (struct provider_batch *)message; // its first member
	struct batch_job *job = batch->job;

	job->backend->ground.now_usec = clock_monotonic_usec();
	TAILQ_INSERT_TAIL(&job->backend->batches, job, of_all);
	begin(job);
}

int provider_batch_ask(struct backend *backend, struct provider_batch *batch)
{
	struct batch_job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->backend = backend;
	job->batch = batch;
	job->form = batch->target->dialect->batch;
	batch->job = job;
	batch->fault = (struct fault){ 0 };
	batch->wait_usec = -1;
	batch->n_done = batch->n_taken = 0;
	batch->is_cut = false;
	batch->is_full = false;
	batch->message.deliver = deliver_ask;
	loop_post(backend->ground.loop, &batch->message);
	return 0;
}

static void on_cancel(struct order *order)
{
	struct batch_job *job;

	TAILQ_FOREACH(job, &order->backend->batches, of_all) {
		if (job->batch == order->batch) {
			batch_job_answer(job, BATCH_CANCELLED);
			return;
		}
	}
}

int provider_batch_cancel(struct backend *backend, struct provider_batch *batch)
{
	return order_post((struct order){ .backend = backend, .batch = batch, .carry_out = on_cancel });
}
