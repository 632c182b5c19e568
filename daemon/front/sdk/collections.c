/* The dialect's collections and their rows. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/front/sdk/multipart.h"
#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"
#include "proto/limits.h"

#define LIST_ITEMS 1000 // of a page, and rows that a method takes at once
#define WHOLE_ROWS_MAX 100000 // of a collection that is shown with its rows

/* ---- Rows ---- */

/* Parameters of a method for a collection. */
static json_object *of_id(struct asking *asking, const char *project, int64_t id)
{
	json_object *parameters = step_parameters(asking, project);

	put(&asking->maker, parameters, "collection", ref_id(&asking->maker, id));
	return parameters;
}

/* The same for that of the path. NULL: the step returns. */
static json_object *of_collection(struct asking *asking, const char *project)
{
	int64_t id = project ? step_id(asking, 1) : 0;

	return id ? of_id(asking, project, id) : NULL;
}

static json_object *get_collection(struct asking *asking, const char *project)
{
	json_object *parameters = of_collection(asking, project);

	return parameters ? member(ask(asking, "GetCollection", parameters), "collection") : NULL;
}

/* Adds what a page has to the list; its cursor goes on. False: wait. */
static bool take_rows(struct asking *asking, const char *project, json_object *collection,
		      const char **cursor, json_object *list)
{
	int64_t id = member_int(collection, "id", 0);
	json_object *parameters = of_id(asking, project, id), *page, *items;

	if (*cursor)
		put_text(&asking->maker, parameters, "cursor", *cursor);
	put_int(&asking->maker, parameters, "limit", LIST_ITEMS);
	page = ask(asking, "ListTemplateVariables", parameters);
	items = member(page, "items");
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list,
		       sdk_row(&asking->maker, json_object_array_get_idx(items, i), id,
			       member_text(collection, "name")));
	*cursor = member_text(page, "next_cursor");
	return page != NULL;
}

/* Those from the cursor on; NULL: from the beginning. *ret_rows is put by the caller. */
static bool list_rows(struct asking *asking, const char *project, json_object *collection,
		      const char *cursor, json_object **ret_rows)
{
	json_object *list = make_array(&asking->maker);

	*ret_rows = list;
	do {
		if (!take_rows(asking, project, collection, &cursor, list))
			return false;
	} while (cursor);
	return !asking->maker.failed;
}

static void answer_whole(struct asking *asking, const char *project, json_object *collection, int status)
{
	struct fault fault = { 0 };
	json_object *rows, *answer;

	if (member_int(collection, "variables_count", 0) > WHOLE_ROWS_MAX) {
		fault_too_large(&fault, MESSAGE_SIZE_MAX, "a collection of so many rows, whose entries can be listed,");
		ask_fail(asking, &fault);
		return;
	}
	if (!list_rows(asking, project, collection, NULL, &rows)) {
		json_object_put(rows);
		return;
	}
	answer = sdk_collection(&asking->maker, collection);
	put(&asking->maker, answer, "variables", rows);
	ask_answer(asking, status, answer);
}

/* ---- Adding ---- */

/* How an addition of many rows is asked for: in pieces that become visible together. */
static json_object *adding(struct asking *asking, const char *project, int64_t collection_id,
			   json_object *rows, size_t at)
{
	json_object *parameters = of_id(asking, project, collection_id), *piece;
	size_t n = array_length(rows), end = n - at > LIST_ITEMS ? at + LIST_ITEMS : n;
	char upload_id[40];

	piece = make_array(&asking->maker);
	for (size_t i = at; i < end; i++)
		append(&asking->maker, piece, json_object_get(json_object_array_get_idx(rows, i)));
	put(&asking->maker, parameters, "variables", piece);
	if (step_query(asking, "skip_existing") && strcasecmp(step_query(asking, "skip_existing"), "true") == 0)
		put_bool(&asking->maker, parameters, "deduplicate", true);
	if (n > LIST_ITEMS) {
		/* Nobody else's: it is the exchange's while that lives, and is committed or given up then. */
		snprintf(upload_id, sizeof(upload_id), "http-%p-%lld", (void *)asking,
			 (long long)asking->begun_usec);
		put_text(&asking->maker, parameters, "upload_id", upload_id);
		put_bool(&asking->maker, parameters, "commit", end == n);
	}
	return parameters;
}

/* Adds them all; *ret_cursor is where they are listed from, or NULL if none was added. False: wait. */
static bool add_rows(struct asking *asking, const char *project, int64_t collection_id, json_object *rows,
		     const char **ret_cursor)
{
	json_object *answer;

	*ret_cursor = NULL;
	for (size_t at = 0; at < array_length(rows); at += LIST_ITEMS) {
		answer = ask(asking, "AddTemplateVariables",
			     adding(asking, project, collection_id, rows, at));
		if (!answer)
			return false;
		*ret_cursor = member_text(answer, "cursor");
	}
	return true;
}

/* The rows of the cursor, as a list, or the first of them alone. */
static void answer_added(struct asking *asking, const char *project, json_object *collection,
			 const char *cursor, bool one)
{
	json_object *rows = NULL, *first;

	if (cursor && !list_rows(asking, project, collection, cursor, &rows)) {
		json_object_put(rows);
		return;
	}
	if (!one) {
		ask_answer(asking, 200, rows ? rows : make_array(&asking->maker));
		return;
	}
	first = array_length(rows) > 0 ? json_object_get(json_object_array_get_idx(rows, 0)) : NULL;
	json_object_put(rows);
	ask_answer(asking, 200, first);
}

/* ---- Collections ---- */

/* Whether it has a column for each placeholder of the template that the query says. */
static bool is_compatible(struct asking *asking, json_object *collection)
{
	int64_t id = step_query_id(asking, "compatible_prompt_template_id");
	json_object *parameters, *template, *placeholders, *columns = member(collection, "columns");
	size_t n = 0;

	if (id <= 0)
		return true;
	parameters = make_object(&asking->maker);
	put(&asking->maker, parameters, "prompt_template", ref_id(&asking->maker, id));
	template = member(ask(asking, "GetPromptTemplate", parameters), "prompt_template");
	placeholders = member(template, "placeholders");
	for (size_t i = 0; i < array_length(placeholders); i++)
		for (size_t j = 0; j < array_length(columns); j++)
			n += json_object_equal(json_object_array_get_idx(placeholders, i),
					       member(json_object_array_get_idx(columns, j), "name")) != 0;
	return template && n == array_length(placeholders);
}

static bool is_named(struct asking *asking, json_object *collection)
{
	const char *name = step_query(asking, "name"), *search = step_query(asking, "name_search");
	const char *given = member_text(collection, "name");

	return (!name || strcmp(given, name) == 0) && (!search || strstr(given, search)) &&
	       is_compatible(asking, collection);
}

void step_list_collections(struct asking *asking)
{
	const char *project = step_project(asking);
	bool filtered = step_query(asking, "name") || step_query(asking, "name_search") ||
			step_query(asking, "compatible_prompt_template_id");
	json_object *items, *list;
	int64_t count;

	if (!project)
		return;
	items = step_list(asking, "ListCollections", step_parameters(asking, project), LIST_ITEMS,
			  filtered ? is_named : NULL, &count);
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list,
		       sdk_collection(&asking->maker, json_object_array_get_idx(items, i)));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

/* With its first rows in one step, where they are no more than a method takes. */
void step_create_collection(struct asking *asking)
{
	const char *project = step_project(asking), *cursor;
	json_object *rows = member_array(asking->exchange->json, "variables"), *content, *parameters;
	bool many = array_length(rows) > LIST_ITEMS;
	struct fault fault = { 0 };
	json_object *collection;
	int64_t id;

	if (!project)
		return;
	content = our_collection(&asking->maker, asking->exchange->json, &fault);
	if (step_fails(asking, &fault))
		return;
	if (rows && !many)
		put(&asking->maker, content, "variables", json_object_get(rows));
	parameters = step_parameters(asking, project);
	put(&asking->maker, parameters, "collection", content);
	collection = member(ask(asking, "CreateCollection", parameters), "collection");
	if (!collection)
		return;
	id = member_int(collection, "id", 0);
	if (many && !add_rows(asking, project, id, rows, &cursor))
		return;
	collection = member(ask(asking, "GetCollection", of_id(asking, project, id)), "collection");
	if (collection)
		answer_whole(asking, project, collection, 200);
}

void step_get_collection(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL;

	if (collection)
		answer_whole(asking, project, collection, 200);
}

void step_update_collection(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *parameters = of_collection(asking, project), *content, *collection;
	struct fault fault = { 0 };

	if (!parameters)
		return;
	content = our_collection(&asking->maker, asking->exchange->json, &fault);
	if (step_fails(asking, &fault)) {
		json_object_put(parameters);
		return;
	}
	put(&asking->maker, parameters, "content", content);
	collection = member(ask(asking, "UpdateCollection", parameters), "collection");
	if (collection)
		ask_answer(asking, 200, sdk_collection(&asking->maker, collection));
}

void step_delete_collection(struct asking *asking)
{
	json_object *parameters = of_collection(asking, step_project(asking));

	if (parameters && ask(asking, "DeleteCollection", parameters))
		ask_answer_nothing(asking, 204);
}

/* ---- Entries ---- */

void step_list_entries(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL, *items, *list;
	int64_t count;

	if (!collection)
		return;
	items = step_list(asking, "ListTemplateVariables", of_collection(asking, project), LIST_ITEMS, NULL,
			  &count);
	if (!items)
		return;
	list = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(items); i++)
		append(&asking->maker, list,
		       sdk_row(&asking->maker, json_object_array_get_idx(items, i),
			       member_int(collection, "id", 0), member_text(collection, "name")));
	json_object_put(items);
	step_answer_list(asking, list, count);
}

/* One that a model makes up; it is the last one then. */
static void generate_entry(struct asking *asking, const char *project, json_object *collection)
{
	json_object *parameters = of_collection(asking, project), *rows, *last, *task;
	struct fault fault = { 0 };

	put(&asking->maker, parameters, "prompt_template",
	    ref_id(&asking->maker, member_int(asking->exchange->json, "prompt_template_id", 0)));
	put_int(&asking->maker, parameters, "count", 1);
	task = member(ask(asking, "GenerateTemplateVariables", parameters), "task");
	if (!task)
		return;
	if (strcmp(member_text(task, "status"), "SUCCESS") != 0) {
		fault_set(&fault, ELLU_E_BACKEND_UNAVAILABLE, "nothing was made up: %s",
			  member_text(member(task, "error"), "message"));
		ask_fail(asking, &fault);
		return;
	}
	if (list_rows(asking, project, collection, NULL, &rows)) {
		last = json_object_array_get_idx(rows, array_length(rows) - 1);
		ask_answer(asking, 200, json_object_get(last));
	}
	json_object_put(rows);
}

void step_add_entry(struct asking *asking)
{
	const char *project = step_project(asking), *cursor;
	json_object *collection = project ? get_collection(asking, project) : NULL;
	json_object *body = asking->exchange->json, *values = member(body, "input_values"), *rows;

	if (!collection)
		return;
	if (member(body, "environment_config")) {
		step_refuse(asking, "environment_config", "rows have no environment here");
		return;
	}
	if (!values && member(body, "prompt_template_id")) {
		generate_entry(asking, project, collection);
		return;
	}
	rows = make_array(&asking->maker);
	append(&asking->maker, rows, json_object_get(values));
	if (add_rows(asking, project, member_int(collection, "id", 0), rows, &cursor))
		answer_added(asking, project, collection, cursor, /* one= */ true);
	json_object_put(rows);
}

void step_add_entries(struct asking *asking)
{
	const char *project = step_project(asking), *cursor;
	json_object *collection = project ? get_collection(asking, project) : NULL;

	if (collection && add_rows(asking, project, member_int(collection, "id", 0),
				   asking->exchange->json, &cursor))
		answer_added(asking, project, collection, cursor, /* one= */ false);
}

void step_clear_entries(struct asking *asking)
{
	json_object *parameters = of_collection(asking, step_project(asking));

	if (parameters && ask(asking, "ClearCollection", parameters))
		ask_answer_nothing(asking, 204);
}

static bool is_entry(struct asking *asking, json_object *row)
{
	return member_int(row, "id", 0) == step_id(asking, 2);
}

void step_get_entry(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL, *rows;
	struct fault fault = { 0 };
	int64_t count;

	if (!collection || !step_id(asking, 2))
		return;
	rows = step_list(asking, "ListTemplateVariables", of_collection(asking, project), LIST_ITEMS,
			 is_entry, &count);
	if (!rows)
		return;
	if (count > 0) {
		ask_answer(asking, 200,
			   sdk_row(&asking->maker, json_object_array_get_idx(rows, 0),
				   member_int(collection, "id", 0), member_text(collection, "name")));
	} else {
		fault_not_found(&fault, "template_variables", NULL, step_id(asking, 2));
		ask_fail(asking, &fault);
	}
	json_object_put(rows);
}

void step_delete_entry(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *parameters = of_collection(asking, project), *ids;
	int64_t id = parameters ? step_id(asking, 2) : 0;

	if (!id) {
		json_object_put(parameters);
		return;
	}
	ids = make_array(&asking->maker);
	append(&asking->maker, ids, make_int(&asking->maker, id));
	put(&asking->maker, parameters, "ids", ids);
	if (ask(asking, "DeleteTemplateVariables", parameters))
		ask_answer_nothing(asking, 204);
}
