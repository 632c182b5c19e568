/* What came of the items of a batch, line by line. */
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/admission/allowance.h"
#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/batch/batch_job.h"
#include "daemon/backend/dialect/refusal.h"

#define LINE_HEAD_MAX 4096u // in which one says whose it is
#define RESULTS_OUT_MAX 16 // at once with who takes them, and
#define RESULTS_OUT_BYTES_MAX (4u * 1024 * 1024)

static void on_back(struct message *message)
{
	struct batch_result *result = (struct batch_result *)message; // its first member
	struct batch_job *job = result->job;

	arena_done(&result->call.arena);
	job->n_out--;
	job->bytes_out -= result->bytes;
	free(result);
	if (job->paused && !job->over) {
		job->paused = false;
		exchange_go_on(&job->exchange);
	}
	batch_job_put(job);
}

void batch_result_give_back(struct backend *backend, struct batch_result *result)
{
	result->message.deliver = on_back;
	loop_post(backend->ground.loop, &result->message);
}

static void deliver_result(struct message *message)
{
	struct batch_result *result = (struct batch_result *)message; // its first member

	result->batch->take(result);
}

static void take_attempt(struct batch_result *result, struct attempt *attempt)
{
	struct llm_call *call = &result->call;

	result->hint = attempt->hint;
	if (attempt->class == ATTEMPT_ANSWERED) {
		call->outcome = LLM_ANSWERED;
		return;
	}
	fault_set(&call->fault, attempt->code, "%s", attempt->message);
	call->fault.status = attempt->status;
	call->outcome = attempt->class == ATTEMPT_CONFIG ? LLM_CONFIG_FAILED : LLM_ITEM_FAILED;
	result->again = attempt->class == ATTEMPT_RETRY || attempt->class == ATTEMPT_WAIT;
}

static void read_result(struct batch_job *job, const struct batch_line *line, struct batch_result *result)
{
	struct attempt attempt = { .status = 200, .wait_usec = -1 };
	struct llm_target *target = job->batch->target;
	struct answer whole;

	if (line->unasked) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "the batch ended before it was asked");
	} else if (line->answer) {
		answer_begin(&whole, &result->call, &job->backend->ground.reader, NULL, &attempt);
		answer_end_read(&whole, line->answer);
		answer_done(&whole);
	} else {
		attempt.status = line->status;
		refusal_take(target, NULL, line->status, line->error, &attempt);
	}
	take_attempt(result, &attempt);
}

/* NULL: no memory, and it is as if it had not come. */
static struct batch_result *result_new(struct batch_job *job, const char *custom_id, size_t custom_id_size,
				       size_t weight)
{
	struct batch_result *result = calloc(1, sizeof(*result));

	if (!result)
		return NULL;
	result->batch = job->batch;
	result->job = job;
	result->bytes = weight;
	memcpy(result->custom_id, custom_id, custom_id_size);
	result->call = (struct llm_call){
		.target = job->batch->target, .batched = true, .attempts = 1,
		.input_tokens = -1, .output_tokens = -1, .reasoning_tokens = -1,
		.cached_tokens = -1, .cost_nanodollars = -1,
	};
	arena_init(&result->call.arena);
	return result;
}

static void hand_over(struct batch_job *job, struct batch_result *result)
{
	job->n_out++;
	job->bytes_out += result->bytes;
	job->batch->n_taken++;
	result->message.deliver = deliver_result;
	loop_post(job->batch->reply_to, &result->message);
}

/* Where each is as long as may be. More than that is no end. */
static size_t bytes_max(const struct batch_job *job)
{
	return ((size_t)job->batch->n_items + 1) * RESULT_LINE_MAX;
}

static enum exchange_take cut(struct batch_job *job)
{
	struct provider_batch *batch = job->batch;

	batch->is_cut = true;
	fault_set(&batch->fault, ELLU_E_TOO_LARGE, "the results of a batch: more than %zu bytes", bytes_max(job));
	return EXCHANGE_ENOUGH;
}

/* Each item has one; what comes twice is no harm. */
static bool has_all(const struct batch_job *job)
{
	return job->batch->n_taken > 2 * job->batch->n_items;
}

static int64_t known(int64_t tokens)
{
	return tokens > 0 ? tokens : 0;
}

/* That there is no memory for it keeps no answer back. */
static void charge(struct batch_job *job, const struct llm_call *call)
{
	struct llm_target *target = job->batch->target;
	struct endpoint *endpoint;

	if (call->outcome == LLM_ANSWERED && budget_limits_any(&target->limits) &&
	    endpoint_get(job->backend, target, job->batch->user, &endpoint) == 0)
		allowance_charge(endpoint, target, known(call->input_tokens) + known(call->output_tokens));
}

/* What is no line of this batch is passed over. */
static void take_line(struct batch_job *job, char *text, size_t size)
{
	struct batch_result *result;
	struct json_value *json = NULL;
	struct batch_line line;
	size_t replaced = 0, weight = size;
	char *copy = NULL;

	job->backend->ground.reader.n_rewritten = 0;
	if (size == 0 || json_clean(&text, &size, &copy, &replaced) < 0)
		return;
	if (json_read(&job->backend->ground.reader, text, size, &json) < 0 || !json_is(json, JSON_OBJECT)) {
		free(copy);
		return;
	}
	job->form->line(json, &line);
	result = !has_all(job) && batch_job_has_mark(job, line.custom_id) &&
				 strlen(line.custom_id) < BATCH_CUSTOM_ID_SIZE ?
			 result_new(job, line.custom_id, strlen(line.custom_id), weight) : NULL;
	if (result) {
		read_result(job, &line, result);
		result->call.replaced += (int64_t)replaced;
		charge(job, &result->call);
		hand_over(job, result);
	}
	free(copy);
}

/* Whose a line is that is not read stands at its beginning. Asked again, it would be as long. */
static void refuse_line(struct batch_job *job)
{
	size_t size = job->text.size < LINE_HEAD_MAX ? job->text.size : LINE_HEAD_MAX;
	const char *id = memmem(job->text.data, size, job->batch->mark, BATCH_MARK_SIZE - 1);
	const char *end = id ? memchr(id, '"', size - (size_t)(id - job->text.data)) : NULL;
	struct attempt attempt = { .status = 200, .wait_usec = -1 };
	struct batch_result *result;

	if (!end || end - id >= BATCH_CUSTOM_ID_SIZE || has_all(job))
		return;
	result = result_new(job, id, (size_t)(end - id), 0);
	if (!result)
		return;
	attempt_too_large(&attempt, RESULT_LINE_MAX, "a result of a batch: more than %u bytes", RESULT_LINE_MAX);
	take_attempt(result, &attempt);
	hand_over(job, result);
}

static void end_line(struct batch_job *job)
{
	if (job->skips && job->text.size > 0)
		refuse_line(job);
	else if (!job->text.failed)
		take_line(job, job->text.data, job->text.size);
	job->skips = false;
	buffer_clear(&job->text);
}

static enum exchange_take take_results(struct exchange *exchange, const char *data, size_t size)
{
	struct batch_job *job = batch_job_of(exchange);

	if (job->n_out >= RESULTS_OUT_MAX || job->bytes_out >= RESULTS_OUT_BYTES_MAX) {
		job->paused = true;
		return EXCHANGE_PAUSE;
	}
	job->n_bytes += size;
	if (job->n_bytes > bytes_max(job))
		return cut(job);
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		job->skips |= job->text.size + n > RESULT_LINE_MAX;
		if (!job->skips)
			buffer_append(&job->text, data, n);
		if (end) {
			end_line(job);
			n++;
		}
		data += n;
		size -= n;
	}
	return EXCHANGE_GO_ON;
}

static void collect_next(struct batch_job *job);

static void on_results(struct batch_job *job)
{
	end_line(job); // the last may end without
	job->at_result++;
	collect_next(job);
}

static void collect_next(struct batch_job *job)
{
	const bool is_file = job->form->create;

	buffer_clear(&job->text);
	if (job->at_result == job->n_results) {
		batch_job_answer(job, BATCH_DONE);
		return;
	}
	batch_job_ask(job, &(struct batch_request){ .kind = is_file ? URL_BATCH_FILE : URL_BATCH,
						    .id = job->results[job->at_result],
						    .end = job->form->results_end,
						    .take = take_results }, on_results);
}

void batch_collect(struct batch_job *job)
{
	struct batch_news news;

	if (!batch_job_read_news(job, &news))
		return;
	job->batch->n_done = news.n_done;
	for (size_t i = 0; i < sizeof(news.results) / sizeof(*news.results); i++)
		job->n_results += batch_job_take_id(job, news.results[i], job->results[job->n_results]);
	collect_next(job);
}
