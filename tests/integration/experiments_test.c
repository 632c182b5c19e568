/* Experiments as a resource: made without being run, cloned, and found as they are. */
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define CLIENTS 64
#define PARTS                                                                                      \
	"'prompt_template':{'content':{'name':'T','messages':[{'role':'user','content':"           \
	"'On {{topic}}.'}]}},'collection':{'content':{'name':'C','variables':[{'topic':'a'},"      \
	"{'topic':'b'}]}},'criteria':['Is it short?'],'generation_params':{'temperature':0}"

static json_object *make(struct wire *wire, const char *name, const char *more)
{
	json_object *reply = wire_call(wire, "CreateExperiment", "{'name':'%s'," PARTS "%s}", name,
				       requoted(more));

	return at_json(reply, "experiment");
}

static int64_t number_of(struct wire *wire, const char *method)
{
	return (int64_t)json_object_array_length(list_all(wire, method, "%s", ""));
}

START_TEST(made_and_run)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *experiment = make(wire, "E", ",'n_epochs':2,'description':'why'"), *same, *task;
	long long id = at_int(experiment, "id");

	ck_assert(!at_has(experiment, "task_id") && !at_has(experiment, "results"));
	ck_assert_int_eq(number_of(wire, "ListTasks"), 0);
	/* It outlives the daemon, and shows its parts. */
	daemon_kill(daemon);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	same = at_json(wire_call(wire, "GetExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert(json_object_equal(experiment, same));
	ck_assert_int_eq(at_int(same, "total_cases"), 2);
	ck_assert_int_eq(at_int(same, "n_epochs"), 2);
	ck_assert_str_eq(at_text(same, "description"), "why");
	ck_assert_str_eq(at_text(same, "prompt_template.name"), "T");
	ck_assert_str_eq(at_text(same, "criterion_set.criteria.0.criterion_str"), "Is it short?");
	ck_assert_str_eq(at_text(same, "model.provider"), "simulated");
	ck_assert(at_number(same, "generation_params.temperature") == 0);
	task = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'id':%lld}}", id), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "experiment_id"), id);
	ck_assert_int_eq(at_int(task, "result.results.responses"), 4);
	/* The same file, run: there is nothing left to ask. */
	ck_assert_int_eq(at_int(wire_call(wire, "RunExperiment", "{'name':'E'," PARTS ",'n_epochs':2,"
					  "'update_existing':true}"), "task.id"), at_int(task, "id"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Nothing of a refused one stays. */
START_TEST(refused)
{
	static const struct {
		const char *error, *request, *field, *place;
	} cases[] = {
		{ "org.varlink.service.InvalidParameter", "{" PARTS "}", "name", "parameter" },
		{ "org.varlink.service.InvalidParameter", "{'name':'N','n_epochs':0," PARTS "}", "n_epochs",
		  "parameter" },
		{ "org.varlink.service.InvalidParameter", "{'name':'N','priority':'batch'," PARTS "}", "priority",
		  "parameter" },
		{ "org.varlink.service.InvalidParameter", "{'name':'N','collection':{'ref':{'name':'empty'}},"
		  "'response_column':'x'}", "collection", "parameter" },
		{ "org.varlink.service.InvalidParameter", "{'name':'N','collection':{'content':{'name':'L',"
		  "'variables':[{'x':1}]}},'response_column':'y'}", "response_column", "parameter" },
		{ "NotFound", "{'name':'N','collection':{'ref':{'name':'none'}},'response_column':'x'}", "none",
		  "name" },
		{ "Conflict", "{'name':'E'," PARTS "}", "E", "resource_name" },
	};
	static const char *const lists[] = { "ListTasks", "ListExperiments", "ListCollections" };
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	int64_t before[3];

	make(wire, "E", "");
	wire_call(wire, "CreateCollection", "{'collection':{'name':'empty'}}");
	for (size_t i = 0; i < 3; i++)
		before[i] = number_of(wire, lists[i]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_object *reply = wire_refused(wire, cases[i].error, "CreateExperiment", "%s",
						  requoted(cases[i].request));

		ck_assert_str_eq(at_text(reply, text("parameters.%s", cases[i].place)), cases[i].field);
	}
	wire_refused(wire, "NotFound", "CloneExperiment", "{'experiment':{'name':'none'}}");
	wire_refused(wire, "Conflict", "CloneExperiment", "{'experiment':{'name':'E'},'name':'E'}");
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(number_of(wire, lists[i]), before[i]);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(found_or_made)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wires[CLIENTS], *wire = daemon_connect(daemon);
	json_object *reply;
	int created = 0;
	int64_t id = 0;

	for (int i = 0; i < CLIENTS; i++)
		wires[i] = daemon_connect(daemon);
	for (int i = 0; i < CLIENTS; i++)
		wire_start(wires[i], "", "GetOrCreateExperiment", "{'name':'E'," PARTS "}");
	for (int i = 0; i < CLIENTS; i++) {
		reply = at_json(wire_next(wires[i]), "parameters");
		created += at_bool(reply, "created");
		ck_assert(!at_bool(reply, "differs"));
		ck_assert(!id || at_int(reply, "experiment.id") == id);
		id = at_int(reply, "experiment.id");
	}
	ck_assert_int_eq(created, 1);
	ck_assert_int_eq(number_of(wire, "ListExperiments"), 1);
	/* It stays as it is, and so do the parts. */
	reply = wire_call(wire, "GetOrCreateExperiment", "{'name':'E'," PARTS ",'n_epochs':3}");
	ck_assert(at_bool(reply, "differs") && !at_bool(reply, "created"));
	ck_assert_int_eq(at_int(reply, "experiment.n_epochs"), 1);
	reply = wire_call(wire, "GetOrCreateExperiment", "{'name':'E','collection':{'content':{'name':'C',"
			  "'variables':[{'x':1}]}},'response_column':'x'}");
	ck_assert(at_bool(reply, "differs") && !at_bool(reply, "created"));
	ck_assert_int_eq(at_int(reply, "experiment.id"), id);
	reply = wire_call(wire, "GetCollection", "{'collection':{'name':'C'}}");
	ck_assert_int_eq(at_int(reply, "collection.variables_count"), 2);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(cloned)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *source = make(wire, "E", ",'n_epochs':2,'rating_mode':'detailed','row_limit':1"), *clone;

	wire_call(wire, "RunExperiment", "{'experiment':{'name':'E'}}");
	clone = at_json(wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'}}"), "experiment");
	ck_assert_str_eq(at_text(clone, "name"), "E #2");
	ck_assert(!at_has(clone, "task_id") && !at_has(clone, "results"));
	for (size_t i = 0; i < 6; i++) {
		static const char *const parts[] = { "prompt_template", "collection", "criterion_set",
						     "rating_mode", "n_epochs", "total_cases" };

		ck_assert_msg(json_object_equal(at_json(source, parts[i]), at_json(clone, parts[i])), "%s",
			      parts[i]);
	}
	/* Everything is asked again, and its parts are those of now. */
	clone = at_json(wire_call(wire, "RunExperiment", "{'experiment':{'name':'E #2'}}"), "task");
	ck_assert_int_eq(at_int(clone, "result.results.responses"), 2);
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[{'topic':'c'}]}");
	clone = at_json(wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'},'name':'F','n_epochs':1,"
				  "'row_limit':9,'criteria':['Is it long?'],'generation_params':"
				  "{'temperature':1}}"), "experiment");
	ck_assert_str_eq(at_text(clone, "name"), "F");
	ck_assert_int_eq(at_int(clone, "total_cases"), 3);
	ck_assert_int_eq(at_int(clone, "n_epochs"), 1);
	ck_assert_str_eq(at_text(clone, "rating_mode"), "detailed");
	ck_assert_str_eq(at_text(clone, "criterion_set.criteria.0.criterion_str"), "Is it long?");
	ck_assert(at_number(clone, "generation_params.temperature") == 1);
	/* Other criteria of the same name are another set. */
	clone = at_json(wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'},'criteria':['Third?']}"),
			"experiment");
	ck_assert_str_eq(at_text(clone, "name"), "E #3");
	ck_assert_int_eq(at_int(source, "criterion_set.id"),
			 at_int(wire_call(wire, "GetExperiment", "{'experiment':{'name':'E'}}"),
				"experiment.criterion_set.id"));
	/* A set that was deleted since: it is judged by the same, in a set of its own. */
	wire_call(wire, "DeleteCriterionSet", "{'criterion_set':{'name':'E criteria'}}");
	clone = at_json(wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'},'name':'G'}"), "experiment");
	ck_assert_str_eq(at_text(clone, "criterion_set.name"), "G criteria");
	ck_assert_str_eq(at_text(clone, "criterion_set.criteria.0.criterion_str"), "Is it short?");
	/* A collection that was: another one is to be said. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'D','variables':[{'topic':'d'}]}}");
	wire_call(wire, "DeleteCollection", "{'collection':{'name':'C'}}");
	clone = wire_refused(wire, "Conflict", "CloneExperiment", "{'experiment':{'name':'E'}}");
	ck_assert_str_eq(at_text(clone, "parameters.reason"),
			 "the collection of the experiment was deleted; say another one");
	wire_call(wire, "CloneExperiment", "{'experiment':{'name':'E'},'collection':{'ref':{'name':'D'}}}");
	wire_call(wire, "DeletePromptTemplate", "{'prompt_template':{'name':'T'}}");
	clone = wire_refused(wire, "Conflict", "CloneExperiment",
			     "{'experiment':{'name':'E'},'collection':{'ref':{'name':'D'}}}");
	ck_assert_str_eq(at_text(clone, "parameters.reason"),
			 "the prompt template of the experiment was deleted; say another one");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Only the new ones are asked for, and all count. */
START_TEST(more_epochs)
{
	struct sim *sim = sim_start(NULL);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task, *first, *reply;
	int64_t asked;

	first = experiment_run(wire, &(struct experiment) { .rows = 3, .n_criteria = 1, .url = sim_url(sim) });
	ck_assert_str_eq(at_text(first, "status"), "SUCCESS");
	/* Neither what the rows are now nor what the config says concerns it. */
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'Experiment rows'},'variables':"
		  "[{'topic':'new'}]}");
	asked = sim_stat(sim, "calls");
	task = at_json(wire_call(wire, "AddEpochs", "{'experiment':{'name':'Experiment'},'epochs':2,"
				 "'idempotency_key':'k'}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "retry_of"), at_int(first, "id"));
	ck_assert_int_eq(sim_stat(sim, "calls") - asked, 2 * 3 * 2);
	ck_assert_int_eq(at_int(task, "result.results.responses"), 9);
	ck_assert_uint_eq(at_count(task, "progress.epochs"), 3);
	ck_assert_int_eq(at_int(task, "progress.epochs.2.generated"), 3);
	ck_assert_int_eq(at_int(task, "progress.epochs.2.total"), 3);
	/* Once, by its key; and no more than there may be. */
	ck_assert_int_eq(at_int(wire_call(wire, "AddEpochs", "{'experiment':{'name':'Experiment'},'epochs':2,"
					  "'idempotency_key':'k'}"), "task.id"), at_int(task, "id"));
	reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "AddEpochs",
			     "{'experiment':{'name':'Experiment'},'epochs':998}");
	ck_assert_str_eq(at_text(reply, "parameters.parameter"), "epochs");
	wire_refused(wire, "NotFound", "AddEpochs", "{'experiment':{'name':'none'},'epochs':1}");
	ck_assert_int_eq(at_int(wire_call(wire, "GetExperiment", "{'experiment':{'name':'Experiment'}}"),
				"experiment.n_epochs"), 3);
	/* Killed in the middle of another, it goes on. */
	sim_control(sim, "{'latency_seconds':0.2}");
	task = at_json(wire_call(wire, "AddEpochs", "{'experiment':{'name':'Experiment'},'epochs':1,"
				 "'detach':true}"), "task");
	wire_refused(wire, "Conflict", "AddEpochs", "{'experiment':{'name':'Experiment'},'epochs':1}");
	wire_refused(wire, "Conflict", "DeleteExperiment", "{'experiment':{'name':'Experiment'}}");
	daemon_kill(daemon);
	daemon_restart(daemon);
	task = task_await_status(daemon, at_int(task, "id"), "SUCCESS");
	ck_assert_int_eq(at_int(task, "result.results.responses"), 12);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

#define ADD(responses) "{'experiment':{'name':'E'},'responses':[" responses "]}"

/* Answers that came from elsewhere are rated, and nothing else is asked. */
START_TEST(made_elsewhere)
{
	static const struct {
		const char *request, *field;
	} wrong[] = {
		{ ADD("{'row':4,'response_text':'x'}"), "responses[0].row" },
		{ ADD("{'row':1,'response_text':'x'},{'row':2}"), "responses[1]" },
		{ ADD("{'row':1,'epoch':3,'response_text':'x'}"), "responses[0].epoch" },
		{ ADD("{'template_variables_id':77,'response_text':'x'}"),
		  "responses[0].template_variables_id" },
		{ ADD("{'row':1,'template_variables_id':1,'response_text':'x'}"), "responses[0]" },
		{ ADD(""), "responses" },
		{ ADD("{'row':1,'response_text':'x','error':{'code':'Timeout','message':'m'}}"), "responses[0]" },
		{ ADD("{'row':1,'error':{'code':'Sorry','message':'m'}}"), "responses[0].error.code" },
		{ ADD("{'row':1,'response_text':'x','ratings':[{'criterion':'Is it?','rating':'YES'}]}"),
		  "responses[0].ratings[0].criterion" },
		{ ADD("{'row':1,'response_text':'x','ratings':[{'criterion':'Is {{q}} answered?','rating':'YES',"
		      "'judge':'another'}]}"), "responses[0].ratings[0].judge" },
		{ ADD("{'row':1,'response_text':'x','ratings':[{'criterion':'Is {{q}} answered?'}]}"),
		  "responses[0].ratings[0]" },
		{ ADD("{'row':1,'error':{'code':'Timeout','message':'m'},'ratings':[{'criterion':"
		      "'Is {{q}} answered?','rating':'YES'}]}"), "responses[0].ratings" },
	};
	struct sim *sim = sim_start(NULL);
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *reply, *rows, *items;

	/* Two batches, and one that comes too late. */
	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':[{'q':'1'},{'q':'2'}]}}");
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[{'q':'3'}]}");
	wire_call(wire, "CreateExperiment", "{'name':'E','collection':{'ref':{'name':'C'}},'n_epochs':2,"
		  "'criteria':['Is {{q}} answered?'],'rating_llm_config':{'content':{'name':'judge',"
		  "'provider':'openai','llm_model_name':'m','llm_base_url':'%s'}}}", sim_url(sim));
	wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[{'q':'4'}]}");
	rows = list_all(wire, "ListTemplateVariables", "'collection':{'name':'C'}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "AddResponses", "%s",
				     requoted(wrong[i].request));
		ck_assert_str_eq(at_text(reply, "parameters.parameter"), wrong[i].field);
	}
	wire_refused(wire, "org.varlink.service.InvalidParameter", "AddResponses",
		     "{'experiment':{'name':'E'},'responses':[{'template_variables_id':%lld,'response_text':'x'}]}",
		     (long long)at_int(rows, "3.id"));
	reply = wire_call(wire, "AddResponses", "{'experiment':{'name':'E'},'responses':[{'row':3,"
			  "'response_text':'three','input_tokens':5,'finish_reason':'stop'},"
			  "{'template_variables_id':%lld,'response_text':'one'}]}", (long long)at_int(rows, "0.id"));
	ck_assert_int_eq(at_int(reply, "added"), 2);
	/* Half of them can be rated, and are not enough to run. */
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'name':'E'}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "REJECTED");
	ck_assert_str_eq(at_text(reply, "task.error.field"), "experiment");
	reply = wire_call(wire, "RateExperiment", "{'experiment':{'name':'E'}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_eq(at_int(reply, "task.result.results.ratings"), 2);
	/* The same is counted, another is refused with all that came with it. */
	wire_refused(wire, "Conflict", "AddResponses", ADD("{'row':2,'response_text':'two'},"
		     "{'row':1,'response_text':'another'}"));
	reply = wire_call(wire, "AddResponses", ADD("{'row':1,'response_text':'one'},{'row':2,'response_text':"
			  "'two'},{'row':2,'epoch':2,'tool_calls':[{'id':'c','name':'f','arguments':'{}'}]},"
			  "{'row':1,'epoch':2,'response_text':'one'},{'row':3,'epoch':2,'response_text':''},"
			  "{'row':2,'response_text':'two'}"));
	ck_assert_int_eq(at_int(reply, "added"), 4);
	ck_assert_int_eq(at_int(reply, "present"), 2);
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'name':'E'}}");
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_eq(at_int(reply, "task.result.results.responses"), 6);
	ck_assert_int_eq(at_int(reply, "task.result.results.ratings"), 6);
	ck_assert(!at_bool(reply, "task.result.results.simulated"));
	ck_assert_int_eq(sim_stat(sim, "calls"), 6); // the judge's
	items = list_all(wire, "ListResponses", "'experiment':{'name':'E'},'epoch':1");
	ck_assert_str_eq(at_text(items, "2.response_text"), "three");
	ck_assert_str_eq(at_text(items, "2.finish_reason"), "stop");
	ck_assert_int_eq(at_int(items, "2.input_tokens"), 5);
	ck_assert(!at_has(items, "2.cost"));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Nobody may have wanted the simulated model's verdicts on what it did not say: the log has that it gives them. */
START_TEST(simulated_judges)
{
	static const char said[] = "answers made elsewhere are judged by the simulated model";
	static const struct {
		const char *request;
		bool noted;
	} cases[] = {
		{ "'criteria':['Is it?']", true },
		{ "'criteria':['Is it?'],'rating_llm_config':{'ref':{'name':'simulated'}}", false },
		{ "'criteria':['Is it?'],'llm_config':{'ref':{'name':'simulated'}}", false },
		{ "'measures':[{'criterion_str':'a','check':{'kind':'contains','value':'a'}}]", false },
	};
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *task;

	wire_call(wire, "CreateCollection", "{'collection':{'name':'C','variables':[{'said':'a'}]}}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		task = at_json(wire_call(wire, "RunExperiment", "{'name':'E%zu','collection':{'ref':{'name':'C'}},"
					 "'response_column':'said',%s}", i, requoted(cases[i].request)), "task");
		ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
		ck_assert_int_eq(!!strstr(task_logs(wire, at_int(task, "id")), said), cases[i].noted);
	}
	/* What a check decided, rated again. */
	task = at_json(wire_call(wire, "RateExperiment", "{'experiment':{'name':'E3'},'criteria':['Is it?']}"), "task");
	ck_assert_str_eq(at_text(task, "status"), "SUCCESS");
	ck_assert(strstr(task_logs(wire, at_int(task, "id")), said));
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* How it is asked and rated can be said until it is. */
START_TEST(changed_before_it_is_asked)
{
	static const char change[] = "{'experiment':{'name':'E'},'rating_mode':'detailed','n_epochs':2,"
				     "'generation_params':{'temperature':1.5}}";
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *reply;

	make(wire, "E", "");
	reply = wire_call(wire, "UpdateExperiment", change);
	ck_assert_str_eq(at_text(reply, "experiment.rating_mode"), "detailed");
	ck_assert_int_eq(at_int(reply, "experiment.n_epochs"), 2);
	reply = wire_call(wire, "RunExperiment", "{'experiment':{'name':'E'}}");
	ck_assert_int_eq(at_int(reply, "task.result.results.responses"), 4);
	reply = list_all(wire, "ListResponses", "'experiment':{'name':'E'}");
	ck_assert(at_has(reply, "3.ratings.0.reasoning"));
	/* It is found again as what it is now, and cannot become another. */
	wire_call(wire, "RunExperiment", "{'name':'E','prompt_template':{'ref':{'name':'T'}},'collection':{'ref':"
		  "{'name':'C'}},'criteria':['Is it short?'],'generation_params':{'temperature':1.5},'n_epochs':2,"
		  "'rating_mode':'detailed','update_existing':true}");
	ck_assert_int_eq(number_of(wire, "ListExperiments"), 1);
	wire_refused(wire, "Conflict", "UpdateExperiment", change);
	/* Nor one that has answers which were made elsewhere. */
	make(wire, "F", "");
	wire_call(wire, "AddResponses", "{'experiment':{'name':'F'},'responses':[{'row':1,'response_text':'x'}]}");
	wire_refused(wire, "Conflict", "UpdateExperiment", "{'experiment':{'name':'F'},'n_epochs':3}");
	wire_call(wire, "UpdateExperiment", "{'experiment':{'name':'F'},'description':'y'}");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Renamed; and deleted, from which on it is nowhere. */
START_TEST(renamed_and_deleted)
{
	static const char *const gone[] = { "GetExperiment", "ListResponses", "ListRatings", "RunExperiment",
					    "RateExperiment", "RetryFailed", "CloneExperiment",
					    "UpdateExperiment", "DeleteExperiment" };
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	json_object *experiment = make(wire, "E", ",'description':'why'"), *reply;
	long long id = at_int(experiment, "id");

	make(wire, "F", ",'response_column':'topic'");
	wire_call(wire, "RunExperiment", "{'experiment':{'name':'E'}}");
	wire_refused(wire, "Conflict", "UpdateExperiment", "{'experiment':{'name':'E'},'name':'F'}");
	reply = wire_call(wire, "UpdateExperiment", "{'experiment':{'name':'E'},'name':'G'}");
	ck_assert_str_eq(at_text(reply, "experiment.name"), "G");
	ck_assert_str_eq(at_text(reply, "experiment.description"), "why");
	reply = wire_call(wire, "UpdateExperiment", "{'experiment':{'name':'G'},'name':'G','description':''}");
	ck_assert(!at_has(reply, "experiment.description"));
	ck_assert_int_eq(at_int(reply, "experiment.id"), id);
	make(wire, "E", ""); // that name is free
	wire_call(wire, "DeleteExperiment", "{'experiment':{'name':'G'}}");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		wire_refused(wire, "NotFound", gone[i], "{'experiment':{'name':'G'}}");
		wire_refused(wire, "NotFound", gone[i], "{'experiment':{'id':%lld}}", id);
	}
	ck_assert_int_eq(number_of(wire, "ListExperiments"), 2);
	/* The same once more is a new one, with its own answers. */
	reply = wire_call(wire, "RunExperiment", "{'name':'G'," PARTS "}");
	ck_assert_str_eq(at_text(reply, "task.status"), "SUCCESS");
	ck_assert_int_ne(at_int(reply, "task.experiment_id"), id);
	reply = wire_call(wire, "GetExperiment", "{'experiment':{'name':'G'}}");
	ck_assert_int_eq(at_int(reply, "experiment.taken_over_responses"), 0);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

START_TEST(commands)
{
	struct daemon *daemon = daemon_start(NULL);
	const char *file = text("%s/e.json", daemon_state_dir(daemon));
	struct command *command;

	file_write(file, quoted("{'name':'E','prompt_template':{'name':'T','messages':'On {{topic}}.'},"
				"'collection':{'name':'C','variables':[{'topic':'a'},{'topic':'b'}]},"
				"'criteria':['Is it short?']}"));
	command = COMMAND(daemon, 0, "experiment", "create", file, "--epochs", "2", "--json");
	ck_assert_int_eq(at_int(json_must_parse(command->out), "experiment.n_epochs"), 2);
	command = COMMAND(daemon, 0, "experiment", "get", file, "--json");
	ck_assert(at_bool(json_must_parse(command->out), "differs"));
	COMMAND(daemon, 28, "experiment", "create", file);
	COMMAND(daemon, 0, "experiment", "run", "E");
	command = COMMAND(daemon, 0, "experiment", "clone", "E", "--name", "F", "--collection", "C", "--criteria",
			  "Is it long?", "--json");
	ck_assert_str_eq(at_text(json_must_parse(command->out), "experiment.name"), "F");
	COMMAND(daemon, 23, "experiment", "add-epochs", "E");
	command = COMMAND(daemon, 0, "experiment", "add-epochs", "E", "--epochs", "1");
	COMMAND(daemon, 0, "experiment", "update", "F", "--name", "G", "--description", "what for");
	COMMAND(daemon, 0, "experiment", "delete", "G");
	COMMAND(daemon, 27, "experiment", "show", "G");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Lines without a row are of the rows in their order. */
START_TEST(answers_from_files)
{
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	const char *csv = text("%s/a.csv", daemon_state_dir(daemon)), *lines = text("%s/a.jsonl", daemon_state_dir(daemon));
	struct command *command;
	json_object *items;

	wire_call(wire, "CreateExperiment", "{'name':'E','collection':{'content':{'name':'C','variables':"
		  "[{'q':'1'},{'q':'2'},{'q':'3'}]}},'criteria':['Is it?'],'n_epochs':2}");
	file_write(csv, "response_text,input_tokens,finish_reason,tool_calls\n\"one, 1\",5,stop,\n2,,,\n"
			"three,7,,\"[{\"\"id\"\":\"\"c\"\",\"\"name\"\":\"\"f\"\",\"\"arguments\"\":\"\"{}\"\"}]\"\n");
	command = COMMAND(daemon, 0, "experiment", "add-responses", "E", csv);
	ck_assert_ptr_nonnull(strstr(command->err, "3 answers added, 0 were there already."));
	command = COMMAND(daemon, 0, "experiment", "add-responses", "E", csv);
	ck_assert_ptr_nonnull(strstr(command->err, "0 answers added, 3 were there already."));
	file_write(lines, "{\"row\":1,\"epoch\":2,\"response_text\":\"x\"}\n{\"row\":9,\"response_text\":\"x\"}\n");
	command = COMMAND(daemon, 23, "experiment", "add-responses", "E", lines);
	ck_assert_ptr_nonnull(strstr(command->err, "responses[1].row: expected 1 to 3"));
	file_write(lines, "{\"row\":1,\"epoch\":2,\"response_text\":\"x\",\"ratings\":[{\"criterion\":\"Is it?\","
			  "\"rating\":\"YES\",\"judge\":\"simulated\"}]}\n");
	COMMAND(daemon, 0, "experiment", "add-responses", "E", lines);
	COMMAND(daemon, 2, "experiment", "add-responses", "E");
	COMMAND(daemon, 2, "experiment", "add-responses", "E", "-");
	COMMAND(daemon, 0, "experiment", "add-responses", "E", "--responses",
		"[{\"row\": 2, \"epoch\": 2, \"response_text\": \"y\"}]");
	items = list_all(wire, "ListResponses", "'experiment':{'name':'E'}");
	ck_assert_uint_eq(json_object_array_length(items), 5);
	ck_assert_str_eq(at_text(items, "0.response_text"), "one, 1");
	ck_assert_int_eq(at_int(items, "0.input_tokens"), 5);
	ck_assert_str_eq(at_text(items, "1.ratings.0.rating"), "YES");
	ck_assert_str_eq(at_text(items, "2.response_text"), "2");
	ck_assert(!at_has(items, "2.input_tokens") && !at_has(items, "2.finish_reason"));
	ck_assert_str_eq(at_text(items, "4.tool_calls.0.name"), "f");
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(made_and_run, refused, found_or_made, cloned, more_epochs, made_elsewhere, simulated_judges,
			 changed_before_it_is_asked, renamed_and_deleted, commands, answers_from_files);
}
