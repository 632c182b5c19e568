/*
 * Call and TestLLMConfig: one chat completion as a task of the moment. What it is asked, what it
 * answers, and that it ends with whoever waits for it.
 */
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;
static struct sim *sim;

static void start(const char *setting)
{
	sim = sim_start((const char *[]) { setting, NULL });
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}

static const char *config(void)
{
	return text("'llm_config':{'content':{'name':'L','provider':'openai','llm_model_name':'m',"
		    "'llm_base_url':'%s'}}", sim_url(sim));
}

static json_object *ask(const char *messages, const char *more)
{
	json_object *reply = wire_call(wire, "Call", "%s",
				       requoted(text("{%s,%s%s}", messages, config(), more)));

	return json_object_get(at_json(reply, "task"));
}

#define HELLO "'messages':[{'role':'user','content':'Hello'}]"

START_TEST(messages)
{
	json_object *task, *request;

	start(NULL);
	task = ask("'messages':[{'role':'system','content':'Be brief.'},{'role':'user','content':'Hi {{x}}'}]",
		   ",'generation_params':{'temperature':0.5}");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "kind"), "call");
	ck_assert_str_eq(at_text(task, "name"), "call");
	ck_assert_str_eq(at_text(task, "priority"), "interactive");
	ck_assert_uint_gt(strlen(at_text(task, "result.call.text")), 0);
	ck_assert_str_eq(at_text(task, "result.call.model"), "m");
	ck_assert_str_eq(at_text(task, "result.call.finish_reason"), "stop");
	ck_assert_int_eq(at_int(task, "result.call.attempts"), 1);
	ck_assert_int_gt(at_int(task, "result.call.usage.input_tokens"), 0);
	ck_assert_int_gt(at_int(task, "result.call.usage.output_tokens"), 0);
	ck_assert(!at_has(task, "result.call.cost"));
	ck_assert(!at_has(task, "experiment_id"));
	ck_assert_int_eq(at_int(task, "progress.total_responses"), 1);
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 1);
	ck_assert_int_eq(at_int(task, "progress.input_tokens"),
			 at_int(task, "result.call.usage.input_tokens"));
	ck_assert_double_eq(at_number(task, "progress.percent_complete"), 100);
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "messages.0.content"), "Be brief.");
	ck_assert_str_eq(at_text(request, "messages.1.content"), "Hi {{x}}");
	ck_assert_double_eq(at_number(request, "temperature"), 0.5);
	end();
}
END_TEST

/* A template's placeholder is one more parameter: nothing begins without it. */
static void lacks(const char *variables)
{
	json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "Call",
					  "{'prompt_template':{'name':'T'},'variables':%s}", requoted(variables));

	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables.topic");
}

START_TEST(a_template)
{
	static char long_text[64 * 1024];
	json_object *task, *request;

	start(NULL);
	experiment_run(wire, &(struct experiment) { .rows = 1, .more =
		"'prompt_template':{'content':{'name':'T','messages':[{'role':'user',"
		"'content':'Say {{topic}}'}],'tools':[{'name':'look','parameters':{'type':'object'}}]}}" });
	task = ask("'prompt_template':{'name':'T'},'variables':{'topic':'cheese'}", "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "messages.0.content"), "Say cheese");
	ck_assert_str_eq(at_text(request, "tools.0.function.name"), "look");
	lacks("{'other':'cheese'}");
	lacks("{'topic':null}");
	memset(long_text, 'x', sizeof(long_text) - 1);
	lacks(text("{'other':'%s'}", long_text)); // which the writer does not read
	task = ask(text("'prompt_template':{'name':'T'},'variables':{'topic':'%s'}", long_text), "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	end();
}
END_TEST

START_TEST(what_is_wrong)
{
	static char long_text[4 * 1024 * 1024 + 2];
	json_object *reply;

	start(NULL);
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "Call", "{}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "messages");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Call",
		     "{" HELLO ",'prompt_template':{'name':'T'}}");
	wire_refused(wire, "NotFound", "Call", "{'prompt_template':{'name':'T'}}");
	memset(long_text, 'x', sizeof(long_text) - 1);
	wire_refused(wire, "TooLarge", "Call", "{'messages':[{'role':'user','content':'%s'}]}", long_text);
	sim_control(sim, "{'content_filter_rate':1}");
	reply = ask(HELLO, "");
	ck_assert_str_eq(at_text(reply, "status"), "FAILURE");
	ck_assert_int_eq(at_int(reply, "error.status"), 400);
	ck_assert(!at_has(reply, "result"));
	end();
}
END_TEST

/* ---- What is shown ---- */

#define PNG "iVBORw0KGgo="
#define IMAGE(of) "'messages':[{'role':'user','parts':[{'text':'What is it?'},{'image':{" of "}}]}]"

START_TEST(images)
{
	static char large[3 * 1024 * 1024 + 1];
	json_object *task, *request;

	start(NULL);
	task = ask(IMAGE("'data':'" PNG "'"), "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "messages.0.content.0.text"), "What is it?");
	ck_assert_str_eq(at_text(request, "messages.0.content.1.image_url.url"), "data:image/png;base64," PNG);
	/* From a row's or a call's values, as any text. */
	wire_call(wire, "CreatePromptTemplate",
		  "{'prompt_template':{'name':'T'," IMAGE("'data':'{{photo}}','media_type':'image/jpeg'") "}}");
	task = ask("'prompt_template':{'name':'T'},'variables':{'photo':'/9j/AAAA'}", "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.0.content.1.image_url.url"), "data:image/jpeg;base64,/9j/AAAA");
	/* One of some megabytes. */
	memset(large, 'A', sizeof(large) - 1);
	memcpy(large, PNG, 11);
	task = ask(text(IMAGE("'data':'%s'"), large), "");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_uint_eq(strlen(at_text(sim_last_request(sim), "messages.0.content.1.image_url.url")),
			  strlen("data:image/png;base64,") + sizeof(large) - 1);
	end();
}
END_TEST

START_TEST(what_cannot_be_shown)
{
	json_object *task;

	start(NULL);
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Call", "{" IMAGE("") "}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Call",
		     "{" IMAGE("'data':'" PNG "','url':'http://h/'") "}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "Call",
		     "{'messages':[{'role':'user','parts':[{'type':'text','text':'a'}]}]}");
	task = ask("'messages':[{'role':'user','parts':[{'document':{'url':'https://h/a.pdf'}}]}]", "");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "Unsupported");
	ck_assert_str_eq(at_text(task, "error.field"), "messages[0].parts[0].document.url");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "openai"));
	task = ask(IMAGE("'data':'?'"), "");
	ck_assert_str_eq(at_text(task, "error.code"), "InvalidParameter");
	ck_assert_str_eq(at_text(task, "error.field"), "messages[0].parts[1].image.data");
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	end();
}
END_TEST

/* ---- A client of one's own ---- */

/* Elsewhere goes what the call itself says, and no key that another origin has. */
START_TEST(a_config_of_its_own)
{
	static const char other[] = "'llm_config':{'content':{'name':'%s','provider':'openai','llm_model_name':'m',"
				    "'llm_base_url':'%s'%s}}";
	struct sim *elsewhere = sim_start(NULL);
	json_object *reply, *request;
	const char *text_of_all;

	start(NULL);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'L','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'%s','api_key':'sk-first','extra_headers':{'X-First':'1'}}}", sim_url(sim));
	reply = wire_call(wire, "Call", "%s", requoted(text("{" HELLO ",%s}", text(other, "O", sim_url(elsewhere),
			  ",'api_key':'sk-other','extra_headers':{'X-Team':'blue'},'temperature':0.5"))));
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	request = sim_requests(elsewhere, 1);
	text_of_all = json_object_to_json_string(request);
	ck_assert_ptr_nonnull(strstr(text_of_all, "Bearer sk-other"));
	ck_assert_ptr_nonnull(strcasestr(text_of_all, "\"X-Team\": \"blue\""));
	ck_assert_ptr_null(strstr(text_of_all, "sk-first"));
	ck_assert_ptr_null(strcasestr(text_of_all, "X-First"));
	/* The name of one that has a key is not enough to have it sent there. */
	wire_refused(wire, "Conflict", "Call", "%s", requoted(text("{" HELLO ",%s}",
								    text(other, "L", sim_url(elsewhere), ""))));
	reply = wire_call(wire, "Call", "%s", requoted(text("{" HELLO ",%s}",
							     text(other, "P", sim_url(elsewhere), ""))));
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_ptr_null(strstr(json_object_to_json_string(sim_requests(elsewhere, 1)), "sk-"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	sim_stop(elsewhere);
	end();
}
END_TEST

/* ---- Answers of a form ---- */

#define PERSON ",'response_format':{'type':'object','properties':{'name':{'type':'string'},'age':" \
	       "{'type':'integer','minimum':0}},'required':['name','age'],'additionalProperties':false}"

static void answer_with(const char *says, int first_n)
{
	json_object *settings = json_object_new_object();

	sim_reset(sim);
	json_object_object_add(settings, "fixed_answer", json_object_new_string(says));
	json_object_object_add(settings, "fixed_until", json_object_new_int(first_n));
	sim_control(sim, "%s", json_object_to_json_string(settings));
	json_object_put(settings);
}

START_TEST(an_answer_of_a_form)
{
	json_object *task, *answer;

	start(NULL);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	answer = json_must_parse(at_text(task, "result.call.text"));
	ck_assert_int_ge(at_int(answer, "age"), 0);
	/* Nothing but the JSON is the answer. */
	answer_with("```json\n{\"name\":\"A\",\"age\":1}\n```\n", 0);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "result.call.text"), "{\"name\":\"A\",\"age\":1}");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	answer_with("<think>\n{\"age\": 2}?\n</think>\n\n{\"name\":\"A\",\"age\":1}", 0);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "result.call.text"), "{\"name\":\"A\",\"age\":1}");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	answer_with("Who? {\"age\": 2}?\n</think>\n\n{\"name\":\"A\",\"age\":1}", 0);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "result.call.text"), "{\"name\":\"A\",\"age\":1}");
	answer_with("{\"name\":\"</think>\",\"age\":1}", 0);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "result.call.text"), "{\"name\":\"</think>\",\"age\":1}");
	end();
}
END_TEST

/* Once, saying what was wrong; what both took counts. */
START_TEST(it_is_asked_for_again)
{
	json_object *task, *request, *logs;

	start(NULL);
	answer_with("{\"name\":\"A\",\"age\":-1}", 1);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	json_must_parse(at_text(task, "result.call.text"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_int_eq(at_int(task, "result.call.attempts"), 2);
	ck_assert_int_eq(at_int(task, "progress.input_tokens"), at_int(task, "result.call.usage.input_tokens"));
	ck_assert_int_eq(at_int(task, "progress.output_tokens"), at_int(task, "result.call.usage.output_tokens"));
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "messages.1.role"), "assistant");
	ck_assert_str_eq(at_text(request, "messages.1.content"), "{\"name\":\"A\",\"age\":-1}");
	ck_assert_ptr_nonnull(strstr(at_text(request, "messages.2.content"), "age: -1 is below its minimum of 0"));
	logs = wire_call(wire, "ListTaskLogs", "{'id':%lld}", (long long)at_int(task, "id"));
	ck_assert_ptr_nonnull(strstr(at_text(logs, "items.0.line"), "asked once more: age: -1"));
	/* Each request has a key of its own. */
	ck_assert_int_eq(sim_stat(sim, "keys_repeated"), 0);
	end();
}
END_TEST

START_TEST(it_does_not_come)
{
	json_object *task;

	start(NULL);
	answer_with("I would rather not.", 0);
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendRejected");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "asked twice: it is not JSON"));
	ck_assert_str_eq(at_text(task, "result.call.text"), "I would rather not.");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_int_gt(at_int(task, "progress.output_tokens"), 0);
	/* What was cut would be cut again. */
	sim_reset(sim);
	sim_control(sim, "{'empty_rate':1}");
	task = ask(HELLO, PERSON);
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "it was cut at the limit of its tokens"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

/* A budget that the first answer used up holds the task before the second is asked for. */
START_TEST(its_budget_holds)
{
	json_object *reply;

	start(NULL);
	answer_with("{}", 0);
	wire_start(wire, "'more':true", "Call", "%s",
		   requoted(text("{" HELLO PERSON ",'cost_limit':'0.000001','llm_config':{'content':{'name':'L',"
				 "'provider':'openai','llm_model_name':'m','llm_base_url':'%s','price_input':'1000',"
				 "'price_output':'1000'}}}", sim_url(sim))));
	do
		reply = wire_next(wire);
	while (!at_has(reply, "parameters.event.hold") && at_has(reply, "continues"));
	ck_assert_str_eq(at_text(reply, "parameters.event.hold"), "budget");
	ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	end();
}
END_TEST

/* The built-in model, where no other is configured; the same key is the same task. */
START_TEST(the_default)
{
	json_object *first, *again;

	start(NULL);
	first = wire_call(wire, "Call", "{" HELLO ",'idempotency_key':'k','name':'Mine'}");
	ck_assert_str_eq(at_text(first, "task.status"), "SUCCESS");
	ck_assert_str_eq(at_text(first, "task.name"), "Mine");
	again = wire_call(wire, "Call", "{" HELLO ",'idempotency_key':'k','name':'Mine'}");
	ck_assert_int_eq(at_int(again, "task.id"), at_int(first, "task.id"));
	wire_refused(wire, "Conflict", "Call", "{" HELLO ",'idempotency_key':'k'}");
	end();
}
END_TEST

/* What is asked in tests of what both have in common. */
static const struct asking {
	const char *method, *parameters;
} askings[] = { { "Call", HELLO "," }, { "TestLLMConfig", "" } };
#define N_ASKINGS (sizeof(askings) / sizeof(askings[0]))

static int64_t begin_slow(const struct asking *asking, const char *more)
{
	json_object *reply;

	wire_start(wire, "'more':true", asking->method, "%s",
		   requoted(text("{%s%s%s}", asking->parameters, config(), more)));
	reply = wire_next(wire);
	sim_await(sim, "calls", 1);
	return at_int(reply, at_has(reply, "parameters.task") ? "parameters.task.id" :
								"parameters.event.task_id");
}

static void must_end_with_its_caller(const struct asking *asking)
{
	int64_t id;

	start("--latency_seconds=1000");
	id = begin_slow(asking, "");
	wire_close(wire);
	wire = daemon_connect(server);
	task_await_status(server, id, "REVOKED");
	sim_await(sim, "closed_early", 1);
	/* One that is detached does not. */
	sim_reset(sim);
	id = begin_slow(asking, ",'detach':true");
	wire_close(wire);
	wire = daemon_connect(server);
	ck_assert_str_eq(at_text(task_get(wire, id), "status"), "STARTED");
	sim_control(sim, "{'latency_seconds':0}");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	end();
}

START_TEST(it_ends_with_its_caller)
{
	for (size_t i = 0; i < N_ASKINGS; i++)
		must_end_with_its_caller(&askings[i]);
}
END_TEST

/* Nor does it end with somebody who only asked for it again. */
START_TEST(it_outlives_who_came_later)
{
	static const char key[] = ",'idempotency_key':'k'";
	struct wire *first;
	int64_t id;

	start("--latency_seconds=1000");
	id = begin_slow(&askings[0], key);
	first = wire;
	wire = daemon_connect(server);
	ck_assert_int_eq(begin_slow(&askings[0], key), id);
	wire_close(wire);
	wire = daemon_connect(server);
	/* Commits behind what that led to. */
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'X','provider':'simulated'}}");
	ck_assert_str_eq(at_text(task_get(wire, id), "status"), "STARTED");
	wire_close(first);
	task_await_status(server, id, "REVOKED");
	end();
}
END_TEST

/* Killed or stopped, the daemon does not ask again for what nobody waits for. */
START_TEST(it_ends_with_the_daemon)
{
	json_object *task;
	int64_t id;

	start("--latency_seconds=1000");
	for (size_t round = 0; round < 2 * N_ASKINGS; round++) {
		const bool killed = round % 2;

		sim_reset(sim);
		id = begin_slow(&askings[round / 2], ",'detach':true");
		if (killed)
			daemon_kill(server);
		else
			daemon_signal(server, 2);
		if (!killed) {
			daemon_signal(server, 15); // the second ends the wait for what is in flight
			ck_assert_int_eq(daemon_wait(server, WAIT_SECONDS), 0);
		}
		daemon_restart(server);
		wire = daemon_connect(server);
		task = task_get(wire, id);
		ck_assert_str_eq(at_text(task, "status"), "FAILURE");
		ck_assert_str_eq(at_text(task, "error.code"), "ShuttingDown");
		ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	}
	end();
}
END_TEST

/* Retried by hand it is asked again. */
START_TEST(retried)
{
	json_object *task, *reply;

	start(NULL);
	sim_control(sim, "{'content_filter_rate':1}");
	task = ask(HELLO, "");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	sim_control(sim, "{'content_filter_rate':0}");
	reply = wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id"));
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_uint_gt(strlen(at_text(reply, "task.result.call.text")), 0);
	end();
}
END_TEST

/* ---- TestLLMConfig ---- */

static json_object *test(const char *name, const char *url, const char *more)
{
	json_object *reply = wire_call(wire, "TestLLMConfig",
				       "{'llm_config':{'content':{'name':'%s','provider':'openai',"
				       "'llm_model_name':'m','llm_base_url':'%s'%s}}}", name, url, requoted(more));

	return json_object_get(at_json(reply, "task"));
}

/* As the config says, all of it. */
START_TEST(a_config_answers)
{
	json_object *task, *request;

	start("--latency_seconds=0.05");
	task = test("L", sim_url(sim), ",'system_message':'Be brief.','temperature':0.5");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "kind"), "test");
	ck_assert_str_eq(at_text(task, "name"), "test");
	ck_assert_str_eq(at_text(task, "priority"), "interactive");
	ck_assert_str_eq(at_text(task, "result.test.model"), "m");
	ck_assert_double_ge(at_number(task, "result.test.latency_seconds"), 0.05);
	ck_assert(!at_has(task, "result.call"));
	ck_assert_int_eq(at_int(task, "progress.responses_generated"), 1);
	request = sim_last_request(sim);
	ck_assert_str_eq(at_text(request, "messages.0.content"), "Be brief.");
	ck_assert_str_eq(at_text(request, "messages.1.role"), "user");
	ck_assert_double_eq(at_number(request, "temperature"), 0.5);
	wire_refused(wire, "NotFound", "TestLLMConfig", "{'llm_config':{'ref':{'name':'nobody'}}}");
	end();
}
END_TEST

/* At once, whatever a run would do about it, in the provider's words. */
START_TEST(a_config_does_not)
{
	static const struct {
		const char *setting, *more, *code, *says;
		int status;
	} configs[] = {
		{ "{'api_key':'sk-right'}", ",'api_key':'sk-wrong'", "BackendAuthentication",
		  "Incorrect API key provided.", 401 },
		{ "{}", "", "BackendAuthentication", "the config has no api_key", 401 },
		{ "{'model':'another'}", ",'api_key':'sk-right'", "BackendRejected",
		  "The model does not exist", 404 },
		{ "{'model':'m','error_500_rate':1}", ",'api_key':'sk-right'", "BackendUnavailable",
		  "500 from http://127.0.0.1:", 500 },
	};
	json_object *task, *reply;
	const char *url;

	start(NULL);
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		sim_reset(sim);
		sim_control(sim, "%s", requoted(configs[i].setting));
		task = test(text("L%zu", i), sim_url(sim), configs[i].more);
		ck_assert_str_eq(at_text(task, "status"), "FAILURE");
		ck_assert_str_eq(at_text(task, "error.code"), configs[i].code);
		ck_assert_int_eq(at_int(task, "error.status"), configs[i].status);
		ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), configs[i].says));
		ck_assert(!at_has(task, "result"));
		ck_assert_int_eq(sim_stat(sim, "calls"), 1);
	}
	sim_control(sim, "{'error_500_rate':0}");
	reply = wire_call(wire, "RetryTask", "{'id':%lld}", (long long)at_int(task, "id"));
	ck_assert_str_eq(at_text(reply, "task.result.test.model"), "m");
	task = test("Nowhere", "http://127.0.0.1:1/v1", "");
	ck_assert_str_eq(at_text(task, "error.code"), "BackendUnavailable");
	ck_assert_int_eq(at_int(task, "attempts"), 1);
	/* The base URL without its /v1. */
	url = text("%.*s", (int)(strlen(sim_url(sim)) - strlen("/v1")), sim_url(sim));
	task = test("Halfway", url, "");
	ck_assert_int_eq(at_int(task, "error.status"), 404);
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), text("404 from %s/chat", url)));
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "/v1 at the end of llm_base_url"));
	end();
}
END_TEST

static void make_config(const char *name, const char *provider, const char *url, const char *more)
{
	wire_call(wire, "CreateLLMConfig", "%s", requoted(text(
			  "{'llm_config':{'name':'%s','provider':'%s','llm_model_name':'model of %s','llm_base_url':'%s',"
			  "'max_retries':1%s}}", name, provider, name, url, more)));
}

#define PRICES ",'price_input':'1','price_output':'1'"

/* Whatever one fails by, the next is asked, with its own retries, and goes on with what follows. */
START_TEST(others_answer)
{
	struct sim *second = sim_start((const char *[]) { "--fixed_answer={\"n\": true}", "--fixed_until=1", NULL });
	json_object *task, *items;

	start("--api_key=sk-0123456789");
	make_config("no key", "openai", sim_url(sim), "");
	make_config("not there", "openai", text("%s/elsewhere", sim_url(sim)), "");
	make_config("no pictures", "deepseek", sim_url(second), "");
	make_config("good", "openai", sim_url(second), PRICES);
	task = json_object_get(at_json(wire_call(wire, "Call", "%s", requoted(
			"{'messages':[{'role':'user','parts':[{'text':'What is it?'},"
			"{'image':{'url':'http://h/a.png'}}]}],'llm_config':{'ref':{'name':'no key'}},"
			"'fallback_llm_configs':[{'name':'no key'},{'name':'not there'},{'name':'no pictures'},"
			"{'name':'good'}],'response_format':{'type':'object','properties':{'n':{'type':'integer'}},"
			"'required':['n']}}")), "task"));
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	ck_assert_str_eq(at_text(task, "result.call.model"), "model of good");
	ck_assert_str_eq(at_text(task, "result.call.llm_config"), "good");
	/* A refused key and a place that is not there are not asked again; the answer did not fit at first. */
	ck_assert_int_eq(sim_stat(second, "calls"), 2);
	ck_assert_int_eq(at_int(task, "result.call.attempts"), 4);
	items = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)at_int(task, "id"));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(items), "no key cannot answer, not there is asked: 401"));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(items), "no pictures is not asked: messages[0]"));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(items), "not there cannot answer, good is asked: 404"));
	items = list_all(wire, "ListCosts", "'by':'model'");
	ck_assert_uint_eq(json_object_array_length(items), 1);
	ck_assert_str_eq(at_text(items, "0.model"), "model of good");
	ck_assert_str_eq(at_text(items, "0.cost"), at_text(task, "result.call.cost"));
	json_object_put(task);
	/* The first one, too, is left out where it cannot be shown the messages. */
	task = json_object_get(at_json(wire_call(wire, "Call", "{'messages':[{'role':'user','parts':[{'image':"
			"{'url':'http://h/b.png'}}]}],'llm_config':{'ref':{'name':'no pictures'}},"
			"'fallback_llm_configs':[{'name':'good'}]}"), "task"));
	ck_assert_msg(at_is(task, "result.call.llm_config", "good"), "%s", json_object_to_json_string(task));
	ck_assert_int_eq(at_int(task, "result.call.attempts"), 1);
	json_object_put(task);
	/* None is left: what the last one said. */
	sim_control(second, "{'error_500_rate':1}");
	task = at_json(wire_call(wire, "Call", "%s", requoted(
			"{" HELLO ",'llm_config':{'ref':{'name':'no key'}},'fallback_llm_configs':[{'name':'good'}]}")),
		       "task");
	ck_assert_str_eq(at_text(task, "status"), "FAILURE");
	ck_assert_int_eq(at_int(task, "error.status"), 500);
	ck_assert_int_eq(sim_stat(second, "calls"), 5);
	wire_refused(wire, "NotFound", "Call", "{" HELLO ",'fallback_llm_configs':[{'name':'nobody'}]}");
	sim_stop(second);
	end();
}
END_TEST

/* Half of an answer is not followed by another's, unless that is allowed. */
START_TEST(others_answer_in_a_stream)
{
	struct sim *second = sim_start((const char *[]) { NULL });
	json_object *reply;

	start("--stream_error_rate=1");
	make_config("breaks off", "openai", sim_url(sim), "");
	make_config("good", "openai", sim_url(second), "");
	for (int allowed = 0; allowed < 2; allowed++) {
		bool reset = false;

		sim_control(sim, "{'stream_gate':true}");
		wire_start(wire, "'more':true", "Call", "{" HELLO ",'llm_config':{'ref':{'name':'breaks off'}},"
			   "'fallback_llm_configs':[{'name':'good'}],'allow_reset':%s}", allowed ? "true" : "false");
		do {
			reply = wire_next(wire);
			reset |= at_has(reply, "parameters.delta.reset");
			if (at_has(reply, "parameters.delta"))
				sim_control(sim, "{'stream_gate':false}");
		} while (at_has(reply, "continues"));
		ck_assert_str_eq(at_text(reply, "parameters.event.status"), allowed ? "SUCCESS" : "FAILURE");
		ck_assert_int_eq(reset, allowed);
		ck_assert_int_eq(sim_stat(second, "calls"), allowed);
	}
	sim_stop(second);
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(messages, a_template, what_is_wrong, images, what_cannot_be_shown, a_config_of_its_own, an_answer_of_a_form,
			 it_is_asked_for_again, it_does_not_come, its_budget_holds, the_default, it_ends_with_its_caller, it_outlives_who_came_later,
			 it_ends_with_the_daemon, retried, others_answer, others_answer_in_a_stream, a_config_answers, a_config_does_not);
}
