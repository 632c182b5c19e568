/*
 * The dialect's sets of scenarios: collections whose first two columns say what somebody wants of a
 * conversation and how it should end, and whose other columns are the fields that a set declares. A scenario is a row;
 * one that is changed is another row, behind the others, and has another id.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/hash.h"
#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"
#include "proto/limits.h"

#define LIST_ITEMS 1000 // of a page
#define GOAL "goal"
#define OUTCOME "expected_conversation_outcome"
#define N_OWN_COLUMNS 2

/* ---- Shapes ---- */

static json_object *column_of(json_object *set, size_t i)
{
	return json_object_array_get_idx(member(set, "columns"), i);
}

static size_t n_columns(json_object *set)
{
	return array_length(member(set, "columns"));
}

static bool is_set(json_object *collection)
{
	return n_columns(collection) >= N_OWN_COLUMNS && member_says(column_of(collection, 0), "name", GOAL) &&
	       member_says(column_of(collection, 1), "name", OUTCOME);
}

/* A field is known by its name: another's never gets its id. */
static int64_t field_id(json_object *column)
{
	const char *name = member_text(column, "name");

	return (int64_t)(hash_bytes(0, name, strlen(name)) % INT32_MAX) + 1;
}

static json_object *show_field(struct json_maker *maker, json_object *column)
{
	json_object *to = make_object(maker);
	const char *value = member_text(column, "default_value");

	put_int(maker, to, "id", field_id(column));
	put_copy(maker, to, "name", column, "name");
	put_copy(maker, to, "field_type", column, "type");
	put_text(maker, to, "default_value", value ? value : "");
	return to;
}

static json_object *show_set(struct json_maker *maker, json_object *collection)
{
	static const char *const same[] = { "id", "name", "created_at", "updated_at" };
	json_object *to = make_object(maker), *fields = make_array(maker);
	const char *description = member_text(collection, "description");

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		put_copy(maker, to, same[i], collection, same[i]);
	put_text(maker, to, "description", description ? description : "");
	for (size_t i = N_OWN_COLUMNS; i < n_columns(collection); i++)
		append(maker, fields, show_field(maker, column_of(collection, i)));
	put(maker, to, "fields", fields);
	put_int(maker, to, "scenarios_count", member_int(collection, "variables_count", 0));
	put_bool(maker, to, "read_only", member_bool(collection, "read_only"));
	return to;
}

static json_object *show_scenario(struct json_maker *maker, json_object *row)
{
	json_object *to = make_object(maker), *fields = make_object(maker), *values = member(row, "input_values");

	put_copy(maker, to, "id", row, "id");
	put_copy(maker, to, GOAL, values, GOAL);
	put_copy(maker, to, OUTCOME, values, OUTCOME);
	if (values) {
		json_object_object_foreach (values, name, value)
			if (strcmp(name, GOAL) != 0 && strcmp(name, OUTCOME) != 0)
				put(maker, fields, name, json_object_get(value));
	}
	put(maker, to, "field_values", fields);
	put_copy(maker, to, "created_at", row, "created_at");
	return to;
}

static json_object *shape_scenario(struct json_maker *maker, json_object *row, const void *of)
{
	(void)of;
	return show_scenario(maker, row);
}

static json_object *field_find(json_object *set, const char *name)
{
	for (size_t i = N_OWN_COLUMNS; i < n_columns(set); i++)
		if (member_says(column_of(set, i), "name", name))
			return column_of(set, i);
	return NULL;
}

/* The set's fields by their names. */
static json_object *fields_of(struct json_maker *maker, json_object *set)
{
	json_object *fields = make_object(maker);

	for (size_t i = N_OWN_COLUMNS; i < n_columns(set); i++)
		put_bool(maker, fields, member_text(column_of(set, i), "name"), true);
	return fields;
}

/* The row of a scenario; `path` says where it stands, with a full stop behind, or nothing. */
static json_object *our_scenario(struct json_maker *maker, json_object *fields, json_object *given, const char *path,
				 struct fault *fault)
{
	static const char *const own[] = { GOAL, OUTCOME };
	json_object *row = make_object(maker), *values = member_object(given, "field_values");
	char field[200];

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && !fault->code; i++) {
		const char *text = member_text(given, own[i]);

		snprintf(field, sizeof(field), "%s%s", path, own[i]);
		if (!text || !text[strspn(text, " \t\r\n")])
			fault_invalid(fault, field, "a text");
		put_copy(maker, row, own[i], given, own[i]);
	}
	if (!values)
		return row;
	snprintf(field, sizeof(field), "%sfield_values", path);
	json_object_object_foreach (values, name, value) {
		if (!fault->code && !member(fields, name))
			fault_invalid(fault, field, "values of fields that the set declares");
		put(maker, row, name, json_object_get(value));
	}
	return row;
}

/* ---- Sets ---- */

/* That of the path. NULL: the step returns. */
static json_object *get_set(struct asking *asking, const char *project)
{
	int64_t id = project ? step_id(asking, 1) : 0;
	json_object *parameters = id ? step_of(asking, project, "collection", id) : NULL, *collection;
	struct fault fault = { 0 };

	collection = parameters ? member(ask(asking, "GetCollection", parameters), "collection") : NULL;
	if (!collection || is_set(collection))
		return collection;
	fault_not_found(&fault, "scenario_set", NULL, id);
	ask_fail(asking, &fault);
	return NULL;
}

static bool is_named(struct asking *asking, json_object *collection)
{
	return is_set(collection) && step_searches(asking, "name_search", member_text(collection, "name"));
}

void step_list_scenario_sets(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *items, *list;
	int64_t count;

	items = project ? step_list(asking, "ListCollections", step_parameters(asking, project), LIST_ITEMS, is_named,
				    &count) : NULL;
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list, show_set(&asking->maker, json_object_array_get_idx(items, i)));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

static json_object *column_new(struct json_maker *maker, const char *name, const char *type, const char *value)
{
	json_object *column = make_object(maker);

	put_text(maker, column, "name", name);
	put_text(maker, column, "type", type);
	if (value && *value)
		put_text(maker, column, "default_value", value);
	return column;
}

/* One that was given none gets one that is nobody else's. */
static json_object *name_of(struct asking *asking)
{
	json_object *given = member(asking->exchange->json, "name");
	char *made = given ? NULL : ask_state(asking, sizeof("Scenarios 0123456789abcdef"), NULL);
	uint64_t number;

	if (made && !made[0] && getrandom(&number, sizeof(number), 0) == sizeof(number))
		sprintf(made, "Scenarios %016" PRIx64, number);
	return given ? json_object_get(given) : make_text(&asking->maker, made);
}

void step_create_scenario_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *given = asking->exchange->json, *name;
	json_object *fields = project && member(given, "fields") ? step_array(asking, "fields") : NULL;
	struct json_maker *maker = &asking->maker;
	json_object *parameters, *content, *columns, *made;

	if (!project || (member(given, "fields") && !fields) || !(name = name_of(asking)))
		return;
	content = make_object(maker);
	columns = make_array(maker);
	append(maker, columns, column_new(maker, GOAL, "text", NULL));
	append(maker, columns, column_new(maker, OUTCOME, "text", NULL));
	for (size_t i = 0; i < array_length(fields); i++) {
		json_object *column = make_object(maker);

		put(maker, column, "name", json_object_get(json_object_array_get_idx(fields, i)));
		put_text(maker, column, "type", "text");
		append(maker, columns, column);
	}
	put(maker, content, "name", name);
	put_present(maker, content, "description", given, "description");
	put(maker, content, "columns", columns);
	parameters = step_parameters(asking, project);
	put(maker, parameters, "collection", content);
	made = member(ask(asking, "CreateCollection", parameters), "collection");
	if (made)
		ask_answer(asking, 200, show_set(maker, made));
}

void step_get_scenario_set(struct asking *asking)
{
	json_object *set = get_set(asking, step_project(asking));

	if (set)
		ask_answer(asking, 200, show_set(&asking->maker, set));
}

/* Its content with other columns, which are taken, or with what the request says. The set as it is then;
 * NULL: the step returns. */
static json_object *update_set(struct asking *asking, const char *project, json_object *set, json_object *columns)
{
	json_object *parameters = step_of(asking, project, "collection", member_int(set, "id", 0));
	json_object *content = make_object(&asking->maker), *given = columns ? NULL : asking->exchange->json;
	static const char *const texts[] = { "name", "description" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		put_present(&asking->maker, content, texts[i], member(given, texts[i]) ? given : set, texts[i]);
	if (columns)
		put(&asking->maker, content, "columns", columns);
	put(&asking->maker, parameters, "content", content);
	return member(ask(asking, "UpdateCollection", parameters), "collection");
}

void step_update_scenario_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *updated = set ? update_set(asking, project, set, NULL) : NULL;

	if (updated)
		ask_answer(asking, 200, show_set(&asking->maker, updated));
}

void step_delete_scenario_set(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project);

	if (set && ask(asking, "DeleteCollection", step_of(asking, project, "collection", member_int(set, "id", 0))))
		ask_answer_nothing(asking, 204);
}

/* ---- Fields ---- */

/* The set's columns; in the place of `one` another, which is taken. NULL: without it. */
static json_object *columns_with(struct json_maker *maker, json_object *set, json_object *one, json_object *other)
{
	json_object *columns = make_array(maker);

	for (size_t i = 0; i < n_columns(set); i++) {
		json_object *column = column_of(set, i);

		if (column != one)
			append(maker, columns,
			       column_new(maker, member_text(column, "name"), member_text(column, "type"),
					  member_text(column, "default_value")));
		else if (other)
			append(maker, columns, other);
	}
	return columns;
}

/* The field of that name, as an answer. */
static void answer_field(struct asking *asking, json_object *set, const char *name)
{
	json_object *column = field_find(set, name);

	if (column)
		ask_answer(asking, 200, show_field(&asking->maker, column));
}

/* The name in the request, of a field that is not there yet. NULL: the step returns. */
static const char *new_name(struct asking *asking, json_object *set)
{
	const char *name = member_text(asking->exchange->json, "name");
	struct fault fault = { 0 };

	if (!name || !*name)
		fault_invalid(&fault, "name", "a text");
	else if (strcmp(name, GOAL) == 0 || strcmp(name, OUTCOME) == 0 || field_find(set, name))
		fault_conflict(&fault, "field", name, 0, "the set has such a field");
	if (fault.code)
		ask_fail(asking, &fault);
	return fault.code ? NULL : name;
}

void step_add_field(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *columns;
	const char *name = set ? new_name(asking, set) : NULL;

	if (!name)
		return;
	columns = columns_with(&asking->maker, set, NULL, NULL);
	append(&asking->maker, columns,
	       column_new(&asking->maker, name, "text", member_text(asking->exchange->json, "default_value")));
	set = update_set(asking, project, set, columns);
	if (set)
		answer_field(asking, set, name);
}

/* That of the path. NULL: the step returns. */
static json_object *get_field(struct asking *asking, json_object *set)
{
	int64_t id = set ? step_id(asking, 2) : 0;
	struct fault fault = { 0 };

	for (size_t i = N_OWN_COLUMNS; id && i < n_columns(set); i++)
		if (field_id(column_of(set, i)) == id)
			return column_of(set, i);
	if (id) {
		fault_not_found(&fault, "field", NULL, id);
		ask_fail(asking, &fault);
	}
	return NULL;
}

/* The rows with another name in the place of one; NULL: without it. */
static json_object *rows_with(struct json_maker *maker, json_object *items, const char *one, const char *other)
{
	json_object *rows = make_array(maker);

	for (size_t i = 0; i < array_length(items); i++) {
		json_object *values = member(json_object_array_get_idx(items, i), "input_values");
		json_object *row = make_object(maker);

		json_object_object_foreach (values, name, value)
			if (strcmp(name, one) != 0 || other)
				put(maker, row, strcmp(name, one) == 0 ? other : name, json_object_get(value));
		append(maker, rows, row);
	}
	return rows;
}

/* Rows never change: those with another name in the place of one take the place of all, as many as one step
 * takes. False: the step returns. */
static bool rewrite_rows(struct asking *asking, const char *project, json_object *set, const char *one,
			 const char *other)
{
	int64_t id = member_int(set, "id", 0);
	json_object *parameters = step_of(asking, project, "collection", id), *answer;
	struct fault fault = { 0 };

	if (member_int(set, "variables_count", 0) == 0) {
		json_object_put(parameters);
		return true;
	}
	put_int(&asking->maker, parameters, "limit", ROWS_MAX);
	answer = ask(asking, "ListTemplateVariables", parameters);
	if (!answer)
		return false;
	if (member(answer, "next_cursor")) {
		fault_set(&fault, ELLU_E_TOO_LARGE, "the fields of so many scenarios stay as they are");
		fault.number = ROWS_MAX;
		ask_fail(asking, &fault);
		return false;
	}
	parameters = step_of(asking, project, "collection", id);
	put(&asking->maker, parameters, "variables", rows_with(&asking->maker, member(answer, "items"), one, other));
	put_bool(&asking->maker, parameters, "replace", true);
	return ask(asking, "AddTemplateVariables", parameters) != NULL;
}

void step_rename_field(struct asking *asking)
{
	const char *project = step_project(asking), *given = member_text(asking->exchange->json, "default_value");
	json_object *set = get_set(asking, project), *field = get_field(asking, set), *renamed;
	const char *old = member_text(field, "name"), *name = member_text(asking->exchange->json, "name");

	if (!field || ((!name || strcmp(name, old) != 0) && !(name = new_name(asking, set))))
		return;
	if (strcmp(name, old) != 0 && !rewrite_rows(asking, project, set, old, name))
		return;
	renamed = column_new(&asking->maker, name, member_text(field, "type"),
			     given ? given : member_text(field, "default_value"));
	set = update_set(asking, project, set, columns_with(&asking->maker, set, field, renamed));
	if (set)
		answer_field(asking, set, name);
}

void step_delete_field(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *field = get_field(asking, set);

	if (field && rewrite_rows(asking, project, set, member_text(field, "name"), NULL) &&
	    update_set(asking, project, set, columns_with(&asking->maker, set, field, NULL)))
		ask_answer_nothing(asking, 204);
}

/* ---- Scenarios ---- */

void step_list_scenarios(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *items, *list;
	int64_t count;

	items = set ? step_list(asking, "ListTemplateVariables",
				step_of(asking, project, "collection", member_int(set, "id", 0)), LIST_ITEMS, NULL, &count) :
		      NULL;
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list, show_scenario(&asking->maker, json_object_array_get_idx(items, i)));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

void step_get_scenario(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *row;

	row = set ? step_find_row(asking, project, member_int(set, "id", 0)) : NULL;
	if (row)
		ask_answer(asking, 200, show_scenario(&asking->maker, row));
	json_object_put(row);
}

/* The one in the request is added, and is where the answer's cursor is. NULL: the step returns. */
static json_object *add_scenario(struct asking *asking, const char *project, json_object *set)
{
	struct fault fault = { 0 };
	json_object *parameters, *rows = make_array(&asking->maker), *answer, *fields = fields_of(&asking->maker, set);

	append(&asking->maker, rows, our_scenario(&asking->maker, fields, asking->exchange->json, "", &fault));
	json_object_put(fields);
	if (step_fails(asking, &fault)) {
		json_object_put(rows);
		return NULL;
	}
	parameters = step_of(asking, project, "collection", member_int(set, "id", 0));
	put(&asking->maker, parameters, "variables", rows);
	answer = ask(asking, "AddTemplateVariables", parameters);
	if (!answer)
		return NULL;
	parameters = step_of(asking, project, "collection", member_int(set, "id", 0));
	put_copy(&asking->maker, parameters, "cursor", answer, "cursor");
	put_int(&asking->maker, parameters, "limit", 1);
	answer = ask(asking, "ListTemplateVariables", parameters);
	rows = member(answer, "items");
	if (array_length(rows) > 0)
		return json_object_array_get_idx(rows, 0);
	if (answer) {
		fault_not_found(&fault, "scenario", NULL, 0); // somebody has removed it at once
		ask_fail(asking, &fault);
	}
	return NULL;
}

void step_add_scenario(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *row = set ? add_scenario(asking, project, set) : NULL;

	if (row)
		ask_answer(asking, 200, show_scenario(&asking->maker, row));
}

static bool remove_scenario(struct asking *asking, const char *project, json_object *set)
{
	int64_t id = step_id(asking, 2);
	json_object *parameters = id ? step_of(asking, project, "collection", member_int(set, "id", 0)) : NULL, *ids;

	if (!id)
		return false;
	ids = make_array(&asking->maker);
	append(&asking->maker, ids, make_int(&asking->maker, id));
	put(&asking->maker, parameters, "ids", ids);
	return ask(asking, "DeleteTemplateVariables", parameters) != NULL;
}

/* One that is not there is not made, and what it was goes when the new one is there. */
void step_update_scenario(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *row, *old;

	old = set ? step_find_row(asking, project, member_int(set, "id", 0)) : NULL;
	row = old ? add_scenario(asking, project, set) : NULL;
	if (row && remove_scenario(asking, project, set))
		ask_answer(asking, 200, show_scenario(&asking->maker, row));
	json_object_put(old);
}

void step_delete_scenario(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project);

	if (set && remove_scenario(asking, project, set))
		ask_answer_nothing(asking, 204);
}

/* Of the scenarios in the request: read once, however often the step runs. NULL: the step returns. */
static json_object *rows_of(struct asking *asking, json_object *set)
{
	json_object *given = step_array(asking, "scenarios"), *fields, *rows;
	struct fault fault = { 0 };
	char path[40];

	if (!given || asking->read)
		return asking->read;
	asking->read = rows = make_array(&asking->maker);
	fields = fields_of(&asking->maker, set);
	for (size_t i = 0; i < array_length(given) && !fault.code; i++) {
		snprintf(path, sizeof(path), "scenarios[%zu].", i);
		append(&asking->maker, rows,
		       our_scenario(&asking->maker, fields, json_object_array_get_idx(given, i), path, &fault));
	}
	json_object_put(fields);
	return step_fails(asking, &fault) ? NULL : rows;
}

void step_add_scenarios(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *set = get_set(asking, project), *rows = set ? rows_of(asking, set) : NULL;

	if (rows)
		step_add_rows(asking, project, set, rows, member_bool(asking->exchange->json, "skip_existing"),
			      shape_scenario);
}
