#include "daemon/backend/job/transfer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/connection/bearer.h"
#include "daemon/backend/job/job.h"
#include "daemon/backend/job/reception.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"

#define CONNECTION_AGE_SECONDS 118L // peers close idle connections; curl looks before reuse
#define KEEPALIVE_SECONDS 30L
#define UPLOAD_BUFFER_BYTES 16384L
#define COLLECT_USEC 2000 // of a pool, before the others get their turn
#define COLLECT_ALL_USEC 4000 // of all of them, before the loop gets its

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
		reception_wait(transfer, clock_monotonic_usec() + transfer->target->first_byte_usec);
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
	       SET(CURLOPT_WRITEFUNCTION, reception_take) && SET(CURLOPT_WRITEDATA, transfer) &&
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

static bool set_target(struct transfer *transfer, const struct llm_call *call)
{
	const struct target_url *url = target_url_of(call);
	struct llm_target *target = call->target;
	bool https = strncmp(url->text, "https:", 6) == 0;

	if (transfer->target == target && transfer->url == url)
		return true;
	/* The built-in CA file cannot be set again other than by a reset. */
	if (transfer->target && transfer->target->ca_file) {
		curl_easy_reset(transfer->easy);
		if (!set_constant_options(transfer))
			return false;
	}
	transfer->target = llm_target_unref(transfer->target);
	/* Requests go by the parsed one; curl would parse the other one for each. */
	if (!SET(CURLOPT_URL, url->text) || !SET(CURLOPT_CURLU, url->parsed) ||
	    !SET(CURLOPT_PROXY, target->proxy ? target->proxy : "") ||
	    (target->ca_file && !SET(CURLOPT_CAINFO_BLOB, &target->ca)) ||
	    !SET(CURLOPT_PIPEWAIT, https ? 1L : 0L) ||
	    !SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((target->connect_usec + 999) / 1000)))
		return false;
	transfer->target = llm_target_ref(target);
	transfer->url = url;
	transfer->sockets.plain = !https && !target->proxy;
	return true;
}

/* What the dialect signs this attempt with goes before the headers; NULL: no memory. */
static struct curl_slist *sign(struct transfer *transfer, const struct job *job,
			       struct curl_slist *headers)
{
	const struct llm_target *target = job->call->target;
	struct buffer *lines = &transfer->signature;
	size_t n = 0;

	buffer_clear(lines);
	target->dialect->sign(target, transfer->url->text, &job->body, clock_wall_usec(), lines);
	if (lines->failed)
		return NULL;
	for (size_t at = 0; at < lines->size; at += strlen(lines->data + at) + 1) {
		assert(n < SIGNED_LINES_MAX);
		transfer->signed_lines[n].data = lines->data + at;
		transfer->signed_lines[n].next = headers;
		headers = &transfer->signed_lines[n++];
	}
	return headers;
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
	if (target->dialect->sign) {
		headers = sign(transfer, job, headers);
		if (!headers)
			return false;
	}
	return SET(CURLOPT_HTTPHEADER, headers) && SET(CURLOPT_POSTFIELDS, job->body.data) &&
	       SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->body.size);
}

static void transfer_release(struct transfer *transfer)
{
	struct pool *pool = transfer->pool;

	deadline_unset(&transfer->backend->ground.deadlines, &transfer->deadline);
	reception_end(transfer);
	transfer->job->transfer = NULL;
	transfer->job = NULL;
	buffer_clear(&transfer->body);
	TAILQ_REMOVE(&pool->busy, transfer, of_list);
	TAILQ_INSERT_HEAD(&pool->spare, transfer, of_list);
	if (--pool->n_busy == 0)
		pool_rest(pool);
}

bool transfer_abort(struct transfer *transfer)
{
	bool connected = transfer->phase != TRANSFER_CONNECTING;

	multi_remove(transfer->pool->multi, transfer->easy);
	transfer_release(transfer);
	return connected;
}

/* Its attempt has ended, and curl has let go of the handle. */
static void end(struct transfer *transfer, CURLcode result)
{
	struct attempt attempt = { .wait_usec = -1 };
	struct job *job = transfer->job;

	attempt.connected = transfer->phase != TRANSFER_CONNECTING;
	if (result != CURLE_OK && !attempt.connected &&
	    (transfer->sockets.refused || descriptors_are_out())) {
		transfer_release(transfer);
		job_short_of_descriptors(job);
		return;
	}
	reception_result(transfer, result, &attempt);
	transfer_release(transfer);
	if (job->endpoint->bearer && bearer_expired(job->endpoint->bearer, job->bearer_number, &attempt))
		attempt.class = ATTEMPT_RETRY;
	job_attempted(job, &attempt);
}

static void on_deadline(struct deadline *deadline)
{
	struct transfer *transfer = container_of(deadline, struct transfer, deadline);
	struct backend *backend = transfer->backend;
	const struct llm_target *target = transfer->target;
	/* It is not the endpoint's fault that nothing is read. */
	int64_t stalled_usec = transfer->unread ? DEADLINE_NEVER :
						  transfer->byte_usec + target->stall_usec;
	struct job *job = transfer->job;
	struct attempt attempt = { .wait_usec = -1 };

	if (backend->ground.now_usec >= transfer->total_usec) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "not answered within %.3g s",
			     (double)target->timeout_usec / USEC_PER_SEC);
	} else if (transfer->phase == TRANSFER_SENT) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "no byte of the answer within %.3g s",
			     (double)target->first_byte_usec / USEC_PER_SEC);
	} else if (backend->ground.now_usec >= stalled_usec && reception_is_whole(transfer)) {
		multi_remove(transfer->pool->multi, transfer->easy);
		end(transfer, CURLE_OK);
		return;
	} else if (backend->ground.now_usec >= stalled_usec) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "the answer stalled for %.3g s",
			     (double)target->stall_usec / USEC_PER_SEC);
	} else {
		/* Bytes came since it was set. */
		reception_wait(transfer, stalled_usec);
		return;
	}
	attempt.connected = transfer_abort(transfer);
	job_attempted(job, &attempt);
}

/* From the pool, or a new one; busy. */
static struct transfer *transfer_get(struct backend *backend, struct pool *pool)
{
	struct transfer *transfer = TAILQ_FIRST(&pool->spare);

	if (!pool->multi && multi_new(loop_base(backend->ground.loop), BACKEND_CONNECTIONS_MAX,
				      &backend->descriptors, &pool->multi) < 0)
		return NULL;
	if (transfer) {
		TAILQ_REMOVE(&pool->spare, transfer, of_list);
	} else {
		transfer = calloc(1, sizeof(*transfer));
		if (!transfer || deadlines_reserve(&backend->ground.deadlines, 1) < 0) {
			free(transfer);
			return NULL;
		}
		transfer->backend = backend;
		transfer->pool = pool;
		transfer->deadline.passed = on_deadline;
		transfer->easy = curl_easy_init();
		if (!transfer->easy || !set_constant_options(transfer)) {
			pool_free_handle(transfer);
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
	transfer->total_usec = backend->ground.now_usec + job->call->target->timeout_usec;
	transfer->byte_usec = backend->ground.now_usec;
	deadline_set(&backend->ground.deadlines, &transfer->deadline, transfer->total_usec);
	return set_target(transfer, job->call) && set_request(transfer, job) &&
	       multi_add(transfer->pool->multi, transfer->easy) >= 0;
}

static void build_body(struct job *job)
{
	const struct llm_target *target = job->call->target;

	job->form = job->endpoint->form;
	if (target->structured_fixed)
		job->form.structured_output = target->structured_output;
	buffer_clear(&job->body);
	if (job->call->embedding)
		target->dialect->embedding->request(job->call, &job->body);
	else
		target->dialect->request(job->call, &job->form, &job->body);
}

void transfer_start(struct job *job)
{
	struct attempt attempt = { .wait_usec = -1 };
	struct transfer *transfer;

	if (job->body.size == 0)
		build_body(job);
	transfer = job->body.failed ? NULL : transfer_get(job->backend, job->endpoint->origin->pool);
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

static void on_done(void *userdata, CURL *easy, CURLcode result)
{
	struct transfer *transfer;

	(void)userdata;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
	end(transfer, result);
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

static void read_on(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	TAILQ_REMOVE(&backend->unread, transfer, of_unread);
	transfer->unread = false;
	transfer->byte_usec = backend->ground.now_usec;
	reception_wait(transfer, transfer->byte_usec + transfer->target->stall_usec);
	if (curl_easy_pause(transfer->easy, CURLPAUSE_CONT) == CURLE_OK)
		return;
	/* What curl had of it already cannot be taken, and it would not tell again. */
	multi_remove(transfer->pool->multi, transfer->easy);
	end(transfer, CURLE_WRITE_ERROR);
}

void transfer_read_on(struct backend *backend)
{
	struct transfer *transfer, *next;

	if (!backend->read_on)
		return;
	backend->read_on = false;
	for (transfer = TAILQ_FIRST(&backend->unread); transfer; transfer = next) {
		next = TAILQ_NEXT(transfer, of_unread);
		if (reception_may_take(transfer, transfer->would_hold))
			read_on(transfer);
	}
}

static void repair(struct pool *pool)
{
	struct transfer *transfer;

	log_warning("libcurl gave up on its connections; calls in flight are issued again");
	while ((transfer = TAILQ_FIRST(&pool->busy)))
		job_put_back(transfer->job);
	pool_forget(pool);
}

void transfer_repair(struct backend *backend)
{
	struct pool *pool;

	TAILQ_FOREACH(pool, &backend->pools, of_all) {
		if (pool->multi && multi_is_broken(pool->multi))
			repair(pool);
	}
}
