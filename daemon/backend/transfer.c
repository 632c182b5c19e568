/*
 * One attempt over HTTP, on an easy handle from its user's pool. Handles keep their options
 * from one call to the next; only what differs is set again.
 *
 * Time limits beyond curl's own for connecting are the backend's deadlines: for the first byte
 * from when the request goes out, for a stall from the last byte, and for all of it.
 *
 * An answer that turns out to be long waits where it is until it is one of the few that are held
 * at a time, and until its user has rested from what his last ones took of the loop's time.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/backend/core.h"
#include "daemon/backend/multi.h"
#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"

#define CONNECTION_AGE_SECONDS 118L // peers close idle connections; curl looks before reuse
#define KEEPALIVE_SECONDS 30L
#define UPLOAD_BUFFER_BYTES 16384L
#if LIBCURL_VERSION_NUM >= 0x080600
#define HEADER_TOO_LONG CURLE_TOO_LARGE
#else
#define HEADER_TOO_LONG CURLE_OUT_OF_MEMORY // as it is told before
#endif
#define LONG_RESTS 3 // times as long as a long answer took
#define COLLECT_USEC 2000 // of a pool, before the others get their turn
#define COLLECT_ALL_USEC 4000 // of all of them, before the loop gets its
#define IDEMPOTENCY_HEADER "Idempotency-Key: "

enum transfer_phase {
	TRANSFER_CONNECTING,
	TRANSFER_SENT, // a connection stands, the request goes out
	TRANSFER_ANSWERING, // bytes of the body arrive
};

struct transfer {
	TAILQ_ENTRY(transfer) of_list; // pool::spare or pool::busy
	TAILQ_ENTRY(transfer) of_unread; // backend::unread
	struct pool *pool;
	struct multi_sockets sockets;
	CURL *easy;
	struct backend *backend;
	struct job *job; // while busy
	struct llm_target *target; // whose options the handle has, with a reference; or NULL
	struct curl_slist idempotency; // goes before the target's headers
	char idempotency_line[sizeof(IDEMPOTENCY_HEADER) + 64];
	char error[CURL_ERROR_SIZE];
	struct buffer body; // of the answer
	size_t body_max;
	bool too_large;
	bool is_long; // counts in admission::long_answers
	bool unread; // is in backend::unread
	enum transfer_phase phase;
	struct deadline deadline;
	int64_t total_usec; // when all time is up
	int64_t byte_usec; // of the last byte
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Of the endpoint's answer; 0: none yet. */
static int status_of(const struct transfer *transfer)
{
	long status = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* ---- Long answers ---- */

static void on_rested(struct deadline *deadline)
{
	struct backend *backend =
		(struct backend *)((char *)deadline - offsetof(struct backend, rested));

	backend->read_on = true;
}

static bool begin_long(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;
	struct fair *fair = &backend->admission.long_answers;
	struct backend_user *user = transfer->job->lane->guest->user;
	struct deadline *rested = &backend->rested;

	if (transfer->is_long)
		return true;
	if (user->rests_until_usec > backend->now_usec) {
		rested->passed = on_rested;
		if (!rested->place || user->rests_until_usec < rested->usec)
			deadline_set(&backend->deadlines, rested, user->rests_until_usec);
		return false;
	}
	if (!fair_allows(fair, user->long_answers))
		return false;
	fair_take(fair, &user->long_answers);
	transfer->is_long = true;
	return true;
}

static void leave_unread(struct transfer *transfer)
{
	if (transfer->unread)
		return;
	transfer->unread = true;
	TAILQ_INSERT_TAIL(&transfer->backend->unread, transfer, of_unread);
}

/* For what is long a user has a part of the loop's time only. */
static void rest(struct transfer *transfer, int64_t began_usec)
{
	struct backend_user *user = transfer->job->lane->guest->user;
	int64_t now_usec = clock_monotonic_usec();

	if (!transfer->is_long)
		return;
	if (user->rests_until_usec < now_usec)
		user->rests_until_usec = now_usec;
	user->rests_until_usec += (now_usec - began_usec) * LONG_RESTS;
}

/* The transfer is over, wherever it was. */
static void end_long(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	if (transfer->unread)
		TAILQ_REMOVE(&backend->unread, transfer, of_unread);
	if (transfer->is_long) {
		fair_give(&backend->admission.long_answers,
			  &transfer->job->lane->guest->user->long_answers);
		backend->read_on = true;
	}
	transfer->unread = transfer->is_long = false;
}

/* ---- What curl calls ---- */

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *transfer = userdata;
	struct llm_target *target = transfer->target;

	transfer->byte_usec = clock_monotonic_usec();
	if (transfer->phase != TRANSFER_ANSWERING) {
		transfer->phase = TRANSFER_ANSWERING;
		transfer->body_max = status_of(transfer) < 300 ? RESPONSE_BODY_MAX :
								 REFUSAL_BODY_MAX;
		deadline_set(&transfer->backend->deadlines, &transfer->deadline,
			     earlier(transfer->total_usec,
				     transfer->byte_usec + target->stall_usec));
	}
	if (transfer->body.size + size * n > transfer->body_max) {
		transfer->too_large = true;
		return 0;
	}
	if (transfer->body.size + size * n > BACKEND_ANSWER_BYTES && !begin_long(transfer)) {
		leave_unread(transfer);
		return CURL_WRITEFUNC_PAUSE;
	}
	buffer_append(&transfer->body, data, size * n);
	return transfer->body.failed ? 0 : size * n;
}

/* The connection stands, new or used before. */
static int on_connected(void *userdata, char *address, char *local, int port, int local_port)
{
	struct transfer *transfer = userdata;

	(void)address;
	(void)local;
	(void)port;
	(void)local_port;
	if (transfer->phase == TRANSFER_CONNECTING) {
		transfer->phase = TRANSFER_SENT;
		deadline_set(&transfer->backend->deadlines, &transfer->deadline,
			     earlier(transfer->total_usec,
				     clock_monotonic_usec() + transfer->target->first_byte_usec));
	}
	transfer->job->lane->connected = true;
	endpoint_connected(transfer->job->endpoint);
	return CURL_PREREQFUNC_OK;
}

#define SET(option, value) (curl_easy_setopt(transfer->easy, (option), (value)) == CURLE_OK)

static bool set_constant_options(struct transfer *transfer)
{
	return multi_prepare(&transfer->sockets, transfer->pool->multi, transfer->easy) &&
	       SET(CURLOPT_PRIVATE, transfer) && SET(CURLOPT_ERRORBUFFER, transfer->error) &&
	       SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, transfer) &&
	       SET(CURLOPT_PREREQFUNCTION, on_connected) && SET(CURLOPT_PREREQDATA, transfer) &&
	       SET(CURLOPT_POST, 1L) && SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") &&
	       SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https") &&
	       /* Proxies are the config's business, not the environment's. */
	       SET(CURLOPT_NOPROXY, "") && SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
	       SET(CURLOPT_TCP_KEEPALIVE, 1L) && SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_SECONDS) &&
	       SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_SECONDS) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) &&
	       SET(CURLOPT_MAXAGE_CONN, CONNECTION_AGE_SECONDS) &&
	       SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
}

static bool set_target(struct transfer *transfer, struct llm_target *target)
{
	bool https = strncmp(target->url, "https:", 6) == 0;

	if (transfer->target == target)
		return true;
	/* The built-in CA file cannot be set again other than by a reset. */
	if (transfer->target && transfer->target->ca_file) {
		curl_easy_reset(transfer->easy);
		if (!set_constant_options(transfer))
			return false;
	}
	transfer->target = llm_target_unref(transfer->target);
	/* Requests go by the parsed one; curl would parse the other one for each. */
	if (!SET(CURLOPT_URL, target->url) || !SET(CURLOPT_CURLU, target->parsed_url) ||
	    !SET(CURLOPT_PROXY, target->proxy ? target->proxy : "") ||
	    (target->ca_file && !SET(CURLOPT_CAINFO_BLOB, &target->ca)) ||
	    !SET(CURLOPT_PIPEWAIT, https ? 1L : 0L) ||
	    !SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((target->connect_usec + 999) / 1000)))
		return false;
	transfer->target = llm_target_ref(target);
	transfer->sockets.plain = !https && !target->proxy;
	return true;
}

static bool set_request(struct transfer *transfer, struct job *job)
{
	const struct llm_target *target = job->call->target;
	struct curl_slist *headers = target->headers;

	if (job->call->idempotency_key[0]) {
		char *end = stpcpy(transfer->idempotency_line, IDEMPOTENCY_HEADER);

		memccpy(end, job->call->idempotency_key, 0, sizeof(job->call->idempotency_key));
		transfer->idempotency.data = transfer->idempotency_line;
		transfer->idempotency.next = headers;
		headers = &transfer->idempotency;
	}
	return SET(CURLOPT_HTTPHEADER, headers) && SET(CURLOPT_POSTFIELDS, job->body.data) &&
	       SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.size);
}

static struct transfer *transfer_free(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	deadline_unset(&backend->deadlines, &transfer->deadline);
	deadlines_release(&backend->deadlines, 1);
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	llm_target_unref(transfer->target);
	buffer_done(&transfer->body);
	free(transfer);
	return NULL;
}

static void transfer_release(struct transfer *transfer)
{
	struct pool *pool = transfer->pool;

	deadline_unset(&transfer->backend->deadlines, &transfer->deadline);
	end_long(transfer);
	transfer->job->transfer = NULL;
	transfer->job = NULL;
	buffer_clear(&transfer->body);
	TAILQ_REMOVE(&pool->busy, transfer, of_list);
	TAILQ_INSERT_HEAD(&pool->spare, transfer, of_list);
	if (--pool->n_busy == 0)
		pool_rest(pool);
}

static bool abort_attempt(struct job *job)
{
	struct transfer *transfer = job->transfer;
	bool connected = transfer->phase != TRANSFER_CONNECTING;

	multi_remove(transfer->pool->multi, transfer->easy);
	transfer_release(transfer);
	return connected;
}

static void on_deadline(struct deadline *deadline)
{
	struct transfer *transfer =
		(struct transfer *)((char *)deadline - offsetof(struct transfer, deadline));
	struct backend *backend = transfer->backend;
	const struct llm_target *target = transfer->target;
	/* It is not the endpoint's fault that nothing is read. */
	int64_t stalled_usec = transfer->unread ? DEADLINE_NEVER :
						  transfer->byte_usec + target->stall_usec;
	struct job *job = transfer->job;
	struct attempt attempt = { .wait_usec = -1 };

	if (backend->now_usec >= transfer->total_usec) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "not answered within %.3g s",
			     (double)target->timeout_usec / USEC_PER_SEC);
	} else if (transfer->phase == TRANSFER_SENT) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "no byte of the answer within %.3g s",
			     (double)target->first_byte_usec / USEC_PER_SEC);
	} else if (backend->now_usec >= stalled_usec) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "the answer stalled for %.3g s",
			     (double)target->stall_usec / USEC_PER_SEC);
	} else {
		/* Bytes came since it was set. */
		deadline_set(&backend->deadlines, deadline,
			     earlier(transfer->total_usec, stalled_usec));
		return;
	}
	attempt.connected = abort_attempt(job);
	job_attempted(job, &attempt);
}

/* From the pool, or a new one; busy. */
static struct transfer *transfer_get(struct pool *pool)
{
	struct transfer *transfer = TAILQ_FIRST(&pool->spare);
	struct backend *backend = pool->backend;

	if (!pool->multi && multi_new(loop_base(backend->loop), BACKEND_CONNECTIONS_MAX,
				      &backend->descriptors, &pool->multi) < 0)
		return NULL;
	if (transfer) {
		TAILQ_REMOVE(&pool->spare, transfer, of_list);
	} else {
		transfer = calloc(1, sizeof(*transfer));
		if (!transfer || deadlines_reserve(&backend->deadlines, 1) < 0) {
			free(transfer);
			return NULL;
		}
		transfer->backend = backend;
		transfer->pool = pool;
		transfer->deadline.passed = on_deadline;
		transfer->easy = curl_easy_init();
		if (!transfer->easy || !set_constant_options(transfer)) {
			transfer_free(transfer);
			return NULL;
		}
	}
	TAILQ_INSERT_TAIL(&pool->busy, transfer, of_list);
	pool->n_busy++;
	return transfer;
}

static bool begin(struct transfer *transfer, struct job *job)
{
	struct backend *backend = transfer->backend;

	transfer->error[0] = '\0';
	transfer->too_large = transfer->sockets.refused = false;
	transfer->phase = TRANSFER_CONNECTING;
	transfer->total_usec = backend->now_usec + job->call->target->timeout_usec;
	transfer->byte_usec = backend->now_usec;
	deadline_set(&backend->deadlines, &transfer->deadline, transfer->total_usec);
	return set_target(transfer, job->call->target) && set_request(transfer, job) &&
	       multi_add(transfer->pool->multi, transfer->easy) >= 0;
}

static void build_body(struct job *job)
{
	const struct llm_target *target = job->call->target;

	job->form = job->endpoint->form;
	if (target->structured_fixed)
		job->form.structured_output = target->structured_output;
	buffer_clear(&job->body);
	target->dialect->request(job->call, &job->form, &job->body);
}

static void start(struct job *job)
{
	struct attempt attempt = { .wait_usec = -1 };
	struct transfer *transfer;

	if (job->body.size == 0)
		build_body(job);
	transfer = job->body.failed ? NULL : transfer_get(job->endpoint->origin->pool);
	if (transfer) {
		transfer->job = job;
		job->transfer = transfer;
		if (begin(transfer, job))
			return;
		transfer_release(transfer);
	}
	if (job->body.failed) {
		buffer_clear(&job->body);
	} else if (descriptors_are_out()) {
		job_short_of_descriptors(job);
		return;
	}
	attempt_fail(&attempt, ATTEMPT_RETRY, "out of memory");
	job_attempted(job, &attempt);
}

const struct transport transport_http = {
	.connects = true,
	.start = start,
	.abort = abort_attempt,
};

static const char *header(struct transfer *transfer, const char *name)
{
	struct curl_header *found;

	return curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ?
		       found->value :
		       NULL;
}

/* What it is sent in, if the body is not the text itself; or NULL. */
static const char *encoding_of(struct transfer *transfer)
{
	const char *encoding = header(transfer, "Content-Encoding");

	return encoding && *encoding && strcasecmp(encoding, "identity") != 0 ? encoding : NULL;
}

static enum framing framing_of(struct transfer *transfer)
{
	static const char events[] = "text/event-stream";
	const char *type = header(transfer, "Content-Type");

	return type && strncasecmp(type, events, sizeof(events) - 1) == 0 ? FRAMING_SSE : FRAMING_NONE;
}

static void read_redirection(struct transfer *transfer, struct attempt *attempt)
{
	char *location = NULL, *copy;

	if (curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
	    !location)
		return;
	copy = strdup(location);
	if (copy)
		target_redact(transfer->target, copy, strlen(copy));
	attempt_fail(attempt, ATTEMPT_CONFIG, "redirected to %.200s, which is not followed",
		     copy ? copy : "another place");
	free(copy);
}

static void read_refusal(struct transfer *transfer, struct attempt *attempt)
{
	bool readable = !encoding_of(transfer);

	attempt->wait_usec = retry_after_usec(header(transfer, "Retry-After"),
					      header(transfer, "retry-after-ms"),
					      clock_wall_usec());
	refusal_read(transfer->target, &transfer->backend->reader, transfer->body.data,
		     readable ? transfer->body.size : 0, attempt);
	if (attempt->status < 400)
		read_redirection(transfer, attempt);
}

static void read_answer(struct transfer *transfer, struct attempt *attempt)
{
	const char *encoding = encoding_of(transfer);

	if (encoding) {
		attempt_fail(attempt, ATTEMPT_RETRY, "the answer is compressed (Content-Encoding: "
			     "%.40s), which was not asked for", encoding);
		return;
	}
	answer_read(transfer->job->call, &transfer->backend->reader, framing_of(transfer),
		    transfer->body.data, transfer->body.size, attempt);
}

/* No whole answer came. */
static void read_failure(struct transfer *transfer, CURLcode result, struct attempt *attempt)
{
	const char *words = transfer->error[0] ? transfer->error : curl_easy_strerror(result);

	target_redact(transfer->target, transfer->error, strlen(transfer->error));
	if (result == HEADER_TOO_LONG && status_of(transfer) > 0 &&
	    transfer->phase == TRANSFER_SENT) {
		words = "a header of the answer is too long";
		attempt->status = status_of(transfer);
	}
	attempt_fail(attempt, result == CURLE_SSL_CACERT_BADFILE ? ATTEMPT_CONFIG : ATTEMPT_RETRY,
		     "%s", words);
}

static void read_result(struct transfer *transfer, CURLcode result, struct attempt *attempt)
{
	int status = status_of(transfer);

	if (status >= 300) {
		/* An error counts even when the connection broke before its end. */
		attempt->status = status;
		read_refusal(transfer, attempt);
	} else if (transfer->too_large) {
		attempt_too_large(attempt, RESPONSE_BODY_MAX, "an answer: more than %u bytes",
				  RESPONSE_BODY_MAX);
		attempt->status = status;
	} else if (result == CURLE_OK && status >= 200) {
		attempt->status = status;
		read_answer(transfer, attempt);
	} else {
		read_failure(transfer, result, attempt);
	}
}

static void on_done(void *userdata, CURL *easy, CURLcode result)
{
	struct attempt attempt = { .wait_usec = -1 };
	struct transfer *transfer;
	struct job *job;
	int64_t began_usec;

	(void)userdata;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	job = transfer->job;
	attempt.connected = transfer->phase != TRANSFER_CONNECTING;
	if (result != CURLE_OK && !attempt.connected &&
	    (transfer->sockets.refused || descriptors_are_out())) {
		transfer_release(transfer);
		job_short_of_descriptors(job);
		return;
	}
	began_usec = clock_monotonic_usec();
	read_result(transfer, result, &attempt);
	rest(transfer, began_usec);
	transfer_release(transfer);
	job_attempted(job, &attempt);
}

static void read_on(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	TAILQ_REMOVE(&backend->unread, transfer, of_unread);
	transfer->unread = false;
	transfer->byte_usec = backend->now_usec;
	deadline_set(&backend->deadlines, &transfer->deadline,
		     earlier(transfer->total_usec,
			     transfer->byte_usec + transfer->target->stall_usec));
	if (curl_easy_pause(transfer->easy, CURLPAUSE_CONT) == CURLE_OK)
		return;
	/* What curl had of it already cannot be taken, and it would not tell again. */
	multi_remove(transfer->pool->multi, transfer->easy);
	on_done(NULL, transfer->easy, CURLE_WRITE_ERROR);
}

void transfer_read_on(struct backend *backend)
{
	struct transfer *transfer, *next;

	if (!backend->read_on)
		return;
	backend->read_on = false;
	for (transfer = TAILQ_FIRST(&backend->unread); transfer; transfer = next) {
		next = TAILQ_NEXT(transfer, of_unread);
		if (begin_long(transfer))
			read_on(transfer);
	}
}

void transfer_collect(struct backend *backend)
{
	struct pool *last = TAILQ_LAST(&backend->pools, pools), *pool = NULL;
	int64_t now_usec = clock_monotonic_usec(), until_usec = now_usec + COLLECT_ALL_USEC;

	backend->uncollected = false;
	while (pool != last) {
		if (now_usec >= until_usec) {
			backend->uncollected = true;
			return;
		}
		/* Who had his turn is behind the others in the next one. */
		pool = TAILQ_FIRST(&backend->pools);
		TAILQ_REMOVE(&backend->pools, pool, of_all);
		TAILQ_INSERT_TAIL(&backend->pools, pool, of_all);
		if (!pool->multi)
			continue;
		if (multi_drain(pool->multi, now_usec + COLLECT_USEC, on_done, backend))
			backend->uncollected = true;
		now_usec = clock_monotonic_usec();
	}
}

static void repair(struct pool *pool)
{
	struct transfer *transfer;

	log_warning("libcurl gave up on its connections; calls in flight are issued again");
	while ((transfer = TAILQ_FIRST(&pool->busy)))
		job_put_back(transfer->job);
	transfer_forget(pool);
}

void transfer_repair(struct backend *backend)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->multi && multi_is_broken(pool->multi))
			repair(pool);
	}
}

void transfer_forget(struct pool *pool)
{
	struct transfer *transfer;

	/* Easy handles refer to the multi handle by their options. */
	while ((transfer = TAILQ_FIRST(&pool->spare))) {
		TAILQ_REMOVE(&pool->spare, transfer, of_list);
		transfer_free(transfer);
	}
	pool->multi = multi_free(pool->multi);
}
