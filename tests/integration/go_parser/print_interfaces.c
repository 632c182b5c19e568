/* Writes each interface's text, as GetInterfaceDescription answers it, to FOLDER/NAME.varlink. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/wire/method.h"

int main(int argc, char **argv)
{
	for (size_t i = 0; i < n_interfaces; i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.varlink", argc > 1 ? argv[1] : ".",
			 interfaces[i]->name);
		file = fopen(path, "we");
		if (!file || fputs(interfaces[i]->text, file) < 0 || fclose(file) != 0) {
			perror(path);
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
