/*
 * What an item of a batch is known by: `MARK-ROW-NUMBER-EPOCH-SEAL`. What comes back says which
 * case it is of, and may say it of none but those that were given: the seal is made with what the
 * provider doesn't know.
 */
#pragma once

#include <stdbool.h>

#include "daemon/backend/provider_batch.h"
#include "daemon/store/runs.h"

#define BATCH_SEAL_SIZE 17 // with its NUL

/* Those of another batch. False: there are no random numbers. */
bool batch_item_mark(char ret_mark[static BATCH_MARK_SIZE], char ret_seal[static BATCH_SEAL_SIZE]);
void batch_item_name(const char *mark, const char *seal, const struct run_case *item,
		     char ret_id[static BATCH_CUSTOM_ID_SIZE]);
/* False: it is none of that batch's. The custom id begins with the mark. */
bool batch_item_read(const char *mark, const char *seal, const char *custom_id,
		     struct run_case *ret_case);
