/* Codes and what they mean; the interface's own come from its table. */
#include <errno.h>
#include <string.h>

#include "client/elluminate.h"
#include "proto/wire/method.h"

/* Above every number of the interface: sysexits' EX_UNAVAILABLE and EX_OSERR. */
#define EXIT_STATUS_UNREACHABLE 69
#define EXIT_STATUS_LOCAL 71

#define ERRNO_END 256 // above every errno

const char *ellu_strerror(int code)
{
	const struct error_info *info;
	const char *text;

	if (code >= 0)
		return "Success.";
	info = error_find(code);
	if (info)
		return info->text;
	text = strerrordesc_np(-code);
	return text ? text : "Unknown error";
}

int ellu_error_code(const struct ellu_error *error)
{
	const struct error_info *info = error ? error_find_name(error->code) : NULL;
	const char *name;

	if (!error)
		return 0;
	if (info)
		return info->code;
	for (int i = 1; i < ERRNO_END; i++) {
		name = strerrorname_np(i);
		if (name && strcmp(name, error->code) == 0)
			return -i;
	}
	return -EREMOTEIO;
}

int ellu_error_exit_status(int code)
{
	const struct error_info *info;

	if (code >= 0)
		return 0;
	info = error_find(code);
	if (info)
		return info->exit_status;
	switch (-code) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPROTO:
	case ETIMEDOUT:
		return EXIT_STATUS_UNREACHABLE;
	default:
		return EXIT_STATUS_LOCAL;
	}
}

int ellu_may_have_happened(int code)
{
	switch (code) {
	case -ECONNRESET:
	case -EPROTO:
	case -ETIMEDOUT:
	case -ECANCELED:
	case -ENOMEM:
		return 1;
	default:
		return 0;
	}
}
