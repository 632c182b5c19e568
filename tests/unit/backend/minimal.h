/* A config with nothing in it but what it must have, and the target of one. */
#pragma once

#include <check.h>

#include "daemon/backend/dialect/target.h"

static inline struct ellu_llm_config minimal(void)
{
	return (struct ellu_llm_config){
		.struct_size = sizeof(struct ellu_llm_config),
		.name = "c",
		.provider = "openai",
		.llm_model_name = "m",
		.llm_base_url = "http://host:81/v1/",
	};
}

static inline struct llm_target *make(const struct ellu_llm_config *config)
{
	struct llm_target *target;
	struct fault fault = { 0 };

	ck_assert_msg(llm_target_new(config, &target, &fault) == 0, "%s", fault.message);
	return target;
}
