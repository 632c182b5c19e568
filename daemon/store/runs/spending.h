/*
 * What was spent, by user, day, project, config and model: sums that move in the transaction that
 * records what they are of. The operations of a transaction leave what they spent at their requests;
 * it is added up once, before the commit, so that a group of recordings touches one more page.
 * Days are UTC's, as providers' bills have them.
 */
#pragma once

#include "daemon/store/engine/request.h"
#include "daemon/store/engine/statement.h"

/* Once for a transaction: the sums of the requests in it that succeeded. */
int spending_settle(struct db *db, struct store_request *batch, int64_t now);

static inline int64_t spending_day(int64_t wall_usec)
{
	return wall_usec / (INT64_C(86400) * 1000000);
}
