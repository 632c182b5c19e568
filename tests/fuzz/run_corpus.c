/*
 * The main() of a fuzz target where there is no fuzzer: runs the files of the folders that it is
 * given once, each also cut short at many places.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	rewind(file);
	data = malloc((size_t) size + 1);
	if (!data || fread(data, 1, (size_t) size, file) != (size_t) size)
		exit(EXIT_FAILURE);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t) size);
	for (size_t cut = 0; cut < (size_t) size; cut += 1 + (size_t) size / 64)
		LLVMFuzzerTestOneInput(data, cut);
	free(data);
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		const struct dirent *entry;
		char path[4096];

		if (!folder) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		while ((entry = readdir(folder))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			run_file(path);
			n++;
		}
		closedir(folder);
	}
	printf("%d files\n", n);
	return n == 0;
}
