/*
 * What the elluminate SDK speaks, on literal bytes. The client itself is in elluminate_sdk/.
 */
#include <string.h>

#include "tests/harness/sim.h"
#include "tests/integration/http_service.h"

#define PROJECT "/api/v0/projects/1"
#define TEMPLATE(text) "{'name':'P','messages':[{'role':'user','content':'" text "'}]}"

static void by_other_verbs(const char *verb, const char *path, const char *allowed)
{
	const struct http_answer *answer = http_ask(peer, verb, path, NULL);

	ck_assert_int_eq(answer->status, 405);
	ck_assert_str_eq(http_answer_header(answer, "Allow"), allowed);
	ck_assert_ptr_nonnull(strstr(answer->body, "\"detail\""));
}

START_TEST(handshake_and_errors)
{
	json_object *json;

	begin();
	json = POST(200, "/api/v0/version/compatible", "{'current_sdk_version':'1.5.2'}");
	ck_assert_str_eq(at_text(json, "required_sdk_version"), "1.5.2");
	json = GET(200, "/api/v0/projects");
	ck_assert_int_eq(at_int(json, "count"), 1);
	ck_assert_int_eq(at_int(json, "items.0.id"), 1);
	ck_assert_int_eq(at_int(json, "items.0.organization.id"), 1);
	POST(200, PROJECT "/prompt_templates", TEMPLATE("Say {{word}}."));
	json = POST(409, PROJECT "/prompt_templates", TEMPLATE("Say {{word}}."));
	ck_assert_int_eq(at_int(json, "prompt_template_id"), 1);
	ck_assert_ptr_nonnull(at_text(json, "detail"));
	json = GET(404, PROJECT "/prompt_templates/7");
	ck_assert_ptr_nonnull(at_text(json, "detail"));
	GET(404, PROJECT "/prompt_templates/seven");
	GET(404, "/api/v0/projects/7/prompt_templates");
	GET(422, PROJECT "/prompt_templates?page=0");
	GET(422, PROJECT "/experiments?collection_id=x");
	POST(422, PROJECT "/prompt_templates", "{'name':'Q','messages':[{'role':'nobody','content':'x'}]}");
	POST(422, PROJECT "/criteria", "{}");
	json = GET(501, PROJECT "/personas");
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "simulate"));
	ck_assert_ptr_nonnull(at_text(GET(404, PROJECT "/unheard_of"), "detail"));
	ck_assert_ptr_nonnull(at_text(GET(404, "/api/v0/unheard_of"), "detail"));
	ck_assert_ptr_nonnull(at_text(GET(404, "/api/v0/unheard_of/4"), "detail"));
	GET(404, PROJECT "/responses/1/unheard_of");
	by_other_verbs("DELETE", PROJECT "/responses/1", "GET, HEAD, PATCH");
	by_other_verbs("PATCH", PROJECT "/prompt_templates", "GET, HEAD, POST");
	by_other_verbs("DELETE", "/api/v0/projects", "GET, HEAD, POST");
	POST(422, PROJECT "/llm_configs", "{'name':'c','llm_model_name':'m','input_price_per_mtok':'dear'}");
	POST(501, PROJECT "/experiments", "{'name':'E','evaluation_mode':'AGENTIC','generate':true}");
	POST(501, PROJECT "/experiments", "{'name':'E','evaluation_mode':'MULTI_TURN'}");
	GET(200, PROJECT "/llm_configs?name=none&version=1"); // which has none
	json = GET(200, PROJECT "/prompt_templates?name=P&version=1");
	ck_assert_str_eq(at_text(json, "items.0.messages.0.content"), "Say {{word}}.");
	ck_assert_int_eq(at_count(GET(200, PROJECT "/prompt_templates?name=none"), "items"), 0);
	/* Nobody without a token. */
	http_set_headers(peer, "");
	ck_assert_ptr_nonnull(at_text(GET(401, "/api/v0/projects"), "detail"));
	end();
}
END_TEST

static json_object *upload(int status, const char *type, const char *form)
{
	struct http_peer *other = http_open(url);
	const struct http_answer *answer;
	json_object *json;

	http_send_text(other, text("POST " PROJECT "/collections/1/entries/batches HTTP/1.1\r\nHost: localhost\r\n"
				  "X-API-Key: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", secret,
				  type, strlen(form), form));
	answer = http_receive(other);
	ck_assert_msg(answer->status == status, "%d: %s", answer->status, answer->body);
	json = json_must_parse(answer->body);
	http_close(other);
	return json;
}

#define FORM "multipart/form-data; boundary=b"
#define FILE_OF(lines) \
	"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"v.jsonl\"\r\n\r\n" lines "\r\n--b--\r\n"

/* In pages, too: as long as the first one. */
START_TEST(rows)
{
	json_object *json;

	begin();
	POST(200, PROJECT "/collections", "{'name':'C','variables':[{'a':'0'}]}");
	json = upload(200, FORM, FILE_OF("{\"a\":\"1\"}\n{\"a\":\"2\"}"));
	ck_assert_int_eq(json_object_array_length(json), 2);
	ck_assert_str_eq(at_text(json, "1.input_values.a"), "2");
	json_object_put(json);
	json = upload(422, FORM, FILE_OF("{\"a\":\"3\"}\nnonsense"));
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "line 2"));
	json_object_put(json);
	json_object_put(upload(400, FORM, "no form"));
	json_object_put(upload(415, "application/json", "{}"));
	wire_call(wire, "AddTemplateVariables", "{'collection':{'id':1},'variables':[{'a':'x'}]}");
	json = GET(200, PROJECT "/collections/1");
	ck_assert_int_eq(at_count(json, "variables"), 4);
	json = POST(200, PROJECT "/collections/1/entries", "{'input_values':{'a':'y'}}");
	ck_assert_str_eq(at_text(json, "input_values.a"), "y");
	json = GET(200, text(PROJECT "/collections/1/entries/%lld", (long long)at_int(json, "id")));
	ck_assert_str_eq(at_text(json, "input_values.a"), "y");
	ck_assert_int_eq(at_int(GET(200, PROJECT "/collections/1/entries?page=2"), "count"), 5);
	ck_assert_int_eq(at_count(GET(200, PROJECT "/collections/1/entries?page=2"), "items"), 0);
	ck_assert_int_eq(http_ask(peer, "DELETE", PROJECT "/collections/1/entries", NULL)->status, 204);
	ck_assert_int_eq(at_count(GET(200, PROJECT "/collections/1"), "variables"), 0);
	end();
}
END_TEST

/* The parts of an experiment of four cases, and what makes it. */
static const char *experiment(void)
{
	POST(200, PROJECT "/prompt_templates", TEMPLATE("Say {{a}}."));
	POST(200, PROJECT "/collections", "{'name':'C','variables':[{'a':'1'},{'a':'2'},{'a':'3'},{'a':'4'}]}");
	POST(200, PROJECT "/criterion_sets", "{'name':'S','criteria':[{'criterion_str':'Is it?'}]}");
	return "{'name':'E','description':'','prompt_template_id':1,'collection_id':1,'criterion_set_id':1,"
	       "'generate':true,'rating_mode':'detailed','n_epochs':1,'generation_params':null}";
}

/* The next event of the stream as JSON, or NULL; its id. */
static json_object *next_event(struct http_peer *stream, int64_t *ret_id)
{
	const char *event = http_event(stream, NULL);

	if (!event)
		return NULL;
	*ret_id = strtoll(http_event_line(event, "id"), NULL, 10);
	return json_must_parse(http_event_line(event, "data"));
}

/* Reads to the end: how many events there were, and the last one. */
static int read_stream(struct http_peer *stream, json_object **ret_last, int64_t *ret_first_id)
{
	json_object *event;
	int64_t id;
	int n = 0;

	*ret_last = NULL;
	while ((event = next_event(stream, &id))) {
		json_object_put(*ret_last);
		*ret_last = event;
		if (n++ == 0)
			*ret_first_id = id;
	}
	return n;
}

static void must_list(int64_t n, const char *query)
{
	ck_assert_msg(at_int(GET(200, text(PROJECT "/%s", query)), "count") == n, "%s", query);
}

START_TEST(filters)
{
	const char *at;

	begin();
	at = text("%s", at_text(POST(200, PROJECT "/experiments", experiment()), "created_at"));
	must_list(1, "prompt_templates?search=p");
	must_list(0, "prompt_templates?search=q");
	must_list(1, "collections?name_search=c");
	must_list(0, "collections?name=c");
	must_list(1, "experiments?experiment_name_search=e");
	must_list(1, text("experiments?date_from=%.19sZ", at));
	must_list(1, text("experiments?date_from=%.19s&date_to=%.19s-01:00", at, at));
	must_list(0, text("experiments?date_from=%.19s-01:00", at));
	must_list(0, text("experiments?date_to=%.10s", at));
	must_list(1, text("experiments?date_from=%.10s", at));
	GET(422, PROJECT "/experiments?date_to=tomorrow");
	ck_assert_ptr_nonnull(strstr(at_text(POST(422, PROJECT "/responses/batches",
						  "{'prompt_response_ins':[{'template_variables_id':1}]}"), "detail"),
				     "prompt_response_ins[0].experiment_id"));
	end();
}
END_TEST

/* Asked for twice with one key it is made once; its stream goes on where it broke. */
START_TEST(experiments)
{
	const char *body, *task, *stream;
	struct http_peer *other;
	json_object *json, *last;
	int64_t first;

	begin();
	body = experiment();
	other = peer_new("Idempotency-Key: k\r\n");
	for (int i = 0; i < 2; i++) {
		json = http_json(other, 200, "POST", PROJECT "/experiments", body);
		ck_assert_int_eq(at_int(json, "id"), 1);
		ck_assert_str_eq(at_text(json, "collection.name"), "C");
		ck_assert_str_eq(at_text(json, "criterion_set.criteria.0.criterion_str"), "Is it?");
	}
	http_close(other);
	task = text("%s", at_text(json, "generation_task_id"));
	POST(409, PROJECT "/experiments", body);
	stream = text(PROJECT "/experiments/1/generation/%s/stream?polling_interval=0.1", task);
	other = peer_new("");
	ck_assert_int_eq(http_ask(other, "GET", stream, NULL)->status, 200);
	ck_assert_int_gt(read_stream(other, &last, &first), 0);
	ck_assert_str_eq(at_text(last, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(last, "completed_ratings"), 4);
	json_object_put(last);
	http_close(other);
	/* What came behind the first event, again. */
	other = peer_new("Last-Event-ID: 0\r\n");
	ck_assert_int_eq(http_ask(other, "GET", stream, NULL)->status, 200);
	ck_assert_int_gt(read_stream(other, &last, &first), 0);
	ck_assert_int_gt(first, 0);
	json_object_put(last);
	http_close(other);
	GET(422, text(PROJECT "/experiments/1/generation/%s/stream?polling_interval=60", task));
	ck_assert_str_eq(at_text(GET(200, text(PROJECT "/experiments/1/generation/%s", task)), "status"), "SUCCESS");
	json = GET(200, PROJECT "/responses?experiment_id=1");
	ck_assert_int_eq(at_int(json, "count"), 4);
	ck_assert_str_eq(at_text(json, "items.0.prompt.messages.0.content"), "Say 1.");
	ck_assert_str_eq(at_text(json, "items.0.messages.0.role"), "assistant");
	ck_assert_ptr_nonnull(at_text(json, "items.0.ratings.0.reasoning"));
	json = http_json(peer, 200, "PATCH", PROJECT "/responses/1", "{'annotation':'Odd.'}");
	ck_assert_str_eq(at_text(json, "annotation"), "Odd.");
	ck_assert_int_eq(at_count(GET(200, PROJECT "/responses?response_ids=2&response_ids=1"), "items"), 2);
	/* Ratings in a batch say how far they are. */
	task = text("%s", json_object_get_string(POST(200, PROJECT "/ratings/batches",
		    "{'prompt_response_ids':[1,2,3,4],'rating_mode':'fast'}")));
	other = peer_new("");
	ck_assert_int_eq(http_ask(other, "GET", text(PROJECT "/ratings/batches/%s/stream", task), NULL)->status, 200);
	ck_assert_int_gt(read_stream(other, &last, &first), 0);
	ck_assert_str_eq(at_text(last, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(last, "completed_ratings"), 4);
	ck_assert_int_eq(at_int(last, "total_responses"), 4);
	json_object_put(last);
	http_close(other);
	json = GET(200, text(PROJECT "/ratings/batches/%s", task));
	ck_assert_int_eq(at_int(json, "completed_ratings"), 4);
	json = POST(200, PROJECT "/ratings", "{'prompt_response_id':2,'rating_mode':'fast'}");
	ck_assert_int_eq(json_object_array_length(json), 1);
	ck_assert_int_eq(at_int(GET(200, PROJECT "/ratings?prompt_response_id=2"), "count"), 1);
	ck_assert_int_eq(http_ask(peer, "DELETE", PROJECT "/experiments/1", NULL)->status, 204);
	GET(404, PROJECT "/experiments/1");
	end();
}
END_TEST

/* Made first, and asked and rated as who runs it wants, until it was. */
START_TEST(run_otherwise)
{
	static const char run[] = "{'rating_mode':'fast','n_epochs':2,'generation_params':{'temperature':0.5,"
				  "'max_connections':10}}";
	static const char *const odd[] = { "epoch=nan", "epoch=1e300", "epoch=-1e300", "epoch=x",
					   "epoch=1.5", "duration_seconds_min=inf" };
	json_object *json;

	begin();
	(void)experiment();
	json = POST(200, PROJECT "/experiments", "{'name':'Made','description':'','prompt_template_id':1,"
		    "'collection_id':1,'criterion_set_id':1,'generate':false,'rating_mode':'detailed','n_epochs':1}");
	ck_assert(!at_has(json, "generation_task_id"));
	json = POST(200, PROJECT "/experiments/1/run", run);
	wire_call(wire, "WatchTask", "{'id':%s}", at_text(json, "generation_task_id"));
	json = GET(200, PROJECT "/experiments/1");
	ck_assert_int_eq(at_int(json, "n_epochs"), 2);
	ck_assert_int_eq(at_count(json, "results.input_tokens_per_response"), 8);
	ck_assert_int_eq(at_count(json, "results.duration_seconds_per_response"), 8);
	json = GET(200, PROJECT "/experiments/1?include_responses=true");
	ck_assert_int_eq(at_count(json, "rated_responses"), 8);
	ck_assert(!at_has(json, "rated_responses.0.ratings.0.reasoning"));
	json = POST(409, PROJECT "/experiments/1/run", "{'rating_mode':'detailed'}");
	ck_assert_ptr_nonnull(at_text(json, "detail"));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		GET(422, text(PROJECT "/responses?experiment_id=1&%s", odd[i]));
	/* Pages go on where the one before ended. */
	ck_assert_int_eq(at_count(GET(200, PROJECT "/responses?experiment_id=1&page=2"), "items"), 0);
	end();
}
END_TEST

/* The row of the n-th sample. */
#define SAMPLE_ROW(json, n) at_int(json, n ".template_variables_id")

/* Samples in an order, and those that were rated so; and what all of it comes to. */
START_TEST(samples)
{
	static const char *const odd[] = { "sort_by=best", "sort_by=rating", "criteria_filter_by=all",
					   "criteria_filter_by=%7B%221%22:%22MAYBE%22%7D" };
	json_object *json;

	begin();
	(void)experiment();
	POST(200, PROJECT "/experiments", "{'name':'Made','description':'','prompt_template_id':1,"
	     "'collection_id':1,'criterion_set_id':1,'generate':false,'rating_mode':'fast','n_epochs':1}");
	wire_call(wire, "AddResponses", "{'experiment':{'id':1},'responses':["
		  "{'row':1,'response_text':'a','duration_seconds':2,'input_tokens':7,'output_tokens':1,"
		  "'ratings':[{'criterion':'Is it?','rating':'NO'}]},"
		  "{'row':2,'response_text':'b','duration_seconds':1,'input_tokens':8,'output_tokens':1,"
		  "'ratings':[{'criterion':'Is it?','rating':'YES'}]},"
		  "{'row':3,'response_text':'c','duration_seconds':3,'input_tokens':9,'output_tokens':1}]}");
	json = GET(200, PROJECT "/responses/samples?experiment_id=1&sort_by=duration-asc");
	ck_assert_int_eq(json_object_array_length(json), 3);
	ck_assert(SAMPLE_ROW(json, "0") == 2 && SAMPLE_ROW(json, "1") == 1 && SAMPLE_ROW(json, "2") == 3);
	json = GET(200, PROJECT "/responses/samples?experiment_id=1&sort_by=input-tokens-desc");
	ck_assert(SAMPLE_ROW(json, "0") == 3 && SAMPLE_ROW(json, "2") == 1);
	/* What was not rated comes last, whichever way. */
	json = GET(200, PROJECT "/responses/samples?experiment_id=1&sort_by=rating-asc");
	ck_assert(SAMPLE_ROW(json, "0") == 1 && SAMPLE_ROW(json, "2") == 3);
	json = GET(200, PROJECT "/responses/samples?experiment_id=1&sort_by=rating-desc");
	ck_assert(SAMPLE_ROW(json, "0") == 2 && SAMPLE_ROW(json, "2") == 3);
	/* As JSON has it, and as the client prints it. */
	json = GET(200, PROJECT "/responses/samples?experiment_id=1&criteria_filter_by=%7B%221%22:%22YES%22%7D");
	ck_assert(json_object_array_length(json) == 1 && SAMPLE_ROW(json, "0") == 2);
	json = GET(200, PROJECT "/responses/samples?experiment_id=1"
			"&criteria_filter_by=%7B1:%20%3CRatingValue.NO:%20%27NO%27%3E%7D");
	ck_assert(json_object_array_length(json) == 1 && SAMPLE_ROW(json, "0") == 1);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		GET(422, text(PROJECT "/responses/samples?experiment_id=1&%s", odd[i]));
	POST(200, PROJECT "/experiments", "{'name':'B','description':'','prompt_template_id':1,"
	     "'collection_id':1,'criterion_set_id':1,'generate':false,'rating_mode':'fast','n_epochs':1}");
	json = GET(200, PROJECT "/responses/comparison/samples?experiment_a_id=1&experiment_b_id=2"
			"&categorical_filters=%7B%22a%22:[%221%22,%222%22]%7D");
	ck_assert_int_eq(json_object_array_length(json), 4);
	GET(422, PROJECT "/responses/comparison/samples?experiment_a_id=1&experiment_b_id=2&categorical_filters=a");
	GET(422, PROJECT "/responses/comparison/samples?experiment_a_id=1&experiment_b_id=2"
	    "&categorical_filters=%7B%22a%22:1%7D");
	/* Names of the query are whatever the client likes. */
	json = GET(200, PROJECT "/responses/comparison/samples?experiment_a_id=1&experiment_b_id=2"
			"&categorical_filters%2C%20read=a");
	ck_assert_int_eq(json_object_array_length(json), 6);
	/* Sums are of what came to its end. */
	ck_assert_int_eq(at_int(GET(200, PROJECT "/responses/stats"), "total_responses"), 0);
	wire_call(wire, "RunExperiment", "{'experiment':{'id':1}}");
	json = GET(200, PROJECT "/responses/stats?days=1");
	ck_assert_int_eq(at_int(json, "total_responses"), 4);
	ck_assert_int_ge(at_int(json, "total_input_tokens"), 7 + 8 + 9);
	ck_assert_int_eq(at_count(json, "daily_usage"), 1);
	ck_assert_int_eq(at_int(json, "daily_usage.0.requests"), 4);
	ck_assert(at_number(json, "average_rating") >= 0 && at_number(json, "average_duration_seconds") > 0);
	ck_assert_int_eq(at_int(GET(200, PROJECT "/responses/stats?llm_config_id=1"), "total_responses"), 4);
	GET(422, PROJECT "/responses/stats?days=91");
	end();
}
END_TEST

/* What is wrong names the field; what is no set is none. */
START_TEST(scenarios)
{
	json_object *json;

	begin();
	POST(200, PROJECT "/collections", "{'name':'C','variables':[{'a':'0'}]}");
	GET(404, PROJECT "/scenario-sets/1");
	json = POST(200, PROJECT "/scenario-sets", "{'name':'S','description':'d','fields':['mood']}");
	ck_assert_int_eq(at_int(json, "id"), 2);
	POST(409, PROJECT "/scenario-sets", "{'name':'S','fields':[]}");
	POST(422, PROJECT "/scenario-sets", "{'name':7}");
	POST(422, PROJECT "/scenario-sets", "{'fields':'mood'}");
	POST(422, PROJECT "/scenario-sets", "{'fields':[{'name':'mood'}]}");
	json = POST(422, PROJECT "/scenario-sets/2/scenarios/batch", "{'scenarios':{}}");
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "scenarios"));
	json = POST(422, PROJECT "/scenario-sets/2/scenarios", "{'goal':' ','expected_conversation_outcome':'x'}");
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "goal"));
	json = POST(422, PROJECT "/scenario-sets/2/scenarios/batch", "{'scenarios':[{'goal':'x',"
		    "'expected_conversation_outcome':'y','field_values':{'size':'1'}}]}");
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "scenarios[0].field_values"));
	POST(200, PROJECT "/scenario-sets/2/scenarios", "{'goal':'x','expected_conversation_outcome':'y'}");
	POST(409, PROJECT "/scenario-sets/2/fields", "{'name':'goal'}");
	POST(422, PROJECT "/scenario-sets/2/fields", "{}");
	ck_assert_int_eq(http_ask(peer, "DELETE", PROJECT "/scenario-sets/2/fields/7", NULL)->status, 404);
	ck_assert_int_eq(at_count(GET(200, PROJECT "/scenario-sets?name_search=S"), "items"), 1);
	http_json(peer, 200, "PUT", PROJECT "/scenario-sets/2", "{'description':'e'}");
	json = GET(200, PROJECT "/scenario-sets/2");
	ck_assert_str_eq(at_text(json, "name"), "S");
	ck_assert_str_eq(at_text(json, "description"), "e");
	ck_assert_int_eq(at_int(json, "scenarios_count"), 1);
	http_json(peer, 404, "PUT", PROJECT "/scenario-sets/2/scenarios/77",
		  "{'goal':'x','expected_conversation_outcome':'y'}");
	json = GET(200, PROJECT "/scenario-sets/2/scenarios");
	ck_assert_int_eq(at_count(json, "items"), 1);
	/* One that cannot be changed stays. */
	http_json(peer, 422, "PUT", text(PROJECT "/scenario-sets/2/scenarios/%lld", (long long)at_int(json, "items.0.id")),
		  "{'goal':'x','expected_conversation_outcome':'y','field_values':{'mood':[1]}}");
	ck_assert_int_eq(at_count(GET(200, PROJECT "/scenario-sets/2/scenarios"), "items"), 1);
	end();
}
END_TEST

/* Results of agents are answers to tasks, which a column names. */
START_TEST(agents)
{
	json_object *json;

	begin();
	(void)experiment();
	POST(200, PROJECT "/experiments", "{'name':'N','prompt_template_id':1,'collection_id':1,'criterion_set_id':1}");
	json = GET(422, PROJECT "/experiments/1/agent-results/definition");
	ck_assert_ptr_nonnull(strstr(at_text(json, "detail"), "task"));
	POST(200, PROJECT "/collections", "{'name':'T','columns':[{'name':'task'},{'name':'instruction',"
	     "'column_type':'raw_input'}],'variables':[{'task':'fix','instruction':'Fix.'},"
	     "{'task':'twice','instruction':'1'},{'task':'twice','instruction':'2'}]}");
	POST(200, PROJECT "/experiments", "{'name':'A','collection_id':2,'criterion_set_id':1,"
	     "'evaluation_mode':'AGENTIC'}");
	json = POST(200, PROJECT "/experiments/2/agent-results/preview",
		    "{'results':[{'task_name':'fix'},{'task_name':'twice'},{'task_id':7},{'task_id':99},{}]}");
	ck_assert_int_eq(at_int(json, "matched"), 2);
	ck_assert_ptr_nonnull(strstr(at_text(json, "results.1.reason"), "more than one"));
	POST(422, PROJECT "/experiments/2/agent-results/preview", "{}");
	json = POST(400, PROJECT "/experiments/2/agent-results", "{'results':[{'task_name':'none'}]}");
	ck_assert_str_eq(at_text(json, "kind"), "unmatched_tasks");
	POST(422, PROJECT "/experiments/2/agent-results", "{'results':[{'task_name':'fix',"
	     "'messages':[{'role':'nobody','content':'x'}]}]}");
	POST(422, PROJECT "/experiments/2/agent-results", "{'results':[{'task_name':'fix','cost_usd':'dear',"
	     "'messages':[{'role':'assistant','content':'x'}]}]}");
	json = POST(200, PROJECT "/experiments/2/agent-results", "{'evaluate':false,'results':[{'task_name':'fix',"
		    "'error':'It broke.'},7,{'task_name':'fix'},{'task_id':6,'messages':[{'role':'assistant',"
		    "'content':'Done.'}],'criterion_ratings':[{'criterion_id':77,'rating':'YES'}]}]}");
	ck_assert_int_eq(at_int(json, "created_responses"), 2);
	ck_assert_int_eq(at_count(json, "errors"), 3);
	ck_assert(!at_has(json, "evaluation_task_id"));
	/* A step may be silent. */
	json = POST(200, PROJECT "/experiments/2/agent-results", "{'evaluate':false,'results':[{'task_id':7,"
		    "'trajectory':{'schema_version':'ATIF-v1.7','steps':[{'source':'user','message':'Go.'},"
		    "{'source':'agent'},{'source':'agent','message':'Gone.'}]}}]}");
	ck_assert_int_eq(at_int(json, "created_responses"), 1);
	ck_assert_int_eq(at_count(json, "errors"), 0);
	json = GET(200, PROJECT "/responses?experiment_id=2");
	ck_assert_str_eq(at_text(json, "items.0.error"), "It broke.");
	ck_assert_str_eq(at_text(json, "items.1.messages.0.content"), "Done.");
	end();
}
END_TEST

/* An experiment over two tasks whose rows have that value, which is taken, too. */
static void tasks_of(const char *name, json_object *value, const char *criteria)
{
	json_object *given = json_object_new_object(), *list = json_object_new_array(), *row = json_object_new_object();

	json_object_object_add(row, "task", json_object_new_string("T"));
	json_object_object_add(row, "much", value);
	json_object_array_add(list, row);
	json_object_array_add(list, json_object_get(row));
	json_object_object_add(given, "name", json_object_new_string(name));
	json_object_object_add(given, "variables", list);
	POST(200, PROJECT "/collections", json_object_to_json_string(given));
	json_object_put(given);
	wire_call(wire, "CreateCriterionSet", "{'criterion_set':{'name':'%s','criteria':[%s]}}", name, criteria);
	wire_call(wire, "CreateExperiment", "{'name':'%s','prompt_template':{'ref':{'name':'P'}},'collection':{'ref':{'name':'%s'}},"
		  "'criterion_set':{'name':'%s'}}", name, name, name);
}

#define ELSEWHERE "/api/v0/projects/2"

/* What is another project's is not there, by whichever id. */
START_TEST(of_another_project)
{
	static const char *const theirs[] = {
		PROJECT "/scenario-sets", PROJECT "/responses/stats", PROJECT "/responses/samples?experiment_id=1",
		ELSEWHERE "/scenario-sets/2", ELSEWHERE "/scenario-sets/2/scenarios", ELSEWHERE "/scenario-sets/2/scenarios/5",
		ELSEWHERE "/experiments/1/agent-results/definition", ELSEWHERE "/responses/samples?experiment_id=1",
		ELSEWHERE "/responses/comparison/samples?experiment_a_id=1&experiment_b_id=1",
		"/api/v1/tasks/1/events", "/api/v1/tasks/1/events?after_sequence=0",
		"/api/v1/tasks/1/events?after_sequence=9007199254740991",
	};

	begin();
	(void)experiment();
	POST(200, PROJECT "/scenario-sets", "{'name':'S','fields':['mood']}");
	POST(200, PROJECT "/scenario-sets/2/scenarios", "{'goal':'x','expected_conversation_outcome':'y'}");
	POST(200, PROJECT "/experiments", "{'name':'E','description':'','prompt_template_id':1,"
	     "'collection_id':1,'criterion_set_id':1,'generate':false,'rating_mode':'fast','n_epochs':1}");
	wire_call(wire, "RunExperiment", "{'experiment':{'id':1}}");
	wire_call(wire, "GetTask", "{'id':1}");
	wire_call(wire, "CreateProject", "{'project':{'name':'P'}}");
	http_close(peer);
	secret = text("%s", at_text(wire_call(wire, "CreateToken", "{'name':'p','project':'P'}"), "secret"));
	peer = peer_new("");
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		GET(404, theirs[i]);
	POST(404, ELSEWHERE "/experiments/1/agent-results", "{'results':[{'task_id':1,'error':'e'}]}");
	http_json(peer, 404, "PUT", ELSEWHERE "/scenario-sets/2", "{'name':'mine'}");
	ck_assert_int_eq(http_ask(peer, "DELETE", ELSEWHERE "/scenario-sets/2", NULL)->status, 404);
	ck_assert_int_eq(at_count(GET(200, ELSEWHERE "/scenario-sets"), "items"), 0);
	ck_assert_int_eq(at_int(GET(200, ELSEWHERE "/responses/stats"), "total_responses"), 0);
	end();
}
END_TEST

#define THRICE "{{much}}{{much}}{{much}}"

/* What is kept for a request, and what is made for its answer, is bounded. */
START_TEST(too_much)
{
	json_object *values = json_object_new_array();
	char *text_of_it = calloc(1, 1000001);

	begin();
	POST(200, PROJECT "/prompt_templates", TEMPLATE("Do {{task}}."));
	for (size_t i = 0; i < 300000; i++)
		json_object_array_add(values, NULL);
	tasks_of("Values", values, "{\"criterion_str\":\"Is it?\"}");
	GET(413, PROJECT "/experiments/1/agent-results/definition");
	/* A page is as long as it may be; and of which the names alone are needed. */
	ck_assert_int_gt(at_count(GET(200, PROJECT "/collections/1/entries"), "items"), 0);
	POST(200, PROJECT "/experiments/1/agent-results/preview", "{'results':[{'task_name':'T'}]}");
	tasks_of("Bytes", json_object_new_string(memset(text_of_it, 'x', 1000000)),
		 "{\"criterion_str\":\"Is " THRICE "?\"},{\"criterion_str\":\"Was " THRICE "?\"},"
		 "{\"criterion_str\":\"Will " THRICE " be?\"}");
	GET(413, PROJECT "/experiments/2/agent-results/definition");
	free(text_of_it);
	end();
}
END_TEST

/* What ended in any other way is a failure to who polls, and what it is to who reads a stream. */
START_TEST(revoked)
{
	struct sim *sim = sim_start((const char *const[]) { "--latency_seconds=3600", NULL });
	const char *body, *task;
	struct http_peer *other;
	json_object *json, *last;
	int64_t first;

	begin();
	body = experiment();
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'slow','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s'}}", sim_url(sim));
	json = POST(200, PROJECT "/experiments", text("{'llm_config_id':2,%s", body + 1));
	task = text("%s", at_text(json, "generation_task_id"));
	/* Until then its stream says that it lives. */
	other = peer_new("");
	http_ask(other, "GET", text(PROJECT "/experiments/1/generation/%s/stream", task), NULL);
	for (int n = 0; !http_heartbeat(other); n++)
		ck_assert_int_lt(n, 10);
	wire_call(wire, "CancelTask", "{'id':%s}", task);
	json = GET(200, text(PROJECT "/experiments/1/generation/%s", task));
	ck_assert_str_eq(at_text(json, "status"), "FAILURE");
	ck_assert_ptr_nonnull(at_text(json, "error_msg"));
	read_stream(other, &last, &first);
	ck_assert_str_eq(at_text(last, "status"), "REVOKED");
	json_object_put(last);
	http_close(other);
	end();
	sim_stop(sim);
}
END_TEST

int main(void)
{
	return RUN_SUITE(handshake_and_errors, rows, filters, experiments, run_otherwise, samples, scenarios,
			 agents, of_another_project, too_much, revoked);
}
