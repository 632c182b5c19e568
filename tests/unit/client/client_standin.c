#include "tests/unit/client/client_standin.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void standin_send_bytes(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		size -= (size_t) n;
	}
}

void standin_send(int fd, const char *text)
{
	standin_send_bytes(fd, text, strlen(text) + 1);
}

static void *serve(void *userdata)
{
	struct standin_guest *guest = userdata;
	const size_t room = 1 << 20;
	char *call = malloc(room), *end;
	size_t size = 0;
	ssize_t n;
	int r = 0;

	if (guest->is_deaf)
		r = -1;
	while (r >= 0 && (n = recv(guest->fd, call + size, room - size, 0)) > 0) {
		size += (size_t) n;
		while (r >= 0 && (end = memchr(call, 0, size))) {
			guest->standin->n_calls++;
			r = guest->standin->answer(guest->standin, guest->fd, call);
			size -= (size_t) (end + 1 - call);
			memmove(call, end + 1, size);
		}
	}
	shutdown(guest->fd, SHUT_RDWR);
	sem_post(&guest->standin->left);
	free(call);
	return NULL;
}

static void *accept_guests(void *userdata)
{
	struct standin *standin = userdata;
	int fd;

	while (standin->n_connections < STANDIN_GUESTS_MAX &&
	       (fd = accept4(standin->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct standin_guest *guest = &standin->guests[standin->n_connections];

		*guest = (struct standin_guest){ .standin = standin, .fd = fd };
		standin->n_connections++; // counted before the first answer can be seen
		guest->is_deaf = standin->deaf_from && standin->n_connections >= standin->deaf_from;
		if (pthread_create(&guest->thread, NULL, serve, guest) != 0)
			abort();
	}
	return NULL;
}

void standin_start(struct standin *standin,
		   int (*answer)(struct standin *standin, int fd, const char *call))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*standin = (struct standin){ .answer = answer };
	ck_assert_int_eq(sem_init(&standin->left, 0, 0), 0);
	snprintf(standin->folder, sizeof(standin->folder), "/tmp/standin-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(standin->folder));
	snprintf(standin->path, sizeof(standin->path), "%s/socket", standin->folder);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", standin->path);
	standin->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(standin->listener, 0);
	ck_assert_int_eq(bind(standin->listener, (struct sockaddr *) &address, sizeof(address)), 0);
	ck_assert_int_eq(listen(standin->listener, 100), 0);
	ck_assert_int_eq(pthread_create(&standin->acceptor, NULL, accept_guests, standin), 0);
}

void standin_await_left(struct standin *standin)
{
	while (sem_wait(&standin->left) < 0)
		;
}

void standin_stop(struct standin *standin)
{
	shutdown(standin->listener, SHUT_RDWR);
	pthread_join(standin->acceptor, NULL);
	for (int i = 0; i < standin->n_connections; i++) {
		shutdown(standin->guests[i].fd, SHUT_RDWR);
		pthread_join(standin->guests[i].thread, NULL);
		close(standin->guests[i].fd);
	}
	close(standin->listener);
	unlink(standin->path);
	rmdir(standin->folder);
}

static void send_event(int fd, int sequence, const char *status, int continues)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"parameters\":{\"event\":{\"task_id\":7,\"sequence\":%d,\"status\":\"%s\","
		 "\"at\":\"2026-01-31T12:00:00.000Z\"}}%s}",
		 sequence, status, continues ? ",\"continues\":true" : "");
	standin_send(fd, text);
}

int standin_answer(struct standin *standin, int fd, const char *call)
{
	(void) standin;
	if (strstr(call, "GetTask") && strstr(call, "\"id\":404"))
		standin_send(fd, "{\"error\":\"org.elluminate.NotFound\",\"parameters\":"
				 "{\"resource_type\":\"task\",\"id\":404}}");
	else if (strstr(call, "GetTask"))
		standin_send(fd, "{\"parameters\":{\"task\":{\"id\":7,\"kind\":\"experiment\","
				 "\"name\":\"n\",\"status\":\"STARTED\",\"priority\":\"normal\","
				 "\"project\":\"default\",\"owner_uid\":0,"
				 "\"created_at\":\"2026-01-31T12:00:00.000Z\","
				 "\"time_limit_seconds\":36000,\"running_seconds\":1.5,"
				 "\"attempts\":1,\"sequence\":3,\"news\":[1]}}}");
	else if (strstr(call, "WatchTask") && strstr(call, "\"more\":true"))
		for (int i = 1; i <= 5; i++)
			send_event(fd, i, i < 5 ? "STARTED" : "SUCCESS", i < 5);
	else if (strstr(call, "WatchTask"))
		send_event(fd, 5, "SUCCESS", 0);
	else if (strstr(call, "GetInfo"))
		standin_send(fd, "{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\","
				 "\"url\":\"u\",\"interfaces\":[\"a\",\"b\"]}}");
	else if (strstr(call, "Hang"))
		return 0;
	else
		standin_send(fd, "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":"
				 "{\"method\":\"x\"}}");
	return 0;
}
