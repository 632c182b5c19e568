/* Whether a provider has a batch, and which it is. */
#include <string.h>

#include "daemon/backend/batch/batch_job.h"
#include "daemon/base/clock.h"

#define LIST_PAGES_MAX 20
#define LIST_LIMIT "limit=100"
#define SKEW_USEC (600 * USEC_PER_SEC) // of the provider's clock

static void find_next(struct batch_job *job);

/* The first line that comes whole says whose it is. */
static enum exchange_take look_at_first(struct exchange *exchange, const char *data, size_t size)
{
	struct batch_job *job = batch_job_of(exchange);
	const char *end = memchr(data, '\n', size);
	struct json_value *json = NULL;
	struct batch_line line;

	buffer_append(&job->text, data, end ? (size_t)(end - data) : size);
	if (job->text.failed || job->text.size > RESULT_LINE_MAX)
		return EXCHANGE_ENOUGH;
	if (!end)
		return EXCHANGE_GO_ON;
	if (json_read(&job->backend->ground.reader, job->text.data, job->text.size, &json) == 0) {
		job->form->line(json, &line);
		job->seen = batch_job_has_mark(job, line.custom_id);
	}
	return EXCHANGE_ENOUGH;
}

static void on_first(struct batch_job *job)
{
	if (job->seen) {
		memcpy(job->batch->id, job->perhaps[job->n_perhaps - 1], BATCH_ID_SIZE);
		batch_job_answer(job, BATCH_DONE);
		return;
	}
	job->n_perhaps--;
	find_next(job);
}

/* What the list says nothing of is looked into. */
static void find_next(struct batch_job *job)
{
	if (job->n_perhaps == 0) {
		batch_job_answer(job, job->unseen ? BATCH_UNDECIDED : BATCH_NOT_FOUND);
		return;
	}
	buffer_clear(&job->text);
	batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH,
						    .id = job->perhaps[job->n_perhaps - 1],
						    .end = job->form->results_end,
						    .take = look_at_first }, on_first);
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

	if (!batch_job_take_id(job, news->id, id))
		return false;
	if (job->form->create) {
		if (!news->mark || strcmp(news->mark, batch->mark) != 0)
			return false;
		memcpy(batch->id, id, BATCH_ID_SIZE);
		return true;
	}
	if (is_known(batch, id) || news->n_items != batch->n_items ||
	    news->created_usec + SKEW_USEC < batch->since_usec)
		return false;
	if (news->state != BATCH_ENDED || job->n_perhaps == PERHAPS_MAX)
		job->unseen = true;
	else
		memcpy(job->perhaps[job->n_perhaps++], id, BATCH_ID_SIZE);
	return false;
}

/* `{data: […], has_more}`, the latest first. */
static void on_list(struct batch_job *job)
{
	struct json_value *json = batch_job_read_reply(job), *more, *each;
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
			batch_job_answer(job, BATCH_DONE);
			return;
		}
		(void)batch_job_take_id(job, news.id, job->after);
	}
	if (json_is(more, JSON_BOOL) && json_words(more)[0] == 't' && !is_older && job->after[0] &&
	    ++job->n_pages < LIST_PAGES_MAX)
		batch_find(job);
	else
		find_next(job);
}

void batch_find(struct batch_job *job)
{
	batch_job_ask(job, &(struct batch_request){ .kind = URL_BATCH, .query = LIST_LIMIT,
						    .after = job->after },
		      on_list);
}
