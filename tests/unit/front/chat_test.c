#include "daemon/front/openai/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/front/openai/form.h"
#include "proto/json/json_check.h"
#include "tests/unit/suite.h"

/* With ' for ". */
static json_object *parse(const char *text)
{
	struct fault fault = { 0 };
	char *copy = strdup(text);
	json_object *json = NULL;

	for (char *at = copy; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	ck_assert_msg(json_parse_strict(copy, strlen(copy), &json, &fault) == 0, "%s: %s", text, fault.message);
	free(copy);
	return json;
}

static void check_equal(json_object *json, const char *expected)
{
	json_object *wanted = parse(expected);

	ck_assert_msg(json_object_equal(json, wanted), "%s\n%s", json_object_to_json_string(json),
		      json_object_to_json_string(wanted));
	json_object_put(wanted);
	json_object_put(json);
}

#define BEGINS "'llm_config':{'ref':{'name':'m'}},"
#define HELLO "'messages':[{'role':'user','content':'Hello.'}]"

START_TEST(requests)
{
	static const struct {
		const char *theirs; // beside model
		const char *ours; // beside llm_config
	} cases[] = {
		{ HELLO, HELLO ",'generation_params':{}" },
		{ HELLO ",'temperature':0.5,'max_tokens':5,'stop':'x','seed':null,'user':'me','n':1",
		  HELLO ",'generation_params':{'temperature':0.5,'max_tokens':5,'stop':['x']}" },
		{ HELLO ",'max_tokens':5,'max_completion_tokens':6,'stop':['x','y'],'logit_bias':{}",
		  HELLO ",'generation_params':{'max_tokens':6,'stop':['x','y']}" },
		{ "'messages':[{'role':'user','content':[{'type':'text','text':'See.'},"
		  "{'type':'image_url','image_url':{'url':'data:image/png;base64,QUJD','detail':'low'}},"
		  "{'type':'image_url','image_url':{'url':'https://example.org/a.png'}},"
		  "{'type':'file','file':{'file_data':'data:application/pdf;base64,QQ==','filename':'a.pdf'}}]}]",
		  "'messages':[{'role':'user','parts':[{'text':'See.'},"
		  "{'image':{'media_type':'image/png','data':'QUJD'}},"
		  "{'image':{'url':'https://example.org/a.png'}},"
		  "{'document':{'media_type':'application/pdf','data':'QQ==','name':'a.pdf'}}]}],"
		  "'generation_params':{}" },
		{ "'messages':[{'role':'assistant','content':null,'refusal':null,'annotations':[],'tool_calls':"
		  "[{'id':'c1','type':'function','function':{'name':'f','arguments':'{}'}}]},"
		  "{'role':'tool','tool_call_id':'c1','content':'42'}],'tools':[{'type':'function','function':"
		  "{'name':'f','description':'d','parameters':{'type':'object'},'strict':true}}],"
		  "'tool_choice':{'type':'function','function':{'name':'f'}}",
		  "'messages':[{'role':'assistant','tool_calls':[{'id':'c1','name':'f','arguments':'{}'}]},"
		  "{'role':'tool','tool_call_id':'c1','content':'42'}],"
		  "'tools':[{'name':'f','description':'d','parameters':{'type':'object'}}],'tool_choice':'f',"
		  "'generation_params':{}" },
		{ HELLO ",'response_format':{'type':'json_schema','json_schema':{'name':'x','schema':"
		  "{'type':'integer'}}}", HELLO ",'response_format':{'type':'integer'},'generation_params':{}" },
		{ HELLO ",'response_format':{'type':'json_object'}",
		  HELLO ",'response_format':{'type':'object'},'generation_params':{}" },
		{ HELLO ",'response_format':{'type':'text'},'tool_choice':'none'",
		  HELLO ",'tool_choice':'none','generation_params':{}" },
	};
	char text[2000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chat_request request;
		struct fault fault = { 0 };
		json_object *body;

		snprintf(text, sizeof(text), "{'model':'m',%s}", cases[i].theirs);
		body = parse(text);
		ck_assert_msg(chat_request_read(body, &request, &fault) == 0, "%s: %s", text, fault.message);
		ck_assert(!request.stream && !request.include_usage);
		ck_assert_int_eq(request.whole, strstr(cases[i].ours, "'response_format'") != NULL);
		snprintf(text, sizeof(text), "{" BEGINS "%s}", cases[i].ours);
		check_equal(request.parameters, text);
		json_object_put(body);
	}
}
END_TEST

START_TEST(streamed)
{
	json_object *body = parse("{'model':'m'," HELLO ",'stream':true,'stream_options':{'include_usage':true}}");
	struct chat_request request;
	struct fault fault = { 0 };

	ck_assert_int_eq(chat_request_read(body, &request, &fault), 0);
	ck_assert(request.stream && request.include_usage && !request.whole);
	json_object_put(request.parameters);
	json_object_put(body);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *body;
		int code;
		const char *field;
	} cases[] = {
		{ "{" HELLO "}", ELLU_E_INVALID_PARAMETER, "model" },
		{ "{'model':7," HELLO "}", ELLU_E_INVALID_PARAMETER, "model" },
		{ "{'model':'m'}", ELLU_E_INVALID_PARAMETER, "messages" },
		{ "{'model':'m','messages':'Hello.'}", ELLU_E_INVALID_PARAMETER, "messages" },
		{ "{'model':'m','messages':[7]}", ELLU_E_INVALID_PARAMETER, "messages[0]" },
		{ "{'model':'m','messages':[{'role':'user','content':[{'type':'text'}]}]}",
		  ELLU_E_INVALID_PARAMETER, "messages[0].content[0]" },
		{ "{'model':'m','messages':[{'role':'user','content':[{'type':'input_audio'}]}]}",
		  ELLU_E_UNSUPPORTED, "messages[0].content[0]" },
		{ "{'model':'m','messages':[{'role':'user','content':[{'type':'file','file':{'file_id':'f'}}]}]}",
		  ELLU_E_UNSUPPORTED, "messages[0].content[0]" },
		{ "{'model':'m','messages':[{'role':'assistant','tool_calls':[{'id':'x'}]}]}",
		  ELLU_E_INVALID_PARAMETER, "messages[0].tool_calls[0].function" },
		{ "{'model':'m'," HELLO ",'tools':[{'type':'custom'}]}", ELLU_E_INVALID_PARAMETER,
		  "tools[0].function" },
		{ "{'model':'m'," HELLO ",'tool_choice':{'type':'allowed_tools'}}", ELLU_E_INVALID_PARAMETER,
		  "tool_choice" },
		{ "{'model':'m'," HELLO ",'response_format':{'type':'json_schema'}}",
		  ELLU_E_INVALID_PARAMETER, "response_format" },
		{ "{'model':'m'," HELLO ",'stream':1}", ELLU_E_INVALID_PARAMETER, "stream" },
		{ "{'model':'m'," HELLO ",'n':2}", ELLU_E_UNSUPPORTED, "n" },
		{ "{'model':'m'," HELLO ",'logit_bias':{'50256':-100}}", ELLU_E_UNSUPPORTED, "logit_bias" },
		{ "{'model':'m'," HELLO ",'modalities':['text','audio']}", ELLU_E_UNSUPPORTED, "modalities" },
		{ "{'model':'m'," HELLO ",'temprature':1}", ELLU_E_INVALID_PARAMETER, "temprature" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_object *body = parse(cases[i].body);
		struct chat_request request;
		struct fault fault = { 0 };

		ck_assert_int_eq(chat_request_read(body, &request, &fault), cases[i].code);
		ck_assert_str_eq(fault.field, cases[i].field);
		ck_assert_ptr_null(request.parameters);
		json_object_put(body);
	}
}
END_TEST

#define FRAME(object) "'id':'chatcmpl-7','object':'" object "','created':9,'model':'m',"
#define CHOICE(content, reason) \
	"'choices':[{'index':0," content ",'logprobs':null,'finish_reason':" reason "}]"

static struct chat_answer answer_new(void)
{
	return (struct chat_answer){ .id = "chatcmpl-7", .created = 9, .model = "m" };
}

START_TEST(answers)
{
	struct chat_answer answer = answer_new();
	json_object *result = parse("{'text':'Hi.','finish_reason':'length','usage':{'input_tokens':3,"
				    "'output_tokens':4,'cached_tokens':2,'reasoning_tokens':1}}");

	check_equal(chat_completion(&answer, result),
		    "{" FRAME("chat.completion")
		    CHOICE("'message':{'role':'assistant','content':'Hi.','refusal':null}", "'length'")
		    ",'usage':{'prompt_tokens':3,'completion_tokens':4,'total_tokens':7,"
		    "'prompt_tokens_details':{'cached_tokens':2},"
		    "'completion_tokens_details':{'reasoning_tokens':1}}}");
	json_object_put(result);
	/* What is not known is not said. */
	result = parse("{'tool_calls':[{'id':'c','name':'f','arguments':'{}'}],'usage':{}}");
	check_equal(chat_completion(&answer, result),
		    "{" FRAME("chat.completion")
		    CHOICE("'message':{'role':'assistant','content':null,'refusal':null,'tool_calls':"
			   "[{'id':'c','type':'function','function':{'name':'f','arguments':'{}'}}]}",
			   "'tool_calls'") ",'usage':null}");
	json_object_put(result);
	ck_assert(!answer.maker.failed);
}
END_TEST

/* Calls of tools are told apart by their places in the answer. */
START_TEST(chunks)
{
	struct chat_answer answer = answer_new();
	json_object *one = parse("{'text':'Hel'}"), *two, *three, *end = parse("{'finish_reason':'stop'}");

	two = parse("{'tool_calls':[{'id':'a','name':'f','arguments':''},{'id':'b','name':'g','arguments':'{'}]}");
	three = parse("{'tool_calls':[{'id':'b','arguments':'}'}]}");
	check_equal(chat_delta_chunk(&answer, one, true),
		    "{" FRAME("chat.completion.chunk")
		    CHOICE("'delta':{'role':'assistant','content':'Hel'}", "null") "}");
	check_equal(chat_delta_chunk(&answer, two, false),
		    "{" FRAME("chat.completion.chunk") CHOICE("'delta':{'tool_calls':["
		    "{'index':0,'id':'a','type':'function','function':{'name':'f','arguments':''}},"
		    "{'index':1,'id':'b','type':'function','function':{'name':'g','arguments':'{'}}]}", "null")
		    "}");
	check_equal(chat_delta_chunk(&answer, three, false),
		    "{" FRAME("chat.completion.chunk")
		    CHOICE("'delta':{'tool_calls':[{'index':1,'function':{'arguments':'}'}}]}", "null") "}");
	check_equal(chat_last_chunk(&answer, end),
		    "{" FRAME("chat.completion.chunk") CHOICE("'delta':{}", "'stop'") "}");
	json_object_put(answer.tool_ids);
	json_object_put(one);
	json_object_put(two);
	json_object_put(three);
	json_object_put(end);
}
END_TEST

/* What a provider said of the request is for who made it; what it said of the daemon's key is not. */
START_TEST(failures)
{
	static const struct {
		const char *task;
		int code;
		int status;
	} cases[] = {
		{ "{'status':'FAILURE','error':{'code':'BackendRejected','message':'too long','status':400}}",
		  ELLU_E_BACKEND_REJECTED, 400 },
		{ "{'status':'FAILURE','error':{'code':'BackendAuthentication','message':'no','status':401}}",
		  ELLU_E_BACKEND_AUTHENTICATION, 502 },
		{ "{'status':'REVOKED'}", ELLU_E_CANCELLED, 500 },
		{ "{'status':'TIMEOUT','error':{'code':'Timeout','message':'late'}}", ELLU_E_TIMEOUT, 504 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_object *task = parse(cases[i].task), *error;
		struct json_maker maker = { 0 };
		struct fault fault = { 0 };
		int status;

		chat_task_fault(task, &fault, &status);
		ck_assert_int_eq(fault.code, cases[i].code);
		ck_assert_int_eq(status, cases[i].status);
		error = chat_error(&maker, status, &fault);
		ck_assert_str_eq(member_text(member(error, "error"), "message"), fault.message);
		json_object_put(error);
		json_object_put(task);
	}
}
END_TEST

/* There and back. */
START_TEST(messages)
{
	static const char text[] =
		"[{'role':'system','content':'Be brief.'},{'role':'user','content':[{'type':'text','text':'See.'},"
		"{'type':'image_url','image_url':{'url':'data:image/png;base64,QUJD'}}]},"
		"{'role':'assistant','content':null,'tool_calls':[{'id':'c','type':'function','function':"
		"{'name':'f','arguments':'{}'}}]},{'role':'tool','content':'42','tool_call_id':'c'}]";
	struct json_maker maker = { 0 };
	struct fault fault = { 0 };
	json_object *theirs = parse(text), *ours = messages_from_openai(&maker, theirs, "messages", &fault);

	ck_assert_int_eq(fault.code, 0);
	check_equal(messages_to_openai(&maker, ours), text);
	json_object_put(ours);
	json_object_put(theirs);
}
END_TEST

int main(void)
{
	return RUN_TESTS(requests, streamed, refused, answers, chunks, failures, messages);
}
