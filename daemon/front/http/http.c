#include "daemon/front/http/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/front/acceptor.h"
#include "daemon/front/http/http_connection.h"
#include "daemon/front/socket_path.h"

#define LOG_PAUSE_USEC (60 * USEC_PER_SEC)
#define HOSTS_MAX 1024
#define URL_SIZE 512

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

struct http {
	struct http_options options;
	struct http_connection *connections; // the longest unused first
	struct http_connection **tail;
	int64_t n_connections;
	int64_t n_streams;
	struct acceptor acceptor;
	struct event *heart; // beats while there are streams
	struct http_connection *dead; // until the reaper frees them
	struct event *reaper;
	struct http_connection *told; // in this turn
	struct event *flusher;
	int64_t log_again_usec; // monotonic
	char hosts[HOSTS_MAX]; // names that Host may have, with blanks around each
	char url[URL_SIZE];
};

struct loop *http_loop(const struct http *http)
{
	return http->options.loop;
}

struct service *http_service(const struct http *http)
{
	return http->options.service;
}

const struct http_routes *const *http_tables(const struct http *http)
{
	return http->options.tables;
}

const struct http_limits *http_get_limits(const struct http *http)
{
	return &http->options.limits;
}

const char *http_url(const struct http *http)
{
	return http->url;
}

/* ---- The connections ---- */

static void link_connection(struct http *http, struct http_connection *connection)
{
	connection->next = NULL;
	connection->link = http->tail;
	*http->tail = connection;
	http->tail = &connection->next;
}

static void unlink_connection(struct http *http, struct http_connection *connection)
{
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	else
		http->tail = connection->link;
}

void http_touch(struct http_connection *connection)
{
	unlink_connection(connection->http, connection);
	link_connection(connection->http, connection);
}

void http_reap_soon(struct http_connection *connection)
{
	static const struct timeval at_once = { 0 };
	struct http *http = connection->http;

	unlink_connection(http, connection);
	http->n_connections--;
	connection->next = http->dead;
	http->dead = connection;
	(void)event_add(http->reaper, &at_once);
}

static void remove_dead(struct http *http)
{
	while (http->dead) {
		struct http_connection *connection = http->dead;

		http->dead = connection->next;
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

void http_flush_soon(struct http_connection *connection)
{
	static const struct timeval at_once = { 0 };
	struct http *http = connection->http;

	if (connection->told_link)
		return;
	if (!http->told)
		(void)event_add(http->flusher, &at_once);
	connection->next_told = http->told;
	connection->told_link = &http->told;
	if (http->told)
		http->told->told_link = &connection->next_told;
	http->told = connection;
}

void http_flush_forget(struct http_connection *connection)
{
	if (!connection->told_link)
		return;
	*connection->told_link = connection->next_told;
	if (connection->next_told)
		connection->next_told->told_link = connection->told_link;
	connection->told_link = NULL;
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
	for (struct http_connection *each = http->connections; each; each = each->next)
		if (!each->exchange) {
			http_connection_kill(each);
			return true;
		}
	return false;
}

/* ---- Streams ---- */

static void on_heartbeat(evutil_socket_t fd, short events, void *userdata)
{
	struct http *http = userdata;
	struct http_connection *next;

	(void)fd;
	(void)events;
	for (struct http_connection *each = http->connections; each; each = next) {
		struct http_exchange *exchange = each->exchange;

		next = each->next;
		if (!exchange || !exchange->counted)
			continue;
		/* A token's end is the end of what it was shown for. */
		if (exchange->token.token && token_is_over(exchange->token.token))
			http_connection_kill(each);
		else
			http_stream_beat(exchange);
	}
}

void http_stream_count(struct http *http, int change)
{
	const struct timeval beat = { .tv_sec = http->options.limits.heartbeat_seconds };

	http->n_streams += change;
	if (!http->n_streams)
		(void)event_del(http->heart);
	else if (!event_pending(http->heart, EV_TIMEOUT, NULL))
		(void)event_add(http->heart, &beat);
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
	link_connection(http, connection);
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

bool http_knows_host(const struct http *http, const char *host)
{
	size_t size = strlen(host);
	const char *at = http->hosts;

	while (size && *(at += strspn(at, " "))) {
		if (strcspn(at, " ") == size && strncasecmp(at, host, size) == 0)
			return true;
		at += strcspn(at, " ");
	}
	return false;
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

	http->reaper = event_new(base, -1, 0, on_reap, http);
	http->heart = event_new(base, -1, EV_PERSIST, on_heartbeat, http);
	http->flusher = event_new(base, -1, 0, on_flush, http);
	return http->reaper && http->heart && http->flusher ? 0 : -ENOMEM;
}

int http_new(const struct http_options *options, struct http **ret_http, struct fault *fault)
{
	struct http *http = calloc(1, sizeof(*http));
	int r = -ENOMEM;

	if (http) {
		http->options = *options;
		http->acceptor.fd = -1;
		http->tail = &http->connections;
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
	while (http && http->connections)
		http_connection_kill(http->connections);
	if (http)
		remove_dead(http);
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	if (http->reaper)
		http_close(http);
	http_stop_listening(http);
	if (http->reaper)
		event_free(http->reaper);
	if (http->heart)
		event_free(http->heart);
	if (http->flusher)
		event_free(http->flusher);
	free(http);
	return NULL;
}
