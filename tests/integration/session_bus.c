#include "tests/integration/session_bus.h"

struct message_bus *message_bus;
struct daemon *server;
sd_bus *client;

void connect_client(void)
{
	client = bus_client_new(message_bus_address(message_bus));
}

void start_daemon(const char *config)
{
	server = daemon_start(&(struct daemon_options) {
		.bus = true,
		.config = config,
		.environment = (const char *[]) { message_bus_variable(message_bus), NULL } });
}

void start(void)
{
	message_bus = message_bus_start(/* system= */ false);
	start_daemon(NULL);
	connect_client();
}

/* What sd_bus_call() came to. */
static int exchange(const char *path, const char *interface, const char *method, const char *types,
		    va_list arguments, sd_bus_error *error, sd_bus_message **ret_reply)
{
	sd_bus_message *message = NULL;
	int r;

	ck_assert_int_ge(sd_bus_message_new_method_call(client, &message, NAME, path, interface,
							method), 0);
	ck_assert_int_ge(sd_bus_message_appendv(message, types, arguments), 0);
	r = sd_bus_call(client, message, (uint64_t)(WAIT_SECONDS * 1e6), error, ret_reply);
	sd_bus_message_unref(message);
	return r;
}

sd_bus_message *call(const char *path, const char *interface, const char *method, const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	va_list arguments;
	int r;

	va_start(arguments, types);
	r = exchange(path, interface, method, types, arguments, &error, &reply);
	va_end(arguments);
	ck_assert_msg(r >= 0, "%s: %s: %s", method, error.name, error.message);
	return reply;
}

void refused(const char *name, const char *path, const char *interface, const char *method,
	     const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	va_list arguments;

	va_start(arguments, types);
	ck_assert_int_lt(exchange(path, interface, method, types, arguments, &error, NULL), 0);
	va_end(arguments);
	ck_assert_str_eq(error.name, name);
	sd_bus_error_free(&error);
}

static int on_error(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	const char *sentence, *details;

	(void)error;
	ck_assert_int_eq(sd_bus_message_is_method_error(message, NULL), 1);
	ck_assert_int_ge(sd_bus_message_read(message, "s", &sentence), 0);
	if (sd_bus_message_read(message, "s", &details) <= 0)
		details = "";
	*(const char **)userdata = text("%s %s", sentence, details);
	return 0;
}

const char *error_of(const char *method, const char *called, const char *parameters)
{
	const char *said = NULL;

	ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, MANAGER, method, on_error,
						  &said, "ss", called, parameters), 0);
	while (!said) {
		int r = sd_bus_process(client, NULL);

		ck_assert_int_ge(r, 0);
		if (r == 0)
			ck_assert_int_gt(sd_bus_wait(client, (uint64_t)(WAIT_SECONDS * 1e6)), 0);
	}
	return said;
}
