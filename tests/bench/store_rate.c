#include "tests/bench/store_rate.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/store.h"
#include "daemon/store/tasks.h"
#include "interface.h"
#include "tests/harness/harness.h"

struct submit {
	struct task_submit op;
	struct run *run;
};

struct run {
	const struct store_rate *rate;
	struct loop *loop;
	struct store *store;
	struct submit *submits; // the first makes what the others refer to
	size_t n_posted, n_answered;
	double begin;
};

static void on_answer(struct store_request *request);

static void post_next(struct run *run)
{
	size_t n_left = run->rate->n_submits + 1 - run->n_posted;
	size_t n = run->n_posted == 0 ? 1 : n_left < run->rate->batch ? n_left : run->rate->batch;

	if (run->n_posted == 1)
		run->begin = now_seconds();
	for (size_t i = 0; i < n; i++)
		store_task_submit(run->store, &run->submits[run->n_posted++].op);
}

/* A batch goes out when the one before has come back whole. */
static void on_answer(struct store_request *request)
{
	struct run *run = request->userdata;

	if (request->result < 0)
		die("the store refused a submit: %s", request->fault.message);
	run->n_answered++;
	if (run->n_answered == run->rate->n_submits + 1)
		loop_stop(run->loop);
	else if (run->n_answered == run->n_posted)
		post_next(run);
}

static void on_user(struct store_request *request)
{
	if (request->result < 0)
		die("the store refused the user: %s", request->fault.message);
	post_next(request->userdata);
}

static void prepare(struct run *run, struct submit *submit, const char *parameters)
{
	struct task_submit *op = &submit->op;
	void *record;

	store_request_init(&op->request, run->loop, on_answer, run);
	if (record_from_text(&ellu_run_experiment_request_type, parameters, strlen(parameters),
			     FROM_CLIENT, &op->request.arena, &record, &op->request.fault) < 0)
		die("%s: %s", parameters, op->request.fault.message);
	op->scope.uid = getuid();
	op->method = &elluminate_interface.methods[METHOD_RUN_EXPERIMENT];
	op->arguments = record;
}

static void on_trouble(void *userdata, enum store_trouble trouble)
{
	(void)userdata;
	if (trouble != STORE_FINE)
		die("%s", store_trouble_text(trouble));
}

double store_rate_measure(const struct store_rate *rate)
{
	struct run run = { .rate = rate };
	struct store_options options = { .state_dir = rate->state_dir,
					 .trouble = on_trouble };
	struct user_ensure user = { .uid = getuid() };
	struct fault fault;
	double seconds;

	/* As the daemon has it. */
	(void)mallopt(M_ARENA_MAX, 2);
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
	run.submits = calloc(rate->n_submits + 1, sizeof(*run.submits));
	if (!run.submits || loop_new("store-rate", &run.loop) < 0)
		die("out of memory");
	options.reply_to = run.loop;
	if (store_open(&options, &run.store, &fault) < 0)
		die("%s", fault.message);
	prepare(&run, &run.submits[0], rate->first);
	for (size_t i = 0; i < rate->n_submits; i++)
		prepare(&run, &run.submits[i + 1], rate->submits[i]);
	store_request_init(&user.request, run.loop, on_user, &run);
	store_user_ensure(run.store, &user);
	if (loop_run(run.loop) < 0)
		die("the loop failed");
	seconds = now_seconds() - run.begin;
	store_close(run.store);
	store_request_done(&user.request);
	for (size_t i = 0; i <= rate->n_submits; i++)
		store_request_done(&run.submits[i].op.request);
	loop_free(run.loop);
	free(run.submits);
	return (double)rate->n_submits / seconds;
}
