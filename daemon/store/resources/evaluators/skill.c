#include "daemon/store/resources/evaluators/skill.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/evaluators/evaluator.h"
#include "daemon/store/resources/configs/llm_config.h"
#include "daemon/store/resources/projects/project.h"
#include "daemon/store/resources/versions.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

static const struct versioned versioned;

static int placeholders(struct tx *tx, struct ellu_skill *skill)
{
	const struct ellu_message message = {
		.struct_size = sizeof(message), .role = "user", .content = skill->prompt };
	const struct ellu_message *const messages[] = { &message };

	return template_placeholders(messages, 1, tx->arena, &skill->placeholders, &skill->n_placeholders);
}

int skill_load(struct tx *tx, int64_t id, void *ret_skill)
{
	struct ellu_skill *skill;
	int r = version_load(tx, &versioned, id, &skill);

	if (r >= 0)
		r = placeholders(tx, skill);
	if (r >= 0)
		memcpy(ret_skill, &skill, sizeof(skill));
	return r;
}

VERSIONED_FUNCTIONS(struct ellu_skill)

/* ---- Content ---- */

static int content_read(struct tx *tx, const struct ellu_skill *skill, const char *path,
			struct version_content *ret_content)
{
	struct ellu_skill copy = *skill;
	int r;

	if (record_text_bytes(&ellu_skill_type, &copy) > TEMPLATE_BYTES_MAX)
		return fault_too_large(tx->fault, TEMPLATE_BYTES_MAX, path);
	r = placeholders(tx, &copy);
	if (r >= 0 && copy.n_placeholders > COLUMNS_MAX)
		r = fault_invalid(tx->fault, tx_printf(tx, "%s.prompt", path),
				  "at most %d different placeholders", COLUMNS_MAX);
	if (r < 0)
		return r;
	copy.id = copy.version = copy.created_at = copy.updated_at = NULL;
	copy.placeholders = NULL;
	copy.n_placeholders = 0;
	/* None and an empty list of them are the same. */
	copy.fallback_llm_configs = copy.n_fallback_llm_configs > 0 ? copy.fallback_llm_configs : NULL;
	copy.validators = copy.n_validators > 0 ? copy.validators : NULL;
	return version_content_read(tx, &versioned, &copy, ret_content);
}

/* What it refers to is there. */
static int check(struct tx *tx, const struct place *place, int64_t id, const void *content, const char *path)
{
	const struct ellu_skill *skill = content;
	const struct ellu_evaluator *evaluator;
	struct scope scope;
	size_t bytes = 0;
	int r = scope_of_project(tx, place->project_id, &scope);

	(void)path;
	if (r >= 0 && skill->llm_config)
		r = resource_resolve(tx, &resource_llm_config, &scope, skill->llm_config, &id);
	for (size_t i = 0; r >= 0 && i < skill->n_fallback_llm_configs; i++)
		r = resource_resolve(tx, &resource_llm_config, &scope, skill->fallback_llm_configs[i], &id);
	for (size_t i = 0; r >= 0 && i < skill->n_validators; i++)
		r = evaluator_resolve_next(tx, &scope, skill->validators[i]->evaluator, &bytes, &evaluator);
	return r;
}

const struct resource resource_skill = {
	.name = "skill",
	.noun = "a skill",
	.type = &ellu_skill_type,
	.letter = 'k',
	VERSIONED_RESOURCE("skills"),
	RESOURCE_LIVE("skill_id"),
	.load = skill_load,
	.check = check,
};

static const struct versioned versioned = {
	.resource = &resource_skill,
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		" CROSS JOIN skills k ON k.id = r.skill_id"
		" WHERE t.finished_at IS NULL AND k.project_id = ?1 AND k.name = ?2 LIMIT 1",
	.versions = {
		.name = "skill",
		.type = &ellu_skill_type,
		.letter = 'K',
		VERSIONED_LIST("skills"),
		.load = skill_load,
	},
	VERSIONED_STATEMENTS("skills"),
};

int skills_list(struct tx *tx, struct method_run *op)
{
	return versions_list(tx, op, &versioned);
}

int skill_delete(struct tx *tx, struct method_run *op)
{
	return versions_delete(tx, op, &versioned);
}
