/*
 * What dialects share in writing a request's body: fields that a config's extra_body replaces are
 * left out, and the parameters of a run go before those of the config.
 */
#pragma once

#include "daemon/backend/dialect/answer.h"
#include "daemon/backend/dialect/batch_form.h"
#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/media.h"
#include "daemon/backend/dialect/refusal.h"

/* The fields of requests, as bits of llm_target::extra_fields. A dialect has names for those that its
 * provider knows, and nothing is sent of the others. */
enum request_field {
	REQUEST_MODEL,
	REQUEST_SYSTEM,
	REQUEST_MAX_TOKENS,
	REQUEST_MAX_COMPLETION_TOKENS,
	REQUEST_TEMPERATURE,
	REQUEST_TOP_P,
	REQUEST_TOP_K,
	REQUEST_SEED,
	REQUEST_STOP,
	REQUEST_FREQUENCY_PENALTY,
	REQUEST_PRESENCE_PENALTY,
	REQUEST_LOGPROBS,
	REQUEST_REASONING_EFFORT,
	REQUEST_VERBOSITY,
	REQUEST_THINKING,
	REQUEST_TOOLS,
	REQUEST_TOOL_CHOICE,
	REQUEST_RESPONSE_FORMAT,
	/* Of requests for vectors. */
	REQUEST_TEXTS,
	REQUEST_DIMENSIONS,
	REQUEST_OWN, // what is one dialect's alone
	_REQUEST_MAX = REQUEST_OWN + 2,
};

/* Takes the members of the config's extra_body over into the target, when it is made: all that some
 * dialects prepare. */
int request_take_extra(struct llm_target *target, const struct ellu_llm_config *config,
		       struct fault *fault);

/* Whether the target's extra_body has the field. */
bool request_replaced(const struct llm_target *target, unsigned field);

/* The begin of a request, up to its model, and its end: what extra_body has. */
void request_open(const struct llm_target *target, struct buffer *body);
void request_close(const struct llm_target *target, struct buffer *body);

/* Begins the field, if it has a name and extra_body has it not. */
bool request_begin(const struct llm_target *target, unsigned field, struct buffer *body);

/* The same with its value, if there is one. */
void request_int(const struct llm_target *target, unsigned field, const int64_t *value,
		 struct buffer *body);
void request_float(const struct llm_target *target, unsigned field, const double *value,
		   struct buffer *body);
void request_text(const struct llm_target *target, unsigned field, const char *value,
		  struct buffer *body);
void request_texts(const struct llm_target *target, unsigned field, const char *const *values,
		   size_t n, struct buffer *body); // values NULL: none

/* Before an element of an array, or a member: a comma, unless it is the first. */
void request_element(struct buffer *body);

/* The parameters that are the same everywhere, but for their names. */
void request_sampling(const struct llm_target *target, const struct ellu_generation_params *params,
		      struct buffer *body);

/* The end of a request with an object of parameters: what extra_body has, and the object, which `put` writes, if there is
 * anything in it. */
void request_end(const struct llm_call *call, const struct request_form *form,
		 void (*put)(const struct llm_call *call, const struct request_form *form,
			     struct buffer *body),
		 struct buffer *body);

/* What the call is asked with, one by one: the run's before the config's, without those that the
 * provider has not. */
struct ellu_generation_params request_params(const struct llm_call *call);

/* The most tokens of thought that an effort is, where it is said so. */
int64_t request_effort_tokens(const char *effort);

/* The system message that goes before the call's messages, or NULL. */
const char *request_system(const struct llm_call *call);

/* Whether a message is no turn of the conversation, but what the system says. */
bool request_is_system(const struct ellu_message *message);
/* Begins the field for all that the system says, if it says anything. */
bool request_begin_system(const struct llm_call *call, unsigned field, struct buffer *body);

#define REQUEST_ARGUMENTS_MAX (1u << 20) // json_weight() of a request's tool calls; models write less

/* Arguments of a tool's call, a text that should be a JSON object, where it has to be one. Everyone
 * waits while it is parsed: of what goes beyond `left` nothing is. */
void request_arguments(const char *arguments, size_t *left, struct buffer *body);

/* What Cohere calls a purpose of vectors, or none. */
const char *cohere_input_type(const char *purpose);

/* A dialect's change_form() where an endpoint that refuses a form of answer may know a lesser one. */
bool request_step_down(const struct llm_call *call, enum error_hint hint,
		       const struct request_form *used, struct request_form *form);
