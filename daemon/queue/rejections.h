/*
 * How often each user was rejected lately. Rejected tasks are stored, so a client that goes on and
 * on would fill the disk: after so many within a minute nothing more is taken from its user until
 * the minute has room again. Users who have not been rejected for a minute cost nothing.
 */
#pragma once

#include <stdint.h>

#define REJECTIONS_MAX 100
#define REJECTIONS_USEC INT64_C(60000000)

struct rejections;

int rejections_new(struct rejections **ret_rejections);
struct rejections *rejections_free(struct rejections *rejections);

/* `now_usec` is monotonic, here and below. Without memory it is not counted. */
void rejections_add(struct rejections *rejections, int64_t uid, int64_t now_usec);
/* How long until there is room; 0: there is. */
int64_t rejections_wait_usec(struct rejections *rejections, int64_t uid, int64_t now_usec);
