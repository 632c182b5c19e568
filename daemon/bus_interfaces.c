/* Writes what is installed for programs that want the D-Bus interfaces before they call: each as
 * introspection answers it, in a file of its name in FOLDER. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/front/bus/bus.h"
#include "proto/wire/bus_name.h"

int main(int argc, char **argv)
{
	static const char *const names[] = { BUS_MANAGER, BUS_TASK };

	for (size_t i = 0; argc == 2 && i < sizeof(names) / sizeof(names[0]); i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.xml", argv[1], names[i]);
		file = fopen(path, "we");
		if (!file) {
			perror(path);
			return EXIT_FAILURE;
		}
		fputs(BUS_DOCTYPE "<node>\n", file);
		bus_write_interface(file, names[i]);
		fputs("</node>\n", file);
		if (fclose(file) != 0) {
			perror(path);
			return EXIT_FAILURE;
		}
	}
	return argc == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
