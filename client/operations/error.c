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
	const struct error_info *info = error_find(code);
	const char *text = info ? info->text : strerrordesc_np(-code);

	if (code >= 0)
		return "Success.";
	return text ? text : "Unknown error";
}

int ellu_error_code(const struct ellu_error *error)
{
	const struct error_info *info = error ? error_find_name(error->code) : NULL;
	int code = 1;

	if (!error || info)
		return error ? info->code : 0;
	while (code < ERRNO_END && strcmp(strerrorname_np(code) ?: "", error->code) != 0)
		code++;
	return code < ERRNO_END ? -code : -EREMOTEIO;
}

int ellu_error_exit_status(int code)
{
	const struct error_info *info;

	if (code >= 0)
		return 0;
	info = error_find(code);
	if (info)
		return info->exit_status;
	return code == -ENOENT || code == -ECONNREFUSED || code == -ECONNRESET ||
			       code == -ENOTCONN || code == -EPROTO || code == -ETIMEDOUT ?
		       EXIT_STATUS_UNREACHABLE : EXIT_STATUS_LOCAL;
}

int ellu_may_have_happened(int code)
{
	return code == -ECONNRESET || code == -EPROTO || code == -ETIMEDOUT ||
	       code == -ECANCELED || code == -ENOMEM;
}
