#include "proto/fault/error_info.h"

#include <string.h>

const struct error_info *error_find(int code)
{
	for (size_t i = 0; i < n_error_infos; i++)
		if (error_infos[i].code == code)
			return &error_infos[i];
	return NULL;
}

const struct error_info *error_find_name(const char *name)
{
	bool qualified = strchr(name, '.') != NULL;

	for (size_t i = 0; i < n_error_infos; i++)
		if (strcmp(qualified ? error_infos[i].qualified_name : error_infos[i].name, name) == 0)
			return &error_infos[i];
	return NULL;
}
