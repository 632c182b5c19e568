#include "daemon/backend/loop_share.h"

#include "daemon/base/deadline.h"

#define SHARED_USEC 100000 // others are there who had a call issued so lately
#define AT_ONCE 8
#define SAVED_USEC 5000 // by who had little, and at most owed by who was alone

bool loop_share_allows(const struct loop_shares *shares, struct loop_share *share, int64_t now_usec)
{
	if (now_usec - shares->shared_usec >= SHARED_USEC)
		return true;
	share->kept_back = share->due_usec > now_usec || share->n_issued >= AT_ONCE;
	return !share->kept_back;
}

void loop_share_issued(struct loop_shares *shares, struct loop_share *share, int64_t now_usec)
{
	share->n_issued++;
	if (shares->last != share && now_usec - shares->last_usec < SHARED_USEC)
		shares->shared_usec = now_usec;
	shares->last = share;
	shares->last_usec = now_usec;
}

void loop_share_next_round(struct loop_share *share)
{
	share->n_issued = 0;
	share->kept_back = false;
}

void loop_share_took(struct loop_share *share, int64_t usec, int64_t now_usec)
{
	int64_t due_usec = share->due_usec;

	if (due_usec < now_usec - SAVED_USEC)
		due_usec = now_usec - SAVED_USEC;
	due_usec += 2 * usec;
	share->due_usec = due_usec < now_usec + SAVED_USEC ? due_usec : now_usec + SAVED_USEC;
}

int64_t loop_share_due_usec(const struct loop_share *share)
{
	return share->kept_back ? share->due_usec : DEADLINE_NEVER;
}
