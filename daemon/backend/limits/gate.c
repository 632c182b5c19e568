#include "daemon/backend/limits/gate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/text/utf8.h"

void gate_close(struct gate *gate, struct deadlines *deadlines, int64_t until_usec,
		const char *format, ...)
{
	va_list arguments;
	int size;

	if (!gate->until.place || gate->until.usec < until_usec)
		deadline_set(deadlines, &gate->until, until_usec);
	va_start(arguments, format);
	size = vsnprintf(gate->why, sizeof(gate->why), format, arguments);
	va_end(arguments);
	if (size >= (int)sizeof(gate->why))
		gate->why[utf8_cut(gate->why, sizeof(gate->why), sizeof(gate->why) - 1)] = '\0';
}

bool gate_is_closed(const struct gate *gate)
{
	return gate->until.place != 0;
}

int64_t gate_left_usec(const struct gate *gate, int64_t now_usec)
{
	return gate_is_closed(gate) && gate->until.usec > now_usec ? gate->until.usec - now_usec : 0;
}

const struct gate *gate_later(const struct gate *a, const struct gate *b)
{
	if (!a || !b)
		return a ? a : b;
	return gate_is_closed(b) && (!gate_is_closed(a) || b->until.usec > a->until.usec) ? b : a;
}
