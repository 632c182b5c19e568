#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "tests/unit/work/work_standin_internal.h"

static struct llm_call *waiting[STANDIN_CALLS_MAX];
static size_t n_waiting;
static struct llm_call *flying[STANDIN_CALLS_MAX];
static struct event *flights[STANDIN_CALLS_MAX];
static const char *keys[STANDIN_CALLS_MAX]; // in use
static int handed;
static bool draining;
static struct backend_flow_options flow_options;
static int64_t indices[STANDIN_CALLS_MAX]; // of those that are flying

struct llm_target {
	const struct ellu_llm_config *config;
};

int llm_target_new(const struct ellu_llm_config *config, struct llm_target **ret_target,
		   struct fault *fault)
{
	struct llm_target *target;

	if (standin.target_error)
		return fault_set(fault, standin.target_error, NULL);
	target = calloc(1, sizeof(*target));
	target->config = config;
	__atomic_add_fetch(&standin.n_targets, 1, __ATOMIC_SEQ_CST);
	*ret_target = target;
	return 0;
}

int llm_target_check(const struct llm_target *target, const struct ellu_message *const *messages,
		     size_t n_messages, struct fault *fault)
{
	(void)target;
	(void)messages;
	(void)n_messages;
	(void)fault;
	return 0;
}

int llm_target_texts_max(const struct llm_target *target, size_t *ret_max, struct fault *fault)
{
	(void)target;
	(void)fault;
	*ret_max = 1;
	return 0;
}

void llm_target_resume(struct llm_target *target, int64_t day, int64_t requests, int64_t tokens)
{
	(void)target;
	(void)day;
	(void)requests;
	(void)tokens;
}

int64_t llm_call_estimate(const struct llm_call *call)
{
	(void)call;
	return 0;
}

int64_t llm_target_config(const struct llm_target *target, const char **ret_model)
{
	*ret_model = target->config->llm_model_name;
	return 0;
}

struct llm_target *llm_target_unref(struct llm_target *target)
{
	__atomic_sub_fetch(&standin.n_targets, 1, __ATOMIC_SEQ_CST);
	free(target);
	return NULL;
}

void standin_answer(struct llm_call *call, const char *text)
{
	call->outcome = LLM_ANSWERED;
	call->text = arena_strdup(&call->arena, text);
}

static void deliver_call(struct message *message)
{
	struct llm_call *call = container_of(message, struct llm_call, message);

	flow_options.done(call);
}

static void give_back(struct llm_call *call, enum llm_outcome outcome)
{
	handed--;
	call->outcome = outcome;
	standin.n_cancelled += outcome == LLM_CANCELLED;
	call->message.deliver = deliver_call;
	loop_post(flow_options.reply_to, &call->message);
}

static void admit(void);

static void land(size_t slot)
{
	event_free(flights[slot]);
	flying[slot] = NULL;
	keys[slot] = NULL;
	standin.in_flight--;
}

static void on_answer(evutil_socket_t fd, short events, void *userdata)
{
	size_t slot = (size_t)(intptr_t)userdata;
	struct llm_call *call = flying[slot];
	const char *text = call->messages[call->n_messages - 1]->content;
	struct standin_call info = { .judging = call->plain, .again = call->n_messages > 2, .text = text };

	(void)fd;
	(void)events;
	info.index = indices[slot];
	call->input_tokens = 10;
	call->output_tokens = 5;
	call->reasoning_tokens = -1;
	call->cost_nanodollars = 1000;
	call->attempts = 1;
	call->duration_usec = standin.latency_usec;
	if (standin.answer)
		standin.answer(call, &info);
	else
		standin_answer(call, info.judging ? "{\"rating\": \"YES\"}" : "an answer");
	land(slot);
	/* No answer of these is ever recorded. */
	standin.at_risk -= call->outcome == LLM_CONFIG_FAILED || call->outcome == LLM_UNREACHABLE;
	give_back(call, call->outcome);
	admit();
	standin_look_for_stall();
}

/* The cap that a call must say; 0: none. */
static int flow_cap(void)
{
	int cap = standin.flow_connections, own = standin.task_connections;

	return own && (!cap || own < cap) ? own : cap;
}

static void check_call(const struct llm_call *call)
{
	if (flow_options.cap != flow_cap())
		standin_wrong("a flow of another cap");
	if (call->target->config != &standin_configs[call->plain && standin.judge_apart])
		standin_wrong("a call of another config");
	if ((call->response_format != NULL) != call->plain)
		standin_wrong("an answer's format where none is wanted");
	for (size_t i = 0; i < STANDIN_CALLS_MAX; i++)
		if (keys[i] && strcmp(keys[i], call->idempotency_key) == 0)
			standin_wrong("the key %s is in use twice", call->idempotency_key);
}

/* Those that do not yet, once enough have been in flight. */
static void begin_to_answer(void)
{
	const struct timeval delay = { .tv_sec = standin.latency_usec / USEC_PER_SEC,
				       .tv_usec = standin.latency_usec % USEC_PER_SEC };

	for (size_t i = 0; i < STANDIN_CALLS_MAX; i++)
		if (flying[i] && !evtimer_pending(flights[i], NULL))
			evtimer_add(flights[i], &delay);
}

static void fly(struct llm_call *call)
{
	size_t slot = 0;

	while (flying[slot])
		slot++;
	check_call(call);
	flying[slot] = call;
	keys[slot] = call->idempotency_key;
	indices[slot] = call->plain ? standin.n_judgements++ : standin.n_generations++;
	standin.in_flight++;
	if (standin.in_flight > standin.in_flight_max)
		standin.in_flight_max = standin.in_flight;
	standin.at_risk += call->n_messages <= 2; // asking again risks the same item
	if (standin.at_risk > standin.at_risk_max)
		standin.at_risk_max = standin.at_risk;
	flights[slot] = evtimer_new(loop_base(standin_loop), on_answer, (void *)(intptr_t)slot);
	if (standin.in_flight_max >= standin.answers_wait_for)
		begin_to_answer();
	standin_look(STANDIN_AT_CALL, standin.n_generations + standin.n_judgements, NULL);
}

static void admit(void)
{
	int cap = standin.max_connections ? standin.max_connections : BACKEND_CONNECTIONS_GROWN;

	if (flow_cap() && flow_cap() < cap)
		cap = flow_cap();
	while (n_waiting > 0 && standin.in_flight < cap) {
		struct llm_call *call = waiting[0];

		memmove(waiting, waiting + 1, --n_waiting * sizeof(*waiting));
		fly(call);
	}
}

static void on_submit(struct message *message)
{
	struct llm_call *call = container_of(message, struct llm_call, message);

	call->input_tokens = call->output_tokens = call->cost_nanodollars = -1;
	if (++handed > standin.handed_max)
		standin.handed_max = handed;
	if (draining) {
		give_back(call, LLM_CANCELLED);
		return;
	}
	waiting[n_waiting++] = call;
	admit();
}

int backend_flow_open(struct backend *backend, const struct backend_flow_options *options,
		      struct backend_flow **ret_flow)
{
	(void)backend;
	if (options->user != 1000)
		standin_wrong("a flow of another user");
	flow_options = *options;
	*ret_flow = (struct backend_flow *)&flow_options;
	__atomic_add_fetch(&standin.n_flows, 1, __ATOMIC_SEQ_CST);
	return 0;
}

struct backend_flow *backend_flow_close(struct backend_flow *flow)
{
	if (flow)
		__atomic_sub_fetch(&standin.n_flows, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void check_flow(const struct backend_flow *flow)
{
	if (flow != (struct backend_flow *)&flow_options)
		standin_wrong("another flow");
}

void backend_submit(struct backend_flow *flow, struct llm_call *call)
{
	check_flow(flow);
	call->message.deliver = on_submit;
	loop_post(standin_loop, &call->message);
}

static void give_back_waiting(void)
{
	while (n_waiting > 0)
		give_back(waiting[--n_waiting], LLM_CANCELLED);
}

static void on_cancel(struct message *message)
{
	free(message);
	give_back_waiting();
	for (size_t slot = 0; slot < STANDIN_CALLS_MAX; slot++) {
		struct llm_call *call = flying[slot];

		if (!call)
			continue;
		land(slot);
		standin.at_risk--;
		give_back(call, LLM_CANCELLED);
	}
}

static void on_drain(struct message *message)
{
	free(message);
	draining = true;
	give_back_waiting();
}

static void on_drain_flow(struct message *message)
{
	free(message);
	give_back_waiting();
}

static int post_new(void (*deliver)(struct message *message))
{
	struct message *message = calloc(1, sizeof(*message));

	message->deliver = deliver;
	loop_post(standin_loop, message);
	return 0;
}

int backend_flow_cancel(struct backend_flow *flow)
{
	check_flow(flow);
	return post_new(on_cancel);
}

int backend_flow_drain(struct backend_flow *flow)
{
	check_flow(flow);
	return post_new(on_drain_flow);
}

struct tune {
	struct message message;
	int cap;
};

static void on_tune(struct message *message)
{
	struct tune *tune = container_of(message, struct tune, message);

	standin.task_connections = flow_options.cap = tune->cap;
	standin.n_tunes++;
	free(tune);
	admit();
}

int backend_flow_tune(struct backend_flow *flow, int priority, int cap)
{
	struct tune *tune = calloc(1, sizeof(*tune));

	check_flow(flow);
	if (priority != 2)
		standin_wrong("a flow was tuned wrongly");
	tune->message.deliver = on_tune;
	tune->cap = cap;
	loop_post(standin_loop, &tune->message);
	return 0;
}

int backend_drain(struct backend *backend)
{
	(void)backend;
	return post_new(on_drain);
}

void standin_reset_backend(void)
{
	draining = false;
}
