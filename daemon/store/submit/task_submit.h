/*
 * What the submissions of all kinds of tasks share inside their transaction: the idempotency key,
 * the room on the disk, and the task that is accepted, rejected, or there already.
 */
#pragma once

#include "daemon/store/resources/identity.h"
#include "daemon/store/tasks/task.h"

struct experiment_row;
struct notes;
struct run_row;

/* The methods that make a task (daemon/store/methods.c), and where those begin that have much to read
 * first. */
int experiment_submit(struct tx *tx, struct task_submit *op);
int rating_submit(struct tx *tx, struct task_submit *op); // of responses, or of an experiment anew
int failed_retry(struct tx *tx, struct task_submit *op);
int epochs_add(struct tx *tx, struct task_submit *op);
int task_retry(struct tx *tx, struct task_submit *op);
int job_submit(struct tx *tx, struct task_submit *op); // of op->kind, whose item is the request
/* Of a run of a skill: inserts it, with the skill, its models and its validators. */
int skill_pin(struct tx *tx, const struct task_submit *op, const struct scope *scope, struct run_row *run,
	      struct notes *notes);
int criteria_submit(struct tx *tx, struct task_submit *op); // GetOrGenerateCriteria
int batch_submit(struct tx *tx, struct task_submit *op); // BatchRun
enum store_lane batch_submit_lane(const void *arguments);
int preference_submit(struct tx *tx, struct task_submit *op); // PreferExperiments
enum store_lane call_submit_lane(const void *arguments);
enum store_lane embed_submit_lane(const void *arguments);
enum store_lane experiment_submit_lane(const void *arguments);
enum store_lane rating_submit_lane(const void *arguments);
/* Those that run nothing. */
int experiment_plan(struct tx *tx, struct method_run *op); // what RunExperiment would do
int experiment_create(struct tx *tx, struct method_run *op);
int experiment_get_or_create(struct tx *tx, struct method_run *op);
int experiment_clone(struct tx *tx, struct method_run *op);


/* A member of the request by its name; NULL where it has none. */
static inline const void *task_submit_member(const struct task_submit *submit, const char *name)
{
	return record_member(submit->method->request, submit->arguments, name);
}

/* Forgets what an earlier run of the same operation answered. */
void task_submit_begin(struct task_submit *submit);

/* Identity of a request. How the answer is to come, and its key, are no part of it. Keys of configs
 * are: so it has something of this folder alone, as the fingerprints of configs have. */
int task_submit_hash(struct tx *tx, const struct record_type *type, const void *request,
		     char ret_hash[static IDENTITY_SIZE]);

/* 1: answered by what the same key brought before. Conflict: by what another request did. */
int task_submit_find_key(struct tx *tx, struct task_submit *submit, int64_t owner_uid,
			 const char *hash);

/* StorageFull below what must stay free. */
int task_submit_check_room(struct tx *tx);

/* Fills `rejected` when `scope` may not spend a config as it is stored (NULL: there is none), when its
 * key cannot be had, or when `cost_limit` (may be NULL) or the project's of a day is set and what it
 * costs is not known. */
int task_submit_check_config(struct tx *tx, const struct scope *scope, int64_t project_id,
			     const struct ellu_llm_config *config, const char *part,
			     const int64_t *cost_limit, struct fault *rejected);

/* The same of both configs of a run, and QueueFull where there is no room. */
int task_submit_check_run(struct tx *tx, const struct task_submit *submit, int64_t run_id,
			  const int64_t *cost_limit, struct fault *rejected);

void task_submit_check_queue(const struct task_submit *submit, struct fault *rejected);

/* Runs what makes the parts of a submission, before which it has written nothing; when that answers
 * more than 0, they are taken back. */
int task_submit_try(struct tx *tx, int (*run)(void *userdata), void *userdata);

/* Answers a task that is there already. */
int task_submit_existing(struct tx *tx, struct task_submit *submit, int64_t task_id);
/* Inserts and answers it, claimed where a slot is free; REJECTED when `task` says so. Priority,
 * limits and key are those of the request, where it has them. */
int task_submit_insert(struct tx *tx, struct task_submit *submit, struct task_new *task);
/* The same of a task of a run that is there: once its experiment (zeroed: none) has no other, there
 * is room, and its configs may be spent, which else `rejected` says. */
int task_submit_go_on(struct tx *tx, struct task_submit *submit, struct task_new *task,
		      const struct experiment_row *experiment, struct fault *rejected);
