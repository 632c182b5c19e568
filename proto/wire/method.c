#include "proto/wire/method.h"

#include <string.h>

const struct interface_info *interface_find(const char *name)
{
	for (size_t i = 0; i < n_interfaces; i++)
		if (strcmp(interfaces[i]->name, name) == 0)
			return interfaces[i];
	return NULL;
}

const struct method *method_find(const char *qualified_name)
{
	size_t low = 0, high = n_methods_by_name;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(qualified_name, methods_by_name[middle]->qualified_name);

		if (order == 0)
			return methods_by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool method_needs_request(const struct method *method)
{
	for (size_t i = 0; i < method->request->n_fields; i++)
		if (!(method->request->fields[i].flags & FIELD_NULLABLE))
			return true;
	return false;
}
