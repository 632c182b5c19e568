/* A daemon that serves HTTP, and who asks it there with a token. */
#pragma once

#include "tests/harness/http.h"
#include "tests/harness/suite.h"

/* Of the test that runs. */
extern struct daemon *server;
extern struct wire *wire;
extern struct http_peer *peer;
extern const char *url, *secret;

/* One more, that says so much more in its heads. */
struct http_peer *peer_new(const char *more);

void begin(void);
/* The daemon is well until it is told to stop. */
void end(void);

#define POST(status, target, body) http_json(peer, status, "POST", target, body)
#define GET(status, target) http_json(peer, status, "GET", target, NULL)
