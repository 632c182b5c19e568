/*
 * ListCosts: the sums of spending.h once more, by what the caller wants to have apart. They are added
 * up a step a transaction, and each page anew: what there is grows by days, not by calls.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/hash.h"
#include "daemon/store/engine/page.h"
#include "daemon/store/resources/place.h"
#include "daemon/store/runs/run.h"
#include "daemon/store/runs/spending.h"
#include "proto/generated/interface.h"
#include "proto/usage.h"

#define SUMS_MAX 10000
#define N_BUCKETS 4096

enum part {
	BY_DAY,
	BY_USER,
	BY_PROJECT,
	BY_CONFIG,
	BY_MODEL,
	_BY_MAX,
};
static const char *const part_names[_BY_MAX] = {
	[BY_DAY] = "day", [BY_USER] = "user", [BY_PROJECT] = "project", [BY_CONFIG] = "llm_config",
	[BY_MODEL] = "model",
};

struct sum {
	struct sum *next; // of its bucket
	int64_t day; // 0, here and below: not apart
	struct spent spent;
};

/* Of a request, while it adds up. */
struct costs {
	struct page page;
	bool by[_BY_MAX];
	bool all; // users
	int64_t project_id; // -1: any
	int64_t first_day, last_day;
	/* The last row that was added. */
	int64_t owner_uid, day, at_project_id, config_id;
	const char *model;
	struct sum *buckets[N_BUCKETS];
	struct sum **sums;
	size_t n_sums;
	size_t at; // in what is listed
};

/* ---- What is asked for ---- */

static int read_parts(struct tx *tx, struct costs *costs, const char *by)
{
	const char *end;

	for (; by; by = *end ? end + 1 : NULL) {
		size_t i;

		end = by + strcspn(by, ",");
		for (i = 0; i < _BY_MAX; i++)
			if (strlen(part_names[i]) == (size_t)(end - by) &&
			    strncmp(part_names[i], by, (size_t)(end - by)) == 0)
				break;
		if (i == _BY_MAX && strncmp(by, "total", (size_t)(end - by)) == 0 && end - by == 5)
			continue;
		if (i == _BY_MAX)
			return fault_invalid(tx->fault, "by", "words of day, user, project, llm_config "
					     "and model, with commas between them, or total");
		costs->by[i] = true;
	}
	return 0;
}

static int begin(struct tx *tx, struct method_run *op)
{
	const struct ellu_list_costs_request *a = op->arguments;
	struct costs *costs = tx_alloc(tx, sizeof(*costs));
	struct place place;
	int r;

	if (!costs)
		return -ENOMEM;
	memset(costs, 0, sizeof(*costs));
	op->request.state = costs;
	costs->all = op->scope.all && !op->scope.project && !op->scope.only_project_id;
	costs->owner_uid = costs->all ? -1 : op->scope.uid;
	costs->project_id = -1;
	costs->first_day = a->since ? spending_day(*a->since) : 0;
	costs->last_day = a->until ? spending_day(*a->until) : INT64_MAX;
	costs->day = costs->first_day - 1;
	costs->model = "";
	costs->sums = tx_array(tx, SUMS_MAX, sizeof(*costs->sums));
	if (!costs->sums)
		return -ENOMEM;
	r = read_parts(tx, costs, a->by);
	if (r >= 0 && (op->scope.project || op->scope.only_project_id)) {
		r = place_resolve(tx, &op->scope, &place);
		costs->project_id = place.project_id;
	}
	if (r >= 0)
		r = page_begin(tx, op, 'm', &costs->page);
	return r;
}

/* ---- Adding up ---- */

static bool same(const struct sum *sum, const struct sum *key)
{
	const struct spend_source *a = &sum->spent.source, *b = &key->spent.source;

	return sum->day == key->day && a->owner_uid == b->owner_uid && a->project_id == b->project_id &&
	       a->llm_config_id == b->llm_config_id && strcmp(a->model, b->model) == 0;
}

static int find_sum(struct tx *tx, struct costs *costs, const struct sum *key, struct sum **ret_sum)
{
	const struct spend_source *source = &key->spent.source;
	const int64_t numbers[] = { key->day, source->owner_uid, source->project_id,
				    source->llm_config_id };
	uint64_t hash = hash_bytes(0, source->model, strlen(source->model));
	struct sum **bucket = &costs->buckets[hash_bytes(hash, numbers, sizeof(numbers)) % N_BUCKETS];
	struct sum *sum;

	for (sum = *bucket; sum && !same(sum, key); sum = sum->next)
		;
	*ret_sum = sum;
	if (sum)
		return 0;
	if (costs->n_sums == SUMS_MAX)
		return fault_set(tx->fault, ELLU_E_TOO_LARGE, "there are more than %d sums: ask for fewer "
				 "days, or for less apart", SUMS_MAX);
	sum = tx_alloc(tx, sizeof(*sum));
	if (!sum)
		return -ENOMEM;
	*sum = *key;
	sum->spent.source.model = tx_strdup(tx, source->model);
	if (!sum->spent.source.model)
		return -ENOMEM;
	sum->spent.cost_nanodollars = -1;
	sum->next = *bucket;
	*bucket = sum;
	costs->sums[costs->n_sums++] = *ret_sum = sum;
	return 0;
}

/* A row, in the columns of step(). */
static int add_row(struct tx *tx, struct costs *costs, sqlite3_stmt *q)
{
	struct sum key = { 0 }, *sum;
	struct spend_source *source = &key.spent.source;
	int r;

	key.day = costs->by[BY_DAY] ? column_int(q, 0) : 0;
	source->owner_uid = costs->by[BY_USER] ? costs->owner_uid : 0;
	source->project_id = costs->by[BY_PROJECT] ? column_int(q, 1) : 0;
	source->llm_config_id = costs->by[BY_CONFIG] ? column_int(q, 2) : 0;
	source->model = costs->by[BY_MODEL] ? column_peek(q, 3) : "";
	r = find_sum(tx, costs, &key, &sum);
	if (r < 0)
		return r;
	usage_add(&sum->spent.calls, column_int(q, 4));
	usage_add(&sum->spent.unpriced_calls, column_int(q, 5));
	usage_add(&sum->spent.input_tokens, column_int(q, 6));
	usage_add(&sum->spent.cached_tokens, column_int(q, 7));
	usage_add(&sum->spent.output_tokens, column_int(q, 8));
	usage_add(&sum->spent.cost_nanodollars, column_int_or(q, 9, -1));
	return 0;
}

/* The user after the present one, in everybody's. */
static int next_owner(struct tx *tx, struct costs *costs)
{
	int64_t uid;
	int r;

	if (!costs->all)
		return 0;
	r = db_int(tx->db, &uid, "SELECT min(owner_uid) FROM spending WHERE owner_uid > ?1", "i",
		   costs->owner_uid);
	if (r <= 0)
		return r;
	costs->owner_uid = uid;
	costs->day = costs->first_day - 1;
	return 1;
}

/* 1: there is more. */
static int step(struct tx *tx, struct costs *costs)
{
	int n_looks = 0, r;
	QUERY q = NULL;

	if (costs->owner_uid < 0)
		return next_owner(tx, costs);
	r = db_query(tx->db, &q,
		     "SELECT day, project_id, llm_config_id, model, calls, unpriced_calls, input_tokens,"
		     " cached_tokens, output_tokens, cost_nanodollars FROM spending WHERE owner_uid = ?1"
		     " AND (day, project_id, llm_config_id, model) > (?2, ?3, ?4, ?5)"
		     " ORDER BY day, project_id, llm_config_id, model LIMIT ?6", "iiiisi",
		     costs->owner_uid, costs->day, costs->at_project_id, costs->config_id, costs->model,
		     (int64_t)LOOKS_MAX);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		costs->day = column_int(q, 0);
		if (costs->day > costs->last_day)
			return next_owner(tx, costs);
		costs->at_project_id = column_int(q, 1);
		costs->config_id = column_int(q, 2);
		if (strcmp(costs->model, column_peek(q, 3)) != 0)
			costs->model = tx_text(tx, q, 3);
		n_looks++;
		if (costs->project_id < 0 || costs->project_id == costs->at_project_id)
			r = add_row(tx, costs, q);
		if (r < 0 || !costs->model)
			return r < 0 ? r : -ENOMEM;
	}
	if (r < 0 || n_looks == LOOKS_MAX)
		return r < 0 ? r : 1;
	return next_owner(tx, costs);
}

/* ---- Telling ---- */

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* The latest days first, then what cost most; of equals any order that is always the same. */
static int compare_sums(const void *a, const void *b)
{
	const struct sum *x = *(const struct sum *const *)a, *y = *(const struct sum *const *)b;
	const struct spent *left = &x->spent, *right = &y->spent;
	const int by_number[] = {
		compare_numbers(y->day, x->day),
		compare_numbers(right->cost_nanodollars, left->cost_nanodollars),
		compare_numbers(right->calls, left->calls),
		compare_numbers(left->source.owner_uid, right->source.owner_uid),
		compare_numbers(left->source.project_id, right->source.project_id),
		compare_numbers(left->source.llm_config_id, right->source.llm_config_id),
	};

	for (size_t i = 0; i < sizeof(by_number) / sizeof(*by_number); i++)
		if (by_number[i])
			return by_number[i];
	return strcmp(left->source.model, right->source.model);
}

static const char *day_text(struct tx *tx, int64_t day)
{
	time_t seconds = (time_t)(day * 86400);
	struct tm parts;
	char text[16];

	if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof(text), "%Y-%m-%d", &parts) == 0)
		return NULL;
	return tx_strdup(tx, text);
}

/* Of what is gone there is no name. */
static int name_of(struct tx *tx, const char *sql, int64_t id, const char **ret_name)
{
	QUERY q = NULL;
	int r = db_row(tx->db, &q, sql, "i", id);

	if (r > 0)
		*ret_name = tx_text(tx, q, 0);
	else if (r == 0)
		*ret_name = tx_printf(tx, "#%lld", (long long)id);
	return r < 0 ? r : 0;
}

/* 1, or 0: the page is full. */
static int tell(struct tx *tx, struct costs *costs, const struct sum *sum)
{
	struct ellu_cost *cost = TX_RECORD(tx, struct ellu_cost);
	const struct spent *spent = &sum->spent;
	const struct spend_source *source = &spent->source;
	int r = 0;

	if (!cost)
		return -ENOMEM;
	cost->day = costs->by[BY_DAY] ? day_text(tx, sum->day) : NULL;
	cost->owner_uid = costs->by[BY_USER] ? tx_int_value(tx, source->owner_uid) : NULL;
	cost->model = costs->by[BY_MODEL] ? source->model : NULL;
	cost->calls = spent->calls;
	cost->unpriced_calls = spent->unpriced_calls;
	cost->input_tokens = spent->input_tokens;
	cost->cached_tokens = spent->cached_tokens;
	cost->output_tokens = spent->output_tokens;
	if (spent->cost_nanodollars >= 0)
		cost->cost = tx_int_value(tx, spent->cost_nanodollars);
	if (costs->by[BY_PROJECT])
		r = name_of(tx, "SELECT name FROM projects WHERE id = ?1", source->project_id,
			    &cost->project);
	if (r >= 0 && costs->by[BY_CONFIG])
		r = name_of(tx, "SELECT name FROM llm_configs WHERE id = ?1", source->llm_config_id,
			    &cost->llm_config);
	return r < 0 ? r : page_add(tx, &costs->page, &ellu_cost_type, cost, "sum", 0);
}

static int tell_all(struct tx *tx, struct costs *costs)
{
	int r = 1;

	qsort(costs->sums, costs->n_sums, sizeof(*costs->sums), compare_sums);
	costs->at = costs->page.resumed && costs->page.major > 0 ? (size_t)costs->page.major : 0;
	while (costs->at < costs->n_sums && !page_full(&costs->page) &&
	       (r = tell(tx, costs, costs->sums[costs->at])) > 0)
		costs->at++;
	if (r >= 0 && costs->at < costs->n_sums)
		r = page_continues(tx, &costs->page, (int64_t)costs->at, 0);
	return r < 0 ? r : 0;
}

int costs_list(struct tx *tx, struct method_run *op)
{
	struct costs *costs;
	int r = op->request.state ? 0 : begin(tx, op);

	if (r < 0)
		return r;
	costs = op->request.state;
	r = costs->page.listed ? 0 : step(tx, costs);
	if (r > 0)
		return list_again(&op->request);
	if (r >= 0)
		r = tell_all(tx, costs);
	return r < 0 ? r : page_end(tx, &costs->page, (int64_t)costs->n_sums);
}
