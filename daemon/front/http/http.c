#include "daemon/front/http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/front/acceptor.h"
#include "daemon/front/http/http_connection.h"
#include "daemon/front/http/http_exchange.h"
#include "daemon/front/http/http_socket.h"
#include "daemon/front/http/http_state.h"
#include "daemon/front/socket_path.h"

#define LOG_PAUSE_USEC (60 * USEC_PER_SEC)

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

const char *http_url(const struct http *http)
{
	return http->url;
}

/* ---- The connections ---- */

static void remove_dead(struct http *http)
{
	while (http->connections.dead) {
		struct http_connection *connection = (struct http_connection *)http->connections.dead;

		http->connections.dead = connection->link.next;
		http->options.service->n_connections--;
		http_connection_free(connection);
	}
}

static void on_reap(evutil_socket_t fd, short events, void *userdata)
{
	(void)fd;
	(void)events;
	remove_dead(userdata);
}

/* Who is told something because of it is told that in the next turn. */
static void on_flush(evutil_socket_t fd, short events, void *userdata)
{
	struct http *http = userdata;
	struct http_connection *told = http->told;

	(void)fd;
	(void)events;
	http->told = NULL;
	if (told)
		told->told_link = &told;
	while (told) {
		struct http_connection *connection = told;

		http_flush_forget(connection);
		output_flush(&connection->output);
	}
}

static bool may_log(struct http *http)
{
	int64_t now = clock_monotonic_usec();

	if (now < http->log_again_usec)
		return false;
	http->log_again_usec = now + LOG_PAUSE_USEC;
	return true;
}

/* The longest unused one without a request makes room. */
static bool make_room(struct http *http)
{
	for (struct connections_link *link = http->connections.first; link; link = link->next) {
		struct http_connection *each = (struct http_connection *)link;

		if (!each->exchange) {
			http_connection_kill(each);
			return true;
		}
	}
	return false;
}

/* ---- Streams ---- */

static void on_heartbeat(evutil_socket_t fd, short events, void *userdata)
{
	struct http *http = userdata;
	struct connections_link *next;

	(void)fd;
	(void)events;
	for (struct connections_link *link = http->connections.first; link; link = next) {
		struct http_connection *each = (struct http_connection *)link;
		struct http_exchange *exchange = each->exchange;

		next = link->next;
		if (!exchange || !exchange->counted)
			continue;
		/* A token's end is the end of what it was shown for. */
		if (exchange->token.token && token_is_over(exchange->token.token))
			http_connection_kill(each);
		else
			http_stream_beat(exchange);
	}
}

/* ---- Accepting ---- */

static void admit(struct http *http, struct user *stranger, int fd)
{
	const int on = 1;
	struct user_charge place = { 0 };
	struct http_connection *connection;
	bool room = http->n_connections < http->options.limits.connections || make_room(http);

	if (!room || !user_take(&place, stranger, USER_CONNECTIONS, 1) ||
	    http_connection_new(http, fd, &connection) < 0) {
		if (may_log(http))
			log_warning("an HTTP connection is refused: there are %lld",
				    (long long)http->n_connections);
		user_give_back(&place);
		close(fd);
		return;
	}
	/* A Unix socket has no such option. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	user_move(&place, &connection->place);
	connections_add(&http->connections, &connection->link);
	http->n_connections++;
	http->options.service->n_connections++;
}

static bool accept_peer(void *userdata, int fd)
{
	struct http *http = userdata;
	struct user *stranger = user_of(http->options.service->users, USER_UNKNOWN);

	if (!stranger) {
		close(fd);
		return true;
	}
	user_begin_work(stranger);
	admit(http, stranger, fd);
	user_end_work(stranger);
	return user_is_alone(stranger) || user_has_turn(stranger);
}

/* ---- Addresses ---- */

static int parse_port(const char *text, uint16_t *ret_port)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (end == text || *end || port < 0 || port > 65535)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

/* Loopback alone: what comes from elsewhere comes through a proxy that speaks TLS. */
static int parse_address(const char *text, union address *ret_address, socklen_t *ret_size)
{
	const char *colon = strrchr(text, ':');
	char host[64];

	memset(ret_address, 0, sizeof(*ret_address));
	if (text[0] == '/') {
		if (strlen(text) >= sizeof(ret_address->un.sun_path))
			return -ENAMETOOLONG;
		ret_address->un.sun_family = AF_UNIX;
		strcpy(ret_address->un.sun_path, text);
		*ret_size = sizeof(ret_address->un);
		return 0;
	}
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (strcmp(host, "[::1]") == 0) {
		ret_address->in6.sin6_family = AF_INET6;
		ret_address->in6.sin6_addr = in6addr_loopback;
		*ret_size = sizeof(ret_address->in6);
		return parse_port(colon + 1, &ret_address->in6.sin6_port);
	}
	if (strcmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	ret_address->in.sin_family = AF_INET;
	*ret_size = sizeof(ret_address->in);
	if (inet_pton(AF_INET, host, &ret_address->in.sin_addr) != 1 ||
	    ntohl(ret_address->in.sin_addr.s_addr) >> 24 != 127)
		return -EINVAL;
	return parse_port(colon + 1, &ret_address->in.sin_port);
}

int http_check_address(const char *address, struct fault *fault)
{
	union address parsed;
	socklen_t size;

	if (parse_address(address, &parsed, &size) == 0)
		return 0;
	return fault_set(fault, -EINVAL, "expected a loopback address and a port (127.0.0.1:8080, "
			 "[::1]:8080), or the path of a Unix socket");
}

/* The names that it is reached by: against those that were made to lead here. */
static void name_hosts(struct http *http, const union address *address)
{
	const char *more = http->options.hosts ? http->options.hosts : "";
	unsigned port;

	if (address->any.sa_family == AF_UNIX) {
		snprintf(http->hosts, sizeof(http->hosts), "localhost %s", more);
		snprintf(http->url, sizeof(http->url), "unix:%s", address->un.sun_path);
		return;
	}
	port = ntohs(address->any.sa_family == AF_INET6 ? address->in6.sin6_port :
							  address->in.sin_port);
	snprintf(http->hosts, sizeof(http->hosts), "127.0.0.1:%u localhost:%u [::1]:%u localhost %s", port, port,
		 port, more);
	snprintf(http->url, sizeof(http->url), "http://%s:%u",
		 address->any.sa_family == AF_INET6 ? "[::1]" : "127.0.0.1", port);
}

static int bind_address(struct http *http, const union address *address, socklen_t size)
{
	const int on = 1;
	mode_t mask = 0;
	int fd, r;

	fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (address->any.sa_family == AF_UNIX)
		mask = umask(0777 & ~http->options.socket_mode);
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	r = bind(fd, &address->any, size) < 0 ? -errno : 0;
	if (address->any.sa_family == AF_UNIX)
		umask(mask);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int open_listener(struct http *http)
{
	union address address = { 0 };
	socklen_t size = sizeof(address);
	int fd, r;

	r = parse_address(http->options.address, &address, &size);
	if (r == 0 && address.any.sa_family == AF_UNIX)
		r = socket_path_clear(&address.un, http->options.socket_mode);
	fd = r < 0 ? r : bind_address(http, &address, size);
	if (fd < 0)
		return fd;
	r = acceptor_open(&http->acceptor, loop_base(http->options.loop), fd, accept_peer, http);
	size = sizeof(address);
	if (r == 0 && getsockname(fd, &address.any, &size) < 0)
		r = -errno;
	if (r == 0)
		name_hosts(http, &address);
	return r;
}

/* ---- Life ---- */

static int make_events(struct http *http)
{
	struct event_base *base = loop_base(http->options.loop);

	http->connections.reaper = event_new(base, -1, 0, on_reap, http);
	http->heart = event_new(base, -1, EV_PERSIST, on_heartbeat, http);
	http->flusher = event_new(base, -1, 0, on_flush, http);
	return http->connections.reaper && http->heart && http->flusher ? 0 : -ENOMEM;
}

int http_new(const struct http_options *options, struct http **ret_http, struct fault *fault)
{
	struct http *http = calloc(1, sizeof(*http));
	int r = -ENOMEM;

	if (http) {
		http->options = *options;
		http->acceptor.fd = -1;
		connections_init(&http->connections);
		r = open_listener(http);
	}
	if (r == 0)
		r = make_events(http);
	if (r < 0) {
		http_free(http);
		return fault_set(fault, ELLU_E_INTERNAL, "HTTP cannot be served on %s: %s",
				 options->address, strerror(-r));
	}
	*ret_http = http;
	return 0;
}

void http_set_limits(struct http *http, const struct http_limits *limits)
{
	if (http)
		http->options.limits = *limits;
}

void http_stop_listening(struct http *http)
{
	if (!http || http->acceptor.fd < 0)
		return;
	acceptor_close(&http->acceptor);
	if (http->options.address[0] == '/')
		(void)unlink(http->options.address);
}

void http_close(struct http *http)
{
	while (http && http->connections.first)
		http_connection_kill((struct http_connection *)http->connections.first);
	if (http)
		remove_dead(http);
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	if (http->connections.reaper)
		http_close(http);
	http_stop_listening(http);
	if (http->connections.reaper)
		event_free(http->connections.reaper);
	if (http->heart)
		event_free(http->heart);
	if (http->flusher)
		event_free(http->flusher);
	free(http);
	return NULL;
}
