/* Prints the path of the socket that the library would take. */
#include <stdio.h>
#include <stdlib.h>

#include "client/elluminate.h"

int main(void)
{
	char *path;

	if (ellu_address_path(NULL, &path) < 0) {
		puts("nowhere");
		return 0;
	}
	puts(path);
	free(path);
	return 0;
}
