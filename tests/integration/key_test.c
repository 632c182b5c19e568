/*
 * A planted key: whatever happens with it, it is found nowhere but in the secrets folder and in
 * what the endpoint gets.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/users.h"

static char *answers; // everything that any method has answered
static unsigned n_found;
static const char *secrets_dir;

static char *random_key(void)
{
	unsigned char bytes[16];
	char *key = text("sk-%032d", 0);

	ck_assert_int_eq(getrandom(bytes, sizeof(bytes), 0), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(key + 3 + 2 * i, "%02x", bytes[i]);
	return key;
}

/* A call whose answer, good or bad, is kept. */
static json_object *ask(struct wire *wire, const char *flags, const char *method,
			const char *parameters)
{
	json_object *reply = NULL;

	wire_start(wire, flags, method, "%s", parameters);
	do {
		json_object_put(reply);
		reply = wire_next(wire);
		answers = text("%s\n%s", answers, json_object_to_json_string(reply));
	} while (at_has(reply, "continues"));
	return reply;
}

/* ---- An endpoint whose errors repeat the key ---- */

/* Answers one request with the status that its path begins with. */
static void echo_one(int fd)
{
	char request[65536], reply[4096], authorization[512] = "";
	size_t size = 0, wanted = sizeof(request);
	const char *head_end, *header;
	ssize_t n;
	int status = 0;

	while (size < wanted && (n = read(fd, request + size, sizeof(request) - 1 - size)) > 0) {
		size += (size_t)n;
		request[size] = '\0';
		head_end = strstr(request, "\r\n\r\n");
		header = strcasestr(request, "Content-Length:");
		if (head_end && header)
			wanted = (size_t)(head_end + 4 - request) + strtoul(header + 15, NULL, 10);
	}
	header = strcasestr(request, "Authorization: Bearer ");
	if (sscanf(request, "POST /%d/", &status) != 1 || !header ||
	    sscanf(header + 22, "%511[^\r]", authorization) != 1)
		return;
	snprintf(reply, sizeof(reply),
		 "HTTP/1.1 %d Some\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
		 "{\"error\":{\"message\":\"Incorrect API key provided: %s. So %s it is.\"}}",
		 status, authorization, authorization);
	(void)!write(fd, reply, strlen(reply));
}

/* In a process of its own. Its URL without the path. */
static const char *start_echo(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			echo_one(fd);
			close(fd);
		}
	}
	close(listener);
	return text("http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void ask_everything(struct wire *wire)
{
	static const char *const lists[] = { "ListTasks", "ListExperiments", "ListLLMConfigs" };
	json_object *tasks;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		ask(wire, "'more':true", lists[i], "{}");
	ask(wire, "", "GetStatus", "{}");
	tasks = list_all(wire, "ListTasks", "%s", "");
	for (size_t i = 0; i < json_object_array_length(tasks); i++) {
		json_object *task = json_object_array_get_idx(tasks, i);
		char *id = text("{\"id\":%lld}", (long long)at_int(task, "id"));
		char *experiment;

		ask(wire, "", "GetTask", id);
		ask(wire, "'more':true", "WatchTask",
		    text("{\"id\":%lld,\"after_sequence\":0}", (long long)at_int(task, "id")));
		ask(wire, "'more':true", "ListTaskLogs", id);
		if (!at_has(task, "experiment_id"))
			continue;
		experiment = text("{\"experiment\":{\"id\":%lld}}",
				  (long long)at_int(task, "experiment_id"));
		ask(wire, "", "GetExperiment", experiment);
		ask(wire, "'more':true", "ListResponses", experiment);
		ask(wire, "'more':true", "ListRatings", experiment);
	}
}

static bool look(const char *path, void *userdata)
{
	const char *key = userdata;
	size_t size;
	char *content = file_read(path, &size);
	struct stat status;

	if (!content || !memmem(content, size, key, strlen(key)))
		return true;
	ck_assert_msg(strncmp(path, secrets_dir, strlen(secrets_dir)) == 0, "%s holds the key", path);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	n_found++;
	free(content);
	return true;
}

static void look_everywhere(const struct daemon *daemon, const char *key)
{
	struct stat status;
	size_t size;
	char *arguments;

	ck_assert_msg(!strstr(answers, key), "an answer holds the key");
	ck_assert_msg(!strstr(daemon_log(daemon), key), "the log holds the key");
	arguments = file_read(text("/proc/%d/cmdline", (int)daemon_pid(daemon)), &size);
	ck_assert_ptr_nonnull(arguments);
	ck_assert_ptr_null(memmem(arguments, size, key, strlen(key)));
	secrets_dir = dir_path(daemon_state_dir(daemon), "secrets/");
	ck_assert_int_eq(stat(secrets_dir, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0700);
	n_found = 0;
	dir_each_file(daemon_state_dir(daemon), look, (char *)key);
	ck_assert_uint_gt(n_found, 0);
}

START_TEST(key_stays_secret)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--log-level=debug", NULL } });
	struct wire *wire = daemon_connect(daemon);
	char *key = random_key();
	struct sim *sim = sim_start((const char *[]) {
		text("--api_key=%s", key), "--content_filter_rate=0.2", "--error_500_rate=0.2", NULL });
	static const int statuses[] = { 400, 401, 403, 404, 422, 500, 503 };
	const char *echo = start_echo();
	json_object *reply;

	answers = text("%s", "");
	/* By a config of its own, inline, and refused. */
	reply = ask(wire, "", "CreateLLMConfig",
		    quoted("{'llm_config':{'name':'keyed','provider':'openai','llm_model_name':'m',"
			   "'llm_base_url':'%s','api_key':'%s'}}", sim_url(sim), key));
	ck_assert(at_bool(reply, "parameters.llm_config.has_api_key"));
	ck_assert(!at_has(reply, "parameters.llm_config.api_key"));
	ask(wire, "", "CreateLLMConfig",
	    quoted("{'llm_config':{'name':'keyed','provider':'openai','llm_model_name':'m2',"
		   "'llm_base_url':'%s','api_key':'%s'}}", sim_url(sim), key));
	ask(wire, "", "CreateLLMConfig",
	    quoted("{'llm_config':{'name':'bad','provider':'%s','api_key':'%s'}}", key, key));
	ask(wire, "", "GetLLMConfig", quoted("{'llm_config':{'name':'keyed'}}"));
	reply = ask(wire, "'more':true", "RunExperiment", experiment_request(&(struct experiment) {
		.name = "one", .rows = 20, .n_criteria = 1,
		.more = "'llm_config':{'ref':{'name':'keyed'}}" }));
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	reply = ask(wire, "'more':true", "RunExperiment", experiment_request(&(struct experiment) {
		.name = "two", .rows = 20, .n_criteria = 1, .url = sim_url(sim), .api_key = key }));
	ck_assert_str_eq(at_text(reply, "parameters.event.status"), "SUCCESS");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		reply = ask(wire, "'more':true", "RunExperiment", experiment_request(&(struct experiment) {
			.name = text("echo %d", statuses[i]), .rows = 3, .api_key = key,
			.url = text("%s/%d", echo, statuses[i]), .config = "'max_retries':1" }));
		ck_assert_str_eq(at_text(reply, "parameters.event.status"), "FAILURE");
		ck_assert_ptr_nonnull(strstr(at_text(reply, "parameters.event.error.message"),
					     "Incorrect API key"));
	}
	ask_everything(wire);
	look_everywhere(daemon, key);

	/* In the write-ahead log and elsewhere, too, after a crash and a recovery. */
	daemon_kill(daemon);
	dir_each_file(daemon_state_dir(daemon), look, key);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	reply = ask(wire, "", "RunExperiment", experiment_request(&(struct experiment) {
		.name = "four", .rows = 5, .more = "'llm_config':{'ref':{'name':'keyed'}}" }));
	ck_assert_str_eq(at_text(reply, "parameters.task.status"), "SUCCESS");
	ask_everything(wire);
	look_everywhere(daemon, key);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	dir_each_file(daemon_state_dir(daemon), look, key);
}
END_TEST

/* A reference keeps the key out of the state folder altogether. */
START_TEST(references)
{
	char *key = random_key(), *file = text("%s/key", dir_new());
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.environment = (const char *[]) { text("ELLU_TEST_KEY=%s", key), NULL } });
	struct wire *wire = daemon_connect(daemon);
	struct sim *sim = sim_start((const char *[]) { text("--api_key=%s", key), NULL });
	const char *const refs[] = { "env:ELLU_TEST_KEY", text("file:%s", file) };

	answers = text("%s", "");
	file_write(file, text("%s\n", key));
	for (size_t i = 0; i < 2; i++) {
		json_object *reply = ask(wire, "", "RunExperiment", experiment_request(
			&(struct experiment) {
				.name = text("by %zu", i), .rows = 3, .url = sim_url(sim),
				.config = text("'api_key_ref':'%s'", refs[i]) }));

		ck_assert_msg(at_is(reply, "parameters.task.status", "SUCCESS"), "%s",
			      json_object_to_json_string(reply));
	}
	ask_everything(wire);
	ck_assert(!strstr(answers, key));
	ck_assert(!strstr(daemon_log(daemon), key));
	secrets_dir = "none";
	dir_each_file(daemon_state_dir(daemon), look, key);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* ---- Memory ---- */

static bool opens(pid_t pid, const char *name)
{
	int fd = open(text("/proc/%d/%s", (int)pid, name), O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Exits as a process that has become another user, or has the daemon's own and no more rights. */
static int reach(pid_t pid, uid_t uid)
{
	static const char *const names[] = { "mem", "environ", "maps", "fd/0" };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	if (uid != getuid() && (setgid(uid) < 0 || setuid(uid) < 0))
		return 100;
	if (syscall(SYS_capset, &header, none) < 0)
		return 101;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (opens(pid, names[i]))
			return (int)i + 1;
	return 0;
}

static void must_be_out_of_reach(pid_t daemon, uid_t uid)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(reach(daemon, uid));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "user %u: %d", (unsigned)uid,
		      WEXITSTATUS(status));
}

/* Root's processes are kept from each other by their rights already: a test that root runs goes
 * on as another user, with a copy of the daemon that this one may run. */
static const char *become_nobody(void)
{
	const char *folder = dir_new(), *copy = text("%s/elluminated", folder);

	if (getuid() != 0)
		return NULL;
	ck_assert_int_eq(system(text("cp '%s' '%s'", ELLUMINATED_PATH, copy)), 0);
	ck_assert_int_eq(chmod(folder, 0711), 0);
	ck_assert_int_eq(chmod(text("%s/..", folder), 0777), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(OTHER_UID), 0);
	ck_assert_int_eq(setuid(OTHER_UID), 0);
	return copy;
}

/* Nobody gets to the daemon's memory, the same user's other processes included. */
START_TEST(memory_is_out_of_reach)
{
	struct daemon *of_root = getuid() == 0 ? daemon_start(NULL) : NULL;
	struct daemon *daemon;
	struct stat status;

	if (of_root) {
		must_be_out_of_reach(daemon_pid(of_root), OTHER_UID);
		ck_assert_int_eq(daemon_stop(of_root), 0);
	}
	daemon = daemon_start(&(struct daemon_options) { .path = become_nobody() });
	must_be_out_of_reach(daemon_pid(daemon), getuid());
	/* What a handler of cores goes by. */
	ck_assert_int_eq(stat(text("/proc/%d/environ", (int)daemon_pid(daemon)), &status), 0);
	ck_assert_uint_eq(status.st_uid, 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static bool is_no_core(const char *path, void *userdata)
{
	(void)userdata;
	ck_assert_msg(!strstr(path, "core"), "%s", path);
	return true;
}

/* Not even with a limit that somebody has raised, as for a handler behind a pipe. */
START_TEST(no_core)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct daemon *daemon = daemon_start(NULL);
	pid_t pid = daemon_pid(daemon);
	char folder[4096];
	siginfo_t info = { 0 };

	/* Only who may raise a hard limit can. */
	(void)prlimit(pid, RLIMIT_CORE, &unlimited, NULL);
	ck_assert_int_eq(chdir(daemon_state_dir(daemon)), 0);
	ck_assert_ptr_nonnull(getcwd(folder, sizeof(folder)));
	daemon_signal(daemon, SIGSEGV);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(info.si_status, SIGSEGV);
	ck_assert_int_eq(info.si_code, CLD_KILLED); // else CLD_DUMPED
	dir_each_file(folder, is_no_core, NULL);
	ck_assert_int_eq(daemon_wait(daemon, WAIT_SECONDS), 128 + SIGSEGV);
}
END_TEST

int main(void)
{
	return RUN_SUITE(key_stays_secret, references, memory_is_out_of_reach, no_core);
}
