/*
 * A small HTTP service: POST a prompt to /evaluate, and get the model's answer with a verdict on
 * it. Any number of requests share one handle and one thread.
 *
 *	http_service PORT [URL]		PORT 0: any that is free; it is printed
 *	curl --data 'Say hello.' http://127.0.0.1:PORT/evaluate
 */
#include <elluminate-libevent.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

#define BODY_MAX 100000
#define LOOPBACK "127.0.0.1"

struct service {
	struct ellu *daemon;
	const char *url;
};

/* A request on its way: first the experiment, then its response. A connection that goes away takes
 * its operation with it, and that its task. */
struct evaluation {
	struct service *service;
	struct evhttp_request *http;
	struct ellu_op *op;
};

static void forget(struct evaluation *evaluation)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(evaluation->http), NULL, NULL);
	ellu_op_free(evaluation->op); /* a callback may free its own, too */
	free(evaluation);
}

static void on_gone(struct evhttp_connection *connection, void *userdata)
{
	(void) connection;
	forget(userdata);
}

/* Sends what the output buffer holds, and ends the evaluation. */
static void respond(struct evaluation *evaluation, int status)
{
	struct evhttp_request *http = evaluation->http;

	forget(evaluation);
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
			  "text/plain; charset=utf-8");
	evhttp_send_reply(http, status, NULL, NULL);
}

static void refuse(struct evaluation *evaluation, int status, const char *why)
{
	evbuffer_add_printf(evhttp_request_get_output_buffer(evaluation->http), "%s\n", why);
	respond(evaluation, status);
}

static void on_responses(struct ellu_op *op, int result, const struct ellu_list_responses_reply *answer,
			 const struct ellu_error *error, void *userdata)
{
	struct evaluation *evaluation = userdata;
	struct evbuffer *output = evhttp_request_get_output_buffer(evaluation->http);
	const struct ellu_response *response;

	(void) op;
	if (result < 0 || answer->n_items == 0 || !answer->items[0]->response_text) {
		refuse(evaluation, HTTP_INTERNAL, error ? error->message : "no response");
		return;
	}
	response = answer->items[0];
	evbuffer_add_printf(output, "%s\n", response->response_text);
	for (size_t i = 0; i < response->n_ratings; i++)
		evbuffer_add_printf(output, "%s %s\n", response->ratings[i]->criterion->criterion_str,
				    response->ratings[i]->rating ? response->ratings[i]->rating : "-");
	respond(evaluation, HTTP_OK);
}

static void on_experiment(struct ellu_op *op, int result, const struct ellu_run_experiment_reply *answer,
			  const struct ellu_error *error, void *userdata)
{
	struct ellu_list_responses_request request = ELLU_RECORD(struct ellu_list_responses_request);
	struct ellu_ref experiment = ELLU_RECORD(struct ellu_ref);
	struct evaluation *evaluation = userdata;

	if (result < 0) {
		refuse(evaluation, result == ELLU_E_INVALID_PARAMETER ? HTTP_BADREQUEST : HTTP_INTERNAL,
		       error ? error->message : ellu_strerror(result));
		return;
	}
	if (!ellu_task_is_success(answer->task)) {
		refuse(evaluation,
		       strcmp(answer->task->status, "REJECTED") == 0 ? HTTP_BADREQUEST : HTTP_INTERNAL,
		       answer->task->error ? answer->task->error->message : answer->task->status);
		return;
	}
	experiment.id = answer->task->experiment_id;
	request.experiment = &experiment;
	evaluation->op = NULL;
	result = ellu_list_responses_async(evaluation->service->daemon, &request, on_responses,
					   evaluation, &evaluation->op);
	ellu_op_free(op);
	if (result < 0)
		refuse(evaluation, HTTP_INTERNAL, ellu_strerror(result));
}

static void on_evaluate(struct evhttp_request *http, void *userdata)
{
	struct service *service = userdata;
	struct evbuffer *input = evhttp_request_get_input_buffer(http);
	struct evaluation *evaluation = calloc(1, sizeof(*evaluation));
	struct sample sample;
	int r;

	evbuffer_add(input, "", 1); /* ends the text */
	if (!evaluation) {
		evhttp_send_error(http, HTTP_INTERNAL, NULL);
		return;
	}
	*evaluation = (struct evaluation) { service, http, NULL };
	evhttp_connection_set_closecb(evhttp_request_get_connection(http), on_gone, evaluation);
	sample_init(&sample, "HTTP", service->url, 1);
	sample.prompt.name = "HTTP"; /* each other text is another version of it */
	sample.message.content = (const char *) evbuffer_pullup(input, -1);
	sample.criteria[0] = "Does the answer do what was asked?";
	sample.request.n_criteria = 1;
	sample.request.cancel_on_disconnect = 1;
	r = ellu_run_experiment_async(service->daemon, &sample.request, on_experiment, evaluation,
				      &evaluation->op);
	if (r < 0)
		refuse(evaluation, HTTP_INTERNAL, ellu_strerror(r));
}

static void on_stop(evutil_socket_t fd, short events, void *userdata)
{
	(void) fd;
	(void) events;
	event_base_loopbreak(userdata);
}

static int listen_on(struct evhttp *http, const char *port)
{
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(http, LOOPBACK, (ev_uint16_t) atoi(port));
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);

	if (!bound || getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *) &address,
				  &size) < 0) {
		fprintf(stderr, "port %s is not free\n", port);
		return -1;
	}
	printf("http://" LOOPBACK ":%u/evaluate\n", ntohs(address.sin_port));
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct service service = { sample_open(ELLU_EVENT), argc > 2 ? argv[2] : NULL };
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct event *stop = evsignal_new(base, SIGTERM, on_stop, base);
	int exit_status = 1;

	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_allowed_methods(http, EVHTTP_REQ_POST);
	evhttp_set_cb(http, "/evaluate", on_evaluate, &service);
	event_add(stop, NULL);
	if (service.daemon && ellu_libevent_attach(service.daemon, base) >= 0 &&
	    listen_on(http, argc > 1 ? argv[1] : "0") == 0) {
		event_base_dispatch(base);
		exit_status = 0;
	}
	evhttp_free(http);
	ellu_close(service.daemon);
	event_free(stop);
	event_base_free(base);
	return exit_status;
}
