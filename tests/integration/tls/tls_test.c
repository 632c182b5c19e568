/*
 * A real daemon and endpoints over TLS, HTTP/2 and proxies, which are node's: server.mjs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/process.h"
#include "tests/harness/suite.h"

#define CALLS 24

static struct {
	char name[16];
	unsigned port;
} servers[16];
static size_t n_servers;
static struct daemon *server;
static struct wire *wire;

static unsigned port_of(const char *name)
{
	for (size_t i = 0; i < n_servers; i++)
		if (strcmp(servers[i].name, name) == 0)
			return servers[i].port;
	die("no server '%s'", name);
}

static void begin(void)
{
	char line[64];
	int fds[2];
	FILE *out;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	process_start(&(struct process_options) {
		.path = "/usr/bin/env",
		.arguments = (const char *[]) { "node", TLS_FOLDER "/server.mjs",
						TLS_FOLDER "/certificates", NULL },
		.stdout_fd = fds[1] });
	close(fds[1]);
	out = fdopen(fds[0], "r");
	for (n_servers = 0; fgets(line, sizeof(line), out) && *line != '\n'; n_servers++)
		ck_assert_int_eq(sscanf(line, "%15s %u", servers[n_servers].name,
					&servers[n_servers].port), 2);
	fclose(out);
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* Runs calls on the endpoint, named by `host`; config is further members of its config. */
static json_object *run(const char *endpoint, const char *host, const char *config)
{
	return experiment_run(wire, &(struct experiment) {
		.name = text("%s %s %s", endpoint, host, config), .rows = CALLS, .max_connections = 8,
		.url = text("%s://%s:%u/v1", strcmp(endpoint, "plain") == 0 ? "http" : "https", host,
			    port_of(endpoint)),
		.config = config });
}

static const char *authority(void)
{
	return "'max_retries':0,'ca_file':'" TLS_FOLDER "/certificates/authority.pem'";
}

/* The last text of those that came; each begins so. */
static const char *answered(json_object *task, const char *start)
{
	const char *last = NULL;
	json_object *items;

	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	items = list_all(wire, "ListResponses", "'experiment':{'id':%lld}",
			 (long long)at_int(task, "experiment_id"));
	ck_assert_uint_eq(json_object_array_length(items), CALLS);
	for (size_t i = 0; i < CALLS; i++) {
		last = at_text(json_object_array_get_idx(items, i), "response_text");
		ck_assert_msg(strncmp(last, start, strlen(start)) == 0, "'%s', not '%s'", last, start);
	}
	return last;
}

static void refused(json_object *task, const char *words)
{
	ck_assert_msg(at_is(task, "status", "FAILURE"), "%s", json_object_to_json_string(task));
	ck_assert_msg(strstr(at_text(task, "error.message"), words) != NULL, "no '%s' in '%s'",
		      words, at_text(task, "error.message"));
	ck_assert_str_eq(at_text(task, "error.code"), "BackendUnavailable");
}

START_TEST(certificates)
{
	begin();
	answered(run("good", "127.0.0.1", authority()), "HTTP/2.0 direct");
	answered(run("good", "localhost", authority()), "HTTP/2.0 direct");
	answered(run("old", "127.0.0.1", authority()), "HTTP/1.1 direct");
	refused(run("good", "127.0.0.1", "'max_retries':0"), "unable to get local issuer certificate");
	refused(run("expired", "127.0.0.1", authority()), "certificate has expired");
	refused(run("self_signed", "127.0.0.1", authority()), "self-signed certificate");
	refused(run("elsewhere", "127.0.0.1", authority()), "certificate subject name");
	/* An endpoint that speaks TLS, taken for one that does not, and the other way round. */
	refused(experiment_run(wire, &(struct experiment) {
		.name = "no tls", .rows = 1, .url = text("http://127.0.0.1:%u/v1", port_of("good")),
		.config = "'max_retries':0" }), "127.0.0.1");
	refused(experiment_run(wire, &(struct experiment) {
		.name = "tls", .rows = 1, .url = text("https://127.0.0.1:%u/v1", port_of("plain")),
		.config = "'max_retries':0" }), "127.0.0.1");
	end();
}
END_TEST

/* Calls at the same time share a connection, and one that is reset does not take it along. */
START_TEST(http2)
{
	begin();
	ck_assert_ptr_nonnull(strstr(answered(run("good", "127.0.0.1", authority()), "HTTP/2.0"),
				     ", 1 connections"));
	answered(run("reset", "127.0.0.1", "'max_retries':1,'ca_file':'"
		     TLS_FOLDER "/certificates/authority.pem'"), "HTTP/2.0");
	end();
}
END_TEST

/* Through proxies an endpoint is who it is: its certificate and its name stand. */
START_TEST(proxies)
{
	const char *http, *socks;

	begin();
	http = text("'proxy':'http://127.0.0.1:%u',%s", port_of("connect"), authority());
	socks = text("'proxy':'socks5h://127.0.0.1:%u',%s", port_of("socks5h"), authority());
	answered(run("good", "127.0.0.1", http), "HTTP/2.0 connect");
	answered(run("good", "localhost", socks), "HTTP/2.0 socks5h");
	answered(run("plain", "localhost", socks), "HTTP/1.1 socks5h");
	refused(run("elsewhere", "127.0.0.1", http), "certificate subject name");
	refused(run("expired", "localhost", socks), "certificate has expired");
	end();
}
END_TEST

/* A call may bring a client of its own: where it goes, through what, whom it trusts. */
START_TEST(a_call_of_its_own)
{
	json_object *reply;

	begin();
	reply = wire_call(wire, "Call", "{'messages':[{'role':'user','content':'Hello'}],'llm_config':{'content':{"
			  "'name':'mine','provider':'openai','llm_model_name':'m','llm_base_url':'https://127.0.0.1:%u/v1',"
			  "'proxy':'http://127.0.0.1:%u','max_retries':0,'ca_file':'"
			  TLS_FOLDER "/certificates/authority.pem'}}}", port_of("good"), port_of("connect"));
	ck_assert_msg(at_is(reply, "task.status", "SUCCESS"), "%s", json_object_to_json_string(reply));
	ck_assert_ptr_nonnull(strstr(at_text(reply, "task.result.call.text"), "HTTP/2.0 connect"));
	end();
}
END_TEST

int main(void)
{
	if (system("node --version >/dev/null 2>&1") != 0) {
		puts("node is not there");
		return 77;
	}
	return RUN_SUITE(certificates, http2, proxies, a_call_of_its_own);
}
