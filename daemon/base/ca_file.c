#include "daemon/base/ca_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "daemon/base/small_file.h"

#define CA_FILE_MAX (1024u * 1024) // the system's own has a quarter of that

int ca_file_read(const char *path, const char *field, struct arena *arena, char **ret_text,
		 size_t *ret_size, struct fault *fault)
{
	int r = small_file_read(AT_FDCWD, path, CA_FILE_MAX, arena, ret_text, ret_size);

	if (r == -ENOMEM)
		return fault_oom(fault);
	if (r < 0)
		return fault_invalid(fault, field,
				     "a regular file of at most %u bytes that can be read; %s: %s",
				     CA_FILE_MAX, path, strerror(-r));
	/* `BEGIN CERTIFICATE`, `BEGIN TRUSTED CERTIFICATE` and so on; no key, for one. */
	if (!strstr(*ret_text, "-----BEGIN ") || !strstr(*ret_text, "CERTIFICATE-----"))
		return fault_invalid(fault, field,
				     "a file of certificates in PEM form, which %s is not", path);
	return 0;
}
