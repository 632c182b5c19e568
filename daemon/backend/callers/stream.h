/*
 * What a model says, on its way to who reads it while it is being said. It goes straight from the
 * backend's loop to the reader's, past who waits for the call, one message at a time: what arrives
 * while the reader has one goes with the next, and when much waits for him the provider is not
 * read any further. All of it is with the reader before the call is back.
 *
 * The reader makes the stream and hands it down with what becomes the call. It is counted: the
 * reader holds a reference, so does who carries it, the call while it is with the backend, and the
 * message on its way.
 *
 * Invariant: `place` says whose the message is; only its owner looks at it, or changes the place.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/loop.h"
#include "elluminate-types.h"
#include "proto/arena.h"

struct answer;
struct backend;
struct job;

enum stream_place {
	STREAM_HOME, // with the backend, which the reader gave it back to without a word
	STREAM_AWAY, // with the reader, or on its way to him
	STREAM_AWAITED, // the same, and it is to come back as a message: there is more
	STREAM_BACK, // which is on its way
};

struct stream_piece {
	struct arena arena;
	struct ellu_call_delta delta;
	int64_t reset; // what it points to
	bool is_any; // there is something in it
};

#define STREAM_WAITING_MAX (32u * 1024) // bytes for a reader; what comes beyond is not read

struct llm_stream {
	atomic_uint references;
	atomic_int place;
	struct backend *backend;
	struct loop *loop; // the reader's
	bool may_reset; // an answer that has begun may begin again

	/* The reader's. */
	void (*take)(void *userdata, const struct ellu_call_delta *delta);
	void *userdata; // NULL: he has gone
	bool held; // he has a piece

	/* The message's owner's. */
	struct message message;
	struct stream_piece piece;

	/* The backend's. */
	struct job *job; // or NULL
	void (*read_on)(struct job *job); // he has had what he was told
	struct answer *answer; // of the job, as it comes; or NULL
	struct stream_piece rest; // of an answer that is over
	int64_t reset; // of the attempt that begins, to be told; 0: nothing of it is void
	bool begun; // something of this attempt's answer was told
	int64_t attempts; // of earlier calls with it, such as one whose answer did not do
};

/* ---- For the reader, on his loop ---- */

/* `take` is called with a piece, which is borrowed until llm_stream_read_on(). NULL: no memory. */
struct llm_stream *llm_stream_new(struct backend *backend, struct loop *loop, bool may_reset,
				  void (*take)(void *userdata, const struct ellu_call_delta *delta),
				  void *userdata);
/* He is done with the piece that he has, and wants the next. */
void llm_stream_read_on(struct llm_stream *stream);
/* He wants no more, and gives up his reference. NULL is fine. */
struct llm_stream *llm_stream_leave(struct llm_stream *stream);

/* ---- For who carries it, on any thread; NULL is fine ---- */

struct llm_stream *llm_stream_ref(struct llm_stream *stream);
struct llm_stream *llm_stream_unref(struct llm_stream *stream);

/* Whether nothing may be asked again, since the reader has some of the answer; once the call is
 * back, or by the backend. */
static inline bool llm_stream_is_bound(const struct llm_stream *stream)
{
	return stream && stream->begun && !stream->may_reset;
}

/* ---- For the backend ---- */

/* A job begins with it, and is done with it. */
void stream_enter(struct llm_stream *stream, struct job *job, void (*read_on)(struct job *job));
void stream_leave(struct llm_stream *stream);
/* An attempt begins; what was told before is void. */
void stream_restart(struct llm_stream *stream, int64_t attempt);
/* Tells what can be told, if the reader has had the piece before. */
void stream_tell(struct llm_stream *stream);
/* The answer is whole, and its attempt over: what was not told of it is kept. -ENOMEM. */
int stream_keep(struct llm_stream *stream);
/* The call has its results. True: all of them have been told; else `read_on` follows. */
bool stream_finish(struct llm_stream *stream);
