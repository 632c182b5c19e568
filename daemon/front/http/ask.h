/*
 * What a route asks of methods before it can answer. A route's steps are written one after the other, as
 * if each method answered at once: a step asks, and returns where it gets no answer yet. When all that it
 * asked has been answered, it runs again from its beginning, and finds the answers that were given; so
 * nothing is asked twice, and what does not depend on each other is asked at once. A step must therefore do
 * the same each time: it keeps nothing but what it asks and answers, and what goes on from run to run, a
 * walk over pages, in a state.
 *
 * Who lists, or is answered much, holds one of the few places that a user has for what is large, and waits
 * for it; so what a thousand of his requests hold at once is bounded.
 */
#pragma once

#include <json-c/json.h>

#include "daemon/front/http/http_exchange.h"
#include "daemon/front/http/json_maker.h"

struct answered;
struct asking;

typedef void ask_step_fn(struct asking *asking);

struct asking {
	struct http_exchange *exchange;
	ask_step_fn *step;
	struct json_maker maker; // of the present run
	json_object *query; // lists of values by their names
	json_object *read; // what the step made of its request, once; or NULL
	void *state; // of the step; or NULL
	void (*state_done)(void *state);
	struct answered *answers;
	size_t n_asked;
	size_t bytes; // of the answers
	struct user_charge input; // of the request, or the place of what is large
	struct user_waiter waiter; // for that
	unsigned under_way;
	bool waits; // the present run lacks an answer
	bool running;
	bool changed; // answers came while it ran
};

/* Runs the step, until it has answered the exchange, whose `data` and `on_free` it has. */
void ask_begin(struct http_exchange *exchange, ask_step_fn *step);

/* What the method answered to these parameters, which are taken: borrowed, until the exchange is freed. NULL:
 * not yet, or no memory, or it failed and the exchange has been answered with that: in any case
 * the step returns, when it has asked what else it can. */
json_object *ask(struct asking *asking, const char *method, json_object *parameters);
/* The same where some failure is no failure of the step: NULL with `*ret_fault` set, if that is of the
 * given code. */
json_object *ask_unless(struct asking *asking, const char *method, json_object *parameters, int code,
			const struct fault **ret_fault);
/* What was asked before, as it is behind what was asked since. */
json_object *ask_again(struct asking *asking, const char *method, json_object *parameters);

/* What it was asked to answer is needed no more. */
void ask_forget(struct asking *asking, json_object *answer);
/* Nothing more is asked, and the request is not looked into: what it took is let go, and the place, too, unless
 * what was answered is much. */
void ask_settle(struct asking *asking);
/* What the runs of a step share: zeros at first, and freed once `done`, if there is one, has had it. NULL: no memory, which has
 * been answered. */
void *ask_state(struct asking *asking, size_t size, void (*done)(void *state));

/* Whether the step has to return. */
bool ask_waits(const struct asking *asking);
/* The answer of the exchange; takes it. Without memory for it that is said. */
void ask_answer(struct asking *asking, int status, json_object *json);
/* The same without a body. */
void ask_answer_nothing(struct asking *asking, int status);
void ask_fail(struct asking *asking, const struct fault *fault);
