/* What callers hear of their flows, each on its own loop. */
#pragma once

#include <stdbool.h>

struct backend_flow;
struct job;
struct llm_call;

void flow_return(const struct backend_flow *flow, struct llm_call *call);

/* At most one a second and lane; the others are dropped, and so is one for which there is no
 * memory. What it quotes holds no secrets any more. */
__attribute__((format(printf, 2, 3))) void flow_notice(struct job *job, const char *format, ...);
/* Whether the flow is held, to who asks; -ENOMEM is false. */
bool flow_hold(const struct backend_flow *flow, bool held, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
