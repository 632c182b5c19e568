#include "client/cli/report/parts.h"

#include <inttypes.h>
#include <math.h>

#include "client/cli/view/text.h"

const char *const outcome_names[_OUTCOME_MAX] = {
	[OUTCOME_NO_ANSWER] = "no answer",
	[OUTCOME_NOT_MET] = "not met",
	[OUTCOME_UNDECIDED] = "undecided",
	[OUTCOME_MET] = "met",
};

void report_copy(FILE *file, FILE *out)
{
	char buffer[16384];
	size_t n;

	rewind(file);
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
		fwrite(buffer, 1, n, out);
}

static const char *markup(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void report_escape(FILE *out, const char *text)
{
	text_escape(out, text ? text : "", markup, /* guarded= */ true);
}

const char *share_text(char buffer[static 32], double share)
{
	if (isnan(share))
		return "-";
	snprintf(buffer, 32, "%.1f %%", share * 100);
	return buffer;
}

struct estimate estimate_of(const struct ellu_proportion *proportion)
{
	return (struct estimate){
		.value = proportion->value ? *proportion->value : NAN,
		.error = NAN,
		.low = proportion->low ? *proportion->low : NAN,
		.high = proportion->high ? *proportion->high : NAN,
	};
}

const char *interval_text(char buffer[static 64], const struct estimate *estimate)
{
	if (isnan(estimate->low))
		return "-";
	snprintf(buffer, 64, "%.1f to %.1f %%", estimate->low * 100, estimate->high * 100);
	return buffer;
}

const char *report_success(const struct ellu_experiment_results *results)
{
	return results->n_criteria > 0 ? "meet every criterion" : "were answered";
}

char *report_sources(const struct ellu_experiment_results *results)
{
	char *text = NULL, share[32];
	size_t size;
	FILE *out;

	if (results->n_answered_by == 0 && !results->cached_responses)
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	for (size_t i = 0; i < results->n_answered_by; i++) {
		const struct ellu_answered_by *by = results->answered_by[i];
		const struct estimate success = estimate_of(by->success_rate);

		fprintf(out, "%s%s %" PRId64 " (%s)", i > 0 ? ", " : "", by->llm_config, by->responses,
			share_text(share, success.value));
	}
	if (results->cached_responses)
		fprintf(out, "%s%" PRId64 " from the cache", results->n_answered_by > 0 ? ", " : "",
			*results->cached_responses);
	fclose(out);
	return text;
}

const char *coefficient_text(char buffer[static 64], const double *value, const double *low, const double *high)
{
	if (!value)
		return "-";
	if (low && high)
		snprintf(buffer, 64, "%.2f (%.2f to %.2f)", *value, *low, *high);
	else
		snprintf(buffer, 64, "%.2f", *value);
	return buffer;
}
