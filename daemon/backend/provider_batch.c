#include "daemon/backend/provider_batch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/core.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/base/clock.h"

#define REPLY_MAX (4u * 1024 * 1024) // a list of batches
#define RESULT_LINE_MAX (RESPONSE_BODY_MAX + 64u * 1024) // of results, with what surrounds an answer
#define LINE_HEAD_MAX 4096u // in which one says whose it is
#define RESULTS_OUT_MAX 16 // at once with who takes them, and
#define RESULTS_OUT_BYTES_MAX (4u * 1024 * 1024)
#define LIST_PAGES_MAX 20
#define LIST_LIMIT "limit=100"
#define PERHAPS_MAX 32 // batches that may be the one that is looked for
#define SKEW_USEC (600 * USEC_PER_SEC) // of the provider's clock

struct batch_job {
	TAILQ_ENTRY(batch_job) of_all; // backend::batches, until its answer is on its way
	struct backend *backend;
	struct provider_batch *batch;
	const struct batch_form *form;
	struct exchange exchange;
	void (*asked)(struct batch_job *job); // what the exchange's end goes on with
	CURLU *url;
	struct curl_slist *headers;
	struct buffer text; // that is sent, where it is no batch's body; the line that comes
	bool over;

	int n_pages; // of a list
	char after[BATCH_ID_SIZE];
	char perhaps[PERHAPS_MAX][BATCH_ID_SIZE];
	size_t n_perhaps;
	bool unseen; // one of those that may be it has no results yet
	bool seen; // of the one whose results begin to come

	char results[3][BATCH_ID_SIZE]; // or all that is to be deleted
	size_t n_results, at_result; // the next of them
	bool clears; // deletes them
	enum batch_outcome then; // what comes of it all the same
	bool skips; // the rest of a line that is too long
	uint64_t n_bytes; // that came
	size_t n_out, bytes_out;
	bool paused;
};

/* ---- Items ---- */

struct request_form batch_form_first(const struct llm_target *target)
{
	struct request_form form = target->dialect->form;

	if (target->structured_fixed)
		form.structured_output = target->structured_output;
	return form;
}

bool batch_form_change(const struct llm_call *call, enum error_hint hint, struct request_form *form)
{
	const struct dialect *dialect = call->target->dialect;
	const struct request_form used = *form;

	return hint != HINT_NONE && dialect->change_form && dialect->change_form(call, hint, &used, form);
}

void batch_body_begin(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	buffer_clear(&body->text);
	body->n = body->n_bytes = 0;
	target->dialect->batch->open(mark, &body->text);
}

void batch_body_add(struct batch_body *body, const struct llm_call *call, const struct request_form *form,
		    const char *custom_id)
{
	const struct dialect *dialect = call->target->dialect;
	size_t before = body->text.size;

	dialect->batch->open_item(custom_id, body->n == 0, &body->text);
	dialect->request(call, form, &body->text);
	dialect->batch->close_item(&body->text);
	body->n++;
	body->n_bytes += body->text.size - before;
}

void batch_body_end(struct batch_body *body, const struct llm_target *target, const char *mark)
{
	target->dialect->batch->close(mark, &body->text);
}

void batch_body_done(struct batch_body *body)
{
	buffer_done(&body->text);
	body->n = body->n_bytes = 0;
}

/* ---- The end ---- */

static void deliver_done(struct message *message)
{
	struct provider_batch *batch = (struct provider_batch *)message; // its first member

	batch->done(batch);
}

static void end_exchange(struct batch_job *job)
{
	exchange_end(job->backend, &job->exchange);
	curl_url_cleanup(job->url);
	job->url = NULL;
	curl_slist_free_all(job->headers);
	job->headers = NULL;
}

static void put_job(struct batch_job *job)
{
	if (!job->over || job->n_out > 0)
		return;
	buffer_done(&job->text);
	free(job);
}

static void answer(struct batch_job *job, enum batch_outcome outcome)
{
	struct provider_batch *batch = job->batch;
	struct loop *reply_to = batch->reply_to;

	end_exchange(job);
	TAILQ_REMOVE(&job->backend->batches, job, of_all);
	job->over = true;
	batch->outcome = outcome;
	batch->message.deliver = deliver_done;
	loop_post(reply_to, &batch->message);
	put_job(job);
}

static void fail(struct batch_job *job, enum batch_outcome outcome, const char *words)
{
	struct fault *fault = &job->batch->fault;

	fault_set(fault, ELLU_E_BACKEND_UNAVAILABLE, "%s: %s", job->batch->target->origin, words);
	target_redact(job->batch->target, fault->message, strlen(fault->message));
	answer(job, outcome);
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

static void fail_exchange(struct batch_job *job, const char *words)
{
	fail(job, may_have_arrived(job) ? BATCH_UNDECIDED : BATCH_LATER, words);
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

	refusal_read(batch->target, &job->backend->reader, NULL, exchange->reply.data, exchange->reply.size,
		     &attempt);
	batch->wait_usec = attempt.wait_usec;
	fault_set(&batch->fault, attempt.code, "%d from the batches of %s: %s", attempt.status,
		  batch->target->origin, attempt.message);
	batch->fault.status = attempt.status;
	if (may_have_arrived(job))
		answer(job, BATCH_UNDECIDED);
	else if (attempt.class == ATTEMPT_RETRY || attempt.class == ATTEMPT_WAIT || has_just_ended(job))
		answer(job, BATCH_LATER);
	else if (batch->step == BATCH_GIVE && batch->file[0])
		clear_file(job, BATCH_REFUSED);
	else
		answer(job, attempt.status == 404 && batch->step != BATCH_GIVE && batch->step != BATCH_FIND ?
				    BATCH_NOT_FOUND : BATCH_REFUSED);
}

/* ---- Asking ---- */

static void on_asked(struct exchange *exchange)
{
	struct batch_job *job = (struct batch_job *)((char *)exchange - offsetof(struct batch_job, exchange));

	if (job->clears)
		job->asked(job);
	else if (exchange->status >= 300)
		take_refusal(job);
	else if (exchange->trouble)
		fail_exchange(job, exchange->trouble);
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

struct request {
	enum target_url_kind kind;
	const char *id, *end; // below it; or NULL
	const char *query, *after; // of a list
	const struct buffer *body;
	bool deletes;
	const char *content_type; // NULL: the target's
	enum exchange_take (*take)(struct exchange *exchange, const char *data, size_t size);
};

static void ask(struct batch_job *job, const struct request *request, void (*asked)(struct batch_job *job))
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
		if (exchange_start(job->backend, &job->exchange))
			return;
	}
	fail(job, BATCH_LATER, "out of memory");
}

/* It becomes part of a path, and is kept: so it is no key either. */
static bool take_id(const struct batch_job *job, const char *id, char ret_id[static BATCH_ID_SIZE])
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

/* The object that was answered, or NULL and the job has failed. */
static struct json_value *read_reply(struct batch_job *job)
{
	struct buffer *reply = &job->exchange.reply;
	struct json_value *json = NULL;

	job->backend->reader.n_rewritten = 0;
	if (reply->size > 0 && json_read(&job->backend->reader, reply->data, reply->size, &json) == 0 &&
	    json_is(json, JSON_OBJECT))
		return json;
	fail_exchange(job, "what it answered is no JSON object");
	return NULL;
}

static bool read_news(struct batch_job *job, struct batch_news *ret_news)
{
	struct json_value *json = read_reply(job);

	if (json)
		job->form->news(json, ret_news);
	return json;
}

/* ---- Giving ---- */

static void on_given(struct batch_job *job)
{
	struct batch_news news;

	if (!read_news(job, &news))
		return;
	if (take_id(job, news.id, job->batch->id))
		answer(job, BATCH_DONE);
	else
		fail_exchange(job, "its batch has no id");
}

static void give(struct batch_job *job, const struct buffer *body)
{
	ask(job, &(struct request){ .kind = URL_BATCH, .body = body }, on_given);
}

static void give_file(struct batch_job *job)
{
	buffer_clear(&job->text);
	job->form->create(job->batch->mark, job->batch->file, &job->text);
	if (job->text.failed)
		fail(job, BATCH_LATER, "out of memory");
	else
		give(job, &job->text);
}

/* A file that no batch names costs nothing: up to here nothing was given. */
static void on_file(struct batch_job *job)
{
	struct json_value *json = read_reply(job);

	if (json && take_id(job, json_text_member(json, "id"), job->batch->file))
		give_file(job);
	else if (json)
		fail(job, BATCH_LATER, "its file has no id");
}

static void begin_give(struct batch_job *job)
{
	if (!job->form->create)
		give(job, &job->batch->body->text);
	else if (job->batch->file[0])
		give_file(job);
	else
		ask(job, &(struct request){ .kind = URL_BATCH_FILE, .body = &job->batch->body->text,
					    .content_type = job->form->content_type }, on_file);
}

/* ---- Finding ---- */

static bool has_mark(const struct batch_job *job, const char *custom_id)
{
	return custom_id && strncmp(custom_id, job->batch->mark, BATCH_MARK_SIZE - 1) == 0;
}

static void find_next(struct batch_job *job);

/* The first line that comes whole says whose it is. */
static enum exchange_take look_at_first(struct exchange *exchange, const char *data, size_t size)
{
	struct batch_job *job = (struct batch_job *)((char *)exchange - offsetof(struct batch_job, exchange));
	const char *end = memchr(data, '\n', size);
	struct json_value *json = NULL;
	struct batch_line line;

	buffer_append(&job->text, data, end ? (size_t)(end - data) : size);
	if (job->text.failed || job->text.size > RESULT_LINE_MAX)
		return EXCHANGE_ENOUGH;
	if (!end)
		return EXCHANGE_GO_ON;
	if (json_read(&job->backend->reader, job->text.data, job->text.size, &json) == 0) {
		job->form->line(json, &line);
		job->seen = has_mark(job, line.custom_id);
	}
	return EXCHANGE_ENOUGH;
}

static void on_first(struct batch_job *job)
{
	if (job->seen) {
		memcpy(job->batch->id, job->perhaps[job->n_perhaps - 1], BATCH_ID_SIZE);
		answer(job, BATCH_DONE);
		return;
	}
	job->n_perhaps--;
	find_next(job);
}

/* What the list says nothing of is looked into. */
static void find_next(struct batch_job *job)
{
	if (job->n_perhaps == 0) {
		answer(job, job->unseen ? BATCH_UNDECIDED : BATCH_NOT_FOUND);
		return;
	}
	buffer_clear(&job->text);
	ask(job, &(struct request){ .kind = URL_BATCH, .id = job->perhaps[job->n_perhaps - 1],
				    .end = job->form->results_end, .take = look_at_first }, on_first);
}

static bool is_known(const struct provider_batch *batch, const char *id)
{
	for (size_t i = 0; i < batch->n_known; i++)
		if (strcmp(batch->known[i], id) == 0)
			return true;
	return false;
}

/* Whether it is the one; or else it may be. */
static bool look_at(struct batch_job *job, const struct batch_news *news)
{
	struct provider_batch *batch = job->batch;
	char id[BATCH_ID_SIZE];

	if (!take_id(job, news->id, id))
		return false;
	if (job->form->create) {
		if (!news->mark || strcmp(news->mark, batch->mark) != 0)
			return false;
		memcpy(batch->id, id, BATCH_ID_SIZE);
		return true;
	}
	if (is_known(batch, id) || news->n_items != batch->n_items || news->created_usec + SKEW_USEC < batch->since_usec)
		return false;
	if (news->state != BATCH_ENDED || job->n_perhaps == PERHAPS_MAX)
		job->unseen = true;
	else
		memcpy(job->perhaps[job->n_perhaps++], id, BATCH_ID_SIZE);
	return false;
}

static void ask_list(struct batch_job *job);

/* `{data: […], has_more}`, the latest first. */
static void on_list(struct batch_job *job)
{
	struct json_value *json = read_reply(job), *more, *each;
	bool is_older = false;

	if (!json)
		return;
	job->after[0] = '\0';
	more = json_member(json, "has_more");
	JSON_EACH(each, json_member(json, "data")) {
		struct batch_news news;

		job->form->news(each, &news);
		is_older = news.created_usec > 0 && news.created_usec + SKEW_USEC < job->batch->since_usec;
		if (look_at(job, &news)) {
			answer(job, BATCH_DONE);
			return;
		}
		(void)take_id(job, news.id, job->after);
	}
	if (json_is(more, JSON_BOOL) && json_words(more)[0] == 't' && !is_older && job->after[0] &&
	    ++job->n_pages < LIST_PAGES_MAX)
		ask_list(job);
	else
		find_next(job);
}

static void ask_list(struct batch_job *job)
{
	ask(job, &(struct request){ .kind = URL_BATCH, .query = LIST_LIMIT, .after = job->after }, on_list);
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

	if (!read_news(job, &news))
		return;
	batch->state = news.state;
	batch->n_done = news.n_done;
	batch->is_full = news.is_full;
	if (news.state == BATCH_FAILED)
		take_failure(job, &news);
	answer(job, BATCH_DONE);
}

/* ---- Collecting ---- */

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
	put_job(job);
}

void batch_result_give_back(struct backend *backend, struct batch_result *result)
{
	result->message.deliver = on_back;
	loop_post(backend->loop, &result->message);
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
		answer_begin(&whole, &result->call, &job->backend->reader, NULL, &attempt);
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
	if (call->outcome == LLM_ANSWERED)
		(void)allowance_charge(job->backend, job->batch->target, job->batch->user,
				       known(call->input_tokens) + known(call->output_tokens));
}

/* What is no line of this batch is passed over. */
static void take_line(struct batch_job *job, char *text, size_t size)
{
	struct batch_result *result;
	struct json_value *json = NULL;
	struct batch_line line;
	size_t replaced = 0, weight = size;
	char *copy = NULL;

	job->backend->reader.n_rewritten = 0;
	if (size == 0 || answer_clean(&text, &size, &copy, &replaced) < 0)
		return;
	if (json_read(&job->backend->reader, text, size, &json) < 0 || !json_is(json, JSON_OBJECT)) {
		free(copy);
		return;
	}
	job->form->line(json, &line);
	result = !has_all(job) && has_mark(job, line.custom_id) && strlen(line.custom_id) < BATCH_CUSTOM_ID_SIZE ?
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
	struct batch_job *job = (struct batch_job *)((char *)exchange - offsetof(struct batch_job, exchange));

	if (job->n_out >= RESULTS_OUT_MAX || job->bytes_out >= RESULTS_OUT_BYTES_MAX) {
		job->paused = true;
		return EXCHANGE_PAUSE;
	}
	/* More than all of them could take is no end. */
	job->n_bytes += size;
	if (job->n_bytes > ((uint64_t)job->batch->n_items + 1) * RESULT_LINE_MAX)
		return EXCHANGE_ENOUGH;
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
		answer(job, BATCH_DONE);
		return;
	}
	ask(job, &(struct request){ .kind = is_file ? URL_BATCH_FILE : URL_BATCH,
				    .id = job->results[job->at_result], .end = job->form->results_end,
				    .take = take_results }, on_results);
}

static void on_collected(struct batch_job *job)
{
	struct batch_news news;

	if (!read_news(job, &news))
		return;
	job->batch->n_done = news.n_done;
	for (size_t i = 0; i < sizeof(news.results) / sizeof(*news.results); i++)
		job->n_results += take_id(job, news.results[i], job->results[job->n_results]);
	collect_next(job);
}

/* ---- Clearing ---- */

/* What cannot be deleted goes when its provider has it go. */
static void clear_next(struct batch_job *job)
{
	bool is_there = !job->clears || job->exchange.status > 0;

	job->clears = true;
	if (!is_there || job->at_result == job->n_results)
		answer(job, job->then);
	else
		ask(job, &(struct request){ .kind = job->form->create ? URL_BATCH_FILE : URL_BATCH,
					    .id = job->results[job->at_result++], .deletes = true }, clear_next);
}

static void clear(struct batch_job *job, const struct batch_news *news)
{
	const char *const files[] = { news->file, news->results[0], news->results[1] };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		job->n_results += take_id(job, files[i], job->results[job->n_results]);
	job->then = BATCH_DONE;
	clear_next(job);
}

static void on_cleared(struct batch_job *job)
{
	struct batch_news news;

	if (read_news(job, &news))
		clear(job, &news);
}

/* ---- Stopping ---- */

static void on_stopped(struct batch_job *job)
{
	struct batch_news news;

	if (!read_news(job, &news))
		return;
	if (news.state == BATCH_UNDER_WAY)
		fail(job, BATCH_LATER, "the batch has not ended yet");
	else
		clear(job, &news);
}

static void on_to_stop(struct batch_job *job)
{
	static const struct buffer nothing;
	struct batch_news news;

	if (!read_news(job, &news))
		return;
	if (news.state != BATCH_UNDER_WAY)
		clear(job, &news);
	else if (news.is_stopping)
		fail(job, BATCH_LATER, "the batch has not ended yet");
	else
		ask(job, &(struct request){ .kind = URL_BATCH, .id = job->batch->id, .end = "cancel",
					    .body = &nothing }, on_stopped);
}

/* ---- Beginning ---- */

static void look(struct batch_job *job, void (*asked)(struct batch_job *job))
{
	ask(job, &(struct request){ .kind = URL_BATCH, .id = job->batch->id }, asked);
}

static void begin(struct batch_job *job)
{
	switch (job->batch->step) {
	case BATCH_GIVE:
		begin_give(job);
		break;
	case BATCH_FIND:
		ask_list(job);
		break;
	case BATCH_LOOK:
		look(job, on_looked);
		break;
	case BATCH_COLLECT:
		look(job, on_collected);
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

	job->backend->now_usec = clock_monotonic_usec();
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
	batch->is_full = false;
	batch->message.deliver = deliver_ask;
	loop_post(backend->loop, &batch->message);
	return 0;
}

static void on_cancel(struct order *order)
{
	struct batch_job *job;

	TAILQ_FOREACH(job, &order->backend->batches, of_all) {
		if (job->batch == order->batch) {
			answer(job, BATCH_CANCELLED);
			return;
		}
	}
}

int provider_batch_cancel(struct backend *backend, struct provider_batch *batch)
{
	return backend_order((struct order){ .backend = backend, .batch = batch, .carry_out = on_cancel });
}
