/*
 * One daemon for several users: each sees and changes only what is theirs, root all. A second
 * user is a process that has become one, so root is needed.
 */
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/suite.h"
#include "tests/harness/trail.h"
#include "tests/harness/users.h"

static struct daemon *server;

static void see_nothing(struct wire *wire, void *userdata)
{
	int64_t id = *(const int64_t *)userdata;
	static const char *const lists[] = { "ListTasks", "ListExperiments" };

	for (size_t i = 0; i < 2; i++)
		must(json_object_array_length(list_all(wire, lists[i], "%s", "")) == 0, lists[i]);
	wire_refused(wire, "NotFound", "GetTask", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "WatchTask", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "WatchTask", "{'id':%lld,'after_sequence':0}", (long long)id);
	wire_refused(wire, "NotFound", "CancelTask", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "RetryTask", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "ListTaskLogs", "{'id':%lld}", (long long)id);
	for (int by_id = 0; by_id < 2; by_id++) {
		const char *ref = by_id ? "\"id\":1" : "\"name\":\"Experiment\"";

		wire_refused(wire, "NotFound", "GetExperiment", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "ListResponses", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "ListRatings", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "RunExperiment", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "CloneExperiment", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "UpdateExperiment", "{'experiment':{%s},'name':'mine'}", ref);
		wire_refused(wire, "NotFound", "DeleteExperiment", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "AddEpochs", "{'experiment':{%s},'epochs':1}", ref);
		wire_refused(wire, "NotFound", "AddResponses",
			     "{'experiment':{%s},'responses':[{'row':1,'response_text':'x'}]}", ref);
		wire_refused(wire, "NotFound", "RateExperiment", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "RateResponses", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "RetryFailed", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "CompareExperiments", "{'experiments':[{%s}]}", ref);
		wire_refused(wire, "NotFound", "ListComparedCases", "{'experiments':[{%s}]}", ref);
		wire_refused(wire, "NotFound", "ListFlakyRows", "{'experiment':{%s}}", ref);
		wire_refused(wire, "NotFound", "GetJudgeAgreement", "{'experiment':{%s}}", ref);
	}
	wire_refused(wire, "NotFound", "GetProject", "{'project_id':1}");
	wire_refused(wire, "NotFound", "GetResponse", "{'response_id':1}");
	wire_refused(wire, "NotFound", "AnnotateResponse", "{'response_id':1,'annotation':'x'}");
	wire_refused(wire, "NotFound", "EditRating", "{'rating_id':1,'rating':'NO'}");
	wire_refused(wire, "NotFound", "GetCollection", "{'collection':{'id':1}}");
	wire_refused(wire, "NotFound", "ListTemplateVariables", "{'collection':{'id':1}}");
	wire_refused(wire, "NotFound", "ClearCollection", "{'collection':{'id':1}}");
	wire_refused(wire, "NotFound", "AddTemplateVariables",
		     "{'collection':{'id':1},'variables':[{'a':'b'}]}");
	wire_refused(wire, "NotFound", "GetCriterionSet", "{'criterion_set':{'id':1}}");
	wire_refused(wire, "NotFound", "AddCriteria",
		     "{'criterion_set':{'id':1},'criteria':[{'criterion_str':'A?'}]}");
	wire_refused(wire, "NotFound", "ClearCriterionSet", "{'criterion_set':{'id':1}}");
	wire_refused(wire, "NotFound", "DeleteCriterion", "{'id':1}");
	wire_refused(wire, "NotFound", "DeleteCriterionSet", "{'criterion_set':{'id':1}}");
	wire_refused(wire, "NotFound", "GetEvaluator", "{'evaluator':{'id':1}}");
	wire_refused(wire, "NotFound", "UpdateEvaluator",
		     "{'evaluator':{'id':1},'content':{'name':'E','prompt':'{{request}}'}}");
	wire_refused(wire, "NotFound", "DeleteEvaluator", "{'evaluator':{'id':1}}");
	wire_refused(wire, "NotFound", "RunEvaluator", "{'evaluator':{'id':1},'response':'a'}");
	wire_refused(wire, "NotFound", "BatchRun", "{'evaluator':{'id':1},'inputs':[{'response':'a'}]}");
	wire_refused(wire, "NotFound", "ListBatchItems", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "PreferExperiments", "{'experiments':[{'id':1},{'id':2}]}");
	wire_refused(wire, "NotFound", "ListPreferences", "{'id':%lld}", (long long)id);
	wire_refused(wire, "NotFound", "CreateJudge", "{'judge':{'name':'J','evaluators':[{'id':1}]}}");
	wire_refused(wire, "NotFound", "GetJudge", "{'judge':{'id':1}}");
	wire_refused(wire, "NotFound", "RunJudge", "{'judge':{'id':1},'response':'a'}");
	wire_refused(wire, "NotFound", "GetPromptTemplate", "{'prompt_template':{'id':1}}");
	wire_refused(wire, "NotFound", "ListCriteria", "{'prompt_template':{'id':1}}");
	wire_refused(wire, "NotFound", "GenerateCriteria", "{'prompt_template':{'id':1}}");
	wire_refused(wire, "NotFound", "GetOrGenerateCriteria", "{'prompt_template':{'id':1}}");
	wire_refused(wire, "NotFound", "GenerateTemplateVariables",
		     "{'prompt_template':{'id':1},'collection':{'id':1},'count':1}");
	wire_refused(wire, "NotFound", "GetLLMConfig", "{'llm_config':{'name':'Experiment config'}}");
	wire_refused(wire, "NotFound", "TestLLMConfig",
		     "{'llm_config':{'ref':{'name':'Experiment config'}}}");
	wire_refused(wire, "NotFound", "SetDefaultLLMConfig",
		     "{'llm_config':{'name':'Experiment config'}}");
	/* Its own has the same names, and nothing to do with the other. */
	must(at_is(experiment_run(wire, &(struct experiment) { .rows = 3, .n_criteria = 1 }), "status",
		   "SUCCESS"), "the other user's own experiment");
	must(json_object_array_length(list_all(wire, "ListTasks", "%s", "")) == 1, "its own task");
}

/* What one user may refer to is not in another's reach by a guessed id. */
static void use_foreign(struct wire *wire, void *userdata)
{
	json_object *reply;

	(void)userdata;
	wire_start(wire, "", "RunExperiment",
		   "{'name':'thief','collection':{'ref':{'id':1}},'prompt_template':{'ref':{'id':1}},"
		   "'llm_config':{'ref':{'name':'simulated'}}}");
	reply = wire_next(wire);
	must(at_is(reply, "error", "org.elluminate.NotFound"), json_object_to_json_string(reply));
}

/* What others have logged is not this user's to prune. */
static void prune(struct wire *wire, void *userdata)
{
	json_object *reply = wire_call(wire, "PruneTasks", "{'older_than_seconds':0}");

	(void)userdata;
	must(at_int(reply, "tasks") == 0 && at_int(reply, "lines") == 0, "nothing is this user's");
}

START_TEST(each_prunes_his_own)
{
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=0.5", NULL });
	struct wire *wire;
	json_object *task, *lines, *reply;

	server = daemon_start_system();
	wire = daemon_connect(server);
	task = experiment_run(wire, &(struct experiment) { .rows = 30, .url = sim_url(sim) });
	as_other_user(server, prune, NULL);
	lines = list_all(wire, "ListTaskLogs", "'id':%lld", (long long)at_int(task, "id"));
	ck_assert_uint_gt(json_object_array_length(lines), 0);
	reply = wire_call(wire, "PruneTasks", "{'older_than_seconds':0}");
	ck_assert_int_eq(at_int(reply, "lines"), (int64_t)json_object_array_length(lines));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* References are resolved by the daemon, which may read what the user may not. */
static void use_references(struct wire *wire, void *userdata)
{
	static const char *const refs[] = { "env:HOME", "file:/etc/shadow", "credential:key" };

	(void)userdata;
	for (size_t i = 0; i < 3; i++)
		wire_refused(wire, "org.varlink.service.PermissionDenied", "CreateLLMConfig",
			     "{'llm_config':{'name':'r','provider':'openai','llm_model_name':'m',"
			     "'llm_base_url':'http://127.0.0.1:9/v1','api_key_ref':'%s'}}", refs[i]);
	wire_refused(wire, "org.varlink.service.PermissionDenied", "CreateLLMConfig",
		     "{'llm_config':{'name':'r','provider':'openai','llm_model_name':'m',"
		     "'llm_base_url':'https://127.0.0.1:9/v1','ca_file':'/etc/ssl/private/key'}}");
}

START_TEST(each_user_has_his_own)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	json_object *task;
	int64_t id;

	server = daemon_start_system();
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 5, .n_criteria = 1, .url = sim_url(sim) });
	wire_call(wire, "CreateEvaluator", "{'evaluator':{'name':'E','prompt':'{{response}}?'}}");
	wire_call(wire, "CreateJudge", "{'judge':{'name':'J','evaluators':[{'name':'E'}]}}");
	as_other_user(server, see_nothing, &id);
	as_other_user(server, use_foreign, &id);
	as_other_user(server, use_references, &id);
	/* Root sees both, and may end what the other has begun. */
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")), 2);
	task = task_get(wire, id);
	ck_assert_str_eq(at_text(task, "status"), "STARTED");
	ck_assert_int_eq(at_int(task, "owner_uid"), getuid());
	ck_assert_int_eq(at_int(task_get(wire, id + 1), "owner_uid"), OTHER_UID);
	ck_assert_str_eq(at_text(wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id),
				 "task.status"), "REVOKED");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What root shares is there for all, and no more of it than that. */
static void use_shared(struct wire *wire, void *userdata)
{
	json_object *config = wire_call(wire, "GetLLMConfig", "{'llm_config':{'name':'ours'}}");
	int64_t id = at_int(config, "llm_config.id");

	(void)userdata;
	must(at_bool(config, "llm_config.has_api_key"), "a shared config has lost its key");
	must(!strstr(json_object_to_json_string(config), "sk-"), "a shared config shows its key");
	for (int i = 0; i < 2; i++) {
		const char *ref = i ? text("'id':%lld", (long long)id) : "'name':'ours'";
		json_object *task = experiment_run(wire, &(struct experiment) {
			.name = text("E%d", i), .rows = 2, .n_criteria = 1,
			.more = text("'llm_config':{'ref':{%s}},'rating_llm_config':{'ref':{%s}}", ref,
				     ref) });

		must(at_is(task, "status", "SUCCESS"), json_object_to_json_string(task));
	}
	wire_call(wire, "SetDefaultLLMConfig", "{'llm_config':{'name':'ours'}}");
	wire_refused(wire, "org.elluminate.NotFound", "GetLLMConfig", "{'llm_config':{'name':'mine'}}");
	wire_refused(wire, "org.elluminate.NotFound", "GetLLMConfig", "{'llm_config':{'id':%lld}}",
		     (long long)id + 1);
	wire_refused(wire, "org.varlink.service.PermissionDenied", "CreateLLMConfig",
		     "{'llm_config':{'name':'theirs','provider':'simulated','shared':true}}");
	wire_refused(wire, "org.varlink.service.PermissionDenied", "UpdateLLMConfig",
		     "{'llm_config':{'name':'ours'},'content':{'name':'ours','provider':'simulated'}}");
	wire_refused(wire, "org.elluminate.NotFound", "UpdateLLMConfig",
		     "{'llm_config':{'id':%lld},'content':{'name':'mine','provider':'simulated'}}",
		     (long long)id + 1);
	/* Who asks pays, and sees that alone. */
	must(at_int(json_object_array_get_idx(list_all(wire, "ListCosts", "'by':'total'"), 0), "calls") == 8,
	     "what another spent");
	/* One's own of that name comes first. */
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'ours','provider':'simulated'}}");
	must(at_int(wire_call(wire, "GetLLMConfig", "{'llm_config':{'name':'ours'}}"),
		    "llm_config.id") != id, "another's config comes before one's own");
}

START_TEST(a_shared_config_serves_all)
{
	static const char *const made[] = { "ours", "mine" };
	struct sim *sim = sim_start((const char *[]) { "--api_key=sk-of-root", NULL });
	struct wire *wire;

	server = daemon_start_system();
	wire = daemon_connect(server);
	for (size_t i = 0; i < 2; i++)
		wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'%s','provider':'openai',"
			  "'llm_model_name':'m','llm_base_url':'%s','api_key':'sk-of-root',"
			  "'shared':%s}}", made[i], sim_url(sim), i == 0 ? "true" : "false");
	as_other_user(server, use_shared, NULL);
	/* One endpoint, whoever asks there. */
	(void)experiment_run(wire, &(struct experiment) {
		.rows = 1, .more = "'llm_config':{'ref':{'name':'ours'}}" });
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListCosts", "'by':'user'")), 2);
	ck_assert_uint_eq(at_count(wire_call(wire, "GetStatus", "{}"), "endpoints"), 1);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* What another's task uses stays; who has it as a default is told when it is gone. */
START_TEST(a_shared_config_in_use)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire, *other;
	json_object *reply;
	int64_t id;

	server = daemon_start_system();
	wire = daemon_connect(server);
	other = connect_as(server, OTHER_UID);
	wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'ours','provider':'openai',"
		  "'llm_model_name':'m','llm_base_url':'%s','shared':true}}", sim_url(sim));
	wire_call(other, "SetDefaultLLMConfig", "{'llm_config':{'name':'ours'}}");
	id = experiment_submit(other, &(struct experiment) { .name = "E", .rows = 1 });
	sim_await(sim, "in_flight", 1);
	wire_refused(other, "org.varlink.service.PermissionDenied", "DeleteLLMConfig",
		     "{'llm_config':{'name':'ours'}}");
	reply = wire_refused(wire, "Conflict", "DeleteLLMConfig", "{'llm_config':{'name':'ours'}}");
	ck_assert_str_eq(at_text(reply, "parameters.reason"), text("the task %lld uses it", (long long)id));
	wire_call(other, "CancelTask", "{'id':%lld}", (long long)id);
	wire_call(wire, "DeleteLLMConfig", "{'llm_config':{'name':'ours'}}");
	ck_assert(!at_has(wire_call(other, "GetProject", "{}"), "project.default_llm_config"));
	reply = experiment_run(other, &(struct experiment) { .name = "F", .rows = 1 });
	ck_assert_str_eq(at_text(reply, "status"), "REJECTED");
	ck_assert_ptr_nonnull(strstr(at_text(reply, "error.message"), "'ours' was deleted"));
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Where others ask, and how that goes, is nobody's business; nor may anybody share what is his. */
static void see_no_endpoint(struct wire *wire, void *userdata)
{
	json_object *reply = wire_call(wire, "GetStatus", "{}");

	(void)userdata;
	must(at_count(reply, "endpoints") == 0, "another's endpoint is shown");
	wire_refused(wire, "org.varlink.service.PermissionDenied", "CreateLLMConfig",
		     "{'llm_config':{'name':'s','provider':'openai','llm_model_name':'m',"
		     "'llm_base_url':'http://127.0.0.1:9/v1','shared':true}}");
}

START_TEST(each_sees_his_own_endpoints)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	int64_t id;

	server = daemon_start_system();
	wire = daemon_connect(server);
	id = experiment_submit(wire, &(struct experiment) { .rows = 5, .url = sim_url(sim) });
	sim_await(sim, "in_flight", 1);
	ck_assert_uint_eq(at_count(wire_call(wire, "GetStatus", "{}"), "endpoints"), 1);
	as_other_user(server, see_no_endpoint, NULL);
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'s','provider':'openai','llm_model_name':'m',"
		  "'llm_base_url':'http://127.0.0.1:9/v1','shared':true}}");
	wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* ---- An administrator's config ---- */

static void run_judged(struct wire *wire, void *userdata)
{
	json_object *task = experiment_run(wire, &(struct experiment) {
		.rows = 3, .n_criteria = 1, .url = userdata });

	must(at_is(task, "status", "SUCCESS"), json_object_to_json_string(task));
}

/* Once an administrator has judged it by a config of his own. */
static void go_on_judging(struct wire *wire, void *userdata)
{
	json_object *reply;

	(void)userdata;
	must(json_object_array_length(list_all(wire, "ListLLMConfigs", "%s", "")) == 2,
	     "no config was made in the owner's project");
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'id':1}}");
	must(at_is(reply, "task.status", "REJECTED"), json_object_to_json_string(reply));
	must(at_is(reply, "task.error.field", "rating_llm_config"),
	     json_object_to_json_string(reply));
	reply = wire_call(wire, "RateExperiment",
			  "{'experiment':{'id':1},'criteria':['Is it new?']}");
	must(at_is(reply, "task.status", "SUCCESS"), json_object_to_json_string(reply));
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'id':1}}");
	must(at_is(reply, "experiment.rating_llm_config.name", "Experiment config"),
	     json_object_to_json_string(reply));
}

START_TEST(an_administrators_config_stays_his)
{
	struct sim *sim = sim_start(NULL), *his = sim_start(NULL);
	struct wire *wire;
	json_object *reply;

	server = daemon_start_system();
	wire = daemon_connect(server);
	as_other_user(server, run_judged, (void *)sim_url(sim));
	reply = wire_call(wire, "RateExperiment",
			  "{'experiment':{'id':1},'rating_llm_config':{'content':{'name':'his',"
			  "'provider':'openai','llm_model_name':'m','llm_base_url':'%s'}}}",
			  sim_url(his));
	ck_assert_msg(at_is(reply, "task.status", "SUCCESS"), "%s", json_object_to_json_string(reply));
	ck_assert_int_eq(sim_stat(his, "calls"), 3);
	as_other_user(server, go_on_judging, NULL);
	ck_assert_int_eq(sim_stat(his, "calls"), 3);
	ck_assert_int_eq(sim_stat(sim, "calls"), 3 + 3 + 3);
	/* Nor can another's become what answers his own requests. */
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "SetDefaultLLMConfig",
			     "{'llm_config':{'id':2}}");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define N_TARPITS 5
#define TARPIT_CALLS 64

/* One user has as many calls in flight as he may, for a day; another's task is as fast as ever. */
START_TEST(tarpit_calls_starve_nobody)
{
	struct sim *tarpit = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct sim *sim = sim_start(NULL);
	struct wire *wire, *other;
	int64_t ids[N_TARPITS];

	server = daemon_start_system();
	other = connect_as(server, OTHER_UID);
	for (int i = 0; i < N_TARPITS; i++) {
		const char *name = text("tarpit-%d", i);

		ids[i] = experiment_submit(other, &(struct experiment) {
			.name = name, .rows = TARPIT_CALLS, .url = sim_url(tarpit), .api_key = name,
			.config = text("'max_connections':%d,'timeout_seconds':86400,"
				       "'first_byte_seconds':86400", TARPIT_CALLS) });
	}
	sim_await(tarpit, "in_flight", 256);
	ck_assert_int_eq(sim_stat(tarpit, "in_flight"), 256);
	wire = daemon_connect(server);
	experiment_run(wire, &(struct experiment) { .rows = 100, .n_criteria = 1,
						    .url = sim_url(sim) });
	ck_assert_int_eq(sim_stat(tarpit, "in_flight"), 256);
	for (int i = 0; i < N_TARPITS; i++)
		wire_call(other, "CancelTask", "{'id':%lld}", (long long)ids[i]);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* Interactive tasks start before all others, but of one user no more than he may have. */
START_TEST(interactive_tasks_are_limited)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *wire;
	json_object *reply;

	server = daemon_start(&(struct daemon_options) {
		.config = "[daemon]\nshutdown_grace_seconds = 0\n"
			  "[queue]\nmax_interactive_per_user = 2\nmax_pending_per_user = 3\n" });
	wire = daemon_connect(server);
	for (int i = 0; i < 6; i++) {
		int64_t id = experiment_submit(wire, &(struct experiment) {
			.name = text("interactive %d", i), .rows = 1, .url = sim_url(sim),
			.more = "'priority':'interactive'" });

		reply = task_get(wire, id);
		ck_assert_str_eq(at_text(reply, "status"),
				 i < 2 ? "STARTED" : i < 5 ? "PENDING" : "REJECTED");
	}
	ck_assert_str_eq(at_text(reply, "error.code"), "QueueFull");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define GROUP "games" // of Debian's base system

/* What root may the group may: see, administer, and name what is the machine's. */
START_TEST(the_group_administers)
{
	static const char *const configs[] = {
		"\"api_key_ref\":\"env:PATH\"",
		"\"shared\":true",
	};
	struct wire *wire;

	server = daemon_start_system_with("[daemon]\nadministrator_group = " GROUP "\n");
	experiment_run(daemon_connect(server), &(struct experiment) { .rows = 2 });
	wire = connect_in(server, OTHER_UID, getgrnam(GROUP)->gr_gid);
	ck_assert_uint_eq(json_object_array_length(list_all(wire, "ListTasks", "%s", "")), 1);
	wire_call(wire, "Drain", "{'undo':true}");
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		wire_call(wire, "CreateLLMConfig",
			  "{'llm_config':{'name':'c%zu','provider':'openai','llm_model_name':'m',"
			  "'llm_base_url':'https://127.0.0.1:9/v1',%s}}", i, configs[i]);
	/* The same in a submission. */
	ck_assert_str_eq(at_text(experiment_run(wire, &(struct experiment) { .rows = 2, .more =
			 "\"llm_config\":{\"content\":{\"name\":\"all\",\"provider\":\"simulated\","
			 "\"shared\":true}}" }), "status"), "SUCCESS");
	wire_refused(connect_as(server, OTHER_UID), "org.varlink.service.PermissionDenied",
		     "Drain", "{'undo':true}");
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

static void connect_often(struct wire *wire, void *userdata)
{
	(void)userdata;
	for (int i = 0; i < 100; i++)
		json_object_put(wire_call(daemon_connect(server), "ListTasks", "%s", "{}"));
	wire_close(wire);
}

/* His idle connections make room for his next ones, and the log says so once. */
START_TEST(a_log_is_not_filled_by_connecting)
{
	const char *line;
	int n = 0;

	server = daemon_start_system_with("[front]\nmax_connections_per_user = 4\n");
	as_other_user(server, connect_often, NULL);
	ck_assert_int_eq(daemon_stop(server), 0);
	for (line = daemon_log(server); (line = strstr(line, "too many connections")); line++)
		n++;
	ck_assert_int_eq(n, 1);
}
END_TEST

/* Until it is ended. */
static pid_t call_for_ever(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (struct wire *wire = connect_as(server, OTHER_UID);;)
		json_object_put(wire_call(wire, "ListTasks", "%s", "{}"));
}

/* While others are at work who follows a task, or all, many times has to wait for his turns. Each time
 * he is told all of it, once and in order. */
START_TEST(who_gives_way_is_told_all)
{
	enum { WATCHES = 60, MONITORS = 20 };
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=0.5",
						       "--latency_seconds=0.01", NULL });
	struct wire *watches[WATCHES], *monitors[MONITORS], *wire;
	const char *logs;
	int64_t id;
	pid_t other;

	server = daemon_start_system();
	wire = daemon_connect(server);
	other = call_for_ever();
	for (int i = 0; i < MONITORS; i++) {
		monitors[i] = daemon_connect(server);
		wire_start(monitors[i], "'more':true", "Monitor", "{'min_interval_seconds':0.05}");
	}
	id = experiment_submit(wire, &(struct experiment) {
		.rows = 200, .url = sim_url(sim), .max_connections = 4 });
	for (int i = 0; i < WATCHES; i++) {
		watches[i] = daemon_connect(server);
		wire_start(watches[i], "'more':true", "WatchTask",
			   "{'id':%lld,'after_sequence':%d,'min_interval_seconds':0.05}",
			   (long long)id, 0);
	}
	json_object_put(task_await_status(server, id, "SUCCESS"));
	logs = task_logs(wire, id);
	for (int i = 0; i < WATCHES; i++) {
		struct trail *trail = trail_new(id, 0);

		while (!trail_has_ended(trail)) {
			json_object *reply = wire_next(watches[i]);

			trail_take(trail, at_json(reply, "parameters.event"));
			json_object_put(reply);
		}
		ck_assert_str_eq(trail->logs, logs);
	}
	for (int i = 0; i < MONITORS; i++) {
		struct monitor_trail all = { 0 };
		struct trail *trail = NULL;

		while (!trail || !trail_has_ended(trail)) {
			json_object *reply = wire_next(monitors[i]);

			monitor_trail_take(&all, at_json(reply, "parameters"));
			json_object_put(reply);
			trail = monitor_trail_find(&all, id);
		}
		ck_assert_str_eq(trail->logs, logs);
	}
	kill(other, SIGKILL);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

#define FOLLOWED 3
#define FOLLOWERS 40 // of each

/* Changes several tasks at once. Answers how far each has come. */
static void change_all(struct wire *const *owners, const char *method, const int64_t *ids, int64_t *ret_sequences)
{
	for (int i = 0; i < FOLLOWED; i++)
		wire_start(owners[i], "", method, "{'id':%lld}", (long long)ids[i]);
	for (int i = 0; i < FOLLOWED; i++)
		ret_sequences[i] = at_int(wire_next(owners[i]), "parameters.task.sequence");
}

/* Those who follow several tasks wait for turns of the same user: each who gets one is told something, also
 * while another user is at work all the time. */
START_TEST(who_gives_way_to_himself_too)
{
	struct sim *sim = sim_start((const char *[]) { "--hang_rate=1", NULL });
	struct wire *owners[FOLLOWED], *followers[FOLLOWED][FOLLOWERS];
	int64_t ids[FOLLOWED], sequences[FOLLOWED];
	pid_t others[3];

	server = daemon_start_system();
	for (int i = 0; i < FOLLOWED; i++) {
		owners[i] = daemon_connect(server);
		ids[i] = experiment_submit(owners[i], &(struct experiment) {
			.name = text("E%d", i), .rows = 1, .url = sim_url(sim) });
		for (int j = 0; j < FOLLOWERS; j++) {
			followers[i][j] = daemon_connect(server);
			wire_start(followers[i][j], "'more':true", "WatchTask", "{'id':%lld}", (long long)ids[i]);
			json_object_put(wire_next(followers[i][j]));
		}
	}
	for (int i = 0; i < 3; i++)
		others[i] = call_for_ever();
	for (int n = 0; n < 10; n++)
		change_all(owners, n % 2 ? "ResumeTask" : "PauseTask", ids, sequences);
	for (int i = 0; i < FOLLOWED; i++)
		for (int j = 0; j < FOLLOWERS; j++)
			while (at_int(wire_next(followers[i][j]), "parameters.event.sequence") < sequences[i])
				;
	for (int i = 0; i < 3; i++) {
		kill(others[i], SIGKILL);
		ck_assert_int_eq(waitpid(others[i], NULL, 0), others[i]);
	}
	change_all(owners, "CancelTask", ids, sequences);
	ck_assert_int_eq(daemon_stop(server), 0);
}
END_TEST

/* A user's own daemon serves nobody else. */
START_TEST(private_socket)
{
	struct stat status;
	struct daemon *daemon = daemon_start(NULL);

	ck_assert_int_eq(stat(daemon_socket(daemon), &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(daemon_state_dir(daemon), &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0700);
	ck_assert_int_eq(stat(dir_path(daemon_state_dir(daemon), "elluminate.db"), &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	if (geteuid() != 0) {
		fputs("a second user is to be had by root only\n", stderr);
		return EXIT_SKIPPED;
	}
	return RUN_SUITE(each_user_has_his_own, a_shared_config_serves_all,
			 a_shared_config_in_use, each_prunes_his_own, each_sees_his_own_endpoints,
			 an_administrators_config_stays_his, tarpit_calls_starve_nobody,
			 interactive_tasks_are_limited, the_group_administers,
			 a_log_is_not_filled_by_connecting, who_gives_way_is_told_all, who_gives_way_to_himself_too,
			 private_socket);
}
