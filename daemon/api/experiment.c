/* Methods on experiments: run, show, list, and what came out of them. */
#include <errno.h>
#include <json-c/json.h>

#include "daemon/api/call.h"
#include "daemon/api/submit.h"
#include "daemon/store/resources.h"
#include "proto/generated/handlers.h"
#include "proto/template.h"

/* ---- Run ---- */

int api_run_experiment(struct call *call, const struct ellu_run_experiment_request *request)
{
	struct experiment_submit *op = submit_operation(call, sizeof(*op), request->project);

	if (!op)
		return 0;
	op->arguments = request;
	submit_post(call, &op->submit,
		    &(struct submit_options) {
			    .post = store_experiment_submit,
			    .priority = request->priority,
			    .detach = request->detach,
			    .cancel_on_disconnect = request->cancel_on_disconnect,
			    .min_interval_seconds = request->min_interval_seconds,
		    });
	return 0;
}

/* ---- Show ---- */

static void on_experiment(struct call *call, struct store_request *request)
{
	const struct experiment_get *op = (const struct experiment_get *)request;
	struct ellu_get_experiment_reply reply = ELLU_RECORD(struct ellu_get_experiment_reply);

	reply.experiment = op->ret_experiment;
	call_reply(call, &reply);
}

int api_get_experiment(struct call *call, const struct ellu_get_experiment_request *request)
{
	struct experiment_get *op = call_operation(call, sizeof(*op), on_experiment);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->experiment;
	store_experiment_get(call->service->store, op);
	return 0;
}

static void on_experiments(struct call *call, struct store_request *request)
{
	const struct experiments_list *op = (const struct experiments_list *)request;

	call_reply_page(call, op->ret_reply, op->ret_reply->next_cursor);
}

int api_list_experiments(struct call *call, const struct ellu_list_experiments_request *request)
{
	struct experiments_list *op = call_operation(call, sizeof(*op), on_experiments);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_experiments_list(call->service->store, op);
	return 0;
}

/* ---- Responses ---- */

static const struct ellu_message *system_message(struct arena *arena, const char *text)
{
	struct ellu_message *message = arena_alloc(arena, sizeof(*message));

	if (!message)
		return NULL;
	*message = (struct ellu_message)ELLU_RECORD(struct ellu_message);
	message->role = "system";
	message->content = text;
	return message;
}

/* The messages that were sent are rendered from what was pinned, not stored twice. A row that
 * cannot be rendered was never sent: its response has no messages. */
static int render_messages(struct responses_list *op, struct ellu_response *response)
{
	struct arena *arena = &op->request.arena;
	const struct ellu_prompt_template *template = op->ret_template;
	const struct ellu_message *const *rendered = NULL;
	const struct ellu_message **messages;
	struct fault fault;
	json_object *values;
	size_t n = 0;
	int r;

	messages = arena_array(arena, (template ? template->n_messages : 0) + 1, sizeof(*messages));
	if (!messages)
		return -ENOMEM;
	response->messages = messages;
	if (!template)
		return 0;
	values = json_tokener_parse(response->template_variables->input_values);
	r = template_render_messages(template->messages, template->n_messages, values, arena,
				     &rendered, &fault);
	json_object_put(values);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (op->ret_system_message)
		messages[n++] = system_message(arena, op->ret_system_message);
	if (n && !messages[0])
		return -ENOMEM;
	for (size_t i = 0; i < template->n_messages; i++)
		messages[n++] = rendered[i];
	response->n_messages = n;
	return 0;
}

static void on_responses(struct call *call, struct store_request *request)
{
	struct responses_list *op = (struct responses_list *)request;

	for (size_t i = 0; i < op->ret_reply->n_items; i++) {
		int r = render_messages(op, op->ret_items[i]);

		if (r < 0) {
			call_fail_errno(call, r);
			return;
		}
	}
	call_reply_page(call, op->ret_reply, op->ret_reply->next_cursor);
}

int api_list_responses(struct call *call, const struct ellu_list_responses_request *request)
{
	struct responses_list *op = call_operation(call, sizeof(*op), on_responses);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_responses_list(call->service->store, op);
	return 0;
}
