#include "daemon/front/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "proto/cleanup.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"

/* What is kept of answers for one exchange. */
#define ASKED_BYTES_MAX MESSAGE_SIZE_MAX
/* Of one exchange at a time: what is more waits for the next run. */
#define UNDER_WAY_MAX 16

struct answered {
	struct answered *next; // asking::answers
	struct asking *asking;
	char *key; // the method, and the text of its parameters
	json_object *answer; // NULL: not yet, or it failed
	struct fault fault; // with a code if it failed
};

/* ---- Life ---- */

static void on_free(struct http_exchange *exchange)
{
	struct asking *asking = exchange->data;

	while (asking->answers) {
		struct answered *answered = asking->answers;

		asking->answers = answered->next;
		json_object_put(answered->answer);
		free(answered->key);
		free(answered);
	}
	json_object_put(asking->query);
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
	asking->begun_usec = clock_monotonic_usec();
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

	asking->bytes += answer->text ? answer->text_size : 0;
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

static struct answered *find(struct asking *asking, const char *key)
{
	struct answered *answered = asking->answers;

	while (answered && strcmp(answered->key, key) != 0)
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

static void start(struct asking *asking, const struct method *method, json_object *parameters, char *key)
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
	answered->next = asking->answers;
	asking->answers = answered;
	asking->under_way++;
	http_call(asking->exchange, method, parameters, &how);
}

static json_object *ask_for(struct asking *asking, const char *method_name, json_object *parameters,
			    int time, int code, const struct fault **ret_fault)
{
	_cleanup_json_ json_object *given = parameters;
	char qualified[128] = "org.elluminate.";
	const struct method *method;
	struct answered *answered;
	char *key;

	*ret_fault = NULL;
	strncat(qualified, method_name, sizeof(qualified) - strlen(qualified) - 1);
	method = method_find(qualified);
	key = given ? key_of(method, given, time) : NULL;
	if (!key)
		asking->maker.failed = true;
	answered = key ? find(asking, key) : NULL;
	if (!answered) {
		asking->waits = true;
		if (key && asking->under_way < UNDER_WAY_MAX && is_open(asking->exchange))
			start(asking, method, given, TAKE_PTR(key));
		free(key);
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
