/* The methods of a collection's rows, which the interface calls template variables. */
#pragma once

#include "daemon/store/engine/method.h"

int rows_list(struct tx *tx, struct method_run *op); // ListTemplateVariables
int rows_delete(struct tx *tx, struct method_run *op); // DeleteTemplateVariables
int rows_add(struct tx *tx, struct method_run *op); // AddTemplateVariables
