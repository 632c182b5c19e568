/* The dialect's samples, which are the responses to a row, their comparisons, and sums of responses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/clock.h"
#include "daemon/front/sdk/steps.h"
#include "elluminate-types.h"
#include "proto/json/json_check.h"
#include "proto/text/time_text.h"
#include "proto/wire/method.h"

#define CASES_ITEMS 1000
#define FILTER_MAX 32 // criteria
#define CATEGORIES_MAX 1000 // values of all columns
#define NAMES(...) (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)
#define DAYS_DEFAULT 30
#define DAYS_MAX 90

/* ---- Of an experiment ---- */

/* Which samples come first: by the mean of what their responses have. */
static const struct order {
	const char *name;
	double (*value)(json_object *response); // NAN: it has none
	bool descends;
} orders[];

/* What a row has of an experiment. */
struct sample {
	json_object *shown;
	size_t place; // of the row
	double sum;
	size_t n; // of the responses that have a value
	bool descends;
};

static json_object *sample_new(struct json_maker *maker, int64_t experiment_id, int64_t row_id)
{
	json_object *sample = make_object(maker);

	put_int(maker, sample, "experiment_id", experiment_id);
	put_int(maker, sample, "template_variables_id", row_id);
	put(maker, sample, "prompt_response_ids", make_array(maker));
	return sample;
}

static double rating_of(json_object *response)
{
	json_object *ratings = member(response, "ratings");
	size_t n = 0, n_yes = 0;

	for (size_t i = 0; i < array_length(ratings); i++) {
		const char *rating = member_text(json_object_array_get_idx(ratings, i), "rating");

		n += rating != NULL;
		n_yes += rating && strcmp(rating, "YES") == 0;
	}
	return n > 0 ? (double)n_yes / (double)n : NAN;
}

static double number_of(json_object *response, const char *name)
{
	json_object *value = member(response, name);

	return value ? json_object_get_double(value) : NAN;
}

static double duration_of(json_object *response)
{
	return number_of(response, "duration_seconds");
}

static double input_of(json_object *response)
{
	return number_of(response, "input_tokens");
}

static double output_of(json_object *response)
{
	return number_of(response, "output_tokens");
}

static const struct order orders[] = {
	{ "rating-asc", rating_of, false },	   { "rating-desc", rating_of, true },
	{ "duration-asc", duration_of, false },	   { "duration-desc", duration_of, true },
	{ "input-tokens-asc", input_of, false },   { "input-tokens-desc", input_of, true },
	{ "output-tokens-asc", output_of, false }, { "output-tokens-desc", output_of, true },
};

/* NULL: that of the rows; or it is none, which has been answered. */
static const struct order *find_order(struct asking *asking)
{
	const char *name = step_query(asking, "sort_by");
	struct fault fault = { 0 };

	if (!name)
		return NULL;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].name, name) == 0)
			return &orders[i];
	fault_invalid(&fault, "sort_by", "rating, duration, input-tokens or output-tokens, and -asc or -desc");
	ask_fail(asking, &fault);
	return NULL;
}

/* Those without a value come last, those of the same in the order of the rows. */
static int compare_samples(const void *a, const void *b)
{
	const struct sample *first = a, *second = b;
	double one = first->sum / (double)first->n, other = second->sum / (double)second->n;

	if (first->n > 0 && second->n > 0 && one != other)
		return (one < other) == first->descends ? 1 : -1;
	if (!first->n != !second->n)
		return first->n ? -1 : 1;
	return first->place < second->place ? -1 : first->place > second->place;
}

static bool is_imperfect(struct asking *asking, json_object *response)
{
	const char *wanted = step_query(asking, "exclude_perfect_responses");
	json_object *ratings = member(response, "ratings");

	if (!wanted || strcasecmp(wanted, "true") != 0)
		return true;
	for (size_t i = 0; i < array_length(ratings); i++) {
		const char *rating = member_text(json_object_array_get_idx(ratings, i), "rating");

		if (!rating || strcmp(rating, "YES") != 0)
			return true;
	}
	return array_length(ratings) == 0;
}

static bool is_rated(json_object *response, int64_t criterion_id, const char *wanted)
{
	json_object *ratings = member(response, "ratings");

	for (size_t i = 0; i < array_length(ratings); i++) {
		json_object *rating = json_object_array_get_idx(ratings, i);

		if (member_int(member(rating, "criterion"), "id", 0) == criterion_id)
			return member_says(rating, "rating", wanted);
	}
	return false;
}

/* The next criterion that the query says: {"ID": "YES", …}, in which the client's own print of it is known, too,
 * {ID: <RatingValue.YES: 'YES'>}. `*ret_wanted` NULL: neither YES nor NO. False: there is none. */
static bool filter_next(const char **text, int64_t *ret_id, const char **ret_wanted)
{
	char *end;
	size_t size;
	bool yes, no;

	if (!*text || !*(*text += strcspn(*text, "0123456789")))
		return false;
	*ret_id = strtoll(*text, &end, 10);
	size = strcspn(end, ",");
	yes = memmem(end, size, "YES", 3);
	no = memmem(end, size, "NO", 2);
	*ret_wanted = yes == no ? NULL : yes ? "YES" : "NO";
	*text = end + size;
	return true;
}

static bool is_rated_so(struct asking *asking, json_object *response)
{
	const char *text = step_query(asking, "criteria_filter_by"), *wanted;
	int64_t id;

	while (filter_next(&text, &id, &wanted))
		if (!is_rated(response, id, wanted))
			return false;
	return true;
}

/* Each response is held against all of it. */
static bool is_filter(struct asking *asking)
{
	const char *text = step_query(asking, "criteria_filter_by"), *wanted = "";
	struct fault fault = { 0 };
	bool given = text;
	size_t n = 0;
	int64_t id;

	while (wanted && filter_next(&text, &id, &wanted))
		n++;
	if (!given || (wanted && n > 0 && n <= FILTER_MAX))
		return true;
	fault_invalid(&fault, "criteria_filter_by", "YES or NO by the ids of at most 32 criteria");
	ask_fail(asking, &fault);
	return false;
}

/* Of one that is, nothing is kept but what samples are made of. */
static bool is_shown(struct asking *asking, json_object *response)
{
	if (!is_imperfect(asking, response) || !is_rated_so(asking, response))
		return false;
	step_keep(response, NAMES("id", "template_variables", "duration_seconds", "input_tokens", "output_tokens",
				  step_query(asking, "sort_by") ? "ratings" : "id"));
	step_keep(member(response, "template_variables"), NAMES("id"));
	return true;
}

/* Responses come row by row. NULL: no memory. */
static struct sample *samples_of(struct asking *asking, int64_t experiment_id, json_object *responses,
				 const struct order *order, size_t *ret_n)
{
	size_t n = array_length(responses);
	struct sample *samples = calloc(n + 1, sizeof(*samples)), *last = NULL;
	int64_t row_id = 0;

	*ret_n = 0;
	for (size_t i = 0; samples && i < n; i++) {
		json_object *response = json_object_array_get_idx(responses, i);
		int64_t id = member_int(member(response, "template_variables"), "id", 0);
		double value = order ? order->value(response) : NAN;

		if (!last || id != row_id) {
			last = &samples[*ret_n];
			*last = (struct sample){ .shown = sample_new(&asking->maker, experiment_id, id),
						 .place = (*ret_n)++, .descends = order && order->descends };
			row_id = id;
		}
		append(&asking->maker, member(last->shown, "prompt_response_ids"),
		       json_object_get(member(response, "id")));
		last->sum += isnan(value) ? 0 : value;
		last->n += !isnan(value);
	}
	if (!samples)
		asking->maker.failed = true;
	return samples;
}

void step_list_samples(struct asking *asking)
{
	const char *project = step_project(asking), *annotated;
	int64_t id = project ? step_query_id(asking, "experiment_id") : -1, count;
	const struct order *order = id >= 0 ? find_order(asking) : NULL;
	json_object *parameters, *items, *list;
	struct sample *samples;
	size_t n;

	if (id < 0 || (!order && step_query(asking, "sort_by")) || !is_filter(asking))
		return;
	parameters = step_of(asking, project, "experiment", id);
	step_put_filters(asking, parameters);
	annotated = step_query(asking, "show_only_annotated_responses");
	if (annotated && strcasecmp(annotated, "true") == 0)
		put_bool(&asking->maker, parameters, "annotated", true);
	items = step_list(asking, "ListResponses", parameters, CASES_ITEMS, is_shown, &count);
	if (!items)
		return;
	samples = samples_of(asking, id, items, order, &n);
	if (samples && order)
		qsort(samples, n, sizeof(*samples), compare_samples);
	list = make_array(&asking->maker);
	for (size_t i = 0; i < n; i++)
		append(&asking->maker, list, samples[i].shown);
	free(samples);
	json_object_put(items);
	ask_answer(asking, 200, list);
}

/* ---- Of two ---- */

/* Cases that came out better or worse, by the criteria that the query says. */
static void put_outcome(struct asking *asking, json_object *parameters)
{
	const char *filter = step_query(asking, "filter_samples_by");
	json_object *given = member(asking->query, "criterion_ids"), *ids = make_array(&asking->maker);

	for (size_t i = 0; i < array_length(given); i++)
		append(&asking->maker, ids,
		       make_int(&asking->maker, strtoll(json_object_get_string(json_object_array_get_idx(given, i)),
							NULL, 10)));
	if (filter)
		put_bool(&asking->maker, parameters, "better", strcmp(filter, "improved") == 0);
	if (filter && given)
		put(&asking->maker, parameters, "criterion_ids", ids);
	else
		json_object_put(ids);
}

static bool is_known_filter(struct asking *asking)
{
	const char *filter = step_query(asking, "filter_samples_by");
	struct fault fault = { 0 };

	if (!filter || strcmp(filter, "improved") == 0 || strcmp(filter, "regressed") == 0)
		return true;
	fault_invalid(&fault, "filter_samples_by", "improved or regressed");
	ask_fail(asking, &fault);
	return false;
}

/* Each case is held against all of them. */
static bool are_categories(json_object *given)
{
	size_t n = 0;

	if (!json_object_is_type(given, json_type_object))
		return false;
	json_object_object_foreach (given, column, list) {
		(void)column;
		if (!json_object_is_type(list, json_type_array))
			return false;
		n += array_length(list) + 1;
	}
	return n <= CATEGORIES_MAX;
}

/* {"column": ["value", …], …}, of which each column says one. NULL: none was asked for, or it is none, which
 * has been answered. */
static json_object *categories(struct asking *asking)
{
	const char *text = step_query(asking, "categorical_filters");
	json_object *parsed = NULL;
	struct fault fault = { 0 };

	if (!text || asking->read)
		return asking->read;
	if (json_parse_strict(text, strlen(text), &parsed, &fault) == 0 && are_categories(parsed)) {
		asking->read = parsed;
		return parsed;
	}
	json_object_put(parsed);
	fault_invalid(&fault, "categorical_filters", "a JSON object of lists of values, at most 1000");
	ask_fail(asking, &fault);
	return NULL;
}

static bool lists(json_object *list, json_object *value)
{
	for (size_t i = 0; i < array_length(list); i++)
		if (json_object_equal(json_object_array_get_idx(list, i), value))
			return true;
	return false;
}

static bool is_of_categories(struct asking *asking, json_object *compared)
{
	json_object *values = member(member(compared, "template_variables"), "input_values");

	if (asking->read) {
		json_object_object_foreach (asking->read, column, list)
			if (!lists(list, member(values, column)))
				return false;
	}
	return true;
}

/* Of one that is, nothing is kept but what samples are made of. */
static bool is_compared(struct asking *asking, json_object *compared)
{
	json_object *responses = member(compared, "responses");

	if (!is_of_categories(asking, compared))
		return false;
	step_keep(compared, NAMES("template_variables", "responses"));
	step_keep(member(compared, "template_variables"), NAMES("id"));
	for (size_t i = 0; i < array_length(responses); i++)
		step_keep(json_object_array_get_idx(responses, i), NAMES("response_id"));
	return true;
}

void step_compare_samples(struct asking *asking)
{
	static const char *const sides[] = { "experiment_a_id", "experiment_b_id" };
	const char *project = step_project(asking);
	json_object *parameters, *experiments, *cases, *samples;
	int64_t ids[2] = { 0 }, count;

	for (size_t i = 0; i < 2; i++)
		ids[i] = project ? step_query_id(asking, sides[i]) : -1;
	if (ids[0] < 0 || ids[1] < 0 || !is_known_filter(asking) ||
	    (step_query(asking, "categorical_filters") && !categories(asking)))
		return;
	parameters = step_parameters(asking, project);
	experiments = make_array(&asking->maker);
	for (size_t i = 0; i < 2; i++)
		append(&asking->maker, experiments, ref_id(&asking->maker, ids[i]));
	put(&asking->maker, parameters, "experiments", experiments);
	put_outcome(asking, parameters);
	cases = step_list(asking, "ListComparedCases", parameters, CASES_ITEMS, is_compared, &count);
	if (!cases)
		return;
	samples = make_array(&asking->maker);
	for (size_t i = 0; i < array_length(cases); i++) {
		json_object *one = json_object_array_get_idx(cases, i), *responses = member(one, "responses");

		for (size_t j = 0; j < 2 && j < array_length(responses); j++) {
			json_object *response = json_object_array_get_idx(responses, j), *sample;

			sample = sample_new(&asking->maker, ids[j],
					    member_int(member(one, "template_variables"), "id", 0));
			if (member(response, "response_id"))
				append(&asking->maker, member(sample, "prompt_response_ids"),
				       json_object_get(member(response, "response_id")));
			append(&asking->maker, samples, sample);
		}
	}
	json_object_put(cases);
	ask_answer(asking, 200, samples);
}

/* ---- Sums ---- */

struct sums {
	int64_t responses, input, output;
	double seconds, n_timed; // of those with a duration
	double yes, n_rated; // of those with ratings
};

static void add_results(struct sums *sums, json_object *results)
{
	json_object *duration = member(results, "duration_seconds"), *mean = member(results, "mean_all_ratings");
	double n = (double)member_int(duration, "n_scored", 0), n_rated = (double)member_int(results, "ratings", 0);

	sums->responses += member_int(results, "responses", 0);
	sums->input += member_int(results, "total_input_tokens", 0);
	sums->output += member_int(results, "total_output_tokens", 0);
	if (n > 0 && member(duration, "mean")) {
		sums->seconds += n * json_object_get_double(member(duration, "mean"));
		sums->n_timed += n;
	}
	if (n_rated > 0 && member(mean, "yes")) {
		sums->yes += n_rated * json_object_get_double(member(mean, "yes"));
		sums->n_rated += n_rated;
	}
}

/* Of the last days that the query says, with results, and of the config that it says. */
static bool is_counted(struct asking *asking, json_object *experiment)
{
	const char *text = step_query(asking, "days"), *created = member_text(experiment, "created_at");
	int64_t days = text ? strtoll(text, NULL, 10) : DAYS_DEFAULT, at;

	if (!member(experiment, "results") || !created || time_parse(created, &at) < 0)
		return false;
	if (at <= clock_wall_usec() - days * 24 * 3600 * USEC_PER_SEC ||
	    !step_is_of(asking, experiment, "llm_config_id", "GetLLMConfig", "llm_config"))
		return false;
	step_keep(experiment, NAMES("created_at", "results"));
	step_keep(member(experiment, "results"), NAMES("responses", "total_input_tokens", "total_output_tokens",
						       "duration_seconds", "mean_all_ratings", "ratings"));
	return true;
}

static void put_mean(struct json_maker *maker, json_object *to, const char *name, double sum, double n)
{
	put(maker, to, name, n > 0 ? make_float(maker, sum / n) : NULL);
}

static json_object *show_day(struct json_maker *maker, const char *created, const struct sums *sums)
{
	json_object *day = make_object(maker);
	char date[11];

	snprintf(date, sizeof(date), "%.10s", created);
	put_text(maker, day, "date", date);
	put_int(maker, day, "requests", sums->responses);
	put_int(maker, day, "input_tokens", sums->input);
	put_int(maker, day, "output_tokens", sums->output);
	return day;
}

static bool is_same_day(json_object *one, json_object *other)
{
	return strncmp(member_text(one, "created_at"), member_text(other, "created_at"), 10) == 0;
}

/* Experiments come newest first. */
static json_object *show_days(struct json_maker *maker, json_object *experiments)
{
	json_object *days = make_array(maker);
	size_t n = array_length(experiments);

	for (size_t i = n; i > 0;) {
		json_object *first = json_object_array_get_idx(experiments, i - 1), *each = first;
		struct sums sums = { 0 };

		for (; i > 0 && is_same_day(first, each = json_object_array_get_idx(experiments, i - 1)); i--)
			add_results(&sums, member(each, "results"));
		append(maker, days, show_day(maker, member_text(first, "created_at"), &sums));
	}
	return days;
}

void step_sum_responses(struct asking *asking)
{
	const char *project = step_project(asking);
	int64_t days = project && step_query(asking, "days") ? step_query_id(asking, "days") : DAYS_DEFAULT, count;
	struct json_maker *maker = &asking->maker;
	json_object *experiments, *answer;
	struct sums sums = { 0 };
	struct fault fault = { 0 };

	if (!project || days < 0)
		return;
	if (days < 1 || days > DAYS_MAX) {
		fault_invalid(&fault, "days", "1 to 90");
		ask_fail(asking, &fault);
		return;
	}
	experiments = step_list(asking, "ListExperiments", step_parameters(asking, project), CASES_ITEMS, is_counted,
				&count);
	if (!experiments)
		return;
	for (size_t i = 0; i < array_length(experiments); i++)
		add_results(&sums, member(json_object_array_get_idx(experiments, i), "results"));
	answer = make_object(maker);
	put_int(maker, answer, "total_responses", sums.responses);
	put_mean(maker, answer, "average_duration_seconds", sums.seconds, sums.n_timed);
	put_int(maker, answer, "total_input_tokens", sums.input);
	put_int(maker, answer, "total_output_tokens", sums.output);
	put(maker, answer, "average_input_tokens",
	    make_float(maker, sums.responses ? (double)sums.input / (double)sums.responses : 0));
	put(maker, answer, "average_output_tokens",
	    make_float(maker, sums.responses ? (double)sums.output / (double)sums.responses : 0));
	put_mean(maker, answer, "average_rating", sums.yes, sums.n_rated);
	put(maker, answer, "daily_usage", show_days(maker, experiments));
	json_object_put(experiments);
	ask_answer(asking, 200, answer);
}
