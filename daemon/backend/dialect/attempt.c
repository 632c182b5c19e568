#include "daemon/backend/dialect/attempt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "elluminate-types.h"
#include "proto/text/utf8.h"

static void decide(struct attempt *attempt, enum attempt_class class, int code)
{
	attempt->class = class;
	attempt->code = code;
}

void attempt_classify(struct attempt *attempt)
{
	if (attempt->hint == HINT_QUOTA || attempt->hint == HINT_MODEL) {
		decide(attempt, ATTEMPT_CONFIG, ELLU_E_BACKEND_REJECTED);
		return;
	}
	if (attempt->hint == HINT_KEY) {
		decide(attempt, ATTEMPT_CONFIG, ELLU_E_BACKEND_AUTHENTICATION);
		return;
	}
	/* Some providers refuse content, and not the key, by a 403. */
	if (attempt->hint == HINT_CONTENT) {
		decide(attempt, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED);
		return;
	}
	switch (attempt->status) {
	case 429:
	case 529:
		decide(attempt, ATTEMPT_WAIT, ELLU_E_BACKEND_UNAVAILABLE);
		return;
	case 503:
		decide(attempt, attempt->wait_usec >= 0 ? ATTEMPT_WAIT : ATTEMPT_RETRY,
		       ELLU_E_BACKEND_UNAVAILABLE);
		return;
	case 408:
	case 409:
	case 424:
	case 425:
		decide(attempt, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE);
		return;
	case 400:
	case 413:
	case 422:
		decide(attempt, ATTEMPT_ITEM, ELLU_E_BACKEND_REJECTED);
		return;
	case 401:
	case 403:
		decide(attempt, ATTEMPT_CONFIG, ELLU_E_BACKEND_AUTHENTICATION);
		return;
	default:
		break;
	}
	if (attempt->status >= 300 && attempt->status < 500)
		decide(attempt, ATTEMPT_CONFIG, ELLU_E_BACKEND_REJECTED);
	else
		decide(attempt, ATTEMPT_RETRY, ELLU_E_BACKEND_UNAVAILABLE);
}

__attribute__((format(printf, 2, 0))) static void say(struct attempt *attempt, const char *format,
						       va_list arguments)
{
	int size = vsnprintf(attempt->message, sizeof(attempt->message), format, arguments);

	if (size >= (int)sizeof(attempt->message))
		attempt->message[utf8_cut(attempt->message, sizeof(attempt->message),
					  sizeof(attempt->message) - 1)] = '\0';
	/* A header may hold anything. */
	if (!utf8_valid(attempt->message, strlen(attempt->message), NULL))
		for (char *c = attempt->message; *c; c++)
			*c = (unsigned char)*c < 0x80 ? *c : '?';
}

void attempt_too_large(struct attempt *attempt, int64_t limit, const char *format, ...)
{
	va_list arguments;

	decide(attempt, ATTEMPT_ITEM, ELLU_E_TOO_LARGE);
	attempt->limit = limit;
	va_start(arguments, format);
	say(attempt, format, arguments);
	va_end(arguments);
}

void attempt_fail(struct attempt *attempt, enum attempt_class class, const char *format, ...)
{
	va_list arguments;

	decide(attempt, class,
	       class == ATTEMPT_ITEM || class == ATTEMPT_CONFIG ? ELLU_E_BACKEND_REJECTED :
								  ELLU_E_BACKEND_UNAVAILABLE);
	va_start(arguments, format);
	say(attempt, format, arguments);
	va_end(arguments);
}

int64_t attempt_wait_usec(const char *duration)
{
	char *end;
	double seconds = strtod(duration, &end);

	if (end == duration || strcmp(end, "s") != 0 || !(seconds >= 0))
		return -1;
	return seconds * USEC_PER_SEC < (double)ATTEMPT_WAIT_MAX_USEC ?
		       (int64_t)(seconds * USEC_PER_SEC) : ATTEMPT_WAIT_MAX_USEC;
}
