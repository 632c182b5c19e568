/*
 * A model that calls functions of the program: it is told what they brought, and answers. What they
 * are called with is JSON, as their parameters say; what they bring is any text.
 *
 *	tools URL [QUESTION]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

/* The model waits for an answer in any case, so what went wrong is one. */
static void temperature(struct ellu_tool_use *use, const struct ellu_tool_call *call, void *userdata)
{
	int *n_calls = userdata;

	printf("%s %s\n", call->name, call->arguments);
	++*n_calls;
	if (ellu_tool_use_answer(use, "{\"celsius\": 21}") < 0)
		puts("the answer did not get through");
}

static int print_answer(const struct ellu_call_reply *reply)
{
	const struct ellu_task_event *event = reply->event;
	const struct ellu_task_result *result = ellu_event_result(event);

	if (!ellu_event_is_success(event)) {
		printf("%s: %s\n", event->status, event->error ? event->error->message : "");
		return 10;
	}
	if (result && result->call && result->call->text)
		puts(result->call->text);
	return 0;
}

int main(int argc, char **argv)
{
	struct ellu_tool tool = ELLU_RECORD(struct ellu_tool);
	struct ellu_message message = ELLU_RECORD(struct ellu_message);
	struct ellu_llm_config model = ELLU_RECORD(struct ellu_llm_config);
	struct ellu_llm_config_in model_in = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_call_request request = ELLU_RECORD(struct ellu_call_request);
	const struct ellu_message *const messages[] = { &message };
	const struct ellu_tool *const tools[] = { &tool };
	const struct ellu_call_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_toolbox *toolbox;
	struct ellu *daemon;
	int r, status, n_calls = 0;

	if (argc < 2) {
		fputs("tools URL [QUESTION]\n", stderr);
		return 2;
	}
	daemon = sample_open(ELLU_BLOCKING);
	if (!daemon)
		return 1;
	tool.name = "temperature";
	tool.description = "How warm it is in a city now.";
	tool.parameters = "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}},"
			  " \"required\": [\"city\"]}";
	message.role = "user";
	message.content = argc > 2 ? argv[2] : "Do I need a coat in Oslo?";
	model.name = argv[1];
	model.provider = "openai";
	model.llm_model_name = "m";
	model.llm_base_url = argv[1];
	model_in.content = &model;
	request.llm_config = &model_in;
	request.messages = messages;
	request.n_messages = 1;
	request.tools = tools;
	request.n_tools = 1;

	if (ellu_toolbox_new(&toolbox) < 0 ||
	    ellu_toolbox_add(toolbox, "temperature", temperature, &n_calls) < 0)
		return 1;
	r = ellu_call_with_tools(daemon, &request, toolbox, &reply, &error);
	if (r < 0) {
		status = sample_complain(r, error);
	} else {
		status = print_answer(reply);
		printf("%d calls\n", n_calls);
		ellu_free(reply);
	}
	ellu_toolbox_free(toolbox);
	ellu_close(daemon);
	return status;
}
