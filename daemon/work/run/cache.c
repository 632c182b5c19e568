#include "daemon/work/run/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/generated/interface.h"

/* ---- What is the same ---- */

/* NULL is a value of its own. */
static void add_text(struct sha256 *hash, const char *text)
{
	const int64_t size = text ? (int64_t)strlen(text) : -1;

	sha256_add(hash, &size, sizeof(size));
	if (text)
		sha256_add(hash, text, (size_t)size);
}

static int add_record(struct sha256 *hash, const struct record_type *type, const void *record)
{
	json_object *json = NULL;
	int r = record ? record_encode(type, record, TO_STORE, &json) : 0;

	if (r >= 0)
		add_text(hash, json ? json_text(json, NULL) : NULL);
	json_object_put(json);
	return r;
}

static int make_key(struct run_call *call, const char *identity)
{
	const struct llm_call *asked = &call->call;
	struct ellu_generation_params params;
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	int r = 0;

	sha256_init(&hash);
	sha256_add(&hash, &call->epoch, sizeof(call->epoch));
	add_text(&hash, identity);
	add_text(&hash, asked->tool_choice);
	add_text(&hash, asked->response_format);
	if (asked->params) {
		params = *asked->params;
		params.max_connections = NULL; // says nothing of the answer
	}
	r = add_record(&hash, &ellu_generation_params_type, asked->params ? &params : NULL);
	for (size_t i = 0; r >= 0 && i < asked->n_messages; i++)
		r = add_record(&hash, &ellu_message_type, asked->messages[i]);
	add_text(&hash, NULL);
	for (size_t i = 0; r >= 0 && i < asked->n_tools; i++)
		r = add_record(&hash, &ellu_tool_type, asked->tools[i]);
	sha256_done(&hash, digest);
	sha256_text(digest, call->cache_key);
	return r;
}

/* ---- Looking for it ---- */

struct look_up {
	struct cache_find op;
	struct run_call *call;
};

static int copy(struct arena *arena, const char *text, const char **ret_text)
{
	*ret_text = text ? arena_strdup(arena, text) : NULL;
	return text && !*ret_text ? -ENOMEM : 0;
}

static void on_noted(struct store_request *request)
{
	struct cache_keep *op = container_of(request, struct cache_keep, request);
	struct run *run = request->userdata;

	(void)run_take_spare(run, request, "the answer is not kept");
	store_request_done(request);
	free(op);
	run_go_on(run);
}

/* Without memory it is not kept, or not counted. */
static struct cache_keep *note(struct run_call *call)
{
	struct cache_keep *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	run_expect(call->run, &op->request, on_noted);
	op->owner_uid = call->run->task.owner_uid;
	op->project_id = call->run->project_id;
	op->hit = call->cached;
	memcpy(op->key, call->cache_key, sizeof(op->key));
	return op;
}

static void take_found(struct run_call *call, const struct cache_find *found)
{
	struct llm_call *answer = &call->call;
	struct cache_keep *hit;

	answer->outcome = LLM_ANSWERED;
	answer->fault = (struct fault){ 0 };
	if (copy(&answer->arena, found->ret_text, &answer->text) < 0 ||
	    copy(&answer->arena, found->ret_tool_calls, &answer->tool_calls) < 0 ||
	    copy(&answer->arena, found->ret_finish_reason, &answer->finish_reason) < 0) {
		run_fail_oom(call->run);
		return;
	}
	answer->replaced = answer->attempts = answer->duration_usec = 0;
	answer->input_tokens = found->ret_input_tokens;
	answer->output_tokens = found->ret_output_tokens;
	answer->reasoning_tokens = found->ret_reasoning_tokens;
	answer->cached_tokens = -1;
	answer->cost_nanodollars = 0;
	call->cached = true;
	hit = note(call);
	if (hit)
		store_cache_keep(call->run->host.store, hit);
	call->answered(call);
}

static void on_found(struct store_request *request)
{
	struct look_up *look_up = container_of(request, struct look_up, op.request);
	struct run_call *call = look_up->call;
	struct run *run = call->run;

	call->route->handed--;
	if (run_take_spare(run, request, "kept answers cannot be read") && run->phase == RUN_RUNNING) {
		if (request->result >= 0 && look_up->op.ret_found) {
			run_call_let_go(call);
			take_found(call, &look_up->op);
		} else if (!run->over_budget) {
			run_call_submit(call); // or it stays missing
		}
	}
	store_request_done(request);
	free(look_up);
	run_go_on(run);
}

void cache_ask(struct run_call *call, const char *identity)
{
	struct look_up *look_up = identity ? calloc(1, sizeof(*look_up)) : NULL;

	call->cached = false;
	call->cache_key[0] = '\0';
	if (!look_up || make_key(call, identity) < 0) {
		free(look_up);
		call->cache_key[0] = '\0';
		run_call_submit(call);
		return;
	}
	look_up->call = call;
	call->route->handed++;
	run_call_hold(call);
	run_expect(call->run, &look_up->op.request, on_found);
	look_up->op.project_id = call->run->project_id;
	look_up->op.key = call->cache_key;
	store_cache_find(call->run->host.store, &look_up->op);
}

/* ---- Keeping it ---- */

void cache_keep_answer(struct run_call *call)
{
	const struct llm_call *answer = &call->call;
	struct cache_keep *op = call->cache_key[0] && !call->cached ? note(call) : NULL;

	if (!op)
		return;
	op->input_tokens = answer->input_tokens;
	op->output_tokens = answer->output_tokens;
	op->reasoning_tokens = answer->reasoning_tokens;
	if (copy(&op->request.arena, answer->text, &op->text) < 0 ||
	    copy(&op->request.arena, answer->tool_calls, &op->tool_calls) < 0 ||
	    copy(&op->request.arena, answer->finish_reason, &op->finish_reason) < 0)
		op->key[0] = '\0'; // nothing is kept of it
	store_cache_keep(call->run->host.store, op);
}
