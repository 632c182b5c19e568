/* Criteria as a request brings them: what they may be, and which are the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/resources/prompts/criterion.h"
#include "daemon/store/resources/identity.h"
#include "proto/check_value.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"
#include "proto/text/regex.h"
#include "proto/text/utf8.h"

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* What the value would have to be, or NULL: it is. What a row makes of it is seen then. -ENOMEM. */
static int value_expected(const struct ellu_check *check, const char **ret_expected)
{
	bool has_value = strcmp(check->kind, "is_json") != 0;
	size_t low, high;

	*ret_expected = NULL;
	if (!check->value && has_value)
		*ret_expected = "a value for this kind";
	else if (check->value && !has_value)
		*ret_expected = "nothing, since is_json has no value";
	if (!check->value || *ret_expected || strstr(check->value, "{{"))
		return 0;
	if (strcmp(check->kind, "regex") == 0)
		return regex_check(check->value, ret_expected);
	if (strcmp(check->kind, "length") == 0 && check_value_range(check->value, &low, &high) < 0)
		*ret_expected = CHECK_RANGE_EXPECTED;
	return 0;
}

int criteria_check_records(struct tx *tx, const struct criteria *criteria, const char *path)
{
	const char *expected = NULL;

	for (size_t i = 0; i < criteria->n; i++) {
		const struct ellu_criterion *criterion = criteria->items[i];

		if (is_blank(criterion->criterion_str))
			return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu].criterion_str", path, i),
					     "a question");
		if (criterion->check && value_expected(criterion->check, &expected) < 0)
			return -ENOMEM;
		if (expected)
			return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu].check.value", path, i),
					     "%s", expected);
	}
	return 0;
}

int criteria_check(struct tx *tx, const char *name, const struct inline_criteria *given,
		   const struct ellu_ref *set)
{
	const char *field = given->texts ? "criteria" : "measures";
	int r;

	if (!given->texts && !given->records.items)
		return 0;
	if (set)
		return fault_invalid(tx->fault, field, "either %s or criterion_set", field);
	if (given->texts && given->records.items)
		return fault_invalid(tx->fault, "measures", "either measures or criteria");
	for (size_t i = 0; i < given->n_texts; i++)
		if (is_blank(given->texts[i]))
			return fault_invalid(tx->fault, tx_printf(tx, "criteria[%zu]", i), "a question");
	r = criteria_check_records(tx, &given->records, field);
	if (r < 0)
		return r;
	if (name && utf8_length(name, strlen(name)) > SET_NAME_CHARS_MAX)
		return fault_invalid(tx->fault, "name",
				     "at most 191 characters when criteria are given, whose set is "
				     "named after it");
	return 0;
}

int criteria_of_texts(struct tx *tx, const char *const *texts, size_t n_texts,
		      struct criteria *ret_criteria)
{
	struct tx_list list = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n_texts; i++) {
		struct ellu_criterion *criterion = TX_RECORD(tx, struct ellu_criterion);

		if (!criterion)
			return -ENOMEM;
		criterion->criterion_str = texts[i];
		r = tx_append(tx, &list, criterion);
	}
	*ret_criteria = (struct criteria){ tx_list_items(tx, &list), list.n };
	return r;
}

static bool same_check(const struct ellu_check *a, const struct ellu_check *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->kind, b->kind) == 0 &&
	       strcmp(a->value ? a->value : "", b->value ? b->value : "") == 0;
}

bool criterion_is_same(const struct ellu_criterion *there, const struct ellu_criterion *wanted)
{
	return same_check(there->check, wanted->check) &&
	       (!wanted->label || (there->label && strcmp(there->label, wanted->label) == 0));
}

static int compare_texts(const void *a, const void *b)
{
	const struct ellu_criterion *const *const *x = a, *const *const *y = b;
	int r = strcmp((**x)->criterion_str, (**y)->criterion_str);

	return r != 0 ? r : (*x > *y) - (*x < *y);
}

int criteria_check_bytes(struct tx *tx, const struct criteria *criteria)
{
	size_t bytes = 0;

	for (size_t i = 0; i < criteria->n; i++) {
		bytes += strlen(criteria->items[i]->criterion_str);
		bytes += criteria->items[i]->label ? strlen(criteria->items[i]->label) : 0;
		if (criteria->items[i]->check && criteria->items[i]->check->value)
			bytes += strlen(criteria->items[i]->check->value);
	}
	return bytes > CRITERIA_BYTES_MAX ?
		       fault_too_large(tx->fault, CRITERIA_BYTES_MAX, "criteria") :
		       0;
}

int criteria_distinct(struct tx *tx, const struct criteria *criteria, const char *path,
		    struct criteria *ret_criteria)
{
	size_t n = criteria->n;
	const struct ellu_criterion *const **sorted = tx_array(tx, n, sizeof(*sorted));
	bool *repeated = tx_array(tx, n, sizeof(*repeated));
	struct tx_list list = { 0 };
	int r = sorted && repeated ? criteria_check_bytes(tx, criteria) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &criteria->items[i];
	qsort(sorted, n, sizeof(*sorted), compare_texts);
	for (size_t i = 1; i < n; i++) {
		size_t number = (size_t)(sorted[i] - criteria->items);

		repeated[number] = strcmp((*sorted[i])->criterion_str,
					  (*sorted[i - 1])->criterion_str) == 0;
		if (repeated[number] && !criterion_is_same(*sorted[i - 1], *sorted[i]))
			return fault_invalid(tx->fault, tx_printf(tx, "%s[%zu]", path, number),
					     "each text once; this one is there with another label or check");
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!repeated[i])
			r = tx_append(tx, &list, criteria->items[i]);
	*ret_criteria = (struct criteria){ tx_list_items(tx, &list), list.n };
	return r;
}

void criteria_identity(const struct criteria *criteria, char ret_identity[static IDENTITY_SIZE])
{
	struct identity identity;

	identity_init(&identity);
	for (size_t i = 0; i < criteria->n; i++) {
		const struct ellu_check *check = criteria->items[i]->check;

		identity_text(&identity, criteria->items[i]->criterion_str);
		identity_text(&identity, criteria->items[i]->label);
		identity_text(&identity, check ? check->kind : NULL);
		identity_text(&identity, check ? check->value : NULL);
	}
	identity_done(&identity, ret_identity);
}
