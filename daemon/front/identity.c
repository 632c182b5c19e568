#include "daemon/front/identity.h"

static bool is_member(const struct identity_rules *rules, const uint32_t *groups, size_t n_groups)
{
	for (size_t i = 0; rules->administrator_gid >= 0 && i < n_groups; i++)
		if (groups[i] == (uint64_t)rules->administrator_gid)
			return true;
	return false;
}

struct identity identity_of(const struct identity_rules *rules, int64_t uid, const uint32_t *groups,
			    size_t n_groups)
{
	bool all = uid == 0 || is_member(rules, groups, n_groups);

	return (struct identity){ .uid = uid,
				  .all = all,
				  .administrator = all || uid == rules->administrator_uid };
}
