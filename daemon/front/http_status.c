/* How the daemon is, for programs that watch it: /healthz, and /metrics as Prometheus reads them. */
#include <stdio.h>
#include <string.h>

#include "daemon/front/http_tables.h"

static void serve_health(struct http_exchange *exchange)
{
	const char *text = exchange->service->stopping ? "stopping\n" : "ok\n";

	http_answer(exchange, exchange->service->stopping ? 503 : 200, "text/plain; charset=utf-8", text,
		    strlen(text));
}

static const struct http_route routes[] = {
	{ "/healthz", HTTP_GET, HTTP_ANYONE, .serve = serve_health },
};
const struct http_routes http_status_routes = HTTP_ROUTES(routes);
