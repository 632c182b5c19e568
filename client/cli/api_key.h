/* Keys of configs, from the environment of the command. */
#pragma once

#include <json.h>

#include "client/cli/complaint.h"

/* Takes the value of `"api_key": "$NAME"`. -EINVAL with a complaint: there is none; -ENOMEM. */
int api_key_resolve(json_object *config, struct complaint *complaint);

/* Without any key, that of the provider's usual variable, but only towards the provider itself. 1 with the
 * variable's name, 0 when there is nothing to take; -ENOMEM. */
int api_key_usual(json_object *config, const char **ret_variable);
