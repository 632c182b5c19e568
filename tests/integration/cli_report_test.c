/* `elluminate experiment report`, read back by other programs, and what makes `elluminate run` fail. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define ROWS 12
#define EPOCHS 2

/* What would run, or break out, if it were not escaped. */
#define HOSTILE "<script>alert(1)</script></pre><img src=x onerror=alert(1)> ]]> | \\\"quoted\\\" "

static struct daemon *server;

/* Two experiments over the same rows, whose text comes back in prompts and values. */
static void begin(void)
{
	static const char form[] =
		"{\"name\":\"%s\",\"prompt_template\":{\"name\":\"%s\",\"messages\":\"%s {{topic}}\"},"
		"\"collection\":{\"name\":\"Rows\",\"file\":\"rows.jsonl\"},"
		"\"criteria\":[\"Is it <b>short</b>?\",\"Is it about {{topic}}?\"],"
		"\"llm_config\":{\"name\":\"s\",\"provider\":\"simulated\"},\"n_epochs\":2}";
	FILE *rows;
	char text[1024];

	server = daemon_start(NULL);
	ck_assert_int_eq(chdir(dir_new()), 0);
	rows = fopen("rows.jsonl", "w");
	for (int i = 0; i < ROWS; i++)
		fprintf(rows, "{\"topic\":\"" HOSTILE "%d\"}\n", i);
	fclose(rows);
	snprintf(text, sizeof(text), form, "First <one>", "A", "Write about");
	file_write("first.json", text);
	snprintf(text, sizeof(text), form, "Second", "B", "Please write about");
	file_write("second.json", text);
	command_run_line(server, 0, "$0 run first.json && $0 run second.json");
}

struct row {
	const char *line, *says;
	int status;
};

/* What is not installed reads nothing back. */
static bool is_there(const char *line)
{
	static const char *const programs[] = { "python3", "xmllint" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strncmp(line, programs[i], strlen(programs[i])) == 0)
			return access(text("/usr/bin/%s", programs[i]), X_OK) == 0;
	return true;
}

static void run_rows(const struct row *rows, size_t n)
{

	for (size_t i = 0; i < n; i++) {
		const struct command *said;

		if (!is_there(rows[i].line))
			continue;
		said = command_run_line(server, rows[i].status, rows[i].line);

		ck_assert_msg(strstr(said->out, rows[i].says), "%s says %s%s", rows[i].line, said->out, said->err);
	}
}
#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* Another program than ours reads each form. */
START_TEST(forms)
{
	static const struct row rows[] = {
		{ "$0 experiment report 'First <one>' Second -o r.html && $0 experiment report 1 2 -o r.xml && "
		  "$0 experiment report 1 2 -o r.csv && $0 experiment report 1 2 -o r.json && "
		  "$0 experiment report 1 2 -o r.md && echo all", "all\n", 0 },
		/* A tag that is not the page's own would be counted. */
		{ "python3 -c '\nimport html.parser, sys\n"
		  "tags = {}\n"
		  "class Reader(html.parser.HTMLParser):\n"
		  "    def handle_starttag(self, tag, attributes):\n"
		  "        tags[tag] = tags.get(tag, 0) + 1\n"
		  "        assert not any(name.startswith(\"on\") or name == \"style\" for name, _ in attributes)\n"
		  "page = open(\"r.html\").read()\n"
		  "Reader().feed(page)\n"
		  "print(tags[\"script\"], tags[\"style\"], tags.get(\"img\"), tags[\"details\"] >= 48, \"alert(1)\" in page)\n"
		  "assert \"http\" not in page.replace(\"http-equiv\", \"\")'", "1 1 None True True\n", 0 },
		{ "python3 -c '\nimport xml.etree.ElementTree as t\n"
		  "for suite in t.parse(\"r.xml\").getroot():\n"
		  "    kinds = [len(suite.findall(\"testcase/\" + kind)) for kind in (\"failure\", \"error\", \"skipped\")]\n"
		  "    said = [int(suite.get(name)) for name in (\"failures\", \"errors\", \"skipped\")]\n"
		  "    print(suite.tag, len(suite) == int(suite.get(\"tests\")) == 24, kinds == said, suite.get(\"name\"))'",
		  "testsuite True True First <one>\ntestsuite True True Second\n", 0 },
		{ "xmllint --noout --schema " JUNIT_SCHEMA " r.xml 2>&1", "r.xml validates\n", 0 },
		{ "python3 -c '\nimport csv\nrows = list(csv.DictReader(open(\"r.csv\")))\n"
		  "print(len(rows), {len(row) for row in rows}, {row[\"outcome\"] for row in rows} <= {\"met\", \"not met\"})'",
		  "48 {12} True\n", 0 },
		{ "python3 -c '\nimport json\nreport = json.load(open(\"r.json\"))\n"
		  "first = report[\"experiments\"][0]\n"
		  "met = sum(case[\"outcome\"] == \"met\" for case in first[\"cases\"])\n"
		  "rate = first[\"experiment\"][\"results\"][\"success_rate\"][\"value\"]\n"
		  "print(len(first[\"cases\"]), abs(met / 24 - rate) < 1e-9,\n"
		  "      report[\"comparisons\"][0][\"success_rate\"][\"rows\"],\n"
		  "      [c[\"difference\"][\"rows\"] for c in report[\"comparisons\"][0][\"criteria\"]])'",
		  "24 True 12 [12, 12]\n", 0 },
		{ "grep -c '<script\\|<img' r.md", "0\n", 1 },
		{ "grep '^## ' r.md", "## First &lt;one&gt;\n## Second\n", 0 },
		{ "$0 experiment report 1 --limit 1 --format csv | grep -c ^1,", "2\n", 0 }, // of each outcome
		{ "$0 experiment report 1 | head -n 1", "## First &lt;one&gt;\n", 0 },
	};

	begin();
	RUN_ROWS(rows);
}
END_TEST

/* Each page has its own nonce. */
#define SAME_PAGE "sed 's/nonce[-=][0-9a-f]*//g' >same && sed 's/nonce[-=][0-9a-f]*//g' r.html | cmp - same && echo alike"

/* A run's own results are the same report. */
START_TEST(of_runs)
{
	static const struct row rows[] = {
		{ "$0 run first.json 2>/dev/null -o r.html && $0 experiment report 1 --format html | " SAME_PAGE, "alike\n", 0 },
		{ "$0 run first.json --format junit -o r.txt 2>/dev/null; $0 experiment report 1 -o r.xml && cmp r.txt r.xml && "
		  "echo alike", "alike\n", 0 },
		{ "$0 run first.json -o gated.xml --fail-under criterion=short:100.0% 2>/dev/null; echo $?; grep -c '<testsuite ' "
		  "gated.xml", "1\n1\n", 0 },
		{ "$0 run first.json second.json -o r.html 2>/dev/null; $0 experiment report 1 2 --format html | " SAME_PAGE,
		  "alike\n", 0 },
		{ "$0 run first.json first.json -o t.xml 2>/dev/null; grep -c '<testsuite ' t.xml", "1\n", 0 },
		{ "$0 run first.json --detach -o r.xml 2>&1", "r.xml: there is no result with --detach\n", 2 },
		{ "$0 run first.json --dry-run --format html 2>&1", "html: there is no result with --dry-run\n", 2 },
		{ "$0 run first.json $(for i in 1 2 3 4 5 6 7 8 9 10; do echo second.json; done) --format html 2>&1",
		  "a report is of at most 10 experiments, and these are 11\n", 2 },
		/* Without results there is no report, not an empty one. */
		{ "sed 's/\"name\":\"s\"/\"name\":\"f\",\"max_retries\":0,\"custom\":{\"error_rate\":1}/; s/Second/Fails/' "
		  "second.json > fails.json; $0 run fails.json --fail-under 100% -o f.xml 2>/dev/null; grep -c '<error' f.xml",
		  "24\n", 0 },
		{ "$0 experiment show 1 --format md | grep -A 1 '^```'", "```\nFirst <one>  (experiment 1, ", 0 },
		{ "$0 run first.json second.json --format md 2>/dev/null | grep -B 1 ^Simulated", "\nSimulated: some of", 0 },
		{ "$0 experiment list -o list.html && head -n 1 list.html", "ID  CASES", 0 }, // what it is called says nothing
	};

	begin();
	RUN_ROWS(rows);
}
END_TEST

START_TEST(refusals)
{
	static const struct row rows[] = {
		{ "$0 experiment report 1 -o r.pdf 2>&1; ls", "expected one of html md junit json csv, or --format\n", 0 },
		{ "$0 experiment report 1 --format table 2>&1", "expected one of html md junit json csv\n", 2 },
		{ "$0 experiment report 99 -o r.html 2>&1", "no experiment with the id 99\n", 27 },
		{ "$0 task list --format html 2>&1", "`elluminate experiment report` writes it\n", 2 },
		{ "$0 experiment create third.json >/dev/null && $0 experiment report Third 2>&1", "has no results yet\n", 2 },
		{ "$0 experiment report 1 -o /dev/full 2>&1", "/dev/full could not be written: No space left on device\n", 71 },
		{ "trap '' XFSZ; ulimit -f 1; $0 experiment report 1 -o r.html 2>&1", "could not be written: File too large\n",
		  71 },
		{ "ls", "first.json\nrows.jsonl\nsecond.json\nthird.json\n", 0 }, // no file is left behind
	};

	begin();
	command_run_line(server, 0, "sed 's/Second/Third/' second.json > third.json");
	RUN_ROWS(rows);
}
END_TEST

/* All rows are as in the first one, or all but one are better or worse. */
START_TEST(gates)
{
	static const struct row rows[] = {
		{ "$0 run second.json --fail-under 0 --fail-under criterion=short:0 2>&1", "95 % INTERVAL", 0 },
		{ "$0 run second.json --fail-under criterion=short:100.0% 2>&1", "a criterion that is to be met by 100 %", 1 },
		{ "$0 run second.json --fail-under 'criterion=Is it about {{topic}}?:1' 2>&1", "Is it about {{topic}}?\n", 1 },
		{ "$0 run second.json --fail-under criterion=it:50% 2>&1", "that one criterion of the experiment has", 2 },
		{ "$0 run second.json --fail-under-low 99% 2>&1", "which is below 99 %", 1 },
		{ "$0 run second.json --fail-under-low 1% 2>&1", "95 % INTERVAL", 0 },
		{ "GITHUB_ACTIONS=true $0 run second.json --fail-under 100% 2>&1",
		  "::error title=elluminate::The success rate is below 100 %.\n", 1 },
		{ "$0 run second.json --fail-on-regression 'First <one>' 2>&1", "of 12 rows that both have decided", 0 },
		{ "$0 run second.json --fail-on-regression nobody 2>&1", "no experiment named 'nobody'\n", 27 },
		{ "$0 run second.json --detach --fail-on-regression 1 2>&1", "--detach excludes", 2 },
		/* A person finds all of the second one's answers wrong. */
		{ "for id in $($0 experiment ratings Second -q); do $0 experiment edit-rating $id NO; done >/dev/null; "
		  "for id in $($0 experiment ratings 1 -q); do $0 experiment edit-rating $id YES; done >/dev/null; "
		  "$0 run second.json --fail-on-regression 1 2>&1",
		  "of 12 rows that both have decided 0 came out better, 12 worse (p = 0.00049)", 1 },
		{ "$0 run first.json --fail-on-regression Second 2>&1", "12 came out better, 0 worse", 0 },
	};

	begin();
	RUN_ROWS(rows);
}
END_TEST

/* By R. J. Connor's formula. */
START_TEST(power)
{
	static const struct row rows[] = {
		{ "$0 power --difference 5% --changed 20% --format csv | tail -n 1", "20,5,626,80\n", 0 },
		{ "$0 power --cases 626 --changed 20% | tail -n 1", "20.0 %     5.0    626     80 %\n", 0 },
		{ "$0 power --difference 10% --power 90% --format csv | head -n 3 | tail -n 1", "10,10,", 0 },
		{ "$0 power --difference 5% --changed 20% --json",
		  "{\"items\":[{\"cases_that_change\":20.0,\"points\":5.0,\"cases\":626,\"seen_in\":80.0}]}\n", 0 },
		{ "$0 power --difference 0.0000000001% --changed 20% --format jsonl", "\"cases\":15697759468", 0 },
		{ "$0 power --cases 200 --format jsonl | grep -c '^{.*}$'", "5\n", 0 },
		{ "$0 power 2>&1", "expected --difference", 2 },
		{ "$0 power --difference 5% --cases 10 2>&1", "expected either", 2 },
		{ "$0 power 1 --difference 5%", "80 %", 0 },
		{ "$0 experiment clone 1 --name Same >clone && $0 experiment run Same >run 2>&1 && "
		  "$0 power 1 Same --difference 5% 2>&1", "No case came out otherwise in the one than in the other", 0 },
		{ "$0 power Nobody --difference 5% 2>&1", "no experiment named", 27 },
	};

	begin();
	RUN_ROWS(rows);
}
END_TEST

int main(void)
{
	return RUN_SUITE(forms, of_runs, refusals, gates, power);
}
