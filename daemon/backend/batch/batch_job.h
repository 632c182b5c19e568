/* One thing that a provider is asked about a batch: requests, one after the other, until there is an
 * answer. */
#pragma once

#include "daemon/backend/core.h"
#include "daemon/backend/provider_batch.h"
#include "daemon/base/container_of.h"

#define RESULT_LINE_MAX (RESPONSE_BODY_MAX + 64u * 1024) // of results, with what surrounds an answer
#define PERHAPS_MAX 32 // batches that may be the one that is looked for

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

struct batch_request {
	enum target_url_kind kind;
	const char *id, *end; // below it; or NULL
	const char *query, *after; // of a list
	const struct buffer *body;
	bool deletes;
	const char *content_type; // NULL: the target's
	enum exchange_take (*take)(struct exchange *exchange, const char *data, size_t size);
};

static inline struct batch_job *batch_job_of(struct exchange *exchange)
{
	return container_of(exchange, struct batch_job, exchange);
}

/* The request's end goes on with `asked`, unless it failed. */
void batch_job_ask(struct batch_job *job, const struct batch_request *request,
		   void (*asked)(struct batch_job *job));
/* The object that was answered, or NULL and the job has failed. */
struct json_value *batch_job_read_reply(struct batch_job *job);
bool batch_job_read_news(struct batch_job *job, struct batch_news *ret_news);
/* It becomes part of a path, and is kept: so it is no key either. */
bool batch_job_take_id(const struct batch_job *job, const char *id, char ret_id[static BATCH_ID_SIZE]);
bool batch_job_has_mark(const struct batch_job *job, const char *custom_id);

/* Its end, after which it is gone once all results are back. */
void batch_job_answer(struct batch_job *job, enum batch_outcome outcome);
void batch_job_fail(struct batch_job *job, enum batch_outcome outcome, const char *words);
void batch_job_fail_exchange(struct batch_job *job, const char *words);
void batch_job_put(struct batch_job *job);
/* Deletes what the provider keeps of the batch, as far as it can be. */
void batch_job_clear(struct batch_job *job, const struct batch_news *news);

/* Asks for it. */
void batch_find(struct batch_job *job);
/* How far it is was asked. */
void batch_collect(struct batch_job *job);
