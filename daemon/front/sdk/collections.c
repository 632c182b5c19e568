/* The dialect's collections and their rows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"
#include "proto/limits.h"
#include "proto/record/record.h"

#define LIST_ITEMS 1000 // of a page

/* ---- Rows ---- */

/* Parameters of a method for the collection of the path. NULL: the step returns. */
static json_object *of_collection(struct asking *asking, const char *project)
{
	int64_t id = project ? step_id(asking, 1) : 0;

	return id ? step_of(asking, project, "collection", id) : NULL;
}

static json_object *get_collection(struct asking *asking, const char *project)
{
	json_object *parameters = of_collection(asking, project);

	return parameters ? member(ask(asking, "GetCollection", parameters), "collection") : NULL;
}

/* Whose rows are shown. */
struct of_rows {
	int64_t id;
	const char *name;
};

static json_object *shape_row(struct json_maker *maker, json_object *row, const void *of)
{
	const struct of_rows *rows = of;

	return sdk_row(maker, row, rows->id, rows->name);
}

/* The rows from the cursor on (NULL: all), as a list, or within the object, which is taken. */
static void answer_rows(struct asking *asking, const char *project, json_object *collection,
			const char *cursor, json_object *object, shape_item_fn *shape)
{
	struct of_rows *of = arena_alloc(&asking->exchange->arena, sizeof(*of));
	int64_t id = member_int(collection, "id", 0);
	struct whole whole = { .object = object, .member = "variables", .method = "org.elluminate.ListTemplateVariables",
			       .parameters = step_of(asking, project, "collection", id), .shape = shape, .of = of };

	if (of)
		*of = (struct of_rows){ id, member_text(collection, "name") };
	else
		asking->maker.failed = true;
	if (cursor)
		put_text(&asking->maker, whole.parameters, "cursor", cursor);
	step_answer_whole(asking, &whole);
}

static void answer_whole(struct asking *asking, const char *project, json_object *collection)
{
	answer_rows(asking, project, collection, NULL, sdk_collection(&asking->maker, collection), shape_row);
}

/* ---- Adding ---- */

/* Of rows that become visible together, in pieces that a method takes. */
struct upload {
	char id[48];
	size_t at; // the next row
	char *cursor; // from which on they are listed; NULL: none was added
};

static void upload_done(void *state)
{
	free(((struct upload *)state)->cursor);
}

/* Where a piece that begins there ends. */
static size_t piece_end(json_object *rows, size_t at)
{
	size_t n = array_length(rows), end = at, bytes = 0, size;

	while (end < n && end - at < ROWS_MAX) {
		(void)json_text(json_object_array_get_idx(rows, end), &size);
		bytes += size;
		if (bytes > ROWS_BYTES_MAX && end > at)
			break;
		end++;
	}
	return end;
}

static json_object *adding(struct asking *asking, const char *project, int64_t collection_id,
			   json_object *rows, const struct upload *upload, size_t end, bool skip_existing)
{
	json_object *parameters = step_of(asking, project, "collection", collection_id), *piece;

	piece = make_array(&asking->maker);
	for (size_t i = upload->at; i < end; i++)
		append(&asking->maker, piece, json_object_get(json_object_array_get_idx(rows, i)));
	put(&asking->maker, parameters, "variables", piece);
	if (skip_existing)
		put_bool(&asking->maker, parameters, "deduplicate", true);
	if (upload->at > 0 || end < array_length(rows)) {
		put_text(&asking->maker, parameters, "upload_id", upload->id);
		put_bool(&asking->maker, parameters, "commit", end == array_length(rows));
	}
	return parameters;
}

static bool skips_existing(struct asking *asking)
{
	const char *skip = step_query(asking, "skip_existing");

	return skip && strcasecmp(skip, "true") == 0;
}

/* Adds them all. NULL: wait. */
static const struct upload *add_rows(struct asking *asking, const char *project, int64_t collection_id,
				     json_object *rows, bool skip_existing)
{
	struct upload *upload = ask_state(asking, sizeof(*upload), upload_done);
	json_object *answer;
	uint64_t number;
	size_t end;

	/* Nobody else's. */
	if (upload && !upload->id[0] && getrandom(&number, sizeof(number), 0) == sizeof(number))
		snprintf(upload->id, sizeof(upload->id), "http-%016" PRIx64, number);
	while (upload && upload->at < array_length(rows)) {
		end = piece_end(rows, upload->at);
		answer = ask(asking, "AddTemplateVariables",
			     adding(asking, project, collection_id, rows, upload, end, skip_existing));
		if (!answer)
			return NULL;
		upload->at = end;
		free(upload->cursor);
		upload->cursor = member_text(answer, "cursor") ? strdup(member_text(answer, "cursor")) : NULL;
		ask_forget(asking, answer); // the next piece may be the same
	}
	return upload;
}

void step_add_rows(struct asking *asking, const char *project, json_object *collection, json_object *rows,
		   bool skip_existing, shape_item_fn *shape)
{
	const struct upload *upload =
		add_rows(asking, project, member_int(collection, "id", 0), rows, skip_existing);

	if (upload && upload->cursor)
		answer_rows(asking, project, collection, upload->cursor, NULL, shape);
	else if (upload)
		ask_answer(asking, 200, make_array(&asking->maker));
}

/* The first row from the cursor on, or null. */
static void answer_row(struct asking *asking, const char *project, json_object *collection, const char *cursor)
{
	int64_t id = member_int(collection, "id", 0);
	json_object *parameters = step_of(asking, project, "collection", id), *items, *row;

	if (cursor)
		put_text(&asking->maker, parameters, "cursor", cursor);
	put_int(&asking->maker, parameters, "limit", 1);
	items = member(ask(asking, "ListTemplateVariables", parameters), "items");
	if (!items)
		return;
	row = array_length(items) > 0 ? json_object_array_get_idx(items, 0) : NULL;
	ask_answer(asking, 200, row ? sdk_row(&asking->maker, row, id, member_text(collection, "name")) : NULL);
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
	const char *name = step_query(asking, "name");
	const char *given = member_text(collection, "name");

	return (!name || strcmp(given, name) == 0) && step_searches(asking, "name_search", given) &&
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
	const char *project = step_project(asking);
	json_object *rows = member_array(asking->exchange->json, "variables"), *content, *parameters;
	bool many = piece_end(rows, 0) < array_length(rows);
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
	if (many && !add_rows(asking, project, id, rows, /* skip_existing= */ false))
		return;
	collection = member(ask(asking, "GetCollection", step_of(asking, project, "collection", id)), "collection");
	if (collection)
		answer_whole(asking, project, collection);
}

void step_get_collection(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL;

	if (collection)
		answer_whole(asking, project, collection);
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

/* One that a model makes up. */
static void generate_entry(struct asking *asking, const char *project, json_object *collection)
{
	json_object *parameters = of_collection(asking, project), *task, *row;
	struct fault fault = { 0 };

	/* It could not be found among so many, and a model would have been asked in vain. */
	if (member_int(collection, "variables_count", 0) > WALK_ITEMS_MAX) {
		json_object_put(parameters);
		fault_set(&fault, ELLU_E_TOO_LARGE, "the collection has too many rows for this");
		fault.number = WALK_ITEMS_MAX;
		ask_fail(asking, &fault);
		return;
	}
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
	/* It stands where the rows ended before. */
	if (!step_item(asking, "ListTemplateVariables", of_collection(asking, project),
		       member_int(collection, "variables_count", 0), &row))
		return;
	ask_answer(asking, 200, row ? sdk_row(&asking->maker, row, member_int(collection, "id", 0),
					      member_text(collection, "name")) : NULL);
}

void step_add_entry(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL;
	json_object *body = asking->exchange->json, *values = member(body, "input_values"), *rows;
	const struct upload *upload;

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
	upload = add_rows(asking, project, member_int(collection, "id", 0), rows, skips_existing(asking));
	if (upload)
		answer_row(asking, project, collection, upload->cursor);
	json_object_put(rows);
}

void step_add_entries(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL;

	if (collection)
		step_add_rows(asking, project, collection, asking->exchange->json, skips_existing(asking), shape_row);
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

json_object *step_find_row(struct asking *asking, const char *project, int64_t collection_id)
{
	json_object *rows, *row = NULL;
	struct fault fault = { 0 };
	int64_t count;

	if (!step_id(asking, 2))
		return NULL;
	rows = step_list(asking, "ListTemplateVariables", step_of(asking, project, "collection", collection_id),
			 LIST_ITEMS, is_entry, &count);
	if (!rows)
		return NULL;
	if (count > 0) {
		row = json_object_get(json_object_array_get_idx(rows, 0));
	} else {
		fault_not_found(&fault, "template_variables", NULL, step_id(asking, 2));
		ask_fail(asking, &fault);
	}
	json_object_put(rows);
	return row;
}

void step_get_entry(struct asking *asking)
{
	const char *project = step_project(asking);
	json_object *collection = project ? get_collection(asking, project) : NULL, *row;
	int64_t id = member_int(collection, "id", 0);

	row = collection ? step_find_row(asking, project, id) : NULL;
	if (row)
		ask_answer(asking, 200, sdk_row(&asking->maker, row, id, member_text(collection, "name")));
	json_object_put(row);
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
