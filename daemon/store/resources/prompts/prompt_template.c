#include "daemon/store/resources/prompts/prompt_template.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/resources/collections/columns.h"
#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/versions.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

static const struct versioned versioned;

int prompt_template_load(struct tx *tx, int64_t id, void *ret_template)
{
	struct ellu_prompt_template *template;
	int r = version_load(tx, &versioned, id, &template);

	if (r >= 0)
		r = template_placeholders(template->messages, template->n_messages, tx->arena,
					  &template->placeholders, &template->n_placeholders);
	if (r >= 0)
		memcpy(ret_template, &template, sizeof(template));
	return r;
}

/* As it is shown. */
static int load_linked(struct tx *tx, int64_t id, void *ret_template)
{
	struct ellu_prompt_template *template;
	int64_t set_id;
	int r = prompt_template_load(tx, id, &template);

	if (r >= 0)
		r = criterion_set_linked(tx, id, &set_id);
	if (r < 0)
		return r;
	template->criterion_set_id = r > 0 ? tx_int_value(tx, set_id) : NULL;
	memcpy(ret_template, &template, sizeof(template));
	return tx->oom ? -ENOMEM : 0;
}

VERSIONED_FUNCTIONS(struct ellu_prompt_template)

/* ---- Content ---- */

static int content_read(struct tx *tx, const struct ellu_prompt_template *template,
			const char *path, struct version_content *ret_content)
{
	struct ellu_prompt_template copy = *template;
	const char *const *names;
	size_t n_names;
	int r;

	copy.id = copy.version = copy.created_at = copy.updated_at = copy.criterion_set_id = NULL;
	copy.placeholders = NULL;
	copy.n_placeholders = 0;
	/* None and an empty one are the same. */
	copy.tools = copy.n_tools > 0 ? copy.tools : NULL;
	if (copy.response_format && strcmp(copy.response_format, "{}") == 0)
		copy.response_format = NULL;
	if (copy.tool_choice && !*copy.tool_choice)
		copy.tool_choice = NULL;
	if (record_text_bytes(&ellu_prompt_template_type, &copy) > TEMPLATE_BYTES_MAX)
		return fault_too_large(tx->fault, TEMPLATE_BYTES_MAX, path);
	r = template_placeholders(copy.messages, copy.n_messages, tx->arena, &names, &n_names);
	if (r >= 0 && n_names > COLUMNS_MAX)
		r = fault_invalid(tx->fault, path, "at most %d different placeholders", COLUMNS_MAX);
	return r < 0 ? r : version_content_read(tx, &versioned, &copy, ret_content);
}

/* A name without versions is linked to no set of criteria; one that is made of it later is another. */
static int drop_link(struct tx *tx, int64_t id)
{
	return db_run(tx->db, "DELETE FROM criterion_set_links WHERE (project_id, template_name) ="
			      " (SELECT project_id, name FROM prompt_templates WHERE id = ?1)"
			      " AND NOT EXISTS (SELECT 1 FROM prompt_templates v"
			      "  WHERE v.project_id = criterion_set_links.project_id"
			      "  AND v.name = template_name AND v.deleted_at IS NULL AND v.id <> ?1)",
		      "i", id);
}

const struct resource resource_prompt_template = {
	.name = "prompt_template",
	.noun = "a prompt template",
	.type = &ellu_prompt_template_type,
	.letter = 'p',
	VERSIONED_RESOURCE("prompt_templates"),
	RESOURCE_LIVE("prompt_template_id"),
	.load = load_linked,
};

static const struct versioned versioned = {
	.resource = &resource_prompt_template,
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		" CROSS JOIN prompt_templates p ON p.id = r.prompt_template_id"
		" WHERE t.finished_at IS NULL AND p.project_id = ?1 AND p.name = ?2 LIMIT 1",
	.gone = drop_link,
	.versions = {
		.name = "prompt_template",
		.type = &ellu_prompt_template_type,
		.letter = 'v',
		VERSIONED_LIST("prompt_templates"),
		.load = load_linked,
	},
	VERSIONED_STATEMENTS("prompt_templates"),
};

int prompt_templates_list(struct tx *tx, struct method_run *op)
{
	return versions_list(tx, op, &versioned);
}

int prompt_template_delete(struct tx *tx, struct method_run *op)
{
	return versions_delete(tx, op, &versioned);
}

/* ---- Versions ---- */

/* What is there but empty takes away. */
static void inherit(struct ellu_prompt_template *template,
		    const struct ellu_new_prompt_template_version_request *request)
{
	if (request->messages) {
		template->messages = request->messages;
		template->n_messages = request->n_messages;
	}
	if (request->tools) {
		template->tools = request->tools;
		template->n_tools = request->n_tools;
	}
	if (request->response_format)
		template->response_format = request->response_format;
	if (request->tool_choice)
		template->tool_choice = request->tool_choice;
}

int prompt_template_new_version(struct tx *tx, struct method_run *op)
{
	const struct ellu_new_prompt_template_version_request *request = op->arguments;
	struct ellu_new_prompt_template_version_reply *reply = method_reply(tx, op);
	struct ellu_prompt_template *template;
	struct notes notes = { 0 };
	struct version_content content;
	struct place place;
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0)
		r = resource_resolve_own(tx, op->resource, &op->scope, request->prompt_template, &id,
					 &place);
	if (r >= 0)
		r = prompt_template_load(tx, id, &template);
	if (r < 0)
		return r;
	inherit(template, request);
	r = content_read(tx, template, "prompt_template", &content);
	if (r >= 0)
		r = version_find(tx, &versioned, &place, template->name, &content, &id);
	if (r > 0)
		return fault_conflict(tx->fault, "prompt_template", template->name, id,
				      "a version has that content already");
	if (r >= 0)
		r = version_insert(tx, &versioned, &place, template->name, &content, &notes, &id);
	return r < 0 ? r : load_linked(tx, id, &reply->prompt_template);
}

/* ---- Rendering ---- */

int prompt_template_check_values(struct tx *tx, const struct ellu_prompt_template *template,
				 const char *variables)
{
	json_object *values = tx_parse(variables ? variables : "{}");
	int r = values ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < template->n_placeholders; i++)
		if (!json_object_object_get(values, template->placeholders[i]))
			r = fault_invalid(tx->fault, tx_printf(tx, "variables.%s", template->placeholders[i]),
					  "a value for this placeholder");
	json_object_put(values);
	return r;
}

int prompt_template_render(struct tx *tx, struct method_run *op)
{
	const struct ellu_render_prompt_template_request *request = op->arguments;
	struct ellu_render_prompt_template_reply *reply = method_reply(tx, op);
	const struct ellu_template_in *in = request->prompt_template;
	const struct ellu_prompt_template *template = in->content;
	json_object *values;
	int64_t id;
	int r = reply ? 0 : -ENOMEM;

	if (r >= 0 && in->ref) {
		r = resource_resolve(tx, &resource_prompt_template, &op->scope, in->ref, &id);
		if (r >= 0)
			r = prompt_template_load(tx, id, &template);
	}
	if (r < 0)
		return r;
	values = tx_parse(request->variables ? request->variables : "{}");
	if (!values)
		return -ENOMEM;
	reply->n_messages = template->n_messages;
	r = template_render_messages(template->messages, template->n_messages, values, tx->arena,
				     &reply->messages, tx->fault);
	json_object_put(values);
	if (r == ELLU_E_INVALID_PARAMETER)
		return fault_invalid(tx->fault, tx_printf(tx, "variables.%s", tx->fault->field),
				     "a value for this placeholder");
	return r;
}
