/*
 * What is asked of a model and what came of it, the config that it is asked with, and what calls share
 * that take their turn together: all that dialects and transports know of who asks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/loop.h"
#include "elluminate-types.h"
#include "proto/arena.h"
#include "proto/fault/fault.h"

#define BACKEND_CALLS_MAX 512 // in flight in all, unless it is set otherwise
#define BACKEND_CALLS_PER_USER_MAX 256 // and of one user, who leaves some to others
/* An answer that grows beyond so many bytes waits, unread, until it is one of at most so many. */
#define BACKEND_ANSWER_BYTES (32u * 1024)
#define BACKEND_LONG_ANSWERS_MAX 16
#define BACKEND_LONG_ANSWERS_PER_USER_MAX 8
/* Streams of a user may hold so much more beside them. */
#define BACKEND_STREAM_BYTES_PER_USER_MAX (16 * 1024 * 1024)
#define BACKEND_CONNECTIONS_MAX 256 // what a config may set as its cap
#define BACKEND_CONNECTIONS_START 10 // working concurrency where a config sets no cap
#define BACKEND_CONNECTIONS_GROWN 64 // and what it may grow to

/* A config as calls use it, with its key. Immutable and counted; any thread. */
struct llm_target;
int llm_target_new(const struct ellu_llm_config *config, struct llm_target **ret_target,
		   struct fault *fault);
/* So much was taken of it before, that day; before it is used. */
void llm_target_resume(struct llm_target *target, int64_t day, int64_t requests, int64_t tokens);
struct llm_target *llm_target_ref(struct llm_target *target);
struct llm_target *llm_target_unref(struct llm_target *target);
/* Whether the provider can be shown all that the messages show. InvalidParameter or Unsupported of
 * the part's field. */
int llm_target_check(const struct llm_target *target, const struct ellu_message *const *messages,
		     size_t n_messages, struct fault *fault);
/* The most texts that one call may ask for the vectors of, or Unsupported: its provider makes none. */
int llm_target_texts_max(const struct llm_target *target, size_t *ret_max, struct fault *fault);
/* The id of its config, 0 where that costs nothing, and its model, which lives as long as it does. */
int64_t llm_target_config(const struct llm_target *target, const char **ret_model);

enum llm_outcome {
	LLM_ANSWERED,
	LLM_ITEM_FAILED, // final for this item
	LLM_CONFIG_FAILED, // no call with this config can succeed: bad key, unknown model
	LLM_UNREACHABLE, // attempts used up without ever reaching the endpoint
	LLM_CANCELLED,
};

struct llm_stream; // stream.h

#define EMBEDDING_DIMENSIONS_MAX 4096 // of a vector; more is not taken

/* Texts whose vectors are wanted. */
struct llm_embedding {
	const char *const *texts;
	size_t n_texts;
	const int64_t *dimensions; // or NULL: as many as the model makes
	const char *purpose; // of enum EmbeddingPurpose, or NULL
};

struct llm_call {
	struct message message;

	/* What is asked. Borrowed until done. */
	struct llm_target *target;
	const struct ellu_message *const *messages;
	size_t n_messages;
	const char *system_message; // put before the messages; or NULL
	const struct ellu_generation_params *params; // overrule the config's; or NULL
	bool plain; // a judge's call: only the judge config's own parameters, no system message
	const struct ellu_tool *const *tools;
	size_t n_tools;
	const char *tool_choice; // or NULL
	const char *response_format; // a JSON schema object for the answer, or NULL
	char idempotency_key[64]; // the same on each retry
	struct llm_stream *stream; // to who reads the answer as it comes; or NULL
	const struct llm_embedding *embedding; // asked for instead of an answer to messages; or NULL
	bool batched; // in a batch (provider_batch.h), which has a price of its own

	/* What came back; strings lie in the arena. */
	struct arena arena;
	enum llm_outcome outcome;
	struct fault fault; // set unless LLM_ANSWERED or LLM_CANCELLED
	const char *text; // NULL: none; valid UTF-8 without NUL
	const char *tool_calls; // JSON array of ToolCall, or NULL
	const char *finish_reason; // or NULL
	const double *vectors; // of the texts, one behind the other
	size_t n_dimensions; // of each
	int64_t replaced; // invalid sequences replaced by U+FFFD
	int64_t input_tokens; // -1: unknown, here and below
	int64_t output_tokens;
	int64_t reasoning_tokens; // of the output
	int64_t cached_tokens; // of the input
	int64_t cost_nanodollars;
	int64_t attempts;
	int64_t duration_usec; // of the attempt that was answered

	struct backend_flow *flow; // whose it is, while it is with the backend
};

/* What a call may cost, in nanodollars: by the length of what it asks and the longest answer that it
 * allows. Before anything is known of how long answers are. */
int64_t llm_call_estimate(const struct llm_call *call);

/* What calls share that take their turn together, as those of a task do. */
struct backend_flow_options {
	int64_t user; // whose turn it is, before it is that of one of his flows
	int priority; // 0 interactive, 1 normal, 2 batch
	int cap; // on calls in flight, 0: none
	struct loop *reply_to; // on which all of these are called
	void (*done)(struct llm_call *call);
	/* A line for the task's log, when a call waits or is retried: at most one per endpoint and
	 * second. May be NULL. */
	void (*notice)(void *userdata, const char *line);
	/* None of the flow's calls can go, because of an endpoint that fails or asks for a long
	 * pause; or they go again. The line says why. May be NULL. */
	void (*held)(void *userdata, bool held, const char *line);
	void *userdata;
};
