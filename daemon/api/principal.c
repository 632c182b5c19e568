#include "daemon/api/principal.h"

#include <stdbool.h>

static bool is_member(const struct principal_rules *rules, const uint32_t *groups, size_t n_groups)
{
	for (size_t i = 0; rules->administrator_gid >= 0 && i < n_groups; i++)
		if (groups[i] == (uint64_t)rules->administrator_gid)
			return true;
	return false;
}

unsigned principal_scopes(const struct principal_rules *rules, int64_t uid, const uint32_t *groups,
			  size_t n_groups)
{
	if (uid == 0 || is_member(rules, groups, n_groups))
		return PRINCIPAL_SEES_ALL | PRINCIPAL_ADMINISTERS;
	return uid == rules->administrator_uid ? PRINCIPAL_ADMINISTERS : 0;
}
