#include "daemon/front/sdk/steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"
#include "elluminate-types.h"
#include "proto/record/record.h"

#define PAGE_ITEMS_MAX 1000 // that a method lists at once
#define ID_MAX 9007199254740991

/* ---- The request ---- */

static int64_t id_of(const char *text)
{
	char *end;
	long long id;

	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	id = strtoll(text, &end, 10);
	return errno == 0 && !*end && id <= ID_MAX ? id : 0;
}

int64_t step_id(struct asking *asking, unsigned place)
{
	const char *text = asking->exchange->values[place];
	struct fault fault = { 0 };
	int64_t id = id_of(text);

	if (!id) {
		fault_not_found(&fault, "resource", text, 0);
		ask_fail(asking, &fault);
	}
	return id;
}

const char *step_project(struct asking *asking)
{
	int64_t id = step_id(asking, 0);
	json_object *parameters;

	if (!id)
		return NULL;
	parameters = make_object(&asking->maker);
	put_int(&asking->maker, parameters, "project_id", id);
	/* What was asked keeps the name. */
	return member_text(member(ask(asking, "GetProject", parameters), "project"), "name");
}

json_object *step_parameters(struct asking *asking, const char *project)
{
	json_object *parameters = make_object(&asking->maker);

	put_text(&asking->maker, parameters, "project", project);
	return parameters;
}

void step_put_key(struct asking *asking, json_object *parameters)
{
	const char *key = http_header(&asking->exchange->head, "idempotency-key");

	if (key)
		put_text(&asking->maker, parameters, "idempotency_key", key);
}

const char *step_query(const struct asking *asking, const char *name)
{
	json_object *values = member(asking->query, name);
	json_object *value = values ? json_object_array_get_idx(values, 0) : NULL;
	const char *text = value ? json_object_get_string(value) : NULL;

	/* A client that has nothing to say may say it so. */
	return text && *text ? text : NULL;
}

bool step_searches(const struct asking *asking, const char *parameter, const char *name)
{
	const char *search = step_query(asking, parameter);

	return !search || (name && strcasestr(name, search));
}

int64_t step_query_id(struct asking *asking, const char *name)
{
	const char *text = step_query(asking, name);
	struct fault fault = { 0 };
	int64_t id = id_of(text);

	if (!text || id)
		return id;
	fault_invalid(&fault, name, "an id");
	ask_fail(asking, &fault);
	return -1;
}

json_object *step_array(struct asking *asking, const char *name)
{
	json_object *list = member_array(asking->exchange->json, name);
	struct fault fault = { 0 };

	if (!list) {
		fault_invalid(&fault, name, "a list");
		ask_fail(asking, &fault);
	}
	return list;
}

bool step_fails(struct asking *asking, struct fault *fault)
{
	if (asking->maker.failed)
		fault_oom(fault);
	if (fault->code)
		ask_fail(asking, fault);
	return fault->code != 0;
}

void step_refuse(struct asking *asking, const char *field, const char *why)
{
	struct fault fault = { 0 };

	fault_set(&fault, ELLU_E_UNSUPPORTED, "%s: %s", field, why);
	ask_fail(asking, &fault);
}

/* ---- Lists ---- */

/* Pages are asked for by number, and methods list behind cursors. Where a page begins is remembered, for
 * whoever shows the same token, when the one before it was listed; what was forgotten is walked to, not
 * far. */
#define MARKS_MAX 64

struct mark {
	uint64_t list; // hashed; 0: none
	int64_t page;
	int64_t length; // of pages
	int64_t count;
	char cursor[208];
};

struct marks {
	struct mark items[MARKS_MAX];
	size_t next;
};

/* NULL: the token was taken back, or there is no memory. */
static struct marks *marks_of(const struct asking *asking)
{
	struct token *token = asking->exchange->token.token;

	if (token && !token->lists.data)
		token->lists = (struct share){ calloc(1, sizeof(struct marks)), free };
	return token ? token->lists.data : NULL;
}

static uint64_t list_of(const char *method, json_object *parameters)
{
	const char *text = json_text(parameters, NULL);
	uint64_t hash = hash_bytes(0, method, strlen(method));

	return (text ? hash_bytes(hash, text, strlen(text)) : hash) | 1;
}

static struct mark *mark_find(struct marks *marks, uint64_t list, int64_t page)
{
	for (size_t i = 0; marks && i < MARKS_MAX; i++)
		if (marks->items[i].list == list && marks->items[i].page == page)
			return &marks->items[i];
	return NULL;
}

static void mark_keep(struct marks *marks, const struct mark *mark, const char *cursor)
{
	struct mark *kept = mark_find(marks, mark->list, mark->page);

	if (!marks || !cursor || strlen(cursor) >= sizeof(kept->cursor))
		return;
	if (!kept)
		kept = &marks->items[marks->next++ % MARKS_MAX];
	*kept = *mark;
	snprintf(kept->cursor, sizeof(kept->cursor), "%s", cursor);
}

/* A walk over the items of a method, which goes on from run to run: each page is looked at once, and let
 * go. */
struct walk {
	char *cursor; // where it is; NULL: at the beginning, or the end
	bool begun;
	bool ended;
	bool at_mark; // it began where the page does
	int64_t looked_at;
	int64_t length; // of the first page
	int64_t count; // of all
	json_object *items; // that were taken
	size_t bytes; // of those, where they are of many pages
	/* Of the present run. */
	struct asking *asking;
	const char *method;
	json_object *parameters; // without cursor and limit
	step_fits_fn *fits;
};

static void walk_done(void *state)
{
	struct walk *walk = state;

	json_object_put(walk->items);
	free(walk->cursor);
}

static void walk_to(struct walk *walk, const char *cursor)
{
	char *copy = cursor ? strdup(cursor) : NULL;

	if (cursor && !copy)
		walk->asking->maker.failed = true;
	free(walk->cursor);
	walk->cursor = copy;
	walk->begun = true;
}

static json_object *page_parameters(struct walk *walk, int64_t limit)
{
	struct json_maker *maker = &walk->asking->maker;
	json_object *copy = make_object(maker);

	json_object_object_foreach (walk->parameters, name, given)
		put(maker, copy, name, json_object_get(given));
	if (walk->cursor)
		put_text(maker, copy, "cursor", walk->cursor);
	else
		put_bool(maker, copy, "count", true);
	put_int(maker, copy, "limit", limit);
	return copy;
}

static bool is_too_long(struct walk *walk, int64_t looked_at)
{
	struct fault fault = { 0 };

	if (looked_at <= WALK_ITEMS_MAX)
		return false;
	fault_set(&fault, ELLU_E_TOO_LARGE, "the list is too long to be looked through for this");
	fault.number = WALK_ITEMS_MAX;
	ask_fail(walk->asking, &fault);
	walk->asking->waits = true;
	return true;
}

/* What it takes to hold it, about. */
static size_t bytes_of(json_object *value)
{
	size_t bytes = VALUE_BYTES;

	if (json_object_is_type(value, json_type_string))
		return bytes + (size_t)json_object_get_string_len(value);
	for (size_t i = 0; i < array_length(value); i++)
		bytes += bytes_of(json_object_array_get_idx(value, i));
	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach (value, name, inner)
			bytes += strlen(name) + bytes_of(inner);
	}
	return bytes;
}

static bool is_too_much(struct walk *walk)
{
	struct fault fault = { 0 };

	if (walk->bytes <= WALK_BYTES_MAX)
		return false;
	fault_too_large(&fault, WALK_BYTES_MAX, "what the list has of this");
	ask_fail(walk->asking, &fault);
	walk->asking->waits = true;
	return true;
}

/* What of the page is wanted, behind what was taken so far. False: that has to be asked, or it is too much. */
static bool take_items(struct walk *walk, json_object *page)
{
	struct json_maker *maker = &walk->asking->maker;
	json_object *taken = make_array(maker), *item;
	bool known;

	for (size_t i = 0; i < array_length(page); i++) {
		item = json_object_array_get_idx(page, i);
		if (!walk->fits || walk->fits(walk->asking, item))
			append(maker, taken, json_object_get(item));
	}
	known = !ask_waits(walk->asking);
	for (size_t i = 0; known && i < array_length(taken); i++) {
		item = json_object_array_get_idx(taken, i);
		walk->bytes += walk->fits ? bytes_of(item) : 0; // one page is bounded by itself
		append(maker, walk->items, json_object_get(item));
	}
	json_object_put(taken);
	return known && !is_too_much(walk);
}

/* The next ones, no more than so many. False: it has to be waited for. */
static bool walk_on(struct walk *walk, int64_t limit, bool takes)
{
	json_object *answer;
	int64_t n;

	if (is_too_long(walk, walk->looked_at))
		return false;
	answer = ask(walk->asking, walk->method, page_parameters(walk, limit));
	if (!answer || (takes && !take_items(walk, member(answer, "items"))))
		return false;
	n = (int64_t)array_length(member(answer, "items"));
	if (!walk->begun) {
		walk->length = n;
		walk->count = member_int(answer, "count", n);
	}
	walk->looked_at += n;
	walk_to(walk, member_text(answer, "next_cursor"));
	walk->ended = !walk->cursor;
	ask_forget(walk->asking, answer);
	return !walk->asking->maker.failed;
}

/* Until so many were looked at, or to the end. False: wait. */
static bool walk_over(struct walk *walk, int64_t n, bool takes)
{
	int64_t left;

	while ((left = n - walk->looked_at) > 0 && !walk->ended)
		if (!walk_on(walk, left < PAGE_ITEMS_MAX ? left : PAGE_ITEMS_MAX, takes))
			return false;
	return true;
}

/* The page of that number: as long as the first one, which `size` bounds. False: wait. */
static bool walk_to_page(struct walk *walk, int64_t page, int64_t size)
{
	int64_t before;

	if (page == 1)
		return walk->begun || walk_on(walk, size, /* takes= */ true);
	if (walk->at_mark)
		return walk_over(walk, walk->length, /* takes= */ true);
	if (!walk->begun && !walk_on(walk, size, /* takes= */ false))
		return false;
	before = page - 1 > WALK_ITEMS_MAX ? INT64_MAX - walk->length : (page - 1) * walk->length;
	if (!walk->ended && is_too_long(walk, before))
		return false;
	return walk_over(walk, before, /* takes= */ false) &&
	       walk_over(walk, before + walk->length, /* takes= */ true);
}

/* NULL: no memory. */
static struct walk *walk_of(struct asking *asking, const char *method, json_object *parameters,
			    step_fits_fn *fits)
{
	struct walk *walk = ask_state(asking, sizeof(*walk), walk_done);

	if (!walk)
		return NULL;
	if (!walk->items)
		walk->items = make_array(&asking->maker);
	walk->asking = asking;
	walk->method = method;
	walk->parameters = parameters;
	walk->fits = fits;
	return walk;
}

/* The page that the query asks for. False: wait, or it was answered. */
static bool walk_page(struct walk *walk, int64_t page, int64_t size)
{
	struct mark mark = { .list = list_of(walk->method, walk->parameters) };
	struct marks *marks = marks_of(walk->asking);
	const struct mark *known = page > 1 && !walk->begun ? mark_find(marks, mark.list, page) : NULL;

	if (known) {
		walk->at_mark = true;
		walk->length = known->length;
		walk->count = known->count;
		walk_to(walk, known->cursor);
	}
	if (!walk_to_page(walk, page, size))
		return false;
	mark.page = page + 1;
	mark.length = walk->length;
	mark.count = walk->count;
	mark_keep(marks, &mark, walk->cursor);
	return true;
}

json_object *step_list(struct asking *asking, const char *method, json_object *parameters, int64_t size,
		       step_fits_fn *fits, int64_t *ret_count)
{
	const char *text = step_query(asking, "page");
	int64_t page = text ? id_of(text) : 1;
	struct fault fault = { 0 };
	struct walk *walk = NULL;
	bool whole = false;

	if (page)
		walk = walk_of(asking, method, parameters, fits);
	else
		ask_fail(asking, (fault_invalid(&fault, "page", "a number, from 1 on"), &fault));
	if (walk)
		whole = fits ? walk_over(walk, INT64_MAX, /* takes= */ true) : walk_page(walk, page, size);
	json_object_put(parameters);
	if (!whole || ask_waits(asking))
		return NULL;
	*ret_count = fits ? (int64_t)array_length(walk->items) : walk->count;
	return json_object_get(walk->items);
}

bool step_item(struct asking *asking, const char *method, json_object *parameters, int64_t number,
	       json_object **ret_item)
{
	struct walk *walk = walk_of(asking, method, parameters, NULL);
	bool known = walk && walk_over(walk, number, /* takes= */ false) &&
		     walk_over(walk, number + 1, /* takes= */ true);

	json_object_put(parameters);
	if (!known)
		return false;
	*ret_item = array_length(walk->items) > 0 ? json_object_array_get_idx(walk->items, 0) : NULL;
	return true;
}

static bool is_one_of(const char *name, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void step_keep(json_object *object, const char *const names[], size_t n)
{
	if (!json_object_is_type(object, json_type_object))
		return;
	json_object_object_foreach (object, name, value) {
		(void)value;
		if (!is_one_of(name, names, n))
			json_object_object_del(object, name);
	}
}

void step_answer_list(struct asking *asking, json_object *items, int64_t count)
{
	json_object *answer = make_object(&asking->maker);

	put(&asking->maker, answer, "items", items);
	put_int(&asking->maker, answer, "count", count);
	ask_answer(asking, 200, answer);
}

/* ---- Resources ---- */

json_object *step_of(struct asking *asking, const char *project, const char *field, int64_t id)
{
	json_object *parameters = step_parameters(asking, project);

	put(&asking->maker, parameters, field, ref_id(&asking->maker, id));
	return parameters;
}

json_object *step_get(struct asking *asking, const char *project, const char *method, const char *field)
{
	int64_t id = step_id(asking, 1);

	return id ? member(ask(asking, method, step_of(asking, project, field, id)), field) : NULL;
}

void step_delete(struct asking *asking, const char *method, const char *field)
{
	const char *project = step_project(asking);
	int64_t id = project ? step_id(asking, 1) : 0;

	if (id && ask(asking, method, step_of(asking, project, field, id)))
		ask_answer_nothing(asking, 204);
}

/* None means the latest, too, which one of their clients writes as a text. */
const char *step_version(const struct asking *asking)
{
	const char *version = step_query(asking, "version");
	bool latest = version && (strcmp(version, "latest") == 0 || strcmp(version, "None") == 0);

	return latest ? NULL : version;
}

json_object *step_list_named(struct asking *asking, const char *project, const char *method,
			     const char *field, const char *name, int64_t *ret_count)
{
	json_object *parameters = step_parameters(asking, project), *ref, *found, *items;
	const struct fault *fault;

	ref = ref_name(&asking->maker, name);
	if (strcmp(field, "prompt_template") == 0 && step_version(asking) && step_query_id(asking, "version") > 0)
		put_int(&asking->maker, ref, "version", step_query_id(asking, "version"));
	put(&asking->maker, parameters, field, ref);
	found = member(ask_unless(asking, method, parameters, ELLU_E_NOT_FOUND, &fault), field);
	if (ask_waits(asking))
		return NULL;
	items = make_array(&asking->maker);
	if (found)
		append(&asking->maker, items, json_object_get(found));
	*ret_count = (int64_t)array_length(items);
	return items;
}

/* ---- What is shown together ---- */

json_object *step_experiment(struct asking *asking, const char *project, int64_t id)
{
	return member(ask(asking, "GetExperiment", step_of(asking, project, "experiment", id)), "experiment");
}

/* What the reference refers to; or the reference, where that is no more. */
static json_object *part(struct asking *asking, const char *project, const char *method, const char *field,
			 json_object *ref)
{
	json_object *parameters, *answer, *by_name;
	const struct fault *fault;

	if (!ref)
		return NULL;
	parameters = step_parameters(asking, project);
	/* An experiment names what it is made of. Of a collection only its present version is had. */
	by_name = ref_name(&asking->maker, member_text(ref, "name"));
	if (strcmp(field, "collection") != 0)
		put_present(&asking->maker, by_name, "version", ref, "version");
	put(&asking->maker, parameters, field, by_name);
	answer = ask_unless(asking, method, parameters, ELLU_E_NOT_FOUND, &fault);
	return fault ? ref : member(answer, field);
}

bool step_parts(struct asking *asking, const char *project, json_object *experiment,
		struct sdk_parts *ret_parts)
{
	*ret_parts = (struct sdk_parts){
		.experiment = experiment,
		.prompt_template = part(asking, project, "GetPromptTemplate", "prompt_template",
					member(experiment, "prompt_template")),
		.collection = part(asking, project, "GetCollection", "collection",
				   member(experiment, "collection")),
		.llm_config = part(asking, project, "GetLLMConfig", "llm_config",
				   member(experiment, "llm_config")),
	};
	return !ask_waits(asking);
}

bool step_is_of(struct asking *asking, json_object *experiment, const char *query, const char *method,
		const char *field)
{
	int64_t id = step_query_id(asking, query);
	json_object *parameters, *wanted, *its = member(experiment, field);
	const char *name = member_text(its, "name");

	if (id <= 0)
		return id == 0;
	parameters = make_object(&asking->maker);
	put(&asking->maker, parameters, field, ref_id(&asking->maker, id));
	wanted = member(ask(asking, method, parameters), field);
	return wanted && name && strcmp(name, member_text(wanted, "name")) == 0 &&
	       (strcmp(field, "prompt_template") != 0 ||
		member_int(its, "version", 1) == member_int(wanted, "version", 1));
}
