/* What a response is as JSON, by itself and beside another. */
#include "daemon/work/judging/metrics/metric_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/json/json_check.h"
#include "proto/json/json_schema.h"
#include "proto/text/utf8.h"

#define PATH_MAX_BYTES 160 // of a property, as it is shown; longer ones are cut

int metric_is_json(struct metric *metric)
{
	struct json_problem problem;
	const char *response;
	int r = metric_text(metric, "response", &response);

	if (r == 0)
		r = metric_spend(metric, strlen(response));
	if (r < 0)
		return r;
	r = json_check(response, strlen(response), &problem);
	if (r == -EBADMSG)
		return metric_say(metric, 0, "%s at byte %zu", problem.reason, problem.offset);
	return r < 0 ? fault_oom(metric->fault) : metric_say(metric, 1, "the response is JSON");
}

/* Of a response that is no JSON. */
static int say_no_json(struct metric *metric, const char *wrong)
{
	return metric_say(metric, 0, "the response is no JSON: %s", wrong);
}

static int say_schema(struct metric *metric, json_object *schema, json_object *response,
		      const char *fits)
{
	struct schema_problem problem;

	switch (schema_check(schema, response, &problem)) {
	case SCHEMA_FITS:
		return metric_say(metric, 1, "%s", fits);
	case SCHEMA_MISFITS:
		return metric_say(metric, 0, "%s", problem.text);
	default:
		return fault_set(metric->fault, ELLU_E_TOO_LARGE, "comparing takes more than %d steps",
				 SCHEMA_STEPS_MAX);
	}
}

/* The response and another input, as JSON. -EBADMSG: the response is none, and that was said; the
 * caller answers 0 then. Both are to be put otherwise. */
static int read_both(struct metric *metric, const char *name, json_object **ret_response,
		     json_object **ret_other)
{
	json_object *other = NULL;
	const char *wrong;
	int r = metric_json(metric, name, &other);

	if (r < 0)
		return r;
	r = metric_response_json(metric, ret_response, &wrong);
	if (r == 0) {
		*ret_other = other;
		return 0;
	}
	json_object_put(other);
	if (r == -EBADMSG && say_no_json(metric, wrong) < 0)
		return metric->fault->code;
	return r;
}

int metric_json_schema(struct metric *metric)
{
	json_object *response, *schema;
	int r = read_both(metric, "schema", &response, &schema);

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	if (!json_object_is_type(schema, json_type_object))
		r = metric_invalid(metric, "schema", "an object, as a JSON schema is");
	else
		r = say_schema(metric, schema, response, "the response fits the schema");
	json_object_put(schema);
	json_object_put(response);
	return r;
}

int metric_json_equals(struct metric *metric)
{
	json_object *response, *expected, *schema;
	int r = read_both(metric, "expected_output", &response, &expected);

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	schema = json_object_new_object();
	if (!schema || json_object_object_add(schema, "const", expected) < 0) {
		json_object_put(expected);
		r = fault_oom(metric->fault);
	} else {
		r = say_schema(metric, schema, response, "both are the same");
	}
	json_object_put(schema);
	json_object_put(response);
	return r;
}

/* ---- Properties ---- */

/* A walk over one's properties, each beside what the other has in its place. */
struct comparison {
	bool types; // has to be of the same type
	size_t n, n_found;
	char path[PATH_MAX_BYTES]; // of the first that is not there; empty: all are
};

static void extend(char path[static PATH_MAX_BYTES], const char *before, const char *key)
{
	snprintf(path, PATH_MAX_BYTES, "%.*s%s%.*s",
		 (int)utf8_cut(before, strlen(before), PATH_MAX_BYTES / 2), before, *before ? "." : "",
		 (int)utf8_cut(key, strlen(key), PATH_MAX_BYTES / 4), key);
}

static bool same_type(json_object *a, json_object *b)
{
	json_type x = json_object_get_type(a), y = json_object_get_type(b);

	return x == y || (x == json_type_int && y == json_type_double) ||
	       (x == json_type_double && y == json_type_int);
}

/* How deep they go is bounded by JSON_DEPTH_MAX: both were parsed. */
static void compare(struct comparison *comparison, json_object *one, json_object *other,
		    const char *path)
{
	char below[PATH_MAX_BYTES];

	if (json_object_is_type(one, json_type_array)) {
		bool both = json_object_is_type(other, json_type_array);

		for (size_t i = 0; i < json_object_array_length(one); i++)
			compare(comparison, json_object_array_get_idx(one, i),
				both ? json_object_array_get_idx(other, i) : NULL, path);
		return;
	}
	if (!json_object_is_type(one, json_type_object))
		return;
	json_object_object_foreach(one, key, value) {
		json_object *found = NULL;
		bool is_there = json_object_is_type(other, json_type_object) &&
				json_object_object_get_ex(other, key, &found) &&
				(!comparison->types || same_type(value, found));

		comparison->n++;
		comparison->n_found += is_there;
		extend(below, path, key);
		if (!is_there && !comparison->path[0])
			memcpy(comparison->path, below, sizeof(below));
		compare(comparison, value, found, below);
	}
}

/* The share of the properties of one that the other has. */
static int decide_properties(struct metric *metric, bool of_response, bool types, const char *lacks)
{
	struct comparison comparison = { .types = types };
	json_object *response, *expected;
	int r = read_both(metric, "expected_output", &response, &expected);

	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	if (of_response)
		compare(&comparison, response, expected, "");
	else
		compare(&comparison, expected, response, "");
	json_object_put(response);
	json_object_put(expected);
	if (comparison.n == 0)
		return of_response ? metric_say(metric, 0, "the response has no properties")
				   : metric_invalid(metric, "expected_output", "JSON with properties");
	if (!comparison.path[0])
		return metric_say(metric, 1, "all %zu properties", comparison.n);
	return metric_say(metric, (double)comparison.n_found / (double)comparison.n,
			  "%zu of %zu properties; the first that %s: %s", comparison.n_found, comparison.n,
			  lacks, comparison.path);
}

int metric_json_property_completeness(struct metric *metric)
{
	return decide_properties(metric, false, false, "is missing");
}

int metric_json_property_names(struct metric *metric)
{
	return decide_properties(metric, true, false, "is not expected");
}

int metric_json_property_types(struct metric *metric)
{
	return decide_properties(metric, false, true, "is missing or of another type");
}

/* ---- Empty values ---- */

struct filling {
	size_t n, n_empty;
	char path[PATH_MAX_BYTES]; // of the first that is empty
};

static bool is_blank(json_object *value)
{
	const char *text = json_object_get_string(value);

	return text[strspn(text, " \t\r\n")] == '\0';
}

static void look(struct filling *filling, json_object *value, const char *path)
{
	char below[PATH_MAX_BYTES];
	bool empty = !value;

	if (json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0) {
		json_object_object_foreach(value, key, member) {
			extend(below, path, key);
			look(filling, member, below);
		}
		return;
	}
	if (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			look(filling, json_object_array_get_idx(value, i), path);
		return;
	}
	if (json_object_is_type(value, json_type_string))
		empty = is_blank(value);
	else if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
		empty = true;
	if (empty && filling->n_empty == 0)
		snprintf(filling->path, sizeof(filling->path), "%s", *path ? path : "the value");
	filling->n++;
	filling->n_empty += empty;
}

int metric_json_filled_values(struct metric *metric)
{
	struct filling filling = { 0 };
	json_object *response;
	const char *wrong;
	int r = metric_response_json(metric, &response, &wrong);

	if (r == -EBADMSG)
		return say_no_json(metric, wrong);
	if (r < 0)
		return r;
	look(&filling, response, "");
	json_object_put(response);
	if (filling.n_empty == 0)
		return metric_say(metric, 1, "none of %zu values is empty", filling.n);
	return metric_say(metric, 1 - (double)filling.n_empty / (double)filling.n,
			  "%zu of %zu values are empty, such as %s", filling.n_empty, filling.n, filling.path);
}
