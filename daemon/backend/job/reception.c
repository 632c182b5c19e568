/*
 * What comes back on a transfer: the body, read as it comes where it is framed, else when it is
 * there; and what the attempt then came to.
 *
 * An answer that turns out to be long waits where it is until it is one of the few that are held
 * at a time, and until its user has rested from what his last ones took of the loop's time.
 */
#include "daemon/backend/job/reception.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/backend/admission/endpoint.h"
#include "daemon/backend/callers/stream.h"
#include "daemon/backend/dialect/refusal.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"

#define LONG_RESTS 3 // times as long as a long answer took

/* Of the endpoint's answer; 0: none yet. */
static int status_of(const struct transfer *transfer)
{
	long status = 0;

	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

void reception_wait(struct transfer *transfer, int64_t until_usec)
{
	deadline_set(&transfer->backend->ground.deadlines, &transfer->deadline,
		     until_usec < transfer->total_usec ? until_usec : transfer->total_usec);
}

/* ---- Long answers ---- */

static void on_rested(struct deadline *deadline)
{
	struct backend *backend = container_of(deadline, struct backend, rested);

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
	if (user->rests_until_usec > backend->ground.now_usec) {
		rested->passed = on_rested;
		if (!rested->place || user->rests_until_usec < rested->usec)
			deadline_set(&backend->ground.deadlines, rested, user->rests_until_usec);
		return false;
	}
	if (!fair_allows(fair, user->long_answers))
		return false;
	fair_take(fair, &user->long_answers);
	transfer->is_long = true;
	return true;
}

/* It would hold so much with what comes next. */
static void leave_unread(struct transfer *transfer, size_t held)
{
	transfer->would_hold = held;
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

/* ---- The body ---- */

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

/* What the headers tell of what is left there. */
static void find_told(struct transfer *transfer, struct told ret_news[static _TOLD_MAX])
{
	struct curl_header *next = NULL;
	int64_t wall_usec = clock_wall_usec();

	for (int i = 0; i < _TOLD_MAX; i++)
		ret_news[i] = (struct told)TOLD_NONE;
	while ((next = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, next)))
		told_header(ret_news, next->name, next->value, wall_usec);
}

static void read_told(struct transfer *transfer)
{
	struct told news[_TOLD_MAX];

	find_told(transfer, news);
	endpoint_told(transfer->job, news);
}

/* Its body begins: one that is framed is read as it comes. */
static bool begin_body(struct transfer *transfer)
{
	const struct framing *framing = NULL;
	struct reading *reading;
	int status = status_of(transfer);

	transfer->phase = TRANSFER_ANSWERING;
	read_told(transfer);
	transfer->body_max = status < 300 ? RESPONSE_BODY_MAX : REFUSAL_BODY_MAX;
	reception_wait(transfer, transfer->byte_usec + transfer->target->stall_usec);
	if (status >= 200 && status < 300 && !encoding_of(transfer))
		framing = framing_find(header(transfer, "Content-Type"));
	if (!framing)
		return true;
	transfer->reading = reading = calloc(1, sizeof(*reading));
	if (!reading)
		return false;
	reading->attempt = (struct attempt){ .status = status, .wait_usec = -1 };
	answer_begin(&reading->answer, transfer->job->call, &transfer->backend->ground.reader, framing,
		     &reading->attempt);
	if (transfer->job->call->stream)
		transfer->job->call->stream->answer = &reading->answer;
	return true;
}

static void note_news(struct transfer *transfer)
{
	if (!transfer->job->call->stream || transfer->has_news)
		return;
	transfer->has_news = true;
	TAILQ_INSERT_TAIL(&transfer->backend->news, transfer, of_news);
}

static void forget_news(struct transfer *transfer)
{
	if (transfer->has_news)
		TAILQ_REMOVE(&transfer->backend->news, transfer, of_news);
	transfer->has_news = false;
}

static bool take(struct transfer *transfer, const char *data, size_t size)
{
	int64_t began_usec;
	bool goes_on;

	if (!transfer->reading) {
		buffer_append(&transfer->body, data, size);
		return !transfer->body.failed;
	}
	began_usec = clock_monotonic_usec();
	goes_on = answer_take(&transfer->reading->answer, data, size);
	rest(transfer, began_usec);
	note_news(transfer);
	return goes_on;
}

/* A stream may take long to become long: it is held beside others as long as those of its user are
 * not too large together. */
static bool may_grow(struct transfer *transfer, size_t beyond)
{
	struct backend_user *user = transfer->job->lane->guest->user;

	if (!transfer->reading)
		return false;
	if (beyond <= transfer->grown)
		return true;
	if (user->stream_bytes + (int64_t)(beyond - transfer->grown) >
	    BACKEND_STREAM_BYTES_PER_USER_MAX)
		return false;
	user->stream_bytes += (int64_t)(beyond - transfer->grown);
	transfer->grown = beyond;
	return true;
}

bool reception_may_take(struct transfer *transfer, size_t held)
{
	if (transfer->job->call->stream && transfer->reading &&
	    answer_untold(&transfer->reading->answer) > STREAM_WAITING_MAX)
		return false;
	return held <= BACKEND_ANSWER_BYTES || may_grow(transfer, held - BACKEND_ANSWER_BYTES) ||
	       begin_long(transfer);
}

size_t reception_take(char *data, size_t size, size_t n, void *userdata)
{
	struct transfer *transfer = userdata;
	size_t held;

	transfer->byte_usec = clock_monotonic_usec();
	if (transfer->phase != TRANSFER_ANSWERING && !begin_body(transfer))
		return 0;
	size *= n;
	held = transfer->reading ? answer_held(&transfer->reading->answer) : transfer->body.size;
	if (!transfer->reading && held + size > transfer->body_max) {
		transfer->too_large = true;
		return 0;
	}
	if (!reception_may_take(transfer, held + size)) {
		leave_unread(transfer, held + size);
		return CURL_WRITEFUNC_PAUSE;
	}
	return take(transfer, data, size) ? size : 0;
}

/* ---- What it came to ---- */

/* Without the keys; NULL: no memory. The caller frees it. */
static char *redacted(const struct transfer *transfer, const char *words)
{
	char *copy = strdup(words);

	if (copy)
		target_redact(transfer->target, copy, strlen(copy));
	return copy;
}

static void read_redirection(struct transfer *transfer, struct attempt *attempt)
{
	char *location = NULL, *copy;

	if (curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
	    !location)
		return;
	copy = redacted(transfer, location);
	attempt_fail(attempt, ATTEMPT_CONFIG, "redirected to %.200s, which is not followed",
		     copy ? copy : "another place");
	free(copy);
}

static void read_refusal(struct transfer *transfer, struct attempt *attempt)
{
	const char *type = transfer->target->dialect->type_header;
	bool readable = !encoding_of(transfer);

	attempt->wait_usec = retry_after_usec(header(transfer, "Retry-After"),
					      header(transfer, "retry-after-ms"),
					      clock_wall_usec());
	refusal_read(transfer->target, &transfer->backend->ground.reader,
		     type ? header(transfer, type) : NULL, transfer->body.data,
		     readable ? transfer->body.size : 0, attempt);
	if (attempt->class == ATTEMPT_WAIT && attempt->wait_usec < 0) {
		struct told news[_TOLD_MAX];

		find_told(transfer, news);
		attempt->wait_usec = told_refused_usec(news);
	}
	if (attempt->status < 400)
		read_redirection(transfer, attempt);
}

static void read_answer(struct transfer *transfer, struct attempt *attempt)
{
	const char *encoding = encoding_of(transfer);
	struct answer answer;

	if (encoding) {
		char *copy = redacted(transfer, encoding);

		attempt_fail(attempt, ATTEMPT_RETRY, "the answer is compressed (Content-Encoding: "
			     "%.40s), which was not asked for", copy ? copy : "?");
		free(copy);
		return;
	}
	answer_begin(&answer, transfer->job->call, &transfer->backend->ground.reader, NULL, attempt);
	answer_end(&answer, transfer->body.data, transfer->body.size);
	answer_done(&answer);
}

/* No whole answer came. */
static void read_failure(struct transfer *transfer, CURLcode result, struct attempt *attempt)
{
	const char *words = transfer->error[0] ? transfer->error : curl_easy_strerror(result);

	target_redact(transfer->target, transfer->error, strlen(transfer->error));
	if (result == MULTI_HEADER_TOO_LONG && status_of(transfer) > 0 &&
	    transfer->phase == TRANSFER_SENT) {
		words = "a header of the answer is too long";
		attempt->status = status_of(transfer);
	}
	attempt_fail(attempt, result == CURLE_SSL_CACERT_BADFILE ? ATTEMPT_CONFIG : ATTEMPT_RETRY,
		     "%s", words);
}

static void forget_reading(struct transfer *transfer)
{
	forget_news(transfer);
	if (transfer->job->call->stream)
		transfer->job->call->stream->answer = NULL;
	answer_done(&transfer->reading->answer);
	free(transfer->reading);
	transfer->reading = NULL;
}

/* A broken connection matters no more when all that belongs to the answer was there. */
static void end_reading(struct transfer *transfer, CURLcode result, struct attempt *attempt)
{
	struct reading *reading = transfer->reading;

	reading->attempt.connected = attempt->connected;
	if (result == CURLE_OK || reading->answer.unusable || answer_is_whole(&reading->answer)) {
		answer_end(&reading->answer, NULL, 0);
		if (reading->attempt.class == ATTEMPT_ANSWERED && transfer->job->call->stream &&
		    stream_keep(transfer->job->call->stream) < 0)
			attempt_fail(&reading->attempt, ATTEMPT_RETRY, "out of memory");
	} else {
		reading->attempt.status = 0;
		read_failure(transfer, result, &reading->attempt);
		answer_drop(&reading->answer);
	}
	*attempt = reading->attempt;
	forget_reading(transfer);
}

void reception_result(struct transfer *transfer, CURLcode result, struct attempt *attempt)
{
	int64_t began_usec = clock_monotonic_usec();
	int status = status_of(transfer);

	if (transfer->reading) {
		end_reading(transfer, result, attempt);
	} else if (status >= 300) {
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
	rest(transfer, began_usec);
}

bool reception_is_whole(const struct transfer *transfer)
{
	return transfer->reading && answer_is_whole(&transfer->reading->answer);
}

void reception_end(struct transfer *transfer)
{
	struct backend *backend = transfer->backend;

	if (transfer->reading) {
		answer_drop(&transfer->reading->answer);
		forget_reading(transfer);
	}
	if (transfer->unread)
		TAILQ_REMOVE(&backend->unread, transfer, of_unread);
	if (transfer->is_long) {
		fair_give(&backend->admission.long_answers,
			  &transfer->job->lane->guest->user->long_answers);
		backend->read_on = true;
	}
	if (transfer->grown > 0) {
		transfer->job->lane->guest->user->stream_bytes -= (int64_t)transfer->grown;
		backend->read_on = true;
	}
	transfer->unread = transfer->is_long = false;
	transfer->grown = 0;
}

/* ---- Who reads streams ---- */

void reception_tell(struct backend *backend)
{
	struct transfer *transfer;

	while ((transfer = TAILQ_FIRST(&backend->news))) {
		forget_news(transfer);
		stream_tell(transfer->job->call->stream);
		backend->read_on |= transfer->unread;
	}
}
