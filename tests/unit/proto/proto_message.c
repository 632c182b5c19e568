/* Envelopes and faults, by literal bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/wire/message.h"
#include "proto/wire/method.h"
#include "tests/unit/suite.h"

START_TEST(calls)
{
	struct wire_call call;
	struct fault fault;
	char *text;
	size_t size;
	static const char literal[] = "{\"method\":\"org.elluminate.GetTask\","
				      "\"parameters\":{\"id\":7},\"more\":true}";

	ck_assert_int_eq(wire_call_decode(literal, strlen(literal), &call, &fault), 0);
	ck_assert_str_eq(call.method, "org.elluminate.GetTask");
	ck_assert_uint_eq(call.flags, WIRE_MORE);
	ck_assert_int_eq(wire_call_encode(call.method, call.parameters, call.flags, &text, &size),
			 0);
	ck_assert_str_eq(text, literal);
	ck_assert_uint_eq(size, sizeof(literal));
	free(text);
	wire_call_done(&call);

	ck_assert_int_eq(wire_call_encode("a.B", NULL, WIRE_ONEWAY, &text, &size), 0);
	ck_assert_str_eq(text, "{\"method\":\"a.B\",\"parameters\":{},\"oneway\":true}");
	free(text);
	ck_assert_int_eq(wire_call_encode("a.B", NULL, WIRE_ONEWAY | WIRE_MORE, &text, &size),
			 -EINVAL);
}
END_TEST

START_TEST(lenient_calls)
{
	static const char *const texts[] = {
		"{\"method\":\"a.B\"}",
		"{\"parameters\":null,\"method\":\"a.B\",\"more\":false}",
		" {\"method\":\"a.B\",\"oneway\":false,\"upgrade\":false} \n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct wire_call call;
		struct fault fault;

		ck_assert_int_eq(wire_call_decode(texts[i], strlen(texts[i]), &call, &fault), 0);
		ck_assert_uint_eq(call.flags, 0);
		ck_assert_int_eq(json_object_object_length(call.parameters), 0);
		wire_call_done(&call);
	}
}
END_TEST

START_TEST(bad_calls)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "", "the text ends too early" },
		{ "7", "the message is no object" },
		{ "null", "the message is no object" },
		{ "[]", "the message is no object" },
		{ "{}", "'method' is missing" },
		{ "{\"method\":7}", "'method' is of the wrong type" },
		{ "{\"method\":null}", "'method' is of the wrong type" },
		{ "{\"method\":\"a.B\",\"parameters\":[]}", "'parameters' is of the wrong type" },
		{ "{\"method\":\"a.B\",\"more\":1}", "'more' is of the wrong type" },
		{ "{\"method\":\"a.B\",\"oneway\":null}", "'oneway' is of the wrong type" },
		{ "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		  "'oneway' and 'more' exclude each other" },
		{ "{\"method\":\"a.B\",\"id\":1}", "unknown member 'id'" },
		{ "{\"method\":\"a.B\",\"method\":\"a.C\"}", "duplicate key" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_call call;
		struct fault fault;

		ck_assert_int_eq(wire_call_decode(cases[i].text, strlen(cases[i].text), &call,
						  &fault),
				 ELLU_E_INVALID_MESSAGE);
		ck_assert_str_eq(fault.message, cases[i].reason);
	}
}
END_TEST

START_TEST(replies)
{
	static const char literal[] = "{\"parameters\":{\"x\":1},\"continues\":true}";
	struct wire_reply reply;
	struct fault fault;
	char *text;
	size_t size;

	ck_assert_int_eq(wire_reply_decode(literal, strlen(literal), &reply, &fault), 0);
	ck_assert(reply.continues);
	ck_assert_ptr_null(reply.error);
	ck_assert_int_eq(wire_reply_encode(reply.parameters, true, &text, &size), 0);
	ck_assert_str_eq(text, literal);
	ck_assert_uint_eq(size, sizeof(literal));
	free(text);
	wire_reply_done(&reply);
	ck_assert_int_eq(wire_reply_decode("{\"error\":\"a.B\",\"continues\":true}", 32, &reply,
					   &fault),
			 ELLU_E_INVALID_MESSAGE);
	ck_assert_int_eq(wire_reply_decode("{\"method\":\"a.B\"}", 16, &reply, &fault),
			 ELLU_E_INVALID_MESSAGE);
}
END_TEST

START_TEST(reply_too_large)
{
	char *content = malloc(MESSAGE_SIZE_MAX), *text;
	json_object *parameters = json_object_new_object();
	size_t size;

	// {"parameters":{"x":"..."}} is 23 bytes longer than its content
	memset(content, 'x', MESSAGE_SIZE_MAX);
	json_object_object_add(parameters, "x",
			       json_object_new_string_len(content, MESSAGE_SIZE_MAX - 23));
	ck_assert_int_eq(wire_reply_encode(parameters, false, &text, &size), 0);
	ck_assert_uint_eq(size, MESSAGE_SIZE_MAX + 1);
	free(text);
	json_object_object_add(parameters, "x",
			       json_object_new_string_len(content, MESSAGE_SIZE_MAX - 22));
	ck_assert_int_eq(wire_reply_encode(parameters, false, &text, &size), -EMSGSIZE);
	json_object_put(parameters);
	free(content);
}
END_TEST

static void check_error(const struct fault *fault, const char *literal, const char *message)
{
	struct wire_reply reply;
	struct fault parse_fault, back;
	char *text;
	size_t size;

	ck_assert_str_eq(fault->message, message);
	ck_assert_int_eq(wire_error_encode(fault, &text, &size), 0);
	ck_assert_str_eq(text, literal);
	ck_assert_int_eq(wire_reply_decode(text, size - 1, &reply, &parse_fault), 0);
	ck_assert_int_eq(fault_from_parameters(reply.error, reply.parameters, &back), fault->code);
	ck_assert_str_eq(back.message, message);
	ck_assert_str_eq(back.field, fault->field);
	ck_assert_str_eq(back.expected, fault->expected);
	ck_assert_str_eq(back.name, fault->name);
	ck_assert_int_eq(back.id, fault->id);
	ck_assert_int_eq(back.status, fault->status);
	wire_reply_done(&reply);
	free(text);
}

START_TEST(errors)
{
	struct fault fault;

	fault_invalid(&fault, "llm_config.max_connections", "%d to %d", 1, 256);
	check_error(&fault,
		    "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
		    "{\"parameter\":\"llm_config.max_connections\",\"expected\":\"1 to 256\"}}",
		    "llm_config.max_connections: expected 1 to 256");
	fault_invalid(&fault, "batch", "nothing, since %s takes none", "x");
	check_error(&fault,
		    "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":"
		    "{\"parameter\":\"batch\",\"expected\":\"nothing, since x takes none\"}}",
		    "batch: must be left out since x takes none");
	fault_not_found(&fault, "Experiment", "a \"b\"", 0);
	check_error(&fault,
		    "{\"error\":\"org.elluminate.NotFound\",\"parameters\":"
		    "{\"resource_type\":\"Experiment\",\"name\":\"a \\\"b\\\"\"}}",
		    "no Experiment named 'a \"b\"'");
	fault_not_found(&fault, "Task", NULL, 12);
	check_error(&fault,
		    "{\"error\":\"org.elluminate.NotFound\",\"parameters\":"
		    "{\"resource_type\":\"Task\",\"id\":12}}",
		    "no Task with the id 12");
	fault_conflict(&fault, "Experiment", "x", 3, "is run by task %d", 9);
	check_error(&fault,
		    "{\"error\":\"org.elluminate.Conflict\",\"parameters\":{\"resource_type\":"
		    "\"Experiment\",\"resource_name\":\"x\",\"resource_id\":3,\"reason\":"
		    "\"is run by task 9\"}}",
		    "is run by task 9");
	fault_set(&fault, ELLU_E_QUEUE_FULL, NULL);
	check_error(&fault, "{\"error\":\"org.elluminate.QueueFull\",\"parameters\":{}}",
		    "As many tasks as allowed are waiting already.");
	fault_set(&fault, ELLU_E_BACKEND_REJECTED, "no such model");
	fault.status = 404;
	check_error(&fault,
		    "{\"error\":\"org.elluminate.BackendRejected\",\"parameters\":"
		    "{\"status\":404,\"message\":\"no such model\"}}",
		    "no such model");
	fault_set(&fault, ELLU_E_PERMISSION_DENIED, "That is for others.");
	check_error(&fault,
		    "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":"
		    "{\"message\":\"That is for others.\"}}",
		    "That is for others.");
	fault_message(&fault, 17, "duplicate key");
	check_error(&fault,
		    "{\"error\":\"org.elluminate.InvalidMessage\",\"parameters\":"
		    "{\"reason\":\"duplicate key\",\"offset\":17}}",
		    "duplicate key");
	fault_set(&fault, ELLU_E_TOO_MANY_REQUESTS, NULL);
	fault.retry_after_seconds = 1.5;
	ck_assert_int_eq(fault_from_parameters("some.other.Error", NULL, &fault), ELLU_E_INTERNAL);
	ck_assert_str_eq(fault.message, "unknown error some.other.Error");
}
END_TEST

/* Every parameter of every error finds its place, and comes back. */
START_TEST(all_errors)
{
	for (size_t i = 0; i < n_error_infos; i++) {
		const struct error_info *info = &error_infos[i];
		struct fault fault = { .code = info->code, .has_id = true, .id = 5,
				       .number = 6, .status = 7,
				       .retry_after_seconds = 8.5,
				       .resource_type = "T", .name = "n", .field = "f",
				       .expected = "e", .message = "m" };
		struct fault back, again;
		json_object *parameters;
		const struct ellu_error *error;
		struct arena arena = { 0 };

		ck_assert_msg(fault_parameters(&fault, &parameters) == 0, "%s", info->name);
		for (size_t p = 0; p < info->n_parameters; p++)
			ck_assert_msg(json_object_object_get_ex(parameters,
								info->parameters[p].name,
								NULL),
				      "%s", info->parameters[p].name);
		ck_assert_int_eq(fault_from_parameters(info->qualified_name, parameters,
						       &back),
				 info->code);
		ck_assert_str_ne(back.message, "");
		json_object_put(parameters);
		ck_assert_int_eq(fault_to_error(&fault, &arena, &error), 0);
		ck_assert_str_eq(error->code, info->name);
		fault_from_error(error, &again);
		ck_assert_int_eq(again.code, info->code);
		ck_assert_str_eq(again.message, "m");
		ck_assert_int_eq(again.id, 5);
		arena_done(&arena);
	}
}
END_TEST

START_TEST(texts_are_cut_at_characters)
{
	struct fault fault;
	char name[600];

	memset(name, 'a', sizeof(name));
	for (size_t i = 1; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	name[sizeof(name) - 1] = '\0';
	fault_not_found(&fault, "Experiment", name, 0);
	ck_assert_uint_eq(strlen(fault.name), 255);
	ck_assert(memcmp(fault.name + 253, "\xc3\xa4", 2) == 0);
	fault_not_found(&fault, "Experiment", name + 1, 0);
	ck_assert_uint_eq(strlen(fault.name), 254);
	fault_set(&fault, ELLU_E_BACKEND_UNAVAILABLE, "bad \xff byte and \xc3");
	ck_assert_str_eq(fault.message, "bad ? byte and ?");
}
END_TEST

int main(void)
{
	return RUN_TESTS(calls, lenient_calls, bad_calls, replies, reply_too_large, errors,
			 all_errors, texts_are_cut_at_characters);
}
