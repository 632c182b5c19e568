/*
 * Paths, interfaces and members. sd-bus's own tables of properties and objects must answer at
 * once and to everybody alike; ours ask the store and look at who calls. So every message below our
 * path comes here, and the tables below are what both the dispatch and the introspection read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/bus/bus.h"
#include "daemon/front/bus/bus_internal.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define INTROSPECTABLE "org.freedesktop.DBus.Introspectable"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

enum place {
	AT_MANAGER = 1 << 0,
	AT_TASKS = 1 << 1, // the folder of the tasks
	AT_TASK = 1 << 2,
	AT_OBJECTS = AT_MANAGER | AT_TASK,
	AT_ALL = AT_MANAGER | AT_TASKS | AT_TASK,
};

/* `in` and `out`: pairs of a signature and a name, "s json a{sv} options". */
struct bus_member {
	unsigned places; // enum place
	const char *interface;
	const char *name;
	const char *in;
	const char *out;
	void (*serve)(struct bus_request *request); // NULL: a signal, with its arguments in `out`
};

static void introspect(struct bus_request *request);

/* Those of one interface lie together. */
static const struct bus_member members[] = {
	{ AT_MANAGER, BUS_MANAGER, "RunExperiment", "s json a{sv} options", "o task",
	  bus_run_experiment },
	{ AT_MANAGER, BUS_MANAGER, "CancelTask", "o task", "", bus_cancel_task },
	{ AT_MANAGER, BUS_MANAGER, "ListTasks", "a{sv} options", "ao tasks", bus_list_tasks },
	{ AT_MANAGER, BUS_MANAGER, "Subscribe", "", "", bus_subscribe },
	{ AT_MANAGER, BUS_MANAGER, "Unsubscribe", "", "", bus_unsubscribe },
	{ AT_MANAGER, BUS_MANAGER, "Call", "s method s json", "s json", bus_call_method },
	{ AT_MANAGER, BUS_MANAGER, "CallDetailed", "s method s json", "s json", bus_call_method },
	{ AT_MANAGER, BUS_MANAGER, "OpenSocket", "", "h socket", bus_open_socket },
	{ AT_MANAGER, OBJECT_MANAGER, "GetManagedObjects", "", "a{oa{sa{sv}}} objects",
	  bus_get_managed_objects },
	{ AT_MANAGER, OBJECT_MANAGER, "InterfacesAdded", "", "o object a{sa{sv}} interfaces", NULL },
	{ AT_MANAGER, OBJECT_MANAGER, "InterfacesRemoved", "", "o object as interfaces", NULL },
	{ AT_TASK, BUS_TASK, "Cancel", "", "", bus_steer_task },
	{ AT_TASK, BUS_TASK, "Pause", "", "", bus_steer_task },
	{ AT_TASK, BUS_TASK, "Resume", "", "", bus_steer_task },
	{ AT_TASK, BUS_TASK, "Retry", "", "o task", bus_retry_task },
	{ AT_TASK, BUS_TASK, "StatusChanged", "", "t sequence s status s hold s error", NULL },
	{ AT_TASK, BUS_TASK, "LogAppended", "", "t sequence s lines", NULL },
	{ AT_OBJECTS, PROPERTIES, "Get", "s interface s property", "v value", bus_get_property },
	{ AT_OBJECTS, PROPERTIES, "GetAll", "s interface", "a{sv} properties",
	  bus_get_all_properties },
	{ AT_OBJECTS, PROPERTIES, "Set", "s interface s property v value", "", bus_set_property },
	{ AT_OBJECTS, PROPERTIES, "PropertiesChanged", "",
	  "s interface a{sv} changed as invalidated", NULL },
	{ AT_ALL, INTROSPECTABLE, "Introspect", "", "s xml", introspect },
};
#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* ---- Paths ---- */

static unsigned place_of(const char *path)
{
	if (strcmp(path, BUS_PATH) == 0)
		return AT_MANAGER;
	if (strcmp(path, BUS_TASKS_PATH) == 0)
		return AT_TASKS;
	return bus_task_id(path) ? AT_TASK : 0;
}

/* ---- Introspection ---- */

static void write_arguments(FILE *out, const char *arguments, const char *direction)
{
	while (*arguments) {
		int type = (int)strcspn(arguments, " ");
		const char *name = arguments + type + 1;
		int size = (int)strcspn(name, " ");

		fprintf(out, "   <arg type=\"%.*s\" name=\"%.*s\"%s/>\n", type, arguments, size, name,
			direction);
		arguments = name + size;
		arguments += *arguments == ' ';
	}
}

static void write_member(FILE *out, const struct bus_member *member)
{
	const char *kind = member->serve ? "method" : "signal";

	fprintf(out, "  <%s name=\"%s\">\n", kind, member->name);
	write_arguments(out, member->in, " direction=\"in\"");
	write_arguments(out, member->out, member->serve ? " direction=\"out\"" : "");
	fprintf(out, "  </%s>\n", kind);
}

void bus_write_interface(FILE *out, const char *name)
{
	fprintf(out, " <interface name=\"%s\">\n", name);
	bus_write_properties(out, name);
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (strcmp(members[i].interface, name) == 0)
			write_member(out, &members[i]);
	fputs(" </interface>\n", out);
}

static void write_interfaces(FILE *out, unsigned place)
{
	const char *last = "";

	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (!(members[i].places & place) || strcmp(last, members[i].interface) == 0)
			continue;
		last = members[i].interface;
		bus_write_interface(out, last);
	}
}

/* The tasks that wait or run and that the caller may see. */
static void write_tasks(FILE *out, const struct bus_peer *peer)
{
	for (size_t i = 0; i < BUS_TASK_BUCKETS; i++)
		for (const struct bus_task *task = peer->bus->tasks[i]; task; task = task->next)
			if (bus_peer_may_see(peer, task->owner_uid))
				fprintf(out, " <node name=\"%" PRId64 "\"/>\n", task->id);
}

static char *describe(const struct bus_request *request, unsigned place)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(BUS_DOCTYPE "<node>\n", out);
	fputs(" <interface name=\"org.freedesktop.DBus.Peer\">\n"
	      "  <method name=\"Ping\"/>\n"
	      "  <method name=\"GetMachineId\">\n"
	      "   <arg type=\"s\" name=\"machine_uuid\" direction=\"out\"/>\n"
	      "  </method>\n </interface>\n", out);
	write_interfaces(out, place);
	if (place == AT_MANAGER)
		fputs(" <node name=\"task\"/>\n", out);
	else if (place == AT_TASKS)
		write_tasks(out, request->peer);
	fputs("</node>\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void introspect(struct bus_request *request)
{
	char *text = describe(request, place_of(sd_bus_message_get_path(request->message)));
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(request->message, &reply);

	if (r >= 0)
		r = text ? sd_bus_message_append(reply, "s", text) : -ENOMEM;
	free(text);
	bus_reply(request, reply, r);
}

/* ---- What a message calls ---- */

static bool has_signature(sd_bus_message *message, const char *arguments)
{
	char signature[64];
	size_t size = 0;

	while (*arguments && size < sizeof(signature) - 1) {
		size_t type = strcspn(arguments, " ");

		size += (size_t)snprintf(signature + size, sizeof(signature) - size, "%.*s",
					 (int)type, arguments);
		arguments += type + 1;
		arguments += strcspn(arguments, " ");
		arguments += *arguments == ' ';
	}
	signature[size] = '\0';
	return sd_bus_message_has_signature(message, signature) > 0;
}

/* NULL: nothing; the name of the error, and its sentence. */
static const struct bus_member *find(sd_bus_message *message, const char **ret_error,
				     const char **ret_text)
{
	const char *interface = sd_bus_message_get_interface(message);
	const char *name = sd_bus_message_get_member(message);
	unsigned place = place_of(sd_bus_message_get_path(message));
	bool known = false;

	for (size_t i = 0; place && i < N_MEMBERS; i++) {
		const struct bus_member *member = &members[i];

		if (!member->serve || !(member->places & place) ||
		    (interface && strcmp(interface, member->interface) != 0))
			continue;
		known = true;
		if (strcmp(name, member->name) != 0)
			continue;
		if (has_signature(message, member->in))
			return member;
		*ret_error = SD_BUS_ERROR_INVALID_ARGS;
		*ret_text = "The arguments are not of the types that the method takes.";
		return NULL;
	}
	*ret_error = !place		  ? SD_BUS_ERROR_UNKNOWN_OBJECT :
		     interface && !known ? SD_BUS_ERROR_UNKNOWN_INTERFACE :
					   SD_BUS_ERROR_UNKNOWN_METHOD;
	*ret_text = !place		 ? "There is no such object." :
		    interface && !known ? "The object has no such interface." :
					  "There is no such method.";
	return NULL;
}

static int refuse(sd_bus_message *message, const struct fault *fault)
{
	const struct error_info *info = error_find(fault->code);

	return sd_bus_reply_method_errorf(message, info ? info->dbus_name : SD_BUS_ERROR_FAILED,
					  "%s", fault->message);
}

/* What does not fit the interface is answered at once, and nothing of it is kept. */
int bus_tree_take(struct bus *bus, sd_bus_message *message)
{
	const struct bus_member *member;
	const char *error, *text;
	struct fault fault = { 0 };
	int64_t bytes = 0;
	uint8_t type;

	if (!sd_bus_message_get_sender(message) || sd_bus_message_get_type(message, &type) < 0 ||
	    type != SD_BUS_MESSAGE_METHOD_CALL)
		return 0;
	member = find(message, &error, &text);
	if (!member)
		return sd_bus_reply_method_errorf(message, error, "%s", text);
	if (bus_measure(message, &bytes, &fault) < 0)
		return refuse(message, &fault);
	return bus_peer_take(bus, message, bytes, member->serve);
}
