#include "daemon/work/conversation/thought.h"

#include <string.h>

#define BEGIN "<think>"
#define END "</think>"

const char *thought_skip(const char *answer)
{
	const char *begin = answer + strspn(answer, " \t\r\n");
	const char *end;

	if (strncmp(begin, BEGIN, strlen(BEGIN)) != 0)
		return answer;
	end = strstr(begin, END);
	return end ? end + strlen(END) : begin + strlen(begin);
}

const char *thought_skip_opened(const char *answer)
{
	const char *rest = thought_skip(answer), *begin = rest + strspn(rest, " \t\r\n");
	const char *end = strchr("{[`", *begin) ? NULL : strstr(begin, END);

	return end ? end + strlen(END) : rest;
}
