/*
 * What of the loop's time one user's calls take. Beside others he has half of it at most, and
 * issues a few calls at a time: who wants little waits neither until hundreds of another's are
 * sent, nor for what another's endpoint answers as fast as it can. Alone he has all of it. Where what
 * is under way takes more than half by itself, a call of his goes now and then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of a user's own endpoints, or of those that all users share. */
struct loop_share {
	int64_t due_usec; // he has had no more than half until then
	int64_t issued_usec; // his last call
	int n_issued; // in this round
	bool kept_back; // a call of his waits for that time, or for the next round
};

struct loop_shares {
	const struct loop_share *last; // of the call that was issued last; is not looked at
	int64_t last_user; // whose it was
	int64_t last_usec;
	int64_t shared_usec; // when it was of another user and share than the one shortly before
};

/* Whether a call may be issued now. */
bool loop_share_allows(const struct loop_shares *shares, struct loop_share *share, int64_t now_usec);
void loop_share_issued(struct loop_shares *shares, struct loop_share *share, int64_t user, int64_t now_usec);
void loop_share_next_round(struct loop_share *share);
/* His calls took so long. */
void loop_share_took(struct loop_share *share, int64_t usec, int64_t now_usec);
/* When a call that was kept back may be issued, or DEADLINE_NEVER. */
int64_t loop_share_due_usec(const struct loop_share *share);
