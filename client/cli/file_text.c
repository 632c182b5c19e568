#include "client/cli/file_text.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BYTES 65536

int file_text_read(FILE *in, size_t limit, char **ret_text, size_t *ret_size)
{
	size_t capacity = FIRST_BYTES, size = 0;
	char *text = malloc(capacity), *larger = text;
	int r = text ? 0 : -ENOMEM;

	errno = 0;
	while (r == 0 && !feof(in)) {
		if (size + 1 == capacity) {
			larger = realloc(text, capacity *= 2);
			text = larger ? larger : text;
		}
		if (larger)
			size += fread(text + size, 1, capacity - size - 1, in);
		if (!larger)
			r = -ENOMEM;
		else if (ferror(in))
			r = errno ? -errno : -EIO;
		else if (size > limit)
			r = -EFBIG;
	}
	if (r < 0) {
		free(text);
		return r;
	}
	text[size] = '\0';
	*ret_text = text;
	*ret_size = size;
	return 0;
}
