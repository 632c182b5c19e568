/*
 * What goes over the wire when connections are lost, as transcripts.json has it: the daemon's side is
 * played, and hangs up behind answers that are not the last. The Python client runs the same file.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/unit/client/client_standin.h"
#include "tests/unit/suite.h"

static json_object *transcript; // the one that is played

static json_object *member(json_object *object, const char *name)
{
	return json_object_object_get(object, name);
}

static const char *name_of(json_object *call)
{
	json_object *name = member(call, "method");

	return json_object_get_string(name ? name : member(transcript, "method"));
}

static void check_call(json_object *wanted, const char *text)
{
	json_object *call = json_tokener_parse(text), *parameters = member(call, "parameters");
	const char *method = json_object_get_string(member(call, "method"));
	json_object *none = json_object_new_object();

	ck_assert_str_eq(strrchr(method, '.') + 1, name_of(wanted));
	ck_assert_msg(json_object_equal(parameters ? parameters : none, member(wanted, "parameters")),
		      "%s: %s", json_object_get_string(member(transcript, "name")), text);
	ck_assert_int_eq(json_object_get_boolean(member(call, "more")),
			 json_object_get_boolean(member(transcript, "more")));
	json_object_put(none);
	json_object_put(call);
}

static int play(struct standin *standin, int fd, const char *text)
{
	json_object *calls = member(transcript, "calls"), *call, *answers, *answer = NULL;
	size_t at = (size_t) standin->n_calls - 1; // one connection goes before the next is made

	ck_assert_uint_lt(at, json_object_array_length(calls));
	call = json_object_array_get_idx(calls, at);
	answers = member(call, "answers");
	check_call(call, text);
	for (size_t i = 0; i < json_object_array_length(answers); i++) {
		answer = json_object_array_get_idx(answers, i);
		standin_send(fd, json_object_to_json_string(answer));
	}
	return answer && !member(answer, "continues") ? 0 : -1;
}

static void check_reply(size_t index, const struct ellu_raw_reply *reply)
{
	json_object *replies = member(transcript, "replies");
	json_object *seen = json_tokener_parse(reply->parameters);

	ck_assert_uint_lt(index, json_object_array_length(replies));
	ck_assert(json_object_equal(seen, json_object_array_get_idx(replies, index)));
	json_object_put(seen);
	ellu_free(reply);
}

/* Both give what the call ended with. */
static int call_once(struct ellu *handle, const char *method, const char *parameters, size_t *n,
		     const struct ellu_error **error)
{
	const struct ellu_raw_reply *reply;
	int r = ellu_call_raw(handle, method, parameters, &reply, error);

	if (r == 0)
		check_reply((*n)++, reply);
	return r;
}

static int read_stream(struct ellu *handle, const char *method, const char *parameters, size_t *n,
		       const struct ellu_error **error)
{
	const struct ellu_raw_reply *reply;
	struct ellu_stream *stream;
	int r;

	ck_assert_int_eq(ellu_stream_raw(handle, method, parameters, &stream, error), 0);
	while ((r = ellu_raw_next(stream, &reply, error)) > 0)
		check_reply((*n)++, reply);
	ellu_stream_close(stream);
	return r;
}

static void run(void)
{
	bool more = json_object_get_boolean(member(transcript, "more"));
	const char *wanted = json_object_get_string(member(transcript, "error"));
	const struct ellu_error *error = NULL;
	struct standin standin;
	struct ellu *handle;
	char method[128];
	size_t n = 0;
	int r;

	standin_start(&standin, play);
	ck_assert_int_eq(ellu_open(standin.path, ELLU_BLOCKING, &handle), 0);
	snprintf(method, sizeof(method), "org.elluminate.%s", name_of(transcript));
	r = (more ? read_stream : call_once)(handle, method,
					     json_object_to_json_string(member(transcript, "parameters")), &n,
					     &error);
	if (!wanted)
		ck_assert_int_eq(r, 0);
	else if (strcmp(wanted, "lost") == 0)
		ck_assert_int_eq(r, -ECONNRESET);
	else
		ck_assert_str_eq(error->code, strrchr(wanted, '.') + 1);
	ck_assert_uint_eq(n, json_object_array_length(member(transcript, "replies")));
	ck_assert_uint_eq((size_t) standin.n_calls, json_object_array_length(member(transcript, "calls")));
	ellu_free(error);
	ellu_close(handle);
	standin_stop(&standin);
}

START_TEST(transcripts)
{
	json_object *all = json_object_from_file(TRANSCRIPTS);

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		transcript = json_object_array_get_idx(all, i);
		run();
	}
	json_object_put(all);
}
END_TEST

int main(void)
{
	return RUN_TESTS(transcripts);
}
