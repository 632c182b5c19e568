/*
 * What resources have in common: made or found by many at once, changed as a whole, renamed, deleted.
 * Each method of these is asked of each resource that has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/database.h"
#include "tests/harness/dir.h"
#include "tests/harness/sim.h"
#include "tests/harness/suite.h"

#define INVALID "org.varlink.service.InvalidParameter"
#define CLIENTS 64

/* Of a resource: contents that differ from each other, but for their name `N`. */
static const struct resource {
	const char *name, *member, *table;
	const char *content, *other;
	const char *changed; // what of `other` an answer shows
	const char *wrong, *path; // a content that is refused, and by which field
} resources[] = {
	{ "Collection", "collection", "collections",
	  "'name':'N','description':'d','columns':[{'name':'a','default_value':'1'}],"
	  "'variables':[{'b':'2'}]",
	  "'name':'N','columns':[{'name':'b'},{'name':'a','type':'json'}]",
	  "'columns':[{'name':'b','type':'text','position':0},{'name':'a','type':'json','position':1}],"
	  "'variables_count':1",
	  "'name':'N','columns':[{'name':'a'},{'name':'a'}]", "columns[1].name" },
	{ "LLMConfig", "llm_config", "llm_configs",
	  "'name':'N','provider':'openai','llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1',"
	  "'api_key':'sk-one','temperature':1",
	  "'name':'N','provider':'openai','llm_model_name':'n','llm_base_url':'http://127.0.0.1:9/v1'",
	  "'llm_model_name':'n','has_api_key':true",
	  "'name':'N','provider':'openai','llm_model_name':'m','llm_base_url':'ftp://a'", "llm_base_url" },
	{ "CriterionSet", "criterion_set", "criterion_sets",
	  "'name':'N','criteria':[{'criterion_str':'A?','label':'a'},{'criterion_str':'B?'}]",
	  "'name':'N','criteria':[]", "'criteria':[],'linked_prompt_templates':[]",
	  "'name':'N','criteria':[{'criterion_str':'A?'},{'criterion_str':' '}]",
	  "criteria[1].criterion_str" },
	{ "Judge", "judge", "evaluator_sets",
	  "'name':'N','intent':'i','evaluators':[{'name':'E'}]",
	  "'name':'N','evaluators':[{'name':'E'},{'name':'E','version':1}]", "'evaluators':[{'name':'E'},{'name':'E','version':1}]",
	  "'name':'N','evaluators':[]", "evaluators" },
	{ "Project", "project", "projects",
	  "'name':'N','description':'d','rating_llm_config':{'name':'simulated'}",
	  "'name':'N'", "'name':'N','default_llm_config':{'name':'simulated'}",
	  "'name':'N','rating_llm_config':{'id':1}", "rating_llm_config" },
};

#define EACH(resource) (const struct resource *resource = resources; \
			resource < resources + sizeof(resources) / sizeof(*resources); resource++)

static struct daemon *server;
static struct wire *wire;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'E','prompt':'{{response}}?'}}");
}

/* With `prefix` put before the method's resource. */
static json_object *ask(const struct resource *resource, const char *prefix, const char *parameters)
{
	return wire_call(wire, text("%s%s", prefix, resource->name), "%s", requoted(parameters));
}

static char *as_new(const struct resource *resource, const char *content)
{
	return text("{'%s':{%s}}", resource->member, content);
}

static char *as_update(const struct resource *resource, const char *name, const char *content)
{
	return text("{'%s':{'name':'%s'},'content':{%s}}", resource->member, name, content);
}

/* A project is got by its name, where the others take a Ref. */
static json_object *get(const struct resource *resource, const char *name)
{
	const bool by_ref = strcmp(resource->member, "project") != 0;

	return at_json(ask(resource, "Get", text("{'%s':%s'%s'%s}", resource->member,
						 by_ref ? "{'name':" : "", name, by_ref ? "}" : "")),
		       resource->member);
}

/* Every member of `wanted` is in the record, with this value. */
static void must_show(json_object *record, const char *wanted)
{
	json_object *members = json_must_parse(quoted("{%s}", wanted));

	json_object_object_foreach(members, name, value)
	{
		json_object *there = at_json(record, name);

		ck_assert_msg(there && json_object_equal(there, value), "%s: %s, not %s", name,
			      json_object_to_json_string(there), json_object_to_json_string(value));
	}
}

static int64_t rows_of(const struct resource *resource)
{
	return database_int(server, "SELECT count(*) FROM %s", resource->table);
}

/* Sixty-four make one, and one of them is told so. */
static void get_or_create_at_once(const struct resource *resource)
{
	struct wire *wires[CLIENTS];
	int64_t before = rows_of(resource), id = 0;
	unsigned created = 0;

	for (int i = 0; i < CLIENTS; i++)
		wires[i] = daemon_connect(server);
	for (int i = 0; i < CLIENTS; i++)
		wire_start(wires[i], "", text("GetOrCreate%s", resource->name), "%s",
			   requoted(as_new(resource, resource->content)));
	for (int i = 0; i < CLIENTS; i++) {
		json_object *reply = at_json(wire_next(wires[i]), "parameters");
		int64_t got = at_int(reply, text("%s.id", resource->member));

		ck_assert(!at_bool(reply, "differs"));
		ck_assert(id == 0 || got == id);
		id = got;
		created += at_bool(reply, "created");
		wire_close(wires[i]);
	}
	ck_assert_uint_eq(created, 1);
	ck_assert_int_eq(rows_of(resource), before + 1);
}

/* What is there is answered as it is. */
static void get_differing(const struct resource *resource)
{
	json_object *was = get(resource, "N"), *reply;

	reply = ask(resource, "GetOrCreate", as_new(resource, resource->other));
	ck_assert(!at_bool(reply, "created"));
	ck_assert(at_bool(reply, "differs"));
	ck_assert(json_object_equal(at_json(reply, resource->member), was));
	reply = wire_refused(wire, INVALID, text("GetOrCreate%s", resource->name), "%s",
			     requoted(as_new(resource, resource->wrong)));
	ck_assert_str_eq(at_text(reply, "parameters.parameter"),
			 text("%s.%s", resource->member, resource->path));
	ck_assert(json_object_equal(get(resource, "N"), was));
}

START_TEST(get_or_create)
{
	begin();
	for EACH(resource) {
		get_or_create_at_once(resource);
		get_differing(resource);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* The content takes the place of what was; the same again changes nothing, nor writes it. */
static void change(const struct resource *resource)
{
	json_object *was, *reply, *record;

	ask(resource, "Create", as_new(resource, resource->content));
	was = get(resource, "N");
	reply = ask(resource, "Update", as_update(resource, "N", resource->content));
	ck_assert(json_object_equal(at_json(reply, resource->member), was));
	reply = ask(resource, "Update", as_update(resource, "N", resource->other));
	record = at_json(reply, resource->member);
	ck_assert_int_eq(at_int(record, "id"), at_int(was, "id"));
	ck_assert(!at_has(record, "description") && !at_has(record, "temperature"));
	must_show(record, resource->changed);
	ck_assert(json_object_equal(get(resource, "N"), record));
	ck_assert(!at_bool(ask(resource, "GetOrCreate", as_new(resource, resource->other)), "differs"));
	reply = wire_refused(wire, INVALID, text("Update%s", resource->name), "%s",
			     requoted(as_update(resource, "N", resource->wrong)));
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), text("content.%s", resource->path));
	ck_assert(json_object_equal(get(resource, "N"), record));
}

/* Another name is free, and then the old one is; a taken one is said to be. */
static void change_name(const struct resource *resource)
{
	char *renamed = text("%s", resource->other), *method = text("Update%s", resource->name);
	json_object *reply;

	memcpy(strstr(renamed, "'N'"), "'M'", 3);
	ck_assert_str_eq(at_text(ask(resource, "Update", as_update(resource, "N", renamed)),
				 text("%s.name", resource->member)), "M");
	wire_refused(wire, "NotFound", method, "%s",
		     requoted(as_update(resource, "N", resource->other)));
	ask(resource, "Create", as_new(resource, resource->content));
	reply = wire_refused(wire, "Conflict", method, "%s", requoted(as_update(resource, "N", renamed)));
	ck_assert_int_eq(at_int(reply, "parameters.resource_id"), at_int(get(resource, "M"), "id"));
	must_show(get(resource, "N"), "'name':'N'");
}

START_TEST(update)
{
	begin();
	for EACH(resource) {
		change(resource);
		change_name(resource);
	}
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Its name is free again, and its id is nobody's. */
static void delete(const struct resource *resource)
{
	json_object *was = at_json(ask(resource, "Create", as_new(resource, resource->content)),
				   resource->member);
	char *by_id = text("{'%s':{'id':%lld}}", resource->member, (long long)at_int(was, "id"));

	ask(resource, "Delete", by_id);
	wire_refused(wire, "NotFound", text("Delete%s", resource->name), "%s", requoted(by_id));
	wire_refused(wire, "NotFound", text("Update%s", resource->name), "%s",
		     requoted(as_update(resource, "N", resource->other)));
	ck_assert(at_int(ask(resource, "GetOrCreate", as_new(resource, resource->other)),
			 text("%s.id", resource->member)) != at_int(was, "id"));
}

START_TEST(deleted)
{
	begin();
	for EACH(resource)
		delete(resource);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- What is particular ---- */

static json_object *update_collection(const char *content)
{
	return at_json(ask(&resources[0], "Update", as_update(&resources[0], "C", content)),
		       "collection");
}

static void refuse_collection(const char *error, const char *content)
{
	wire_refused(wire, error, "UpdateCollection", "%s",
		     requoted(as_update(&resources[0], "C", content)));
}

START_TEST(collections)
{
	json_object *reply;

	begin();
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','columns':[{'name':'a'},"
		  "{'name':'b','default_value':'x'}]}}");
	/* Without rows what is not said goes, with rows it stays behind. */
	must_show(update_collection("'name':'C','columns':[{'name':'c'}]"),
		  "'columns':[{'name':'c','type':'text','position':0}]");
	must_show(update_collection("'name':'C','variables':[{'d':'1','e':'2'}],'columns':[{'name':'e'}]"),
		  "'columns':[{'name':'e','type':'text','position':0},"
		  "{'name':'d','type':'text','position':1}],'variables_count':1");
	must_show(update_collection("'name':'C','columns':[{'name':'f'},{'name':'d'}]"),
		  "'columns':[{'name':'f','type':'text','position':0},"
		  "{'name':'d','type':'text','position':1},{'name':'e','type':'text','position':2}],"
		  "'variables_count':1");
	/* There is but the latest version. */
	reply = wire_call(wire, "GetCollection", "{'collection':{'name':'C'}}");
	wire_call(wire, "GetCollection", "{'collection':{'name':'C','version':%lld}}",
		  (long long)at_int(reply, "collection.version"));
	wire_refused(wire, "Conflict", "DeleteCollection", "{'collection':{'name':'C','version':%lld}}",
		     (long long)at_int(reply, "collection.version") + 1);
	/* Read-only: until it is said not to be. */
	must_show(update_collection("'name':'C','read_only':true,'description':'kept'"),
		  "'read_only':true");
	refuse_collection("ReadOnly", "'name':'C','variables':[{'d':3}]");
	refuse_collection("ReadOnly", "'name':'C','read_only':true,'columns':[{'name':'g'}]");
	must_show(update_collection("'name':'C','description':'other'"),
		  "'read_only':true,'description':'other','variables_count':1");
	must_show(update_collection("'name':'C','read_only':false,'variables':[]"),
		  "'read_only':false,'variables_count':0,'columns':[]");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define ENDPOINT "'name':'K','provider':'openai','llm_model_name':'m'"

/* Of a config that has each secret: what stays, and what has to be given again. */
START_TEST(secrets)
{
	static const struct {
		const char *content;
		const char *refused; // by which field; NULL: taken
		const char *left; // fingerprints, in the order of their names
	} cases[] = {
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:9/v1','max_retries':3", NULL,
		  "api_key extra_body.b extra_headers.H llm_base_url " },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:9/v1','extra_body':{}", NULL,
		  "api_key extra_headers.H llm_base_url " },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:9/v1','extra_headers':{}",
		  "content.api_key", NULL },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:9/v1','extra_headers':{},'api_key':'k'",
		  "content.llm_base_url", NULL },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:8/v1'", "content.api_key", NULL },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:8/v1','api_key':'k'",
		  "content.extra_headers", NULL },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:8/v1?q=2','api_key':'k','extra_headers':{}",
		  NULL, "api_key llm_base_url " },
		{ ENDPOINT ",'llm_base_url':'http://127.0.0.1:8/v1','api_key_ref':'env:HOME'", NULL,
		  "llm_base_url " },
		{ ENDPOINT, "content.llm_base_url", NULL },
	};

	begin();
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{" ENDPOINT ","
		  "'llm_base_url':'http://127.0.0.1:9/v1?q=1','api_key':'sk-1','extra_headers':{'H':'1'},"
		  "'extra_body':{'b':1}}}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *parameters = requoted(as_update(&resources[1], "K", cases[i].content));
		const char *left = "";
		json_object *reply;

		if (cases[i].refused) {
			reply = wire_refused(wire, INVALID, "UpdateLLMConfig", "%s", parameters);
			ck_assert_str_eq(at_text(reply, "parameters.parameter"), cases[i].refused);
			continue;
		}
		reply = wire_call(wire, "UpdateLLMConfig", "%s", parameters);
		reply = json_must_parse(json_object_to_json_string_ext(
			at_json(reply, "llm_config.fingerprints"), JSON_C_TO_STRING_PLAIN));
		for (const char *const *name = (const char *const []) { "api_key", "extra_body.b",
			"extra_headers.H", "llm_base_url", NULL }; *name; name++)
			if (json_object_object_get_ex(reply, *name, NULL))
				left = text("%s%s ", left, *name);
		ck_assert_msg(strcmp(left, cases[i].left) == 0, "%zu: %s", i, left);
	}
	/* Nothing of what was has stayed in the folder. */
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM llm_configs"
					      " WHERE secret IS NOT NULL"), 1);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Of `reason`, and of nothing that is there now. */
static void must_keep(const char *name, const char *reason)
{
	json_object *reply = wire_refused(wire, "Conflict", "DeleteLLMConfig", "{'llm_config':{'name':'%s'}}",
					  name);

	ck_assert_msg(strstr(at_text(reply, "parameters.reason"), reason), "%s",
		      json_object_to_json_string(reply));
	ck_assert_str_eq(at_text(reply, "parameters.resource_name"), name);
}

static bool has_no_key(const char *path, void *userdata)
{
	size_t size;
	char *content = file_read(path, &size);

	(void)userdata;
	ck_assert_msg(!content || !memmem(content, size, "sk-deleted", 10), "%s", path);
	free(content);
	return true;
}

/* While a task runs with a config, or judges with it, it stays; afterwards its key is forgotten, and what
 * it brought is not. */
START_TEST(configs_in_use)
{
	static const char *const judged =
		"'rating_llm_config':{'content':{'name':'judge','provider':'simulated'}}";
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	json_object *task, *experiment;
	int64_t id;

	begin();
	must_keep("simulated", "the project 'default' has it as its default");
	id = experiment_submit(wire, &(struct experiment) {
		.name = "E", .rows = 3, .n_criteria = 1, .url = sim_url(sim), .api_key = "sk-deleted",
		.more = judged });
	sim_await(sim, "in_flight", 1);
	must_keep("E config", text("the task %lld uses it", (long long)id));
	must_keep("judge", text("the task %lld uses it", (long long)id));
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'E config'}}");
	must_keep("E config", "the project 'default' has it as its default");
	wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'simulated'}}");
	wire_call(wire, "DeleteLLMConfig", "{'llm_config':{'name':'E config'}}");
	wire_call(wire, "DeleteLLMConfig", "{'llm_config':{'name':'judge'}}");
	daemon_kill(server);
	daemon_restart(server);
	wire = daemon_connect(server);
	dir_each_file(daemon_state_dir(server), has_no_key, NULL);
	experiment = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert_str_eq(at_text(experiment, "model.llm_model_name"), "m");
	/* Going on says what is missing. */
	task = at_json(wire_call(wire, "RetryTask", "{'id':%lld}", (long long)id), "task");
	ck_assert_str_eq(at_text(task, "status"), "REJECTED");
	ck_assert_str_eq(at_text(task, "error.field"), "llm_config");
	ck_assert_ptr_nonnull(strstr(at_text(task, "error.message"), "'E config' was deleted"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Of what belongs to the project `P`; all of it is hidden, and nothing but the task left to be seen. */
static void must_be_gone(long long task_id, long long experiment_id)
{
	static const char *const tables[] = { "llm_configs", "collections", "criterion_sets",
					      "prompt_templates", "experiments" };
	json_object *task;

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		ck_assert_int_eq(database_int(server, "SELECT count(*) FROM %s t JOIN projects p"
					      " ON p.id = t.project_id WHERE p.name = 'P'"
					      " AND t.deleted_at IS NULL", tables[i]), 0);
	dir_each_file(daemon_state_dir(server), has_no_key, NULL);
	wire_refused(wire, "NotFound", "GetProject", "{'project':'P'}");
	wire_refused(wire, "NotFound", "GetCollection", "{'project':'P','collection':{'name':'C'}}");
	wire_refused(wire, "NotFound", "GetExperiment", "{'experiment':{'id':%lld}}", experiment_id);
	task = task_get(wire, task_id);
	ck_assert_str_eq(at_text(task, "project"), "P");
	wire_refused(wire, "NotFound", "RetryTask", "{'id':%lld}", task_id);
}

/* What is in a project is its own; it goes with it, but not while a task is in it, and what a crash
 * interrupts goes on. */
START_TEST(projects)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	json_object *reply, *task;
	long long id;

	begin();
	wire_call(wire, "CreateProject", "{'project':{'name':'P'}}");
	wire_refused(wire, "NotFound", "UpdateProject", "{'project':{'name':'P'},'content':{'name':'P',"
		     "'rating_llm_config':{'name':'judge'}}}");
	for (int i = 0; i < 250; i++)
		wire_call(wire, "CreateCollection", "{'project':'P','collection':{'name':'C%d'}}", i);
	wire_call(wire, "CreateLLMConfig", "{'project':'P','llm_config':{'name':'judge',"
		  "'provider':'simulated'}}");
	wire_call(wire, "UpdateProject", "{'project':{'name':'P'},'content':{'name':'P',"
		  "'rating_llm_config':{'name':'judge'}}}");
	reply = wire_refused(wire, "Conflict", "DeleteLLMConfig",
			     "{'project':'P','llm_config':{'name':'judge'}}");
	ck_assert_str_eq(at_text(reply, "parameters.reason"),
			 "the project 'P' judges with it: choose another one first");
	/* Its judge judges where an experiment names none. */
	id = experiment_submit(wire, &(struct experiment) {
		.name = "E", .rows = 2, .n_criteria = 1, .url = sim_url(sim), .api_key = "sk-deleted",
		.more = "'project':'P'" });
	reply = wire_call(wire, "GetExperiment", "{'project':'P','experiment':{'name':'E'}}");
	ck_assert_str_eq(at_text(reply, "experiment.rating_llm_config.name"), "judge");
	ck_assert_str_eq(at_text(reply, "experiment.rating_version"), "1");
	reply = wire_call(wire, "GetProject", "{'project':'P'}");
	ck_assert_str_eq(at_text(reply, "project.rating_version"), "1");
	wire_refused(wire, "org.varlink.service.InvalidParameter", "UpdateProject",
		     "{'project':{'name':'P'},'content':{'name':'P','rating_version':'2'}}");
	reply = wire_refused(wire, "Conflict", "DeleteProject", "{'project':{'name':'P'}}");
	ck_assert_str_eq(at_text(reply, "parameters.reason"), text("the task %lld is in it", id));
	task = at_json(wire_call(wire, "CancelTask", "{'id':%lld}", id), "task");
	wire_call(wire, "DeleteProject", "{'project':{'name':'P'}}");
	must_be_gone(id, at_int(task, "experiment_id"));
	/* As a crash behind the first step leaves it. */
	wire_call(wire, "CreateProject", "{'project':{'name':'P'}}");
	wire_call(wire, "CreateLLMConfig", "{'project':'P','llm_config':{'name':'K','provider':'openai',"
		  "'llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1','api_key':'sk-deleted'}}");
	database_run(server, "UPDATE projects SET deleted_at = 1 WHERE name = 'P' AND deleted_at IS NULL");
	daemon_kill(server);
	daemon_restart(server);
	wire = daemon_connect(server);
	while (database_int(server, "SELECT count(*) FROM projects WHERE deleted_at IS NOT NULL"
				    " AND NOT emptied"))
		;
	must_be_gone(id, at_int(task, "experiment_id"));
	/* `default` stays what it is. */
	wire_refused(wire, "Conflict", "DeleteProject", "{'project':{'name':'default'}}");
	reply = wire_refused(wire, INVALID, "UpdateProject",
			     "{'project':{'name':'default'},'content':{'name':'other'}}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "content.name");
	reply = wire_call(wire, "ListProjects", "{'count':true}");
	ck_assert_int_eq(at_int(reply, "count"), 1);
	ck_assert_str_eq(at_text(reply, "items.0.name"), "default");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(get_or_create, update, deleted, collections, secrets, configs_in_use,
			 projects);
}
