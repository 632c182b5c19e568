/*
 * How the endpoint behaves: the settings, and from them the fault of each call.
 *
 * A fault's rate is the setting `<name>_rate`; which call gets which fault follows from the seed
 * and the call's number alone, so a run can be repeated.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/bytes.h"

enum fault {
	FAULT_ERROR_500,      /* 500 */
	FAULT_ERROR_503,      /* 503 with Retry-After */
	FAULT_RESET,          /* a RST before any byte */
	FAULT_HALF_BODY,      /* the head, half the body, close */
	FAULT_HANG,           /* no answer at all */
	FAULT_SLOW_HEADER,    /* the head a byte at a time */
	FAULT_GARBAGE,        /* bytes that are not HTTP */
	FAULT_WRONG_TYPE,     /* 200 with an HTML page */
	FAULT_WRONG_JSON,     /* 200 with JSON of another shape */
	FAULT_TRUNCATED_JSON, /* 200 with half a JSON document */
	FAULT_CONTENT_FILTER, /* 400 content_filter */
	FAULT_CONTEXT_LENGTH, /* 400 context_length_exceeded */
	FAULT_EMPTY,          /* 200 with empty content, finish_reason length */
	FAULT_UTF8_GARBAGE,   /* 200 with invalid UTF-8 and a NUL in the content */
	FAULT_STREAM_ERROR,   /* a stream whose second half is an error; else as 500 */
	FAULT_STREAM_STALL,   /* a stream of which nothing comes behind its first half; else a hang */
	_FAULT_MAX,
	FAULT_NONE = _FAULT_MAX,
};

struct behaviour {
	double latency_seconds;
	double latency_jitter_seconds; /* up to so much more */
	double stream_delta_seconds;   /* between the pieces of a streamed answer */
	int64_t stream_chunk_bytes;    /* of a piece, wherever events end; 0: an event each */
	bool stream_crlf;              /* as lines of events end */
	bool stream_gate;              /* half of a stream comes, the rest once it is false */
	double slow_byte_seconds;
	int64_t concurrency_limit; /* 0: none */
	bool concurrency_queue;    /* over the limit: wait, instead of 429 */
	int64_t rate_limit;        /* calls in a window; 0: none */
	double rate_window_seconds;
	double retry_after_seconds; /* 0: no such header */
	char *api_key;              /* NULL: none needed */
	char *account_key;          /* a public key's file: Vertex wants tokens from /token; NULL: none needed */
	double token_seconds;       /* how long they are said to last */
	int64_t token_generation;   /* those of others are refused */
	bool account_refused;       /* no token is good */
	int64_t token_status;       /* that /token answers; 1: none at all; 0: a token */
	int64_t token_until;        /* in the first so many exchanges; 0: always */
	char *model;                /* NULL: any */
	char *fixed_answer;         /* NULL: generated text */
	char *preferred_text;       /* what has it in front of " ~ " scores 1, behind it 0, both or none 0.5; NULL: none */
	char *recorded_answers;     /* a file: those of recorded.h, and no others; NULL: none */
	char *finish;               /* length, filter or refusal: how each answer ends; NULL: well */
	int64_t fixed_until;        /* in the first so many calls; 0: always */
	char *refused_text;         /* a call that holds it gets 429, always; NULL: none */
	double fault_rates[_FAULT_MAX];
	double bad_verdict_rate;
	int64_t fail_first_n;
	int64_t faults_after; /* none in the first so many calls */
	int64_t faults_until; /* 0: for ever */
	bool refuse_schema;
	bool call_tools; /* those of a request are called, the first one first, before it is answered */
	int64_t tool_rounds; /* so often; the next one each time */
	int64_t tool_times;  /* each so many times at once */
	bool no_usage;
	bool need_max_completion_tokens;
	int64_t cached_tokens; /* at most so many of a request are said to be */
	bool batch_gate;             /* batches end once it is false */
	int64_t batch_fail_first;    /* so many batches fail, */
	char *batch_failure;         /* by that code, or one of its own */
	int64_t batch_expire_first;  /* so many items of batches are not asked in time */
	int64_t batch_oversize_first; /* so many results of them are longer than any answer */
	int64_t batch_truncate_first; /* of so many downloads half comes */
	int64_t batch_refuse_looks;  /* so many get 429 */
	bool batch_refuse_deletes;   /* what is kept of them stays */
	int64_t batch_refuse_gives;  /* so many get 429 when their file is there, */
	bool batch_refuse_finally;   /* or all get 400 */
	bool batch_strangers;        /* their results have lines that are no results of theirs */
	bool batch_silent;           /* they are taken, and the connection is closed instead of an answer */
	char *batch_stall;           /* file, give, look or results: what is never answered, or half; NULL: none */
	int64_t seed;
};

void behaviour_init(struct behaviour *behaviour);
void behaviour_done(struct behaviour *behaviour);

/* Sets one setting from text, as the command line does. False, with a message, when there is no
 * such setting or the value does not fit. */
bool behaviour_set(struct behaviour *behaviour, struct span name, const char *value,
		   struct bytes *error);

/* Applies a JSON object of settings: all of them, or none and a message. */
bool behaviour_apply_json(struct behaviour *behaviour, struct span json, struct bytes *error);
void behaviour_print_json(const struct behaviour *behaviour, struct bytes *out);
void behaviour_print_help(struct bytes *out);

const char *fault_name(enum fault fault);
enum fault behaviour_fault(const struct behaviour *behaviour, uint64_t number);
double behaviour_bad_verdict_rate(const struct behaviour *behaviour, uint64_t number);
int64_t behaviour_latency_usec(const struct behaviour *behaviour, uint64_t number);
