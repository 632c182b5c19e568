/*
 * What an evaluator reads of a case: what was asked and answered, what is known of the answer, the
 * variables of its use, and else the row's columns.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/work/conversation/dialogue.h"
#include "daemon/work/experiment/experiment_run.h"
#include "proto/content/template.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/text/money.h"

/* ---- What is known of the answer ---- */

static json_object *money(int64_t nanodollars)
{
	char text[MONEY_TEXT_SIZE];

	money_format(nanodollars, text);
	return json_object_new_string(text);
}

static json_object *tools_of(const struct ellu_prompt_template *template)
{
	json_object *tools = json_object_new_array(), *tool;

	for (size_t i = 0; tools && i < template->n_tools; i++)
		if (record_encode(&ellu_tool_type, template->tools[i], TO_CLIENT, &tool) < 0 ||
		    json_object_array_add(tools, tool) < 0) {
			json_object_put(tools);
			return NULL;
		}
	return tools;
}

/* Whether it is one of those; NULL without memory. */
static bool find_fact(const struct open_case *open_case, const char *name, json_object **ret_value)
{
	const struct ellu_prompt_template *template = open_case->run->spec->prompt.template;
	const struct case_facts *facts = &open_case->facts;

	if (strcmp(name, "response") == 0)
		*ret_value = json_object_new_string(open_case->text);
	else if (strcmp(name, "request") == 0 && open_case->n_messages > 0)
		*ret_value = dialogue_text(open_case->messages, open_case->n_messages);
	else if (strcmp(name, "tools") == 0 && template && template->n_tools > 0)
		*ret_value = tools_of(template);
	else if (strcmp(name, "duration_seconds") == 0 && facts->duration_usec >= 0)
		*ret_value = json_object_new_double((double)facts->duration_usec / USEC_PER_SEC);
	else if (strcmp(name, "cost") == 0 && facts->cost_nanodollars >= 0)
		*ret_value = money(facts->cost_nanodollars);
	else if (strcmp(name, "finish_reason") == 0 && facts->finish_reason)
		*ret_value = json_object_new_string(facts->finish_reason);
	else
		return false;
	return true;
}

/* ---- The row's ---- */

/* A text of a list is that list: columns of CSV files hold contexts so. NULL without memory. */
static json_object *contexts_of(json_object *value)
{
	const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	json_object *list = NULL;
	struct fault fault;

	if (json_object_is_type(value, json_type_array))
		return json_object_get(value);
	if (*text == '[')
		(void)json_parse_strict(text, strlen(text), &list, &fault);
	if (json_object_is_type(list, json_type_array))
		return list;
	json_object_put(list);
	list = json_object_new_array();
	if (list && json_object_array_add(list, json_object_get(value)) < 0) {
		json_object_put(value);
		json_object_put(list);
		return NULL;
	}
	return list;
}

static bool find_column(const struct open_case *open_case, const char *name, json_object **ret_value)
{
	json_object *value = json_object_object_get(open_case->values, name);

	if (value)
		*ret_value = strcmp(name, "contexts") == 0 ? contexts_of(value) : json_object_get(value);
	return value != NULL;
}

/* ---- All of it ---- */

/* A text may hold placeholders. */
static int render(const struct open_case *open_case, json_object *variable, struct arena *arena,
		  json_object **ret_value, struct fault *fault)
{
	const char *text;
	int r;

	if (!json_object_is_type(variable, json_type_string)) {
		*ret_value = json_object_get(variable);
		return 0;
	}
	r = template_render(json_object_get_string(variable), open_case->values, arena, &text, fault);
	if (r < 0)
		return r;
	*ret_value = json_object_new_string(text);
	return 0;
}

static int add_input(const struct open_case *open_case, const char *name, json_object *variables,
		     struct arena *arena, json_object *inputs, struct fault *fault)
{
	json_object *variable = json_object_object_get(variables, name), *value = NULL;
	int r;

	if (variable) {
		r = render(open_case, variable, arena, &value, fault);
		if (r < 0)
			return r;
	} else if (!find_fact(open_case, name, &value) && !find_column(open_case, name, &value)) {
		return fault_invalid(fault, name, "a value, which the evaluator reads");
	}
	if (value && json_object_object_add(inputs, name, value) >= 0)
		return 0;
	json_object_put(value);
	return fault_oom(fault);
}

int case_inputs(const struct open_case *open_case, const struct ellu_evaluator *evaluator,
		const struct ellu_evaluator_use *use, struct arena *arena, json_object **ret_inputs,
		struct fault *fault)
{
	json_object *variables = use->variables ? json_stored(use->variables) : NULL;
	json_object *inputs = json_object_new_object();
	int r = inputs && (variables || !use->variables) ? 0 : fault_oom(fault);

	for (size_t i = 0; r >= 0 && i < evaluator->n_inputs; i++)
		r = add_input(open_case, evaluator->inputs[i], variables, arena, inputs, fault);
	json_object_put(variables);
	if (r < 0) {
		json_object_put(inputs);
		return r;
	}
	*ret_inputs = inputs;
	return 0;
}
