/* What can be done with a call, from when it is handed over until it is back. */
#pragma once

#include "daemon/backend/traffic.h"

struct attempt;

int job_new(struct backend_flow *flow, struct llm_call *call); // -ENOMEM
void job_start(struct job *job); // admitted
/* Its attempt is over, and nothing of it is left but `attempt`. */
void job_attempted(struct job *job, struct attempt *attempt);
/* Wherever it is. Aborts what is in flight. */
void job_cancel(struct job *job);
/* Takes it out of flight to wait once more, as if it had never been issued. */
void job_put_back(struct job *job);
/* Its attempt is over, for lack of file descriptors: it waits as if it had never been issued. */
void job_short_of_descriptors(struct job *job);
/* For a call that never became a job. */
void call_refuse(struct backend_flow *flow, struct llm_call *call, enum llm_outcome outcome);
