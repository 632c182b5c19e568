#include "tests/integration/http_service.h"

struct daemon *server;
struct wire *wire;
struct http_peer *peer;
const char *url, *secret;

struct http_peer *peer_new(const char *more)
{
	struct http_peer *made = http_open(url);

	http_set_headers(made, text("X-API-Key: %s\r\n%s", secret, more));
	return made;
}

void begin(void)
{
	server = daemon_start(&(struct daemon_options) {
		.config = "[http]\nheartbeat_seconds = 1\n",
		.arguments = (const char *const[]) { "--http", "127.0.0.1:0", NULL } });
	wire = daemon_connect(server);
	url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'t'}"), "secret"));
	peer = peer_new("");
}

void end(void)
{
	http_close(peer);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}
