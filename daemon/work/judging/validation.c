#include "daemon/work/judging/validation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/work/conversation/dialogue.h"
#include "proto/text/utf8.h"

#define JUSTIFICATION_BYTES_MAX (4u << 10) // of each, in the next question

void validation_decide(struct ellu_validator_result *result)
{
	result->status = result->result ? "finished" : "failed";
	result->is_valid = result->threshold <= 0 || (result->result && *result->result >= result->threshold);
}

bool validation_is_valid(const struct ellu_validator_result *const *results, size_t n)
{
	bool valid = true;

	for (size_t i = 0; i < n; i++)
		valid &= results[i]->is_valid;
	return valid;
}

static bool is_below(const struct ellu_validator_result *result)
{
	return result->result && !result->is_valid;
}

bool validation_may_improve(const struct ellu_validator_result *const *results, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= is_below(results[i]);
	return any;
}

static void write_result(FILE *out, const struct ellu_validator_result *result)
{
	const char *why = result->justification ? result->justification : "";
	size_t size = utf8_cut(why, strlen(why), JUSTIFICATION_BYTES_MAX);

	fprintf(out, "- %s: %.2f, where at least %.2f is needed%s%.*s\n", result->evaluator_name,
		*result->result, result->threshold, size > 0 ? ". " : "", (int)size, why);
}

/* NULL without memory. */
static char *write_reply(const struct ellu_validator_result *const *results, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("That answer is not good enough yet. From 0 to 1, it was judged:\n", out);
	for (size_t i = 0; i < n; i++)
		if (is_below(results[i]))
			write_result(out, results[i]);
	fputs("Answer the request again so that this is mended, and with the answer alone.", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int validation_ask_again(const struct ellu_message *const *messages, size_t n_messages, const char *answer,
			 const struct ellu_validator_result *const *results, size_t n, struct arena *arena,
			 const struct ellu_message *const **ret_messages, size_t *ret_n_messages)
{
	char *text = write_reply(results, n);
	const char *reply = text ? arena_strdup(arena, text) : NULL;

	free(text);
	return reply ? dialogue_go_on(messages, n_messages, answer, reply, arena, ret_messages,
				      ret_n_messages) : -ENOMEM;
}
