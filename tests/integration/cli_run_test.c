/* What `elluminate run` does with a file and its rows. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define ASSERT_SAYS(output, wanted) \
	ck_assert_msg(strstr(output, wanted), "no %s in: %s", wanted, output)

static struct daemon *server;
static struct wire *wire;
static const char *folder;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	folder = dir_new();
}

/* An experiment file; `more` as in quoted(). Its path. */
static const char *make_file(const char *name, const char *more)
{
	const char *path = dir_path(folder, name);

	file_write(path, quoted("{'name':'E','prompt_template':{'name':'T','messages':'About {{topic}}.'}%s}",
				more));
	return path;
}

/* A file of rows "topic": "NAME 0", "NAME 1", ... */
static void make_rows(const char *name, unsigned n)
{
	FILE *out = fopen(dir_path(folder, text("%s.csv", name)), "we");

	fputs("topic\n", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "%s %u\n", name, i);
	fclose(out);
}

/* The rows of the collection C are all those of that file. */
static bool holds_rows_of(const char *name, unsigned n)
{
	json_object *page = wire_call(wire, "ListTemplateVariables",
				      "{'collection':{'name':'C'},'limit':1,'count':true}");

	return at_int(page, "count") == n &&
	       strcmp(at_text(page, "items.0.input_values.topic"), text("%s 0", name)) == 0;
}

/* ---- Rows ---- */

START_TEST(interrupted_upload_leaves_the_old_rows)
{
	const char *file;
	struct command *run;

	begin();
	make_rows("old", 3);
	COMMAND(server, 0, "run", make_file("old.json", ",\"collection\":{\"name\":\"C\",\"file\":\"old.csv\"}"));
	make_rows("new", 60000);
	file = make_file("new.json", ",\"collection\":{\"name\":\"C\",\"file\":\"new.csv\"}");
	run = command_start_on_terminal(server, 80, 24, (const char *[]) { "run", file, "--detach", NULL });
	command_await(run, "rows uploaded");
	command_signal(run, SIGINT);
	command_end(run);
	ck_assert(holds_rows_of("old", 3) || holds_rows_of("new", 60000));
	COMMAND(server, 0, "run", file, "--detach", "--limit", "1");
	ck_assert(holds_rows_of("new", 60000));
}
END_TEST

START_TEST(two_uploads_at_once)
{
	const char *one, *other;
	struct command *a, *b;

	begin();
	make_rows("one", 4001);
	make_rows("other", 5003);
	one = make_file("one.json", ",\"collection\":{\"name\":\"C\",\"file\":\"one.csv\"}");
	other = make_file("other.json", ",\"collection\":{\"name\":\"C\",\"file\":\"other.csv\"}");
	for (int i = 0; i < 3; i++) {
		a = command_start(server, (const char *[]) { "run", one, "--new", "--limit", "1", NULL });
		b = command_start(server, (const char *[]) { "run", other, "--new", "--limit", "1", NULL });
		ck_assert_int_eq(command_end(a), 0);
		ck_assert_int_eq(command_end(b), 0);
		ck_assert(holds_rows_of("one", 4001) || holds_rows_of("other", 5003));
	}
}
END_TEST

int main(void)
{
	return RUN_SUITE(interrupted_upload_leaves_the_old_rows, two_uploads_at_once);
}
