#include "daemon/backend/bearer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/core.h"
#include "daemon/backend/dialect/service_account.h"
#include "daemon/backend/multi.h"
#include "daemon/base/clock.h"
#include "daemon/base/loop.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define CONNECTIONS_MAX BACKEND_CALLS_MAX // one that waits has a call that does
#define EXCHANGE_USEC (60 * USEC_PER_SEC) // at most
#define RENEWAL_USEC (300 * USEC_PER_SEC) // before its end, or a fourth of it
#define RENEWAL_AGAIN_USEC (10 * USEC_PER_SEC) // after one that failed
#define WORDS_MAX 300 // of a refusal's

enum bearer_state {
	BEARER_RESTING,
	BEARER_SIGNING, // with the signer
	BEARER_ASKING, // its transfer is added
};

struct bearer {
	TAILQ_ENTRY(bearer) of_all; // bearers::all
	struct backend *backend;
	struct llm_target *target; // the endpoint's, a reference
	bool forgotten; // ends with what the signer gives back
	enum bearer_state state;
	struct jobs jobs; // that wait
	struct message message; // to the signer and back
	int signing; // what became of it there
	struct buffer form; // that is sent
	size_t assertion; // where it has what is as good as a key
	struct multi_sockets sockets;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer reply;
	bool too_large;
	char error[CURL_ERROR_SIZE];
	char *token; // or NULL
	int64_t number; // of the token, which no other has; of one that is to come
	int64_t refused_number; // of the last that was refused before anything was answered with it
	int64_t renew_usec, expires_usec;
	bool accepted; // something was answered with it
};

void bearers_init(struct bearers *bearers)
{
	TAILQ_INIT(&bearers->all);
}

static void wipe(struct buffer *buffer)
{
	if (buffer->data)
		explicit_bzero(buffer->data, buffer->capacity);
	buffer_done(buffer);
}

static void drop_token(struct bearer *bearer)
{
	if (bearer->token)
		explicit_bzero(bearer->token, strlen(bearer->token));
	free(bearer->token);
	bearer->token = NULL;
	bearer->accepted = false;
	bearer->number = ++bearer->backend->bearers.n_tokens;
}

/* The exchange is over, wherever it was. */
static void end_exchange(struct bearer *bearer)
{
	if (bearer->easy)
		curl_easy_cleanup(bearer->easy);
	curl_slist_free_all(bearer->headers);
	bearer->easy = NULL;
	bearer->headers = NULL;
	wipe(&bearer->form);
	wipe(&bearer->reply);
	bearer->state = BEARER_RESTING;
}

static void bearer_free(struct bearer *bearer)
{
	TAILQ_REMOVE(&bearer->backend->bearers.all, bearer, of_all);
	end_exchange(bearer);
	drop_token(bearer);
	llm_target_unref(bearer->target);
	free(bearer);
}

void bearer_forget(struct bearer *bearer)
{
	if (!bearer)
		return;
	bearer->forgotten = true;
	if (bearer->state == BEARER_SIGNING)
		return;
	if (bearer->state == BEARER_ASKING)
		multi_remove(bearer->backend->bearers.multi, bearer->easy);
	bearer_free(bearer);
}

void bearers_done(struct bearers *bearers)
{
	if (bearers->signer) {
		loop_stop(bearers->signer);
		loop_join(bearers->signer);
		loop_free(bearers->signer);
	}
	while (!TAILQ_EMPTY(&bearers->all))
		bearer_free(TAILQ_FIRST(&bearers->all));
	multi_free(bearers->multi);
}

/* ---- What becomes of it ---- */

/* What waits shares it. */
static void fail(struct bearer *bearer, const struct attempt *failed)
{
	struct job *job;

	end_exchange(bearer);
	bearer->renew_usec = bearer->backend->now_usec + RENEWAL_AGAIN_USEC;
	while ((job = TAILQ_FIRST(&bearer->jobs))) {
		struct attempt attempt = *failed;

		TAILQ_REMOVE(&bearer->jobs, job, of_lane);
		job_attempted(job, &attempt);
	}
}

static void fail_saying(struct bearer *bearer, enum attempt_class class, const char *words)
{
	struct attempt attempt = { .wait_usec = -1 };

	attempt_fail(&attempt, class, "no access token: %s", words);
	fail(bearer, &attempt);
}

static bool take_token(struct bearer *bearer, const char *token, int64_t lasts_usec)
{
	int64_t now_usec = bearer->backend->now_usec;
	char *copy = strdup(token);

	if (!copy)
		return false;
	drop_token(bearer);
	bearer->token = copy;
	bearer->expires_usec = now_usec + lasts_usec;
	bearer->renew_usec = bearer->expires_usec -
			     (lasts_usec / 4 < RENEWAL_USEC ? lasts_usec / 4 : RENEWAL_USEC);
	return true;
}

/* To the job's target, for its dialect to send. */
static bool hand_over(const struct bearer *bearer, struct job *job)
{
	job->bearer_number = bearer->number;
	return target_set_bearer(job->call->target, bearer->token, bearer->number) == 0;
}

/* What waits goes on, whenever the token ends: nobody had it earlier. */
static void go_on(struct bearer *bearer)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&bearer->jobs))) {
		struct attempt attempt = { .wait_usec = -1 };

		TAILQ_REMOVE(&bearer->jobs, job, of_lane);
		if (hand_over(bearer, job)) {
			transfer_start(job);
			continue;
		}
		attempt_fail(&attempt, ATTEMPT_RETRY, "out of memory");
		job_attempted(job, &attempt);
	}
}

/* ---- The exchange ---- */

static size_t take_reply(char *data, size_t size, size_t n, void *userdata)
{
	struct bearer *bearer = userdata;

	size *= n;
	if (bearer->reply.size + size > SERVICE_ACCOUNT_REPLY_MAX) {
		bearer->too_large = true;
		return 0;
	}
	buffer_append(&bearer->reply, data, size);
	return bearer->reply.failed ? 0 : size;
}

static const char *header_of(const struct bearer *bearer, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(bearer->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ?
		       header->value : NULL;
}

/* Without what was sent, and what that was made of. */
static void say_refusal(struct bearer *bearer, int status, struct attempt *attempt)
{
	const char *uri = bearer->target->account->token_uri;
	const char *words = service_account_refusal(&bearer->backend->reader, bearer->reply.data,
						    bearer->reply.size);
	char text[WORDS_MAX + 1] = "";
	size_t size = words ? utf8_cut(words, strlen(words), WORDS_MAX) : 0;
	int code = attempt->code;

	if (size > 0)
		memcpy(text, words, size);
	target_redact(bearer->target, text, size);
	if (bearer->form.size > bearer->assertion)
		target_redact_text(bearer->form.data + bearer->assertion,
				   bearer->form.size - bearer->assertion, text, size);
	attempt_fail(attempt, attempt->class, "no access token: %d from %.*s%s%s", status,
		     (int)strcspn(uri, "?"), uri, size > 0 ? ": " : "", text);
	attempt->code = code;
}

/* An account that is refused is refused whatever it is used for. */
static void read_refusal(struct bearer *bearer, int status)
{
	struct attempt attempt = {
		.status = status,
		.hint = status == 400 || status == 401 || status == 403 ? HINT_KEY : HINT_NONE,
		.wait_usec = retry_after_usec(header_of(bearer, "Retry-After"), NULL, clock_wall_usec()),
	};

	attempt_classify(&attempt);
	say_refusal(bearer, status, &attempt);
	attempt.status = 0; // it is not the endpoint's
	attempt.hint = HINT_NONE;
	fail(bearer, &attempt);
}

static void on_asked(void *userdata, CURL *easy, CURLcode result)
{
	const char *words = NULL, *token;
	struct bearer *bearer = NULL;
	int64_t lasts_usec;
	long status = 0;
	int r;

	(void)userdata;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&bearer);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (bearer->too_large)
		words = "its answer is too large";
	else if (result != CURLE_OK)
		words = bearer->error[0] ? bearer->error : curl_easy_strerror(result);
	if (words) {
		fail_saying(bearer, ATTEMPT_RETRY, words);
		return;
	}
	if (status != 200) {
		read_refusal(bearer, (int)status);
		return;
	}
	r = service_account_read(&bearer->backend->reader, bearer->reply.data, bearer->reply.size, &token,
				 &lasts_usec);
	if (r == 0 && !take_token(bearer, token, lasts_usec))
		r = -ENOMEM;
	if (r < 0) {
		fail_saying(bearer, ATTEMPT_RETRY, r == -ENOMEM ? "out of memory" :
			    "none is in what its address answered");
		return;
	}
	end_exchange(bearer);
	go_on(bearer);
}

#define SET(option, value) (curl_easy_setopt(bearer->easy, (option), (value)) == CURLE_OK)

/* As its endpoint is reached: by the same proxy and CA, as bounded. */
static bool set_options(struct bearer *bearer)
{
	const struct llm_target *target = bearer->target;
	int64_t usec = target->timeout_usec < EXCHANGE_USEC ? target->timeout_usec : EXCHANGE_USEC;

	bearer->headers = curl_slist_append(NULL, "User-Agent: elluminated/" ELLU_VERSION);
	return bearer->headers && SET(CURLOPT_PRIVATE, bearer) && SET(CURLOPT_ERRORBUFFER, bearer->error) &&
	       SET(CURLOPT_WRITEFUNCTION, take_reply) && SET(CURLOPT_WRITEDATA, bearer) &&
	       SET(CURLOPT_URL, target->account->token_uri) && SET(CURLOPT_HTTPHEADER, bearer->headers) &&
	       SET(CURLOPT_POSTFIELDS, bearer->form.data) &&
	       SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bearer->form.size) &&
	       SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_NOPROXY, "") &&
	       SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && SET(CURLOPT_FORBID_REUSE, 1L) &&
	       SET(CURLOPT_PROXY, target->proxy ? target->proxy : "") &&
	       (!target->ca_file || SET(CURLOPT_CAINFO_BLOB, &target->ca)) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((target->connect_usec + 999) / 1000)) &&
	       SET(CURLOPT_TIMEOUT_MS, (long)((usec + 999) / 1000));
}

static bool add_transfer(struct bearer *bearer)
{
	struct backend *backend = bearer->backend;
	struct bearers *bearers = &backend->bearers;

	if (!bearers->multi && multi_new(loop_base(backend->loop), CONNECTIONS_MAX, &backend->descriptors,
					 &bearers->multi) < 0)
		return false;
	bearer->too_large = false;
	bearer->error[0] = '\0';
	bearer->easy = curl_easy_init();
	bearer->sockets = (struct multi_sockets){ .multi = bearers->multi };
	return bearer->easy && multi_prepare(&bearer->sockets, bearers->multi, bearer->easy) &&
	       set_options(bearer) && multi_add(bearers->multi, bearer->easy) >= 0;
}

/* ---- What is signed ---- */

/* On the backend's loop again. */
static void on_signed(struct message *message)
{
	struct bearer *bearer =
		(struct bearer *)((char *)message - offsetof(struct bearer, message));

	bearer->backend->now_usec = clock_monotonic_usec();
	bearer->state = BEARER_RESTING;
	if (bearer->forgotten) {
		bearer_free(bearer);
	} else if (bearer->signing == -EINVAL) {
		struct attempt attempt = { .wait_usec = -1, .hint = HINT_KEY };

		attempt_classify(&attempt);
		snprintf(attempt.message, sizeof(attempt.message), "no access token: the private_key of the "
			 "service account is no RSA key of 2048 bits or more");
		attempt.hint = HINT_NONE;
		fail(bearer, &attempt);
	} else if (bearer->signing < 0 || !add_transfer(bearer)) {
		fail_saying(bearer, ATTEMPT_RETRY, "out of memory");
	} else {
		bearer->state = BEARER_ASKING;
	}
}

/* On the signer's, to which all that is used here is left. */
static void sign(struct message *message)
{
	struct bearer *bearer =
		(struct bearer *)((char *)message - offsetof(struct bearer, message));

	bearer->signing = service_account_sign(bearer->target->account, clock_wall_usec(), &bearer->form,
					       &bearer->assertion);
	bearer->message.deliver = on_signed;
	loop_post(bearer->backend->loop, &bearer->message);
}

static bool start_signer(struct bearers *bearers)
{
	if (bearers->signer)
		return true;
	if (loop_new("signer", &bearers->signer) < 0)
		return false;
	if (loop_start(bearers->signer) == 0)
		return true;
	bearers->signer = loop_free(bearers->signer);
	return false;
}

static void renew(struct bearer *bearer)
{
	struct bearers *bearers = &bearer->backend->bearers;

	if (bearer->state != BEARER_RESTING)
		return;
	if (!start_signer(bearers)) {
		fail_saying(bearer, ATTEMPT_RETRY, "out of memory");
		return;
	}
	bearer->state = BEARER_SIGNING;
	bearer->message.deliver = sign;
	loop_post(bearers->signer, &bearer->message);
}

/* ---- Jobs ---- */

static struct bearer *bearer_get(struct endpoint *endpoint)
{
	struct bearer *bearer = endpoint->bearer;

	if (bearer)
		return bearer;
	bearer = calloc(1, sizeof(*bearer));
	if (!bearer)
		return NULL;
	bearer->backend = endpoint->backend;
	bearer->target = llm_target_ref(endpoint->target);
	TAILQ_INIT(&bearer->jobs);
	TAILQ_INSERT_TAIL(&endpoint->backend->bearers.all, bearer, of_all);
	endpoint->bearer = bearer;
	return bearer;
}

bool bearer_holds(struct job *job)
{
	struct attempt attempt = { .wait_usec = -1 };
	int64_t now_usec = job->backend->now_usec;
	struct bearer *bearer;

	if (!job->call->target->account)
		return false;
	bearer = bearer_get(job->endpoint);
	if (bearer && bearer->token && now_usec < bearer->expires_usec) {
		if (now_usec >= bearer->renew_usec)
			renew(bearer);
		if (hand_over(bearer, job))
			return false;
		bearer = NULL;
	}
	if (!bearer) {
		attempt_fail(&attempt, ATTEMPT_RETRY, "out of memory");
		job_attempted(job, &attempt);
		return true;
	}
	TAILQ_INSERT_TAIL(&bearer->jobs, job, of_lane);
	renew(bearer);
	return true;
}

void bearer_leave(struct job *job)
{
	TAILQ_REMOVE(&job->endpoint->bearer->jobs, job, of_lane);
}

bool bearer_expired(struct job *job, const struct attempt *attempt)
{
	struct bearer *bearer = job->endpoint->bearer;
	bool was_good;

	if (!job->call->target->account || attempt->status == 0)
		return false;
	if (attempt->status != 401) {
		bearer->accepted |= job->bearer_number == bearer->number;
		return false;
	}
	if (job->bearer_number != bearer->number) // there is another one since, or none
		return job->bearer_number != bearer->refused_number;
	was_good = bearer->accepted;
	if (!was_good)
		bearer->refused_number = bearer->number;
	drop_token(bearer);
	return was_good;
}

/* ---- The turn ---- */

int64_t bearers_due_usec(const struct backend *backend)
{
	const struct multi *multi = backend->bearers.multi;

	return multi ? multi_due_usec(multi) : DEADLINE_NEVER;
}

void bearers_kick(struct backend *backend)
{
	struct multi *multi = backend->bearers.multi;

	if (multi && multi_due_usec(multi) <= backend->now_usec)
		multi_kick(multi);
}

static void repair(struct bearers *bearers)
{
	struct bearer *bearer, *next;

	for (bearer = TAILQ_FIRST(&bearers->all); bearer; bearer = next) {
		next = TAILQ_NEXT(bearer, of_all);
		if (bearer->state != BEARER_ASKING)
			continue;
		multi_remove(bearers->multi, bearer->easy);
		fail_saying(bearer, ATTEMPT_RETRY, "its connection had to be closed");
	}
	bearers->multi = multi_free(bearers->multi);
}

void bearers_collect(struct backend *backend)
{
	struct multi *multi = backend->bearers.multi;

	if (!multi)
		return;
	while (multi_drain(multi, DEADLINE_NEVER, on_asked, backend))
		;
	if (multi_is_broken(multi))
		repair(&backend->bearers);
}
