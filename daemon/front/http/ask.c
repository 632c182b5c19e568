#include "daemon/front/http/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"
#include "daemon/base/loop.h"
#include "proto/cleanup.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"

/* What is kept of answers for one exchange; and without a place for what is large. */
#define ASKED_BYTES_MAX MESSAGE_SIZE_MAX
#define ASKED_SMALL_MAX (128 * 1024)
/* What an answer is thought to take that came as a record. */
#define ANSWER_BYTES 4096
/* Questions of one exchange. */
#define ASKED_MAX 2000
/* Of one exchange at a time: what is more waits for the next run. */
#define UNDER_WAY_MAX 16

struct answered {
	struct answered *next; // asking::answers
	struct asking *asking;
	uint64_t hash; // of the key
	char *key; // the method, and the text of its parameters
	json_object *answer; // NULL: not yet, or it failed
	size_t bytes; // of that
	struct fault fault; // with a code if it failed
};

/* ---- Life ---- */

static void answered_free(struct answered *answered)
{
	json_object_put(answered->answer);
	free(answered->key);
	free(answered);
}

static void on_free(struct http_exchange *exchange)
{
	struct asking *asking = exchange->data;

	while (asking->answers) {
		struct answered *answered = asking->answers;

		asking->answers = answered->next;
		answered_free(answered);
	}
	user_stop_waiting(&asking->waiter);
	user_give_back(&asking->input);
	if (asking->state && asking->state_done)
		asking->state_done(asking->state);
	free(asking->state);
	json_object_put(asking->query);
	json_object_put(asking->read);
	free(asking);
}

/* Whether it wants an answer still. */
static bool is_open(const struct http_exchange *exchange)
{
	return exchange->connection && !exchange->begun;
}

static void run(struct asking *asking)
{
	struct http_exchange *exchange = http_ref(asking->exchange);

	asking->running = true;
	do {
		asking->changed = asking->waits = false;
		asking->maker.failed = false;
		asking->step(asking);
	} while (asking->changed && !asking->under_way && is_open(exchange));
	asking->running = false;
	http_unref(exchange);
}

/* -EBADMSG, -ENOMEM. */
static int read_query(struct asking *asking)
{
	struct json_maker maker = { 0 };
	const char *query = asking->exchange->head.query;
	char *at = query ? arena_strdup(&asking->exchange->arena, query) : NULL, *name, *value;
	int r = query && !at ? -ENOMEM : 0;

	asking->query = make_object(&maker);
	while (r >= 0 && at && (r = http_query_next(&at, &name, &value)) > 0) {
		if (!member(asking->query, name))
			put(&maker, asking->query, name, make_array(&maker));
		append(&maker, member(asking->query, name), make_text(&maker, value));
	}
	return r < 0 ? r : maker.failed ? -ENOMEM : 0;
}

static void on_room(struct user_waiter *waiter)
{
	struct asking *asking = container_of(waiter, struct asking, waiter);

	if (!asking->under_way && is_open(asking->exchange))
		run(asking);
}

void ask_begin(struct http_exchange *exchange, ask_step_fn *step)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	struct fault fault = { 0 };
	int r;

	if (!asking) {
		fault_oom(&fault);
		http_fail(exchange, &fault);
		return;
	}
	asking->exchange = exchange;
	asking->step = step;
	asking->waiter.wake = on_room;
	/* The body stays as long as the steps look into it. */
	user_move(&exchange->input, &asking->input);
	exchange->data = asking;
	exchange->on_free = on_free;
	r = read_query(asking);
	if (r == 0) {
		run(asking);
		return;
	}
	if (r == -ENOMEM)
		fault_oom(&fault);
	else
		fault_invalid(&fault, "query", "names and values, escaped as URLs have them");
	http_fail(exchange, &fault);
}

/* ---- Asking ---- */

/* All that the last run asked has come. */
static void came(struct asking *asking)
{
	asking->under_way--;
	asking->changed = true;
	if (!asking->under_way && !asking->running && is_open(asking->exchange))
		run(asking);
}

static int on_answer(struct http_call *call, struct answer *answer, bool continues)
{
	struct answered *answered = call->data;
	struct asking *asking = answered->asking;
	int r;

	answered->bytes = answer->text ? answer->text_size : ANSWER_BYTES;
	asking->bytes += answered->bytes;
	if (asking->bytes > ASKED_BYTES_MAX)
		return -EMSGSIZE;
	r = http_answer_object(answer, &answered->answer);
	if (r < 0)
		return r;
	(void)continues; // nobody asked for more
	came(asking);
	return true;
}

static void on_failure(struct http_call *call, const struct fault *fault)
{
	struct answered *answered = call->data;

	answered->fault = *fault;
	came(answered->asking);
}

static struct answered *find(struct asking *asking, const char *key, uint64_t hash)
{
	struct answered *answered = asking->answers;

	while (answered && (answered->hash != hash || strcmp(answered->key, key) != 0))
		answered = answered->next;
	return answered;
}

/* `time` tells apart what is asked several times. */
static char *key_of(const struct method *method, json_object *parameters, int time)
{
	const char *text = json_text(parameters, NULL);
	size_t size = text ? strlen(method->name) + strlen(text) + 16 : 0;
	char *key = text ? malloc(size) : NULL;

	if (key)
		snprintf(key, size, "%d%s%s", time, method->name, text);
	return key;
}

static void start(struct asking *asking, const struct method *method, json_object *parameters, char *key,
		  uint64_t hash)
{
	struct answered *answered = calloc(1, sizeof(*answered));
	struct http_call how = { .answered = on_answer, .failed = on_failure, .data = answered };

	if (!answered) {
		free(key);
		asking->maker.failed = true;
		return;
	}
	answered->asking = asking;
	answered->key = key;
	answered->hash = hash;
	answered->next = asking->answers;
	asking->answers = answered;
	asking->n_asked++;
	asking->under_way++;
	http_call(asking->exchange, method, parameters, &how);
}

/* Whether there is a place for what the method will answer beside the rest; else it is waited for. */
static bool has_room(struct asking *asking, const struct method *method)
{
	struct user *user = asking->exchange->principal.user;
	struct user_charge large = { 0 };

	if ((method->replies != METHOD_REPLIES_PAGES && asking->bytes < ASKED_SMALL_MAX) ||
	    (asking->input.amount && asking->input.slot == USER_LARGE_MESSAGES))
		return true;
	if (asking->waiter.list)
		return false;
	if (!user_take(&large, user, USER_LARGE_MESSAGES, 1)) {
		user_wait_for_slot(user, USER_LARGE_MESSAGES, &asking->waiter);
		return false;
	}
	user_move(&large, &asking->input);
	return true;
}

/* What has not been asked yet. Takes the key. */
static void ask_new(struct asking *asking, const struct method *method, json_object *parameters, char *key,
		    uint64_t hash)
{
	struct fault fault = { 0 };

	asking->waits = true;
	if (!is_open(asking->exchange) || asking->under_way >= UNDER_WAY_MAX || !has_room(asking, method)) {
		free(key);
	} else if (asking->n_asked >= ASKED_MAX) {
		free(key);
		fault_set(&fault, ELLU_E_TOO_LARGE, "more than %d things would have to be looked up for this",
			  ASKED_MAX);
		fault.number = ASKED_MAX;
		http_fail(asking->exchange, &fault);
	} else {
		start(asking, method, parameters, key, hash);
	}
}

static json_object *ask_for(struct asking *asking, const char *method_name, json_object *parameters,
			    int time, int code, const struct fault **ret_fault)
{
	_cleanup_json_ json_object *given = parameters;
	char qualified[128] = "org.elluminate.";
	const struct method *method;
	struct answered *answered;
	uint64_t hash;
	char *key;

	*ret_fault = NULL;
	strncat(qualified, method_name, sizeof(qualified) - strlen(qualified) - 1);
	method = method_find(qualified);
	key = given ? key_of(method, given, time) : NULL;
	if (!key)
		asking->maker.failed = true;
	hash = key ? hash_bytes(0, key, strlen(key)) : 0;
	answered = key ? find(asking, key, hash) : NULL;
	if (!answered) {
		if (key)
			ask_new(asking, method, given, key, hash);
		asking->waits = true;
		if (asking->maker.failed)
			ask_answer(asking, 500, NULL);
		return NULL;
	}
	free(key);
	if (answered->fault.code && answered->fault.code == code) {
		*ret_fault = &answered->fault;
	} else if (!answered->answer) {
		asking->waits = true;
		if (answered->fault.code)
			http_fail(asking->exchange, &answered->fault);
	}
	return answered->answer;
}

json_object *ask(struct asking *asking, const char *method, json_object *parameters)
{
	const struct fault *fault;

	return ask_for(asking, method, parameters, /* time= */ 1, /* code= */ 0, &fault);
}

json_object *ask_again(struct asking *asking, const char *method, json_object *parameters)
{
	const struct fault *fault;

	return ask_for(asking, method, parameters, /* time= */ 2, /* code= */ 0, &fault);
}

json_object *ask_unless(struct asking *asking, const char *method, json_object *parameters, int code,
			const struct fault **ret_fault)
{
	return ask_for(asking, method, parameters, /* time= */ 1, code, ret_fault);
}

void ask_forget(struct asking *asking, json_object *answer)
{
	struct answered **link = &asking->answers, *answered;

	while ((answered = *link) && answered->answer != answer)
		link = &answered->next;
	if (!answered)
		return;
	*link = answered->next;
	asking->bytes -= answered->bytes;
	answered_free(answered);
}

void ask_settle(struct asking *asking)
{
	struct http_exchange *exchange = asking->exchange;

	user_stop_waiting(&asking->waiter);
	json_object_put(exchange->json);
	exchange->json = NULL;
	json_object_put(asking->read);
	asking->read = NULL;
	loop_free_there(exchange->service->behind, exchange->body, exchange->body_size);
	exchange->body = NULL;
	exchange->body_size = 0;
	if (asking->bytes < ASKED_SMALL_MAX)
		user_give_back(&asking->input);
}

void *ask_state(struct asking *asking, size_t size, void (*done)(void *state))
{
	struct fault fault = { 0 };

	if (!asking->state) {
		asking->state = calloc(1, size);
		asking->state_done = done;
	}
	if (!asking->state)
		ask_fail(asking, (fault_oom(&fault), &fault));
	return asking->state;
}

bool ask_waits(const struct asking *asking)
{
	return asking->waits;
}

/* ---- Answering ---- */

void ask_answer(struct asking *asking, int status, json_object *json)
{
	struct fault fault = { 0 };

	if (!asking->maker.failed) {
		http_answer_json(asking->exchange, status, json);
		return;
	}
	json_object_put(json);
	fault_oom(&fault);
	http_fail(asking->exchange, &fault);
}

void ask_answer_nothing(struct asking *asking, int status)
{
	http_answer(asking->exchange, status, NULL, NULL, 0);
}

void ask_fail(struct asking *asking, const struct fault *fault)
{
	http_fail(asking->exchange, fault);
}
