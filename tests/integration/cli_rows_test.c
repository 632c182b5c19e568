/* Rows of collections that the command takes from files and writes into them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/run_files.h"

/* ---- Rows ---- */

START_TEST(interrupted_upload_leaves_the_old_rows)
{
	const char *file;
	struct command *run;

	begin_runs();
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

/* One whose first rows are refused ends there, with more of them to come. */
START_TEST(refused_upload_leaves_the_old_rows)
{
	struct command *run;
	FILE *out;

	begin_runs();
	make_rows("old", 3);
	COMMAND(server, 0, "run", make_file("old.json", ",\"collection\":{\"name\":\"C\",\"file\":\"old.csv\"}"));
	out = fopen(dir_path(folder, "new.jsonl"), "we");
	for (int i = 0; i < 2500; i++)
		fprintf(out, "{\"topic\":%d%s}\n", i, i == 3 ? ",\"\":1" : "");
	fclose(out);
	run = COMMAND(server, 23, "run", make_file("new.json", ",\"collection\":{\"name\":\"C\",\"file\":\"new.jsonl\"}"));
	ASSERT_SAYS(run->err, "new.jsonl:4: expected keys of 1 to 200 characters");
	ck_assert(holds_rows_of("old", 3));
}
END_TEST

START_TEST(two_uploads_at_once)
{
	const char *one, *other;
	struct command *a, *b;

	begin_runs();
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

/* Both run on their own rows, whoever came between upload and submission. */
START_TEST(each_run_has_its_own_rows)
{
	const char *one, *other;
	struct command *a, *b;

	begin_runs();
	make_rows("one", 700);
	make_rows("other", 1300);
	one = make_file("one.json", ",\"collection\":{\"name\":\"C\",\"file\":\"one.csv\"}");
	other = make_file("other.json", ",\"collection\":{\"name\":\"C\",\"file\":\"other.csv\"}");
	for (int i = 0; i < 3; i++) {
		a = command_start(server, (const char *[]) { "run", one, "--new", "--json", NULL });
		b = command_start(server, (const char *[]) { "run", other, "--new", "--json", NULL });
		ck_assert_int_eq(command_end(a), 0);
		ck_assert_int_eq(command_end(b), 0);
		ASSERT_SAYS(a->out, "\"total_cases\":700,");
		ASSERT_SAYS(b->out, "\"total_cases\":1300,");
	}
}
END_TEST

/* The version that a run names is the one that it gets, or none. */
START_TEST(another_version_of_the_rows)
{
	json_object *made, *added;

	begin_runs();
	made = wire_call(wire, "CreateCollection", "{'collection':{'name':'V','variables':[{'topic':'a'}]}}");
	added = wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'V'},'variables':[{'topic':'b'}]}");
	ck_assert_int_gt(at_int(added, "version"), at_int(made, "collection.version"));
	wire_refused(wire, "Conflict", "RunExperiment", "{'name':'V','detach':true,'prompt_template':{'content':"
		     "{'name':'V','messages':[{'role':'user','content':'{{topic}}'}]}},"
		     "'collection':{'ref':{'name':'V','version':%lld}}}",
		     (long long)at_int(made, "collection.version"));
	wire_call(wire, "ClearCollection", "{'collection':{'name':'V'}}");
	ck_assert_int_gt(at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'V'}}"),
				"collection.version"), at_int(added, "version"));
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'V'},'variables':[{'topic':'c'}]}");
	wire_call(wire, "RunExperiment", "{'name':'V','detach':true,'prompt_template':{'content':"
		  "{'name':'V','messages':[{'role':'user','content':'{{topic}}'}]}},"
		  "'collection':{'ref':{'name':'V','version':%lld}}}",
		  (long long)at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'V'}}"),
				    "collection.version"));
}
END_TEST

/* ---- Rows from a file and into one ---- */

static const char odd_rows[] =
	"{\"a\":\"plain\",\"b\":1,\"c\":\" blanks \"}\n"
	"{\"a\":\"quo\\\"te, comma\",\"b\":2.5,\"c\":\"line\\nbreak\\r\\nand tab\\t\"}\n"
	"{\"a\":\"\u00fcn\u00ef \u65e5\u672c \",\"b\":null,\"c\":\"\"}\n"
	"{\"a\":\"\",\"b\":[1,{\"x\":\"y\\\"z\"}],\"c\":\"'\"}\n"
	"{\"a\":\"5\",\"b\":\"text\",\"c\":\";\"}\n"
	"{\"a\":\"null\",\"b\":{\"k\":true},\"c\":\"\ufeffmark\"}\n";

static const char read_back[] =
	"import csv, json, sys\n"
	"want = [json.loads(line) for line in open('odd.jsonl', encoding='utf-8')]\n"
	"rows = list(csv.reader(open('out.csv', newline='', encoding='utf-8')))\n"
	"assert rows[0] == ['a', 'b', 'c'], rows[0]\n"
	"assert [{'a': a, 'b': json.loads(b), 'c': c} for a, b, c in rows[1:]] == want, rows\n"
	"assert json.load(open('out.json', encoding='utf-8')) == want\n"
	"assert [json.loads(line) for line in open('out.jsonl', encoding='utf-8')] == want\n";

/* What another program reads there is what was imported. */
static void read_by_python(void)
{
	pid_t child;
	int status;

	if (access("/usr/bin/python3", X_OK) < 0)
		return;
	child = fork();
	if (child == 0) {
		if (chdir(folder) == 0)
			execl("/usr/bin/python3", "python3", "-c", read_back, NULL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(rows_round_trip)
{
	static const char *const files[] = { "out.csv", "out.jsonl", "out.json" };
	const char *odd, *again;

	begin_runs();
	odd = dir_path(folder, "odd.jsonl");
	again = dir_path(folder, "again.jsonl");
	file_write(odd, odd_rows);
	COMMAND(server, 0, "collection", "import", "C", odd);
	for (size_t i = 0; i < 3; i++) {
		const char *file = dir_path(folder, files[i]);

		COMMAND(server, 0, "collection", "export", "C", "-o", file);
		COMMAND(server, 0, "collection", "import", "C", file, "--replace");
		COMMAND(server, 0, "collection", "export", "C", "-o", again);
		ck_assert_str_eq(file_read(again, NULL), odd_rows);
	}
	read_by_python();
	COMMAND(server, 0, "collection", "import", "C", odd, "--deduplicate");
	ck_assert_int_eq(at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'C'}}"),
				"collection.variables_count"), 6);
}
END_TEST

/* The line is told, and nothing of the file is there. */
START_TEST(import_names_the_line)
{
	static const struct {
		const char *file, *content, *says;
	} cases[] = {
		{ "a.csv", "t,chat\nx,\n\"y\nz\",[]\n", "a.csv:3: chat: expected a list of 1 to" },
		{ "b.csv", "chat\nHello\n", "b.csv:2: chat: expected a list of messages as JSON" },
		{ "c.csv", "t,chat\na,b,c\n", "c.csv:2: 3 cells where the header has 2" },
		{ "d.jsonl", "{\"t\":\"a\"}\n\n{\"chat\":[{\"role\":\"poet\"}]}\n",
		  "d.jsonl:3: chat[0].role: expected one of" },
		{ "e.jsonl", "{\"t\":\"a\"}\n{\"t\":}\n", "e.jsonl:2:6: " },
		{ "f.json", "[\n{\"t\":\"a\"},\n\n5]", "f.json:4: expected a JSON object" },
		{ "g.json", "[{\"t\":\"a\"}\n{\"t\":\"b\"}]", "g.json:2: expected a comma" },
		{ "h.json", "[{\"t\":\"a\"}", "h.json:1: expected a comma or a bracket" },
		{ "i.json", "{\"t\":\"a\"}", "i.json:1: expected an array of objects" },
		{ "j.json", "[{\"t\":\"a\"}] 5", "j.json:1: expected nothing behind" },
	};
	struct command *run;

	begin_runs();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *file = dir_path(folder, cases[i].file);
		bool is_refused = strstr(cases[i].says, "1 to") || strstr(cases[i].says, "role");

		file_write(file, cases[i].content);
		run = COMMAND(server, is_refused ? 23 : 2, "collection", "import", "N", file, "--columns",
			      "chat:conversation");
		ASSERT_SAYS(run->err, cases[i].says);
		wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'name':'N'}}");
	}
	run = COMMAND(server, 2, "collection", "import", "N", "-");
	ASSERT_SAYS(run->err, "expected --format csv, jsonl or json");
}
END_TEST

int main(void)
{
	return RUN_SUITE(interrupted_upload_leaves_the_old_rows, refused_upload_leaves_the_old_rows,
			 two_uploads_at_once, each_run_has_its_own_rows,
			 another_version_of_the_rows, rows_round_trip, import_names_the_line);
}
