/* elluminate rate and elluminate experiment retry-failed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/submit.h"

/* The fields that all methods which ask a model again have in common. */
#define TAKE_LIMITS(request, arguments)                                                         \
	do {                                                                                    \
		(request)->project = (arguments)->project;                                      \
		(request)->max_connections = cli_given(&(arguments)->max_connections);          \
		(request)->cost_limit = cli_given(&(arguments)->cost_limit);                    \
		(request)->priority = (arguments)->priority;                                    \
		(request)->time_limit_seconds = cli_given_seconds(&(arguments)->time_limit);    \
		(request)->detach = cli_given_flag((arguments)->detach);                        \
	} while (0)

/* How to judge, as far as the arguments say it. */
struct judging {
	struct ellu_ref set;
	struct ellu_ref judge;
	struct ellu_llm_config_in config;
	int64_t set_id;
	int64_t judge_id;
};

#define TAKE_JUDGING(request, arguments, judging)                                                \
	do {                                                                                     \
		(request)->criteria = (arguments)->criteria.n > 0 ? (arguments)->criteria.items  \
								  : NULL;                        \
		(request)->n_criteria = (arguments)->criteria.n;                                 \
		(request)->criterion_set = (arguments)->criterion_set ? &(judging)->set : NULL;  \
		(request)->rating_llm_config = (arguments)->judge ? &(judging)->config : NULL;   \
		(request)->rating_mode = (arguments)->mode;                                      \
	} while (0)

/* What points into it is valid as long as it stays where it is. */
static void judging_init(struct judging *judging, const struct arguments *arguments)
{
	judging->config =
		(struct ellu_llm_config_in) ELLU_RECORD(struct ellu_llm_config_in);
	judging->config.ref = &judging->judge;
	if (arguments->criterion_set)
		judging->set = cli_ref(arguments->criterion_set, &judging->set_id);
	if (arguments->judge)
		judging->judge = cli_ref(arguments->judge, &judging->judge_id);
}

/* ---- Some responses: their verdicts ---- */

/* `1,2,3`; the caller frees them. False when it is something else; it has said so. */
static bool parse_ids(const char *text, int64_t **ret_ids, size_t *ret_n)
{
	size_t n = 1;
	char *copy = strdup(text), *rest = copy;
	int64_t *ids;
	bool good;

	for (const char *c = text; *c; c++)
		n += *c == ',';
	ids = calloc(n, sizeof(*ids));
	good = copy && ids;
	for (size_t i = 0; good && i < n; i++)
		good = cli_is_id(strsep(&rest, ","), &ids[i]);
	free(copy);
	if (!good) {
		free(ids);
		cli_error("--responses %s: expected ids: 1,2,3", text);
		return false;
	}
	*ret_ids = ids;
	*ret_n = n;
	return true;
}

/* `12=NO`. False when it is something else; it has said so. */
static bool parse_where(const char *text, int64_t *ret_criterion_id, const char **ret_rating)
{
	size_t length = strcspn(text, "=");
	char id[24];

	if (text[length] && length < sizeof(id)) {
		memcpy(id, text, length);
		id[length] = '\0';
		*ret_rating = text + length + 1;
		if (cli_is_id(id, ret_criterion_id))
			return true;
	}
	cli_error("--where %s: expected the id of a criterion and its verdict: 12=NO", text);
	return false;
}

static int rate_responses(struct cli *cli)
{
	struct ellu_rate_responses_request request = ELLU_RECORD(struct ellu_rate_responses_request);
	const struct arguments *arguments = &cli->arguments;
	int64_t criterion_id, experiment_id, *ids = NULL;
	struct ellu_ref experiment;
	struct judging judging;
	int status;

	if (arguments->where) {
		if (!parse_where(arguments->where, &criterion_id, &request.rating))
			return EXIT_USAGE;
		request.criterion_id = &criterion_id;
	}
	if (arguments->responses) {
		if (!parse_ids(arguments->responses, &ids, &request.n_response_ids))
			return EXIT_USAGE;
		request.response_ids = ids;
	} else {
		experiment = cli_ref(arguments->operands[0], &experiment_id);
		request.experiment = &experiment;
	}
	judging_init(&judging, arguments);
	TAKE_JUDGING(&request, arguments, &judging);
	TAKE_LIMITS(&request, arguments);
	request.epoch = cli_given(&arguments->epoch);
	status = cli_connect(cli);
	if (status == 0)
		status = submit(cli, &(struct submission){ .method = &method_rate_responses,
							   .request = &request,
							   .verdicts = true });
	free(ids);
	return status;
}

/* ---- All of an experiment: its new results ---- */

static int rate_experiment(struct cli *cli)
{
	struct ellu_rate_experiment_request request =
		ELLU_RECORD(struct ellu_rate_experiment_request);
	const struct arguments *arguments = &cli->arguments;
	struct ellu_ref experiment;
	struct judging judging;
	int64_t experiment_id;
	int status = cli_connect(cli);

	if (status != 0)
		return status;
	experiment = cli_ref(arguments->operands[0], &experiment_id);
	request.experiment = &experiment;
	judging_init(&judging, arguments);
	TAKE_JUDGING(&request, arguments, &judging);
	TAKE_LIMITS(&request, arguments);
	return submit(cli, &(struct submission){ .method = &method_rate_experiment,
						 .request = &request });
}

int command_rate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const bool filtered = arguments->epoch >= 0 || arguments->where;

	if ((arguments->n_operands > 0) == (arguments->responses != NULL)) {
		cli_error("rate: expected either an experiment or --responses");
		return EXIT_USAGE;
	}
	if (arguments->responses && filtered) {
		cli_error("--epoch and --where choose among the responses of an experiment");
		return EXIT_USAGE;
	}
	if (arguments->criteria.n > 0 && arguments->criterion_set) {
		cli_error("--criteria and --set exclude each other");
		return EXIT_USAGE;
	}
	return arguments->responses || filtered || arguments->keep ? rate_responses(cli)
								   : rate_experiment(cli);
}

int command_experiment_retry_failed(struct cli *cli)
{
	struct ellu_retry_failed_request request = ELLU_RECORD(struct ellu_retry_failed_request);
	struct ellu_ref experiment;
	int64_t experiment_id;
	int status = cli_connect(cli);

	if (status != 0)
		return status;
	experiment = cli_ref(cli->arguments.operands[0], &experiment_id);
	request.experiment = &experiment;
	TAKE_LIMITS(&request, &cli->arguments);
	return submit(cli, &(struct submission){ .method = &method_retry_failed,
						 .request = &request });
}
