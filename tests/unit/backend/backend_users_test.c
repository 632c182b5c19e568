/* Several users at one origin: what one does there, and what becomes of it, is not the other's. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/backend/dialect/target.h"
#include "tests/unit/backend/backend_fixture.h"
#include "tests/unit/suite.h"

#define N_CALLS 1600

static struct exchange *exchanges[N_CALLS];
static int n_exchanges;
static struct ellu_llm_config config;

static struct exchange *submit_in(int64_t flow, int64_t user, struct llm_target *target)
{
	struct exchange *exchange = exchange_new(target, "Tell of rivers.", n_exchanges);

	exchange->flow = flow;
	exchange->user = user;
	exchanges[n_exchanges++] = exchange;
	exchange_submit(exchange);
	return exchange;
}

static struct exchange *submit_as(int64_t user, struct llm_target *target)
{
	return submit_in(user, user, target);
}

static void setup(void)
{
	n_exchanges = 0;
	backend_fixture_setup();
	config = test_config();
}

static void teardown(void)
{
	for (int i = 0; i < n_exchanges; i++)
		exchange_free(exchanges[i]);
	backend_fixture_teardown();
}

static void await_stat(const char *name, int64_t at_least)
{
	while (sim_stat(name) < at_least) // or the test runs into its time limit
		run_for(0.01);
}

static struct backend_status *status_back;

static void on_status(struct backend_status *status)
{
	status_back = status;
}

/* arena_done() what comes. */
static struct backend_status status_of(int64_t user, bool all)
{
	struct backend_status asked = { .user = user, .all = all };

	status_back = NULL;
	asked.reply_to = home;
	asked.done = on_status;
	backend_status_get(backend, &asked);
	while (!status_back)
		run_for(0.001);
	return asked;
}

static int64_t n_in_flight(int64_t user);

static void end_flow(int64_t flow, int n)
{
	flow_cancel(flow);
	wait_for(n);
}

static struct llm_target *capped(int64_t max_connections)
{
	config.max_connections = &max_connections;
	return test_target(&config);
}

static struct llm_target *narrow, *wide;

/* Four calls of one flow by a narrow config, then forty of another by a wide one: so many are in
 * flight then. */
static void begin_two_flows(int64_t cap, int64_t other_user, int64_t in_flight)
{
	setup();
	narrow = capped(cap);
	wide = capped(20);
	sim_control("{\"hang_rate\": 1}");
	for (int i = 0; i < 4; i++)
		submit_in(1, 1, narrow);
	await_stat("in_flight", cap);
	for (int i = 0; i < 40; i++)
		submit_in(2, other_user, wide);
	await_stat("in_flight", in_flight);
	ck_assert_int_eq(sim_stat("in_flight"), in_flight);
}

static void end_two_flows(void)
{
	llm_target_unref(narrow);
	llm_target_unref(wide);
	teardown();
}

START_TEST(a_cap_holds_for_its_user)
{
	begin_two_flows(1, 2, 21);
	end_flow(1, 4);
	end_flow(2, 40);
	end_two_flows();
}
END_TEST

/* Nor does it slow the same user's other tasks. */
START_TEST(a_cap_holds_for_its_flow)
{
	begin_two_flows(2, 1, 20);
	end_flow(2, 40);
	ck_assert_int_eq(n_in_flight(1), 2);
	end_flow(1, 4);
	end_two_flows();
}
END_TEST

/* The endpoint answers once and then asks for an hour's pause. */
static void pause_for_an_hour(int64_t user, struct llm_target *target)
{
	sim_control("{\"rate_limit\": 1, \"rate_window_seconds\": 3600, "
		    "\"retry_after_seconds\": 3600}");
	submit_as(user, target);
	wait_for(1);
	submit_as(user, target);
	while (!flow_of(user)->held)
		run_for(0.001);
	sim_control("{\"rate_limit\": 0}");
}

START_TEST(a_pause_is_its_users)
{
	struct backend_status status;
	struct llm_target *target;

	setup();
	target = test_target(&config);
	pause_for_an_hour(1, target);
	submit_as(2, target);
	wait_for(1);
	ck_assert_int_eq(flow_of(2)->n_holds, 0);
	ck_assert_int_eq(exchanges[2]->call.outcome, LLM_ANSWERED);

	status = status_of(2, false);
	ck_assert_uint_eq(status.n_endpoints, 1);
	ck_assert_ptr_null(status.endpoints[0]->wait_seconds);
	ck_assert_int_eq(status.endpoints[0]->calls, 1);
	arena_done(&status.arena);
	status = status_of(1, false);
	ck_assert_uint_eq(status.n_endpoints, 1);
	ck_assert_ptr_nonnull(status.endpoints[0]->wait_seconds);
	arena_done(&status.arena);
	status = status_of(3, false);
	ck_assert_uint_eq(status.n_endpoints, 0);
	arena_done(&status.arena);
	status = status_of(3, true);
	ck_assert_uint_eq(status.n_endpoints, 2);
	arena_done(&status.arena);
	end_flow(1, 1);
	llm_target_unref(target);
	teardown();
}
END_TEST

START_TEST(a_pause_is_lifted_by_its_user)
{
	struct backend_status status;
	struct llm_target *target;

	setup();
	target = test_target(&config);
	pause_for_an_hour(1, target);
	ck_assert_int_eq(backend_lift_pauses(backend, 2), 0);
	status = status_of(1, false);
	arena_done(&status.arena);
	ck_assert(flow_of(1)->held);
	ck_assert_int_eq(backend_lift_pauses(backend, 1), 0);
	wait_for(1);
	ck_assert_int_eq(exchanges[1]->call.outcome, LLM_ANSWERED);
	llm_target_unref(target);
	teardown();
}
END_TEST

START_TEST(shared_is_one_for_all)
{
	static const int shared = 1;
	struct backend_status status;
	struct llm_target *target, *again;

	setup();
	config.shared = &shared;
	target = test_target(&config);
	again = test_target(&config);
	pause_for_an_hour(1, target);
	submit_as(2, again);
	while (!flow_of(2)->held)
		run_for(0.001);
	ck_assert_int_eq(sim_stat("calls"), 2);
	status = status_of(3, false);
	ck_assert_uint_eq(status.n_endpoints, 1);
	arena_done(&status.arena);
	end_flow(1, 1);
	end_flow(2, 1);
	llm_target_unref(target);
	llm_target_unref(again);
	teardown();
}
END_TEST

/* What the provider said to the one is not told to the other. */
START_TEST(words_stay_with_their_user)
{
	static const int shared = 1;
	struct llm_target *target;

	setup();
	config.shared = &shared;
	target = test_target(&config);
	submit_as(1, target);
	submit_as(2, target);
	wait_for(2);
	sim_control("{\"error_500_rate\": 1}");
	for (int i = 0; i < 8; i++)
		submit_as(1, target);
	submit_as(2, target);
	while (!flow_of(2)->held)
		run_for(0.001);
	ck_assert_ptr_nonnull(strstr(flow_of(2)->hold, "HTTP status 500"));
	ck_assert_msg(!strchr(strstr(flow_of(2)->hold, "HTTP status 500"), '('), "%s",
		      flow_of(2)->hold);
	end_flow(1, 8);
	end_flow(2, 1);
	llm_target_unref(target);
	teardown();
}
END_TEST

START_TEST(the_form_of_an_answer_is_its_users)
{
	struct llm_target *target;
	char *body;

	setup();
	target = test_target(&config);
	sim_control("{\"refuse_schema\": true}");
	for (int user = 1; user <= 2; user++) {
		struct exchange *exchange = exchange_new(target, "Tell of rivers.", user);

		exchange->flow = exchange->user = user;
		exchange->call.response_format = "{\"type\":\"object\"}";
		exchanges[n_exchanges++] = exchange;
		exchange_submit(exchange);
		wait_for(1);
		ck_assert_int_eq(exchange->call.outcome, LLM_ANSWERED);
		body = sim_last_body();
		ck_assert(user == 2 || !strstr(body, "json_schema"));
		free(body);
		sim_control("{\"refuse_schema\": false}");
	}
	body = sim_last_body();
	ck_assert_msg(strstr(body, "json_schema") != NULL, "%s", body);
	free(body);
	llm_target_unref(target);
	teardown();
}
END_TEST

START_TEST(connections_are_their_users)
{
	static const int shared = 1;
	struct llm_target *own, *common;
	int64_t before;

	setup();
	own = test_target(&config);
	config.shared = &shared;
	common = test_target(&config);
	for (int i = 0; i < 2; i++) {
		/* A question to /stats takes a connection itself. */
		before = sim_stat("connections_total");
		submit_as(1, own);
		wait_for(1);
		ck_assert_int_eq(sim_stat("connections_total") - before - 1, i == 0);
	}
	before = sim_stat("connections_total");
	submit_as(2, own);
	wait_for(1);
	ck_assert_int_eq(sim_stat("connections_total") - before - 1, 1);
	for (int64_t user = 1; user <= 3; user++) {
		before = sim_stat("connections_total");
		submit_as(user, common);
		wait_for(1);
		ck_assert_int_eq(sim_stat("connections_total") - before - 1, user == 1);
	}
	llm_target_unref(own);
	llm_target_unref(common);
	teardown();
}
END_TEST

/* A port that takes connections and says nothing. */
static int listen_silently(char *ret_proxy, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(ret_proxy, size, "socks5://127.0.0.1:%u", ntohs(address.sin_port));
	return fd;
}

START_TEST(a_silent_proxy_holds_up_nobody_else)
{
	const double long_seconds = 3600;
	struct llm_target *direct, *silent;
	char proxy[64];
	int fd;

	setup();
	direct = test_target(&config);
	fd = listen_silently(proxy, sizeof(proxy));
	config.proxy = proxy;
	config.connect_seconds = config.timeout_seconds = long_seconds;
	silent = test_target(&config);
	submit_as(1, silent);
	submit_as(2, direct);
	wait_for(1);
	/* Nor does it become the path of the same user's other calls. */
	submit_as(1, direct);
	wait_for(1);
	ck_assert(!exchanges[0]->done);
	ck_assert_int_eq(exchanges[1]->call.outcome, LLM_ANSWERED);
	ck_assert_int_eq(exchanges[2]->call.outcome, LLM_ANSWERED);
	end_flow(1, 1);
	close(fd);
	llm_target_unref(direct);
	llm_target_unref(silent);
	teardown();
}
END_TEST

/* Hashes find, and decide nothing. */
START_TEST(equal_hashes_are_not_enough)
{
	static const char *const models[] = { "m", "n" };
	static const char *const proxies[] = { NULL, "http://127.0.0.1:9" };
	struct llm_target *targets[2];
	struct backend_status status;

	setup();
	for (int i = 0; i < 2; i++) {
		config.llm_model_name = models[i];
		targets[i] = test_target(&config);
		targets[i]->identity = targets[i]->path = 1;
		submit_as(1, targets[i]);
	}
	wait_for(2);
	ck_assert(!target_same(targets[0], targets[1]));
	ck_assert(target_same_path(targets[0], targets[1]));
	status = status_of(1, false);
	ck_assert_uint_eq(status.n_endpoints, 2);
	arena_done(&status.arena);
	for (int i = 0; i < 2; i++) {
		llm_target_unref(targets[i]);
		config.proxy = proxies[i];
		targets[i] = test_target(&config);
		targets[i]->identity = targets[i]->path = 1;
	}
	ck_assert(!target_same_path(targets[0], targets[1]));
	ck_assert(!target_same(targets[0], targets[1]));
	llm_target_unref(targets[0]);
	llm_target_unref(targets[1]);
	teardown();
}
END_TEST

/* What one user has learnt is not forgotten for what another one tries. */
START_TEST(many_endpoints_of_one_user)
{
	char model[16];
	struct llm_target *target;
	struct backend_status status;

	setup();
	target = test_target(&config);
	submit_as(2, target);
	wait_for(1);
	llm_target_unref(target);
	config.provider = "simulated";
	config.llm_base_url = NULL;
	config.llm_model_name = model;
	for (int i = 0; i < 300; i++) {
		struct exchange *exchange;

		snprintf(model, sizeof(model), "m%d", i);
		target = test_target(&config);
		exchange = exchange_new(target, "Tell of rivers.", i);
		exchange_submit(exchange);
		wait_for(1);
		exchange_free(exchange);
		llm_target_unref(target);
	}
	status = status_of(2, false);
	ck_assert_uint_eq(status.n_endpoints, 1);
	arena_done(&status.arena);
	status = status_of(1, false);
	ck_assert_uint_eq(status.n_endpoints, 64);
	arena_done(&status.arena);
	teardown();
}
END_TEST

static int64_t n_in_flight(int64_t user)
{
	struct backend_status status = status_of(user, false);
	int64_t n = 0;

	for (size_t i = 0; i < status.n_endpoints; i++)
		n += status.endpoints[i]->in_flight;
	arena_done(&status.arena);
	return n;
}

/* Calls that nothing but a cancel ends, over several endpoints, so that no other cap is met. */
START_TEST(each_gets_a_share)
{
	static const char *const models[] = { "a", "b", "c", "d", "e" };
	static const int64_t cap = 64;
	struct llm_target *targets[5];
	static const int64_t shares[] = { 256, 256 / 3, 171 / 4, 129 / 5, 104 / 6 };

	setup();
	config.provider = "simulated";
	config.llm_base_url = NULL;
	config.custom = "{\"latency_seconds\": 3600}";
	config.max_connections = &cap;
	for (int i = 0; i < 5; i++) {
		config.llm_model_name = models[i];
		targets[i] = test_target(&config);
	}
	for (int64_t user = 1; user <= 5; user++) {
		int64_t n;

		for (int i = 0; i < 300; i++)
			submit_as(user, targets[i % 5]);
		/* The first answer says that all are there, the second what became of them. */
		(void)n_in_flight(user);
		n = n_in_flight(user);
		ck_assert_int_eq(n, shares[user - 1]);
	}
	ck_assert_int_eq(n_in_flight(1), 256);
	/* When the first gives his back, it goes to the others. */
	end_flow(1, 300);
	ck_assert_int_gt(n_in_flight(5), shares[4]);
	for (int64_t user = 2; user <= 5; user++)
		end_flow(user, 300);
	for (int i = 0; i < 5; i++)
		llm_target_unref(targets[i]);
	teardown();
}
END_TEST

/* ---- Long answers ---- */

#define N_LONG 24
#define LONG_BYTES (4 * 1024 * 1024)
#define LONG_READ (1024 * 1024) // more than sockets keep

/* Answers each connection, as far as that is taken, with bytes that have no end. */
static struct endless {
	pthread_t thread;
	int fd;
	char url[64];
	atomic_int n_begun; // connections of which something was taken
	atomic_int n_read; // of which much was
} endless;

static const char endless_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n";

static void endless_send(struct pollfd *client, int64_t *sent)
{
	static char bytes[16384];
	ssize_t n;

	if (client->revents & POLLIN)
		(void)!recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	memset(bytes, ' ', sizeof(bytes));
	if (*sent == 0)
		memcpy(bytes, endless_head, strlen(endless_head));
	n = send(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return;
	endless.n_begun += *sent == 0;
	endless.n_read += *sent < LONG_READ && *sent + n >= LONG_READ;
	*sent += n;
	client->events = *sent < LONG_BYTES ? POLLOUT : 0;
}

static void *endless_run(void *unused)
{
	struct pollfd fds[N_LONG + 1] = { { .fd = endless.fd, .events = POLLIN } };
	int64_t sent[N_LONG + 1] = { 0 };
	nfds_t n = 1;

	(void)unused;
	while (poll(fds, n, -1) > 0 && !(fds[0].revents & POLLHUP)) {
		for (nfds_t i = 1; i < n; i++)
			if (fds[i].events && fds[i].revents)
				endless_send(&fds[i], &sent[i]);
		if (fds[0].revents && n <= N_LONG) {
			fds[n].events = POLLIN;
			fds[n++].fd = accept(fds[0].fd, NULL, NULL);
		}
	}
	for (nfds_t i = 1; i < n; i++)
		close(fds[i].fd);
	return NULL;
}

static void endless_start(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int small = 65536;

	endless.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(setsockopt(endless.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(bind(endless.fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(endless.fd, N_LONG), 0);
	ck_assert_int_eq(getsockname(endless.fd, (struct sockaddr *)&address, &size), 0);
	snprintf(endless.url, sizeof(endless.url), "http://127.0.0.1:%d/v1", ntohs(address.sin_port));
	ck_assert_int_eq(pthread_create(&endless.thread, NULL, endless_run, NULL), 0);
}

static void endless_stop(void)
{
	shutdown(endless.fd, SHUT_RDWR);
	pthread_join(endless.thread, NULL);
	close(endless.fd);
}

/* What a user is sent is held for a few calls only; another user's long answers come in between. */
START_TEST(long_answers_are_few)
{
	static const int64_t cap = N_LONG;
	struct llm_target *target, *other;
	char *answer;

	setup();
	endless_start();
	config.max_connections = &cap;
	other = test_target(&config);
	config.llm_base_url = endless.url;
	config.stall_seconds = config.timeout_seconds;
	target = test_target(&config);
	for (int i = 0; i < N_LONG; i++)
		submit_as(1, target);
	while (endless.n_begun < N_LONG || endless.n_read < BACKEND_LONG_ANSWERS_PER_USER_MAX)
		run_for(0.01);
	answer = malloc(64 + 600000);
	ck_assert_ptr_nonnull(answer);
	sprintf(answer, "{\"fixed_answer\": \"%0600000d\"}", 1);
	sim_control(answer);
	submit_as(2, other);
	wait_for(1);
	ck_assert_int_eq(exchanges[N_LONG]->call.outcome, LLM_ANSWERED);
	ck_assert_uint_eq(strlen(exchanges[N_LONG]->call.text), 600000);
	ck_assert_int_eq(endless.n_read, BACKEND_LONG_ANSWERS_PER_USER_MAX);
	/* Those that wait go with the others. */
	end_flow(1, N_LONG);
	free(answer);
	llm_target_unref(target);
	llm_target_unref(other);
	endless_stop();
	teardown();
}
END_TEST

int main(void)
{
	return RUN_TESTS(a_cap_holds_for_its_user, a_cap_holds_for_its_flow, a_pause_is_its_users, a_pause_is_lifted_by_its_user, shared_is_one_for_all,
			 words_stay_with_their_user, the_form_of_an_answer_is_its_users,
			 connections_are_their_users, a_silent_proxy_holds_up_nobody_else,
			 equal_hashes_are_not_enough, many_endpoints_of_one_user, each_gets_a_share,
			 long_answers_are_few);
}
