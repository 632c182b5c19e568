/*
 * Each test answers a value that the next one must be called with: a wrong one is answered with
 * CertificationError, which says what was wanted and what came.
 */
#include "tests/certification/certification.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CLIENTS_MAX 100
#define ID_SIZE 40
#define REPLIES 10

static const char description[] =
	"# Interface to test varlink implementations against.\n"
	"interface org.varlink.certification\n\n"
	"type Interface (\n"
	"  foo: ?[]?[string](foo, bar, baz),\n"
	"  anon: (foo: bool, bar: bool)\n"
	")\n\n"
	"type MyType (\n"
	"  object: object,\n"
	"  enum: (one, two, three),\n"
	"  struct: (first: int, second: string),\n"
	"  array: []string,\n"
	"  dictionary: [string]string,\n"
	"  stringset: [string](),\n"
	"  nullable: ?string,\n"
	"  nullable_array_struct: ?[](first: int, second: string),\n"
	"  interface: Interface\n"
	")\n\n"
	"method Start() -> (client_id: string)\n\n"
	"method Test01(client_id: string) -> (bool: bool)\n\n"
	"method Test02(client_id: string, bool: bool) -> (int: int)\n\n"
	"method Test03(client_id: string, int: int) -> (float: float)\n\n"
	"method Test04(client_id: string, float: float) -> (string: string)\n\n"
	"method Test05(client_id: string, string: string) -> (\n"
	"  bool: bool,\n  int: int,\n  float: float,\n  string: string\n)\n\n"
	"method Test06(\n"
	"  client_id: string,\n  bool: bool,\n  int: int,\n  float: float,\n  string: string\n"
	") -> (\n"
	"  struct: (bool: bool, int: int, float: float, string: string)\n)\n\n"
	"method Test07(\n"
	"  client_id: string,\n"
	"  struct: (bool: bool, int: int, float: float, string: string)\n"
	") -> (map: [string]string)\n\n"
	"method Test08(client_id: string, map: [string]string) -> (set: [string]())\n\n"
	"method Test09(client_id: string, set: [string]()) -> (mytype: MyType)\n\n"
	"# returns more than one reply with \"continues\"\n"
	"method Test10(client_id: string, mytype: MyType) -> (string: string)\n\n"
	"method Test11(client_id: string, last_more_replies: []string) -> ()\n\n"
	"method End(client_id: string) -> (all_ok: bool)\n\n"
	"error ClientIdError ()\n\n"
	"error CertificationError (wants: object, got: object)\n";

#define PI "3.141592653589793"
#define STRUCT "{\"bool\":false,\"int\":2,\"float\":" PI ",\"string\":\"a lot of string\"}"
#define MYTYPE                                                                                     \
	"{\"object\":{\"method\":\"org.varlink.certification.Test09\",\"parameters\":{\"map\":"    \
	"{\"foo\":\"Foo\",\"bar\":\"Bar\"}}},\"enum\":\"two\",\"struct\":{\"first\":1,"            \
	"\"second\":\"2\"},\"array\":[\"one\",\"two\",\"three\"],\"dictionary\":{\"foo\":\"Foo\"," \
	"\"bar\":\"Bar\"},\"stringset\":{\"one\":{},\"two\":{},\"three\":{}},\"nullable\":null,"   \
	"\"nullable_array_struct\":null,\"interface\":{\"foo\":[null,{\"Foo\":\"foo\",\"Bar\":"    \
	"\"bar\"},null,{\"one\":\"foo\",\"two\":\"bar\"}],\"anon\":{\"foo\":true,\"bar\":false}}}"

/* What each test is to be called with, besides the client's id, and what it answers. */
static const struct test {
	const char *name;
	const char *wants;
	const char *answer;
} tests[] = {
	{ "Test01", "{}", "{\"bool\":true}" },
	{ "Test02", "{\"bool\":true}", "{\"int\":1}" },
	{ "Test03", "{\"int\":1}", "{\"float\":1.0}" },
	{ "Test04", "{\"float\":1.0}", "{\"string\":\"ping\"}" },
	{ "Test05", "{\"string\":\"ping\"}", STRUCT },
	{ "Test06", STRUCT, "{\"struct\":" STRUCT "}" },
	{ "Test07", "{\"struct\":" STRUCT "}", "{\"map\":{\"bar\":\"Bar\",\"foo\":\"Foo\"}}" },
	{ "Test08", "{\"map\":{\"bar\":\"Bar\",\"foo\":\"Foo\"}}",
	  "{\"set\":{\"one\":{},\"two\":{},\"three\":{}}}" },
	{ "Test09", "{\"set\":{\"one\":{},\"two\":{},\"three\":{}}}", "{\"mytype\":" MYTYPE "}" },
	{ "Test10", "{\"mytype\":" MYTYPE "}", NULL },
	{ "Test11", NULL, "{}" },
	{ "End", "{}", "{\"all_ok\":true}" },
};

/* The ids that are valid; the oldest goes when there are too many. */
static char clients[CLIENTS_MAX][ID_SIZE];
static unsigned n_started;

static const char *start_client(void)
{
	char *id = clients[n_started % CLIENTS_MAX];

	snprintf(id, ID_SIZE, "client-%u", ++n_started);
	return id;
}

static char *find_client(json_object *parameters)
{
	const char *id = json_object_get_string(json_object_object_get(parameters, "client_id"));

	for (unsigned i = 0; id && id[0] && i < CLIENTS_MAX; i++)
		if (strcmp(clients[i], id) == 0)
			return clients[i];
	return NULL;
}

/* Equal, where a number with a fraction of zero is the same as the integer, and a member that is
 * null the same as one that is not there. */
static bool same(json_object *a, json_object *b);

static bool holds(json_object *a, json_object *b)
{
	json_object_object_foreach(a, name, value)
		if (!same(value, json_object_object_get(b, name)))
			return false;
	return true;
}

static bool is_number(json_object *json)
{
	return json_object_is_type(json, json_type_int) ||
	       json_object_is_type(json, json_type_double);
}

static bool same(json_object *a, json_object *b)
{
	if (json_object_is_type(a, json_type_object) && json_object_is_type(b, json_type_object))
		return holds(a, b) && holds(b, a);
	if (json_object_is_type(a, json_type_array) && json_object_is_type(b, json_type_array)) {
		size_t n = json_object_array_length(a);

		if (n != json_object_array_length(b))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!same(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
				return false;
		return true;
	}
	if (is_number(a) && is_number(b))
		return json_object_get_double(a) == json_object_get_double(b);
	return json_object_equal(a, b);
}

static void reply_text(struct raw_call *call, const char *text, bool continues)
{
	json_object *parameters = json_tokener_parse(text);

	call->reply(call, parameters, continues);
	json_object_put(parameters);
}

/* Takes both. */
static void fail(struct raw_call *call, json_object *wants, json_object *got)
{
	json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "wants", wants);
	json_object_object_add(parameters, "got", got);
	call->fail(call, "CertificationError", parameters);
	json_object_put(parameters);
}

static void reply_many(struct raw_call *call)
{
	char reply[64];

	for (int i = 1; i <= REPLIES; i++) {
		snprintf(reply, sizeof(reply), "{\"string\":\"Reply number %d\"}", i);
		reply_text(call, reply, /* continues= */ i < REPLIES);
	}
}

/* What Test11 wants: all that Test10 has answered. */
static json_object *many_replies(void)
{
	json_object *wants = json_object_new_object(), *replies = json_object_new_array();
	char reply[32];

	for (int i = 1; i <= REPLIES; i++) {
		snprintf(reply, sizeof(reply), "Reply number %d", i);
		json_object_array_add(replies, json_object_new_string(reply));
	}
	json_object_object_add(wants, "last_more_replies", replies);
	return wants;
}

static void run_test(struct raw_call *call, const struct test *test)
{
	json_object *wants = test->wants ? json_tokener_parse(test->wants) : many_replies();
	json_object *got = NULL;
	unsigned flags = strcmp(test->name, "Test10") == 0 ? WIRE_MORE :
			 strcmp(test->name, "Test11") == 0 ? WIRE_ONEWAY : 0;
	char *client = find_client(call->parameters);

	if (!client) {
		call->fail(call, "ClientIdError", NULL);
	} else if (json_object_deep_copy(call->parameters, &got, NULL) < 0) {
		call->fail(call, "ClientIdError", NULL);
	} else {
		json_object_object_del(got, "client_id");
		if (!same(wants, got) || (call->flags & flags) != flags) {
			fail(call, json_object_get(wants), json_object_get(got));
		} else if (flags == WIRE_MORE) {
			reply_many(call);
		} else {
			if (strcmp(test->name, "End") == 0)
				client[0] = '\0';
			reply_text(call, test->answer, /* continues= */ false);
		}
	}
	json_object_put(wants);
	json_object_put(got);
}

static int handle(struct raw_call *call)
{
	char reply[ID_SIZE + 32];

	if (strcmp(call->method, "Start") == 0) {
		snprintf(reply, sizeof(reply), "{\"client_id\":\"%s\"}", start_client());
		reply_text(call, reply, /* continues= */ false);
		return 0;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (strcmp(call->method, tests[i].name) == 0) {
			run_test(call, &tests[i]);
			return 0;
		}
	return -ENOENT;
}

const struct raw_interface certification = {
	.name = "org.varlink.certification",
	.description = description,
	.handle = handle,
};
