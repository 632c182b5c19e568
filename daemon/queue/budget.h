/*
 * The hold `budget` ends by itself: with the day, whose limit it was, or when that is raised. Whether
 * it does the store decides, each time that it is asked to let a task go on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct queue;

int budget_init(struct queue *queue);
void budget_done(struct queue *queue);

/* What may be spent, or has been, is another than before: tasks on hold for it go on, where nothing
 * keeps them. Of one user, or (-1) of all. Whether there are any, and there was memory to ask for each. */
bool queue_release_budgets(struct queue *queue, int64_t uid);
