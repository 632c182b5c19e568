/*
 * A backend on its own loop, a loop of the test's for what comes back, and a simulated endpoint.
 * One of each per test process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backend/backend.h"

#define LINE_MAX_KEPT 512

/* What calls of one number share, and what was heard of them. */
struct flow {
	int64_t number;
	struct backend_flow *flow; // opened for its first call
	int n_notices;
	char notice[LINE_MAX_KEPT]; // the last one
	int n_holds; // told of: begun or ended
	bool held;
	char hold[LINE_MAX_KEPT]; // what was said of the last one
};

/* A call of one user message, with room for what it refers to. */
struct exchange {
	struct llm_call call;
	struct ellu_message message;
	const struct ellu_message *messages[1];
	bool done;
	int order; // of its return, from 1
	/* Which flow it goes with, and how that is opened if it is the first. */
	int64_t flow;
	int64_t user;
	int priority;
	int cap;
};

extern struct backend *backend;
extern char base_url[64]; // of the simulated endpoint

void backend_fixture_setup(void);
void backend_fixture_teardown(void);

/* Settings of the simulated endpoint as a JSON object; a number of its /stats. */
void sim_control(const char *json);
int64_t sim_stat(const char *name);
void sim_reset(void);
int64_t sim_stat_of(const char *group, const char *name);
/* The last call's body as the endpoint got it; free() it. */
char *sim_last_body(void);

/* A config for the endpoint with short time limits, to be changed and made a target of. */
struct ellu_llm_config test_config(void);
struct llm_target *test_target(const struct ellu_llm_config *config);

struct exchange *exchange_new(struct llm_target *target, const char *content, int number);
void exchange_free(struct exchange *exchange);
void exchange_submit(struct exchange *exchange);

struct flow *flow_of(int64_t number);
void flow_cancel(int64_t number);

extern struct loop *home; // the test's

/* Runs the test's loop until so many calls came back since the last time; returns seconds. */
double wait_for(int n);
/* The same until the condition holds; it is looked at when something came back, or was told. */
void wait_until(bool (*condition)(void));
int n_back(void);
void run_for(double seconds);
double seconds_now(void);
