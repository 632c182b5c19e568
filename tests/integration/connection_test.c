/*
 * Files and proxies that configs name: what could hang or mislead the daemon is refused, and says
 * the field.
 */
#include <string.h>
#include <sys/stat.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

static void refused(const char *field, const char *value)
{
	json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter",
					  "CreateLLMConfig",
					  "{'llm_config':{'name':'r','provider':'openai',"
					  "'llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1',"
					  "'%s':'%s'}}", field, value);

	ck_assert_msg(at_is(reply, "parameters.parameter", text("llm_config.%s", field)), "%s: %s",
		      value, json_object_to_json_string(reply));
}

/* Nobody ever writes into the FIFO: who waits for it waits for ever. */
START_TEST(fifo)
{
	struct sim *sim = sim_start(NULL);
	char *path = text("%s/ca", dir_new());
	json_object *task;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	begin();
	refused("ca_file", path);
	task = experiment_run(wire, &(struct experiment) {
		.name = "other", .rows = 2, .url = sim_url(sim) });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	end();
}
END_TEST

START_TEST(proxies)
{
	static const char *const bad[] = {
		"socks5h://localhost/run/socket", "socks5://localhost/run/socket", "unix:///run/socket",
		"socks4://host:1", "file:///etc/passwd", "host:8080", "http://", "http://:8080",
		"http://user:pw@host", "http://host:0", "http://host:65536", "http://host:x",
		"http://host:", "http://host/path", "http://host?q", "http://host#f", "http://[::1",
		"http://[]:1", "http://a b", "http://h%2frun", "http://h\\\\x", "ftp://host",
	};
	static const char *const good[] = {
		"http://proxy:3128", "https://proxy.example/", "socks5://127.0.0.1:1080",
		"socks5h://[::1]:1080", "HTTP://Proxy_1",
	};

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refused("proxy", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		wire_call(wire, "CreateLLMConfig",
			  "{'llm_config':{'name':'c%zu','provider':'openai','llm_model_name':'m',"
			  "'llm_base_url':'http://127.0.0.1:9/v1','proxy':'%s'}}", i, good[i]);
	refused("ca_file", "ca.pem");
	refused("ca_file", "/proc/self/status"); // no certificates
	end();
}
END_TEST

/* What no call could be made to is refused when it is named. */
START_TEST(urls)
{
	static const char *const bad[] = {
		"http://", "http:///v1", "http://:80/v1", "http://host:99999/v1", "http://host:0", "http://host:x/v1",
		"http://[::1", "http://[::1]x/v1", "http://[]/v1", "http://ho{st/v1", "http://host/v1#f", "ftp://host/v1",
	};
	static const char *const good[] = {
		"http://host", "HTTPS://Host:65535/v1", "http://[::1]:8080/v1?a=b:c", "http://h\u00f6st.example/{model}",
	};

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
						  "{'llm_config':{'name':'r','provider':'openai',"
						  "'llm_model_name':'m','llm_base_url':'%s'}}", bad[i]);

		ck_assert_msg(at_is(reply, "parameters.parameter", "llm_config.llm_base_url"), "%s: %s", bad[i],
			      json_object_to_json_string(reply));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'c%zu','provider':'openai',"
			  "'llm_model_name':'m','llm_base_url':'%s'}}", i, good[i]);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(fifo, proxies, urls);
}
