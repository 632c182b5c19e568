#include "tests/unit/work/work_standin.h"

#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/work/work_standin_internal.h"

struct standin standin;
struct loop *standin_loop;
struct ellu_llm_config standin_configs[2];

static int64_t config_ids[2] = { 1, 2 };
static int64_t max_connections;
static bool moment_passed;

void standin_wrong(const char *format, ...)
{
	va_list arguments;

	if (standin.gone_wrong[0])
		return;
	va_start(arguments, format);
	vsnprintf(standin.gone_wrong, sizeof(standin.gone_wrong), format, arguments);
	va_end(arguments);
}

struct standin_response *standin_response(size_t row, size_t epoch)
{
	return &standin.responses[(epoch - 1) * standin.n_rows + row - 1];
}

/* ---- The moment ---- */

static struct message moment_message;
static struct store_request *moment_request; // answered after it

static void on_moment_over(struct message *message)
{
	(void)message;
	if (moment_request)
		standin_commit(moment_request);
	moment_request = NULL;
	standin_set_hold(false);
}

static void on_moment(struct message *message)
{
	standin.at_moment();
	message->deliver = on_moment_over;
	loop_post(standin_loop, message);
}

bool standin_look(enum standin_moment moment, int64_t index, struct store_request *request)
{
	if (moment_passed || standin.moment != moment || index != standin.moment_index)
		return false;
	moment_passed = true;
	moment_request = request;
	moment_message.deliver = on_moment;
	standin_set_hold(true); // the run cannot end before its moment is over
	loop_post(standin.home, &moment_message);
	return request != NULL;
}

/* ---- A stall ---- */

static sem_t stalled;

void standin_look_for_stall(void)
{
	if (moment_passed && standin.stall_at && standin.in_flight == 0 &&
	    standin.at_risk >= standin.stall_at)
		sem_post(&stalled);
}

void standin_await_stall(void)
{
	while (sem_wait(&stalled) < 0)
		; // a signal
}

/* ---- Life ---- */

static void fill_config(struct ellu_llm_config *config, const int64_t *id, const char *name)
{
	*config = ELLU_RECORD(struct ellu_llm_config);
	config->id = id;
	config->name = name;
	config->provider = "openai";
	config->llm_model_name = name;
	config->max_connections = standin.max_connections ? &max_connections : NULL;
}

void standin_start(void)
{
	max_connections = standin.max_connections;
	fill_config(&standin_configs[0], &config_ids[0], "main");
	fill_config(&standin_configs[1], &config_ids[1], "judge");
	moment_passed = false;
	sem_init(&stalled, /* pshared= */ 0, 0);
	standin.at_risk = standin.in_flight = 0;
	standin_reset_store();
	standin_reset_backend();
	if (loop_new("standin", &standin_loop) < 0 || loop_start(standin_loop) < 0)
		abort();
}

void standin_stop(void)
{
	loop_stop(standin_loop);
	loop_join(standin_loop);
	standin_loop = loop_free(standin_loop);
}

struct store *standin_store(void)
{
	return NULL;
}

struct backend *standin_backend(void)
{
	return NULL;
}
