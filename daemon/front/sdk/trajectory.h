/* What an agent said and did, step by step, as messages. */
#pragma once

#include "daemon/front/http/json_maker.h"

#define TRAJECTORY "ATIF-v1." // of such steps

/* Of a trial: those that it has, or those of its trajectory. NULL: that is none. */
json_object *trial_messages(struct json_maker *maker, json_object *trial);
