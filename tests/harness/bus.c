#include "tests/harness/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/dir.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"

#define DBUS_DAEMON "/usr/bin/dbus-daemon"

struct message_bus {
	const char *config, *address, *variable, *socket, *services;
	int wanted; // a line is read from it when the daemon is to be started
	pid_t pid;
};

/* The policies are those of Debian's own configuration: on a session everything is allowed, on a
 * system nothing that a service's file does not allow. */
static const char session_policy[] =
	"<policy context='default'><allow send_destination='*' eavesdrop='true'/>"
	"<allow eavesdrop='true'/><allow own='*'/></policy>";

static const char system_policy[] =
	"<policy context='default'><allow user='*'/><deny own='*'/>"
	"<deny send_type='method_call'/><allow send_type='signal'/>"
	"<allow send_requested_reply='true' send_type='method_return'/>"
	"<allow send_requested_reply='true' send_type='error'/>"
	"<allow receive_type='method_call'/><allow receive_type='method_return'/>"
	"<allow receive_type='error'/><allow receive_type='signal'/>"
	"<allow send_destination='org.freedesktop.DBus'/></policy>"
	/* Tests stand in for polkit. */
	"<policy user='root'><allow own='org.freedesktop.PolicyKit1'/>"
	"<allow send_destination='org.freedesktop.PolicyKit1'/></policy>"
	"<include>" SYSTEMD_FOLDER "/org.elluminate.Elluminate1.conf</include>";

bool message_bus_is_there(void)
{
	return access(DBUS_DAEMON, X_OK) == 0;
}

static void start(struct message_bus *bus)
{
	const struct process_options options = {
		.path = DBUS_DAEMON,
		.arguments = (const char *[]){ text("--config-file=%s", bus->config), "--nofork",
					       "--nosyslog", "--print-address=3", NULL },
	};
	struct process_options with_pipe = options;
	char byte;
	int fds[2];

	(void)unlink(bus->socket);
	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	with_pipe.ready_fd = fds[1];
	bus->pid = process_start(&with_pipe);
	close(fds[1]);
	if (read(fds[0], &byte, 1) != 1)
		die("the message bus does not come up");
	close(fds[0]);
}

struct message_bus *message_bus_start(bool system)
{
	const char *folder = dir_new();
	struct message_bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		die("out of memory");
	bus->socket = dir_path(folder, "bus");
	bus->services = dir_path(folder, "services");
	if (mkdir(bus->services, 0755) < 0)
		die("mkdir: %s", strerror(errno));
	bus->config = dir_path(folder, "bus.conf");
	bus->address = text("unix:path=%s", bus->socket);
	bus->variable = text("DBUS_%s_BUS_ADDRESS=%s", system ? "SYSTEM" : "SESSION", bus->address);
	file_write(bus->config,
		   text("<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN'"
			" 'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'>"
			"<busconfig><type>%s</type><listen>%s</listen><servicedir>%s</servicedir>"
			"<auth>EXTERNAL</auth>%s"
			"<limit name='max_connections_per_user'>1000</limit>"
			"<limit name='max_completed_connections'>2000</limit>"
			"<limit name='service_start_timeout'>240000</limit></busconfig>",
			system ? "system" : "session", bus->address, bus->services,
			system ? system_policy : session_policy));
	/* Its way is free for all, as it is in /run. */
	if (chmod(folder, 0711) < 0 ||
	    chmod(text("%.*s", (int)(strrchr(folder, '/') - folder), folder), 0711) < 0)
		die("chmod: %s", strerror(errno));
	start(bus);
	return bus;
}

void message_bus_kill(struct message_bus *bus)
{
	(void)kill(bus->pid, SIGKILL);
	(void)process_wait(bus->pid, WAIT_SECONDS);
	bus->pid = 0;
}

void message_bus_restart(struct message_bus *bus)
{
	start(bus);
}

/* What it starts is a process that says so, and stays until the test is gone, as one does that serves:
 * the test itself starts the daemon. */
void message_bus_activate(struct message_bus *bus)
{
	const char *wanted = text("%s/wanted", bus->services), *stays = text("%s/stays", bus->services);

	if (mkfifo(wanted, 0600) < 0 || mkfifo(stays, 0600) < 0)
		die("mkfifo: %s", strerror(errno));
	bus->wanted = open(wanted, O_RDWR | O_CLOEXEC);
	if (bus->wanted < 0 || open(stays, O_RDWR | O_CLOEXEC) < 0)
		die("fifo: %s", strerror(errno));
	file_write(text("%s/start", bus->services), text("echo >%s\nexec cat %s\n", wanted, stays));
	file_write(text("%s/org.elluminate.Elluminate1.service", bus->services),
		   text("[D-BUS Service]\nName=org.elluminate.Elluminate1\n"
			"Exec=/bin/sh %s/start\n", bus->services));
}

void message_bus_wants_daemon(struct message_bus *bus)
{
	struct pollfd wanted = { .fd = bus->wanted, .events = POLLIN };
	char line;

	if (poll(&wanted, 1, (int)(WAIT_SECONDS * 1000)) != 1 || read(bus->wanted, &line, 1) != 1)
		die("the bus does not start the daemon");
}

void message_bus_hang(struct message_bus *bus, bool hangs)
{
	(void)kill(bus->pid, hangs ? SIGSTOP : SIGCONT);
}

const char *message_bus_address(const struct message_bus *bus)
{
	return bus->address;
}

const char *message_bus_variable(const struct message_bus *bus)
{
	return bus->variable;
}
