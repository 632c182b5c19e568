/* Sets of criteria: what they hold, what runs keep of them, which templates they judge; and those that
 * are decided without a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"
#include "tests/harness/users.h"

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
	ck_assert_int_eq(at_int(wire_call(wire, "GetPromptTemplate", "{'prompt_template':{'name':'P'}}"),
				"prompt_template.criterion_set_id"), at_int(set, "criterion_set.id"));
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

/* ---- Checks ---- */

/* Answers stand in a column; each check says YES or NO of them by itself, and no config judges. */
static const struct {
	const char *kind, *value; // as JSON, or NULL
	const char *verdicts; // of the rows below
} checks[] = {
	{ "equals", "'{{expected}}'", "YES NO NO" },
	{ "contains", "'{{expected}}'", "YES YES NO" },
	{ "contains", "'Paris is'", "NO YES NO" },
	{ "icontains", "'{{expected}}'", "YES YES YES" },
	{ "starts_with", "'The {{expected}}'", "NO NO NO" },
	{ "starts_with", "'P'", "YES YES NO" },
	{ "is_json", NULL, "NO NO YES" },
	{ "length", "'..5'", "YES NO NO" },
	{ "length", "'{{low}}..99'", "NO YES YES" },
	{ "regex", "'(?i)^[a-z]+ IS .*\\\\W\u00e9{2}$'", "NO YES NO" },
	{ "regex", "'^{{expected}}\\\\b'", "YES YES NO" },
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char rows[] =
	"'collection':{'content':{'name':'Rows','variables':["
	"{'answer':'Paris','expected':'Paris','low':6},"
	"{'answer':'Paris is the one \u00e9\u00e9','expected':'Paris','low':19},"
	"{'answer':'{\\\"capital\\\":\\\"paris\\\"}','expected':'Paris','low':1}]}}";

static const char *check_json(size_t i)
{
	return requoted(text("{'criterion_str':'%s %zu','label':'l%zu','check':{'kind':'%s'%s%s}}",
			     checks[i].kind, i, i, checks[i].kind, checks[i].value ? ",'value':" : "",
			     checks[i].value ? checks[i].value : ""));
}

static const char *all_checks(void)
{
	const char *list = "";

	for (size_t i = 0; i < CHECKS; i++)
		list = text("%s%s%s", list, i ? "," : "", check_json(i));
	return list;
}

/* Of the responses in order: what the criterion number `i` says. */
static const char *verdicts_of(long long experiment_id, size_t i)
{
	json_object *responses = list_all(wire, "ListResponses", "'experiment':{'id':%lld}", experiment_id);
	const char *found = "";

	for (size_t k = 0; k < json_object_array_length(responses); k++) {
		const char *rating = text("%zu.ratings.%zu", k, i);

		ck_assert_str_eq(at_text(responses, text("%s.judge", rating)), "check");
		ck_assert_str_eq(at_text(responses, text("%s.criterion.check.kind", rating)),
				 checks[i].kind);
		found = text("%s%s%s", found, k ? " " : "", at_text(responses, text("%s.rating", rating)));
	}
	return found;
}

START_TEST(checks_alone)
{
	json_object *task;
	long long id;

	begin();
	task = at_json(wire_call(wire, "RunExperiment", "{'name':'E','response_column':'answer',%s,"
				 "'measures':[%s]}", requoted(rows), all_checks()), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	id = at_int(task, "experiment_id");
	for (size_t i = 0; i < CHECKS; i++)
		ck_assert_str_eq(verdicts_of(id, i), checks[i].verdicts);
	ck_assert_str_eq(at_text(task, "result.results.criteria.3.label"), "l3");
	ck_assert_int_eq(at_int(task, "result.results.criteria.3.yes.n_scored"), 3);
	task = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", id), "experiment");
	ck_assert(!at_has(task, "rating_llm_config"));
	/* Again, by a set that holds them: the same measures, nothing to do. */
	task = at_json(wire_call(wire, "RateExperiment",
				 "{'experiment':{'id':%lld},'criterion_set':{'name':'E criteria'}}", id),
		       "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings"), 3 * CHECKS);
	end();
}
END_TEST

/* The model is asked for what is no check, and for nothing else. */
START_TEST(checks_and_questions)
{
	struct sim *sim = sim_start(NULL);
	struct experiment experiment = {
		.rows = 20, .url = sim_url(sim),
		.more = "'measures':[{'criterion_str':'Is it so?'},"
			"{'criterion_str':'long','check':{'kind':'regex','value':'.'}}]" };
	json_object *task;
	long long id;

	begin();
	task = experiment_run(wire, &experiment);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 40);
	ck_assert_int_eq(at_int(task, "result.results.criteria.1.yes.n_scored"), 20);
	ck_assert_int_eq(sim_stat(sim, "calls"), 40);
	id = at_int(task, "experiment_id");
	/* Another check of the same text is another measure; what is there is not asked again. */
	sim_reset(sim);
	experiment.more = "'update_existing':true,'measures':[{'criterion_str':'Is it so?'},"
			  "{'criterion_str':'long','check':{'kind':'length','value':'9999..'}}]";
	task = experiment_run(wire, &experiment);
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert(at_int(task, "experiment_id") != id);
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 0);
	ck_assert_int_eq(sim_stat(sim, "calls"), 0);
	task = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'id':%lld}}", id), "experiment");
	ck_assert_str_eq(at_text(task, "criterion_set.criteria.1.check.value"), ".");
	end();
}
END_TEST

/* What a row makes of a value may be none: its rating fails, and is tried again when asked to. */
START_TEST(checks_that_fail)
{
	json_object *task;
	long long id;

	begin();
	task = at_json(wire_call(wire, "RunExperiment", "{'name':'E','response_column':'answer',%s,"
				 "'measures':[{'criterion_str':'A','check':{'kind':'length','value':'{{expected}}'}},"
				 "{'criterion_str':'B','check':{'kind':'contains','value':'P'}},"
				 "{'criterion_str':'C','check':{'kind':'regex','value':'({{expected}}'}}]}",
				 requoted(rows)), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 6);
	id = at_int(task, "experiment_id");
	task = at_json(wire_call(wire, "RetryFailed", "{'experiment':{'id':%lld}}", id), "task");
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 6);
	end();
}
END_TEST

/* A pattern that takes all it may in each answer fails there, and keeps no other user from anything. */
START_TEST(hostile_patterns)
{
	char answer[8001], *list;
	json_object *task;
	struct wire *other;
	int64_t id;

	if (geteuid() != 0)
		return; // a second user is to be had by root only
	server = daemon_start_system();
	wire = daemon_connect(server);
	other = connect_as(server, OTHER_UID);
	memset(answer, 'a', sizeof(answer) - 1);
	answer[sizeof(answer) - 1] = '\0';
	list = calloc(6, sizeof(answer) + 40);
	for (int i = 0; i < 6; i++)
		sprintf(list + strlen(list), "%s{\"answer\":\"%s\"}", i ? "," : "", answer);
	id = at_int(wire_call(other, "RunExperiment",
			      "{'name':'E','detach':true,'response_column':'answer',"
			      "'collection':{'content':{'name':'Rows','variables':[%s]}},'measures':["
			      "{'criterion_str':'A','check':{'kind':'regex','value':'(a?){1000}(a?){900}b'}},"
			      "{'criterion_str':'B','check':{'kind':'regex','value':'^(a|a)*$'}}]}", list),
		    "task.id");
	task = experiment_run(wire, &(struct experiment) { .rows = 20, .n_criteria = 2 });
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.failed_ratings"), 6);
	ck_assert_int_eq(at_int(task, "result.results.criteria.1.yes.n_scored"), 6);
	ck_assert_ptr_nonnull(strstr(at_text(task, "result.results.errors.0.error.message"), "steps"));
	free(list);
	end();
}
END_TEST

/* kill -9 between the answers: each verdict is there once. */
START_TEST(checks_go_on_after_a_kill)
{
	struct sim *sim = sim_start((const char *[]) { "--latency_seconds=0.01", NULL });
	json_object *task;
	int64_t id;

	begin();
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 100, .url = sim_url(sim), .max_connections = 4,
		.more = "'measures':[{'criterion_str':'long','check':{'kind':'length','value':'1..'}}]" });
	experiment_await_recorded(wire, id, at_int(task_get(wire, id), "experiment_id"), 20);
	daemon_kill(server);
	daemon_restart(server);
	wire = daemon_connect(server);
	task = task_await_status(server, id, "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.ratings"), 100);
	ck_assert_int_eq(database_int(server, "SELECT count(*) FROM ratings WHERE value = 1"), 100);
	end();
}
END_TEST

START_TEST(checks_refused)
{
	static const struct {
		const char *criterion, *field;
	} wrong[] = {
		{ "'check':{'kind':'equals'}", "measures[0].check.value" },
		{ "'check':{'kind':'is_json','value':'x'}", "measures[0].check.value" },
		{ "'check':{'kind':'length','value':'5'}", "measures[0].check.value" },
		{ "'check':{'kind':'length','value':'9..2'}", "measures[0].check.value" },
		{ "'check':{'kind':'length','value':'..'}", "measures[0].check.value" },
		{ "'check':{'kind':'regex'}", "measures[0].check.value" },
		{ "'check':{'kind':'regex','value':'(a)\\\\1'}", "measures[0].check.value" },
		{ "'check':{'kind':'regex','value':'a(?=b)'}", "measures[0].check.value" },
		{ "'check':{'kind':'regex','value':'(a{1000}){1000}'}", "measures[0].check.value" },
		{ "'check':{'kind':'no such'}", "measures[0].check.kind" },
		{ "'label':''", "measures[0].label" },
	};
	json_object *reply;

	begin();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "RunExperiment",
				     "{'name':'E','response_column':'answer',%s,"
				     "'measures':[{'criterion_str':'A',%s}]}", requoted(rows),
				     requoted(wrong[i].criterion));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].field);
	}
	wire_refused(wire, "org.varlink.service.InvalidParameter", "RunExperiment",
		     "{'name':'E','response_column':'answer',%s,'criteria':['A?'],"
		     "'measures':[{'criterion_str':'A'}]}", requoted(rows));
	/* A column that is none is seen before anything runs. */
	reply = wire_call(wire, "RunExperiment", "{'name':'E','response_column':'answer',%s,'measures':"
			  "[{'criterion_str':'A','check':{'kind':'equals','value':'{{none}}'}}]}",
			  requoted(rows));
	ck_assert_str_eq(at_text(reply, "task.status"), "REJECTED");
	end();
}
END_TEST

/* A file has what it is called there in the place of what the interface calls it. */
START_TEST(checks_in_a_file)
{
	const char *path = dir_path(dir_new(), "checks.json");
	char *sample = file_read(CHECKS_SAMPLE, NULL), *range = strstr(sample, "1..12");

	begin();
	file_write(path, sample);
	ASSERT_SAYS(COMMAND(server, 0, "run", path)->out, " 66.7 %   20.8 to 93.9 %    3/3  names {{city}}");
	ASSERT_SAYS(COMMAND(server, 0, "criteria", "show", "Capitals, checked criteria")->out,
		    "short: is short  (length 1..12)");
	ASSERT_SAYS(COMMAND(server, 0, "criteria", "show", "Capitals, checked criteria")->out,
		    "name: is a name  (regex ^[A-Z]\\w+$)");
	ASSERT_SAYS(COMMAND(server, 0, "run", path, "--dry-run", "--new")->out,
		    "0 calls (0 to answer, 0 to judge)");
	memcpy(range, "12..1", 5);
	file_write(path, sample);
	ASSERT_SAYS(COMMAND(server, 23, "run", path)->err, "criteria[2].check.value: expected lengths");
	end();
}
END_TEST

/* The questions of a set, as the command has them. */
START_TEST(commands)
{
	begin();
	COMMAND(server, 0, "criteria", "create", "S", "A?", "B?", "A?");
	COMMAND(server, 0, "criteria", "add", "S", "B?", "C?");
	COMMAND(server, 0, "criteria", "get", "S");
	COMMAND(server, 0, "criteria", "remove", "2");
	holds("A? C?");
	COMMAND(server, 28, "criteria", "create", "S");
	COMMAND(server, 27, "criteria", "link", "S", "none");
	COMMAND(server, 0, "criteria", "add", "S", "names it", "--label", "city", "--check", "icontains={{city}}");
	ASSERT_SAYS(COMMAND(server, 0, "criteria", "show", "S")->out, "city: names it  (icontains {{city}})");
	COMMAND(server, 2, "criteria", "add", "S", "D?", "E?", "--label", "two");
	ASSERT_SAYS(COMMAND(server, 23, "criteria", "add", "S", "D?", "--check", "like=it")->err, "--check like=it: expected one of");
	ASSERT_SAYS(COMMAND(server, 2, "criteria", "add", "S")->err, "expected ID|NAME TEXT...");
	ASSERT_SAYS(COMMAND(server, 0, "criteria", "list")->out, "CRITERIA");
	COMMAND(server, 0, "criteria", "clear", "S");
	holds("");
	COMMAND(server, 0, "criteria", "delete", "S");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(one_by_one, as_a_whole, refused, results_keep_theirs, families, links, used_by_a_task,
			 checks_alone, checks_and_questions, checks_that_fail, hostile_patterns,
			 checks_go_on_after_a_kill, checks_refused, checks_in_a_file, commands);
}
