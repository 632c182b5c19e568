/* A message bus that is absent, hangs, goes away and comes back: tasks and the socket do not notice. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/session_bus.h"

static bool has_owner(void)
{
	return sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
				  "org.freedesktop.DBus", "GetNameOwner", NULL, NULL, "s", NAME) >= 0;
}

static int on_owner(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	(void)message;
	(void)error;
	*(bool *)userdata = true;
	return 0;
}

/* Waits on the bus's own word that the name has an owner. */
static void await_name(void)
{
	bool changed = false;

	ck_assert_int_ge(sd_bus_add_match(client, NULL,
					  "type='signal',sender='org.freedesktop.DBus',"
					  "member='NameOwnerChanged',arg0='" NAME "'", on_owner,
					  &changed), 0);
	while (!changed && !has_owner()) {
		int r = sd_bus_process(client, NULL);

		ck_assert_int_ge(r, 0);
		if (r == 0)
			ck_assert_int_ge(sd_bus_wait(client, (uint64_t)(WAIT_SECONDS * 1e6)), 0);
	}
}

START_TEST(a_bus_that_comes_and_goes)
{
	message_bus = message_bus_start(/* system= */ false);
	message_bus_kill(message_bus);
	start_daemon(NULL); // it serves although there is no bus
	ck_assert(daemon_is_well(server));
	for (int i = 0; i < 3; i++) {
		message_bus_restart(message_bus);
		connect_client();
		await_name();
		ck_assert_int_ge(sd_bus_call_method(client, NAME, "/org/elluminate/Elluminate1",
						    NAME ".Manager", "Subscribe", NULL, NULL, ""), 0);
		client = sd_bus_unref(client);
		message_bus_kill(message_bus);
		ck_assert(daemon_is_well(server));
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(a_bus_that_hangs)
{
	message_bus = message_bus_start(/* system= */ false);
	message_bus_hang(message_bus, true);
	start_daemon(NULL); // READY all the same, after BUS_SETTLE_SECONDS
	ck_assert(daemon_is_well(server));
	message_bus_hang(message_bus, false);
	connect_client();
	await_name();
	message_bus_hang(message_bus, true);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
	message_bus_hang(message_bus, false);
}
END_TEST

/* A daemon that was started outside of any session joins the bus of the user's next one. */
START_TEST(a_bus_where_the_next_session_has_it)
{
	const char *folder = text("/run/user/%u", (unsigned)getuid());

	/* /run is the test's own. */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		return;
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/run", "tmpfs", 0, NULL), 0);
	message_bus = message_bus_start(/* system= */ false);
	server = daemon_start(&(struct daemon_options) { .bus = true, .environment = (const char *[]) {
		"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", NULL } });
	connect_client();
	ck_assert(!has_owner());
	ck_assert_int_eq(mkdir("/run/user", 0755) | mkdir(folder, 0700), 0);
	ck_assert_int_eq(symlink(strchr(message_bus_address(message_bus), '=') + 1,
				 text("%s/bus", folder)), 0);
	await_name();
}
END_TEST

int main(void)
{
	if (!message_bus_is_there())
		return EXIT_SKIPPED;
	return RUN_SUITE(a_bus_that_comes_and_goes, a_bus_that_hangs,
			 a_bus_where_the_next_session_has_it);
}
