/*
 * elluminate-idl MODE OUT FILE...: writes one generated file from the interface files.
 *
 * OUT appears only when it is complete, and is left alone when it would be the same.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/idl/model.h"

static const struct {
	const char *name;
	void (*emit)(FILE *out, const struct idl_model *model);
} modes[] = {
	{ "--types", emit_types },
	{ "--interface-header", emit_interface_header },
	{ "--interface-source", emit_interface_source },
	{ "--client-header", emit_client_header },
	{ "--model", emit_model },
	{ "--text", emit_text },
	{ "--schema", emit_schema },
	{ "--schema-source", emit_schema_source },
	{ "--manual", emit_manual },
	{ "--experiment-page", emit_experiment_page },
};

static bool is_same(const char *path, const char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t i = 0;
	int c = EOF;

	while (file && (c = fgetc(file)) != EOF && i < size && (char) c == text[i])
		i++;
	if (file)
		fclose(file);
	return file && c == EOF && i == size;
}

static int write_file(const char *path, const char *text, size_t size)
{
	char temporary[4096];

	if (is_same(path, text, size))
		return 0;
	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int) sizeof(temporary))
		return -1;

	FILE *out = fopen(temporary, "we");
	if (!out)
		return -1;

	size_t written = fwrite(text, 1, size, out);
	if (fclose(out) != 0 || written != size || rename(temporary, path) != 0) {
		remove(temporary);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct idl_model model = { 0 };
	char *text = NULL;
	size_t size = 0, mode = 0;

	while (argc > 3 && mode < sizeof(modes) / sizeof(modes[0]) &&
	       strcmp(modes[mode].name, argv[1]) != 0)
		mode++;
	if (argc < 4 || mode == sizeof(modes) / sizeof(modes[0])) {
		fprintf(stderr, "Usage: elluminate-idl MODE OUT FILE...\n");
		return EXIT_FAILURE;
	}
	idl_parse(&model, argv + 3, (size_t) argc - 3);

	FILE *out = open_memstream(&text, &size);
	if (!out)
		return EXIT_FAILURE;
	modes[mode].emit(out, &model);
	if (fclose(out) != 0 || write_file(argv[2], text, size) < 0) {
		fprintf(stderr, "%s: cannot be written\n", argv[2]);
		return EXIT_FAILURE;
	}
	free(text);
	return EXIT_SUCCESS;
}
