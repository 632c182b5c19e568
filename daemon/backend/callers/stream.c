#include "daemon/backend/callers/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/backend/core.h"
#include "daemon/base/container_of.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"

/* ---- Pieces ---- */

static void piece_clear(struct stream_piece *piece)
{
	arena_done(&piece->arena);
	arena_init(&piece->arena);
	piece->is_any = false;
}

/* What is to be said of an earlier attempt goes before it. */
static void add_reset(struct llm_stream *stream, struct stream_piece *piece)
{
	if (!stream->reset)
		return;
	piece->reset = stream->reset;
	piece->delta.reset = &piece->reset;
	piece->is_any = true;
	stream->reset = 0;
}

/* ---- The reader ---- */

struct llm_stream *llm_stream_new(struct backend *backend, struct loop *loop, bool may_reset,
				  void (*take)(void *userdata, const struct ellu_call_delta *delta),
				  void *userdata)
{
	struct llm_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	atomic_init(&stream->references, 1);
	atomic_init(&stream->place, STREAM_HOME);
	stream->backend = backend;
	stream->loop = loop;
	stream->may_reset = may_reset;
	stream->take = take;
	stream->userdata = userdata;
	arena_init(&stream->piece.arena);
	arena_init(&stream->rest.arena);
	return stream;
}

struct llm_stream *llm_stream_ref(struct llm_stream *stream)
{
	if (stream)
		atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
	return stream;
}

struct llm_stream *llm_stream_unref(struct llm_stream *stream)
{
	if (!stream || atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) > 1)
		return NULL;
	arena_done(&stream->piece.arena);
	arena_done(&stream->rest.arena);
	free(stream);
	return NULL;
}

static void on_back(struct message *message);

static bool moves(struct llm_stream *stream, int from, int to)
{
	return atomic_compare_exchange_strong(&stream->place, &from, to);
}

void llm_stream_read_on(struct llm_stream *stream)
{
	stream->held = false;
	stream->message.deliver = on_back;
	for (;;) {
		if (moves(stream, STREAM_AWAY, STREAM_HOME)) {
			llm_stream_unref(stream); // the message's
			return;
		}
		if (moves(stream, STREAM_AWAITED, STREAM_BACK)) {
			loop_post(stream->backend->ground.loop, &stream->message);
			return;
		}
	}
}

struct llm_stream *llm_stream_leave(struct llm_stream *stream)
{
	if (!stream)
		return NULL;
	stream->userdata = NULL;
	if (stream->held)
		llm_stream_read_on(stream);
	return llm_stream_unref(stream);
}

static void on_piece(struct message *message)
{
	struct llm_stream *stream = container_of(message, struct llm_stream, message);

	stream->held = true;
	if (stream->userdata)
		stream->take(stream->userdata, &stream->piece.delta);
	else
		llm_stream_read_on(stream);
}

/* ---- The backend ---- */

/* Whether something can be told now; if not, `read_on` follows when it can. */
static bool is_home(struct llm_stream *stream)
{
	return atomic_load(&stream->place) == STREAM_HOME ||
	       (!moves(stream, STREAM_AWAY, STREAM_AWAITED) &&
		atomic_load(&stream->place) == STREAM_HOME);
}

static void post(struct llm_stream *stream)
{
	llm_stream_ref(stream);
	atomic_store(&stream->place, STREAM_AWAY);
	stream->message.deliver = on_piece;
	loop_post(stream->loop, &stream->message);
}

static void on_back(struct message *message)
{
	struct llm_stream *stream = container_of(message, struct llm_stream, message);

	atomic_store(&stream->place, STREAM_HOME);
	if (stream->job)
		stream->read_on(stream->job);
	llm_stream_unref(stream);
}

void stream_enter(struct llm_stream *stream, struct job *job, void (*read_on)(struct job *job))
{
	stream->job = job;
	stream->read_on = read_on;
	llm_stream_ref(stream);
}

void stream_leave(struct llm_stream *stream)
{
	stream->attempts += stream->job->call->attempts;
	stream->job = NULL;
	(void)moves(stream, STREAM_AWAITED, STREAM_AWAY);
	llm_stream_unref(stream);
}

void stream_restart(struct llm_stream *stream, int64_t attempt)
{
	piece_clear(&stream->rest);
	if (!stream->begun)
		return;
	stream->begun = false;
	stream->reset = stream->attempts + attempt;
	stream_tell(stream);
}

void stream_tell(struct llm_stream *stream)
{
	struct answer *answer = stream->answer;
	struct stream_piece *piece = &stream->piece;

	if ((!stream->reset && (!answer || answer_untold(answer) == 0)) || !is_home(stream))
		return;
	piece_clear(piece);
	piece->delta = (struct ellu_call_delta)ELLU_RECORD(struct ellu_call_delta);
	if (answer)
		piece->is_any = answer_delta(answer, /* all= */ false, &piece->arena,
					     &piece->delta) > 0;
	stream->begun |= piece->is_any;
	add_reset(stream, piece);
	if (piece->is_any)
		post(stream);
}

int stream_keep(struct llm_stream *stream)
{
	struct stream_piece *rest = &stream->rest;
	int r = answer_delta(stream->answer, /* all= */ true, &rest->arena, &rest->delta);

	rest->is_any = r > 0;
	return r < 0 ? r : 0;
}

/* An answer that did not come as a stream. */
static void keep_result(struct llm_stream *stream)
{
	const struct llm_call *call = stream->job->call;
	struct stream_piece *rest = &stream->rest;
	const struct ellu_tool_call *const *calls = NULL;
	const struct ellu_tool_call_delta **list;
	struct ellu_tool_call_delta *deltas;
	size_t n = 0;

	rest->delta = (struct ellu_call_delta)ELLU_RECORD(struct ellu_call_delta);
	if (call->text && *call->text)
		rest->delta.text = arena_strdup(&rest->arena, call->text);
	if (record_list_from_text(&ellu_tool_call_type, call->tool_calls, FROM_STORE, &rest->arena,
				  &calls, &n) < 0)
		n = 0;
	list = arena_array(&rest->arena, n, sizeof(*list));
	deltas = arena_array(&rest->arena, n, sizeof(*deltas));
	for (size_t i = 0; list && deltas && i < n; i++) {
		deltas[i] = (struct ellu_tool_call_delta)ELLU_RECORD(struct ellu_tool_call_delta);
		deltas[i].id = calls[i]->id;
		deltas[i].name = calls[i]->name;
		deltas[i].arguments = calls[i]->arguments;
		list[i] = &deltas[i];
		rest->delta.n_tool_calls++;
	}
	rest->delta.tool_calls = rest->delta.n_tool_calls > 0 ? list : NULL;
	rest->is_any = rest->delta.text || rest->delta.tool_calls;
}

bool stream_finish(struct llm_stream *stream)
{
	struct stream_piece *rest = &stream->rest;

	if (!stream->begun && !rest->is_any)
		keep_result(stream);
	stream->begun = true;
	if (!rest->is_any && !stream->reset)
		return true;
	if (!is_home(stream))
		return false;
	piece_clear(&stream->piece);
	add_reset(stream, rest);
	stream->piece.arena = arena_take(&rest->arena);
	stream->piece.delta = rest->delta;
	stream->piece.reset = rest->reset;
	if (rest->delta.reset)
		stream->piece.delta.reset = &stream->piece.reset;
	rest->is_any = false;
	post(stream);
	loop_hand_over(); // before the call is back
	return true;
}
