/*
 * What came back, from a provider's bytes to a call's results. The dialect of the call's target
 * says where things are; everything else is here, once for all of them: what is no UTF-8 and what
 * is no JSON, limits, keys that come back, tool calls, counts of tokens.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/backend/call.h"
#include "daemon/backend/wire/buffer.h"
#include "daemon/backend/dialect/attempt.h"
#include "daemon/backend/wire/framing.h"
#include "daemon/backend/wire/json.h"
#include "daemon/backend/dialect/target.h"

#define RESPONSE_BODY_MAX (8u * 1024 * 1024) // RESPONSE_TEXT_MAX escaped, and what surrounds it
#define RESPONSE_STREAM_MAX (32u * RESPONSE_BODY_MAX) // mostly what surrounds the pieces
#define REFUSAL_BODY_MAX (256u * 1024) // of an error more is not read

/* Counts of tokens beyond it are no counts. Sums of them, with prices, stay within numbers. */
#define ANSWER_TOKENS_MAX INT64_C(1000000000)

/* A call of a tool in a stream. */
struct tool_piece {
	int64_t number; // the provider's
	char *id; // or NULL
	char *name;
	char *signature; // or NULL
	struct buffer arguments;
	size_t told; // bytes of them
	bool begun; // something of it was told
};

/* An answer under construction: a dialect says what is in it, piece by piece. */
struct answer {
	struct llm_call *call;
	struct attempt *attempt;
	struct json_reader *reader;
	const struct framing *framing; // NULL: the body is one piece
	union framing_state state;
	const char *event_type; // what the framing calls the event that is being read, or NULL
	size_t n_rewritten; // of json_reader, by this answer
	size_t size; // that came of the body
	struct buffer text;
	size_t text_told; // bytes of it
	struct buffer tool_calls; // as a JSON array without its end
	size_t n_tool_calls;
	char *finish_reason; // or NULL
	struct token_counts tokens;
	bool cached_beside; // the input is without what went through the cache
	bool reasoning_beside; // and the output without what was reasoned
	struct tool_piece *pieces; // of tool calls that come in some
	size_t n_pieces;
	size_t piece_bytes; // of their arguments
	double *vectors; // in the call's arena, from the first one on; or NULL
	size_t n_dimensions;
	size_t n_vectors; // that came
	bool *has_vector; // which; in the arena as well
	bool has_text; // be it empty
	bool refused;
	bool unusable; // the attempt has failed
};

/* More of the text, and the text as a value is written. Here and below a value of NULL is one that is missing; what is there but of
 * another type than it can be makes the answer unusable. */
void answer_text(struct answer *answer, struct json_value *text);
void answer_written(struct answer *answer, struct json_value *value);
/* The model's own refusal, which is the text where there is none. */
void answer_refusal(struct answer *answer, struct json_value *text);
/* `id`, `name` and `arguments` as the provider has them; an id may be missing, and arguments may
 * be a text of JSON or JSON. The signature, a text, is what goes back with it. */
void answer_tool_call(struct answer *answer, struct json_value *id, struct json_value *name,
		      struct json_value *arguments, struct json_value *signature);
/* A piece of the tool call with that number, of which id and name come once. */
void answer_tool_piece(struct answer *answer, struct json_value *index, struct json_value *id,
		       struct json_value *name, struct json_value *arguments);
/* The vector of the text with that number, a list of numbers; text 0 is the first. */
void answer_vector(struct answer *answer, size_t number, struct json_value *vector);
/* A number of a vector, as all are kept. */
double answer_rounded(double value);
/* The vectors of all texts, a list of lists. */
void answer_vectors(struct answer *answer, struct json_value *vectors);
/* Why the text ends, or NULL: `stop`, `length`, `tool_calls`, `refusal`, or the provider's own
 * word. */
void answer_finish_reason(struct answer *answer, const char *reason);
/* What a provider calls it, and all do; a list of them ends with NULL. Another word stays. */
struct answer_word {
	const char *theirs, *ours;
};
const char *answer_word_of(const struct answer_word *words, const char *theirs);
/* Counts of tokens, which count whatever becomes of the answer; of several the last. */
void answer_usage(struct answer *answer, struct json_value *input, struct json_value *output,
		  struct json_value *reasoning);
/* The same where the output is without what was reasoned. */
void answer_usage_beside(struct answer *answer, struct json_value *input, struct json_value *output,
			 struct json_value *reasoning);
/* Of the input those that the provider read in its cache, and put there; `beside`: the input is without
 * them, there. */
void answer_cached(struct answer *answer, struct json_value *read, struct json_value *written,
		   bool beside);
/* It is none; why, in words of ours. The attempt is to be made again. */
void answer_unusable(struct answer *answer, const char *words);
/* It is none but an error, which the dialect's `refusal` reads, as if its status had said so. */
void answer_failed(struct answer *answer, struct json_value *json);

/* A 2xx begins to come. What the arguments point to is borrowed until answer_done(). */
void answer_begin(struct answer *answer, struct llm_call *call, struct json_reader *reader,
		  const struct framing *framing, struct attempt *attempt);
/* More of a body that is framed. False: the answer is none, whatever else comes. */
bool answer_take(struct answer *answer, const char *bytes, size_t size);
/* What it holds by now. */
size_t answer_held(const struct answer *answer);
/* All that belongs to it has come, though its stream may not be over. */
bool answer_is_whole(const struct answer *answer);
/* That was all, and `body` where it is one piece, which it spoils: the call's results, or an attempt
 * that failed. */
void answer_end(struct answer *answer, char *body, size_t size);
/* The same of a body that was read already, which it borrows. */
void answer_end_read(struct answer *answer, struct json_value *json);
/* No more comes of it, and it is none, for what the attempt says; but what it took counts. */
void answer_drop(struct answer *answer);
void answer_done(struct answer *answer);

/* What came since the last time, of a body that is framed; with `all` also what may yet turn out to
 * be the begin of a key. Lies in the arena. 0: nothing; -ENOMEM: it is still to be told. */
int answer_delta(struct answer *answer, bool all, struct arena *arena,
		 struct ellu_call_delta *ret_delta);
size_t answer_untold(const struct answer *answer); // bytes

/* ---- For the files of an answer ---- */

/* More is never kept than an answer may have: false, and it is none. */
bool answer_has_room(struct answer *answer, size_t size);
/* Those that came in pieces are whole. */
void tool_calls_join(struct answer *answer);
void tool_calls_done(struct answer *answer);
/* All vectors are there: they are the call's. */
void vectors_end(struct answer *answer);
