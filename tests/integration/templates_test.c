/* Prompt templates: versions and identity, lists of either, what deleting hides, rendering. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/users.h"

static struct daemon *server;
static struct wire *wire;

/* A template of one message. */
static const char *one(const char *name, const char *says)
{
	return quoted("{'prompt_template':{'name':'%s','messages':[{'role':'user','content':'%s'}]}}", name,
		      says);
}

static json_object *create(const char *name, const char *says)
{
	return at_json(wire_call(wire, "CreatePromptTemplate", "%s", one(name, says)), "prompt_template");
}

static json_object *get(const char *ref)
{
	return at_json(wire_call(wire, "GetPromptTemplate", "%s", requoted(text("{'prompt_template':{%s}}", ref))),
		       "prompt_template");
}

/* The version that a call refuses to make again. */
static int64_t conflict(const char *method, const char *parameters)
{
	return at_int(wire_refused(wire, "Conflict", method, "%s", parameters), "parameters.resource_id");
}

/* The version that a run of that content is pinned to. */
static int64_t run_content(const char *name, const char *says)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 1, .more = quoted("'prompt_template':{'content':{'name':'%s','messages':"
					  "[{'role':'user','content':'%s'}]}},'update_existing':true",
					  name, says) });
	json_object *reply;

	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}",
			  (long long)at_int(task, "experiment_id"));
	return at_int(reply, "experiment.prompt_template.version");
}

START_TEST(versions)
{
	json_object *first, *second, *third;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	first = create("T", "About {{topic}}.");
	ck_assert_int_eq(at_int(first, "version"), 1);
	ck_assert_str_eq(at_text(first, "placeholders.0"), "topic");
	second = create("T", "About {{topic}}, shortly.");
	ck_assert_int_eq(at_int(second, "version"), 2);
	ck_assert_int_eq(conflict("CreatePromptTemplate", one("T", "About {{topic}}.")),
			 at_int(first, "id"));
	ck_assert_int_eq(at_int(create("U", "About {{topic}}."), "version"), 1);
	ck_assert_int_eq(at_int(get("'name':'T'"), "version"), 2);
	ck_assert_int_eq(at_int(get("'name':'T','version':1"), "id"), at_int(first, "id"));
	first = wire_call(wire, "GetOrCreatePromptTemplate", "%s", one("T", "About {{topic}}."));
	ck_assert(!at_bool(first, "created") && !at_bool(first, "differs"));
	ck_assert_int_eq(at_int(first, "prompt_template.version"), 1);
	first = wire_call(wire, "GetOrCreatePromptTemplate", "%s", one("V", "0"));
	first = wire_call(wire, "GetOrCreatePromptTemplate", "%s", one("V", "1"));
	ck_assert(at_bool(first, "created") && !at_bool(first, "differs"));
	ck_assert_int_eq(at_int(first, "prompt_template.version"), 2);
	/* A run finds versions as a creation does. */
	ck_assert_int_eq(run_content("T", "About {{topic}}, shortly."), 2);
	third = at_json(wire_call(wire, "NewPromptTemplateVersion",
				  "{'prompt_template':{'name':'T'},'response_format':{'type':'json_object'},"
				  "'tools':[{'name':'look'}],'tool_choice':'look'}"), "prompt_template");
	ck_assert_int_eq(at_int(third, "version"), 3);
	ck_assert_str_eq(at_text(third, "messages.0.content"), "About {{topic}}, shortly.");
	ck_assert_int_eq(conflict("NewPromptTemplateVersion",
				  "{\"prompt_template\":{\"name\":\"T\"},\"tools\":[],"
				  "\"response_format\":{},\"tool_choice\":\"\"}"),
			 at_int(second, "id"));
	ck_assert_int_eq(conflict("CreatePromptTemplate",
				  "{\"prompt_template\":{\"name\":\"T\",\"messages\":[{\"role\":\"user\","
				  "\"content\":\"About {{topic}}, shortly.\"}],\"tools\":[],"
				  "\"response_format\":{},\"tool_choice\":\"\"}}"),
			 at_int(second, "id"));
	third = at_json(wire_call(wire, "NewPromptTemplateVersion",
				  "{'prompt_template':{'name':'T','version':1},"
				  "'messages':[{'role':'user','content':'New.'}]}"), "prompt_template");
	ck_assert_int_eq(at_int(third, "version"), 4);
	ck_assert(!at_has(third, "tools"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* As many versions of a name as are more than one transaction hides, and names beside it. */
static void fill(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	create("Many", "0");
	create("Zulu", "0");
	ck_assert_int_eq(daemon_stop(server), 0);
	database_run(server, "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
			     " INSERT INTO prompt_templates (owner_uid, project_id, name, version,"
			     " last_version, identity, content, created_at, updated_at)"
			     " SELECT owner_uid, project_id, name, i, i, i, content, created_at, updated_at"
			     " FROM n, prompt_templates WHERE name = 'Many'");
	database_run(server, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)"
			     " INSERT INTO prompt_templates (owner_uid, project_id, name, version,"
			     " last_version, identity, content, created_at, updated_at)"
			     " SELECT owner_uid, project_id, printf('Name %%03d', i), 1, 1, i,"
			     " replace(content, 'Zulu', printf('Name %%03d', i)), created_at, updated_at FROM n, prompt_templates WHERE name = 'Zulu'");
	daemon_restart(server);
	wire = daemon_connect(server);
}

static size_t listed(const char *parameters)
{
	return json_object_array_length(list_all(wire, "ListPromptTemplates", "%s", requoted(parameters)));
}

START_TEST(lists)
{
	json_object *page;

	fill();
	page = wire_call(wire, "ListPromptTemplates", "{'count':true}");
	ck_assert_uint_eq(at_count(page, "items"), 100);
	ck_assert_int_eq(at_int(page, "count"), 252);
	ck_assert_str_eq(at_text(page, "items.0.name"), "Many");
	ck_assert_int_eq(at_int(page, "items.0.version"), 2000);
	ck_assert_str_eq(at_text(page, "items.1.name"), "Name 001");
	page = wire_call(wire, "ListPromptTemplates", "{'limit':200,'cursor':'%s'}",
			 at_text(page, "next_cursor"));
	ck_assert_uint_eq(at_count(page, "items"), 152);
	ck_assert_str_eq(at_text(page, "items.0.name"), "Name 100");
	ck_assert_str_eq(at_text(page, "items.151.name"), "Zulu");
	ck_assert(!at_has(page, "next_cursor"));
	page = wire_call(wire, "ListPromptTemplates", "{'name':'Many','limit':10,'count':true}");
	ck_assert_int_eq(at_int(page, "count"), 2000);
	ck_assert_int_eq(at_int(page, "items.9.version"), 1991);
	page = wire_call(wire, "ListPromptTemplates", "{'name':'Many','limit':1,'cursor':'%s'}",
			 at_text(page, "next_cursor"));
	ck_assert_int_eq(at_int(page, "items.0.version"), 1990);
	ck_assert_uint_eq(listed("'name':'Many'"), 2000);
	wire_refused(wire, "NotFound", "ListPromptTemplates", "{'name':'None'}");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "ListPromptTemplates",
		     "{'name':'Many','cursor':'p1.0'}");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void delete(const char *ref)
{
	wire_call(wire, "DeletePromptTemplate", "%s", requoted(text("{'prompt_template':{%s}}", ref)));
}

START_TEST(deleting)
{
	int64_t id;

	fill();
	/* A name alone is all its versions. */
	delete("'name':'Many'");
	ck_assert_uint_eq(listed(""), 251);
	wire_refused(wire, "NotFound", "GetPromptTemplate", "{'prompt_template':{'name':'Many'}}");
	wire_refused(wire, "NotFound", "DeletePromptTemplate", "{'prompt_template':{'name':'Many'}}");
	ck_assert_int_eq(at_int(create("Many", "0"), "version"), 1);
	/* A number that was the last is not given again while there are others. */
	id = at_int(create("Many", "2"), "id");
	create("Many", "3");
	delete("'name':'Many','version':3");
	delete(quoted("'id':%lld", (long long)id));
	ck_assert_int_eq(at_int(get("'name':'Many'"), "version"), 1);
	wire_refused(wire, "NotFound", "GetPromptTemplate", "{'prompt_template':{'id':%lld}}",
		     (long long)id);
	ck_assert_int_eq(at_int(create("Many", "2"), "version"), 4);
	ck_assert_uint_eq(listed("'name':'Many'"), 2);
	delete("'name':'Many','version':4");
	delete("'name':'Many','version':1");
	ck_assert_int_eq(run_content("Many", "2"), 1);
	/* Its results keep what they used. */
	delete("'name':'Many'");
	ck_assert_str_eq(at_text(wire_call(wire, "ListResponses", "{'experiment':{'name':'Experiment'}}"),
				 "items.0.messages.0.content"), "2");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(used_by_a_task)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=60", NULL });
	int64_t id;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	create("T", "0");
	create("T", "1");
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 1, .url = sim_url(sim), .more = "'prompt_template':{'ref':{'name':'T'}}" });
	wire_refused(wire, "Conflict", "DeletePromptTemplate", "{'prompt_template':{'name':'T'}}");
	wire_refused(wire, "Conflict", "DeletePromptTemplate",
		     "{'prompt_template':{'name':'T','version':2}}");
	delete("'name':'T','version':1");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	task_await_status(server, id, "REVOKED");
	delete("'name':'T'");
	ck_assert_uint_eq(listed(""), 0);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

START_TEST(rendering)
{
	json_object *reply;
	char *large;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	create("T", "{{ a }} and {{b}}, {{a}}");
	reply = wire_call(wire, "RenderPromptTemplate",
			  "{'prompt_template':{'ref':{'name':'T'}},'variables':{'a':'x','b':[1,2],'c':0}}");
	ck_assert_str_eq(at_text(reply, "messages.0.content"), "x and [1,2], x");
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "RenderPromptTemplate",
			     "{'prompt_template':{'ref':{'name':'T'}},'variables':{'a':'x'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "variables.b");
	reply = wire_call(wire, "RenderPromptTemplate", "{'prompt_template':{'content':"
			  "{'name':'none','messages':[{'role':'user','content':'plain'}]}}}");
	ck_assert_str_eq(at_text(reply, "messages.0.content"), "plain");
	ck_assert_uint_eq(listed(""), 1);
	/* What would take more than a request may is never made. */
	large = malloc(3 << 20);
	memset(large, 'x', 3 << 20);
	large[(3 << 20) - 1] = '\0';
	reply = wire_refused(wire, "TooLarge", "RenderPromptTemplate",
			     "{'prompt_template':{'ref':{'name':'T'}},'variables':{'a':'%s','b':1}}", large);
	ck_assert_int_eq(at_int(reply, "parameters.limit_bytes"), 4 << 20);
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
	free(large);
}
END_TEST

static void see_nothing(struct wire *other, void *userdata)
{
	static const char *const methods[] = { "GetPromptTemplate", "DeletePromptTemplate",
					       "NewPromptTemplateVersion" };

	(void)userdata;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		for (int by_id = 0; by_id < 2; by_id++)
			wire_refused(other, "NotFound", methods[i], "{'prompt_template':{%s}}",
				     by_id ? "\"id\":1" : "\"name\":\"T\"");
	wire_refused(other, "NotFound", "RenderPromptTemplate", "{'prompt_template':{'ref':{'id':1}}}");
	if (json_object_array_length(list_all(other, "ListPromptTemplates", "%s", "")) != 0)
		die("a foreign template is listed");
	wire_call(other, "CreatePromptTemplate", "%s", one("T", "0"));
}

START_TEST(other_users)
{
	json_object *all;

	if (geteuid() != 0)
		return;
	server = daemon_start_system();
	wire = daemon_connect(server);
	create("A", "0");
	create("T", "0");
	as_other_user(server, see_nothing, NULL);
	/* Everybody's, for whom that is. */
	create("A", "1");
	all = list_all(wire, "ListPromptTemplates", "%s", "");
	ck_assert_uint_eq(json_object_array_length(all), 3);
	ck_assert_int_eq(at_int(all, "0.version"), 2);
	ck_assert_int_eq(at_int(wire_call(wire, "ListPromptTemplates", "{'count':true,'limit':1}"), "count"),
			 3);
	ck_assert_uint_eq(listed("'project':'default'"), 2);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(versions, lists, deleting, used_by_a_task, rendering, other_users);
}
