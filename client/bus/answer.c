#include "client/bus/answer.h"

#include <string.h>

#include "proto/json_check.h"
#include "proto/method.h"

#define ERROR_PREFIX "org.elluminate.Error."

static const struct error_info *find_error(const char *dbus_name)
{
	for (size_t i = 0; i < n_interfaces; i++)
		for (size_t j = 0; j < interfaces[i]->n_errors; j++)
			if (strcmp(interfaces[i]->errors[j].dbus_name, dbus_name) == 0)
				return &interfaces[i]->errors[j];
	return NULL;
}

/* A sentence, and the members of the error as JSON. */
static void read_own_error(sd_bus_message *message, const sd_bus_error *error,
			   struct bus_answer *answer)
{
	const struct error_info *info = find_error(error->name);
	const char *sentence, *text;
	json_object *parameters = NULL;
	struct fault ignored;

	if (sd_bus_message_read(message, "ss", &sentence, &text) > 0)
		(void) json_parse_strict(text, strlen(text), &parameters, &ignored);
	answer->kind = BUS_ANSWER_ERROR;
	(void) fault_from_parameters(info ? info->qualified_name : error->name, parameters,
				     &answer->fault);
	json_object_put(parameters);
}

/* The bus's own errors, by the name behind its prefix. */
static enum bus_answer_kind kind_of_bus_error(const char *name)
{
	static const char *const lost[] = { "NoReply", "Timeout", "TimedOut", "Disconnected" };
	static const char *const unreachable[] = { "ServiceUnknown", "NameHasNoOwner" };

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (strcmp(name, lost[i]) == 0)
			return BUS_ANSWER_LOST;
	for (size_t i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]); i++)
		if (strcmp(name, unreachable[i]) == 0)
			return BUS_ANSWER_UNREACHABLE;
	return strncmp(name, "Spawn.", 6) == 0 ? BUS_ANSWER_UNREACHABLE : BUS_ANSWER_ERROR;
}

static void read_bus_error(const sd_bus_error *error, struct bus_answer *answer)
{
	static const char prefix[] = "org.freedesktop.DBus.Error.";
	const char *text = error->message ? error->message : "";
	const char *name = "";

	if (strncmp(error->name, prefix, sizeof(prefix) - 1) == 0)
		name = error->name + sizeof(prefix) - 1;
	answer->kind = kind_of_bus_error(name);
	/* What starts the daemon on demand could not. */
	if (strncmp(error->name, "org.freedesktop.systemd1.", 25) == 0)
		answer->kind = BUS_ANSWER_UNREACHABLE;
	if (strcmp(name, "AccessDenied") == 0)
		fault_set(&answer->fault, ELLU_E_PERMISSION_DENIED, NULL);
	else if (strcmp(name, "NoMemory") == 0)
		fault_oom(&answer->fault);
	else
		fault_set(&answer->fault, ELLU_E_INTERNAL, "The message bus says %s: %s", error->name,
			  text);
}

static int read_reply(sd_bus_message *message, struct bus_answer *answer)
{
	const char *text;

	if (sd_bus_message_is_empty(message) > 0)
		return 0;
	if (sd_bus_message_read(message, "s", &text) <= 0) {
		fault_message(&answer->fault, 0, "the answer is no text");
		return -1;
	}
	if (json_parse_strict(text, strlen(text), &answer->parameters, &answer->fault) < 0)
		return -1;
	if (json_object_is_type(answer->parameters, json_type_object))
		return 0;
	fault_message(&answer->fault, 0, "the answer is no object");
	return -1;
}

void bus_answer_read(sd_bus_message *message, struct bus_answer *ret_answer)
{
	const sd_bus_error *error = sd_bus_message_get_error(message);

	*ret_answer = (struct bus_answer){ .kind = BUS_ANSWER_REPLY };
	if (error && strncmp(error->name, ERROR_PREFIX, sizeof(ERROR_PREFIX) - 1) == 0)
		read_own_error(message, error, ret_answer);
	else if (error)
		read_bus_error(error, ret_answer);
	else if (read_reply(message, ret_answer) < 0)
		ret_answer->kind = BUS_ANSWER_BAD;
}

void bus_answer_done(struct bus_answer *answer)
{
	json_object_put(answer->parameters);
	answer->parameters = NULL;
}
