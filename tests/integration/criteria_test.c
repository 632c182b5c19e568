/* Sets of criteria: what they hold, what runs keep of them, and which templates they judge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;

static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
}

static void end(void)
{
	ck_assert(daemon_is_well(server));
	ck_assert_int_eq(daemon_stop(server), 0);
}

/* The texts of the set `S`, as "A? B?". */
static void holds(const char *texts)
{
	json_object *set = at_json(wire_call(wire, "GetCriterionSet", "{'criterion_set':{'name':'S'}}"),
				   "criterion_set");
	const char *found = "";

	for (size_t i = 0; i < at_count(set, "criteria"); i++)
		found = text("%s%s%s", found, i ? " " : "",
			     at_text(set, text("criteria.%zu.criterion_str", i)));
	ck_assert_str_eq(found, texts);
}

static json_object *add(const char *criteria)
{
	return wire_call(wire, "AddCriteria", "{'criterion_set':{'name':'S'},'criteria':[%s]}", criteria);
}

START_TEST(one_by_one)
{
	json_object *set, *added;
	int64_t second;

	begin();
	set = wire_call(wire, "CreateCriterionSet", "%s",
			"{\"criterion_set\":{\"name\":\"S\",\"criteria\":[{\"criterion_str\":\"A?\"},"
			"{\"criterion_str\":\"B?\",\"label\":\"b\"},{\"criterion_str\":\"A?\"}]}}");
	ck_assert_int_eq(at_count(set, "criterion_set.criteria"), 2);
	ck_assert_str_eq(at_text(set, "criterion_set.criteria.1.label"), "b");
	ck_assert(at_has(set, "criterion_set.criteria.1.created_at"));
	second = at_int(set, "criterion_set.criteria.1.id");
	/* The same text is the same criterion. */
	added = add("{\"criterion_str\":\"C?\"},{\"criterion_str\":\"B?\"},{\"criterion_str\":\"C?\"}");
	ck_assert_int_eq(at_count(added, "criteria"), 3);
	ck_assert_int_eq(at_int(added, "criteria.1.id"), second);
	ck_assert_str_eq(at_text(added, "criteria.1.label"), "b");
	ck_assert_int_eq(at_int(added, "criteria.0.id"), at_int(added, "criteria.2.id"));
	holds("A? B? C?");
	wire_call(wire, "DeleteCriterion", "{'id':%lld}", (long long)second);
	wire_refused(wire, "NotFound", "DeleteCriterion", "{'id':%lld}", (long long)second);
	holds("A? C?");
	add("{\"criterion_str\":\"B?\"}");
	holds("A? C? B?");
	ck_assert_int_eq(at_int(wire_call(wire, "ClearCriterionSet", "{'criterion_set':{'name':'S'}}"),
				"removed"), 3);
	holds("");
	wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}");
	wire_refused(wire, "NotFound", "GetCriterionSet", "{'criterion_set':{'name':'S'}}");
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListCriterionSets", "%s", "")), 0);
	/* Nothing had used them. */
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM criteria"), 0);
	end();
}
END_TEST

/* Those that stay are the same criteria; a list that is left out stays as a whole. */
START_TEST(as_a_whole)
{
	json_object *set;
	int64_t b;

	begin();
	set = wire_call(wire, "CreateCriterionSet",
			"{'criterion_set':{'name':'R','criteria':[{'criterion_str':'A?'},"
			"{'criterion_str':'B?','label':'b'}]}}");
	b = at_int(set, "criterion_set.criteria.1.id");
	set = wire_call(wire, "UpdateCriterionSet",
			"{'criterion_set':{'name':'R'},'content':{'name':'R','criteria':["
			"{'criterion_str':'B?'},{'criterion_str':'C?'}]}}");
	ck_assert_int_eq(at_int(set, "criterion_set.criteria.0.id"), b);
	ck_assert(!at_has(set, "criterion_set.criteria.0.label"));
	set = wire_call(wire, "UpdateCriterionSet",
			"{'criterion_set':{'name':'R'},'content':{'name':'S'}}");
	holds("B? C?");
	ck_assert_int_eq(at_int(set, "criterion_set.criteria.0.id"), b);
	end();
}
END_TEST

/* Nothing of a refused request is stored. */
START_TEST(refused)
{
	static const struct {
		const char *error, *method, *parameters, *field;
	} requests[] = {
		{ "Conflict", "CreateCriterionSet", "{'criterion_set':{'name':'S'}}", NULL },
		{ "NotFound", "AddCriteria",
		  "{'criterion_set':{'name':'none'},'criteria':[{'criterion_str':'B?'}]}", NULL },
		{ "Conflict", "AddCriteria",
		  "{'criterion_set':{'name':'S'},'criteria':[{'criterion_str':'B?'},"
		  "{'criterion_str':'A?','label':'other'}]}", NULL },
		{ "NotFound", "LinkCriterionSet",
		  "{'criterion_set':{'name':'S'},'prompt_template':{'name':'none'}}", NULL },
		{ "org.varlink.service.InvalidParameter", "CreateCriterionSet",
		  "{'criterion_set':{'name':'T','criteria':[{'criterion_str':'A?'},{'criterion_str':' '}]}}",
		  "criterion_set.criteria[1].criterion_str" },
		{ "org.varlink.service.InvalidParameter", "CreateCriterionSet",
		  "{'criterion_set':{'name':'T','criteria':[{'criterion_str':'A?','label':'a'},"
		  "{'criterion_str':'A?','label':'b'}]}}",
		  "criterion_set.criteria[1]" },
		{ "org.varlink.service.InvalidParameter", "AddCriteria",
		  "{'criterion_set':{'name':'S'},'criteria':[{'criterion_str':''}]}",
		  "criteria[0].criterion_str" },
		{ "org.varlink.service.InvalidParameter", "AddCriteria",
		  "{'criterion_set':{'name':'S'},'criteria':[{'criterion_str':'B?','id':1}]}",
		  "criteria[0].id" },
	};
	char *many, *at;

	begin();
	wire_call(wire, "CreateCriterionSet",
		  "{'criterion_set':{'name':'S','criteria':[{'criterion_str':'A?'}]}}");
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		json_object *reply = wire_refused(wire, requests[i].error, requests[i].method, "%s",
						  requoted(requests[i].parameters));

		if (requests[i].field)
			ck_assert_str_eq(at_text(reply, "parameters.parameter"), requests[i].field);
	}
	/* A thousand in all. */
	at = many = calloc(1000, 40);
	for (int i = 0; i < 1000; i++)
		at += sprintf(at, "%s{\"criterion_str\":\"%d?\"}", i ? "," : "", i);
	wire_refused(wire, "org.varlink.service.InvalidParameter", "AddCriteria",
		     "{'criterion_set':{'name':'S'},'criteria':[%s]}", many);
	free(many);
	holds("A?");
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListCriterionSets", "%s", "")), 1);
	end();
}
END_TEST

/* What a run was judged by is what the set held when it was submitted. */
START_TEST(results_keep_theirs)
{
	json_object *task, *after;
	long long id;

	begin();
	wire_call(wire, "CreateCriterionSet",
		  "{'criterion_set':{'name':'S','criteria':[{'criterion_str':'A?','label':'a'},"
		  "{'criterion_str':'B?'}]}}");
	task = experiment_run(wire, &(struct experiment) {
		.rows = 3, .more = "'criterion_set':{'name':'S'}" });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_str_eq(at_text(task, "result.results.criteria.0.label"), "a");
	id = at_int(task, "experiment_id");
	wire_call(wire, "DeleteCriterion", "{'id':%lld}",
		  (long long)at_int(task, "result.results.criteria.0.criterion_id"));
	add("{\"criterion_str\":\"C?\"}");
	for (int deleted = 0; deleted < 2; deleted++) {
		after = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", id),
				"experiment");
		ck_assert_int_eq(at_count(after, "criterion_set.criteria"), 2);
		ck_assert_str_eq(at_text(after, "criterion_set.criteria.0.criterion_str"), "A?");
		ck_assert_str_eq(at_text(after, "criterion_set.criteria.0.label"), "a");
		after = wire_call(wire, "ListRatings", "{'experiment':{'id':%lld}}", id);
		ck_assert_uint_eq(at_count(after, "items"), 6);
		ck_assert_str_eq(at_text(after, "items.0.criterion.criterion_str"), "A?");
		if (!deleted)
			wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}");
	}
	/* Rated anew by its own, though the set is no more. */
	wire_call(wire, "RateExperiment", "{'experiment':{'id':%lld},'rating_mode':'detailed'}", id);
	/* The name is free, and what it makes is another set. */
	wire_call(wire, "CreateCriterionSet",
		  "{'criterion_set':{'name':'S','criteria':[{'criterion_str':'A?'}]}}");
	holds("A?");
	end();
}
END_TEST

/* Inline criteria make `NAME criteria`; a deleted one of that name is in nobody's way. */
START_TEST(families)
{
	long long id;

	begin();
	id = at_int(experiment_run(wire, &(struct experiment) { .rows = 1, .n_criteria = 1 }),
		    "experiment_id");
	for (int i = 0; i < 3; i++) {
		wire_call(wire, "RateResponses", "{'experiment':{'id':%lld},'criteria':['New?']}", id);
		wire_call(wire, "GetCriterionSet", "{'criterion_set':{'name':'%s'}}",
			  "Experiment criteria #2");
		wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'%s'}}",
			  "Experiment criteria #2");
	}
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListCriterionSets", "%s", "")), 1);
	end();
}
END_TEST

static int64_t judged(const char *name, const char *more)
{
	return at_int(experiment_run(wire, &(struct experiment) { .name = name, .rows = 2, .more = more }),
		      "result.results.ratings");
}

/* A run that names no criteria is judged by the set of its template. */
START_TEST(links)
{
	static const char next[] =
		"'update_existing':true,'prompt_template':{'content':{'name':'P','messages':"
		"[{'role':'user','content':'%s {{topic}}'}]}}";
	json_object *set;

	begin();
	ck_assert_int_eq(judged("none", quoted(next, "One")), 0);
	wire_call(wire, "CreateCriterionSet",
		  "{'criterion_set':{'name':'S','criteria':[{'criterion_str':'A?'}]}}");
	wire_call(wire, "CreateCriterionSet", "{'criterion_set':{'name':'other'}}");
	wire_call(wire, "LinkCriterionSet",
		  "{'criterion_set':{'name':'other'},'prompt_template':{'name':'P'}}");
	set = wire_call(wire, "LinkCriterionSet",
			"{'criterion_set':{'name':'S'},'prompt_template':{'name':'P'}}");
	ck_assert_int_eq(at_count(set, "criterion_set.linked_prompt_templates"), 1);
	set = wire_call(wire, "GetCriterionSet", "{'criterion_set':{'name':'other'}}");
	ck_assert_int_eq(at_count(set, "criterion_set.linked_prompt_templates"), 0);
	/* Of every version. */
	ck_assert_int_eq(judged("linked", quoted(next, "One")), 2);
	ck_assert_int_eq(judged("newer", quoted(next, "Two")), 2);
	/* Unless it names some. */
	ck_assert_int_eq(judged("own", text("%s,'criteria':['B?','C?']", quoted(next, "Two"))), 4);
	wire_call(wire, "UnlinkCriterionSet",
		  "{'criterion_set':{'name':'other'},'prompt_template':{'name':'P'}}");
	ck_assert_int_eq(judged("still", quoted(next, "Two")), 2);
	wire_call(wire, "UnlinkCriterionSet",
		  "{'criterion_set':{'name':'S'},'prompt_template':{'name':'P'}}");
	ck_assert_int_eq(judged("unlinked", quoted(next, "Two")), 0);
	/* What has its name after it was deleted is another template. */
	for (int whole = 0; whole < 2; whole++) {
		wire_call(wire, "LinkCriterionSet",
			  "{'criterion_set':{'name':'S'},'prompt_template':{'name':'P'}}");
		wire_call(wire, "DeletePromptTemplate", "{'prompt_template':{'name':'P'%s}}",
			  whole ? "" : ",\"version\":2");
		set = wire_call(wire, "GetCriterionSet", "{'criterion_set':{'name':'S'}}");
		ck_assert_int_eq(at_count(set, "criterion_set.linked_prompt_templates"), !whole);
		ck_assert_int_eq(judged(text("remade %d", whole), quoted(next, "Two")), whole ? 0 : 2);
	}
	wire_call(wire, "LinkCriterionSet",
		  "{'criterion_set':{'name':'S'},'prompt_template':{'name':'P'}}");
	wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}");
	ck_assert_int_eq(judged("deleted", quoted(next, "Two")), 0);
	end();
}
END_TEST

/* One that a task will be judged by stays until it has been. */
START_TEST(used_by_a_task)
{
	json_object *reply;
	int64_t id;

	begin();
	wire_call(wire, "CreateCriterionSet",
		  "{'criterion_set':{'name':'S','criteria':[{'criterion_str':'A?'}]}}");
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 2, .more = "'criterion_set':{'name':'S'},'llm_config':{'content':{'name':'slow',"
				   "'provider':'simulated','custom':{'latency_seconds':600}}}" });
	reply = wire_refused(wire, "Conflict", "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}");
	ck_assert_ptr_nonnull(strstr(at_text(reply, "parameters.reason"), text("%lld", (long long)id)));
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(one_by_one, as_a_whole, refused, results_keep_theirs, families, links, used_by_a_task);
}
