/* The built-in provider: its settings. What it says is in simulated_text.h. */
#include <math.h>
#include <string.h>

#include "daemon/backend/dialect/dialect.h"
#include "daemon/backend/dialect/media.h"
#include "daemon/backend/dialect/target.h"
#include "daemon/base/clock.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/record/record.h"

static int prepare(struct llm_target *target, const struct ellu_llm_config *config,
		   struct fault *fault)
{
	struct simulated_settings *simulated = &target->simulated;
	const struct ellu_simulated *settings;
	void *record;
	int r;

	target->origin = "simulated";
	if (!config->custom)
		return 0;
	r = record_from_text(&ellu_simulated_type, config->custom, strlen(config->custom),
			     FROM_CLIENT, &target->arena, &record, fault);
	if (r < 0)
		return r;
	settings = record;
	simulated->latency_usec = llround(settings->latency_seconds * USEC_PER_SEC);
	simulated->error_rate = settings->error_rate;
	simulated->rate_limit_rate = settings->rate_limit_rate;
	simulated->bad_verdict_rate = settings->bad_verdict_rate;
	simulated->seed = settings->seed;
	return 0;
}

static const struct embedding_form vectors = { .texts_max = 2048 };

const struct dialect simulated_dialects[] = {
	{ .name = ELLU_PROVIDER_SIMULATED, .transport = TRANSPORT_SIMULATED, .prepare = prepare,
	  .media = MEDIA_ALL, .embedding = &vectors },
	{ 0 },
};
