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

json_object *step_projects(struct asking *asking)
{
	json_object *parameters = make_object(&asking->maker), *own, *list;

	if (!asking->exchange->principal.project_id) {
		put_int(&asking->maker, parameters, "limit", PAGE_ITEMS_MAX);
		return json_object_get(member(ask(asking, "ListProjects", parameters), "items"));
	}
	/* A token of one project sees no other. */
	own = member(ask(asking, "GetProject", parameters), "project");
	if (!own)
		return NULL;
	list = make_array(&asking->maker);
	append(&asking->maker, list, json_object_get(own));
	return list;
}

const char *step_project(struct asking *asking)
{
	int64_t id = step_id(asking, 0);
	json_object *projects = id ? step_projects(asking) : NULL;
	const char *name = NULL;
	struct fault fault = { 0 };

	for (size_t i = 0; i < array_length(projects) && !name; i++) {
		json_object *project = json_object_array_get_idx(projects, i);

		if (member_int(project, "id", 0) == id)
			name = member_text(project, "name");
	}
	if (projects && !name) {
		fault_not_found(&fault, "project", NULL, id);
		ask_fail(asking, &fault);
	}
	json_object_put(projects); // what was asked keeps the name
	return name;
}

json_object *step_parameters(struct asking *asking, const char *project)
{
	json_object *parameters = make_object(&asking->maker);

	put_text(&asking->maker, parameters, "project", project);
	return parameters;
}

const char *step_query(const struct asking *asking, const char *name)
{
	json_object *values = member(asking->query, name);
	json_object *value = values ? json_object_array_get_idx(values, 0) : NULL;
	const char *text = value ? json_object_get_string(value) : NULL;

	/* A client that has nothing to say may say it so. */
	return text && *text ? text : NULL;
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

/* Pages are asked for by number, and methods list behind cursors. Where a page begins is remembered when
 * the one before it was listed; what was forgotten is walked to, not far. */
#define MARKS_MAX 64
#define WALK_ITEMS_MAX 10000

static struct mark {
	uint64_t list; // whose and what, hashed; 0: none
	int64_t page;
	int64_t length; // of pages
	int64_t count;
	char cursor[208];
} marks[MARKS_MAX];
static size_t next_mark;

static uint64_t list_of(const struct asking *asking, const char *method, json_object *parameters)
{
	int64_t uid = asking->exchange->principal.uid;
	const char *text = json_text(parameters, NULL);
	uint64_t hash = hash_bytes((uint64_t)uid, method, strlen(method));

	return (text ? hash_bytes(hash, text, strlen(text)) : hash) | 1;
}

static const struct mark *mark_find(uint64_t list, int64_t page)
{
	for (size_t i = 0; i < MARKS_MAX; i++)
		if (marks[i].list == list && marks[i].page == page)
			return &marks[i];
	return NULL;
}

static void mark_keep(const struct mark *mark, const char *cursor)
{
	struct mark *kept = (struct mark *)mark_find(mark->list, mark->page);

	if (!cursor || strlen(cursor) >= sizeof(kept->cursor))
		return;
	if (!kept)
		kept = &marks[next_mark++ % MARKS_MAX];
	*kept = *mark;
	snprintf(kept->cursor, sizeof(kept->cursor), "%s", cursor);
}

/* A walk over the items of a method. */
struct walk {
	struct asking *asking;
	const char *method;
	json_object *parameters; // without cursor and limit
	const char *cursor; // where it is; NULL: at the beginning, or the end
	bool ended;
	int64_t looked_at;
	step_fits_fn *fits;
	json_object *items; // that were taken; NULL: they are passed by
	json_object *answer; // the last one, borrowed
};

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

/* The next ones, no more than so many; -1: it has to be waited for. */
static int64_t walk_on(struct walk *walk, int64_t limit)
{
	json_object *items;
	struct fault fault = { 0 };

	if (walk->looked_at > WALK_ITEMS_MAX) {
		fault_set(&fault, ELLU_E_TOO_LARGE, "the list is too long to be looked through for this");
		fault.number = WALK_ITEMS_MAX;
		ask_fail(walk->asking, &fault);
		walk->asking->waits = true;
		return -1;
	}
	walk->answer = ask(walk->asking, walk->method, page_parameters(walk, limit));
	if (!walk->answer)
		return -1;
	items = member(walk->answer, "items");
	for (size_t i = 0; i < array_length(items) && walk->items; i++) {
		json_object *item = json_object_array_get_idx(items, i);

		if (!walk->fits || walk->fits(walk->asking, item))
			append(&walk->asking->maker, walk->items, json_object_get(item));
	}
	walk->looked_at += (int64_t)array_length(items);
	walk->cursor = member_text(walk->answer, "next_cursor");
	walk->ended = !walk->cursor;
	return (int64_t)array_length(items);
}

/* So many items, or to the end. False: wait. */
static bool walk_over(struct walk *walk, int64_t n)
{
	while (n > 0 && !walk->ended) {
		int64_t found = walk_on(walk, n < PAGE_ITEMS_MAX ? n : PAGE_ITEMS_MAX);

		if (found < 0)
			return false;
		n -= found;
	}
	return true;
}

/* The page of that number. False: wait. */
static bool walk_to_page(struct walk *walk, struct mark *mark, int64_t page, int64_t size)
{
	const struct mark *known = page > 1 ? mark_find(mark->list, page) : NULL;
	json_object *items = walk->items;

	if (known) {
		*mark = *known;
		walk->cursor = mark->cursor;
		return walk_over(walk, mark->length);
	}
	walk->items = page > 1 ? NULL : items;
	mark->length = walk_on(walk, size);
	walk->items = items;
	if (mark->length < 0)
		return false;
	mark->count = member_int(walk->answer, "count", mark->length);
	if (page == 1 || walk->ended)
		return true;
	walk->items = NULL;
	if ((page - 2) * mark->length > WALK_ITEMS_MAX)
		walk->looked_at = INT64_MAX;
	if (!walk_over(walk, (page - 2) * mark->length)) {
		walk->items = items;
		return false;
	}
	walk->items = items;
	return walk_over(walk, mark->length);
}

json_object *step_list(struct asking *asking, const char *method, json_object *parameters, int64_t size,
		       step_fits_fn *fits, int64_t *ret_count)
{
	struct walk walk = { .asking = asking, .method = method, .parameters = parameters, .fits = fits };
	struct mark mark = { .list = list_of(asking, method, parameters) };
	const char *text = step_query(asking, "page");
	int64_t page = text ? id_of(text) : 1;
	struct fault fault = { 0 };
	bool whole;

	if (!page) {
		json_object_put(parameters);
		fault_invalid(&fault, "page", "a number, from 1 on");
		ask_fail(asking, &fault);
		return NULL;
	}
	walk.items = make_array(&asking->maker);
	whole = fits ? walk_over(&walk, INT64_MAX) : walk_to_page(&walk, &mark, page, size);
	json_object_put(parameters);
	if (!whole || ask_waits(asking)) {
		json_object_put(walk.items);
		return NULL;
	}
	*ret_count = fits ? (int64_t)array_length(walk.items) : mark.count;
	mark.page = page + 1;
	if (!fits)
		mark_keep(&mark, walk.cursor);
	return walk.items;
}

void step_answer_list(struct asking *asking, json_object *items, int64_t count)
{
	json_object *answer = make_object(&asking->maker);

	put(&asking->maker, answer, "items", items);
	put_int(&asking->maker, answer, "count", count);
	ask_answer(asking, 200, answer);
}

/* ---- What is shown together ---- */

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
