/* What the values of options may look like, and what they are in a request. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/options.h"
#include "proto/generated/interface.h"
#include "proto/json/json_check.h"
#include "proto/text/float_text.h"
#include "proto/text/money.h"
#include "proto/text/time_text.h"

static int integer(const char *text, int64_t low, json_object **ret)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < low)
		return -EINVAL;
	*ret = json_object_new_int64(value);
	return 0;
}

static int number(const char *text, json_object **ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value))
		return -EINVAL;
	*ret = json_float(value);
	return 0;
}

static int share(const char *text, json_object **ret)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text)
		return -EINVAL;
	if (*end == '%') {
		value /= 100;
		end++;
	}
	if (*end || !(value >= 0 && value <= 1))
		return -EINVAL;
	*ret = json_float(value);
	return 0;
}

#define CRITERION "criterion="
#define EVALUATOR "evaluator="

int gate_parse(const char *text, struct gate *ret_gate)
{
	const char *colon = strrchr(text, ':');
	json_object *value;
	int r;

	*ret_gate = (struct gate){ .of_evaluator = strncmp(text, EVALUATOR, strlen(EVALUATOR)) == 0 };
	if (ret_gate->of_evaluator || strncmp(text, CRITERION, strlen(CRITERION)) == 0) {
		if (!colon)
			return -EINVAL;
		ret_gate->criterion = strchr(text, '=') + 1;
		ret_gate->length = (size_t) (colon - ret_gate->criterion);
		text = colon + 1;
	}
	r = share(text, &value);
	if (r < 0)
		return r;
	ret_gate->share = json_object_get_double(value);
	json_object_put(value);
	return 0;
}

static int money(const char *text, json_object **ret)
{
	char digits[MONEY_TEXT_SIZE];
	int64_t value;

	if (money_parse(text, &value) < 0 || value < 0)
		return -EINVAL;
	money_format(value, digits);
	*ret = json_object_new_string(digits);
	return 0;
}

static bool parse_duration(const char *text, double *ret_seconds)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double value = strtod(text, &end);

	if (digits == 0 || end != text + digits)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].name) == 0) {
			*ret_seconds = value * units[i].seconds;
			return true;
		}
	return false;
}

static int duration(const char *text, json_object **ret)
{
	double seconds;

	if (!parse_duration(text, &seconds))
		return -EINVAL;
	*ret = json_float(seconds);
	return 0;
}

static int since(const char *text, json_object **ret)
{
	double seconds, now = (double) time(NULL);
	char written[TIME_TEXT_SIZE];
	int64_t usec;

	if (time_parse(text, &usec) < 0) {
		if (!parse_duration(text, &seconds))
			return -EINVAL;
		usec = seconds < now ? (int64_t) ((now - seconds) * 1e6) : 0;
	}
	if (usec < 0 || time_format(usec, written) < 0)
		return -EINVAL;
	*ret = json_object_new_string(written);
	return 0;
}

/* A reference, as that member of an object. */
static int holder(const char *member, const char *text, json_object **ret)
{
	json_object *ref = cli_ref(text);

	*ret = json_object_new_object();
	if (*ret && ref && json_object_object_add(*ret, member, ref) == 0)
		return 0;
	json_object_put(ref);
	return -ENOMEM;
}

static int config(const char *text, json_object **ret)
{
	return holder("ref", text, ret);
}

static int evaluator(const char *text, json_object **ret)
{
	return holder("evaluator", text, ret);
}

static int ref(const char *text, json_object **ret)
{
	*ret = cli_ref(text);
	return *ret ? 0 : -ENOMEM;
}

/* Between commas, each by `one`. */
static int several(const char *text, int (*one)(const char *text, json_object **ret), json_object **ret)
{
	json_object *array = json_object_new_array();
	char *copy = strdup(text), *rest = copy;
	int r = array && copy ? 0 : -ENOMEM;

	for (char *word; r == 0 && (word = strsep(&rest, ","));) {
		json_object *item = NULL;

		r = *word ? one(word, &item) : -EINVAL;
		if (r == 0 && json_object_array_add(array, item) < 0)
			r = -ENOMEM;
	}
	free(copy);
	if (r < 0)
		json_object_put(array);
	else
		*ret = array;
	return r;
}

static int id(const char *text, json_object **ret)
{
	int64_t number;

	if (!cli_is_id(text, &number))
		return -EINVAL;
	*ret = json_object_new_int64(number);
	return *ret ? 0 : -ENOMEM;
}

/* The criterion by its id, or a text that says which one is meant. */
static int verdict(const char *text, json_object **ret)
{
	const char *equals = strrchr(text, '=');
	char *criterion;
	int64_t id;

	if (!equals || equals == text)
		return -EINVAL;
	criterion = strndup(text, (size_t) (equals - text));
	if (!criterion)
		return -ENOMEM;
	*ret = json_object_new_object();
	json_object_object_add(*ret, "criterion_id", cli_is_id(criterion, &id) ? json_object_new_int64(id)
									      : json_object_new_string(criterion));
	json_object_object_add(*ret, "rating", json_object_new_string(equals + 1));
	free(criterion);
	return 0;
}

static int json(const char *text, json_object **ret)
{
	struct fault fault;

	return json_parse_strict(text, strlen(text), ret, &fault) < 0 ? -EINVAL : 0;
}

static int variable(const char *text, json_object **ret)
{
	char name[256];

	if (!*text || (size_t) snprintf(name, sizeof(name), "$%s", text) >= sizeof(name))
		return -EINVAL;
	*ret = json_object_new_string(name);
	return 0;
}

static int make(enum option_kind kind, const char *text, json_object **ret)
{
	struct gate gate;

	switch (kind) {
	case OPTION_FLAG:
		*ret = json_object_new_boolean(strcmp(text, "false") != 0);
		return text_is_listed("true false", text) || !*text ? 0 : -EINVAL;
	case OPTION_TEXT:
	case OPTION_TEXTS:
		*ret = json_object_new_string(text);
		return *text ? 0 : -EINVAL;
	case OPTION_INTEGER:
		return integer(text, INT64_MIN, ret);
	case OPTION_COUNT:
		return integer(text, 1, ret);
	case OPTION_POSITION:
		return integer(text, 0, ret);
	case OPTION_NUMBER:
		return number(text, ret);
	case OPTION_SHARE:
		return share(text, ret);
	case OPTION_GATE:
		*ret = json_object_new_string(text);
		return gate_parse(text, &gate);
	case OPTION_MONEY:
		return money(text, ret);
	case OPTION_DURATION:
		return duration(text, ret);
	case OPTION_SINCE:
		return since(text, ret);
	case OPTION_REF:
		return *text ? ref(text, ret) : -EINVAL;
	case OPTION_REFS:
		return several(text, ref, ret);
	case OPTION_EXISTING:
		return *text ? config(text, ret) : -EINVAL;
	case OPTION_EXISTINGS:
		return several(text, config, ret);
	case OPTION_EVALUATORS:
		return several(text, evaluator, ret);
	case OPTION_IDS:
		return several(text, id, ret);
	case OPTION_VERDICT:
		return verdict(text, ret);
	case OPTION_VARIABLE:
		return variable(text, ret);
	case OPTION_JSON:
		return json(text, ret);
	case _OPTION_KIND_MAX:
		break;
	}
	return -EINVAL;
}

int option_value(enum option_kind kind, const char *text, json_object **ret_value)
{
	int r;

	*ret_value = NULL;
	r = make(kind, text, ret_value);
	if (r < 0) {
		json_object_put(*ret_value);
		*ret_value = NULL;
		return r;
	}
	return *ret_value || kind == OPTION_JSON ? 0 : -ENOMEM;
}

const char *option_expected(enum option_kind kind)
{
	static const char *const expected[_OPTION_KIND_MAX] = {
		[OPTION_FLAG] = "true or false",
		[OPTION_TEXT] = "a text",
		[OPTION_TEXTS] = "a text, at most 100 times",
		[OPTION_INTEGER] = "a whole number",
		[OPTION_COUNT] = "a number, 1 or more",
		[OPTION_POSITION] = "a number, 0 or more",
		[OPTION_NUMBER] = "a number",
		[OPTION_SHARE] = "a share, 0.8 or 80%",
		[OPTION_GATE] = "a share, 0.8 or 80%, criterion=TEXT:80% or evaluator=NAME:0.8",
		[OPTION_MONEY] = "US dollars, 5 or 0.25",
		[OPTION_DURATION] = "a duration: 90 (seconds), 10m, 2h, 1d",
		[OPTION_SINCE] = "a time, 2026-01-31T12:00:00Z, or how long ago: 10m, 2h, 1d",
		[OPTION_REF] = "an id or a name",
		[OPTION_REFS] = "ids or names: a,b,c",
		[OPTION_EXISTING] = "an id or a name",
		[OPTION_EXISTINGS] = "ids or names: a,b,c",
		[OPTION_EVALUATORS] = "ids or names: a,b,c",
		[OPTION_IDS] = "ids: 1,2,3",
		[OPTION_VERDICT] = "a criterion (id, label or text) and its verdict: polite=NO",
		[OPTION_VARIABLE] = "the name of a variable",
		[OPTION_JSON] = "JSON",
	};

	return expected[kind];
}

/* ---- For a field that no table names ---- */

static enum option_kind kind_of(const struct record_field *field)
{
	size_t length = strlen(field->name);
	bool in_seconds = length > 8 && strcmp(field->name + length - 8, "_seconds") == 0;

	if (field->container == FIELD_ARRAY && field->kind == FIELD_STRING)
		return OPTION_TEXTS;
	if (field->container == FIELD_ARRAY && field->type == &ellu_ref_type)
		return OPTION_REFS;
	if (field->container == FIELD_ARRAY && field->kind == FIELD_STRUCT && record_field_find(field->type, "ref"))
		return OPTION_EXISTINGS;
	if (field->container == FIELD_ARRAY && field->type == &ellu_evaluator_use_type)
		return OPTION_EVALUATORS;
	if (field->container != FIELD_SINGLE)
		return OPTION_JSON;
	switch (field->kind) {
	case FIELD_BOOL:
		return OPTION_FLAG;
	case FIELD_INT:
		return OPTION_INTEGER;
	case FIELD_FLOAT:
		return in_seconds ? OPTION_DURATION : OPTION_NUMBER;
	case FIELD_STRING:
		return OPTION_TEXT;
	case FIELD_TIME:
		return OPTION_SINCE;
	case FIELD_MONEY:
		return OPTION_MONEY;
	case FIELD_STRUCT:
		return field->type == &ellu_ref_type		     ? OPTION_REF
		       : record_field_find(field->type, "ref") ? OPTION_EXISTING
								     : OPTION_JSON;
	default:
		return OPTION_JSON;
	}
}

bool option_for_field(const struct record_field *field, struct arena *arena,
		      struct option *ret_option)
{
	static const char *const values[_OPTION_KIND_MAX] = {
		[OPTION_TEXT] = "TEXT",	       [OPTION_TEXTS] = "TEXT",	  [OPTION_INTEGER] = "N",
		[OPTION_NUMBER] = "NUMBER",    [OPTION_MONEY] = "DOLLARS", [OPTION_DURATION] = "DURATION",
		[OPTION_SINCE] = "TIME",       [OPTION_REF] = "ID|NAME",   [OPTION_EXISTING] = "ID|NAME",
		[OPTION_REFS] = "NAMES",       [OPTION_EXISTINGS] = "NAMES", [OPTION_EVALUATORS] = "NAMES",
		[OPTION_JSON] = "JSON",
	};
	enum option_kind kind = kind_of(field);
	char expected[512], *name, *help;

	record_expected(field, expected, sizeof(expected));
	name = arena_strdup(arena, field->name);
	help = arena_strdup(arena, kind == OPTION_FLAG	? "turns it on; or off, with =false"
		      : kind == OPTION_DURATION || kind == OPTION_REF || kind == OPTION_REFS ||
					kind == OPTION_EXISTING || kind == OPTION_EXISTINGS ? option_expected(kind)
		      : kind == OPTION_TEXTS	? "a text; give it again for more"
		      : kind == OPTION_TEXT	? expected + (strlen(expected) > 10 ? 10 : 0)
						: expected);
	if (!name || !help)
		return false;
	if (kind == OPTION_DURATION)
		name[strlen(name) - 8] = '\0';
	for (char *c = name; *c; c++)
		*c = *c == '_' ? '-' : *c;
	*ret_option = (struct option){ name, values[kind], help, kind, .field = field->name };
	return true;
}
