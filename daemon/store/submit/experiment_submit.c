/*
 * NAME, NAME #2, ... are a family. Bringing things to a request's content looks for the one of them
 * that is pinned the same: it is answered (finished) or continued; anything else is a new one.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/resources/collections/collection.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/prompts/prompt_template.h"
#include "daemon/store/submit/experiment_submit.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"

/* ---- What the request alone shows wrong ---- */

static int invalid(struct submission *s, const char *field, const char *expected)
{
	return fault_invalid(s->tx->fault, field, "%s", expected);
}

static int check_parts(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	int r;

	if (!a->name)
		return invalid(s, "name", "a name for the experiment");
	if (!a->collection)
		return invalid(s, "collection", "a collection of test cases");
	if (a->fallback_llm_configs && a->response_column)
		return invalid(s, "fallback_llm_configs", "nothing, where a column has the answers");
	if (a->tool_results && a->response_column)
		return invalid(s, "tool_results", "nothing, where a column has the answers");
	if (a->tool_rounds && !a->tool_results)
		return invalid(s, "tool_rounds", "nothing, without tool_results");
	if (a->batch && (a->response_column || a->tool_results || a->fallback_llm_configs || a->response_cache))
		return invalid(s, "batch", a->response_column ? "nothing, where a column has the answers" :
					   a->tool_results ? "nothing, where tools are answered" :
					   a->response_cache ? "nothing, where answers are kept" :
							       "nothing, where there are fallback_llm_configs");
	r = judges_check(s->tx, a->rating_llm_config, a->rating_llm_configs, a->rating_reduction);
	return r < 0 ? r : criteria_check(s->tx, a->name,
			      &(struct inline_criteria){ a->criteria, a->n_criteria,
							 { a->measures, a->n_measures } },
			      a->criterion_set);
}

static int check_again(struct submission *s)
{
	const struct ellu_run_experiment_request *a = s->arguments;
	const struct {
		const char *name;
		const void *value;
	} parts[] = {
		{ "name", a->name },
		{ "description", a->description },
		{ "prompt_template", a->prompt_template },
		{ "collection", a->collection },
		{ "criterion_set", a->criterion_set },
		{ "criteria", a->criteria },
		{ "measures", a->measures },
		{ "evaluators", a->evaluators },
		{ "llm_config", a->llm_config },
		{ "rating_llm_config", a->rating_llm_config },
		{ "rating_llm_configs", a->rating_llm_configs },
		{ "rating_reduction", a->rating_reduction },
		{ "response_column", a->response_column },
		{ "fallback_llm_configs", a->fallback_llm_configs },
		{ "tool_results", a->tool_results },
		{ "tool_rounds", a->tool_rounds },
		{ "generation_params", a->generation_params },
		{ "row_limit", a->row_limit },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].value)
			return invalid(s, parts[i].name,
				       "nothing, since experiment names one with its parts");
	return 0;
}

/* ---- Before the writer has it ---- */

/* Whether the collection shows these rows is asked again in the writer, which then finds the
 * answer unless somebody changed them meanwhile. What is wrong here is told there. */
static int compare_rows(struct tx *tx, const struct scope *scope, const char *name,
			struct row_set *rows)
{
	const struct scope own = scope_own(scope);
	struct collection_state state;
	struct place place;
	int64_t id;
	int r;

	r = place_resolve(tx, &own, &place);
	if (r >= 0)
		r = resource_find(tx, &resource_collection, place.project_id, name, &id);
	if (r > 0)
		r = collection_state(tx, id, &state);
	else
		return 0;
	return r < 0 ? 0 : row_set_equal(tx, rows, &state);
}

/* What a reader does before the writer has it. */
static int submission_read(struct tx *tx, const struct scope *scope,
			   const struct ellu_run_experiment_request *arguments,
			   struct submit_input **ret_input)
{
	const struct ellu_collection_in *in = arguments->collection;
	const struct ellu_collection *content = in ? in->content : NULL;
	const struct ellu_template_in *template = arguments->prompt_template;
	struct submit_input *input = tx_alloc(tx, sizeof(*input));
	int r = 0;

	if (!input)
		return -ENOMEM;
	*ret_input = input;
	if (arguments->idempotency_key)
		r = task_submit_hash(tx, &ellu_run_experiment_request_type, arguments, input->hash);
	if (r >= 0 && template && template->content)
		r = resource_prompt_template.prepare(tx, template->content, "prompt_template.content",
						     &input->template);
	if (r < 0 || !content)
		return r;
	r = collection_read_rows(tx, content, "collection.content", &input->rows);
	if (r >= 0 && content->n_variables > 0)
		r = compare_rows(tx, scope, content->name, &input->rows);
	return r < 0 ? r : 0;
}

/* ---- The family ---- */

/* None: zeroed, and 0. */
static int load_found(struct submission *s, int r, int64_t id, struct experiment_row *ret_row)
{
	*ret_row = (struct experiment_row){ 0 };
	return r <= 0 ? r : experiment_row_load(s->tx, id, ret_row);
}

static int find_newest(struct submission *s)
{
	int64_t id = 0;
	int r;

	r = db_int(s->tx->db, &id, "SELECT coalesce((SELECT id FROM experiments WHERE project_id = ?1"
				   "  AND family = ?2 AND deleted_at IS NULL"
				   "  ORDER BY family_number DESC LIMIT 1),"
				   " (SELECT id FROM experiments WHERE project_id = ?1 AND name = ?2"
				   "  AND deleted_at IS NULL))",
		   "is", s->place.project_id, s->arguments->name);
	r = load_found(s, r, id, &s->newest);
	if (r >= 0 && s->newest.id)
		r = resource_find(s->tx, &resource_experiment, s->place.project_id,
				  s->arguments->name, &s->named_id);
	return r < 0 ? r : 0;
}

/* The newest of those that would bring the same. */
static int find_same(struct submission *s, struct experiment_row *ret_row)
{
	int64_t id = 0;
	int r = 0;

	if (!s->arguments->run_afresh)
		r = db_int(s->tx->db, &id, "SELECT id FROM experiments WHERE project_id = ?1"
					   " AND family = ?2 AND identity = ?3 AND deleted_at IS NULL"
					   " ORDER BY family_number DESC LIMIT 1", "iss",
			   s->place.project_id, s->arguments->name, (const char *)s->identity);
	return load_found(s, r, id, ret_row);
}

int submission_conflict(struct submission *s)
{
	const struct experiment_row *row = &s->newest;
	int r = experiment_check_idle(s->tx, row);

	return r < 0 ? r : fault_conflict(s->tx->fault, "experiment", row->name, row->id,
					  "an experiment of that name exists");
}

static struct task_new task_of(struct submission *s, int64_t experiment_id, const char *name,
			       int64_t retry_of)
{
	const struct ellu_generation_params *params = s->arguments->generation_params;

	return (struct task_new){
		.kind = TASK_KIND_EXPERIMENT,
		.max_connections = params ? params->max_connections : NULL,
		.place = s->place,
		.name = name,
		.experiment_id = experiment_id,
		.run_id = experiment_id ? s->run.id : 0,
		.retry_of = retry_of,
		.request_hash = s->input->hash,
		.rejected = &s->rejected,
		.log = &s->notes.lines,
	};
}

static int insert(struct submission *s, int64_t experiment_id, const char *name,
		  int64_t retry_of)
{
	struct task_new task = task_of(s, experiment_id, name, retry_of);

	return task_submit_insert(s->tx, s->op, &task);
}

static int find_key(struct submission *s)
{
	return task_submit_find_key(s->tx, s->op, s->place.owner_uid, s->input->hash);
}

/* The first free NAME #k behind the newest member. */
static int next_name(struct submission *s, const char **ret_name, int64_t *ret_number)
{
	const char *family = s->arguments->name;
	int64_t number = strcmp(s->newest.family, family) == 0 ? s->newest.family_number : 1;
	int64_t id;
	int r;

	do {
		*ret_name = tx_printf(s->tx, "%s #%" PRId64, family, ++number);
		if (!*ret_name)
			return -ENOMEM;
		if (utf8_length(*ret_name, strlen(*ret_name)) > NAME_MAX_CHARS)
			return fault_invalid(s->tx->fault, "name",
					     "a shorter name, since there is one already and a number "
					     "has to go behind it");
		r = resource_find(s->tx, &resource_experiment, s->place.project_id, *ret_name, &id);
	} while (r > 0);
	*ret_number = number;
	return r;
}

static int find_source(struct submission *s)
{
	int r = 0;

	if (!s->arguments->run_afresh)
		r = db_int(s->tx->db, &s->source_id,
			   "SELECT id FROM experiments WHERE project_id = ?1 AND family = ?2"
			   " AND answer_identity = ?3 AND deleted_at IS NULL"
			   " ORDER BY family_number DESC LIMIT 1", "iss",
			   s->place.project_id, s->arguments->name, s->answer_identity);
	return r < 0 ? r : 0;
}

int submission_create(struct submission *s, int64_t *ret_id, const char **ret_name)
{
	int64_t number = 1;
	int r = 0;

	*ret_name = s->arguments->name;
	s->is_new = true;
	if (s->named_id) {
		r = next_name(s, ret_name, &number);
		if (r >= 0)
			r = notes_add(s->tx, &s->notes, "experiment '%s' is new: '%s'",
				      s->arguments->name, *ret_name);
	}
	if (r >= 0 && s->newest.id)
		r = find_source(s);
	return r < 0 ? r : parts_insert(s, *ret_name, number, ret_id);
}

static int create(struct submission *s)
{
	const char *name;
	int64_t id;
	int r = submission_create(s, &id, &name);

	return r < 0 ? r : insert(s, id, name, /* retry_of= */ 0);
}

/* Experiment and task from resolved and pinned parts. 1: rejected after all. */
static int choose(struct submission *s)
{
	struct experiment_row same;
	int r = find_same(s, &same);

	if (r < 0)
		return r;
	r = experiment_check_idle(s->tx, &same);
	if (r < 0)
		return r;
	if (same.id)
		s->run.id = same.run_id;
	if (same.task_status && strcmp(same.task_status, "SUCCESS") == 0) {
		s->op->ret_finished = true;
		return task_submit_existing(s->tx, s->op, same.task_id);
	}
	task_submit_check_queue(s->op, &s->rejected);
	if (s->rejected.code)
		return 1;
	return same.id ? insert(s, same.id, same.name, same.task_id) : create(s);
}

int submission_pin(struct submission *s)
{
	int r;

	r = parts_resolve(s);
	if (r >= 0)
		r = parts_check(s);
	if (r < 0 || s->rejected.code)
		return r < 0 ? r : 1;
	return parts_pin(s);
}

static int pin_and_choose(void *userdata)
{
	struct submission *s = userdata;
	int r = submission_pin(s);

	return r != 0 ? r : choose(s);
}

int submission_look(struct submission *s)
{
	int r;

	r = task_submit_check_room(s->tx);
	if (r >= 0)
		r = check_parts(s);
	return r < 0 ? r : find_newest(s);
}

/* A rejected submission leaves nothing but its task. */
static int submit_parts(struct submission *s)
{
	int r = submission_look(s);

	if (r < 0)
		return r;
	if (s->named_id && !s->update && !s->arguments->run_afresh)
		return submission_conflict(s);
	r = task_submit_try(s->tx, pin_and_choose, s);
	if (r <= 0)
		return r;
	s->notes = (struct notes){ 0 };
	return insert(s, /* experiment_id= */ 0, s->arguments->name, /* retry_of= */ 0);
}

/* ---- What is missing of an experiment, again ---- */

static int submit_again(struct submission *s)
{
	struct experiment_row experiment;
	struct task_new task;
	int r;

	r = check_again(s);
	if (r >= 0)
		r = experiment_row_resolve(s->tx, &s->op->scope, s->arguments->experiment,
					   &experiment);
	if (r < 0)
		return r;
	s->place = (struct place){ .owner_uid = experiment.owner_uid,
				     .project_id = experiment.project_id };
	r = find_key(s);
	if (r != 0)
		return r < 0 ? r : 0;
	s->run.id = experiment.run_id;
	task = task_of(s, experiment.id, experiment.name, experiment.task_id);
	return task_submit_go_on(s->tx, s->op, &task, &experiment, &s->rejected);
}

int submission_run(struct submission *s)
{
	int r;

	if (s->arguments->experiment)
		return submit_again(s);
	r = place_resolve(s->tx, &s->scope, &s->place);
	if (r >= 0)
		r = find_key(s);
	if (r != 0)
		return r < 0 ? r : 0;
	return submit_parts(s);
}

/* ---- The whole ---- */

void submission_init(struct submission *s, struct tx *tx, struct task_submit *op,
		     struct submit_input *input)
{
	s->tx = tx;
	s->op = op;
	s->input = input;
	s->arguments = op->arguments;
	s->scope = scope_own(&op->scope);
	s->update = s->arguments->update_existing;
	task_submit_begin(op);
}

enum store_lane experiment_submit_lane(const void *arguments)
{
	const struct ellu_run_experiment_request *request = arguments;
	const struct ellu_collection_in *collection = request->collection;

	return collection && collection->content && collection->content->n_variables > 0 ?
		       STORE_SCAN :
		       STORE_WRITE;
}

int experiment_submit(struct tx *tx, struct task_submit *op)
{
	struct submit_input *input = op->request.state;
	struct submission *s = tx_alloc(tx, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (r == 0 && !input)
		r = submission_read(tx, &op->scope, op->arguments, &input);
	op->request.state = input;
	if (r < 0 || op->request.lane != STORE_WRITE) {
		op->request.lane = STORE_WRITE;
		return r;
	}
	submission_init(s, tx, op, input);
	r = submission_run(s);
	if (r < 0)
		return r;
	notes_warn(&s->notes);
	op->ret_notes = tx_list_items(tx, &s->notes.lines);
	op->ret_n_notes = s->notes.lines.n;
	return 0;
}

int submission_prepare(struct tx *tx, struct method_run *op,
		       struct ellu_run_experiment_request *run)
{
	struct prepared *prepared = tx_alloc(tx, sizeof(*prepared));

	if (!prepared)
		return -ENOMEM;
	op->request.state = prepared;
	op->request.lane = STORE_WRITE;
	prepared->submit.method = &elluminate_interface.methods[METHOD_RUN_EXPERIMENT];
	prepared->submit.arguments = run;
	prepared->submit.scope = op->scope;
	prepared->submit.scope.project = run->project;
	return submission_read(tx, &prepared->submit.scope, run, &prepared->input);
}
