/*
 * elluminate import: tests become cases, and their assertions criteria. There an assertion belongs to a test,
 * here a criterion to all cases: what tests expect stands in columns, and tests that expect less have there
 * what every response meets.
 */
#include "client/cli/files/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/files/file_text.h"
#include "client/cli/files/rows.h"
#include "proto/content/template.h"
#include "proto/text/regex.h"

#define CASES_MAX 100000
#define IMPORTED_BYTES_MAX (64u << 20) // of tests, and what they expect
#define MET_BY_ALL "There is a response, whatever it says." // what a judge is asked where a test has no rubric

/* ---- Assertions ---- */

static const struct {
	const char *theirs, *kind;
	bool each; // of a list
} assertions[] = {
	{ "llm-rubric", RUBRIC, false }, { "equals", "equals", false }, { "contains", "contains", false },
	{ "icontains", "icontains", false }, { "starts-with", "starts_with", false },
	{ "is-json", "is_json", false }, { "regex", "regex", false }, { "contains-all", "contains", true },
	{ "icontains-all", "icontains", true },
};

static void add_assertion(struct import *in, const struct at *at, const char *kind, json_object *value,
			  struct assertion ***last)
{
	struct assertion *made = arena_alloc(&in->arena, sizeof(*made));
	const char *expected = NULL;
	json_object *text = file_in(value) ? read_beside(in, at, file_in(value)) : json_object_get(value);

	if (!text && value)
		return;
	if (!made)
		return import_fail(in, -ENOMEM);
	*made = (struct assertion){ .kind = kind, .at = *at,
				    .value = arena_strdup(&in->arena, text ? json_object_get_string(text) : "") };
	json_object_put(text);
	if (!made->value)
		return import_fail(in, -ENOMEM);
	if (strcmp(kind, "regex") == 0 && !strstr(made->value, "{{") && regex_check(made->value, &expected) == 0 &&
	    expected)
		return import_leave(in, at, "expected %s", expected);
	import_scan(in, at, made->value);
	**last = made;
	*last = &made->next;
}

static void add_typed(struct import *in, const struct at *at, const char *type, json_object *value,
		      struct assertion ***last)
{
	for (size_t i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++) {
		const bool is_json = strcmp(assertions[i].kind, "is_json") == 0;

		if (strcmp(assertions[i].theirs, type) != 0)
			continue;
		if (is_json && value)
			import_leave(in, at, "that it is JSON is checked, its schema is not");
		if (!is_json && (!value || json_object_is_type(value, json_type_object) ||
				 is_array(value) != assertions[i].each))
			return import_leave(in, at, "%s has no such value here", type);
		for (size_t k = 0; k < (is_json ? 1 : items_of(value)); k++)
			add_assertion(in, at, assertions[i].kind, is_json ? NULL : item_of(value, k), last);
		return;
	}
	import_leave(in, at, "%s", type);
}

static void add_assertions(struct import *in, const struct at *at, json_object *list, struct assertion ***last)
{
	for (size_t i = 0; i < items_of(list); i++) {
		json_object *item = item_of(list, i);
		struct at below = item_at(at, list, i);
		const char *type = text_in(member(item, "type"));

		if (!type) {
			import_leave(in, &below, "an assertion without type");
			continue;
		}
		add_typed(in, &below, type, member(item, "value"), last);
		leave_members(in, &below, item, "type value");
	}
}

/* As a cell has it: `contains: Paris`; a text alone is what the answer equals. */
static void add_expected(struct import *in, const struct at *at, const char *text, struct assertion ***last)
{
	static const char other[] = "javascript fn eval python similar levenshtein cost latency perplexity webhook "
				    "factuality answer-relevance model-graded-closedqa model-graded-factuality "
				    "contains-any icontains-any contains-json is-sql rouge-n bleu moderation file";
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz-");
	const char *rest = text + length;
	char type[64];
	json_object *value;
	bool is_known;

	snprintf(type, sizeof(type), "%.*s", (int) length, text);
	if (strcmp(type, "grade") == 0)
		snprintf(type, sizeof(type), "llm-rubric");
	is_known = text_is_listed(other, type) || strncmp(type, "not-", 4) == 0;
	for (size_t i = 0; i < sizeof(assertions) / sizeof(assertions[0]); i++)
		is_known |= strcmp(assertions[i].theirs, type) == 0;
	if (!is_known || (*rest && !strchr(":(", *rest)) || (!*rest && strcmp(type, "is-json") != 0)) {
		snprintf(type, sizeof(type), "equals");
		rest = text;
	} else if (*rest == '(') {
		return import_leave(in, at, "%s", text);
	} else {
		rest += *rest == ':';
		rest += strspn(rest, " ");
	}
	value = *rest ? json_object_new_string(rest) : NULL;
	if (value && strstr(type, "contains-all")) {
		json_object *list = json_object_new_array();

		for (size_t size; *rest; rest += size + (rest[size] == ',')) {
			rest += strspn(rest, " ");
			size = strcspn(rest, ",");
			append(in, list, json_object_new_string_len(rest, (int) size));
		}
		json_object_put(value);
		value = list;
	}
	add_typed(in, at, type, value, last);
	json_object_put(value);
}

/* ---- Criteria ---- */

static void add_criterion(struct import *in, const struct at *at, const char *kind, const char *value)
{
	json_object *criterion = json_object_new_object(), *check = json_object_new_object();
	const bool is_json = strcmp(kind, "is_json") == 0;
	const char *says = strcmp(kind, RUBRIC) == 0 ? value
			 : is_json ? "is JSON" : arena_printf(&in->arena, "%s %s", kind, value);
	json_object *text = says ? json_object_new_string(says) : NULL;

	put(in, criterion, "criterion", text);
	put(in, check, "kind", json_object_new_string(kind));
	if (!is_json)
		put(in, check, "value", json_object_new_string(value));
	if (strcmp(kind, RUBRIC) != 0)
		put(in, criterion, "check", json_object_get(check));
	json_object_put(check);
	for (size_t i = 0; text && i < json_object_array_length(in->criteria); i++) {
		json_object *other = item_of(in->criteria, i);

		if (!json_object_equal(member(other, "criterion"), text))
			continue;
		if (!json_object_equal(other, criterion))
			import_leave(in, at, "another criterion has the same text");
		json_object_put(criterion);
		return;
	}
	append(in, in->criteria, criterion);
}

static struct slot *find_slot(struct import *in, const struct assertion *list, const struct assertion *of)
{
	unsigned nth = 0;

	for (; list != of; list = list->next)
		nth += strcmp(list->kind, of->kind) == 0;
	for (size_t i = 0; i < in->n_slots; i++)
		if (in->slots[i].nth == nth && strcmp(in->slots[i].kind, of->kind) == 0)
			return &in->slots[i];
	if (in->n_slots == SLOTS_MAX)
		return NULL;
	in->slots[in->n_slots] = (struct slot){ .kind = of->kind, .nth = nth, .value = of->value };
	return &in->slots[in->n_slots++];
}

/* What every response meets by a criterion of this kind; NULL: nothing. */
static const char *met_by_all(const char *kind)
{
	if (strcmp(kind, RUBRIC) == 0)
		return MET_BY_ALL;
	return text_is_listed("contains icontains starts_with regex", kind) ? "" : NULL;
}

/* A criterion where all tests expect the same, else a column of what each expects. */
static void add_slot(struct import *in, struct slot *slot, const struct at *at)
{
	const bool is_of_all = slot->n_tests == in->n_tests;
	char value[sizeof(slot->column) + 8], number[16] = "";

	if (is_of_all && !slot->differs)
		return add_criterion(in, at, slot->kind, slot->value);
	if (!is_of_all && !met_by_all(slot->kind))
		return;
	if (slot->nth > 0)
		snprintf(number, sizeof(number), "_%u", slot->nth + 1);
	snprintf(slot->column, sizeof(slot->column), "expected_%s%s", slot->kind, number);
	while (json_object_object_get_ex(in->columns, slot->column, NULL) && strlen(slot->column) < 60)
		strcat(slot->column, "_");
	snprintf(value, sizeof(value), "{{%s}}", slot->column);
	add_criterion(in, at, slot->kind, value);
}

/* The expectation in the test's row, with its placeholders filled. */
static void fill_slot(struct import *in, struct test *test, struct slot *slot)
{
	const char *value = met_by_all(slot->kind);
	struct fault fault;

	for (struct assertion *one = test->assertions; one; one = one->next)
		if (one->slot == slot &&
		    template_render(one->value, test->row, &in->arena, &value, &fault) < 0)
			return REFUSE(in, &one->at, "%s", fault.message);
	put(in, test->row, slot->column, json_object_new_string(value));
}

static void fill_row(struct import *in, struct test *test)
{
	size_t size = 0;

	json_object_object_foreach(in->columns, name, nothing)
	{
		(void) nothing;
		if (!member(test->row, name))
			put(in, test->row, name, json_object_new_string(""));
	}
	for (size_t i = 0; i < in->n_slots; i++)
		if (in->slots[i].column[0])
			fill_slot(in, test, &in->slots[i]);
	append(in, in->rows, json_object_get(test->row));
	(void) json_object_to_json_string_length(test->row, JSON_C_TO_STRING_PLAIN, &size);
	in->size += size;
	if (in->size + arena_size(&in->arena) > IMPORTED_BYTES_MAX)
		import_fail(in, complain(in->complaint, "%s: its tests take more than %u bytes", in->file.path,
					 IMPORTED_BYTES_MAX));
}

static void make_criteria(struct import *in)
{
	struct at at = { .path = "tests" };

	for (struct assertion *one = in->of_all; one; one = one->next)
		add_criterion(in, &one->at, one->kind, one->value);
	for (struct test *test = in->tests; test; test = test->next)
		for (struct assertion *one = test->assertions; one; one = one->next) {
			one->slot = one->slot ? one->slot : find_slot(in, test->assertions, one);
			if (!one->slot)
				return REFUSE(in, &one->at, "more than %d of a kind", SLOTS_MAX);
			one->slot->n_tests++;
			one->slot->differs |= strcmp(one->slot->value, one->value) != 0;
		}
	for (size_t i = 0; i < in->n_slots; i++)
		add_slot(in, &in->slots[i], &at);
	for (struct test *test = in->tests; test; test = test->next)
		for (struct assertion *one = test->assertions; one; one = one->next) {
			if (one->slot->n_tests < in->n_tests && !met_by_all(one->kind))
				import_leave(in, &one->at, "not every test has it, and a criterion is of all cases");
		}
	for (struct test *test = in->tests; !in->error && test; test = test->next)
		fill_row(in, test);
}

/* ---- Tests ---- */

static json_object *copy_of(struct import *in, json_object *row)
{
	json_object *copy = json_object_new_object();

	json_object_object_foreach(row, name, value)
		put(in, copy, name, json_object_get(value));
	return copy;
}

/* A case for each combination of the items of lists. `row` is taken. */
static void add_cases(struct import *in, const struct at *at, json_object *row, struct assertion *list)
{
	struct test *test;

	json_object_object_foreach(row, name, value)
	{
		if (!in->expands || !is_array(value))
			continue;
		if (json_object_array_length(value) == 0)
			import_leave(in, at, "no case: %s is an empty list", name);
		for (size_t i = 0; !in->error && i < json_object_array_length(value); i++) {
			json_object *one = copy_of(in, row);

			put(in, one, name, json_object_get(json_object_array_get_idx(value, i)));
			add_cases(in, at, one, list);
		}
		json_object_put(row);
		return;
	}
	test = arena_alloc(&in->arena, sizeof(*test));
	if (!test || in->n_tests == CASES_MAX) {
		json_object_put(row);
		if (!test)
			return import_fail(in, -ENOMEM);
		return REFUSE(in, at, "more than %d cases", CASES_MAX);
	}
	*test = (struct test){ .row = row, .assertions = list };
	*in->last = test;
	in->last = &test->next;
	in->n_tests++;
}

/* Over what the row has. */
static void add_variables(struct import *in, const struct at *at, json_object *variables, json_object *row)
{
	if (!json_object_is_type(variables, json_type_object)) {
		if (variables)
			import_leave(in, at, "variables are an object here");
		return;
	}
	json_object_object_foreach(variables, name, value)
	{
		struct at below = at_below(at, ".%s", name);
		const char *path = file_in(value);
		json_object *taken = value ? json_object_get(value) : json_object_new_string("");

		if (path && !ends_in(path, "txt md json yaml yml html csv xml")) {
			import_leave(in, &below, "%s: not a file of text; it stays as it is", path);
		} else if (path) {
			json_object_put(taken);
			taken = read_beside(in, &below, path);
		} else if (text_in(value) && strstr(text_in(value), "{{")) {
			import_leave(in, &below, "a placeholder in a value is not filled");
		}
		if (json_object_object_add(in->columns, name, NULL) < 0)
			import_fail(in, -ENOMEM);
		if (taken)
			put(in, row, name, taken);
	}
}

static void add_test(struct import *in, const struct at *at, json_object *test)
{
	struct at variables = at_below(at, ".vars"), asserts = at_below(at, ".assert");
	struct at options = at_below(at, ".options");
	json_object *row, *description = member(test, "description");
	struct assertion *list = NULL, **last = &list;

	if (!json_object_is_type(test, json_type_object))
		return import_leave(in, at, "not a test");
	row = copy_of(in, in->usual);
	add_variables(in, &variables, member(test, "vars"), row);
	if (text_in(description) && !member(row, "description")) {
		put(in, row, "description", json_object_get(description));
		json_object_object_add(in->columns, "description", NULL);
	}
	add_assertions(in, &asserts, member(test, "assert"), &last);
	leave_members(in, at, test, text_in(description) ? "vars assert description options" : "vars assert options");
	if (member(test, "options"))
		leave_members(in, &options, member(test, "options"), "");
	add_cases(in, at, row, list);
}

/* A row of a table: variables, and what begins with `__`. */
static void add_table_row(struct import *in, const struct at *at, json_object *cells)
{
	json_object *row = copy_of(in, in->usual), *variables = json_object_new_object();
	struct assertion *list = NULL, **last = &list;

	json_object_object_foreach(cells, name, value)
	{
		struct at below = at_below(at, ".%s", name);
		const char *text = text_in(value) ? text_in(value) : "";

		if (strncmp(name, "__expected", 10) == 0 && *text)
			add_expected(in, &below, text, &last);
		else if (strcmp(name, "__description") == 0)
			put(in, variables, "description", json_object_get(value));
		else if (strncmp(name, "__", 2) != 0)
			put(in, variables, name, json_object_get(value));
		else if (*text && strncmp(name, "__expected", 10) != 0)
			import_leave(in, &below, "nothing here is like it");
	}
	add_variables(in, at, variables, row);
	json_object_put(variables);
	add_cases(in, at, row, list);
}

static void add_test_file(struct import *in, const struct at *at, const char *path)
{
	char *beside = path_beside(in->file.path, path);
	struct rows *rows = NULL;
	json_object *row;
	int r = beside ? 0 : -ENOMEM;

	if (r == 0 && !ends_in(path, "csv jsonl ndjson json")) {
		free(beside);
		return import_leave(in, at, "%s: not a file of CSV, JSONL or JSON", path);
	}
	r = r == 0 ? rows_open(beside, NULL, /* once= */ false, &rows, in->complaint) : r;
	while (r == 0 && !in->error && (r = rows_next(rows, &row, in->complaint)) > 0) {
		struct at there = { .place = arena_strdup(&in->arena, rows_place_of(rows, rows_line(rows))) };

		if (ends_in(path, "csv"))
			add_table_row(in, &there, row);
		else
			add_test(in, &there, row);
		json_object_put(row);
		r = 0;
	}
	rows_free(rows);
	free(beside);
	if (r < 0)
		import_fail(in, r);
}

void import_tests(struct import *in, json_object *defaults, json_object *tests)
{
	const struct at at = { .path = "tests" }, usual = { .path = "defaultTest.vars" };
	const struct at asserts = { .path = "defaultTest.assert" };
	struct assertion **last = &in->of_all;
	json_object *none = json_object_new_object();

	add_variables(in, &usual, member(defaults, "vars"), in->usual);
	add_assertions(in, &asserts, member(defaults, "assert"), &last);
	for (size_t i = 0; !in->error && i < items_of(tests); i++) {
		json_object *item = item_of(tests, i);
		struct at below = item_at(&at, tests, i);
		const char *path = file_in(item) ? file_in(item) : text_in(item);

		if (path)
			add_test_file(in, &below, path);
		else
			add_test(in, &below, item);
	}
	if (!in->tests && !in->error)
		add_test(in, &at, none);
	json_object_put(none);
	if (!in->error)
		make_criteria(in);
}
