#include "client/cli/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/view/output.h"

/* ---- Reading ---- */

static bool is_of(const struct ellu_criterion_result *result, const struct ellu_criterion *criterion)
{
	return criterion->id ? *criterion->id == result->criterion_id :
			       strcmp(criterion->criterion_str, result->criterion) == 0;
}

static enum outcome outcome_of(const struct ellu_experiment_results *results,
			       const struct ellu_response *response)
{
	size_t n_yes = 0, n_no = 0;

	for (size_t i = 0; i < results->n_criteria; i++) {
		for (size_t k = 0; k < response->n_ratings; k++) {
			const struct ellu_rating *rating = response->ratings[k];
			bool yes = rating->rating && strcmp(rating->rating, "YES") == 0;

			if (!rating->rating || !is_of(results->criteria[i], rating->criterion))
				continue;
			n_yes += yes;
			n_no += !yes;
			break;
		}
	}
	if (response->error)
		return OUTCOME_NO_ANSWER;
	return n_no > 0 ? OUTCOME_NOT_MET : n_yes == results->n_criteria ? OUTCOME_MET : OUTCOME_UNDECIDED;
}

static void take_response(struct report *report, struct reported *reported,
			  const struct ellu_response *response)
{
	enum outcome outcome = outcome_of(reported->experiment->results, response);

	if (reported->counts[outcome]++ >= report->limit)
		return;
	reported->n_shown[outcome]++;
	report->writer->write_case(report, reported, response, outcome, reported->cases[outcome]);
}

static int read_responses(struct report *report, struct reported *reported)
{
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	struct cli *cli = report->cli;
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_response *response;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int r;

	ref.id = &reported->experiment->id;
	request.project = cli->arguments.project;
	request.experiment = &ref;
	r = ellu_list_responses_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	while ((r = ellu_list_responses_next_item(stream, &response, &error)) > 0)
		take_response(report, reported, response);
	ellu_stream_close(stream);
	return r < 0 ? cli_fail(r, error) : 0;
}

static int read_trust(struct report *report, struct reported *reported)
{
	struct ellu_get_judge_agreement_request request = ELLU_RECORD(struct ellu_get_judge_agreement_request);
	const struct ellu_get_judge_agreement_reply *trust;
	struct ellu_ref ref = ELLU_RECORD(struct ellu_ref);
	const struct ellu_error *error = NULL;
	int r;

	ref.id = &reported->experiment->id;
	request.project = report->cli->arguments.project;
	request.experiment = &ref;
	r = ellu_get_judge_agreement(report->cli->daemon, &request, &trust, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (trust->all->accuracy->n_total > 0 || trust->all->alpha || trust->n_evaluators > 0)
		reported->trust = trust;
	else
		ellu_free(trust);
	return 0;
}

static int fail_temporary(const char *what)
{
	int r = errno ? -errno : -EIO;

	cli_error("a temporary file could not be %s: %s", what, strerror(-r));
	return ellu_error_exit_status(r);
}

static int open_cases(struct reported *reported)
{
	for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++) {
		reported->cases[outcome] = tmpfile();
		if (!reported->cases[outcome])
			return fail_temporary("made");
	}
	return 0;
}

/* Whether all that went there is there: a report must not leave out cases in silence. */
static int check_written(FILE *file)
{
	errno = 0;
	return fflush(file) != 0 || ferror(file) ? fail_temporary("written") : 0;
}

static int read_experiment(struct report *report, struct reported *reported, const char *operand)
{
	int status = call_experiment(report->cli, operand, &reported->reply);

	if (status != 0)
		return status;
	reported->experiment = reported->reply->experiment;
	if (!reported->experiment->results) {
		cli_error("experiment %s has no results yet", operand);
		return EXIT_USAGE;
	}
	status = open_cases(reported);
	if (status == 0)
		status = read_responses(report, reported);
	if (status == 0)
		status = read_trust(report, reported);
	for (enum outcome outcome = 0; status == 0 && outcome < _OUTCOME_MAX; outcome++)
		status = check_written(reported->cases[outcome]);
	return status;
}

/* ---- Comparing with the first ---- */

struct changes {
	struct report *report;
	size_t at;
	int64_t n_worse, n_better;
};

static void tell_change(struct changes *changes, const struct ellu_compared_case *compared)
{
	const struct report *report = changes->report;
	const int *base = compared->responses[0]->success, *other = compared->responses[1]->success;

	if (!base || !other || *base == *other)
		return;
	if (*other < *base && changes->n_worse++ < report->limit)
		report->writer->write_change(report, compared, report->worse[changes->at]);
	if (*other > *base && changes->n_better++ < report->limit)
		report->writer->write_change(report, compared, report->better[changes->at]);
}

static int read_changes(struct report *report, size_t i)
{
	struct ellu_list_compared_cases_request request =
		ELLU_RECORD(struct ellu_list_compared_cases_request);
	struct ellu_ref base = ELLU_RECORD(struct ellu_ref), other = ELLU_RECORD(struct ellu_ref);
	const struct ellu_ref *const refs[] = { &base, &other };
	struct changes changes = { .report = report, .at = i };
	const struct ellu_compared_case *compared;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int r;

	base.id = &report->experiments[0].experiment->id;
	other.id = &report->experiments[i].experiment->id;
	request.project = report->cli->arguments.project;
	request.experiments = refs;
	request.n_experiments = 2;
	r = ellu_list_compared_cases_stream(report->cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	while ((r = ellu_list_compared_cases_next_item(stream, &compared, &error)) > 0)
		tell_change(&changes, compared);
	ellu_stream_close(stream);
	return r < 0 ? cli_fail(r, error) : 0;
}

static int compare(struct report *report, size_t i)
{
	int status;

	if (!report->writer->write_change)
		return 0;
	report->worse[i] = tmpfile();
	report->better[i] = tmpfile();
	if (!report->worse[i] || !report->better[i])
		return fail_temporary("made");
	status = read_changes(report, i);
	if (status == 0)
		status = check_written(report->worse[i]);
	return status ? status : check_written(report->better[i]);
}

static int compare_all(struct report *report)
{
	int64_t ids[REPORT_EXPERIMENTS_MAX];
	int status;

	if (report->n < 2)
		return 0;
	for (size_t i = 0; i < report->n; i++)
		ids[i] = report->experiments[i].experiment->id;
	status = pairs_read(report->cli, ids, report->n, &report->compared);
	for (size_t i = 1; status == 0 && i < report->n; i++)
		status = compare(report, i);
	return status;
}

/* ---- The command ---- */

static void done(struct report *report)
{
	for (size_t i = 0; i < REPORT_EXPERIMENTS_MAX; i++) {
		struct reported *reported = &report->experiments[i];

		for (enum outcome outcome = 0; outcome < _OUTCOME_MAX; outcome++)
			if (reported->cases[outcome])
				fclose(reported->cases[outcome]);
		if (report->worse[i])
			fclose(report->worse[i]);
		if (report->better[i])
			fclose(report->better[i]);
		ellu_free(reported->reply);
		ellu_free(reported->trust);
	}
	ellu_free(report->compared);
	free(report);
}

/* What it says is read before anything of it is written. The report is freed. */
static int write_report(struct report *report, const char *const *operands, size_t n, const char *path)
{
	int status = 0;

	for (; status == 0 && report->n < n; report->n++)
		status = read_experiment(report, &report->experiments[report->n], operands[report->n]);
	if (status == 0)
		status = compare_all(report);
	if (status == 0 && path)
		status = cli_open_output(&report->cli->arguments, path);
	if (status == 0) {
		report->writer->write(report);
		status = output_flush();
	}
	done(report);
	return status;
}

static const struct report_writer *const writers[_FORMAT_MAX] = {
	[FORMAT_JSON] = &report_json,	 [FORMAT_CSV] = &report_csv,	 [FORMAT_MD] = &report_markdown,
	[FORMAT_HTML] = &report_page, [FORMAT_JUNIT] = &report_junit,
};

static int report_new(struct cli *cli, enum format format, int64_t limit, struct report **ret_report)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return cli_fail(-ENOMEM, NULL);
	report->cli = cli;
	report->limit = limit;
	report->writer = writers[format];
	*ret_report = report;
	return 0;
}

int report_results(struct cli *cli, const int64_t *ids, size_t n)
{
	char texts[REPORT_EXPERIMENTS_MAX][24];
	const char *operands[REPORT_EXPERIMENTS_MAX];
	struct report *report = NULL;
	int status = report_new(cli, output.format, REPORT_CASES, &report);

	if (status != 0)
		return status;
	for (size_t i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%lld", (long long) ids[i]);
		operands[i] = texts[i];
	}
	return write_report(report, operands, n, NULL);
}

/* As --format says, or what the file's name ends in. */
static int choose_format(const struct arguments *arguments, enum format *ret_format)
{
	const char *path = arguments->output, *name = path && strrchr(path, '/') ? strrchr(path, '/') : path;
	const bool is_said = arguments->format || arguments->json || (name && strchr(name, '.'));
	const enum format format = is_said ? output_format_of(arguments, path) : FORMAT_MD;

	if (!writers[format]) {
		cli_error("%s %s: expected one of html md junit json csv%s", arguments->format ? "--format" : "-o",
			  arguments->format ? arguments->format : path, arguments->format ? "" : ", or --format");
		return EXIT_USAGE;
	}
	*ret_format = format;
	return 0;
}

int command_report(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	struct report *report = NULL;
	enum format format;
	int status = choose_format(arguments, &format);

	if (status == 0)
		status = cli_connect(cli);
	if (status == 0)
		status = report_new(cli, format, arguments->limit > 0 ? arguments->limit : REPORT_CASES, &report);
	return status ? status : write_report(report, arguments->operands, arguments->n_operands, arguments->output);
}
