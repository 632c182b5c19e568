/*
 * What a model says, as it says it.
 *
 *	tokens [URL [QUESTION]]
 */
#include <elluminate.h>
#include <stdio.h>

#include "sample.h"

static void say(const struct ellu_call_delta *delta)
{
	/* The answer broke off, and begins anew: allow_reset let it. */
	if (delta->reset)
		printf("\n-- attempt %lld --\n", (long long) *delta->reset);
	if (delta->text)
		fputs(delta->text, stdout);
	fflush(stdout);
}

/* The exit status. */
static int conclude(const struct ellu_task_event *event)
{
	const struct ellu_task_result *result = ellu_event_result(event);
	const struct ellu_usage *usage = result && result->call ? result->call->usage : NULL;

	printf("\n%s", event->status);
	if (usage && usage->output_tokens)
		printf(", %lld tokens", (long long) *usage->output_tokens);
	if (event->error)
		printf(": %s", event->error->message);
	printf("\n");
	return event->error ? 10 : 0;
}

int main(int argc, char **argv)
{
	struct ellu_call_request request = ELLU_RECORD(struct ellu_call_request);
	struct ellu_llm_config_in model_in = ELLU_RECORD(struct ellu_llm_config_in);
	struct ellu_llm_config model = ELLU_RECORD(struct ellu_llm_config);
	struct ellu_message message = ELLU_RECORD(struct ellu_message);
	const struct ellu_message *const messages[] = { &message };
	const struct ellu_call_reply *reply;
	const struct ellu_error *error = NULL;
	struct ellu_stream *stream;
	struct ellu *daemon = sample_open(ELLU_BLOCKING);
	int r, exit_status = 1;

	if (!daemon)
		return 1;
	message.role = "user";
	message.content = argc > 2 ? argv[2] : "Say something about the sea.";
	request.messages = messages;
	request.n_messages = 1;
	request.allow_reset = 1;
	if (argc > 1) {
		model.name = argv[1];
		model.provider = "openai";
		model.llm_model_name = "m";
		model.llm_base_url = argv[1];
		model_in.content = &model;
		request.llm_config = &model_in;
	}
	r = ellu_call_stream(daemon, &request, &stream, NULL);
	if (r < 0) {
		ellu_close(daemon);
		return sample_complain(r, NULL);
	}
	/* Closing the stream before its end ends the call, and what it costs. */
	while ((r = ellu_call_next(stream, &reply, &error)) > 0) {
		if (reply->delta)
			say(reply->delta);
		else if (reply->event && ellu_event_is_complete(reply->event))
			exit_status = conclude(reply->event);
		ellu_free(reply);
	}
	if (r < 0)
		exit_status = sample_complain(r, error);
	ellu_stream_close(stream);
	ellu_close(daemon);
	return exit_status;
}
