#include "proto/content/custom_template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/generated/interface.h"
#include "proto/record/record.h"

char *custom_place_of(const char *text, struct arena *arena)
{
	size_t size = strlen(text);

	if (size < 5 || strncmp(text, "{{", 2) != 0 || strcmp(text + size - 2, "}}") != 0)
		return NULL;
	return arena_strndup(arena, text + 2, size - 4);
}

bool custom_place_is_known(const char *name)
{
	static const char *const names[] = { "messages", "prompt", "model", "tools", "tool_choice",
					     "schema", CUSTOM_KEY };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strcmp(name, "max_connections") != 0 &&
	       record_field_find(&ellu_generation_params_type, name);
}

bool custom_has_place(const char *body, const char *name)
{
	char place[64];

	snprintf(place, sizeof(place), "\"{{%s}}\"", name);
	return strstr(body, place);
}

/* `~1` is a slash, `~0` itself. */
static bool decode(char *step)
{
	char *to = step;

	for (; *step; step++) {
		if (*step == '~' && step[1] != '0' && step[1] != '1')
			return false;
		*to++ = *step != '~' ? *step : *++step == '1' ? '/' : '~';
	}
	*to = '\0';
	return true;
}

int custom_path_take(const char *pointer, struct arena *arena, const char *const **ret_steps,
		     size_t *ret_n_steps)
{
	const char **steps = arena_array(arena, CUSTOM_STEPS_MAX, sizeof(*steps));
	char *copy = arena_strdup(arena, pointer), *next;
	size_t n = 0;

	if (!steps || !copy)
		return -ENOMEM;
	if (*copy && *copy != '/')
		return -EINVAL;
	for (char *at = *copy ? copy + 1 : NULL; at; at = next) {
		next = strchr(at, '/');
		if (next)
			*next++ = '\0';
		if (n == CUSTOM_STEPS_MAX || !decode(at))
			return -EINVAL;
		steps[n++] = at;
	}
	*ret_steps = steps;
	*ret_n_steps = n;
	return 0;
}
