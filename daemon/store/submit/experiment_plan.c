/* What RunExperiment would do: it is made, described, and taken back. Rendering and estimating, which take
 * the longest, are a reader's again. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/collections/row_walk.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/submit/experiment_submit.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/usage.h"

/* The cases that what all of them take is estimated by. */
#define SAMPLE_ROWS 20
#define SAMPLE_BYTES (256u << 10)
#define REQUESTS_BYTES (4u << 20) // rendered
/* What a judge is asked beside request, answer and criterion, and what it answers. */
#define JUDGE_PROMPT_TOKENS 300
#define VERDICT_TOKENS 12
#define REASONED_VERDICT_TOKENS 120

struct sample {
	struct prompt prompt;
	const char *rows[SAMPLE_ROWS];
	size_t n_rows;
	size_t row_bytes; // of all of them
	size_t n_rendered; // that could be
	size_t request_bytes; // of all of those
};

static int take_row(struct row_walk *walk, sqlite3_stmt *q)
{
	struct sample *sample = walk->userdata;
	const char *text = tx_text(walk->tx, q, 1);

	if (!text)
		return -ENOMEM;
	sample->rows[sample->n_rows++] = text;
	sample->row_bytes += strlen(text);
	return sample->n_rows == SAMPLE_ROWS || sample->row_bytes > SAMPLE_BYTES;
}

static int read_sample(struct submission *s, struct sample *sample)
{
	struct row_walk walk = {
		.tx = s->tx,
		.state = &s->collection,
		.sequence = s->collection.first_sequence + 1,
		.found = take_row,
		.userdata = sample,
	};
	int r = row_walk(&walk);

	return r < 0 ? r : 0;
}

static int read_row(struct submission *s, const char *text, json_object **ret_values)
{
	int r = collection_fill(s->tx, s->run.column_defaults, text, &text);

	if (r < 0)
		return r;
	*ret_values = tx_parse(text);
	return *ret_values ? 0 : -ENOMEM;
}

static size_t bytes_of(const struct ellu_message *const *messages, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++) {
		bytes += messages[i]->content ? strlen(messages[i]->content) : 0;
		for (size_t k = 0; k < messages[i]->n_parts; k++) {
			const char *text = messages[i]->parts[k]->text;

			bytes += text ? strlen(text) : USAGE_SHOWN_TOKENS * USAGE_TOKEN_BYTES;
		}
	}
	return bytes;
}

/* The first case is shown, and has to be in order; of the others those count that are. */
static int render(struct submission *s, struct sample *sample, struct ellu_experiment_plan *plan)
{
	int r;

	if (prompt_is_empty(&sample->prompt) || s->arguments->response_column)
		return 0;
	for (size_t i = 0; i < sample->n_rows && sample->request_bytes <= REQUESTS_BYTES; i++) {
		const struct ellu_message *const *messages;
		struct fault fault = { 0 };
		json_object *values;
		size_t n_messages;

		r = read_row(s, sample->rows[i], &values);
		if (r < 0)
			return r;
		r = prompt_render(&sample->prompt, values, s->tx->arena, &messages, &n_messages, &fault);
		json_object_put(values);
		if (r == ELLU_E_INVALID_PARAMETER && i == 0)
			return fault_invalid(s->tx->fault, "collection",
					     "a value of '%s' in its first row, which the prompt needs",
					     fault.field);
		if (r < 0 && i == 0) {
			*s->tx->fault = fault;
			return r;
		}
		if (r < 0)
			continue;
		sample->request_bytes += bytes_of(messages, n_messages);
		if (sample->n_rendered++ == 0) {
			plan->messages = messages;
			plan->n_messages = n_messages;
		}
	}
	return 0;
}

static int64_t at_least_0(int64_t n)
{
	return n > 0 ? n : 0;
}

/* What models are asked about an answer. */
struct judged {
	struct tx_list own_configs; // of evaluators that name one
	int64_t n_by_judge, n_own; // measures, and of those evaluators that name a config
	int64_t n_judges;
	int64_t missing, own_missing; // of both, over all cases
	size_t bytes, own_bytes; // of what is asked, once each
};

static int add_use(struct submission *s, struct judged *judged, const struct ellu_evaluator *evaluator)
{
	struct ellu_llm_config *config;
	int64_t id;
	int r;

	if (!evaluator->prompt)
		return 0;
	judged->n_by_judge += !evaluator->llm_config;
	judged->n_own += evaluator->llm_config != NULL;
	*(evaluator->llm_config ? &judged->own_bytes : &judged->bytes) += strlen(evaluator->prompt);
	if (!evaluator->llm_config)
		return 0;
	r = resource_resolve(s->tx, &resource_llm_config, &s->scope, evaluator->llm_config, &id);
	if (r >= 0)
		r = llm_config_load(s->tx, id, &config, NULL);
	return r < 0 ? r : tx_append(s->tx, &judged->own_configs, config);
}

static int find_judged(struct submission *s, struct judged *judged)
{
	struct tx_list measures = { 0 };
	struct evaluator_uses uses = { 0 };
	int r = run_criteria(s->tx, s->run.id, &measures);

	for (size_t i = 0; r >= 0 && i < measures.n; i++) {
		const struct run_measure *measure = measures.items[i];

		judged->n_by_judge += measure->by_judge;
		judged->bytes += measure->by_judge ? strlen(measure->text) : 0;
	}
	if (r >= 0)
		r = uses_of_run(s->tx, s->run.id, &uses);
	for (size_t i = 0; r >= 0 && i < uses.n; i++)
		r = add_use(s, judged, uses.evaluators[i]);
	return r;
}

/* What is missing of it; nothing is, of a finished one. */
static int count_calls(struct submission *s, struct ellu_experiment_plan *plan, struct judged *judged)
{
	const struct ellu_experiment *experiment = plan->experiment;
	int64_t pairs = experiment->total_cases * experiment->n_epochs;
	int64_t generated = 0, failed = 0, ratings = 0, n_asked, missing;
	struct run_spec spec = { 0 };
	int r;

	if (plan->finished)
		return 0;
	r = run_counters(s->tx, s->run.id, &spec);
	for (size_t i = 0; i < spec.n_epochs; i++) {
		generated += spec.epochs[i].generated;
		failed += spec.epochs[i].failed;
		ratings += spec.epochs[i].ratings;
	}
	if (!experiment->response_column)
		plan->generation_calls = at_least_0(pairs - generated);
	if (r >= 0)
		r = find_judged(s, judged);
	if (r < 0)
		return r;
	n_asked = judged->n_by_judge + judged->n_own;
	/* The others are decided as soon as there is an answer. */
	ratings = at_least_0(ratings - ((int64_t)spec.n_measures - n_asked) * (generated - failed));
	missing = at_least_0((pairs - failed) * n_asked - ratings);
	if (n_asked > 0)
		judged->own_missing = missing * judged->n_own / n_asked;
	if (experiment->n_rating_llm_configs)
		judged->n_judges = (int64_t)experiment->n_rating_llm_configs;
	judged->missing = missing - judged->own_missing;
	plan->judge_calls = judged->n_judges * judged->missing + judged->own_missing;
	return 0;
}

/* ---- What they may take ---- */

struct taken {
	double input, output; // tokens
	double cost; // nanodollars
	bool unpriced;
};

/* `percent` of what a call costs alone. */
static void add_calls(struct submission *s, const struct ellu_llm_config *config, int64_t calls, double input,
		      double output, int percent, struct taken *taken)
{
	struct ellu_llm_config priced;

	if (calls == 0)
		return;
	taken->input += (double)calls * input;
	taken->output += (double)calls * output;
	if (!config) {
		taken->unpriced = true;
		return;
	}
	priced = *config;
	llm_config_fill_prices(s->tx, &priced);
	if (!priced.price_input || !priced.price_output) {
		taken->unpriced = true;
		return;
	}
	taken->cost += (double)calls * (input * (double)*priced.price_input +
					output * (double)*priced.price_output) / 1e6 * percent / 100;
}

static double mean_tokens(size_t bytes, size_t n)
{
	return n > 0 ? (double)bytes / (double)n / USAGE_TOKEN_BYTES : 0;
}

static double answer_tokens(const struct submission *s, const struct sample *sample)
{
	const struct ellu_generation_params *params = s->arguments->generation_params;
	const int64_t *most = params && params->max_tokens ? params->max_tokens :
			      s->config ? s->config->max_tokens : NULL;

	if (s->arguments->response_column)
		return mean_tokens(sample->row_bytes, sample->n_rows);
	return most && *most < USAGE_ANSWER_TOKENS ? (double)*most : USAGE_ANSWER_TOKENS;
}

static const int64_t *bounded(struct submission *s, double value)
{
	return tx_int_value(s->tx, value < (double)INTEGER_MAX ? llround(value) : INTEGER_MAX);
}

static int estimate(struct submission *s, const struct sample *sample, const struct judged *judged,
		    struct ellu_experiment_plan *plan)
{
	const size_t n_judges = s->n_judges > 0 ? s->n_judges : 1;
	const char *system_message = s->config ? s->config->system_message : NULL;
	const bool detailed = s->run.rating_mode && strcmp(s->run.rating_mode, "detailed") == 0;
	double request = mean_tokens(sample->request_bytes, sample->n_rendered);
	double answer = answer_tokens(s, sample);
	struct taken taken = { 0 };

	add_calls(s, s->config, plan->generation_calls,
		  request + mean_tokens(system_message ? strlen(system_message) : 0, 1), answer,
		  s->run.batch && s->config ? provider_find(s->config->provider)->batch_price_percent : 100, &taken);
	for (size_t i = 0; i < n_judges; i++)
		add_calls(s, s->n_judges > 0 ? s->judge_configs[i] : s->config,
			  judged->n_judges * judged->missing / (int64_t)n_judges,
			  JUDGE_PROMPT_TOKENS + request + answer +
				  mean_tokens(judged->bytes, (size_t)judged->n_by_judge),
			  detailed ? REASONED_VERDICT_TOKENS : VERDICT_TOKENS, 100, &taken);
	/* Each as often as the others. */
	for (size_t i = 0; i < judged->own_configs.n; i++)
		add_calls(s, judged->own_configs.items[i], judged->own_missing / judged->n_own,
			  JUDGE_PROMPT_TOKENS + request + answer +
				  mean_tokens(judged->own_bytes, (size_t)judged->n_own),
			  REASONED_VERDICT_TOKENS, 100, &taken);
	plan->input_tokens = bounded(s, taken.input);
	plan->output_tokens = bounded(s, taken.output);
	if (!taken.unpriced)
		plan->cost = bounded(s, taken.cost);
	return plan->input_tokens && plan->output_tokens && (taken.unpriced || plan->cost) ? 0 : -ENOMEM;
}

static int describe(struct submission *s, struct sample *sample, struct judged *judged,
		    struct ellu_experiment_plan *plan)
{
	const struct task_submit *submit = s->op;
	int r;

	if (s->rejected.code) {
		*s->tx->fault = s->rejected;
		return s->rejected.code;
	}
	r = experiment_load(s->tx, *submit->ret_task->experiment_id, &plan->experiment);
	if (r < 0)
		return r;
	plan->is_new = s->is_new;
	plan->finished = submit->ret_existing;
	plan->notes = tx_list_items(s->tx, &s->notes.lines);
	plan->n_notes = s->notes.lines.n;
	r = count_calls(s, plan, judged);
	if (r >= 0)
		r = read_sample(s, sample);
	return r < 0 ? r : run_prompt_load(s->tx, &s->run, &sample->prompt);
}

struct trial {
	struct submission s;
	struct ellu_experiment_plan *plan;
	struct sample sample;
	struct judged judged;
};

/* In one transaction: so what is said is what would happen, by the same checks. */
static int submit_and_describe(void *userdata)
{
	struct trial *trial = userdata;
	int r = submission_run(&trial->s);

	if (r >= 0)
		r = describe(&trial->s, &trial->sample, &trial->judged, trial->plan);
	return r < 0 ? r : 1;
}

static int finish(struct tx *tx, struct trial *trial)
{
	int r;

	trial->s.tx = tx;
	r = render(&trial->s, &trial->sample, trial->plan);
	return r < 0 ? r : estimate(&trial->s, &trial->sample, &trial->judged, trial->plan);
}

static int read_plan(struct tx *tx, struct method_run *op)
{
	const struct ellu_plan_experiment_request *request = op->arguments;
	struct ellu_run_experiment_request *run;
	void *record;
	int r;

	r = record_from_text(&ellu_run_experiment_request_type, request->run, strlen(request->run),
			     FROM_CLIENT, tx->arena, &record, tx->fault);
	if (r < 0)
		return r;
	run = record;
	run->idempotency_key = NULL; // what an earlier request came to is no plan
	return submission_prepare(tx, op, run);
}

int experiment_plan(struct tx *tx, struct method_run *op)
{
	struct prepared *prepared = op->request.state;
	struct ellu_plan_experiment_reply *reply;
	struct trial *trial;

	if (!prepared)
		return read_plan(tx, op);
	if (prepared->trial)
		return finish(tx, prepared->trial);
	reply = method_reply(tx, op);
	trial = tx_alloc(tx, sizeof(*trial));
	if (!reply || !trial)
		return -ENOMEM;
	trial->plan = TX_RECORD(tx, struct ellu_experiment_plan);
	if (!trial->plan)
		return -ENOMEM;
	reply->plan = trial->plan;
	trial->judged.n_judges = 1;
	prepared->trial = trial;
	op->request.lane = STORE_SCAN;
	submission_init(&trial->s, tx, &prepared->submit, prepared->input);
	return task_submit_try(tx, submit_and_describe, trial);
}
