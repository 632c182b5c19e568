#include "tests/integration/run_files.h"

#include <stdio.h>
#include <string.h>

struct daemon *server;
struct wire *wire;
const char *folder;

void begin_runs(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	folder = dir_new();
}

const char *make_file(const char *name, const char *more)
{
	const char *path = dir_path(folder, name);

	file_write(path, quoted("{'name':'E','prompt_template':{'name':'T','messages':'About {{topic}}.'}%s}",
				more));
	return path;
}

void make_rows(const char *name, unsigned n)
{
	FILE *out = fopen(dir_path(folder, text("%s.csv", name)), "we");

	fputs("topic\n", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s %u\n", name, i);
	fclose(out);
}

bool holds_rows_of(const char *name, unsigned n)
{
	json_object *page = wire_call(wire, "ListTemplateVariables",
				      "{'collection':{'name':'C'},'limit':1,'count':true}");

	return at_int(page, "count") == n &&
	       strcmp(at_text(page, "items.0.input_values.topic"), text("%s 0", name)) == 0;
}
