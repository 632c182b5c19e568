/* `--output FILE`: when it is there, and in which format. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static const char *folder, *path;

static void begin(const char *name)
{
	server = daemon_start(NULL);
	folder = dir_new();
	path = dir_path(folder, name);
}

static bool count(const char *file, void *n)
{
	(void) file;
	++*(unsigned *) n;
	return true;
}

/* And nothing beside it. */
static void ck_alone(const char *content)
{
	unsigned n = 0;

	ck_assert_str_eq(file_read(path, NULL), content);
	dir_each_file(folder, count, &n);
	ck_assert_uint_eq(n, 1);
}

START_TEST(failure_leaves_it)
{
	struct stat after;

	begin("good");
	file_write(path, "mine");
	ck_assert_int_eq(chmod(path, 0640), 0);
	COMMAND(server, 27, "export", "TYPO", "-o", path);
	ck_alone("mine");
	COMMAND(server, 27, "project", "show", "TYPO", "-o", path);
	ck_alone("mine");
	COMMAND(server, 2, "project", "list", "--format", "html", "-o", path);
	ck_alone("mine");
	COMMAND(server, 27, "task", "watch", "99", "-o", path);
	ck_alone("mine");
	COMMAND(server, 0, "project", "list", "-o", path);
	ck_alone(COMMAND(server, 0, "project", "list")->out);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(after.st_mode & 07777, 0640);
	ck_assert_int_eq(unlink(path), 0);
	COMMAND(server, 27, "export", "TYPO", "-o", path);
	ck_assert_ptr_null(file_read(path, NULL));
}
END_TEST

/* What became of a task is said there, also where it failed. */
START_TEST(a_task_that_failed)
{
	const char *file = dir_path(dir_new(), "e.json");

	begin("said");
	file_write(path, "mine");
	file_write(file, "{\"name\":\"E\",\"prompt_template\":{\"name\":\"T\",\"messages\":\"Say {{x}}.\"},"
			 "\"collection\":{\"name\":\"C\",\"variables\":[{\"x\":1}]},\"llm_config\":{\"name\":\"L\","
			 "\"provider\":\"openai\",\"llm_model_name\":\"m\",\"max_retries\":0,"
			 "\"llm_base_url\":\"http://127.0.0.1:1/v1\"}}");
	COMMAND(server, 10, "run", file, "--json", "-o", path);
	ASSERT_SAYS(file_read(path, NULL), "\"status\":\"FAILURE\"");
}
END_TEST

/* Links are followed, and what is no plain file is written as it is. */
START_TEST(other_places)
{
	const char *link, *wanted;

	begin("real");
	link = dir_path(dir_new(), "link");
	file_write(path, "mine");
	ck_assert_int_eq(symlink(path, link), 0);
	wanted = COMMAND(server, 0, "project", "list")->out;
	COMMAND(server, 0, "project", "list", "-o", link);
	ck_alone(wanted);
	ck_assert_int_eq(readlink(link, (char[8]){ 0 }, 8), 8);
	COMMAND(server, 0, "project", "list", "-o", "/dev/null");
	ck_assert_str_eq(command_run_line(server, 0, "$0 project list -o /dev/stdout | cat")->out, wanted);
	ck_assert_str_eq(COMMAND(server, 0, "project", "list", "-o", "-")->out, wanted);
	command_run_line(server, 0, text("$0 project list -o /dev/stdout > %s", path));
	ck_alone(wanted);
}
END_TEST

/* What another has written to be changed stays theirs. */
START_TEST(of_another)
{
	struct stat after;

	begin("theirs");
	file_write(path, "mine");
	if (chown(path, 65534, 65534) < 0)
		return; // nobody else to give it to
	COMMAND(server, 0, "project", "list", "-o", path);
	command_run_line(server, 0, text("setpriv --bounding-set=-chown $0 criteria list -o %s", path));
	ck_alone(COMMAND(server, 0, "criteria", "list")->out);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(after.st_uid, 65534);
	ck_assert_uint_eq(after.st_gid, 65534);
}
END_TEST

/* Blanks, until it has read some of them. */
static void feed(int in)
{
	char blanks[2 * 4096];

	memset(blanks, ' ', sizeof(blanks));
	ck_assert_int_eq(fcntl(in, F_SETPIPE_SZ, (int) sizeof(blanks) / 2), (int) sizeof(blanks) / 2);
	ck_assert_int_eq(write(in, blanks, sizeof(blanks)), (int) sizeof(blanks));
}

/* Where the file system has no files without a name, kill -9 leaves one. */
static bool has_nameless(void)
{
	const int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* While the command waits for its input. */
START_TEST(interrupted)
{
	const int numbers[] = { SIGINT, SIGTERM, SIGKILL };
	const char *input;
	size_t n;
	int in;

	begin("good");
	n = sizeof(numbers) / sizeof(numbers[0]) - !has_nameless();
	input = dir_path(dir_new(), "input");
	file_write(path, "mine");
	ck_assert_int_eq(mkfifo(input, 0600), 0);
	in = open(input, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(in, 0);
	for (size_t i = 0; i < n; i++) {
		struct command *run = command_start_line(server, text("exec $0 run - -o %s < %s", path, input));

		feed(in);
		command_signal(run, numbers[i]);
		ck_assert_int_eq(command_end(run), 128 + numbers[i]);
		ck_alone("mine");
	}
	close(in);
}
END_TEST

/* What is only followed is worth what came; where nothing did, the file stays. */
START_TEST(watched)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	const char *events;
	struct wire *wire;
	long long id;

	begin("good");
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) { .rows = 1, .url = sim_url(sim) });
	wire_call(wire, "PauseTask", "{'id':%lld}", id);
	file_write(path, "mine");
	for (int json = 0; json < 2; json++) {
		struct command *watch = command_start_on_terminal(server, 80, 24, (const char *[]) {
			"task", "watch", text("%lld", id), "-o", path, json ? "--json" : NULL, NULL });

		command_await(watch, "is paused");
		command_signal(watch, SIGINT);
		ck_assert_int_eq(command_end(watch), 130);
		events = file_read(path, NULL);
		ck_assert_int_eq(strcmp(events, "mine") == 0, !json);
	}
	ck_assert_ptr_nonnull(strstr(events, "user"));
	ck_alone(events);
}
END_TEST

static const char *written(const char *name)
{
	const char *file = dir_path(folder, name);

	COMMAND(server, 0, "project", "list", "-o", file);
	return file_read(file, NULL);
}

START_TEST(name_says_format)
{
	begin("x.csv");
	ck_assert_str_eq(written("x.csv"), COMMAND(server, 0, "project", "list", "--format", "csv")->out);
	ck_assert_str_eq(written("x.json"), COMMAND(server, 0, "project", "list", "--format", "json")->out);
	ck_assert_str_eq(written("x.jsonl"), COMMAND(server, 0, "project", "list", "--format", "jsonl")->out);
	ck_assert_str_eq(written("x.MD"), COMMAND(server, 0, "project", "list", "--format", "md")->out);
	ck_assert_str_eq(written("x.txt"), COMMAND(server, 0, "project", "list")->out);
	COMMAND(server, 0, "project", "list", "--format", "md", "-o", path);
	ck_assert_str_eq(file_read(path, NULL), file_read(dir_path(folder, "x.MD"), NULL));
	COMMAND(server, 0, "project", "list", "--json", "-o", path);
	ck_assert_str_eq(file_read(path, NULL), file_read(dir_path(folder, "x.json"), NULL));
}
END_TEST

/* What is no list: a row of CSV, and in Markdown lines that stay lines. */
START_TEST(results_in_each_format)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "$0 call Hi --format csv 2>/dev/null | head -n 1", "text,tool_calls,finish_reason,model," },
		{ "$0 call Hi --format csv --no-header 2>/dev/null | grep -c ,stop,simulated,", "1\n" },
		{ "$0 embed Hi --dimensions 4 --format csv 2>/dev/null | grep -cE '^[-0-9.e]+(,[-0-9.e]+){3}$'", "1\n" },
		{ "$0 evaluator run Politeness --response No. --format csv 2>/dev/null", "evaluator_id,evaluator_name," },
		{ "$0 evaluator run Politeness --response No. --format md 2>/dev/null", "```\nPoliteness: " },
		{ "$0 status --format md | head -n 2", "```\nDaemon " },
		{ "$0 status --format md | tail -n 1", "```\n" },
		{ "$0 template create T --message 'a\nb {{c}}' >/dev/null; $0 template show T --format md | tail -n 1",
		  "```\n" },
		{ "$0 template render T --variables '{\"c\":\"d\"}' --format md", "```\nuser: a" },
	};

	server = daemon_start(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ASSERT_SAYS(command_run_line(server, 0, rows[i].line)->out, rows[i].says);
}
END_TEST

int main(void)
{
	return RUN_SUITE(failure_leaves_it, a_task_that_failed, other_places, of_another, interrupted, watched, name_says_format,
			 results_in_each_format);
}
