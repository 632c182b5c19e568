/*
 * Batch rating with progress: the responses of an experiment are judged by other questions, and
 * the verdicts read page by page. Nothing is generated again.
 *
 *	rate [URL]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

/* The experiment's id, or a negative exit status. */
static int64_t make_experiment(struct ellu *daemon, const char *url)
{
	const struct ellu_run_experiment_reply *reply;
	const struct ellu_error *error;
	struct sample sample;
	int64_t id = -1;
	int r;

	sample_init(&sample, "To be rated", url, 6);
	r = ellu_run_experiment(daemon, &sample.request, &reply, &error);
	if (r < 0)
		return -sample_complain(r, error);
	if (ellu_task_is_success(reply->task) && reply->task->experiment_id)
		id = *reply->task->experiment_id;
	ellu_free(reply);
	return id;
}

/* The id of the rating task once it has succeeded, or a negative exit status. */
static int64_t rate(struct ellu *daemon, int64_t experiment_id)
{
	struct ellu_rate_responses_request request = ELLU_RECORD(struct ellu_rate_responses_request);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);
	const char *criteria[] = { "Is it polite?", "Would a child like it?" };
	const struct ellu_rate_responses_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	int64_t task_id = -1;
	int r;

	experiment.id = &experiment_id;
	request.experiment = &experiment;
	request.criteria = criteria;
	request.n_criteria = 2;
	r = ellu_rate_responses_stream(daemon, &request, &stream, NULL);
	if (r < 0)
		return -sample_complain(r, NULL);
	while ((r = ellu_rate_responses_next(stream, &reply, &error)) > 0) {
		double percent = ellu_event_percent(reply->event);

		if (percent >= 0)
			printf("rated %.0f %%\n", percent);
		if (ellu_event_is_success(reply->event))
			task_id = reply->event->task_id;
		ellu_free(reply);
	}
	ellu_stream_close(stream);
	return r < 0 ? -sample_complain(r, error) : task_id;
}

static int print_verdicts(struct ellu *daemon, int64_t task_id)
{
	struct ellu_list_ratings_request request = ELLU_RECORD(struct ellu_list_ratings_request);
	const struct ellu_error *error = NULL;
	const struct ellu_rating *rating;
	struct ellu_stream *stream;
	int r;

	request.task_id = &task_id;
	request.limit = 5; /* the pages follow each other by themselves */
	r = ellu_list_ratings_stream(daemon, &request, &stream, NULL);
	if (r < 0)
		return sample_complain(r, NULL);
	while ((r = ellu_list_ratings_next_item(stream, &rating, &error)) > 0)
		printf("response %lld  %-4s %s\n", (long long) rating->response_id,
		       rating->rating ? rating->rating : "-", rating->criterion->criterion_str);
	ellu_stream_close(stream);
	return r < 0 ? sample_complain(r, error) : 0;
}

int main(int argc, char **argv)
{
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int64_t id;
	int exit_status;

	if (!daemon)
		return 1;
	id = make_experiment(daemon, argc > 1 ? argv[1] : NULL);
	if (id > 0)
		id = rate(daemon, id);
	exit_status = id > 0 ? print_verdicts(daemon, id) : (int) -id;
	ellu_close(daemon);
	return exit_status;
}
