#include "daemon/store/runs/statistics/error_counts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
	return isdigit((unsigned char)c) != 0;
}

static const char *skip_digits(const char *at)
{
	while (is_digit(*at))
		at++;
	return at;
}

/* Equal but for their numbers: "row 3: ..." is the same trouble as "row 17: ...". */
static bool alike(const char *a, const char *b)
{
	while (*a || *b) {
		if (is_digit(*a) && is_digit(*b)) {
			a = skip_digits(a);
			b = skip_digits(b);
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return true;
}

static const char *text_of(json_object *json, const char *key)
{
	const char *text = json_object_get_string(json_object_object_get(json, key));

	return text ? text : "";
}

/* Those that are alike, or else (`near_too`) what it counts with where there is no place for one more. */
static struct error_count *find(struct error_counts *counts, const struct error_count *wanted, bool near_too)
{
	struct error_count *near = NULL;

	for (size_t i = 0; i < counts->n; i++) {
		struct error_count *count = &counts->items[i];

		if (strcmp(count->item, wanted->item) != 0 || strcmp(count->code, wanted->code) != 0 ||
		    count->status != wanted->status)
			continue;
		if (alike(count->message, wanted->message))
			return count;
		near = count;
	}
	return near_too ? near : NULL;
}

static int add(struct tx *tx, struct error_counts *counts, const struct error_count *wanted)
{
	struct error_count *count = find(counts, wanted, counts->n == ERROR_COUNTS_MAX);

	if (count) {
		count->count++;
		return 0;
	}
	if (counts->n == ERROR_COUNTS_MAX)
		return 0;
	count = &counts->items[counts->n++];
	*count = *wanted;
	count->code = tx_strdup(tx, wanted->code);
	count->message = tx_strdup(tx, wanted->message);
	count->count = 1;
	return count->code && count->message ? 0 : -ENOMEM;
}

static int drop(struct error_counts *counts, const struct error_count *wanted)
{
	struct error_count *count = find(counts, wanted, /* near_too= */ true);

	if (count && --count->count == 0)
		*count = counts->items[--counts->n];
	return 0;
}

static int move(struct tx *tx, struct error_counts *counts, const char *item, const char *error, bool more)
{
	struct error_count wanted = { .item = item };
	json_object *json;
	int r;

	if (!error)
		return 0;
	json = tx_parse(error);
	if (!json)
		return -ENOMEM;
	wanted.code = text_of(json, "code");
	wanted.message = text_of(json, "message");
	wanted.status = json_object_get_int64(json_object_object_get(json, "status"));
	r = more ? add(tx, counts, &wanted) : drop(counts, &wanted);
	json_object_put(json);
	return r;
}

int error_counts_add(struct tx *tx, struct error_counts *counts, const char *item,
		     const char *error)
{
	return move(tx, counts, item, error, true);
}

/* In one order, whatever came first. */
static int compare(const void *a, const void *b)
{
	const struct error_count *x = a, *y = b;
	int order = (x->count < y->count) - (x->count > y->count);

	if (order == 0)
		order = strcmp(x->item, y->item);
	if (order == 0)
		order = strcmp(x->code, y->code);
	return order == 0 ? strcmp(x->message, y->message) : order;
}

int error_counts_tell(struct tx *tx, struct error_counts *counts, bool responses,
		      const struct ellu_error_count *const **ret_items, size_t *ret_n)
{
	struct tx_list list = { 0 };
	int r = 0;

	qsort(counts->items, counts->n, sizeof(counts->items[0]), compare);
	for (size_t i = 0; r >= 0 && i < counts->n; i++) {
		const struct error_count *count = &counts->items[i];
		struct ellu_error_count *record = TX_RECORD(tx, struct ellu_error_count);
		struct ellu_error *error = TX_RECORD(tx, struct ellu_error);

		if (!record || !error)
			return -ENOMEM;
		if (!responses && strcmp(count->item, "response") == 0)
			continue;
		error->code = count->code;
		error->message = count->message;
		error->status = count->status ? tx_int_value(tx, count->status) : NULL;
		record->item = count->item;
		record->count = count->count;
		record->error = error;
		r = tx_append(tx, &list, record);
	}
	*ret_items = tx_list_items(tx, &list);
	*ret_n = list.n;
	return r;
}

int error_counts_move(struct tx *tx, const char *item, const char *error, bool more,
		      const struct ellu_error_count *const **items, size_t *n)
{
	struct error_counts counts = { 0 };
	int r;

	for (; counts.n < *n && counts.n < ERROR_COUNTS_MAX; counts.n++) {
		const struct ellu_error_count *told = (*items)[counts.n];

		counts.items[counts.n] = (struct error_count){
			.item = told->item,
			.code = told->error->code,
			.message = told->error->message,
			.status = told->error->status ? *told->error->status : 0,
			.count = told->count,
		};
	}
	r = move(tx, &counts, item, error, more);
	return r < 0 ? r : error_counts_tell(tx, &counts, /* responses= */ true, items, n);
}
