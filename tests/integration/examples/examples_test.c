/*
 * Each example of the client library against a real daemon and endpoint: what it prints, and its
 * exit status. With --valgrind as the argument they run under valgrind, which must have nothing
 * to say.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define VALGRIND "/usr/bin/valgrind"
#define WORDS_MAX 8

static bool under_valgrind;
static struct daemon *server;
static struct sim *sim;

static void begin(const char *config, const char *setting)
{
	server = daemon_start(&(struct daemon_options) { .config = config });
	sim = sim_start((const char *[]) { setting, NULL });
}

/* `words`: its name and arguments, ends with NULL. */
static struct command *start(const char *const *words)
{
	const char *path = text("%s/%s", EXAMPLES_FOLDER, words[0]);
	const char *valgrind[WORDS_MAX + 5] = { "--quiet", "--error-exitcode=99",
						"--leak-check=full", path };

	if (!under_valgrind)
		return command_start_program(server, path, words + 1);
	for (size_t i = 1; words[i] && i < WORDS_MAX; i++)
		valgrind[3 + i] = words[i];
	return command_start_program(server, VALGRIND, valgrind);
}
#define START(...) start((const char *const[]) { __VA_ARGS__, NULL })

static const char *end(struct command *example, int status)
{
	int got = command_end(example);

	ck_assert_msg(got == status, "status %d instead of %d: %s%s", got, status, example->out,
		      example->err);
	return example->out;
}
#define RUN(status, ...) end(START(__VA_ARGS__), status)

static unsigned count(const char *said, const char *wanted)
{
	unsigned n = 0;

	while ((said = strstr(said, wanted))) {
		said += strlen(wanted);
		n++;
	}
	return n;
}

START_TEST(one_experiment)
{
	const char *said;

	begin(NULL, "--fixed_answer=YES");
	said = RUN(0, "experiment", sim_url(sim));
	ASSERT_SAYS(said, "task 1 is SUCCESS\n");
	ASSERT_SAYS(said, " %  Is it a haiku of three lines?\n");
	ASSERT_SAYS(said, " %  Is it about {{topic}}?\nsuccess rate ");
	ck_assert_int_eq(sim_stat(sim, "answered"), 9);
	/* Nothing has changed: the same results without another call. */
	ck_assert_str_eq(RUN(0, "experiment", sim_url(sim)), said);
	ck_assert_int_eq(sim_stat(sim, "answered"), 9);
	said = RUN(0, "experiment_async", sim_url(sim));
	ASSERT_SAYS(said, "submitted;");
	ASSERT_SAYS(said, "is SUCCESS\nsuccess rate ");
	/* The simulated model is the default, and says so. */
	ASSERT_SAYS(RUN(0, "experiment"), "(simulated)\n");
	/* Where there is no daemon, each says so. */
	ck_assert_int_eq(daemon_stop(server), 0);
	ck_assert_str_eq(RUN(1, "experiment_async"), "");
}
END_TEST

START_TEST(several_experiments)
{
	const char *said;

	begin(NULL, "--latency_seconds=0.05");
	said = RUN(0, "compare", sim_url(sim));
	ASSERT_SAYS(said, "#   rate  prompt\n1  ");
	ASSERT_SAYS(said, " %  haiku, {{topic}}\n");
	said = RUN(0, "ab_test", sim_url(sim));
	ASSERT_SAYS(said, "      A        B   B - A\n");
	ASSERT_SAYS(said, "  all of them\n");
	said = RUN(0, "many", sim_url(sim));
	ck_assert_uint_eq(count(said, "  SUCCESS  "), 20);
	ASSERT_SAYS(said, "20 of 20 succeeded, at most 5 at a time\n");
	ASSERT_SAYS(RUN(0, "thread_pool", sim_url(sim)), "24 of 24 jobs succeeded, by 8 threads\n");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM tasks WHERE status = 'SUCCESS'"),
			 3 + 2 + 20 + 24);
}
END_TEST

/* Cancels the only task, from elsewhere. */
static void cancel(void)
{
	json_object_put(wire_call(daemon_connect(server), "CancelTask", "{'id':1}"));
}

/* The same evaluator, from threads and on a loop; what has no score says so. */
START_TEST(evaluators)
{
	const char *said;

	begin(NULL, "--fixed_answer={\"justification\":\"so\",\"score\":0.25}");
	said = RUN(0, "evaluator", sim_url(sim));
	ck_assert_uint_eq(count(said, "0.25  "), 12);
	ASSERT_SAYS(said, "6 of 6 scored by threads, 6 on a loop\n");
	ck_assert_int_eq(sim_stat(sim, "calls"), 12);
	ASSERT_SAYS(RUN(0, "evaluator"), "6 of 6 scored by threads, 6 on a loop\n");
	sim_control(sim, "{'content_filter_rate':1}");
	ASSERT_SAYS(RUN(1, "evaluator", sim_url(sim)), "   -  No.: FAILURE\n");
}
END_TEST

START_TEST(progress_to_each_end)
{
	struct command *example;
	const char *said;

	begin("[queue]\nmax_running = 1\nmax_pending = 1\n", "--hang_rate=1");
	example = START("progress", sim_url(sim));
	command_await(example, "STARTED [");
	cancel();
	ASSERT_SAYS(end(example, 12), "\ntask 1 is REVOKED\n");
	ASSERT_SAYS(RUN(11, "progress", sim_url(sim), "0.3"), "is TIMEOUT\n  Timeout: ");
	for (int i = 0; i < 2; i++) {
		int64_t n_calls = sim_stat(sim, "calls");

		(void) experiment_submit(daemon_connect(server), &(struct experiment) {
			.name = text("Fills %d", i), .rows = 1, .url = sim_url(sim) });
		if (i == 0)
			sim_await(sim, "calls", n_calls + 1); // it runs, and the next one waits
	}
	ASSERT_SAYS(RUN(13, "progress", sim_url(sim)), "is REJECTED\n  QueueFull: ");
	daemon_kill(server);

	begin(NULL, "--api_key=secret");
	ASSERT_SAYS(RUN(10, "progress", sim_url(sim)), "is FAILURE\n  BackendAuthentication: ");
	said = RUN(0, "progress");
	ASSERT_SAYS(said, "STARTED [#");
	ASSERT_SAYS(said, "\r\033[Kllm config 'Sample model': updated\n"); /* a line of the log */
	ASSERT_SAYS(said, "] 100 %\ntask 2 is SUCCESS\nsuccess rate ");
}
END_TEST

START_TEST(rating)
{
	const char *said;

	begin(NULL, "--latency_seconds=0.01");
	said = RUN(0, "rate", sim_url(sim));
	ASSERT_SAYS(said, "rated 100 %\n");
	ck_assert_uint_eq(count(said, "Is it polite?"), 6);
	ck_assert_uint_eq(count(said, "Would a child like it?"), 6);
	ck_assert_int_eq(sim_stat(sim, "answered"), 6 + 6 * 2 + 6 * 2);
	/* Answers from elsewhere, judged by the default model. */
	said = RUN(0, "rag");
	ASSERT_SAYS(said, "3 answers added\nSUCCESS: ");
	ASSERT_SAYS(said, "  Faithfulness, of 3 of 3 answers\n");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings"), 6 * 2 + 6 * 2 + 3 * 3);
}
END_TEST

/* Twice: what is there already is taken as it is. */
START_TEST(workflow)
{
	const char *said;

	begin(NULL, NULL);
	for (unsigned runs = 1; runs <= 2; runs++) {
		said = RUN(0, "workflow");
		ASSERT_SAYS(said, "Workflow haiku, version 1\n  Does the answer deal with ");
		ck_assert_uint_eq(count(said, "Does the answer"), 5);
		ASSERT_SAYS(said, "SUCCESS: success rate ");
		ASSERT_SAYS(said, text("a note on 1 of %u answers\n", 4 * runs));
	}
}
END_TEST

/* The same words, however they come. */
START_TEST(tokens)
{
	const char *said;

	begin(NULL, "--fixed_answer=The sea is wide, and nobody has seen all of it.");
	said = RUN(0, "tokens", sim_url(sim));
	ASSERT_SAYS(said, "The sea is wide, and nobody has seen all of it.\nSUCCESS, ");
	said = RUN(0, "tokens");
	ASSERT_SAYS(said, "\nSUCCESS, ");
	said = RUN(10, "tokens", "http://127.0.0.1:9", "Is anybody there?");
	ASSERT_SAYS(said, "\nFAILURE: http://127.0.0.1:9: ");
}
END_TEST

START_TEST(tools)
{
	const char *said;

	begin(NULL, "--call_tools=true");
	said = RUN(0, "tools", sim_url(sim));
	ASSERT_SAYS(said, "temperature {\"city\": \"some words\"}\n");
	ASSERT_SAYS(said, "\n1 calls\n");
	said = RUN(10, "tools", "http://127.0.0.1:9");
	ASSERT_SAYS(said, "FAILURE: http://127.0.0.1:9: ");
}
END_TEST

/* The same endpoint answers and judges. */
START_TEST(skill)
{
	struct wire *wire;
	const char *said;

	begin(NULL, "--fixed_answer={\"justification\":\"so\",\"score\":0.25}");
	wire = daemon_connect(server);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'L','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s','max_retries':0}}", sim_url(sim));
	wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'L'}}");
	said = RUN(0, "skill", "coffee");
	ASSERT_SAYS(said, "\nvalid: no, after 3 answers\n");
	ASSERT_SAYS(said, "\nBrief enough: 0.25 of 0.30, so\nFriendly enough: 0.25 of 0.00, so\n");
	sim_stop(sim);
	said = RUN(10, "skill");
	ASSERT_SAYS(said, "FAILURE: http://127.0.0.1:");
}
END_TEST

START_TEST(cancelled_by_an_interrupt)
{
	struct command *example;
	const char *said;

	begin(NULL, "--hang_rate=1");
	example = START("cancel", sim_url(sim));
	command_await(example, "is STARTED\n");
	sim_await(sim, "in_flight", 1);
	command_signal(example, SIGINT);
	said = end(example, 12);
	ASSERT_SAYS(said, "cancelled\n");
	ASSERT_SAYS(said, "task 1 is REVOKED\n");
	json_object_put(task_await_status(server, 1, "REVOKED"));
}
END_TEST

/* The loop of an example ticks every 20 ms; the run takes a second by the endpoint's latency. */
static void must_tick(const char *name)
{
	const char *said, *ticks;

	begin(NULL, "--latency_seconds=0.5");
	said = RUN(0, name, sim_url(sim));
	ASSERT_SAYS(said, "task 1 is SUCCESS\n");
	ticks = strstr(said, "is SUCCESS\n") + strlen("is SUCCESS\n");
	ck_assert_msg(atoi(ticks) >= 5, "%s", said);
}

START_TEST(on_libevent)
{
	must_tick("on_libevent");
}
END_TEST

/* Where its development files were when this was built. */
START_TEST(on_glib)
{
#ifdef WITH_GLIB
	must_tick("on_glib");
#endif
}
END_TEST

/* ---- The HTTP service ---- */

/* A request on its way: its socket. */
static int post(const char *url, const char *prompt)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *request = text("POST /evaluate HTTP/1.1\r\nHost: localhost\r\n"
				   "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
				   strlen(prompt), prompt);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	return fd;
}

/* All that comes back until the connection closes. */
static const char *answer(int fd)
{
	static char said[65536];
	size_t size = 0;
	ssize_t n;

	while (size < sizeof(said) - 1 && (n = read(fd, said + size, sizeof(said) - 1 - size)) > 0)
		size += (size_t)n;
	said[size] = '\0';
	close(fd);
	return said;
}

START_TEST(http_service)
{
	struct command *service;
	const char *url, *said;
	int fds[4];

	begin(NULL, "--fixed_answer=YES");
	service = START("http_service", "0", sim_url(sim));
	command_await(service, "/evaluate\n");
	url = text("%.*s", (int)strcspn(service->out + 7, "/") + 7, service->out);
	for (int i = 0; i < 4; i++)
		fds[i] = post(url, text("Say %d.", i));
	for (int i = 0; i < 4; i++) {
		said = answer(fds[i]);
		ASSERT_SAYS(said, "HTTP/1.1 200 OK\r\n");
		ASSERT_SAYS(said, "\r\n\r\nYES\nDoes the answer do what was asked? ");
	}
	said = answer(post(url, "Say {{nothing}}."));
	ASSERT_SAYS(said, "HTTP/1.1 400 ");
	ASSERT_SAYS(said, "\r\n\r\nprompt_template: expected only columns of the collection");
	/* It goes while a request is on its way: nobody waits for that any more. */
	sim_control(sim, "{'hang_rate':1}");
	fds[0] = post(url, "Say no more.");
	sim_await(sim, "in_flight", 1);
	command_signal(service, SIGTERM);
	end(service, 0);
	(void)answer(fds[0]);
	json_object_put(task_await_status(server, database_int(server, "SELECT max(id) FROM tasks"),
					  "REVOKED"));
}
END_TEST

START_TEST(errors)
{
	const char *said;

	begin(NULL, NULL);
	said = RUN(0, "errors");
	ASSERT_SAYS(said, "no daemon: No such file or directory\n");
	ASSERT_SAYS(said, "no such task: NotFound: no task with the id 4711\n  task 4711\n");
	ASSERT_SAYS(said, "a defect of this program: InvalidParameter: n_epochs: expected 1 to 1000\n"
			  "  field n_epochs\n");
	ASSERT_SAYS(said, "FAILURE of a task: BackendUnavailable: http://127.0.0.1:9: ");
	ASSERT_SAYS(said, "the other mode: Operation not supported\n");
}
END_TEST

int main(int argc, char **argv)
{
	under_valgrind = argc > 1 && strcmp(argv[1], "--valgrind") == 0;
	if (under_valgrind && (!getenv("ELLU_TEST_ALL") || access(VALGRIND, X_OK) < 0)) {
		fputs("set ELLU_TEST_ALL, and install valgrind, to run this\n", stderr);
		return EXIT_SKIPPED;
	}
	return RUN_SUITE(one_experiment, several_experiments, evaluators, progress_to_each_end, rating, workflow, tokens,
			 tools, skill, cancelled_by_an_interrupt, on_libevent, on_glib, http_service, errors);
}
