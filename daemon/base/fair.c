#include "daemon/base/fair.h"

#include <assert.h>

static bool is_heavy(int64_t held)
{
	return held > FAIR_FEW;
}

static int64_t share(const struct fair *fair, int64_t held)
{
	int64_t by_others = fair->used - held;
	int64_t left = fair->total - by_others;
	int64_t n = fair->n_heavy - is_heavy(held) + 2;

	if (by_others == 0)
		return left;
	return left > n ? left / n : 1;
}

bool fair_allows(const struct fair *fair, int64_t held)
{
	return fair->used < fair->total && held < fair->limit && held < share(fair, held);
}

void fair_take(struct fair *fair, int64_t *held)
{
	fair->n_heavy -= is_heavy(*held);
	fair->used++;
	++*held;
	fair->n_heavy += is_heavy(*held);
}

void fair_give(struct fair *fair, int64_t *held)
{
	assert(*held > 0);
	fair->n_heavy -= is_heavy(*held);
	fair->used--;
	--*held;
	fair->n_heavy += is_heavy(*held);
}
