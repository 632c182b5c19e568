/*
 * One table names every setting; the command line, the JSON in both directions and the help all
 * read it. The fault rates follow the table of fault names.
 */
#include "tests/sim/behaviour.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/hash.h"

#define SECONDS_MAX 1e6
#define RATE_SUFFIX "_rate"

enum setting_kind {
	SETTING_SECONDS,
	SETTING_RATE,
	SETTING_INTEGER,
	SETTING_BOOL,
	SETTING_TEXT,
	SETTING_MODE,
};

struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;
};

#define SETTING(field, kind) { #field, kind, offsetof(struct behaviour, field) }

static const struct setting settings[] = {
	SETTING(latency_seconds, SETTING_SECONDS),
	SETTING(latency_jitter_seconds, SETTING_SECONDS),
	SETTING(stream_delta_seconds, SETTING_SECONDS),
	SETTING(stream_chunk_bytes, SETTING_INTEGER),
	SETTING(stream_crlf, SETTING_BOOL),
	SETTING(stream_gate, SETTING_BOOL),
	SETTING(slow_byte_seconds, SETTING_SECONDS),
	SETTING(concurrency_limit, SETTING_INTEGER),
	{ "concurrency_mode", SETTING_MODE, offsetof(struct behaviour, concurrency_queue) },
	SETTING(rate_limit, SETTING_INTEGER),
	SETTING(rate_window_seconds, SETTING_SECONDS),
	SETTING(retry_after_seconds, SETTING_SECONDS),
	SETTING(api_key, SETTING_TEXT),
	SETTING(account_key, SETTING_TEXT),
	SETTING(account_refused, SETTING_BOOL),
	SETTING(token_seconds, SETTING_SECONDS),
	SETTING(token_generation, SETTING_INTEGER),
	SETTING(token_status, SETTING_INTEGER),
	SETTING(token_until, SETTING_INTEGER),
	SETTING(model, SETTING_TEXT),
	SETTING(fixed_answer, SETTING_TEXT),
	SETTING(preferred_text, SETTING_TEXT),
	SETTING(recorded_answers, SETTING_TEXT),
	SETTING(finish, SETTING_TEXT),
	SETTING(fixed_until, SETTING_INTEGER),
	SETTING(refused_text, SETTING_TEXT),
	SETTING(bad_verdict_rate, SETTING_RATE),
	SETTING(fail_first_n, SETTING_INTEGER),
	SETTING(faults_after, SETTING_INTEGER),
	SETTING(faults_until, SETTING_INTEGER),
	SETTING(refuse_schema, SETTING_BOOL),
	SETTING(call_tools, SETTING_BOOL),
	SETTING(tool_rounds, SETTING_INTEGER),
	SETTING(tool_times, SETTING_INTEGER),
	SETTING(no_usage, SETTING_BOOL),
	SETTING(need_max_completion_tokens, SETTING_BOOL),
	SETTING(cached_tokens, SETTING_INTEGER),
	SETTING(batch_gate, SETTING_BOOL),
	SETTING(batch_fail_first, SETTING_INTEGER),
	SETTING(batch_failure, SETTING_TEXT),
	SETTING(batch_expire_first, SETTING_INTEGER),
	SETTING(batch_oversize_first, SETTING_INTEGER),
	SETTING(batch_truncate_first, SETTING_INTEGER),
	SETTING(batch_refuse_looks, SETTING_INTEGER),
	SETTING(batch_refuse_deletes, SETTING_BOOL),
	SETTING(batch_refuse_gives, SETTING_INTEGER),
	SETTING(batch_refuse_finally, SETTING_BOOL),
	SETTING(batch_strangers, SETTING_BOOL),
	SETTING(batch_silent, SETTING_BOOL),
	SETTING(batch_stall, SETTING_TEXT),
	SETTING(seed, SETTING_INTEGER),
};

#define N_SETTINGS (sizeof(settings) / sizeof(*settings))

static const char *const fault_names[] = {
	[FAULT_ERROR_500] = "error_500",
	[FAULT_ERROR_503] = "error_503",
	[FAULT_RESET] = "reset",
	[FAULT_HALF_BODY] = "half_body",
	[FAULT_HANG] = "hang",
	[FAULT_SLOW_HEADER] = "slow_header",
	[FAULT_GARBAGE] = "garbage",
	[FAULT_WRONG_TYPE] = "wrong_type",
	[FAULT_WRONG_JSON] = "wrong_json",
	[FAULT_TRUNCATED_JSON] = "truncated_json",
	[FAULT_CONTENT_FILTER] = "content_filter",
	[FAULT_CONTEXT_LENGTH] = "context_length",
	[FAULT_EMPTY] = "empty",
	[FAULT_UTF8_GARBAGE] = "utf8_garbage",
	[FAULT_STREAM_ERROR] = "stream_error",
	[FAULT_STREAM_STALL] = "stream_stall",
};
_Static_assert(sizeof(fault_names) / sizeof(*fault_names) == _FAULT_MAX, "every fault has a name");

static const char *const kind_forms[] = {
	[SETTING_SECONDS] = "SECONDS", [SETTING_RATE] = "0..1",	      [SETTING_INTEGER] = "N",
	[SETTING_BOOL] = "true|false", [SETTING_TEXT] = "TEXT",	      [SETTING_MODE] = "reject|queue",
};

const char *fault_name(enum fault fault)
{
	return fault < _FAULT_MAX ? fault_names[fault] : "none";
}

void behaviour_init(struct behaviour *behaviour)
{
	*behaviour = (struct behaviour) {
		.slow_byte_seconds = 1,
		.rate_window_seconds = 60,
		.token_seconds = 3600,
		.retry_after_seconds = 1,
		.tool_rounds = 1,
		.tool_times = 1,
		.seed = 1,
	};
}

void behaviour_done(struct behaviour *behaviour)
{
	free(behaviour->api_key);
	free(behaviour->account_key);
	free(behaviour->model);
	free(behaviour->fixed_answer);
	free(behaviour->preferred_text);
	free(behaviour->recorded_answers);
	free(behaviour->finish);
	free(behaviour->refused_text);
	free(behaviour->batch_failure);
	free(behaviour->batch_stall);
}

static bool same_name(struct span given, const char *name, size_t size)
{
	if (given.size != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (given.data[i] != name[i] && !(given.data[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

/* Where the fault rates begin their own numbering: setting i >= N_SETTINGS is a fault's rate. */
static struct setting setting_at(size_t i, char *name, size_t name_size)
{
	if (i < N_SETTINGS)
		return settings[i];
	snprintf(name, name_size, "%s" RATE_SUFFIX, fault_names[i - N_SETTINGS]);
	return (struct setting) { name, SETTING_RATE,
				  offsetof(struct behaviour, fault_rates) +
					  (i - N_SETTINGS) * sizeof(double) };
}

static bool find_setting(struct span name, struct setting *ret_setting)
{
	char rate_name[64];

	for (size_t i = 0; i < N_SETTINGS + _FAULT_MAX; i++) {
		struct setting setting = setting_at(i, rate_name, sizeof(rate_name));

		if (same_name(name, setting.name, strlen(setting.name))) {
			*ret_setting = setting;
			return true;
		}
	}
	return false;
}

static bool set_number(void *field, enum setting_kind kind, const char *text)
{
	double number;
	char *end;

	errno = 0;
	if (kind == SETTING_INTEGER) {
		int64_t integer = strtoll(text, &end, 10);

		if (errno || end == text || *end || integer < 0)
			return false;
		*(int64_t *) field = integer;
		return true;
	}
	number = strtod(text, &end);
	if (errno || end == text || *end || !isfinite(number) || number < 0 ||
	    number > (kind == SETTING_RATE ? 1 : SECONDS_MAX))
		return false;
	*(double *) field = number;
	return true;
}

static bool set_word(bool *field, const char *text, const char *yes, const char *no)
{
	if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
		return false;
	*field = strcmp(text, yes) == 0;
	return true;
}

static bool set_field(struct behaviour *behaviour, const struct setting *setting, const char *text)
{
	void *field = (char *) behaviour + setting->offset;

	switch (setting->kind) {
	case SETTING_BOOL:
		return set_word(field, text, "true", "false");
	case SETTING_MODE:
		return set_word(field, text, "queue", "reject");
	case SETTING_TEXT:
		free(*(char **) field);
		*(char **) field = *text ? must_have(strdup(text)) : NULL;
		return true;
	default:
		return set_number(field, setting->kind, text);
	}
}

bool behaviour_set(struct behaviour *behaviour, struct span name, const char *value,
		   struct bytes *error)
{
	struct setting setting;

	if (!find_setting(name, &setting)) {
		bytes_printf(error, "no setting %.*s", (int) name.size, name.data);
		return false;
	}
	if (!set_field(behaviour, &setting, value)) {
		bytes_printf(error, "%.*s: \"%s\" is not %s", (int) name.size, name.data, value,
			     kind_forms[setting.kind]);
		return false;
	}
	return true;
}

static void copy(struct behaviour *to, const struct behaviour *from)
{
	*to = *from;
	for (size_t i = 0; i < N_SETTINGS; i++) {
		char **field = (char **) ((char *) to + settings[i].offset);

		if (settings[i].kind == SETTING_TEXT && *field)
			*field = must_have(strdup(*field));
	}
}

bool behaviour_apply_json(struct behaviour *behaviour, struct span json, struct bytes *error)
{
	struct json_tokener *tokener = must_have(json_tokener_new());
	struct json_object *object = json_tokener_parse_ex(tokener, json.data, (int) json.size);
	struct behaviour changed;
	bool ok = true;

	json_tokener_free(tokener);
	if (!json_object_is_type(object, json_type_object)) {
		bytes_text(error, "a JSON object of settings is expected");
		json_object_put(object);
		return false;
	}
	copy(&changed, behaviour);
	json_object_object_foreach(object, name, value) {
		/* null and "" both take a text setting away. */
		ok = behaviour_set(&changed, span_of(name),
				   value ? json_object_get_string(value) : "", error);
		if (!ok)
			break;
	}
	json_object_put(object);
	if (ok) {
		struct behaviour old = *behaviour;

		*behaviour = changed;
		changed = old;
	}
	behaviour_done(&changed);
	return ok;
}

static void print_value(const struct behaviour *behaviour, const struct setting *setting,
			struct bytes *out)
{
	const void *field = (const char *) behaviour + setting->offset;
	const char *text;

	switch (setting->kind) {
	case SETTING_BOOL:
		bytes_text(out, *(const bool *) field ? "true" : "false");
		break;
	case SETTING_MODE:
		bytes_text(out, *(const bool *) field ? "\"queue\"" : "\"reject\"");
		break;
	case SETTING_TEXT:
		text = *(char *const *) field;
		bytes_json(out, span_of(text ? text : ""));
		break;
	case SETTING_INTEGER:
		bytes_printf(out, "%" PRIi64, *(const int64_t *) field);
		break;
	default:
		bytes_printf(out, "%.9g", *(const double *) field);
	}
}

void behaviour_print_json(const struct behaviour *behaviour, struct bytes *out)
{
	char rate_name[64];

	for (size_t i = 0; i < N_SETTINGS + _FAULT_MAX; i++) {
		struct setting setting = setting_at(i, rate_name, sizeof(rate_name));

		bytes_printf(out, "%s\"%s\": ", i == 0 ? "{" : ", ", setting.name);
		print_value(behaviour, &setting, out);
	}
	bytes_text(out, "}");
}

void behaviour_print_help(struct bytes *out)
{
	char rate_name[64];

	for (size_t i = 0; i < N_SETTINGS + _FAULT_MAX; i++) {
		struct setting setting = setting_at(i, rate_name, sizeof(rate_name));

		bytes_printf(out, "  --%s=%s\n", setting.name, kind_forms[setting.kind]);
	}
}

static bool has_faults(const struct behaviour *behaviour, uint64_t number)
{
	return (int64_t) number > behaviour->faults_after &&
	       (behaviour->faults_until == 0 || (int64_t) number <= behaviour->faults_until);
}

/* Each call draws once; the rates share the line from 0 to 1 between them, in order. */
enum fault behaviour_fault(const struct behaviour *behaviour, uint64_t number)
{
	uint64_t state = hash_bytes((uint64_t) behaviour->seed, &number, sizeof(number));
	double draw = random_fraction(&state);

	if ((int64_t) number <= behaviour->fail_first_n)
		return FAULT_ERROR_500;
	if (!has_faults(behaviour, number))
		return FAULT_NONE;
	for (unsigned fault = 0; fault < _FAULT_MAX; fault++) {
		if (draw < behaviour->fault_rates[fault])
			return fault;
		draw -= behaviour->fault_rates[fault];
	}
	return FAULT_NONE;
}

double behaviour_bad_verdict_rate(const struct behaviour *behaviour, uint64_t number)
{
	return has_faults(behaviour, number) ? behaviour->bad_verdict_rate : 0;
}

int64_t behaviour_latency_usec(const struct behaviour *behaviour, uint64_t number)
{
	uint64_t state = hash_bytes((uint64_t) behaviour->seed + 1, &number, sizeof(number));

	return (int64_t) (1e6 * (behaviour->latency_seconds +
				 behaviour->latency_jitter_seconds * random_fraction(&state)));
}
