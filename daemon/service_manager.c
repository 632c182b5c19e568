#include "daemon/service_manager.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#define STATUS_BYTES 256

int service_manager_take_listener(struct fault *fault, int *ret_fd)
{
	int n = sd_listen_fds(/* unset_environment= */ 1);

	*ret_fd = -1;
	if (n < 0)
		return fault_set(fault, n, "the sockets of the service manager cannot be had");
	if (n == 0)
		return 0;
	if (n > 1)
		return fault_set(fault, -EINVAL, "expected one socket of the service manager, got %d", n);
	if (sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, /* listening= */ 1, NULL, 0) <= 0)
		return fault_set(fault, -EINVAL, "the socket of the service manager is no listening "
				 "Unix stream socket (a socket unit must not say Accept=yes)");
	if (fcntl(SD_LISTEN_FDS_START, F_SETFL, O_NONBLOCK) < 0)
		return fault_set(fault, -errno, "the socket of the service manager cannot be used");
	*ret_fd = SD_LISTEN_FDS_START;
	return 0;
}

uint64_t service_manager_watchdog_usec(void)
{
	uint64_t usec = 0;

	return sd_watchdog_enabled(/* unset_environment= */ 1, &usec) > 0 ? usec : 0;
}

void service_manager_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void service_manager_reloading(void)
{
	(void)sd_notify(0, "RELOADING=1");
}

void service_manager_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping.");
}

void service_manager_extend_start(int64_t usec)
{
	(void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRId64, usec);
}

void service_manager_feed_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

void service_manager_status(const char *format, ...)
{
	char text[STATUS_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)sd_notifyf(0, "STATUS=%s", text);
}
