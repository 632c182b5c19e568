/* The library's toolbox before a real daemon: on a blocking handle, and several at once on one of an event loop. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "client/elluminate.h"
#include "tests/harness/suite.h"

#define AT_ONCE 3

static struct daemon *server;
static struct sim *sim;
static struct ellu *handle;
static struct ellu_toolbox *toolbox;

static struct ellu_tool_use *uses[AT_ONCE];
static size_t n_uses, n_run;
static bool is_over;
static char status[16];

static void begin(unsigned mode, const char *settings)
{
	server = daemon_start(NULL);
	sim = sim_start(NULL);
	sim_control(sim, "%s", requoted(settings));
	ck_assert_int_eq(ellu_open(daemon_socket(server), mode, &handle), 0);
	ck_assert_int_eq(ellu_toolbox_new(&toolbox), 0);
}

static void end(void)
{
	ck_assert_ptr_null(ellu_toolbox_free(toolbox));
	ck_assert_ptr_null(ellu_close(handle));
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

static const struct ellu_call_request *request(void)
{
	static struct ellu_tool look = { sizeof(look), .name = "look", .parameters = "{\"type\":\"object\"}" };
	static struct ellu_message message = { sizeof(message), .role = "user", .content = "Hello" };
	static struct ellu_llm_config config = { sizeof(config), .name = "L", .provider = "openai",
						 .llm_model_name = "m" };
	static struct ellu_llm_config_in config_in = { sizeof(config_in), .content = &config };
	static const struct ellu_message *const messages[] = { &message };
	static const struct ellu_tool *const tools[] = { &look };
	static const int64_t rounds = 2;
	static struct ellu_call_request made = { sizeof(made), .llm_config = &config_in, .messages = messages,
						 .n_messages = 1, .tools = tools, .n_tools = 1,
						 .tool_rounds = &rounds };

	config.llm_base_url = sim_url(sim);
	return &made;
}

static void answer_at_once(struct ellu_tool_use *use, const struct ellu_tool_call *call, void *userdata)
{
	ck_assert_str_eq(call->name, "look");
	ck_assert_ptr_eq(ellu_tool_use_call(use), call);
	++*(size_t *)userdata;
	ck_assert_int_eq(ellu_tool_use_answer(use, "A house."), 0);
}

static void call_blocking(void)
{
	const struct ellu_call_reply *reply = NULL;
	const struct ellu_error *error = NULL;
	int r = ellu_call_with_tools(handle, request(), toolbox, &reply, &error);

	ck_assert_msg(r == 0, "%d %s", r, error ? error->message : "");
	ck_assert_msg(ellu_event_is_success(reply->event), "%s", reply->event->status);
	ck_assert_ptr_nonnull(reply->event->result->call->text);
	ellu_free(reply);
}

START_TEST(blocking)
{
	begin(ELLU_BLOCKING, "{'call_tools':true,'tool_rounds':2,'tool_times':3}");
	ck_assert_int_eq(ellu_toolbox_add(toolbox, "look", answer_at_once, &n_run), 0);
	call_blocking();
	ck_assert_uint_eq(n_run, 2 * AT_ONCE); // each once
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.8.content"), "A house.");
	/* Nothing is there of that name. */
	ellu_toolbox_free(toolbox);
	ck_assert_int_eq(ellu_toolbox_new(&toolbox), 0);
	call_blocking();
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.2.content"), "There is no tool of this name.");
	end();
}
END_TEST

/* Answered by threads of the program's own, while the stream is read. */
static void *answer_in_thread(void *userdata)
{
	ck_assert_int_eq(ellu_tool_use_answer(userdata, "From a thread."), 0);
	return NULL;
}

static void hand_to_thread(struct ellu_tool_use *use, const struct ellu_tool_call *call, void *userdata)
{
	pthread_t thread;

	(void)call;
	(void)userdata;
	ck_assert_int_eq(pthread_create(&thread, NULL, answer_in_thread, use), 0);
	pthread_detach(thread);
}

START_TEST(on_threads)
{
	begin(ELLU_BLOCKING, "{'call_tools':true,'tool_rounds':2,'tool_times':3}");
	ck_assert_int_eq(ellu_toolbox_add(toolbox, "look", hand_to_thread, NULL), 0);
	call_blocking();
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.8.content"), "From a thread.");
	end();
}
END_TEST

static void keep_for_later(struct ellu_tool_use *use, const struct ellu_tool_call *call, void *userdata)
{
	(void)call;
	(void)userdata;
	ck_assert_uint_lt(n_uses, AT_ONCE);
	uses[n_uses++] = use;
}

static void on_reply(struct ellu_op *op, int result, const struct ellu_call_reply *reply,
		     const struct ellu_error *error, void *userdata)
{
	(void)op;
	(void)userdata;
	ck_assert_msg(result >= 0, "%d %s", result, error ? error->message : "");
	ck_assert_int_eq(ellu_toolbox_serve(toolbox, handle, reply->event), 0);
	is_over = result == 0;
	if (is_over)
		snprintf(status, sizeof(status), "%s", reply->event->status);
}

static struct ellu_op *call_async(void)
{
	struct ellu_op *op;

	is_over = false;
	ck_assert_int_eq(ellu_call_stream_async(handle, request(), on_reply, NULL, &op), 0);
	return op;
}

static void process_until(const bool *wanted, size_t n)
{
	while (wanted ? !*wanted : n_uses < n) {
		struct pollfd ready = { .fd = ellu_fd(handle), .events = (short)ellu_events(handle) };

		ck_assert_int_eq(poll(&ready, 1, (int)(WAIT_SECONDS * 1000)), 1);
		ck_assert_int_ge(ellu_process(handle), 0);
	}
}

START_TEST(several_at_once)
{
	struct ellu_op *op;

	begin(ELLU_EVENT, "{'call_tools':true,'tool_rounds':1,'tool_times':3}");
	ck_assert_int_eq(ellu_toolbox_add(toolbox, "look", keep_for_later, NULL), 0);
	op = call_async();
	process_until(NULL, AT_ONCE);
	for (size_t i = AT_ONCE; i-- > 0;)
		ck_assert_int_eq(ellu_tool_use_answer(uses[i], text("answer %zu", i)), 0);
	process_until(&is_over, 0);
	ck_assert_str_eq(status, "SUCCESS");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.2.content"), "answer 0");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.4.content"), "answer 2");
	ellu_op_free(op);
	end();
}
END_TEST

/* What is answered when nobody asks any more, or the way there is gone. */
START_TEST(too_late)
{
	struct ellu_op *op;

	begin(ELLU_EVENT, "{'call_tools':true,'tool_rounds':1,'tool_times':3}");
	ck_assert_int_eq(ellu_toolbox_add(toolbox, "look", keep_for_later, NULL), 0);
	op = call_async();
	process_until(NULL, AT_ONCE);
	ck_assert_int_eq(ellu_op_cancel_task(op), 0);
	process_until(&is_over, 0);
	ck_assert_str_eq(status, "REVOKED");
	ck_assert_int_eq(ellu_tool_use_answer(uses[0], ""), 0);
	toolbox = ellu_toolbox_free(toolbox);
	ellu_op_free(op);
	handle = ellu_close(handle);
	ck_assert_int_eq(ellu_tool_use_answer(uses[1], NULL), -ECANCELED);
	ck_assert_int_eq(ellu_tool_use_answer(uses[2], NULL), -ECANCELED);
	ck_assert_int_eq(ellu_tool_use_answer(NULL, NULL), -EINVAL);
	ck_assert_int_eq(ellu_toolbox_add(NULL, "a", keep_for_later, NULL), -EINVAL);
	ck_assert_int_eq(ellu_toolbox_new(NULL), -EINVAL);
	ck_assert_int_eq(ellu_toolbox_serve(NULL, handle, NULL), -EINVAL);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(blocking, on_threads, several_at_once, too_late);
}
