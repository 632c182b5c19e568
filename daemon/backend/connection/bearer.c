#include "daemon/backend/connection/bearer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/backend/connection/descriptors.h"
#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/dialect/service_account.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/backend/limits/retry.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/loop.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

#define EXCHANGE_USEC (60 * USEC_PER_SEC) // at most
#define RENEWAL_USEC (300 * USEC_PER_SEC) // before its end, or a fourth of it
#define RENEWAL_AGAIN_USEC (10 * USEC_PER_SEC) // after one that failed
#define WORDS_MAX 300 // of a refusal's

void bearers_init(struct bearers *bearers, struct ground *ground, struct exchanges *exchanges)
{
	bearers->ground = ground;
	bearers->exchanges = exchanges;
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
	bearer->number = ++bearer->bearers->n_tokens;
}

/* The exchange is over, wherever it was. */
static void end_exchange(struct bearer *bearer)
{
	exchange_end(bearer->bearers->exchanges, &bearer->exchange);
	curl_slist_free_all(bearer->headers);
	bearer->headers = NULL;
	wipe(&bearer->form);
	bearer->state = BEARER_RESTING;
}

static void bearer_free(struct bearer *bearer)
{
	TAILQ_REMOVE(&bearer->bearers->all, bearer, of_all);
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
}

/* ---- What becomes of it ---- */

static void fail(struct bearer *bearer, const struct attempt *failed)
{
	end_exchange(bearer);
	bearer->renew_usec = bearer->bearers->ground->now_usec + RENEWAL_AGAIN_USEC;
	bearer->asked(bearer, failed);
}

static void fail_saying(struct bearer *bearer, enum attempt_class class, const char *words)
{
	struct attempt attempt = { .wait_usec = -1 };

	attempt_fail(&attempt, class, "no access token: %s", words);
	target_redact(bearer->target, attempt.message, strlen(attempt.message)); // libcurl's may name what is in its way
	fail(bearer, &attempt);
}

static bool take_token(struct bearer *bearer, const char *token, int64_t lasts_usec)
{
	int64_t now_usec = bearer->bearers->ground->now_usec;
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

/* ---- The exchange ---- */

/* Without what was sent, and what that was made of. */
static void say_refusal(struct bearer *bearer, int status, struct attempt *attempt)
{
	const char *uri = bearer->target->account->token_uri;
	const char *words = service_account_refusal(&bearer->bearers->ground->reader, bearer->exchange.reply.data,
						    bearer->exchange.reply.size);
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
		.wait_usec = retry_after_usec(exchange_header(&bearer->exchange, "Retry-After"), NULL, clock_wall_usec()),
	};

	attempt_classify(&attempt);
	say_refusal(bearer, status, &attempt);
	attempt.status = 0; // it is not the endpoint's
	attempt.hint = HINT_NONE;
	fail(bearer, &attempt);
}

static void on_asked(struct exchange *exchange)
{
	struct bearer *bearer = container_of(exchange, struct bearer, exchange);
	int64_t lasts_usec;
	const char *token;
	int r;

	bearer->no_descriptors = exchange->no_descriptors;
	if (exchange->trouble && exchange->status < 300) { // an error counts even when it does not end
		fail_saying(bearer, ATTEMPT_RETRY, exchange->trouble);
		return;
	}
	if (exchange->status != 200) {
		read_refusal(bearer, exchange->status);
		return;
	}
	r = service_account_read(&bearer->bearers->ground->reader, exchange->reply.data, exchange->reply.size, &token,
				 &lasts_usec);
	if (r == 0 && !take_token(bearer, token, lasts_usec))
		r = -ENOMEM;
	if (r < 0) {
		fail_saying(bearer, ATTEMPT_RETRY, r == -ENOMEM ? "out of memory" :
			    "none is in what its address answered");
		return;
	}
	end_exchange(bearer);
	bearer->asked(bearer, NULL);
}

static bool ask(struct bearer *bearer)
{
	struct llm_target *target = bearer->target;

	bearer->headers = curl_slist_append(NULL, "User-Agent: elluminated/" ELLU_VERSION);
	bearer->exchange = (struct exchange){
		.target = target,
		.text_url = target->account->token_uri,
		.headers = bearer->headers,
		.body = &bearer->form,
		.timeout_usec = target->timeout_usec < EXCHANGE_USEC ? target->timeout_usec : EXCHANGE_USEC,
		.reply_max = SERVICE_ACCOUNT_REPLY_MAX,
		.done = on_asked,
	};
	return bearer->headers && exchange_start(bearer->bearers->exchanges, &bearer->exchange);
}

/* ---- What is signed ---- */

/* On the backend's loop again. */
static void on_signed(struct message *message)
{
	struct bearer *bearer = container_of(message, struct bearer, message);

	bearer->bearers->ground->now_usec = clock_monotonic_usec();
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
	} else if (bearer->signing < 0 || !ask(bearer)) {
		fail_saying(bearer, ATTEMPT_RETRY, "out of memory");
	} else {
		bearer->state = BEARER_ASKING;
	}
}

/* On the signer's, to which all that is used here is left. */
static void sign(struct message *message)
{
	struct bearer *bearer = container_of(message, struct bearer, message);

	bearer->signing = service_account_sign(bearer->target->account, clock_wall_usec(), &bearer->form,
					       &bearer->assertion);
	bearer->message.deliver = on_signed;
	loop_post(bearer->bearers->ground->loop, &bearer->message);
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

void bearer_renew(struct bearer *bearer)
{
	struct bearers *bearers = bearer->bearers;

	if (bearer->state != BEARER_RESTING)
		return;
	bearer->no_descriptors = false;
	if (!start_signer(bearers)) {
		bearer->no_descriptors = descriptors_are_out();
		fail_saying(bearer, ATTEMPT_RETRY, "out of memory");
		return;
	}
	bearer->state = BEARER_SIGNING;
	bearer->message.deliver = sign;
	loop_post(bearers->signer, &bearer->message);
}

/* ---- Of each attempt ---- */

struct bearer *bearer_new(struct bearers *bearers, struct llm_target *target,
			  void (*asked)(struct bearer *bearer, const struct attempt *failed))
{
	struct bearer *bearer = calloc(1, sizeof(*bearer));

	if (!bearer)
		return NULL;
	bearer->bearers = bearers;
	bearer->target = llm_target_ref(target);
	bearer->asked = asked;
	TAILQ_INIT(&bearer->jobs);
	TAILQ_INSERT_TAIL(&bearers->all, bearer, of_all);
	return bearer;
}

bool bearer_is_good(struct bearer *bearer)
{
	int64_t now_usec = bearer->bearers->ground->now_usec;

	if (!bearer->token || now_usec >= bearer->expires_usec)
		return false;
	if (now_usec >= bearer->renew_usec)
		bearer_renew(bearer);
	return true;
}

bool bearer_hand_over(const struct bearer *bearer, struct llm_target *target)
{
	return target_set_bearer(target, bearer->token, bearer->number) == 0;
}

bool bearer_expired(struct bearer *bearer, int64_t number, const struct attempt *attempt)
{
	bool was_good;

	if (attempt->status == 0)
		return false;
	if (attempt->status != 401) {
		bearer->accepted |= number == bearer->number;
		return false;
	}
	if (number != bearer->number) // there is another one since, or none
		return number != bearer->refused_number;
	was_good = bearer->accepted;
	if (!was_good)
		bearer->refused_number = bearer->number;
	drop_token(bearer);
	return was_good;
}
