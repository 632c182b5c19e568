/*
 * elluminate import SAMPLES.jsonl: samples of OpenAI's evals become an experiment file. `input` is a column of
 * conversations, so no template is needed; an answer meets `ideal` as with their Match: it begins with it, or with
 * one of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/files/import.h"
#include "client/cli/files/rows.h"
#include "proto/text/regex.h"

#define SAMPLES_MAX 100000
#define SAMPLES_BYTES_MAX (64u << 20)
#define PATTERN "ideal_pattern" // where samples have several ideals

struct samples {
	struct rows *rows;
	json_object *list; // rows of the collection
	size_t bytes;
	bool ideals, several; // any has one, or more
	struct complaint *complaint;
};

static int refuse(struct samples *samples, const char *what)
{
	return complain(samples->complaint, "%s: %s", rows_place_of(samples->rows, rows_line(samples->rows)), what);
}

/* A text is one message of the user. */
static int take_input(struct samples *samples, json_object *row)
{
	json_object *input = member(row, "input"), *list, *message;

	if (is_array(input) && json_object_array_length(input) > 0)
		return 0;
	if (!text_in(input))
		return refuse(samples, "expected `input`: a text, or a list of messages");
	list = json_object_new_array();
	message = json_object_new_object();
	if (!list || !message)
		return -ENOMEM;
	json_object_object_add(message, "role", json_object_new_string("user"));
	json_object_object_add(message, "content", json_object_get(input));
	json_object_array_add(list, message);
	return json_object_object_add(row, "input", list) < 0 ? -ENOMEM : 0;
}

static int check_ideal(struct samples *samples, json_object *row)
{
	json_object *ideal = member(row, "ideal");
	size_t n = items_of(ideal);

	for (size_t i = 0; i < n; i++)
		if (!text_in(is_array(ideal) ? json_object_array_get_idx(ideal, i) : ideal))
			return refuse(samples, "expected `ideal`: a text, or a list of texts");
	samples->ideals = samples->ideals || n > 0;
	samples->several = samples->several || n > 1;
	if (is_array(ideal) && n == 0)
		return refuse(samples, "expected `ideal`: at least one text");
	return 0;
}

static int take_sample(struct samples *samples, json_object *row)
{
	int r = take_input(samples, row);

	if (r == 0)
		r = check_ideal(samples, row);
	samples->bytes += strlen(json_object_to_json_string(row));
	if (r == 0 && (samples->bytes > SAMPLES_BYTES_MAX || json_object_array_length(samples->list) == SAMPLES_MAX))
		r = refuse(samples, "more than 100,000 samples, or 64 MiB of them");
	if (r == 0)
		r = json_object_array_add(samples->list, json_object_get(row)) < 0 ? -ENOMEM : 0;
	return r;
}

/* Any of them, at the beginning. free() it; NULL without memory. */
static char *pattern_of(json_object *ideal)
{
	char *pattern = NULL;
	size_t size;
	FILE *out = open_memstream(&pattern, &size);

	if (!out)
		return NULL;
	fputs("^(", out);
	for (size_t i = 0; i < items_of(ideal); i++) {
		const char *text = text_in(is_array(ideal) ? json_object_array_get_idx(ideal, i) : ideal);

		fputs(i > 0 ? "|" : "", out);
		for (; *text; text++) {
			if (strchr("\\.[](){}*+?^$|", *text))
				fputc('\\', out);
			fputc(*text, out);
		}
	}
	fputc(')', out);
	if (fclose(out) == 0)
		return pattern;
	free(pattern);
	return NULL;
}

/* What a sample lacks is met by whatever is answered. */
static int add_pattern(struct samples *samples, json_object *row, size_t i)
{
	json_object *ideal = member(row, "ideal");
	const char *expected = NULL;
	char *pattern = ideal ? pattern_of(ideal) : strdup("");
	int r = pattern ? regex_check(pattern, &expected) : -ENOMEM;

	if (r == 0 && expected)
		r = complain(samples->complaint, "sample %zu: its `ideal` as a pattern: expected %s", i + 1, expected);
	if (r == 0 && json_object_object_add(row, PATTERN, json_object_new_string(pattern)) < 0)
		r = -ENOMEM;
	free(pattern);
	return r;
}

static int settle_ideals(struct samples *samples)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_object_array_length(samples->list); i++) {
		json_object *row = json_object_array_get_idx(samples->list, i), *ideal = member(row, "ideal");

		if (samples->several)
			r = add_pattern(samples, row, i);
		else if (samples->ideals && (!ideal || is_array(ideal)))
			r = json_object_object_add(row, "ideal", ideal ? json_object_get(json_object_array_get_idx(ideal, 0)) :
									 json_object_new_string(""));
	}
	return r < 0 ? r : 0;
}

static json_object *column(const char *name, const char *type)
{
	json_object *made = json_object_new_object();

	json_object_object_add(made, "name", json_object_new_string(name));
	json_object_object_add(made, "type", json_object_new_string(type));
	return made;
}

static json_object *criteria_of(const struct samples *samples)
{
	json_object *list = json_object_new_array(), *criterion = json_object_new_object();
	json_object *check = json_object_new_object();

	json_object_object_add(check, "kind", json_object_new_string(samples->several ? "regex" : "starts_with"));
	json_object_object_add(check, "value",
			       json_object_new_string(samples->several ? "{{" PATTERN "}}" : "{{ideal}}"));
	json_object_object_add(criterion, "criterion", json_object_new_string("It begins with the ideal answer."));
	json_object_object_add(criterion, "label", json_object_new_string("match"));
	json_object_object_add(criterion, "check", check);
	json_object_array_add(list, criterion);
	return list;
}

/* "arithmetic" of ".../arithmetic.jsonl". */
static json_object *name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	char text[200];

	snprintf(text, sizeof(text), "%.*s", dot && dot > name ? (int) (dot - name) : (int) strlen(name), name);
	text_flatten(text);
	return json_object_new_string(*text ? text : "Imported");
}

static json_object *made_of(const struct samples *samples, const char *path)
{
	json_object *out = json_object_new_object(), *collection = json_object_new_object();
	json_object *columns = json_object_new_array();

	json_object_array_add(columns, column("input", "conversation"));
	if (samples->several)
		json_object_array_add(columns, column("ideal", "json"));
	json_object_object_add(collection, "name", name_of(path));
	json_object_object_add(collection, "columns", columns);
	json_object_object_add(collection, "variables", json_object_get(samples->list));
	json_object_object_add(out, "name", name_of(path));
	json_object_object_add(out, "collection", collection);
	if (samples->ideals)
		json_object_object_add(out, "criteria", criteria_of(samples));
	return out;
}

int import_samples(const char *path, json_object **ret_file, struct complaint *complaint)
{
	struct samples samples = { .list = json_object_new_array(), .complaint = complaint };
	json_object *row = NULL;
	int r = rows_open(path, "jsonl", /* once= */ true, &samples.rows, complaint);

	while (r >= 0 && (r = rows_next(samples.rows, &row, complaint)) > 0) {
		r = take_sample(&samples, row);
		json_object_put(row);
	}
	if (r == 0 && json_object_array_length(samples.list) == 0)
		r = complain(complaint, "%s: expected samples, a line each", path);
	if (r == 0)
		r = settle_ideals(&samples);
	if (r == 0)
		*ret_file = made_of(&samples, path);
	rows_free(samples.rows);
	json_object_put(samples.list);
	return r;
}
