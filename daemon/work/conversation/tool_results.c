#include "daemon/work/conversation/tool_results.h"

#include <errno.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/record/record.h"

struct tool_result {
	json_object *arguments; // owned; NULL: any
	size_t bytes; // of those
	bool given;
};

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

/* What was said as JSON, or the text itself where it is none. NULL without memory. */
static json_object *read_text(const char *said)
{
	json_object *arguments = NULL;
	struct fault fault = { 0 };

	(void)json_parse_strict(said, strlen(said), &arguments, &fault);
	return arguments ? arguments : json_object_new_string(said);
}

/* Whatever the order of their members; a text may say what an object would. */
static int take_item(struct tool_result *result, json_object *item)
{
	json_object *arguments = json_object_object_get(item, "arguments");

	if (json_object_is_type(arguments, json_type_string))
		arguments = read_text(json_object_get_string(arguments));
	else
		arguments = json_object_get(arguments);
	result->arguments = arguments;
	result->bytes = arguments ? strlen(json_text(arguments, NULL)) : 0;
	return arguments || !json_object_object_get(item, "arguments") ? 0 : -ENOMEM;
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
	memset(results->given, 0, n * sizeof(*results->given));
	for (; results->n_given < n; results->n_given++)
		if (take_item(&results->given[results->n_given],
			      json_object_array_get_idx(results->cell, results->n_given)) < 0)
			return fault_oom(fault);
	return 0;
}

int tool_results_init(struct tool_results *results, json_object *cell, const char *column, struct arena *arena,
		      struct fault *fault)
{
	*results = (struct tool_results){ 0 };
	if (!cell)
		return 0;
	results->cell = json_object_is_type(cell, json_type_string) ? read_text(json_object_get_string(cell)) :
								      json_object_get(cell);
	if (json_object_is_type(results->cell, json_type_array))
		return check_list(results, column, arena, fault);
	return json_object_is_type(results->cell, json_type_object) ? 0 : invalid(fault, column);
}

void tool_results_done(struct tool_results *results)
{
	for (size_t i = 0; i < results->n_given; i++)
		json_object_put(results->given[i].arguments);
	results->n_given = 0;
	json_object_put(results->cell);
	results->cell = NULL;
}

static bool fits(struct tool_results *results, size_t i, const struct ellu_tool_call *call, json_object *arguments)
{
	const struct tool_result *given = &results->given[i];
	json_object *item = json_object_array_get_idx(results->cell, i);

	results->steps++;
	if (strcmp(json_object_get_string(json_object_object_get(item, "name")), call->name) != 0)
		return false;
	results->steps += given->bytes;
	return !given->arguments || json_object_equal(given->arguments, arguments);
}

static json_object *find_item(struct tool_results *results, const struct ellu_tool_call *call)
{
	json_object *arguments = read_text(*call->arguments ? call->arguments : "{}"), *found = NULL;

	results->steps += strlen(call->arguments);
	for (size_t i = 0; arguments && i < results->n_given; i++) {
		if (!fits(results, i, call, arguments))
			continue;
		found = json_object_array_get_idx(results->cell, i);
		if (!results->given[i].given) {
			results->given[i].given = true;
			break;
		}
	}
	json_object_put(arguments);
	return found;
}

bool tool_call_is_readable(const struct ellu_tool_call *call)
{
	json_object *arguments = read_text(*call->arguments ? call->arguments : "{}");
	bool is_object = json_object_is_type(arguments, json_type_object);

	json_object_put(arguments);
	return is_object;
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
