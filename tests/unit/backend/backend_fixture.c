#include "tests/unit/backend/backend_fixture.h"

#include <check.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/clock.h"

struct backend *backend;
char base_url[64];

struct loop *home;

#define FLOWS_MAX 512

static struct loop *backend_loop;
static struct flow flows[FLOWS_MAX];
static size_t n_flows;
static pid_t sim_pid;
static char sim_url[48];
static int n_returned, n_wanted, n_order;
static bool (*awaited)(void);

static void start_sim(void)
{
	int fds[2];
	FILE *out;

	ck_assert_int_eq(pipe(fds), 0);
	sim_pid = fork();
	if (sim_pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execl(ELLU_SIM_PATH, "ellu-sim", "--exit-with-parent", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	out = fdopen(fds[0], "r");
	ck_assert_int_eq(fscanf(out, "listening %47s", sim_url), 1);
	fclose(out);
	snprintf(base_url, sizeof(base_url), "%s/v1", sim_url);
}

void backend_fixture_setup(void)
{
	memset(flows, 0, sizeof(flows));
	n_flows = 0;
	ck_assert_int_eq(backend_global_init(), 0);
	start_sim();
	ck_assert_int_eq(loop_new("test", &home), 0);
	ck_assert_int_eq(loop_new("backend", &backend_loop), 0);
	ck_assert_int_eq(backend_new(backend_loop, &backend), 0);
	ck_assert_int_eq(loop_start(backend_loop), 0);
}

void backend_fixture_teardown(void)
{
	int status;

	for (size_t i = 0; i < n_flows; i++)
		backend_flow_close(flows[i].flow);
	loop_stop(backend_loop);
	loop_join(backend_loop);
	backend_free(backend);
	loop_free(backend_loop);
	loop_free(home);
	kill(sim_pid, SIGTERM);
	ck_assert_int_eq(waitpid(sim_pid, &status, 0), sim_pid);
}

static size_t keep(char *data, size_t size, size_t n, void *userdata)
{
	fwrite(data, size, n, userdata);
	return size * n;
}

/* Asks the endpoint's side door; free() what comes. */
static char *ask_sim(const char *path, const char *body)
{
	CURL *easy = curl_easy_init();
	char url[128], *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", sim_url, path);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, out);
	if (body)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	ck_assert_int_eq(curl_easy_perform(easy), CURLE_OK);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(easy);
	fclose(out);
	ck_assert_msg(status == 200, "%s: %s", path, text);
	return text;
}

void sim_control(const char *json)
{
	free(ask_sim("/control", json));
}

void sim_reset(void)
{
	free(ask_sim("/stats/reset", ""));
}

int64_t sim_stat_of(const char *group, const char *name)
{
	char *text = ask_sim("/stats", NULL);
	json_object *json = json_tokener_parse(text), *from = json, *value;
	int64_t number = 0;

	if (group)
		ck_assert(json_object_object_get_ex(json, group, &from));
	if (json_object_object_get_ex(from, name, &value))
		number = json_object_get_int64(value);
	else
		ck_assert_msg(group != NULL, "no %s in %s", name, text);
	json_object_put(json);
	free(text);
	return number;
}

int64_t sim_stat(const char *name)
{
	return sim_stat_of(NULL, name);
}

char *sim_last_body(void)
{
	return ask_sim("/requests?last=1", NULL);
}

struct ellu_llm_config test_config(void)
{
	const double short_seconds = 2;
	static const int64_t max_retries = 3;

	return (struct ellu_llm_config){
		.struct_size = sizeof(struct ellu_llm_config),
		.name = "test",
		.provider = "openai",
		.llm_model_name = "m",
		.llm_base_url = base_url,
		.max_retries = &max_retries,
		.timeout_seconds = 10,
		.connect_seconds = short_seconds,
		.first_byte_seconds = short_seconds,
		.stall_seconds = short_seconds,
	};
}

struct llm_target *test_target(const struct ellu_llm_config *config)
{
	struct llm_target *target;
	struct fault fault = { 0 };

	ck_assert_msg(llm_target_new(config, &target, &fault) == 0, "%s", fault.message);
	return target;
}

static void look(void)
{
	if (!awaited || !awaited())
		return;
	awaited = NULL; // a loop is stopped once
	loop_stop(home);
}

static void on_back(struct llm_call *call)
{
	struct exchange *exchange = (struct exchange *)call;

	ck_assert(!exchange->done);
	exchange->done = true;
	exchange->order = ++n_order;
	if (++n_returned == n_wanted)
		loop_stop(home);
	look();
}

static void on_notice(void *userdata, const char *line)
{
	struct flow *flow = userdata;

	flow->n_notices++;
	snprintf(flow->notice, sizeof(flow->notice), "%s", line);
	look();
}

static void on_held(void *userdata, bool held, const char *line)
{
	struct flow *flow = userdata;

	flow->n_holds++;
	flow->held = held;
	snprintf(flow->hold, sizeof(flow->hold), "%s", line);
	look();
}

struct flow *flow_of(int64_t number)
{
	size_t i = 0;

	while (i < n_flows && flows[i].number != number)
		i++;
	ck_assert_uint_lt(i, FLOWS_MAX);
	if (i == n_flows)
		flows[n_flows++].number = number;
	return &flows[i];
}

void flow_cancel(int64_t number)
{
	ck_assert_int_eq(backend_flow_cancel(flow_of(number)->flow), 0);
}

struct exchange *exchange_new(struct llm_target *target, const char *content, int number)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct llm_call *call = &exchange->call;

	exchange->message.struct_size = sizeof(exchange->message);
	exchange->message.role = "user";
	exchange->message.content = content;
	exchange->messages[0] = &exchange->message;
	call->target = target;
	call->messages = exchange->messages;
	call->n_messages = 1;
	exchange->flow = 1;
	exchange->user = 1;
	exchange->priority = 1;
	snprintf(call->idempotency_key, sizeof(call->idempotency_key), "key-%d", number);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	arena_done(&exchange->call.arena);
	free(exchange);
}

void exchange_submit(struct exchange *exchange)
{
	struct flow *flow = flow_of(exchange->flow);
	const struct backend_flow_options options = {
		.user = exchange->user,
		.priority = exchange->priority,
		.cap = exchange->cap,
		.reply_to = home,
		.done = on_back,
		.notice = on_notice,
		.held = on_held,
		.userdata = flow,
	};

	if (!flow->flow)
		ck_assert_int_eq(backend_flow_open(backend, &options, &flow->flow), 0);
	backend_submit(flow->flow, &exchange->call);
}

double seconds_now(void)
{
	return (double)clock_monotonic_usec() / USEC_PER_SEC;
}

int n_back(void)
{
	return n_returned;
}

double wait_for(int n)
{
	double start = seconds_now();

	n_wanted = n;
	if (n_returned < n)
		loop_run(home);
	n_returned -= n;
	n_wanted = 0;
	return seconds_now() - start;
}

void wait_until(bool (*condition)(void))
{
	if (condition())
		return;
	awaited = condition;
	loop_run(home);
}

static void on_time(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	(void)userdata;
	loop_stop(home);
}

void run_for(double seconds)
{
	struct timeval after = { (time_t)seconds,
				 (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6) };

	event_base_once(loop_base(home), -1, EV_TIMEOUT, on_time, NULL, &after);
	loop_run(home);
}
