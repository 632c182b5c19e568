/*
 * An evaluator by its name, asked for many scores: from a pool of threads that share one handle, then all
 * at once on a loop.
 *
 *	evaluator [URL]
 */
#include <elluminate.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "sample.h"

#define N_THREADS 4
#define TIMEOUT_SECONDS 600.0

static const char *const answers[] = {
	"You could have read the manual.",
	"I am glad that you ask; let us look at it together.",
	"No.",
	"Unfortunately I cannot say, but my colleague will know.",
	"As I said twice before, it is on page two.",
	"Thank you for waiting! It is on its way.",
};
#define N_ANSWERS (sizeof(answers) / sizeof(answers[0]))

/* Of its name or, where it is not there yet, made. */
static int name_it(struct ellu *daemon)
{
	struct ellu_evaluator evaluator = ELLU_RECORD(struct ellu_evaluator);
	struct ellu_get_or_create_evaluator_request request =
		ELLU_RECORD(struct ellu_get_or_create_evaluator_request);
	const struct ellu_error *error;
	int r;

	evaluator.name = "Politeness of answers";
	evaluator.prompt = "How polite is this answer to a customer?\n\n{{response}}";
	request.evaluator = &evaluator;
	r = ellu_get_or_create_evaluator(daemon, &request, NULL, &error);
	return r < 0 ? sample_complain(r, error) : 0;
}

/* A request and all it points to. */
struct question {
	struct ellu_ref evaluator;
	struct ellu_llm_config model;
	struct ellu_llm_config_in model_in;
	struct ellu_run_evaluator_request request;
};

static void question_init(struct question *question, const char *answer, const char *url)
{
	question->evaluator = ELLU_RECORD(struct ellu_ref);
	question->evaluator.name = "Politeness of answers";
	question->request = ELLU_RECORD(struct ellu_run_evaluator_request);
	question->request.evaluator = &question->evaluator;
	question->request.response = answer;
	if (!url)
		return;
	question->model = ELLU_RECORD(struct ellu_llm_config);
	question->model.name = "Judge of answers";
	question->model.provider = "openai";
	question->model.llm_model_name = "m";
	question->model.llm_base_url = url;
	question->model_in = ELLU_RECORD(struct ellu_llm_config_in);
	question->model_in.content = &question->model;
	question->request.llm_config = &question->model_in;
}

/* A score that could not be had is absent, never 0. */
static int print_score(const char *answer, const struct ellu_run_evaluator_reply *reply)
{
	const struct ellu_task_result *result = reply->task->result;
	const double *score = result && result->evaluation ? result->evaluation->score : NULL;

	if (score)
		printf("%.2f  %s\n", *score, answer);
	else
		printf("   -  %s: %s\n", answer, reply->task->status);
	return score != NULL;
}

/* ---- From threads ---- */

struct pool {
	struct ellu *daemon; /* shared: nobody needs a lock, or a handle of their own */
	const char *url;
	atomic_size_t next;
	atomic_int n_scored;
};

static void *work(void *userdata)
{
	struct pool *pool = userdata;
	size_t index;

	while ((index = pool->next++) < N_ANSWERS) {
		const struct ellu_run_evaluator_reply *reply;
		const struct ellu_error *error;
		struct question question;
		int r;

		question_init(&question, answers[index], pool->url);
		r = ellu_run_evaluator(pool->daemon, &question.request, &reply, &error);
		if (r < 0) {
			(void) sample_complain(r, error);
			continue;
		}
		pool->n_scored += print_score(answers[index], reply);
		ellu_free(reply);
	}
	return NULL;
}

static int from_threads(const char *url)
{
	struct pool pool = { .daemon = sample_open(ELLU_BLOCKING), .url = url };
	pthread_t threads[N_THREADS];
	int n_threads = 0;

	if (!pool.daemon || name_it(pool.daemon) != 0) {
		ellu_close(pool.daemon);
		return -1;
	}
	while (n_threads < N_THREADS && pthread_create(&threads[n_threads], NULL, work, &pool) == 0)
		n_threads++;
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	/* Closing must be the last use of the handle. */
	ellu_close(pool.daemon);
	return pool.n_scored;
}

/* ---- On a loop ---- */

static int start(struct ellu *daemon, size_t index, struct ellu_op **ret_op, void *userdata)
{
	struct question question;

	question_init(&question, answers[index], userdata);
	return ellu_run_evaluator_async(daemon, &question.request, NULL, NULL, ret_op);
}

static int on_a_loop(char *url)
{
	struct ellu *daemon = sample_open(ELLU_EVENT);
	const struct ellu_run_evaluator_reply *reply;
	struct ellu_op *ops[N_ANSWERS] = { NULL };
	int r, n_scored = 0;

	if (!daemon)
		return -1;
	/* Drives the handle here; an application's own loop does that as well (on_libevent.c). */
	r = ellu_gather(daemon, N_ANSWERS, /* at a time: */ N_ANSWERS, start, url, TIMEOUT_SECONDS, ops);
	if (r < 0)
		fprintf(stderr, "%s\n", ellu_strerror(r));
	for (size_t i = 0; i < N_ANSWERS; i++) {
		if (ops[i] && ellu_run_evaluator_result(ops[i], &reply, NULL) == 0) {
			n_scored += print_score(answers[i], reply);
			ellu_free(reply);
		}
		ellu_op_free(ops[i]);
	}
	ellu_close(daemon);
	return n_scored;
}

int main(int argc, char **argv)
{
	char *url = argc > 1 ? argv[1] : NULL;
	int by_threads = from_threads(url);
	int by_loop = by_threads < 0 ? -1 : on_a_loop(url);

	if (by_loop < 0)
		return 1;
	printf("%d of %zu scored by threads, %d on a loop\n", by_threads, N_ANSWERS, by_loop);
	return by_threads == (int) N_ANSWERS && by_loop == (int) N_ANSWERS ? 0 : 1;
}
