#include "daemon/work/run/chain.h"

#include <stdio.h>
#include <string.h>

#include "proto/text/utf8.h"

/* ---- Models ---- */

int model_init(struct model *model, struct run *run, struct route *route,
	       const struct ellu_llm_config *config, const struct taken_today *taken, struct fault *fault)
{
	model->config = config;
	model->route = route;
	run_price(run, config);
	return run_target_new(config, taken, &model->target, fault);
}

void model_done(struct model *model)
{
	if (model->target)
		llm_target_unref(model->target);
}

int answerers_init(struct answerers *answerers, struct run *run, const struct run_spec *spec,
		   const struct ellu_llm_config *own, struct fault *fault)
{
	int r;

	if (!own)
		return 0;
	answerers->items = arena_array(&run->arena, 1 + spec->n_fallbacks, sizeof(*answerers->items));
	if (!answerers->items)
		return fault_oom(fault);
	answerers->n = 1 + spec->n_fallbacks;
	r = model_init(&answerers->items[0], run, &run->routes[0], own, &spec->taken, fault);
	answerers->items[0].identity = spec->config_identity;
	for (size_t i = 1; r >= 0 && i < answerers->n; i++) {
		const struct run_config *config = &spec->fallbacks[i - 1];

		r = model_init(&answerers->items[i], run, &run->routes[RUN_FALLBACK_ROUTES + i - 1],
			       config->config, &config->taken, fault);
		answerers->items[i].identity = config->identity;
	}
	return r;
}

void answerers_done(struct answerers *answerers)
{
	for (size_t i = 0; i < answerers->n; i++)
		model_done(&answerers->items[i]);
}

void answerers_tune(struct answerers *answerers, const struct run *run)
{
	for (size_t i = 0; i < answerers->n; i++)
		answerers->items[i].route->cap = run_cap_of(run, answerers->items[i].config);
}

/* ---- The order ---- */

/* The first from there on that is not known to be none; n: there is no such. */
static size_t find_whole(const struct model *models, const size_t *order, size_t n, size_t from)
{
	while (from < n && models[order ? order[from] : from].broken.code)
		from++;
	return from;
}

const struct model *model_first(const struct model *models, const size_t *order, size_t n, size_t from)
{
	size_t i = find_whole(models, order, n, from);

	return i < n ? &models[order ? order[i] : i] : NULL;
}

static struct model *model_at(const struct chain *chain, size_t i)
{
	return i < chain->n ? &chain->models[chain->order ? chain->order[i] : i] : NULL;
}

struct model *chain_model(const struct chain *chain)
{
	return model_at(chain, chain->at);
}

static size_t next_whole(const struct chain *chain, size_t from)
{
	return find_whole(chain->models, chain->order, chain->n, from);
}

bool chain_has_more(const struct chain *chain)
{
	return next_whole(chain, chain->at + 1) < chain->n;
}

struct model *chain_begin(struct chain *chain, struct fault *ret_fault)
{
	chain->at = next_whole(chain, 0);
	if (chain->at == chain->n && chain->n > 0)
		*ret_fault = model_at(chain, chain->n - 1)->broken;
	return chain_model(chain);
}

/* What did not reach its endpoint says nothing of that, until it is several. */
static void note_trouble(struct chain *chain, const struct llm_call *call)
{
	struct model *model = chain_model(chain);
	bool unreached = call->outcome == LLM_UNREACHABLE && !model->route->reached;

	if (call->outcome == LLM_CONFIG_FAILED || (unreached && ++model->n_unreached == RUN_UNREACHABLE_MAX))
		model->broken = call->fault;
	chain->reached |= call->outcome != LLM_CONFIG_FAILED && !unreached;
}

/* Both are seen: what the first one said, and what the last one does. */
static void note_first(struct chain *chain, struct fault *fault)
{
	const char *words = fault->first_message[0] ? fault->first_message : fault->message;
	const size_t size = sizeof(chain->first);

	if (chain->first[0] && strcmp(chain->first, fault->message) != 0)
		memcpy(fault->first_message, chain->first, size);
	else if (!chain->first[0] && chain->n > 1)
		snprintf(chain->first, size, "%.*s", (int)utf8_cut(words, strlen(words), size - 1), words);
}

struct model *chain_go_on(struct chain *chain, struct run_call *failed, const char *what)
{
	const struct model *asked = chain_model(chain);
	const struct llm_call *call = &failed->call;
	struct run_log *log = &failed->run->log;

	note_trouble(chain, call);
	note_first(chain, &failed->call.fault);
	for (chain->at++; (chain->at = next_whole(chain, chain->at)) < chain->n; chain->at++) {
		struct model *next = chain_model(chain);
		struct fault fault = { 0 };

		if (llm_target_check(next->target, call->messages, call->n_messages, &fault) >= 0) {
			run_log_failure(log, "%s%s cannot answer, %s is asked: %s", what, asked->config->name,
					next->config->name, call->fault.message);
			return next;
		}
		run_log_failure(log, "%s%s is not asked: %s", what, next->config->name, fault.message);
	}
	return NULL;
}
