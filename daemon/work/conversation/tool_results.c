#include "daemon/work/conversation/tool_results.h"

#include <errno.h>
#include <string.h>

#include "proto/record/record.h"

static int invalid(struct fault *fault, const char *column)
{
	return fault_invalid(fault, column, "the results of tools: an object by their names, or a list of "
					    "{\"name\", \"arguments\", \"result\"}");
}

static bool is_item(json_object *item)
{
	return json_object_is_type(item, json_type_object) &&
	       json_object_is_type(json_object_object_get(item, "name"), json_type_string) &&
	       json_object_object_get_ex(item, "result", NULL);
}

static int check_list(struct tool_results *results, const char *column, struct arena *arena, struct fault *fault)
{
	const size_t n = json_object_array_length(results->cell);

	for (size_t i = 0; i < n; i++)
		if (!is_item(json_object_array_get_idx(results->cell, i)))
			return invalid(fault, column);
	results->given = arena_array(arena, n, sizeof(*results->given));
	if (!results->given)
		return fault_oom(fault);
	memset(results->given, 0, n);
	return 0;
}

int tool_results_init(struct tool_results *results, json_object *cell, const char *column, struct arena *arena,
		      struct fault *fault)
{
	*results = (struct tool_results){ 0 };
	if (!cell)
		return 0;
	results->cell = json_object_is_type(cell, json_type_string) ?
				json_tokener_parse(json_object_get_string(cell)) : json_object_get(cell);
	if (json_object_is_type(results->cell, json_type_array))
		return check_list(results, column, arena, fault);
	return json_object_is_type(results->cell, json_type_object) ? 0 : invalid(fault, column);
}

void tool_results_done(struct tool_results *results)
{
	json_object_put(results->cell);
	results->cell = NULL;
}

/* Whatever the order of their members; a text may say what an object would. */
static bool has_arguments(json_object *item, json_object *arguments)
{
	json_object *wanted = json_object_object_get(item, "arguments"), *parsed = NULL;
	bool equal;

	if (!wanted)
		return true;
	if (json_object_is_type(wanted, json_type_string))
		wanted = parsed = json_tokener_parse(json_object_get_string(wanted));
	equal = json_object_equal(wanted, arguments);
	json_object_put(parsed);
	return equal;
}

static json_object *find_item(struct tool_results *results, const struct ellu_tool_call *call)
{
	json_object *arguments = json_tokener_parse(*call->arguments ? call->arguments : "{}"), *found = NULL;

	for (size_t i = 0; i < json_object_array_length(results->cell); i++) {
		json_object *item = json_object_array_get_idx(results->cell, i);

		if (strcmp(json_object_get_string(json_object_object_get(item, "name")), call->name) != 0 ||
		    !has_arguments(item, arguments))
			continue;
		found = item;
		if (!results->given[i]) {
			results->given[i] = 1;
			break;
		}
	}
	json_object_put(arguments);
	return found;
}

int tool_results_take(struct tool_results *results, const struct ellu_tool_call *call, struct arena *arena,
		      const char **ret_content)
{
	json_object *result = NULL;
	bool found;

	if (json_object_is_type(results->cell, json_type_array)) {
		json_object *item = find_item(results, call);

		found = item && json_object_object_get_ex(item, "result", &result);
	} else {
		found = json_object_object_get_ex(results->cell, call->name, &result);
	}
	if (!found)
		return 0;
	*ret_content = arena_strdup(arena, json_object_is_type(result, json_type_string) ?
						   json_object_get_string(result) : json_text(result, NULL));
	return *ret_content ? 1 : -ENOMEM;
}
