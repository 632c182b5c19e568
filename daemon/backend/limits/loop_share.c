#include "daemon/backend/limits/loop_share.h"

#include "daemon/base/deadline.h"

#define SHARED_USEC 100000 // others are there who had a call issued so lately
#define AT_ONCE 8
#define SAVED_USEC 5000 // by who had little, and at most owed by who was alone
#define KEPT_USEC 20000 // since his last call, at most: answers on their way may take more than half for long

static int64_t due_usec(const struct loop_share *share)
{
	int64_t latest_usec = share->issued_usec + KEPT_USEC;

	return share->due_usec < latest_usec ? share->due_usec : latest_usec;
}

bool loop_share_allows(const struct loop_shares *shares, struct loop_share *share, int64_t now_usec)
{
	if (now_usec - shares->shared_usec >= SHARED_USEC)
		return true;
	share->kept_back = due_usec(share) > now_usec || share->n_issued >= AT_ONCE;
	return !share->kept_back;
}

void loop_share_issued(struct loop_shares *shares, struct loop_share *share, int64_t user, int64_t now_usec)
{
	share->n_issued++;
	share->issued_usec = now_usec;
	if (shares->last != share && shares->last_user != user && now_usec - shares->last_usec < SHARED_USEC)
		shares->shared_usec = now_usec;
	shares->last = share;
	shares->last_user = user;
	shares->last_usec = now_usec;
}

void loop_share_next_round(struct loop_share *share)
{
	share->n_issued = 0;
	share->kept_back = false;
}

void loop_share_took(struct loop_share *share, int64_t usec, int64_t now_usec)
{
	if (share->due_usec < now_usec - SAVED_USEC)
		share->due_usec = now_usec - SAVED_USEC;
	share->due_usec += 2 * usec;
	if (share->due_usec > now_usec + SAVED_USEC)
		share->due_usec = now_usec + SAVED_USEC;
}

int64_t loop_share_due_usec(const struct loop_share *share)
{
	return share->kept_back ? due_usec(share) : DEADLINE_NEVER;
}
