/* Columns of collections: which cells fit them, and what conversations and literal prompts become. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

/* As in the formats of wire_call(): ' stands for ". */
static char *with_quotes(const char *json)
{
	char *copy = strdup(json);

	for (char *c = copy; (c = strchr(c, '\'')); c++)
		*c = '"';
	return copy;
}

#define INVALID "org.varlink.service.InvalidParameter"

static const char typed[] =
	"{'collection':{'name':'T','columns':[{'name':'t'},{'name':'j','type':'json'},"
	"{'name':'c','type':'category'},{'name':'chat','type':'conversation'}]}}";

/* A cell has to be what its column says, and whoever brings another is told which one. */
START_TEST(cells_fit_their_columns)
{
	static const struct {
		const char *row, *path;
	} cases[] = {
		{ "{'t':5}", "variables[1].t" },
		{ "{'c':['a']}", "variables[1].c" },
		{ "{'c':''}", "variables[1].c" },
		{ "{'c':'a\\nb'}", "variables[1].c" },
		{ "{'a\\nb':'x'}", "variables[1]" },
		{ "{'chat':'Hello'}", "variables[1].chat" },
		{ "{'chat':[]}", "variables[1].chat" },
		{ "{'chat':['Hello']}", "variables[1].chat[0]" },
		{ "{'chat':[{'role':'user','content':'a'},{'role':'poet','content':'b'}]}",
		  "variables[1].chat[1].role" },
		{ "{'chat':[{'role':'user','text':'a'}]}", "variables[1].chat[0].text" },
	};
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *reply;

	wire_call(wire, "CreateCollection", "%s", with_quotes(typed));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reply = wire_refused(wire, INVALID, "AddTemplateVariables", "%s",
				     quoted("{'collection':{'name':'T'},'variables':[{},%s]}",
					    with_quotes(cases[i].row)));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), cases[i].path);
	}
	reply = wire_refused(wire, INVALID, "CreateCollection",
			     "{'collection':{'name':'U','columns':[{'name':'c','type':'category'}],"
			     "'variables':[{'c':5}]}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "collection.variables[0].c");
	reply = wire_refused(wire, INVALID, "CreateCollection",
			     "{'collection':{'name':'U','columns':[{'name':'a','type':'raw_input'},"
			     "{'name':'b','type':'conversation'}]}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "collection.columns[1].type");
	reply = wire_refused(wire, INVALID, "CreateCollection",
			     "{'collection':{'name':'U','columns':[{'name':'a','type':'conversation',"
			     "'default_value':'Hello'}]}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "collection.columns[0].default_value");
	reply = wire_refused(wire, INVALID, "CreateCollection",
			     "{'collection':{'name':'U','columns':[{'name':'a\\nb'}]}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "collection.columns[0].name");
	ck_assert_int_eq(at_int(wire_call(wire, "GetCollection", "{'collection':{'name':'T'}}"),
				"collection.variables_count"), 0);
	wire_call(wire, "AddTemplateVariables",
		  "{'collection':{'name':'T'},'variables':[{'t':'a','j':[1,{'k':2.50}],'c':'one',"
		  "'chat':[{'role':'user','content':'Hello'}]},{'t':null,'j':'text','c':null,'chat':null}]}");
	/* With rows there, only what takes more may take the place of a type. */
	wire_refused(wire, "Conflict", "UpdateCollection",
		     "{'collection':{'name':'T'},'content':{'name':'T','columns':[{'name':'t','type':'category'}]}}");
	wire_call(wire, "UpdateCollection",
		  "{'collection':{'name':'T'},'content':{'name':'T','columns':[{'name':'t','type':'json'}]}}");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* What a default value spells is held to what the wire can carry; what it does not spell, it is. */
START_TEST(defaults_that_spell_json)
{
	static const struct {
		const char *given, *cell;
	} cases[] = {
		{ "[1,{\\'k\\':true}]", "[1,{\"k\":true}]" },
		{ "NaN", "\"NaN\"" },
		{ "9007199254740993", "\"9007199254740993\"" },
		{ "{\\'k\\':1,\\'k\\':2}", "\"{\\\"k\\\":1,\\\"k\\\":2}\"" },
		{ "[1,", "\"[1,\"" },
	};
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire_call(wire, "CreateCollection", "%s",
			  quoted("{'collection':{'name':'D%zu','columns':[{'name':'j','type':'json',"
				 "'default_value':'%s'}],'variables':[{}]}}", i, with_quotes(cases[i].given)));
		ck_assert_str_eq(json_object_to_json_string_ext(
			at_json(list_all(wire, "ListTemplateVariables", "'collection':{'name':'D%zu'}", i),
				"0.input_values.j"), JSON_C_TO_STRING_PLAIN), cases[i].cell);
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

static const char *column_type(struct wire *wire, const char *name)
{
	json_object *reply = wire_call(wire, "GetCollection", "{'collection':{'name':'A'}}");

	for (size_t i = 0; i < at_count(reply, "collection.columns"); i++)
		if (at_is(reply, text("collection.columns.%zu.name", i), name))
			return at_text(reply, text("collection.columns.%zu.type", i));
	return NULL;
}

/* What nobody has declared takes what comes, and says what it holds. */
START_TEST(inferred_types)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);

	wire_call(wire, "CreateCollection", "{'collection':{'name':'A'}}");
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'A'},'variables':[{'a':'x','b':1}]}");
	ck_assert_str_eq(column_type(wire, "a"), "text");
	ck_assert_str_eq(column_type(wire, "b"), "json");
	/* Over the calls of an upload, too. */
	wire_call(wire, "AddTemplateVariables",
		  "{'collection':{'name':'A'},'variables':[{'c':{}}],'upload_id':'u'}");
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'A'},'variables':[{'a':2,'c':'x'}],"
						"'upload_id':'u','commit':true}");
	ck_assert_str_eq(column_type(wire, "a"), "json");
	ck_assert_str_eq(column_type(wire, "c"), "json");
	wire_call(wire, "AddTemplateVariables",
		  "{'collection':{'name':'A'},'variables':[{'a':'x'}],'replace':true}");
	ck_assert_str_eq(column_type(wire, "a"), "text");
	ck_assert_ptr_null(column_type(wire, "b"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

#define CHAT(more)                                                                          \
	"[{'role':'user','content':'About {{topic}}?'},{'role':'assistant','tool_calls':"          \
	"[{'id':'1','name':'look_up','arguments':'{}'}]},{'role':'tool','tool_call_id':'1',"        \
	"'content':'" more "'}]"

static struct sim *sim;
static struct daemon *server;
static struct wire *client;

/* Answered and judged at the endpoint; `parts` beside the collection. */
static json_object *ask(const char *name, const char *parts)
{
	json_object *task, *reply;

	reply = wire_call(client, "RunExperiment",
			  "{'name':'%s','update_existing':true,'collection':{'ref':{'name':'%s'}},"
			  "'criteria':['Is it good?'],'llm_config':{'content':{'name':'m','provider':'openai',"
			  "'llm_model_name':'m','llm_base_url':'%s'}}%s}",
			  name, name, sim_url(sim), with_quotes(parts));
	task = json_object_get(at_json(reply, "task"));
	ck_assert_msg(at_is(task, "status", "SUCCESS"), "%s", json_object_to_json_string(task));
	return task;
}

static json_object *messages_of(json_object *task)
{
	json_object *all = list_all(client, "ListResponses", "'experiment':{'id':%lld}",
				    (long long)at_int(task, "experiment_id"));

	return at_json(all, "0.messages");
}

/* The text that the judge of the last run was sent. */
static const char *question(void)
{
	json_object *calls = sim_requests(sim, 1);

	return json_object_to_json_string_ext(calls, JSON_C_TO_STRING_NOSLASHESCAPE);
}

START_TEST(conversations)
{
	json_object *task, *messages, *plan;

	server = daemon_start(NULL);
	client = daemon_connect(server);
	sim = sim_start(NULL);
	wire_call(client, "CreateCollection",
		  "{'collection':{'name':'C','columns':[{'name':'chat','type':'conversation'}],"
		  "'variables':[{'topic':'tea','chat':" CHAT("A drink.") "}]}}");
	/* Without a template: the messages as they are. */
	task = ask("C", "");
	messages = messages_of(task);
	ck_assert_uint_eq(json_object_array_length(messages), 3);
	ck_assert_str_eq(at_text(messages, "0.content"), "About {{topic}}?");
	ck_assert_str_eq(at_text(messages, "1.tool_calls.0.name"), "look_up");
	ASSERT_SAYS(question(), "About {{topic}}?");
	ASSERT_SAYS(question(), "look_up");
	ASSERT_SAYS(question(), "A drink.");
	plan = wire_call(client, "PlanExperiment", "{'run':{'name':'P','collection':{'ref':{'name':'C'}}}}");
	ck_assert_uint_eq(at_count(plan, "plan.messages"), 3);
	/* Behind a template's; where that names the column, in its place alone. */
	task = ask("C", ",'prompt_template':{'content':{'name':'S','messages':[{'role':'system',"
			"'content':'Of {{topic}}.'}]}}");
	messages = messages_of(task);
	ck_assert_uint_eq(json_object_array_length(messages), 4);
	ck_assert_str_eq(at_text(messages, "0.content"), "Of tea.");
	task = ask("C", ",'prompt_template':{'content':{'name':'I','messages':[{'role':'user',"
			"'content':'Sum it up: {{chat}}'}]}}");
	ck_assert_uint_eq(json_object_array_length(messages_of(task)), 1);
	/* Equal rows again are nothing new; the judge of listed responses sees the same. */
	ck_assert_int_eq(at_int(ask("C", ""), "id"), at_int(ask("C", ""), "id"));
	wire_call(client, "RateResponses", "{'response_ids':[1],'criteria':['Is it short?']}");
	ASSERT_SAYS(question(), "A drink.");
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}
END_TEST

START_TEST(raw_inputs)
{
	json_object *task, *messages, *reply;

	server = daemon_start(NULL);
	client = daemon_connect(server);
	sim = sim_start(NULL);
	wire_call(client, "CreateCollection",
		  "{'collection':{'name':'R','columns':[{'name':'p','type':'raw_input'}],"
		  "'variables':[{'topic':'tea','p':'Say {{topic}} twice.'}]}}");
	task = ask("R", "");
	messages = messages_of(task);
	ck_assert_uint_eq(json_object_array_length(messages), 1);
	ck_assert_str_eq(at_text(messages, "0.role"), "user");
	ck_assert_str_eq(at_text(messages, "0.content"), "Say {{topic}} twice.");
	ASSERT_SAYS(question(), "Say {{topic}} twice.");
	/* Other rows and the same: only what is new is asked for. */
	wire_call(client, "AddTemplateVariables",
		  "{'collection':{'name':'R'},'variables':[{'p':'Say no.'}]}");
	task = ask("R", "");
	reply = wire_call(client, "GetExperiment", "{'experiment':{'id':%lld}}",
			  (long long)at_int(task, "experiment_id"));
	ck_assert_int_eq(at_int(reply, "experiment.taken_over_responses"), 1);
	/* A row without it cannot be asked. */
	wire_call(client, "AddTemplateVariables", "{'collection':{'name':'R'},'variables':[{'topic':'x'}]}");
	reply = wire_call(client, "RunExperiment", "{'name':'F','collection':{'ref':{'name':'R'}}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "FAILURE");
	ASSERT_SAYS(at_text(reply, "task.error.message"), "no value for the column 'p'");
	/* Without any such column a template is needed. */
	wire_call(client, "CreateCollection", "{'collection':{'name':'A'}}");
	wire_call(client, "AddTemplateVariables", "{'collection':{'name':'A'},'variables':[{'topic':'rain'}]}");
	reply = wire_call(client, "RunExperiment", "{'name':'G','collection':{'ref':{'name':'A'}}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "REJECTED");
	ck_assert_str_eq(at_text(reply, "task.error.field"), "prompt_template");
	ck_assert_int_eq(daemon_stop(server), 0);
	sim_stop(sim);
}
END_TEST

int main(void)
{
	return RUN_SUITE(cells_fit_their_columns, defaults_that_spell_json, inferred_types, conversations, raw_inputs);
}
