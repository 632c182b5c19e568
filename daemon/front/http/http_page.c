/* The status page: static files, compiled in. They are the same for everybody, and hold nothing; what they
 * show they ask for by the token of who looks. */
#include <string.h>

#include "daemon/front/http/http_tables.h"
#include "daemon/front/http/page_files.h"

static void serve(struct http_exchange *exchange, const char *type, const unsigned char *data, size_t size)
{
	/* Nothing from elsewhere, nothing inline, nobody's frame. */
	http_add_header(exchange, "Content-Security-Policy",
			"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
			"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
	http_add_header(exchange, "Referrer-Policy", "no-referrer");
	http_add_header(exchange, "Cross-Origin-Opener-Policy", "same-origin");
	http_answer(exchange, 200, type, data, size);
}

static void serve_index(struct http_exchange *exchange)
{
	serve(exchange, "text/html; charset=utf-8", page_index_html, sizeof(page_index_html));
}

static void serve_style(struct http_exchange *exchange)
{
	serve(exchange, "text/css; charset=utf-8", page_style_css, sizeof(page_style_css));
}

static void serve_app(struct http_exchange *exchange)
{
	serve(exchange, "text/javascript; charset=utf-8", page_app_js, sizeof(page_app_js));
}

static const struct http_route routes[] = {
	{ "/", HTTP_GET, HTTP_ANYONE, .serve = serve_index },
	{ "/style.css", HTTP_GET, HTTP_ANYONE, .serve = serve_style },
	{ "/app.js", HTTP_GET, HTTP_ANYONE, .serve = serve_app },
};
const struct http_routes http_page_routes = HTTP_ROUTES(routes);
