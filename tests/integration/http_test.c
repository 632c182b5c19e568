/*
 * HTTP: the methods of the interface as JSON and as Server-Sent Events, and the tokens that callers are
 * known by.
 */
#include <string.h>
#include <unistd.h>

#include "tests/harness/http.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;
static const char *url;

static void begin_on(const char *address)
{
	server = daemon_start(&(struct daemon_options) {
		.arguments = (const char *const[]) { "--http", address, NULL } });
	wire = daemon_connect(server);
	url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
}

static void begin(void)
{
	begin_on("127.0.0.1:0");
}

static void end(void)
{
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* Of a token with these further members of the request. */
static const char *token(const char *name, const char *members)
{
	return text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'%s'%s}", name, requoted(members)),
				  "secret"));
}

static struct http_peer *peer_with(const char *secret)
{
	struct http_peer *peer = http_open(url);

	http_set_headers(peer, text("Authorization: Bearer %s\r\n", secret));
	return peer;
}

static struct http_peer *peer_new(void)
{
	static int n;

	return peer_with(token(text("t%d", n++), ",'everywhere':true"));
}

static void refused(struct http_peer *peer, int status, const char *code, const char *verb,
		    const char *target, const char *body)
{
	json_object *json = http_json(peer, status, verb, target, body);

	ck_assert_msg(at_is(json, "error.code", code), "%s", json_object_to_json_string(json));
}

/* ---- Methods ---- */

START_TEST(methods)
{
	struct http_peer *peer;
	json_object *json;

	begin();
	peer = peer_new();
	json = http_json(peer, 200, "GET", "/api/v1/GetStatus", NULL);
	ck_assert_str_eq(at_text(json, "front.http"), url);
	json = http_json(peer, 200, "POST", "/api/v1/CreateCollection",
			 "{'collection':{'name':'Caf\xc3\xa9 & more'}}");
	ck_assert_int_eq(at_int(json, "collection.id"), 1);
	json = http_json(peer, 200, "GET", "/api/v1/GetCollection?collection.name=Caf%C3%A9+%26+more", NULL);
	ck_assert_int_eq(at_int(json, "collection.id"), 1);
	json = http_json(peer, 200, "GET", "/api/v1/GetCollection?collection=%7B%22id%22:1%7D", NULL);
	ck_assert_int_eq(at_int(json, "collection.id"), 1);
	json = http_json(peer, 200, "GET", "/api/v1/ListCollections?limit=1&count=true", NULL);
	ck_assert_int_eq(at_int(json, "count"), 1);
	json = http_json(peer, 200, "POST", "/api/v1/ListTasks", NULL);
	ck_assert_int_eq(at_count(json, "items"), 0);
	ck_assert_ptr_nonnull(strstr(http_ask(peer, "GET", "/api/v1", NULL)->body, "method GetTask("));
	ck_assert_str_eq(http_ask(peer, "GET", "/healthz", NULL)->body, "ok\n");
	http_close(peer);
	end();
}
END_TEST

/* The verb and path that the interface gives a method: what is in the path is its, a name or an id. */
START_TEST(verbs_and_paths)
{
	struct http_peer *peer;
	const char *name = "";
	json_object *json;

	begin();
	peer = peer_new();
	json = http_json(peer, 200, "POST", "/api/v1/collections", "{'collection':{'name':'a/b 1'}}");
	ck_assert_int_eq(at_int(json, "collection.id"), 1);
	json = http_json(peer, 200, "GET", "/api/v1/collections/a%2Fb%201", NULL);
	ck_assert_int_eq(at_int(json, "collection.id"), 1);
	json = http_json(peer, 200, "POST", "/api/v1/collections/1/variables", "{'variables':[{'x':'y'},{'x':'z'}]}");
	ck_assert_int_eq(at_int(json, "added"), 2);
	json = http_json(peer, 200, "GET", "/api/v1/collections/1/variables?limit=1&count=true", NULL);
	ck_assert_int_eq(at_count(json, "items"), 1);
	ck_assert_int_eq(at_int(json, "count"), 2);
	json = http_json(peer, 200, "PATCH", "/api/v1/collections/1", "{'content':{'name':'c'}}");
	ck_assert_str_eq(at_text(json, "collection.name"), "c");
	ck_assert_int_eq(http_ask(peer, "HEAD", "/api/v1/collections", NULL)->status, 200);
	refused(peer, 405, "Unsupported", "PUT", "/api/v1/collections/c", "{}");
	ck_assert_str_eq(http_answer_header(http_ask(peer, "PUT", "/api/v1/collections/c", "{}"), "Allow"),
			 "GET, HEAD, PATCH, DELETE");
	ck_assert_str_eq(http_answer_header(http_ask(peer, "HEAD", "/api/v1/collections/1/variables/delete", NULL),
					    "Allow"), "POST");
	ck_assert_str_eq(http_answer_header(http_ask(peer, "HEAD", "/api/v1/tasks/7/events", NULL), "Allow"), "GET");
	ck_assert_str_eq(http_answer_header(http_ask(peer, "HEAD", "/api/v1/Monitor", NULL), "Allow"), "GET, POST");
	refused(peer, 404, "MethodNotFound", "GET", "/api/v1/collections/c/nothing", NULL);
	refused(peer, 404, "MethodNotFound", "GET", "/api/v1/collections/", NULL);
	for (int i = 0; i < 200; i++)
		name = text("%s%%C3%%A9", name);
	refused(peer, 404, "MethodNotFound", "GET", text("/api/v1/%s", name), NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/tasks/7", NULL);
	json = http_json(peer, 422, "GET", "/api/v1/tasks/seven", NULL);
	ck_assert(at_is(json, "error.field", "id"));
	http_json(peer, 200, "DELETE", "/api/v1/collections/c", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/collections/c", NULL);
	ck_assert_int_eq(http_ask(peer, "GET", "/api/v1/tasks/%ff", NULL)->status, 404);
	http_close(peer);
	end();
}
END_TEST

START_TEST(errors)
{
	struct http_peer *peer;
	json_object *json;

	begin();
	peer = peer_new();
	refused(peer, 404, "NotFound", "GET", "/api/v1/GetTask?id=7", NULL);
	refused(peer, 404, "MethodNotFound", "GET", "/api/v1/GetWorld", NULL);
	json = http_json(peer, 422, "GET", "/api/v1/GetTask?id=seven", NULL);
	ck_assert(at_is(json, "error.field", "id"));
	json = http_json(peer, 422, "GET", "/api/v1/ListTasks?status=GONE", NULL);
	ck_assert(at_is(json, "error.field", "status"));
	json = http_json(peer, 422, "GET", "/api/v1/ListTasks?colour=red", NULL);
	ck_assert(at_is(json, "error.field", "colour"));
	json = http_json(peer, 422, "POST", "/api/v1/CreateCollection", "{'collection':{'name':7}}");
	ck_assert(at_is(json, "error.field", "collection.name"));
	refused(peer, 400, "InvalidMessage", "POST", "/api/v1/CreateCollection", "{'collection':");
	refused(peer, 400, "InvalidMessage", "POST", "/api/v1/CreateCollection", "[]");
	refused(peer, 400, "ExpectedMore", "POST", "/api/v1/Monitor", "{}");
	http_json(peer, 200, "POST", "/api/v1/CreateCollection", "{'collection':{'name':'one'}}");
	refused(peer, 409, "Conflict", "POST", "/api/v1/CreateCollection", "{'collection':{'name':'one'}}");
	refused(peer, 405, "Unsupported", "GET", "/api/v1/CreateCollection", NULL);
	ck_assert_str_eq(http_answer_header(http_ask(peer, "GET", "/api/v1/Drain", NULL), "Allow"), "POST");
	http_close(peer);
	end();
}
END_TEST

/* The head and the body in any pieces; several requests at once; a large body, decoded elsewhere. */
START_TEST(framing)
{
	struct http_peer *peer;
	const char *request, *rows = "", *secret;

	begin();
	secret = token("t", "");
	peer = peer_with(secret);
	request = text("POST /api/v1/ListTasks HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n"
		       "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "1\r\n{\r\n9;x=\"y\"\r\n\"limit\":5\r\n1\r\n}\r\n0\r\n\r\n", secret);
	for (const char *at = request; *at; at++)
		http_send(peer, at, 1);
	ck_assert_int_eq(http_receive(peer)->status, 200);
	http_send_text(peer, text("%s%s%s", request, request, request));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(http_receive(peer)->status, 200);
	http_send_text(peer, text("POST /api/v1/ListTasks HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n"
				  "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
				  secret));
	http_send_text(peer, "{}");
	ck_assert_int_eq(http_receive(peer)->status, 200);
	for (int i = 0; i < 500; i++)
		rows = text("%s%s{'n':%d,'t':'%0200d'}", rows, i ? "," : "", i, i);
	http_json(peer, 200, "POST", "/api/v1/CreateCollection", "{'collection':{'name':'c'}}");
	http_json(peer, 200, "POST", "/api/v1/AddTemplateVariables",
		  text("{'collection':{'name':'c'},'variables':[%s]}", rows));
	ck_assert_int_eq(at_count(http_json(peer, 200, "GET",
					    "/api/v1/ListTemplateVariables?collection.name=c&limit=1000", NULL),
				  "items"), 500);
	ck_assert_int_eq(http_ask(peer, "HEAD", "/healthz", NULL)->status, 200);
	http_close(peer);
	peer = http_open(url);
	http_send_text(peer, text("GET /api/v1/GetStatus HTTP/1.0\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n", secret));
	ck_assert_int_eq(http_receive(peer)->status, 200);
	ck_assert(http_is_closed(peer));
	http_close(peer);
	end();
}
END_TEST

START_TEST(unix_socket)
{
	struct http_peer *peer;

	begin_on(text("%s/http", dir_new()));
	ck_assert(strncmp(url, "unix:", 5) == 0);
	peer = peer_new();
	http_json(peer, 200, "GET", "/api/v1/GetStatus", NULL);
	http_close(peer);
	peer = http_open(url);
	refused(peer, 401, "Unauthenticated", "GET", "/api/v1/GetStatus", NULL);
	http_close(peer);
	end();
}
END_TEST

/* ---- Streams ---- */

static struct http_peer *follow(const char *secret, const char *target, const char *more)
{
	struct http_peer *peer = peer_with(secret);

	http_send_text(peer, text("GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
				  "Accept: text/event-stream\r\n%s\r\n", target, secret, more));
	return peer;
}

/* An experiment is followed from the request that makes it to its end, and a broken stream goes on where
 * it broke off. */
START_TEST(events)
{
	struct sim *sim = sim_start(NULL);
	const char *secret, *event, *id = NULL, *last = NULL;
	struct http_peer *peer;
	int64_t sequence = 0;
	json_object *json;
	bool whole;

	begin();
	secret = token("t", "");
	json = experiment_run(wire, &(struct experiment) { .name = "e", .rows = 3, .url = sim_url(sim) });
	ck_assert_str_eq(at_text(json, "status"), "SUCCESS");
	peer = follow(secret, text("/api/v1/WatchTask?id=%d&after_sequence=0", (int) at_int(json, "id")), "");
	ck_assert_int_eq(http_receive(peer)->status, 200);
	while ((event = http_event(peer, &whole))) {
		last = text("%s", event);
		json = json_must_parse(http_event_line(event, "data"));
		if (!id && at_has(json, "event"))
			id = http_event_line(event, "id");
	}
	ck_assert(whole);
	ck_assert_str_eq(http_event_line(last, "event"), "end");
	json = json_must_parse(http_event_line(last, "data"));
	ck_assert_str_eq(at_text(json, "event.status"), "SUCCESS");
	http_close(peer);
	ck_assert_ptr_nonnull(id);
	peer = follow(secret, text("/api/v1/WatchTask?id=%d&after_sequence=0", (int) at_int(json, "event.task_id")),
		      text("Last-Event-ID: %s\r\n", id));
	ck_assert_int_eq(http_receive(peer)->status, 200);
	while ((event = http_event(peer, &whole))) {
		json = json_must_parse(http_event_line(event, "data"));
		if (at_has(json, "event"))
			sequence = sequence ? sequence : at_int(json, "event.sequence");
	}
	ck_assert(whole);
	ck_assert_int_eq(sequence, atoi(id) + 1);
	http_close(peer);
	/* An error before the first event has a status of its own. */
	peer = follow(secret, "/api/v1/WatchTask?id=99", "");
	ck_assert_int_eq(http_receive(peer)->status, 404);
	http_close(peer);
	end();
}
END_TEST

START_TEST(pages)
{
	struct http_peer *peer;
	const char *secret, *event, *id = NULL;
	int n = 0;
	bool whole;

	begin();
	secret = token("t", "");
	for (int i = 0; i < 25; i++)
		wire_call(wire, "CreateCollection", "{'collection':{'name':'c%d'}}", i);
	peer = follow(secret, "/api/v1/ListCollections?limit=10", "");
	ck_assert_int_eq(http_receive(peer)->status, 200);
	while ((event = http_event(peer, &whole))) {
		n += (int) at_count(json_must_parse(http_event_line(event, "data")), "items");
		id = id ? id : http_event_line(event, "id");
	}
	ck_assert(whole);
	ck_assert_int_eq(n, 25);
	http_close(peer);
	peer = follow(secret, "/api/v1/ListCollections?limit=10", text("Last-Event-ID: %s\r\n", id));
	ck_assert_int_eq(http_receive(peer)->status, 200);
	event = http_event(peer, NULL);
	ck_assert_str_eq(at_text(json_must_parse(http_event_line(event, "data")), "items.0.name"), "c14");
	http_close(peer);
	end();
}
END_TEST

/* ---- Tokens ---- */

START_TEST(tokens)
{
	struct http_peer *peer, *stream;
	json_object *json;
	const char *secret;

	begin();
	json = wire_call(wire, "CreateToken", "{'name':'reads','scope':'read'}");
	ck_assert_str_eq(at_text(json, "token.project"), "default");
	secret = text("%s", at_text(json, "secret"));
	wire_refused(wire, "Conflict", "CreateToken", "{'name':'reads'}");
	peer = peer_with(secret);
	http_json(peer, 200, "GET", "/api/v1/ListTasks", NULL);
	refused(peer, 403, "PermissionDenied", "POST", "/api/v1/CreateCollection", "{'collection':{'name':'c'}}");
	refused(peer, 403, "PermissionDenied", "POST", "/api/v1/Drain", "{}");
	refused(peer, 403, "PermissionDenied", "POST", "/api/v1/CreateToken", "{'name':'more'}");
	refused(peer, 403, "PermissionDenied", "GET", "/api/v1/ListTokens", NULL);
	/* What it opened ends with it. */
	stream = follow(secret, "/api/v1/ListCollections?limit=1", "");
	ck_assert_int_eq(http_receive(stream)->status, 200);
	http_close(stream);
	wire_call(wire, "RevokeToken", "{'token':{'name':'reads'}}");
	refused(peer, 401, "Unauthenticated", "GET", "/api/v1/ListTasks", NULL);
	ck_assert_int_eq(at_count(wire_call(wire, "ListTokens", "{}"), "items"), 0);
	http_close(peer);
	/* They are there after a restart; their secret is nowhere. */
	secret = token("stays", "");
	ck_assert_int_eq(daemon_stop(server), 0);
	ck_assert_int_ne(system(text("grep -rq '%s' '%s'", secret + 22, daemon_state_dir(server))), 0);
	daemon_restart(server);
	wire = daemon_connect(server);
	url = text("%s", at_text(wire_call(wire, "GetStatus", "{}"), "front.http"));
	peer = peer_with(secret);
	http_json(peer, 200, "GET", "/api/v1/ListTasks", NULL);
	http_close(peer);
	end();
}
END_TEST

START_TEST(revoked_stream)
{
	struct http_peer *stream;
	const char *secret;
	bool whole;

	begin();
	secret = token("t", ",'everywhere':true");
	stream = follow(secret, "/api/v1/Monitor", "");
	ck_assert_int_eq(http_receive(stream)->status, 200);
	wire_call(wire, "RevokeToken", "{'token':{'name':'t'}}");
	ck_assert_ptr_null(http_event(stream, &whole));
	ck_assert(!whole);
	http_close(stream);
	end();
}
END_TEST

/* A token for one project has nothing of another one, by name or by id. */
START_TEST(one_project)
{
	struct sim *sim = sim_start(NULL);
	struct http_peer *peer;
	json_object *task;

	begin();
	wire_call(wire, "CreateProject", "{'project':{'name':'other'}}");
	task = experiment_run(wire, &(struct experiment) { .name = "e", .rows = 1, .url = sim_url(sim) });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	peer = peer_with(token("t", ",'project':'other'"));
	ck_assert_int_eq(at_int(http_json(peer, 200, "POST", "/api/v1/CreateCollection",
					  "{'collection':{'name':'mine'}}"), "collection.id"), 2);
	ck_assert_int_eq(at_count(http_json(peer, 200, "GET", "/api/v1/ListCollections", NULL), "items"), 1);
	ck_assert_int_eq(at_count(http_json(peer, 200, "GET", "/api/v1/ListTasks", NULL), "items"), 0);
	ck_assert_int_eq(at_count(http_json(peer, 200, "GET", "/api/v1/ListCosts?by=model", NULL), "items"), 0);
	refused(peer, 404, "NotFound", "GET", "/api/v1/ListTasks?project=default", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/GetCollection?collection.id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/GetExperiment?experiment.id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/ListResponses?experiment.id=1", NULL);
	refused(peer, 404, "NotFound", "POST", "/api/v1/AnnotateResponse", "{'response_id':1,'annotation':'x'}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/EditRating", "{'rating_id':1,'rating':'NO'}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/RateResponses",
		"{'response_ids':[1],'criteria':['Is it short?']}");
	refused(peer, 404, "NotFound", "GET", "/api/v1/GetTask?id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/WatchTask?id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/ListTaskLogs?id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/ListBatchItems?id=1", NULL);
	refused(peer, 404, "NotFound", "GET", "/api/v1/ListPreferences?id=1", NULL);
	refused(peer, 404, "NotFound", "POST", "/api/v1/CancelTask", "{'id':1}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/RetryTask", "{'id':1}");
	refused(peer, 403, "PermissionDenied", "GET", "/api/v1/ListProjects", NULL);
	refused(peer, 403, "PermissionDenied", "POST", "/api/v1/PruneTasks", "{}");
	wire_call(wire, "CreateCriterionSet", "{'criterion_set':{'name':'theirs','criteria':[{'criterion_str':'Is it?'}]}}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/DeleteCriterion", "{'id':1}");
	(void)http_json(peer, 200, "POST", "/api/v1/CreateCriterionSet",
			"{'criterion_set':{'name':'own','criteria':[{'criterion_str':'Is it?'}]}}");
	(void)http_json(peer, 200, "POST", "/api/v1/DeleteCriterion", "{'id':2}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/PlanExperiment",
		"{'run':{'name':'p','project':'default','collection':{'ref':{'id':1}}}}");
	refused(peer, 404, "NotFound", "POST", "/api/v1/PlanExperiment",
		"{'run':{'name':'p','collection':{'ref':{'id':1}}}}");
	refused(peer, 422, "InvalidParameter", "POST", "/api/v1/PlanExperiment",
		"{'run':{'name':'p','collection':{'ref':{'id':2}}}}"); // its own, and empty
	http_close(peer);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(methods, verbs_and_paths, errors, framing, unix_socket, events, pages, tokens, revoked_stream, one_project);
}
