#include "daemon/backend/batch/batch_job.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/dialect/refusal.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/base/clock.h"

#define REPLY_MAX (4u * 1024 * 1024) // a list of batches

/* ---- The end ---- */

static void deliver_done(struct message *message)
{
	struct provider_batch *batch = (struct provider_batch *)message; // its first member

	batch->done(batch);
}

static void end_exchange(struct batch_job *job)
{
	exchange_end(&job->backend->exchanges, &job->exchange);
	curl_url_cleanup(job->url);
	job->url = NULL;
	curl_slist_free_all(job->headers);
	job->headers = NULL;
}

void batch_job_put(struct batch_job *job)
{
	if (!job->over || job->n_out > 0)
		return;
	buffer_done(&job->text);
	free(job);
}

void batch_job_answer(struct batch_job *job, enum batch_outcome outcome)
{
	struct provider_batch *batch = job->batch;
	struct loop *reply_to = batch->reply_to;

	end_exchange(job);
	TAILQ_REMOVE(&job->backend->batches, job, of_all);
	job->over = true;
	batch->outcome = outcome;
	batch->message.deliver = deliver_done;
	loop_post(reply_to, &batch->message);
	batch_job_put(job);
}

void batch_job_fail(struct batch_job *job, enum batch_outcome outcome, const char *words)
{
	struct fault *fault = &job->batch->fault;

	fault_set(fault, ELLU_E_BACKEND_UNAVAILABLE, "%s: %s", job->batch->target->origin, words);
	target_redact(job->batch->target, fault->message, strlen(fault->message));
	batch_job_answer(job, outcome);
}

/* What a batch that was given twice would cost is not risked. */
static bool may_have_arrived(const struct batch_job *job)
{
	const struct exchange *exchange = &job->exchange;

	return job->batch->step == BATCH_GIVE && exchange->connected &&
	       (exchange->status == 0 || exchange->status >= 500 || exchange->status < 300);
}

/* And so cannot be stopped. */
static bool has_just_ended(const struct batch_job *job)
{
	return job->batch->step == BATCH_STOP && job->exchange.body &&
	       (job->exchange.status == 400 || job->exchange.status == 409);
}

void batch_job_fail_exchange(struct batch_job *job, const char *words)
{
	batch_job_fail(job, may_have_arrived(job) ? BATCH_UNDECIDED : BATCH_LATER, words);
}

static void clear_next(struct batch_job *job);

/* Nothing names the file any more. */
static void clear_file(struct batch_job *job, enum batch_outcome then)
{
	memcpy(job->results[0], job->batch->file, BATCH_ID_SIZE);
	job->batch->file[0] = '\0';
	job->n_results = 1;
	job->then = then;
	clear_next(job);
}

static void take_refusal(struct batch_job *job)
{
	struct exchange *exchange = &job->exchange;
	struct provider_batch *batch = job->batch;
	struct attempt attempt = { .status = exchange->status, .wait_usec =
				   retry_after_usec(exchange_header(exchange, "Retry-After"),
						    exchange_header(exchange, "retry-after-ms"), clock_wall_usec()) };

	refusal_read(batch->target, &job->backend->ground.reader, NULL, exchange->reply.data, exchange->reply.size,
		     &attempt);
	batch->wait_usec = attempt.wait_usec;
	fault_set(&batch->fault, attempt.code, "%d from the batches of %s: %s", attempt.status,
		  batch->target->origin, attempt.message);
	batch->fault.status = attempt.status;
	if (may_have_arrived(job))
		batch_job_answer(job, BATCH_UNDECIDED);
	else if (attempt.class == ATTEMPT_RETRY || attempt.class == ATTEMPT_WAIT || has_just_ended(job))
		batch_job_answer(job, BATCH_LATER);
	else if (batch->step == BATCH_GIVE && batch->file[0])
		clear_file(job, BATCH_REFUSED);
	else
		batch_job_answer(job, attempt.status == 404 && batch->step != BATCH_GIVE &&
						      batch->step != BATCH_FIND ?
					      BATCH_NOT_FOUND : BATCH_REFUSED);
}

/* ---- Asking ---- */

static void on_asked(struct exchange *exchange)
{
	struct batch_job *job = batch_job_of(exchange);

	if (job->clears)
		job->asked(job);
	else if (exchange->status >= 300)
		take_refusal(job);
	else if (exchange->trouble)
		batch_job_fail_exchange(job, exchange->trouble);
	else
		job->asked(job);
}

/* The target's, but that of another body. */
static bool make_headers(struct batch_job *job, const char *content_type)
{
	static const char type_header[] = "Content-Type:";
	const struct batch_form *form = job->form;
	struct curl_slist *list = NULL, *longer;
	char line[160];

	for (const struct curl_slist *node = job->batch->target->headers; node; node = node->next) {
		if (content_type && strncasecmp(node->data, type_header, sizeof(type_header) - 1) == 0)
			continue;
		longer = curl_slist_append(list, node->data);
		if (!longer)
			break;
		list = longer;
	}
	job->headers = list;
	if (!list)
		return false;
	if (content_type) {
		snprintf(line, sizeof(line), "%s %s%s", type_header, content_type,
			 content_type == form->content_type ? job->batch->mark : "");
		list = curl_slist_append(job->headers, line);
	}
	return list;
}

void batch_job_ask(struct batch_job *job, const struct batch_request *request,
		   void (*asked)(struct batch_job *job))
{
	struct llm_target *target = job->batch->target;
	char path[BATCH_ID_SIZE + 32] = "", query[BATCH_ID_SIZE + 64];

	end_exchange(job);
	job->asked = asked;
	if (request->id)
		snprintf(path, sizeof(path), "/%s%s%s", request->id, request->end ? "/" : "",
			 request->end ? request->end : "");
	if (request->query)
		snprintf(query, sizeof(query), "%s%s%s%s%s", request->query, *request->after ? "&" : "",
			 *request->after ? job->form->after : "", *request->after ? "=" : "", request->after);
	job->url = target_url_below(target, request->kind, path, request->query ? query : NULL);
	job->exchange = (struct exchange){
		.target = target,
		.url = job->url,
		.body = request->body,
		.deletes = request->deletes,
		.timeout_usec = request->take ? target->stall_usec : target->timeout_usec,
		.reply_max = REPLY_MAX,
		.take = request->take,
		.done = on_asked,
	};
	if (job->url && make_headers(job, request->content_type)) {
		job->exchange.headers = job->headers;
		if (exchange_start(&job->backend->exchanges, &job->exchange))
			return;
	}
	batch_job_fail(job, BATCH_LATER, "out of memory");
}

bool batch_job_take_id(const struct batch_job *job, const char *id, char ret_id[static BATCH_ID_SIZE])
{
	size_t size = id ? strlen(id) : 0;

	if (size == 0 || size >= BATCH_ID_SIZE)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)id[i]) && id[i] != '-' && id[i] != '_')
			return false;
	memcpy(ret_id, id, size + 1);
	target_redact(job->batch->target, ret_id, size);
	if (strcmp(ret_id, id) == 0)
		return true;
	ret_id[0] = '\0';
	return false;
}

bool batch_job_has_mark(const struct batch_job *job, const char *custom_id)
{
	return custom_id && strncmp(custom_id, job->batch->mark, BATCH_MARK_SIZE - 1) == 0;
}

struct json_value *batch_job_read_reply(struct batch_job *job)
{
	struct buffer *reply = &job->exchange.reply;
	struct json_value *json = NULL;

	job->backend->ground.reader.n_rewritten = 0;
	if (reply->size > 0 && json_read(&job->backend->ground.reader, reply->data, reply->size, &json) == 0 &&
	    json_is(json, JSON_OBJECT))
		return json;
	batch_job_fail_exchange(job, "what it answered is no JSON object");
	return NULL;
}

bool batch_job_read_news(struct batch_job *job, struct batch_news *ret_news)
{
	struct json_value *json = batch_job_read_reply(job);

	if (json)
		job->form->news(json, ret_news);
	return json;
}

/* ---- Clearing ---- */

/* What cannot be deleted goes when its provider has it go. */
static void clear_next(struct batch_job *job)
{
	bool is_there = !job->clears || job->exchange.status > 0;

	job->clears = true;
	if (!is_there || job->at_result == job->n_results)
		batch_job_answer(job, job->then);
	else
		batch_job_ask(job, &(struct batch_request){
					   .kind = job->form->create ? URL_BATCH_FILE : URL_BATCH,
					   .id = job->results[job->at_result++],
					   .deletes = true }, clear_next);
}

void batch_job_clear(struct batch_job *job, const struct batch_news *news)
{
	const char *const files[] = { news->file, news->results[0], news->results[1] };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		job->n_results += batch_job_take_id(job, files[i], job->results[job->n_results]);
	job->then = BATCH_DONE;
	clear_next(job);
}
