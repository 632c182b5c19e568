/*
 * What was spent, by user, day, project, config and model: sums that move in the transaction that
 * records what they are of. The operations of a transaction leave what they spent at their requests;
 * it is added up once, before the commit, so that a group of recordings touches one more page.
 * Days are UTC's, as providers' bills have them.
 */
#pragma once

#include "daemon/store/engine/request.h"
#include "daemon/store/engine/statement.h"
#include "daemon/store/engine/tx.h"

struct taken_today;

/* Once for a transaction: the sums of the requests in it that succeeded. */
int spending_settle(struct db *db, struct store_request *batch, int64_t now);

/* What the user has taken of the config this day, answered calls and their tokens. */
int spending_today(struct tx *tx, int64_t owner_uid, int64_t config_id, struct taken_today *ret_taken);

/* What a project may still spend today. */
struct daily_budget;
int spending_daily(struct db *db, int64_t project_id, int64_t now, struct daily_budget *ret_today);

static inline int64_t spending_day(int64_t wall_usec)
{
	return wall_usec / (INT64_C(86400) * 1000000);
}

static inline int64_t spending_day_start(int64_t day)
{
	return day * INT64_C(86400) * 1000000;
}
