#include "daemon/front/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/front/acceptor.h"
#include "daemon/front/connection.h"
#include "daemon/front/socket_path.h"

#define PEER_GROUPS_MAX 1024
/* So long are connections freed in one turn; then others have theirs. */
#define TURN_USEC 50
/* Connections that are closed or refused for want of room are told of so often at most. */
#define LOG_PAUSE_USEC (60 * USEC_PER_SEC)

/* ---- The connections ---- */

static void remove_dead(struct front *front)
{
	struct connection *connection = (struct connection *)front->connections.dead;
	struct user *user = connection->principal.user;

	user_begin_work(user);
	front->connections.dead = connection->link.next;
	connection_free(connection);
	front->n_connections--;
	front->options.service->n_connections--;
	user_end_work(user);
}

/* Of who comes and goes one is accepted and one removed in each turn, and no more while others are at work. */
static bool may_have_more(struct user *user)
{
	return user_is_alone(user) || user_has_turn(user);
}

static void on_reap(evutil_socket_t fd, short events, void *userdata)
{
	struct front *front = userdata;
	int64_t end = clock_monotonic_usec() + TURN_USEC;
	bool had_part = false;

	(void)fd;
	(void)events;
	while (front->connections.dead && !had_part) {
		struct user *user = ((struct connection *)front->connections.dead)->principal.user;

		remove_dead(front);
		had_part = clock_monotonic_usec() >= end || !may_have_more(user);
	}
	if (front->connections.dead)
		connections_reap_soon(&front->connections);
}

/* Who connects and connects does not fill the log as well. */
static bool may_log(struct front *front)
{
	int64_t now = clock_monotonic_usec();

	if (now < front->log_again_usec)
		return false;
	front->log_again_usec = now + LOG_PAUSE_USEC;
	return true;
}

/* The longest unused connection without a call, of the user or of anyone, makes room. The end of
 * one that was handed over may still lie in the bus, and goes on counting. */
static bool make_room(struct front *front, const struct user *user)
{
	for (struct connections_link *link = front->connections.first; link; link = link->next) {
		struct connection *each = (struct connection *)link;

		if (each->call || each->decoding || each->held || each->unused.amount ||
		    (user && each->principal.user != user))
			continue;
		if (may_log(front))
			log_notice("too many connections: an idle one of user %lld is closed",
				   (long long)each->principal.uid);
		connection_kill(each);
		return true;
	}
	return false;
}

/* ---- Accepting ---- */

/* Groups beyond the limit are not looked at; root and the user count without them. The first one, by
 * which a service may be all that it is, the kernel tells apart. */
static int identify_peer(const struct front *front, int fd, struct principal *ret_principal)
{
	struct ucred peer;
	uint32_t groups[PEER_GROUPS_MAX + 1];
	socklen_t size = sizeof(peer), groups_size = PEER_GROUPS_MAX * sizeof(groups[0]);
	size_t n_groups;
	struct user *user;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		groups_size = 0;
	n_groups = groups_size / sizeof(groups[0]);
	groups[n_groups++] = peer.gid;
	user = user_of(front->options.service->users, peer.uid);
	if (!user)
		return -ENOMEM;
	*ret_principal = (struct principal){
		.user = user,
		.uid = peer.uid,
		.scopes = principal_scopes(&front->options.rules, peer.uid, groups, n_groups),
		.way = PRINCIPAL_SOCKET,
	};
	return 0;
}

/* A user's own idle connection makes room for his next one; a newcomer's, anybody's. */
static bool take_place(struct front *front, struct user *user, struct user_charge *place)
{
	if (user_take(place, user, USER_CONNECTIONS, 1))
		return true;
	if (!make_room(front, user->held[USER_CONNECTIONS] ? user : NULL))
		return false;
	user_hold(place, user, USER_CONNECTIONS, 1);
	return true;
}

/* Takes the descriptor when it succeeds. 0, or negative with the fault. */
static int admit(struct front *front, const struct principal *principal, int fd,
		 struct connection **ret_connection, struct fault *fault)
{
	struct user_charge place = { 0 };
	struct connection *connection;
	char numbers[256];

	if (!take_place(front, principal->user, &place)) {
		user_describe(principal->user, USER_CONNECTIONS, numbers, sizeof(numbers));
		if (may_log(front))
			log_warning("a connection is refused: %s", numbers);
		fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "%s", numbers);
		fault->retry_after_seconds = ACCEPT_PAUSE_SECONDS;
		return fault->code;
	}
	if (connection_new(front, principal, fd, &connection) < 0) {
		user_give_back(&place);
		return fault_oom(fault);
	}
	user_move(&place, &connection->place);
	connections_add(&front->connections, &connection->link);
	front->n_connections++;
	front->options.service->n_connections++;
	*ret_connection = connection;
	return 0;
}

/* Tells why, to who reads before he goes. */
static void refuse(int fd, const struct fault *fault)
{
	char *text;
	size_t size;

	if (wire_error_encode(fault, &text, &size) == 0) {
		(void)!send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		free(text);
	}
	close(fd);
}

static bool accept_peer(void *userdata, int fd)
{
	struct front *front = userdata;
	struct connection *connection;
	struct principal principal;
	struct fault fault = { 0 };

	if (identify_peer(front, fd, &principal) < 0) {
		close(fd);
		return true;
	}
	user_begin_work(principal.user);
	if (admit(front, &principal, fd, &connection, &fault) < 0)
		refuse(fd, &fault);
	else
		user_introduce(principal.user, &connection->waiter);
	user_end_work(principal.user);
	return may_have_more(principal.user);
}

/* ---- Connections that are handed over ---- */

int front_connect(struct front *front, const struct principal *principal, unsigned lent,
		  struct user_charge *unused, int *ret_fd, struct fault *fault)
{
	struct principal caller = *principal;
	struct connection *connection;
	int fds[2], r;

	if (front->options.service->stopping)
		return fault_set(fault, ELLU_E_SHUTTING_DOWN, NULL);
	/* The caller's end blocks, as one does that has connected. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		r = errno;
		log_about(LOG_WARNING, ABOUT(.message = LOG_OUT_OF_FILES),
			  "no socket is handed over: %s", strerror(r));
		fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "%s", strerror(r));
		fault->retry_after_seconds = ACCEPT_PAUSE_SECONDS;
		return fault->code;
	}
	(void)evutil_make_socket_nonblocking(fds[0]);
	caller.scopes |= lent;
	r = admit(front, &caller, fds[0], &connection, fault);
	if (r < 0) {
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	connection->lent = lent & ~principal->scopes;
	user_move(unused, &connection->unused);
	user_introduce(caller.user, &connection->waiter);
	*ret_fd = fds[1];
	return 0;
}

void front_take_back(struct front *front)
{
	struct connections_link *next;

	for (struct connections_link *link = front->connections.first; link; link = next) {
		struct connection *each = (struct connection *)link;

		next = link->next; // it may end
		if (each->lent)
			connection_take_back(each);
	}
}

/* ---- Listening ---- */

/* The socket, or negative. */
static int bind_socket(const struct front *front)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	if (front->options.listener >= 0)
		return front->options.listener;
	if (strlen(front->options.socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, front->options.socket_path);
	r = socket_path_clear(&address, front->options.socket_mode);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The mode is right from birth; nothing else makes files while the daemon starts. */
	mask = umask(0777 & ~front->options.socket_mode);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, SOMAXCONN) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int open_listener(struct front *front)
{
	int fd = bind_socket(front);

	return fd < 0 ? fd : acceptor_open(&front->acceptor, loop_base(front->options.loop), fd, accept_peer,
					   front);
}

static int make_events(struct front *front)
{
	front->connections.reaper = event_new(loop_base(front->options.loop), -1, 0, on_reap, front);
	return front->connections.reaper ? 0 : -ENOMEM;
}

int front_new(const struct front_options *options, struct front **ret_front, struct fault *fault)
{
	struct front *front = calloc(1, sizeof(*front));
	int r = front ? 0 : -ENOMEM;

	if (front) {
		front->options = *options;
		front->acceptor.fd = -1;
		connections_init(&front->connections);
		front->descriptions = calloc(n_interfaces, sizeof(*front->descriptions));
		r = front->descriptions ? open_listener(front) : -ENOMEM;
	}
	if (r == 0)
		r = make_events(front);
	if (r == 0)
		r = loop_new("decoder", &front->behind);
	if (r == 0)
		r = loop_start_behind(front->behind);
	if (r == 0)
		options->service->behind = front->behind;
	if (r < 0) {
		front_free(front);
		return fault_set(fault, ELLU_E_INTERNAL, "%s: %s", options->socket_path,
				 r == -EADDRINUSE ? "another daemon answers there" : strerror(-r));
	}
	*ret_front = front;
	return 0;
}

/* A socket that was removed cannot be put back, but another can take its place. */
static void listen_again(struct front *front)
{
	acceptor_close(&front->acceptor);
	if (open_listener(front) < 0)
		log_error("%s cannot be opened again", front->options.socket_path);
}

bool front_leave(struct front *front)
{
	bool own = front->options.listener < 0;

	/* Who has connected by now is in the listener's queue; nobody else gets there. */
	if (own)
		(void)unlink(front->options.socket_path);
	acceptor_turn(&front->acceptor);
	if (!front->n_connections)
		return true;
	if (own)
		listen_again(front);
	return false;
}

void front_set_times(struct front *front, int64_t output_stall_seconds, int64_t message_seconds)
{
	front->options.output_stall_seconds = output_stall_seconds;
	front->options.message_seconds = message_seconds;
}

void front_stop_listening(struct front *front)
{
	if (front->acceptor.fd < 0)
		return;
	acceptor_close(&front->acceptor);
	/* The service manager's socket goes on collecting connections for the next start. */
	if (front->options.listener < 0)
		(void)unlink(front->options.socket_path);
}

void front_close(struct front *front)
{
	while (front && front->connections.first)
		connection_kill((struct connection *)front->connections.first);
	while (front && front->connections.dead)
		remove_dead(front);
}

struct front *front_free(struct front *front)
{
	if (!front)
		return NULL;
	front_close(front);
	front_stop_listening(front);
	if (front->connections.reaper)
		event_free(front->connections.reaper);
	front->options.service->behind = NULL;
	if (front->behind) {
		loop_stop(front->behind);
		loop_join(front->behind);
	}
	loop_free(front->behind);
	for (size_t i = 0; front->descriptions && i < n_interfaces; i++)
		share_done(&front->descriptions[i]);
	free(front->descriptions);
	free(front);
	return NULL;
}
