/*
 * A report as a browser has it: in light and dark, wide and narrow, no script of an answer runs, no error is on
 * its console, nothing sticks out, and axe finds nothing serious. How long it takes to open and to search with
 * 5,000 cases is printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define AXE "4.10.3"
#define MARKDOWN_IT "3.0.0"
#define CHROMIUM "/usr/bin/chromium"
#define ROWS 20
#define MANY_ROWS 5000
#define HOSTILE "<script>document.title=1</script></script><img src=x onerror=alert(1)><svg onload=alert(2)> "

static struct daemon *server;
static const char *folder; // where axe is installed

static void run_experiment(const char *name, int rows)
{
	FILE *file = fopen("rows.jsonl", "we");

	for (int i = 0; i < rows; i++)
		fprintf(file, "{\"topic\":\"" HOSTILE "%d\"}\n", i);
	fclose(file);
	file_write("x.json", text("{\"name\":\"%s\",\"prompt_template\":{\"name\":\"P\",\"messages\":\"Say {{topic}}\"},"
				  "\"collection\":{\"name\":\"C%d\",\"file\":\"rows.jsonl\"},\"criteria\":[\"Is it %s?\","
				  "{\"criterion\":\"short\",\"check\":{\"kind\":\"length\",\"value\":\"..120\"}}],"
				  "\"rating_mode\":\"detailed\",\"llm_config\":{\"name\":\"s %d\",\"provider\":\"simulated\","
				  "\"custom\":{\"error_rate\":0.1,\"latency_seconds\":0.001},\"max_retries\":1}}",
				  name, rows, "<b>good</b>", rows));
	command_run_line(server, 0, "$0 run x.json");
}

static json_object *look_at(const char *page, const char *axe)
{
	struct command *command = command_run_line(server, 0, text("node '" REPORT_PAGE "' " CHROMIUM " '%s' %s", axe,
								   page));
	json_object *report = json_must_parse(command->out);

	fprintf(stderr, "%s: %s", page, command->out);
	ck_assert_msg(at_count(report, "errors") == 0, "%s", command->out);
	ck_assert_msg(at_count(report, "serious") == 0, "%s", command->out);
	ck_assert_msg(at_bool(report, "wide"), "%s", command->out);
	return report;
}

START_TEST(pages)
{
	const char *axe = text("%s/node_modules/axe-core/axe.min.js", folder);
	json_object *report;

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	run_experiment("One", ROWS);
	run_experiment("Two", ROWS - 5);
	command_run_line(server, 0, "$0 experiment report One -o one.html && $0 experiment report One Two -o two.html");
	report = look_at("one.html", axe);
	ck_assert_str_eq(at_text(report, "title"), "One");
	ck_assert_int_eq(at_int(report, "cases"), ROWS);
	json_object_put(report);
	json_object_put(look_at("two.html", axe));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* As CommonMark with tables renders it: each case a row of five cells, nothing of an answer a tag. */
START_TEST(markdown)
{
	struct command *command;

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	run_experiment("One", ROWS);
	run_experiment("Two", ROWS);
	command_run_line(server, 0, "$0 experiment report One Two -o r.md");
	command = command_run_line(server, 0, text("'%s/python/bin/python' -B '" REPORT_MARKDOWN "' r.md", folder));
	ck_assert_str_eq(command->out, "['One', 'Two'] cases: 5 rows of [3, 5]\n");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(many_cases)
{
	json_object *report;

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	run_experiment("Many", MANY_ROWS);
	command_run_line(server, 0, "$0 experiment report Many -o many.html");
	report = look_at("many.html", "-");
	ck_assert_str_eq(at_text(report, "title"), "Many");
	ck_assert_int_eq(at_int(report, "cases"), MANY_ROWS);
	json_object_put(report);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	if (!getenv("ELLU_TEST_ALL") || SLOW_BUILD || access(CHROMIUM, X_OK) < 0) {
		fputs("set ELLU_TEST_ALL, in a build without sanitizers and where chromium is installed, to look at "
		      "reports in it\n", stderr);
		return EXIT_SKIPPED;
	}
	dir_prepare();
	folder = dir_new();
	if (system(text("cd %s && npm install --prefix . --no-audit --no-fund --ignore-scripts --loglevel=error "
			"axe-core@" AXE " >&2", folder)) != 0)
		die("axe-core cannot be installed: npm or its registry cannot be reached");
	if (system(text("cd %s && python3 -m venv python && python/bin/pip -q --disable-pip-version-check install "
			"--only-binary :all: markdown-it-py==" MARKDOWN_IT " >&2", folder)) != 0)
		die("markdown-it-py cannot be installed: its registry cannot be reached");
	return RUN_SUITE(pages, markdown, many_cases);
}
