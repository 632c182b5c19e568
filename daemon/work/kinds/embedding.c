/*
 * The kind `embedding`: the vectors of a few texts, which stand in the request. They are asked for in
 * as many calls as the provider wants, a part of the texts each; the result has all of them, or there
 * is none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "daemon/store/runs.h"
#include "daemon/work/run/run.h"
#include "proto/generated/interface.h"

struct embedding_run;

struct part {
	struct run_call asking;
	struct embedding_run *run;
	struct llm_embedding embedding;
	size_t first; // of its texts
};

struct embedding_run {
	struct run base;
	const struct ellu_embed_request *request; // NULL until loaded
	struct llm_target *target;
	struct part *parts;
	size_t n_parts, n_issued, n_answered;
	size_t bytes; // of RUN_ITEMS
	struct run_spend spend; // of the last answer; what the others took is recorded already
	struct run_total total;
	struct ellu_embedding *embeddings;
	const struct ellu_embedding **list; // of them
	struct ellu_embedding_result result;
};

/* ---- Loading ---- */

static void answered(struct run_call *asking);
static void failed(struct run_call *asking);

/* An endpoint may serve several databases whose ids are alike. */
static void make_key(struct part *part)
{
	struct llm_call *call = &part->asking.call;
	uint64_t hash = 0;

	for (size_t i = 0; i < part->embedding.n_texts; i++)
		hash = hash_bytes(hash, part->embedding.texts[i], strlen(part->embedding.texts[i]));
	snprintf(call->idempotency_key, sizeof(call->idempotency_key), "ellu-embedding-%" PRId64 "-%zu-%08" PRIx32,
		 part->run->base.spec->run_id, part->first, (uint32_t)hash);
}

static void fill_part(struct embedding_run *run, struct part *part, size_t first, size_t n)
{
	const struct ellu_embed_request *request = run->request;

	*part = (struct part){
		.run = run,
		.first = first,
		.embedding = { request->texts + first, n, request->dimensions, request->purpose },
	};
	run_call_init(&part->asking, &run->base, &run->base.routes[0], run->target);
	part->asking.answered = answered;
	part->asking.failed = failed;
	part->asking.epoch = run->base.spec->epochs[0].epoch;
	part->asking.call.embedding = &part->embedding;
	make_key(part);
}

static int make_parts(struct embedding_run *run, struct fault *fault)
{
	const size_t n = run->request->n_texts;
	struct arena *arena = &run->base.arena;
	size_t max, first = 0;
	int r = llm_target_texts_max(run->target, &max, fault);

	if (r < 0)
		return r;
	run->embeddings = arena_array(arena, n, sizeof(*run->embeddings));
	run->list = arena_array(arena, n, sizeof(*run->list));
	run->parts = arena_array(arena, (n + max - 1) / max, sizeof(*run->parts));
	if (!run->embeddings || !run->list || !run->parts)
		return fault_oom(fault);
	for (; first < n; first += max)
		fill_part(run, &run->parts[run->n_parts++], first, n - first < max ? n - first : max);
	return 0;
}

static int begin(struct run *base, struct fault *fault)
{
	struct embedding_run *run = (struct embedding_run *)base;
	const struct run_spec *spec = base->spec;
	void *request;
	int r;

	run->total = RUN_TOTAL_NONE;
	r = record_from_text(&ellu_embed_request_type, spec->request, strlen(spec->request), FROM_STORE,
			     &run->base.arena, &request, fault);
	if (r < 0)
		return r;
	run->request = request;
	run_price(&run->base, spec->config);
	r = run_begin(&run->base, fault);
	if (r >= 0)
		r = run_target_new(spec->config, &spec->taken, &run->target, fault);
	return r < 0 ? r : make_parts(run, fault);
}

static void tune(struct run *base)
{
	base->routes[0].cap = run_cap_of(base, base->spec->config);
}

/* ---- Asking ---- */

static void weigh(struct embedding_run *run)
{
	size_t bytes = arena_size(&run->base.arena);

	run_weigh(&run->base, RUN_ITEMS, run->bytes, bytes);
	run->bytes = bytes;
}

static bool issue(struct run *base)
{
	struct embedding_run *run = (struct embedding_run *)base;

	while (run->n_issued < run->n_parts && run_may_spend(base) &&
	       route_has_room(base, &base->routes[0]) && run_may_hold(base, RUN_ITEMS)) {
		base->n_open = 1;
		weigh(run);
		run_call_submit(&run->parts[run->n_issued++].asking);
	}
	return run->n_answered == run->n_parts;
}

static void failed(struct run_call *asking)
{
	run_call_lost(asking);
	run_fail(asking->run, &asking->call.fault);
}

/* Models of one name make vectors of one length. */
static int take_vectors(struct embedding_run *run, const struct part *part, struct fault *fault)
{
	const struct llm_call *call = &part->asking.call;
	const size_t n = part->embedding.n_texts * call->n_dimensions;
	double *kept = arena_array(&run->base.arena, n, sizeof(*kept));

	if (!kept)
		return fault_oom(fault);
	if (run->n_answered > 0 && run->result.dimensions != (int64_t)call->n_dimensions) {
		fault_set(fault, ELLU_E_BACKEND_REJECTED, "one vector has %" PRId64 " numbers, another %zu",
			  run->result.dimensions, call->n_dimensions);
		return fault->code;
	}
	run->result.dimensions = (int64_t)call->n_dimensions;
	memcpy(kept, call->vectors, n * sizeof(*kept));
	for (size_t i = 0; i < part->embedding.n_texts; i++) {
		struct ellu_embedding *embedding = &run->embeddings[part->first + i];

		*embedding = ELLU_RECORD(struct ellu_embedding);
		embedding->vector = kept + i * call->n_dimensions;
		embedding->n_vector = call->n_dimensions;
		run->list[part->first + i] = embedding;
	}
	return 0;
}

/* What the last one took is recorded with the end. */
static void keep_spend(struct embedding_run *run, const struct llm_call *call)
{
	run->spend.input_tokens = call->input_tokens;
	run->spend.output_tokens = call->output_tokens;
	run->spend.cached_tokens = call->cached_tokens;
	run->spend.cost_nanodollars = call->cost_nanodollars;
}

static void answered(struct run_call *asking)
{
	struct part *part = container_of(asking, struct part, asking);
	struct embedding_run *run = part->run;
	struct llm_call *call = &asking->call;
	int r = take_vectors(run, part, &call->fault);

	run_total_add(&run->total, call);
	run->n_answered += r >= 0;
	if (run->n_answered == run->n_parts && run->base.phase == RUN_RUNNING)
		keep_spend(run, call);
	else
		run_call_lost(asking);
	arena_done(&call->arena);
	weigh(run);
	if (r < 0)
		run_fail(&run->base, &call->fault);
}

/* ---- The end ---- */

static void end(struct run *base)
{
	struct embedding_run *run = (struct embedding_run *)base;
	struct ellu_embedding_result *result = &run->result;

	run_item_done(base, &run->spend);
	result->struct_size = sizeof(*result);
	result->embeddings = run->list;
	result->n_embeddings = run->request->n_texts;
	result->model = run->base.spec->config->llm_model_name;
	result->attempts = run->total.attempts;
	result->duration_seconds = (double)run->total.duration_usec / USEC_PER_SEC;
	result->usage = run_total_usage(&run->total, &base->arena, &result->cost);
	if (result->usage)
		base->result.embedding = result;
	else
		run_fail_oom(base);
}

static void conclude(struct run *base)
{
	struct embedding_run *run = (struct embedding_run *)base;

	run_conclude(base, &run->spend.request);
	run_item_spend(base, &run->spend);
	run->spend.spent.source = run_source(base, run->target);
	store_run_spend(base->host.store, &run->spend);
}

static void free_run(struct run *base)
{
	struct embedding_run *run = (struct embedding_run *)base;

	for (size_t i = 0; i < run->n_parts; i++)
		arena_done(&run->parts[i].asking.call.arena);
	store_request_done(&run->spend.request);
	if (run->target)
		llm_target_unref(run->target);
}

const struct job_kind embedding_kind = {
	.size = sizeof(struct embedding_run),
	.free = free_run,
	.begin = begin,
	.issue = issue,
	.conclude = conclude,
	.end = end,
	.tune = tune,
};
